package javavalue

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Float prints a float of 32 or 64 bits as Java does.
func Float(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, bits)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return mantissa // strconv always writes an exponent
	}
	return mantissa + "E" + strconv.Itoa(n)
}

// ParseFloat reads what Java's Double.parseDouble, or with 32 bits Float.parseFloat, reads: blanks around it, a suffix d or f,
// Infinity and NaN, hexadecimal floats; what is too large is infinite. The error has Java's text.
func ParseFloat(s string, bits int) (float64, error) {
	t := strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if t == "" {
		return 0, errors.New("empty String")
	}
	bad := func() error { return fmt.Errorf("For input string: \"%s\"", t) } //nolint:staticcheck // Java's text
	sign, body := "", t
	if body[0] == '+' || body[0] == '-' {
		sign, body = body[:1], body[1:]
	}
	switch body {
	case "":
		return 0, bad()
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		if sign == "-" {
			return math.Inf(-1), nil
		}
		return math.Inf(1), nil
	}
	hex := strings.HasPrefix(body, "0x") || strings.HasPrefix(body, "0X")
	exponent := strings.ContainsAny(body, "pP")
	if digits := len(body) - len(strings.TrimLeft(body, "0123456789.")); !hex && strings.Count(body[:digits], ".") > 1 {
		return 0, errors.New("multiple points")
	}
	// What Go reads and Java does not: names in other letters, underscores, and hexadecimal floats without an exponent.
	if body[0] != '.' && (body[0] < '0' || body[0] > '9') || strings.Contains(body, "_") || hex != exponent {
		return 0, bad()
	}
	if n := len(body); n > 1 && strings.IndexByte("dDfF", body[n-1]) >= 0 {
		body = body[:n-1]
	}
	f, err := strconv.ParseFloat(sign+body, bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, bad()
	}
	return f, nil
}
