package pfor

import (
	"math/bits"

	"github.com/varve-search/varve/lucene/store"
)

// DecodeGroupVInts fills out: groups of four under a byte with their lengths, and the rest, fewer than
// four, as VInts.
func DecodeGroupVInts(r *store.Reader, out []uint32) {
	for ; len(out) >= 4; out = out[4:] {
		f := uint(r.Byte())
		l0, l1, l2, l3 := f>>6+1, f>>4&3+1, f>>2&3+1, f&3+1
		b := r.Bytes(int(l0 + l1 + l2 + l3))
		if b == nil {
			return
		}
		out[0] = le(b[:l0])
		b = b[l0:]
		out[1] = le(b[:l1])
		b = b[l1:]
		out[2] = le(b[:l2])
		out[3] = le(b[l2:])
	}
	for i := range out {
		out[i] = uint32(r.VInt())
	}
}

func le(b []byte) uint32 {
	switch len(b) {
	case 1:
		return uint32(b[0])
	case 2:
		return uint32(b[0]) | uint32(b[1])<<8
	case 3:
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// EncodeGroupVInts writes values as DecodeGroupVInts reads them.
func EncodeGroupVInts(out *store.Output, values []uint32) {
	for ; len(values) >= 4; values = values[4:] {
		var f byte
		for _, v := range values[:4] {
			f = f<<2 | byte(byteLen(v)-1)
		}
		out.PutByte(f)
		for _, v := range values[:4] {
			for range byteLen(v) {
				out.PutByte(byte(v))
				v >>= 8
			}
		}
	}
	for _, v := range values {
		out.PutVInt(int32(v))
	}
}

func byteLen(v uint32) int { return (bits.Len32(v|1) + 7) / 8 }
