package pfor

import (
	"encoding/binary"
	"math/bits"

	"github.com/varve-search/varve/lucene/store"
)

// MaxBlockSize is the largest number of values in a packed block, that of Lucene 10.4.
const MaxBlockSize = 256

// unpack32 spreads packed values of nbits bits over lanes of 32-bit words: size*lane/32 words, for size values. data
// must have size*nbits/8 bytes. It is unpackWords for the words of Lucene 10.
func unpack32(data []byte, nbits, lane uint, size int, w *[MaxBlockSize]uint32) {
	var t [MaxBlockSize]uint32
	n := size * int(nbits) / 32
	for i := range t[:n] {
		t[i] = binary.LittleEndian.Uint32(data)
		data = data[4:]
	}
	total := size * int(lane) / 32
	masks := masksOf(lane)
	mask := uint32(masks[nbits])
	shift := int(lane) - int(nbits)
	o := 0
	for ; shift >= 0; shift -= int(nbits) {
		for i, v := range t[:n] {
			w[(o+i)&255] = v >> (uint(shift) & 31) & mask
		}
		o += n
	}
	rem := uint(shift + int(nbits)) // bits of each word that are not yet used
	if rem == 0 {
		return
	}
	// The other values are cut into pieces that fill the low bits of the words.
	maskRem := uint32(masks[rem])
	j, left := 0, rem
	for ; o < total; o++ {
		need := nbits - left
		v := t[j&255] & uint32(masks[left]) << (need & 31)
		j++
		for need >= rem {
			need -= rem
			v |= t[j&255] & maskRem << (need & 31)
			j++
		}
		left = rem
		if need > 0 {
			left = rem - need
			v |= t[j&255] >> (left & 31) & uint32(masks[need])
		}
		w[o&255] = v
	}
}

// decode32 fills out with the size values of a block of 32-bit words that are next in r.
func decode32(r *store.Reader, nbits, lane uint, size int, out *[MaxBlockSize]uint32) {
	data := r.Bytes(size * int(nbits) / 8)
	if data == nil {
		return
	}
	var w [MaxBlockSize]uint32
	unpack32(data, nbits, lane, size, &w)
	switch lane {
	case 8:
		q := size / 4
		for i, v := range w[:q] {
			out[i], out[q+i], out[2*q+i], out[3*q+i] = v>>24, v>>16&0xff, v>>8&0xff, v&0xff
		}
	case 16:
		h := size / 2
		for i, v := range w[:h] {
			out[i], out[h+i] = v>>16, v&0xffff
		}
	default:
		copy(out[:size], w[:size])
	}
}

// DecodePFOR32 reads a PFOR block of size values as Lucene 10 lays it out, in words of 32 bits.
func DecodePFOR32(r *store.Reader, size int, out *[MaxBlockSize]uint32) {
	token := r.Byte()
	nbits := uint(token & 0x1f)
	if nbits == 0 {
		v := uint32(r.VInt())
		for i := range out[:size] {
			out[i] = v
		}
	} else {
		decode32(r, nbits, laneOf(nbits), size, out)
	}
	ex := r.Bytes(2 * int(token>>5))
	for ; len(ex) >= 2; ex = ex[2:] {
		if int(ex[0]) >= size {
			r.Corruptf("a patch at position %d of a block of %d", ex[0], size)
			return
		}
		out[ex[0]] |= uint32(ex[1]) << nbits
	}
}

// SkipPFOR32 moves r behind such a block.
func SkipPFOR32(r *store.Reader, size int) {
	token := r.Byte()
	nbits := int64(token & 0x1f)
	if nbits == 0 {
		r.VLong()
	}
	r.Skip(nbits*int64(size)/8 + 2*int64(token>>5))
}

// DecodeDocs32 reads a block of size documents after base as Lucene 10 writes it: the gaps, packed by laneFor of their
// width, or, where the first byte is not positive, a bitmap of the documents. It writes them to docs, or r fails.
func DecodeDocs32(r *store.Reader, base int32, size int, laneFor func(nbits uint) uint, docs *[MaxBlockSize + 1]int32) {
	switch nbits := int(int8(r.Byte())); {
	case nbits < 0:
		decodeBitmap(r, base, size, -nbits, docs)
	case nbits == 0: // all follow one another
		if int64(base)+int64(size) > 1<<31-2 {
			r.Corruptf("a block of documents that follows %d", base)
			return
		}
		for i := range docs[:size] {
			docs[i] = base + 1 + int32(i)
		}
	case nbits > 32:
		r.Corruptf("doc deltas of %d bits", nbits)
	default:
		var gaps [MaxBlockSize]uint32
		decode32(r, uint(nbits), laneFor(uint(nbits)), size, &gaps)
		sum := int64(base)
		for i, g := range gaps[:size] {
			sum += int64(g)
			docs[i] = int32(sum)
		}
		if sum > 1<<31-2 {
			r.Corruptf("a block of documents that ends at %d", sum)
		}
	}
}

// decodeBitmap reads size documents as the bits of words, the first bit being the document after base.
func decodeBitmap(r *store.Reader, base int32, size, words int, docs *[MaxBlockSize + 1]int32) {
	b := r.Bytes(8 * words)
	if int64(base)+int64(64*words) > 1<<31-2 {
		r.Corruptf("a bitmap of %d words after document %d", words, base)
		return
	}
	n := 0
	for i := 0; i < len(b); i += 8 {
		for w := binary.LittleEndian.Uint64(b[i:]); w != 0; w &= w - 1 {
			if n == size {
				r.Corruptf("a bitmap of more than %d documents", size)
				return
			}
			docs[n] = base + 1 + int32(8*i+bits.TrailingZeros64(w))
			n++
		}
	}
	if n != size {
		r.Corruptf("a bitmap of %d documents in a block of %d", n, size)
	}
}

// DeltaLane101 returns the lane width of the doc deltas of Lucene 10.1 to 10.3: the widest sum of a lane's values fits.
func DeltaLane101(nbits uint) uint {
	switch {
	case nbits <= 3:
		return 8
	case nbits <= 10:
		return 16
	}
	return 32
}

// DeltaLane104 returns the lane width of the doc deltas of Lucene 10.4, which is that of all its blocks.
func DeltaLane104(nbits uint) uint { return laneOf(nbits) }
