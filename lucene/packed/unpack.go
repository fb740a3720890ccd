package packed

// Loops over groups of eight values, one for each width.

import "encoding/binary"

// unpack sets dst, whose length is a multiple of eight, to the values in src, which holds exactly them.
func unpack(dst []int64, src []byte, width int) {
	switch width {
	case 1:
		for _, b := range src {
			o := dst[:8:8]
			o[0], o[1], o[2], o[3] = int64(b&1), int64(b>>1&1), int64(b>>2&1), int64(b>>3&1)
			o[4], o[5], o[6], o[7] = int64(b>>4&1), int64(b>>5&1), int64(b>>6&1), int64(b>>7)
			dst = dst[8:]
		}
	case 2:
		for ; len(src) >= 2; src = src[2:] {
			v := binary.LittleEndian.Uint16(src)
			o := dst[:8:8]
			o[0], o[1], o[2], o[3] = int64(v&3), int64(v>>2&3), int64(v>>4&3), int64(v>>6&3)
			o[4], o[5], o[6], o[7] = int64(v>>8&3), int64(v>>10&3), int64(v>>12&3), int64(v>>14)
			dst = dst[8:]
		}
	case 4:
		for ; len(src) >= 4; src = src[4:] {
			v := binary.LittleEndian.Uint32(src)
			o := dst[:8:8]
			o[0], o[1], o[2], o[3] = int64(v&15), int64(v>>4&15), int64(v>>8&15), int64(v>>12&15)
			o[4], o[5], o[6], o[7] = int64(v>>16&15), int64(v>>20&15), int64(v>>24&15), int64(v>>28)
			dst = dst[8:]
		}
	case 8:
		for ; len(src) >= 8; src = src[8:] {
			s, o := src[:8:8], dst[:8:8]
			o[0], o[1], o[2], o[3] = int64(s[0]), int64(s[1]), int64(s[2]), int64(s[3])
			o[4], o[5], o[6], o[7] = int64(s[4]), int64(s[5]), int64(s[6]), int64(s[7])
			dst = dst[8:]
		}
	case 12:
		const mask = 1<<12 - 1
		for ; len(src) >= 12; src = src[12:] {
			a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint32(src[8:])
			o := dst[:8:8]
			o[0], o[1], o[2], o[3] = int64(a&mask), int64(a>>12&mask), int64(a>>24&mask), int64(a>>36&mask)
			o[4], o[5] = int64(a>>48&mask), int64(a>>60)|int64(b&0xff)<<4
			o[6], o[7] = int64(b>>8&mask), int64(b>>20)
			dst = dst[8:]
		}
	case 16:
		for ; len(src) >= 16; src = src[16:] {
			s, o := src[:16:16], dst[:8:8]
			a, b := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
			o[0], o[1], o[2], o[3] = int64(a&0xffff), int64(a>>16&0xffff), int64(a>>32&0xffff), int64(a>>48)
			o[4], o[5], o[6], o[7] = int64(b&0xffff), int64(b>>16&0xffff), int64(b>>32&0xffff), int64(b>>48)
			dst = dst[8:]
		}
	case 20, 28:
		// Two values share a whole number of bytes.
		mask, bytes := uint64(1)<<width-1, width/4
		for ; len(src) >= width; src = src[width:] {
			o := dst[:8:8]
			a, b, c := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[bytes:]), binary.LittleEndian.Uint64(src[2*bytes:])
			d := binary.LittleEndian.Uint64(src[4*bytes-8:]) >> (64 - 2*width)
			o[0], o[1] = int64(a&mask), int64(a>>width&mask)
			o[2], o[3] = int64(b&mask), int64(b>>width&mask)
			o[4], o[5] = int64(c&mask), int64(c>>width&mask)
			o[6], o[7] = int64(d&mask), int64(d>>width&mask)
			dst = dst[8:]
		}
	case 24:
		const mask = 1<<24 - 1
		for ; len(src) >= 24; src = src[24:] {
			s, o := src[:24:24], dst[:8:8]
			a, b, c := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:]), binary.LittleEndian.Uint64(s[16:])
			o[0], o[1], o[2] = int64(a&mask), int64(a>>24&mask), int64(a>>48|b<<16&mask)
			o[3], o[4] = int64(b>>8&mask), int64(b>>32&mask)
			o[5], o[6], o[7] = int64(b>>56|c<<8&mask), int64(c>>16&mask), int64(c>>40)
			dst = dst[8:]
		}
	case 32:
		for ; len(src) >= 32; src = src[32:] {
			s, o := src[:32:32], dst[:8:8]
			for i := range 8 {
				o[i] = int64(binary.LittleEndian.Uint32(s[4*i:]))
			}
			dst = dst[8:]
		}
	case 64:
		for ; len(src) >= 64; src = src[64:] {
			s, o := src[:64:64], dst[:8:8]
			for i := range 8 {
				o[i] = int64(binary.LittleEndian.Uint64(s[8*i:]))
			}
			dst = dst[8:]
		}
	default: // 40, 48, 56
		bytes, mask := width/8, uint64(1)<<width-1
		for ; len(src) >= width; src = src[width:] {
			s, o := src[:width], dst[:8:8]
			for i := range 7 {
				o[i] = int64(binary.LittleEndian.Uint64(s[i*bytes:]) & mask)
			}
			o[7] = int64(binary.LittleEndian.Uint64(s[width-8:]) >> (64 - width))
			dst = dst[8:]
		}
	}
}
