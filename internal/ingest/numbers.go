package ingest

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/varve-search/varve/internal/javavalue"
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

// parseFloat reads what Java's Float.parseFloat or Double.parseDouble read, by the number of bits.
func parseFloat(s string, bits int) (any, error) {
	f, err := javavalue.ParseFloat(s, bits)
	if err != nil {
		return nil, numberFormatReason(err.Error())
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
