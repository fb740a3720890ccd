package pfor

import (
	"github.com/varve-search/varve/lucene/store"
)

// deltaLane returns the lane width that the doc deltas of Lucene912 use: the widest sum of a lane's
// values fits into it.
func deltaLane(bits uint) uint {
	switch {
	case bits <= 4:
		return 8
	case bits <= 11:
		return 16
	}
	return 32
}

// DecodeDeltas reads a block of doc deltas of Lucene912 and writes base plus their running sums to
// docs[0:128]. docs[128] is left alone. Bits 0 means that every delta is 1.
func DecodeDeltas(r *store.Reader, base int32, docs *[BlockSize + 1]int32) {
	bits := uint(r.Byte())
	if bits == 0 {
		d := base
		for i := range docs[:BlockSize] {
			d++
			docs[i] = d
		}
		if int64(base)+BlockSize > 1<<31-2 {
			r.Corruptf("a block of documents that follows %d", base)
		}
		return
	}
	if bits > 32 {
		r.Corruptf("doc deltas of %d bits", bits)
		return
	}
	data := r.Bytes(int(16 * bits))
	if data == nil {
		return
	}
	var w [64]uint64
	lane := deltaLane(bits)
	unpackWords(data, bits, lane, &w)
	switch lane {
	case 8:
		sum8(&w, base, docs)
	case 16:
		sum16(&w, base, docs)
	default:
		if bits > 23 { // 64 of them could run from one lane into the other
			var gaps [BlockSize]uint32
			expand32(&w, &gaps)
			AddUp(r, base, &gaps, docs)
			return
		}
		sum32(&w, base, docs)
	}
	if docs[BlockSize-1] < base || docs[BlockSize-1] == 1<<31-1 {
		r.Corruptf("a block of documents that passes the highest doc ID")
	}
}

// sum8 sums values of at most 4 bits in eight lanes at once: 16 of them stay below 256.
func sum8(w *[64]uint64, base int32, docs *[BlockSize + 1]int32) {
	for i := 1; i < 16; i++ {
		w[i] += w[i-1]
	}
	last := w[15]
	b0 := base
	b1 := b0 + int32(last>>56)
	b2 := b1 + int32(last>>48&0xff)
	b3 := b2 + int32(last>>40&0xff)
	b4 := b3 + int32(last>>32&0xff)
	b5 := b4 + int32(last>>24&0xff)
	b6 := b5 + int32(last>>16&0xff)
	b7 := b6 + int32(last>>8&0xff)
	for i := 0; i < 16; i++ {
		v := w[i]
		docs[i] = b0 + int32(v>>56)
		docs[16+i] = b1 + int32(v>>48&0xff)
		docs[32+i] = b2 + int32(v>>40&0xff)
		docs[48+i] = b3 + int32(v>>32&0xff)
		docs[64+i] = b4 + int32(v>>24&0xff)
		docs[80+i] = b5 + int32(v>>16&0xff)
		docs[96+i] = b6 + int32(v>>8&0xff)
		docs[112+i] = b7 + int32(v&0xff)
	}
}

// sum16 sums values of at most 11 bits in four lanes at once: 32 of them stay below 65,536.
func sum16(w *[64]uint64, base int32, docs *[BlockSize + 1]int32) {
	for i := 1; i < 32; i++ {
		w[i] += w[i-1]
	}
	last := w[31]
	b0 := base
	b1 := b0 + int32(last>>48)
	b2 := b1 + int32(last>>32&0xffff)
	b3 := b2 + int32(last>>16&0xffff)
	for i := 0; i < 32; i++ {
		v := w[i]
		docs[i] = b0 + int32(v>>48)
		docs[32+i] = b1 + int32(v>>32&0xffff)
		docs[64+i] = b2 + int32(v>>16&0xffff)
		docs[96+i] = b3 + int32(v&0xffff)
	}
}

// sum32 sums values of at most 23 bits in two lanes at once: 64 of them stay below 2^29.
func sum32(w *[64]uint64, base int32, docs *[BlockSize + 1]int32) {
	for i := 1; i < 64; i++ {
		w[i] += w[i-1]
	}
	half := base + int32(w[63]>>32)
	for i := 0; i < 64; i++ {
		v := w[i]
		docs[i] = base + int32(v>>32)
		docs[64+i] = half + int32(uint32(v))
	}
}

// DecodeFORGaps reads a block of doc deltas of Lucene99 (FOR with the lanes of PFOR; bits 0 means that
// each is 1).
func DecodeFORGaps(r *store.Reader, gaps *[BlockSize]uint32) {
	bits := uint(r.Byte())
	switch {
	case bits == 0:
		for i := range gaps {
			gaps[i] = 1
		}
	case bits > 32:
		r.Corruptf("doc deltas of %d bits", bits)
	default:
		decode(r, bits, gaps)
	}
}
