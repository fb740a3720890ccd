package pfor

import (
	"math/bits"
	"slices"

	"github.com/varve-search/varve/lucene/store"
)

// maxExceptions is how many values of a PFOR block may be patched.
const maxExceptions = 7

// collapse lays values into lanes: value i of lane k goes to word i, the first lane into the highest
// bits.
func collapse(values *[BlockSize]uint32, lane uint, w *[64]uint64) {
	n := int(2 * lane)
	clear(w[:n])
	for i, v := range values {
		k := uint(i / n)
		w[i%n] |= uint64(v) << (64 - lane*(k+1))
	}
}

// pack writes values of at most bits bits as a FOR block.
func pack(out *store.Output, values *[BlockSize]uint32, nbits, lane uint) {
	var w, t [64]uint64
	collapse(values, lane, &w)
	masks := masksOf(lane)
	n, total := int(2*nbits), int(2*lane)
	idx := 0
	shift := int(lane) - int(nbits)
	for ; shift >= 0; shift -= int(nbits) {
		for i := 0; i < n; i++ {
			t[i] |= w[idx] << uint(shift)
			idx++
		}
	}
	rem := uint(shift + int(nbits))
	j, room := 0, rem // room is what is free in the low bits of t[j]
	for ; idx < total; idx++ {
		for left := nbits; left > 0; {
			take := min(left, room)
			piece := w[idx] >> (left - take) & masks[take]
			t[j] |= piece << (room - take)
			left -= take
			if room -= take; room == 0 {
				j, room = j+1, rem
			}
		}
	}
	for _, v := range t[:n] {
		out.PutUint64(v)
	}
}

// EncodeDeltas writes 128 doc deltas, all positive, as Lucene912 does.
func EncodeDeltas(out *store.Output, deltas *[BlockSize]uint32) {
	var or uint32
	ones := true
	for _, d := range deltas {
		or |= d
		ones = ones && d == 1
	}
	if ones {
		out.PutByte(0)
		return
	}
	nbits := uint(max(1, bits.Len32(or)))
	out.PutByte(byte(nbits))
	pack(out, deltas, nbits, deltaLane(nbits))
}

// EncodePFOR writes 128 values below 2^31 as a PFOR block.
func EncodePFOR(out *store.Output, values *[BlockSize]uint32) {
	var top [maxExceptions + 1]uint32 // the highest values, ascending
	copy(top[:], values[:])
	slices.Sort(top[:])
	for _, v := range values[len(top):] {
		if v <= top[0] {
			continue
		}
		i := 1
		for ; i < len(top) && top[i] < v; i++ {
			top[i-1] = top[i]
		}
		top[i-1] = v
	}
	maxBits := max(1, bits.Len32(top[maxExceptions]))
	// A patch holds eight bits, so no more can be saved.
	nbits := max(1, bits.Len32(top[0]), maxBits-8)
	limit := uint32(uint64(1)<<nbits - 1)

	packed := *values
	var patches [2 * maxExceptions]byte
	n := 0
	for i, v := range packed {
		if v > limit {
			patches[2*n], patches[2*n+1] = byte(i), byte(v>>nbits)
			packed[i] = v & limit
			n++
		}
	}
	equal := true
	for _, v := range packed[1:] {
		equal = equal && v == packed[0]
	}
	if equal && maxBits <= 8 {
		for i := range n {
			patches[2*i+1] <<= nbits
		}
		out.PutByte(byte(n << 5))
		out.PutVLong(int64(packed[0]))
	} else {
		out.PutByte(byte(n<<5 | nbits))
		pack(out, &packed, uint(nbits), laneOf(uint(nbits)))
	}
	out.PutBytes(patches[:2*n])
}
