package pfor

import (
	"encoding/binary"

	"github.com/varve-search/varve/lucene/store"
)

// BlockSize is the number of values in a packed block.
const BlockSize = 128

// masks8, masks16 and masks32 hold, at index b, words whose every lane has its b lowest bits set.
var masks8, masks16, masks32 = laneMasks(8), laneMasks(16), laneMasks(32)

func laneMasks(lane uint) (m [33]uint64) {
	for b := uint(0); b <= lane; b++ {
		v := uint64(1)<<b - 1
		for s := uint(0); s < 64; s += lane {
			m[b] |= v << s
		}
	}
	return m
}

func masksOf(lane uint) *[33]uint64 {
	switch lane {
	case 8:
		return &masks8
	case 16:
		return &masks16
	}
	return &masks32
}

// laneOf returns the lane width that FOR and PFOR use for values of that many bits.
func laneOf(bits uint) uint {
	switch {
	case bits <= 8:
		return 8
	case bits <= 16:
		return 16
	}
	return 32
}

// unpackWords spreads packed values of bits bits over lanes: lane*2 words, all that w holds for that
// lane width. data must have 16*bits bytes.
func unpackWords(data []byte, bits, lane uint, w *[64]uint64) {
	var t [64]uint64
	n := int(2 * bits)
	for i := 0; i < n; i++ {
		t[i&63] = binary.LittleEndian.Uint64(data)
		data = data[8:]
	}
	total := int(2 * lane)
	masks := masksOf(lane)
	mask := masks[bits]
	shift := int(lane) - int(bits)
	o := 0
	for ; shift >= 0; shift -= int(bits) {
		s := uint(shift)
		for i, v := range t[:n] {
			w[(o+i)&63] = v >> (s & 63) & mask
		}
		o += n
	}
	rem := uint(shift + int(bits)) // bits of each word that are not yet used
	if rem == 0 {
		return
	}
	// The other values are cut into pieces that fill the low bits of the words.
	maskRem := masks[rem]
	j, left := 0, rem
	for ; o < total; o++ {
		need := bits - left
		v := t[j&63] & masks[left] << (need & 63)
		j++
		for need >= rem {
			need -= rem
			v |= t[j&63] & maskRem << (need & 63)
			j++
		}
		left = rem
		if need > 0 {
			left = rem - need
			v |= t[j&63] >> (left & 63) & masks[need]
		}
		w[o&63] = v
	}
}

// decode fills out with the 128 values of a FOR block whose bytes are next in r.
func decode(r *store.Reader, bits uint, out *[BlockSize]uint32) {
	data := r.Bytes(int(16 * bits))
	if data == nil {
		return
	}
	var w [64]uint64
	lane := laneOf(bits)
	unpackWords(data, bits, lane, &w)
	switch lane {
	case 8:
		expand8(&w, out)
	case 16:
		expand16(&w, out)
	default:
		expand32(&w, out)
	}
}

func expand8(w *[64]uint64, out *[BlockSize]uint32) {
	for i := 0; i < 16; i++ {
		v := w[i]
		out[i] = uint32(v >> 56)
		out[16+i] = uint32(v >> 48 & 0xff)
		out[32+i] = uint32(v >> 40 & 0xff)
		out[48+i] = uint32(v >> 32 & 0xff)
		out[64+i] = uint32(v >> 24 & 0xff)
		out[80+i] = uint32(v >> 16 & 0xff)
		out[96+i] = uint32(v >> 8 & 0xff)
		out[112+i] = uint32(v & 0xff)
	}
}

func expand16(w *[64]uint64, out *[BlockSize]uint32) {
	for i := 0; i < 32; i++ {
		v := w[i]
		out[i] = uint32(v >> 48)
		out[32+i] = uint32(v >> 32 & 0xffff)
		out[64+i] = uint32(v >> 16 & 0xffff)
		out[96+i] = uint32(v & 0xffff)
	}
}

func expand32(w *[64]uint64, out *[BlockSize]uint32) {
	for i := 0; i < 64; i++ {
		v := w[i]
		out[i] = uint32(v >> 32)
		out[64+i] = uint32(v)
	}
}
