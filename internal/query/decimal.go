package query

import (
	"math"
	"math/big"
	"strings"
)

// decimalFormat is the part of Java's DecimalFormat that formats of numbers use: digits, grouping, percent, a prefix
// and a suffix.
type decimalFormat struct {
	prefix, suffix       string
	minInt, minFrac, max int // digits; max is the most after the point
	group                int
	scale                int64 // 100 for a percentage
	exponent             int   // digits of the exponent; 0: none
}

func parseDecimalFormat(pattern string) *decimalFormat {
	pattern, _, _ = strings.Cut(pattern, ";")
	f := &decimalFormat{scale: 1}
	var prefix, suffix strings.Builder
	quoted, digits, fraction := false, false, false
	since := -1 // digits since the last comma
	out := func(r rune) {
		if digits {
			suffix.WriteRune(r)
		} else {
			prefix.WriteRune(r)
		}
	}
	for _, r := range pattern {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
			out(r)
		case r == '0' && f.exponent < 0:
			f.exponent--
		case r == '#' || r == '0':
			digits = true
			if fraction {
				f.max++
				if r == '0' {
					f.minFrac = f.max
				}
			} else {
				if r == '0' || f.minInt > 0 {
					f.minInt++
				}
				if since >= 0 {
					since++
				}
			}
		case r == ',':
			since = 0
		case r == '.':
			digits, fraction = true, true
		case r == 'E' && digits:
			f.exponent = -1
		case r == '%':
			f.scale = 100
			out(r)
		case r == '\u2030':
			f.scale = 1000
			out(r)
		default:
			out(r)
		}
	}
	if f.exponent < 0 {
		f.exponent = -f.exponent - 1
	}
	f.group = max(since, 0)
	f.prefix, f.suffix = prefix.String(), suffix.String()
	return f
}

func (f *decimalFormat) format(v float64) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		if v < 0 {
			return "-" + f.prefix + "∞" + f.suffix
		}
		return f.prefix + "∞" + f.suffix
	}
	if f.exponent > 0 && v != 0 {
		e := int(math.Floor(math.Log10(math.Abs(v)))) - max(f.minInt-1, 0)
		body := *f
		body.prefix, body.suffix, body.exponent = "", "", 0
		sign, n := "", e
		if n < 0 {
			sign, n = "-", -n
		}
		digits := new(big.Int).SetInt64(int64(n)).String()
		return f.prefix + body.format(v/math.Pow10(e)) + "E" + sign + strings.Repeat("0", max(0, f.exponent-len(digits))) + digits + f.suffix
	}
	sign := ""
	if math.Signbit(v) {
		sign, v = "-", -v
	}
	whole, frac := roundHalfEven(v, f.scale, f.max)
	for len(frac) > f.minFrac && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	whole = strings.TrimLeft(whole, "0")
	whole = strings.Repeat("0", max(0, f.minInt-len(whole))) + whole
	if whole == "" && frac == "" {
		whole = "0"
	}
	if f.group > 0 {
		for i := len(whole) - f.group; i > 0; i -= f.group {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if frac != "" {
		whole += "." + frac
	}
	return sign + f.prefix + whole + f.suffix
}

// roundHalfEven returns the digits of v*scale, rounded exactly.
func roundHalfEven(v float64, scale int64, places int) (whole, frac string) {
	r := new(big.Rat).SetFloat64(v)
	r.Mul(r, new(big.Rat).SetInt64(scale))
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)))
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if c := rest.Lsh(rest, 1).Cmp(r.Denom()); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	s := q.String()
	if len(s) <= places {
		s = strings.Repeat("0", places-len(s)+1) + s
	}
	return s[:len(s)-places], s[len(s)-places:]
}
