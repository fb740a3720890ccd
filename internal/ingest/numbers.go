package ingest

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// parseInt reads what Java's Integer.parseInt or Long.parseLong read, by the number of bits.
func parseInt(s string, bits int) (any, error) {
	n, err := strconv.ParseInt(s, 10, bits)
	if err != nil {
		return nil, numberFormat(s)
	}
	if bits == 32 {
		return int32(n), nil
	}
	return n, nil
}

// decodeInt is parseInt for texts that may be hexadecimal: 0x1F, -0x1f.
func decodeInt(s string, bits int) (any, error) {
	digits, negative := strings.CutPrefix(s, "-")
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		if negative {
			hex = "-" + hex
		}
		n, err := strconv.ParseInt(hex, 16, bits)
		if err != nil {
			return nil, numberFormat(strings.TrimPrefix(hex, "-"))
		}
		if bits == 32 {
			return int32(n), nil
		}
		return n, nil
	}
	return parseInt(s, bits)
}

var javaFloatText = regexp.MustCompile(`^[+-]?(?:NaN|Infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[dDfF]?|0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+[dDfF]?)$`)

// parseFloat reads what Java's Float.parseFloat or Double.parseDouble read.
func parseFloat(s string, bits int) (any, error) {
	t := javaTrim(s)
	if t == "" {
		return nil, numberFormatReason("empty String")
	}
	if !javaFloatText.MatchString(t) {
		return nil, numberFormat(s)
	}
	if !strings.HasSuffix(t, "Infinity") && !strings.HasSuffix(t, "NaN") {
		t = strings.TrimRight(t, "dDfF")
		if strings.ContainsAny(t, "xX") && !strings.ContainsAny(t, "pP") {
			return nil, numberFormat(s)
		}
	}
	f, err := strconv.ParseFloat(strings.TrimPrefix(strings.Replace(t, "-NaN", "NaN", 1), "+"), bits)
	if err != nil && !math.IsInf(f, 0) {
		return nil, numberFormat(s)
	}
	if bits == 32 {
		return float32(f), nil
	}
	return f, nil
}

// javaTrim takes away what Java's String.trim does.
func javaTrim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// utf16Len is the length of a text in Java.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
