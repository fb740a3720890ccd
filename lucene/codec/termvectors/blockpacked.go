package termvectors

import (
	"math/bits"
	"slices"

	"github.com/varve-search/varve/lucene/store"
)

// Blocks of 64 numbers: a byte with the width and whether the smallest is 0, the smallest if not, and what
// each is above it, in bits from the highest of each byte on. See docs/formats/termvectors.md.
const packedBlock = 64

// readBlocks appends n numbers to dst, cut to 32 bits as Lucene does.
func readBlocks(r *store.Reader, dst []int32, n int) ([]int32, error) {
	if int64(n) > r.Remaining()*packedBlock {
		return dst, r.Corruptf("%d packed numbers where %d bytes remain", n, r.Remaining())
	}
	for n > 0 {
		k := min(n, packedBlock)
		token := r.Byte()
		width := int(token >> 1)
		var lowest uint64
		if token&1 == 0 {
			z := uint64(readLong(r)) + 1
			lowest = z>>1 ^ -(z & 1)
		}
		if width > 64 {
			return dst, r.Corruptf("packed numbers of %d bits", width)
		}
		was := len(dst)
		dst = slices.Grow(dst, k)[:was+k]
		src := r.Bytes((k*width + 7) / 8)
		if err := r.Err(); err != nil {
			return dst[:was], err
		}
		unpack(dst[was:], src, width, lowest)
		n -= k
	}
	return dst, nil
}

// readLong reads a variable-length long whose ninth byte has eight bits.
func readLong(r *store.Reader) int64 {
	var v uint64
	for shift := 0; shift < 56; shift += 7 {
		b := r.Byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(v)
		}
	}
	return int64(v | uint64(r.Byte())<<56)
}

func putLong(out *store.Output, v int64) {
	u := uint64(v)
	for range 8 {
		if u < 0x80 {
			break
		}
		out.PutByte(byte(u) | 0x80)
		u >>= 7
	}
	out.PutByte(byte(u))
}

func unpack(dst []int32, src []byte, width int, add uint64) {
	var acc uint64 // the bits not yet used, at its lower end
	var have int
	for i := range dst {
		var v uint64
		for need := width; need > 0; {
			if have == 0 {
				acc, have = uint64(src[0]), 8
				src = src[1:]
			}
			k := min(need, have)
			v = v<<k | acc>>(have-k)&(1<<k-1)
			have -= k
			need -= k
		}
		dst[i] = int32(v + add)
	}
}

// putBlocks writes numbers.
func putBlocks(out *store.Output, v []int32) {
	for len(v) > 0 {
		k := min(len(v), packedBlock)
		putBlock(out, v[:k])
		v = v[k:]
	}
}

func putBlock(out *store.Output, v []int32) {
	lowest, highest := int64(slices.Min(v)), int64(slices.Max(v))
	width := bits.Len64(uint64(highest - lowest))
	if lowest > 0 { // the smaller it is, the fewer bytes it takes
		lowest = max(0, highest-(1<<width-1))
	}
	token := byte(width << 1)
	if lowest == 0 {
		token |= 1
	}
	out.PutByte(token)
	if lowest != 0 {
		putLong(out, lowest<<1^lowest>>63-1)
	}
	packBits(out, v, width, lowest)
}

// packBits writes v-lowest in width bits each.
func packBits(out *store.Output, v []int32, width int, lowest int64) {
	var acc uint64
	var have int
	for _, x := range v {
		acc = acc<<width | uint64(int64(x)-lowest)
		for have += width; have >= 8; have -= 8 {
			out.PutByte(byte(acc >> (have - 8)))
		}
	}
	if have > 0 {
		out.PutByte(byte(acc << (8 - have)))
	}
}
