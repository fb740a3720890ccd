package uid

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

// First bytes that tell the encodings apart. Decoded base64 never starts with one of them: where it
// would, base64Escape stands before it.
const (
	base64Escape = 0xfd
	numericMark  = 0xfe
	utf8Mark     = 0xff
)

// MaxLength is the longest id that is accepted, in bytes.
const MaxLength = 512

var unpadded = base64.RawURLEncoding.Strict()

// Encode appends the bytes of an id to dst.
func Encode(dst []byte, id string) []byte {
	switch {
	case numeric(id):
		return appendNumeric(dst, id)
	case base64ID(id):
		start := len(dst)
		out, err := unpadded.AppendDecode(dst, []byte(id))
		if err != nil { // not canonical: it would come back as another text
			return append(append(dst[:start], utf8Mark), id...)
		}
		if out[start] >= base64Escape {
			out = append(out, 0)
			copy(out[start+1:], out[start:])
			out[start] = base64Escape
		}
		return out
	}
	return append(append(dst, utf8Mark), id...)
}

func numeric(id string) bool {
	if id == "" {
		return false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return true
}

func appendNumeric(dst []byte, id string) []byte {
	dst = append(dst, numericMark)
	for i := 0; i < len(id); i += 2 {
		low := byte(0x0f) // a lone last digit is filled up
		if i+1 < len(id) {
			low = id[i+1] - '0'
		}
		dst = append(dst, (id[i]-'0')<<4|low)
	}
	return dst
}

// base64ID tells whether an id is unpadded URL-safe base64 of whole bytes.
func base64ID(id string) bool {
	if len(id) == 0 || len(id)%4 == 1 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Decode returns the id of its bytes.
func Decode(b []byte) (string, error) {
	if len(b) == 0 {
		return "", fmt.Errorf("decode a document id: no bytes")
	}
	switch b[0] {
	case numericMark:
		return decodeNumeric(b[1:])
	case utf8Mark:
		if !utf8.Valid(b[1:]) {
			return "", fmt.Errorf("decode a document id: %x is not UTF-8", b[1:])
		}
		return string(b[1:]), nil
	case base64Escape:
		b = b[1:]
	}
	return unpadded.EncodeToString(b), nil
}

func decodeNumeric(b []byte) (string, error) {
	id := make([]byte, 0, 2*len(b))
	for i, c := range b {
		high, low := c>>4, c&0x0f
		if high > 9 || low > 9 && (low != 0x0f || i != len(b)-1) {
			return "", fmt.Errorf("decode a document id: %#02x are no digits", c)
		}
		id = append(id, '0'+high)
		if low <= 9 {
			id = append(id, '0'+low)
		}
	}
	return string(id), nil
}
