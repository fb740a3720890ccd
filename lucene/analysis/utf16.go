package analysis

import "unicode/utf8"

// compareUTF16 orders strings by their UTF-16 units, as Java does: characters above U+FFFF come
// before U+E000 to U+FFFF.
func compareUTF16(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	if i == n {
		return len(a) - len(b)
	}
	for i > 0 && !utf8.RuneStart(a[i]) {
		i--
	}
	ra, _ := utf8.DecodeRuneInString(a[i:])
	rb, _ := utf8.DecodeRuneInString(b[i:])
	return int(firstUnit(ra)) - int(firstUnit(rb)) + sameUnit(ra, rb)
}

func firstUnit(r rune) rune {
	if r >= 0x10000 {
		return 0xD800 + (r-0x10000)>>10
	}
	return r
}

// sameUnit decides between two characters whose first unit is equal.
func sameUnit(a, b rune) int {
	if a >= 0x10000 && b >= 0x10000 && (a-0x10000)>>10 == (b-0x10000)>>10 {
		return int(a - b)
	}
	return 0
}

// appendUTF16 appends the UTF-16 units of b to dst.
func appendUTF16(dst []uint16, b []byte) []uint16 {
	for p := 0; p < len(b); {
		if c := b[p]; c < utf8.RuneSelf {
			dst = append(dst, uint16(c))
			p++
			continue
		}
		r, w := utf8.DecodeRune(b[p:])
		p += w
		if r >= 0x10000 {
			r -= 0x10000
			dst = append(dst, uint16(0xD800+r>>10), uint16(0xDC00+r&0x3FF))
		} else {
			dst = append(dst, uint16(r))
		}
	}
	return dst
}

// appendUTF8 appends the UTF-8 of u to dst; half a surrogate pair becomes U+FFFD.
func appendUTF8(dst []byte, u []uint16) []byte {
	for i := 0; i < len(u); i++ {
		c := rune(u[i])
		if c >= 0xD800 && c < 0xDC00 && i+1 < len(u) && u[i+1] >= 0xDC00 && u[i+1] < 0xE000 {
			c = 0x10000 + (c-0xD800)<<10 + rune(u[i+1]) - 0xDC00
			i++
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst
}
