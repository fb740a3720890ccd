package query

import (
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/xcontent"
)

// isScalar tells whether a JSON value is neither an object nor a list.
func isScalar(v any) bool {
	switch v.(type) {
	case *xcontent.Object, []any:
		return false
	}
	return true
}

// valueText is the text of a JSON value as Java's toString has it.
func valueText(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case json.Number:
		if s := x.String(); strings.ContainsAny(s, ".eE") {
			if f, err := strconv.ParseFloat(s, 64); err == nil {
				return javavalue.Float(f, 64)
			}
		}
		return x.String()
	case []any:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = valueText(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *xcontent.Object:
		parts := make([]string, len(x.Members))
		for i, m := range x.Members {
			parts[i] = m.Key + "=" + valueText(m.Value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}

func numberFormat(s string) error {
	if s == "" {
		return apierr.New(400, "number_format_exception", "empty String")
	}
	return apierr.New(400, "number_format_exception", "For input string: %q", s)
}

// parseDouble reads a number as Java does, with 32 bits a float.
func parseDouble(s string, bits int) (float64, error) {
	f, err := javavalue.ParseFloat(s, bits)
	if err != nil {
		return 0, apierr.New(400, "number_format_exception", "%v", err)
	}
	return f, nil
}

// toFloat reads a parameter that is a number, or a number in quotes.
func toFloat(v any) (float64, error) {
	if !isScalar(v) || v == nil {
		return 0, apierr.Parsing("Current token (%s) not numeric, can not use numeric value accessors", describe(v))
	}
	return parseDouble(valueText(v), 64)
}

func toInt(v any) (int, error) {
	f, err := toFloat(v)
	if err != nil {
		return 0, err
	}
	if f < math.MinInt32 || f > math.MaxInt32 {
		return 0, apierr.IllegalArgument("Value [%s] is out of range for an integer", valueText(v))
	}
	return int(f), nil
}

func toBool(v any) (bool, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		switch x {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, apierr.IllegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", valueText(v))
}

// hasDecimalPart tells whether a value of a query has a fraction.
func hasDecimalPart(v any) (bool, error) {
	s := valueText(v)
	if r, ok := exact(s); ok {
		return !r.IsInt(), nil
	}
	f, err := parseDouble(s, 64)
	return math.Mod(f, 1) != 0, err
}

func signum(v any) int {
	if r, ok := exact(valueText(v)); ok {
		return r.Sign()
	}
	f, _ := parseDouble(valueText(v), 64)
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	}
	return 0
}

// exact reads a decimal number; exponents are bounded.
func exact(s string) (*big.Rat, bool) {
	if s == "" || strings.ContainsAny(s, "_/xXpP") {
		return nil, false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, err := strconv.Atoi(strings.TrimPrefix(s[i+1:], "+"))
		if err != nil || exp > 400 || exp < -400 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}

// truncated cuts a number towards zero.
func truncated(s string) (*big.Int, error) {
	r, ok := exact(s)
	if !ok {
		return nil, apierr.IllegalArgument("For input string: %q", s)
	}
	return new(big.Int).Quo(r.Num(), r.Denom()), nil
}

var maxUnsigned = new(big.Int).SetUint64(math.MaxUint64)

// toWhole is the value of an integer field between lo and hi; fractions are cut.
func toWhole(v any, typ string) (int64, error) {
	s := valueText(v)
	article := "a "
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	switch typ {
	case "byte":
		lo, hi = math.MinInt8, math.MaxInt8
	case "short":
		lo, hi = math.MinInt16, math.MaxInt16
	case "integer", "token_count":
		article, typ = "an ", "integer"
		lo, hi = math.MinInt32, math.MaxInt32
	case "long":
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		n, err := truncated(s)
		if err != nil {
			return 0, err
		}
		if !n.IsInt64() {
			return 0, apierr.IllegalArgument("Value [%s] is out of range for a long", s)
		}
		return n.Int64(), nil
	}
	f, err := parseDouble(s, 64)
	if err != nil {
		return 0, err
	}
	if f < float64(lo) || f > float64(hi) {
		return 0, apierr.IllegalArgument("Value [%s] is out of range for %s%s", s, article, typ)
	}
	return int64(f), nil
}

func toUnsigned(v any) (uint64, error) {
	s := valueText(v)
	n, err := truncated(s)
	if err != nil {
		return 0, err
	}
	if n.Sign() < 0 || n.Cmp(maxUnsigned) > 0 {
		return 0, apierr.IllegalArgument("Value [%s] is out of range for an unsigned long", s)
	}
	return n.Uint64(), nil
}

// halfFloat rounds to half precision, ties to even, and returns its sortable bits.
func halfFloat(f float32) int16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	exp := int(b>>23&0xff) - 127
	mant := b & 0x7fffff
	var h uint16
	switch {
	case exp == 128 && mant != 0:
		h = sign | 0x7e00
	case exp > 15:
		h = sign | 0x7c00
	case exp < -25:
		h = sign
	default:
		shift, v := 13, uint32(exp+15)<<10|mant>>13
		if exp < -14 {
			mant |= 0x800000
			shift = 13 - 14 - exp
			v = mant >> shift
		}
		rest, half := mant&(1<<shift-1), uint32(1)<<(shift-1)
		if rest > half || rest == half && v&1 == 1 {
			v++
		}
		h = sign | uint16(v)
	}
	s := int16(h)
	return s ^ s>>15&0x7fff
}

// halfValue decodes the sortable bits of a number of half precision.
func halfValue(s int16) float64 {
	b := uint16(s ^ s>>15&0x7fff)
	exp, frac := int(b>>10)&0x1f, float64(b&0x3ff)
	v := math.Ldexp(1+frac/1024, exp-15)
	switch {
	case exp == 0x1f && frac != 0:
		return math.NaN()
	case exp == 0x1f:
		v = math.Inf(1)
	case exp == 0:
		v = math.Ldexp(frac, -24)
	}
	if b>>15 != 0 {
		return -v
	}
	return v
}
