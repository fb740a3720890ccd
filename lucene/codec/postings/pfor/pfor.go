package pfor

import (
	"github.com/varve-search/varve/lucene/store"
)

// DecodePFOR reads a PFOR block: a token byte (exceptions<<5 | bits), the packed values, or one VLong
// where all are equal (bits 0), and then per exception a position and the high bits that it lacks.
func DecodePFOR(r *store.Reader, out *[BlockSize]uint32) {
	token := r.Byte()
	bits := uint(token & 0x1f)
	if bits == 0 {
		v := r.VLong()
		if v>>32 != 0 {
			r.Corruptf("a block of equal values of %d", v)
			return
		}
		for i := range out {
			out[i] = uint32(v)
		}
	} else {
		decode(r, bits, out)
	}
	n := int(token >> 5)
	if n == 0 {
		return
	}
	ex := r.Bytes(2 * n)
	for ; len(ex) >= 2; ex = ex[2:] {
		if ex[0] >= BlockSize {
			r.Corruptf("a patch at position %d of a block", ex[0])
			return
		}
		out[ex[0]&(BlockSize-1)] |= uint32(ex[1]) << bits
	}
}

// SkipPFOR moves r behind a PFOR block.
func SkipPFOR(r *store.Reader) {
	token := r.Byte()
	bits := int64(token & 0x1f)
	if bits == 0 {
		r.VLong()
	}
	r.Skip(16*bits + 2*int64(token>>5))
}

// AddUp turns the gaps of a full block into doc IDs that follow base, and fails where they pass what an
// int32 holds.
func AddUp(r *store.Reader, base int32, gaps *[BlockSize]uint32, docs *[BlockSize + 1]int32) {
	sum := int64(base)
	for i, g := range gaps {
		sum += int64(g)
		docs[i] = int32(sum)
	}
	// The gaps are not negative: if the last sum fits, all do.
	if sum > 1<<31-2 {
		r.Corruptf("a block of documents that ends at %d", sum)
	}
}
