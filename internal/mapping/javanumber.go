package mapping

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
)

// javaDouble prints a double as Java's Double.toString does.
func javaDouble(f float64) string { return javavalue.Float(f, 64) }

func numberFormat(s string) error {
	if s == "" {
		return apierr.New(400, "number_format_exception", "empty String")
	}
	return apierr.New(400, "number_format_exception", "For input string: %q", s)
}

// parseJavaDouble reads what Java's Double.parseDouble, or with 32 bits Float.parseFloat, reads.
func parseJavaDouble(s string, bits int) (float64, error) {
	f, err := javavalue.ParseFloat(s, bits)
	if err != nil {
		return 0, apierr.New(400, "number_format_exception", "%v", err)
	}
	return f, nil
}

// parseJavaLong reads what Java's Long.parseLong accepts.
func parseJavaLong(s string) (int64, bool) {
	if s == "" || strings.Contains(s, "_") {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

var (
	minLong  = big.NewInt(math.MinInt64)
	maxLong  = big.NewInt(math.MaxInt64)
	maxULong = new(big.Int).SetUint64(math.MaxUint64)
	bigZero  = new(big.Int)
)

// decimalOf reads a decimal number exactly; the exponent is bounded.
func decimalOf(s string) (*big.Rat, bool) {
	if s == "" || strings.ContainsAny(s, "_/xXpP") {
		return nil, false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exp, err := strconv.Atoi(strings.TrimPrefix(s[i+1:], "+"))
		if err != nil || exp > 400 || exp < -400 {
			return nil, false
		}
	}
	r, ok := new(big.Rat).SetString(s)
	return r, ok
}

// wholeOf cuts a number towards zero; without coerce a fraction is an error.
func wholeOf(s string, coerce bool) (*big.Int, error) {
	r, ok := decimalOf(s)
	if !ok {
		return nil, apierr.IllegalArgument("For input string: %q", s)
	}
	if !r.IsInt() && !coerce {
		return nil, apierr.IllegalArgument("Value [%s] has a decimal part", s)
	}
	return new(big.Int).Quo(r.Num(), r.Denom()), nil
}

// stringToLong is how a string becomes a long field's value.
func stringToLong(s string, coerce bool) (int64, error) {
	if n, ok := parseJavaLong(s); ok {
		return n, nil
	}
	if r, ok := decimalOf(s); ok {
		limit := new(big.Rat).SetInt(maxLong)
		if new(big.Rat).Abs(r).Cmp(limit.Add(limit, big.NewRat(1, 1))) > 0 {
			return 0, apierr.IllegalArgument("Value [%s] is out of range for a long", s)
		}
	}
	n, err := wholeOf(s, coerce)
	if err != nil {
		return 0, err
	}
	if n.Cmp(minLong) < 0 || n.Cmp(maxLong) > 0 {
		return 0, apierr.IllegalArgument("Value [%s] is out of range for a long", s)
	}
	return n.Int64(), nil
}

// stringToULong is how a string becomes an unsigned_long field's value.
func stringToULong(s string, coerce bool) (uint64, error) {
	n, err := wholeOf(s, coerce)
	if err != nil {
		return 0, err
	}
	if n.Sign() < 0 || n.Cmp(maxULong) > 0 {
		return 0, apierr.IllegalArgument("Value [%s] is out of range for an unsigned long", s)
	}
	return n.Uint64(), nil
}

// Sortable encodings of floating point numbers, as Lucene keeps them.

func doubleToSortable(f float64) int64 {
	if math.IsNaN(f) {
		f = math.NaN()
	}
	b := int64(math.Float64bits(f))
	return b ^ b>>63&0x7fffffffffffffff
}

func sortableToDouble(b int64) float64 {
	return math.Float64frombits(uint64(b ^ b>>63&0x7fffffffffffffff))
}

func floatToSortable(f float32) int32 {
	b := int32(math.Float32bits(f))
	return b ^ b>>31&0x7fffffff
}

func sortableToFloat(b int32) float32 {
	return math.Float32frombits(uint32(b ^ b>>31&0x7fffffff))
}

// floatToHalf rounds to the nearest half-precision number, ties to even.
func floatToHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	exp := int(b>>23&0xFF) - 127
	mant := b & 0x7FFFFF
	switch {
	case exp == 128:
		if mant != 0 {
			return sign | 0x7E00
		}
		return sign | 0x7C00
	case exp > 15:
		return sign | 0x7C00
	case exp < -25:
		return sign
	}
	var h uint32
	var shift int
	if exp < -14 { // subnormal
		mant |= 0x800000
		shift = 13 + (-14 - exp)
		h = mant >> shift
	} else {
		shift = 13
		h = uint32(exp+15)<<10 | mant>>13
	}
	rest := mant & (1<<shift - 1)
	half := uint32(1) << (shift - 1)
	if rest > half || rest == half && h&1 == 1 {
		h++
	}
	return sign | uint16(h)
}

func halfToFloat(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h >> 10 & 0x1F)
	mant := uint32(h & 0x3FF)
	switch exp {
	case 0:
		f := float32(mant) / (1 << 24)
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7F800000 | mant<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | mant<<13)
}

func halfToSortable(f float32) int16 {
	b := int16(floatToHalf(f))
	return b ^ b>>15&0x7fff
}

func sortableToHalf(b int16) float32 { return halfToFloat(uint16(b ^ b>>15&0x7fff)) }

// javaRound is Java's Math.round: floor(x + 1/2), within the bounds of a long.
func javaRound(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	fl := math.Floor(f)
	if f-fl >= 0.5 {
		fl++
	}
	return int64(fl)
}

// javaString prints a JSON value as Java prints the map that it was read into.
func javaString(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	}
	return fmt.Sprint(v)
}
