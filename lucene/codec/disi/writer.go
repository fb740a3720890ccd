package disi

// Writing of the set; see docs/formats/disi.md.

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// rankPower is that of Lucene: a rank for every 512 documents.
const rankPower = 9

type writer struct {
	out     *store.Output
	start   int64
	jumps   []uint32 // pairs of index and offset, one for each range, absent ones included
	total   int32
	card    int32
	bitmap  [bitmapBytes / 8]uint64
	scratch []byte
}

// Write writes the documents of it to out and returns what metadata says of them.
func Write(out *store.Output, it lucene.DocIDSetIterator) (Meta, error) {
	w := writer{out: out, start: out.FilePointer()}
	block, last := int32(-1), int32(-1)
	for {
		doc, err := it.Next()
		if err != nil {
			return Meta{}, err
		}
		if doc == lucene.NoMoreDocs {
			break
		}
		if doc <= last {
			return Meta{}, fmt.Errorf("documents with a value out of order: %d after %d", doc, last)
		}
		last = doc
		if b := doc >> 16; b != block {
			w.flush(block)
			block = b
		}
		low := doc & (blockDocs - 1)
		w.bitmap[low>>6] |= 1 << (low & 63)
		w.card++
	}
	w.flush(block)
	// The sentinel: document NoMoreDocs, with the jump that is for all ranges behind the last.
	w.jump(block + 2)
	w.card = 1
	w.bitmap[bitmapBytes/8-1] = 1 << 63
	w.block(noMoreBlock)
	n := len(w.jumps) / 2
	if n == 2 {
		n = 0 // with one range there is nothing to jump over
	}
	for _, v := range w.jumps[:2*n] {
		out.PutUint32(v)
	}
	return Meta{Offset: w.start, Length: out.FilePointer() - w.start, Jumps: int16(n), RankPower: rankPower}, nil
}

// WriteMeta writes a Meta.
func WriteMeta(out *store.Output, m Meta) {
	if m.Offset < 0 {
		m.Length, m.Jumps, m.RankPower = 0, -1, -1
	}
	out.PutInt64(m.Offset)
	out.PutInt64(m.Length)
	out.PutInt16(m.Jumps)
	out.PutByte(byte(m.RankPower))
}

// jump adds entries for all ranges below end that have none, leading to what is written next.
func (w *writer) jump(end int32) {
	for int32(len(w.jumps)/2) < end {
		w.jumps = append(w.jumps, uint32(w.total), uint32(w.out.FilePointer()-w.start))
	}
}

func (w *writer) flush(block int32) {
	if w.card == 0 {
		return
	}
	w.jump(block + 1)
	w.block(block)
}

func (w *writer) block(block int32) {
	w.out.PutUint16(uint16(block))
	w.out.PutUint16(uint16(w.card - 1))
	b := w.scratch[:0]
	switch {
	case w.card <= maxSparse:
		for i, v := range w.bitmap {
			for ; v != 0; v &= v - 1 {
				b = binary.LittleEndian.AppendUint16(b, uint16(i<<6|bits.TrailingZeros64(v)))
			}
		}
	case w.card < blockDocs:
		ones := 0
		for i, v := range w.bitmap {
			if i&(1<<(rankPower-6)-1) == 0 {
				b = append(b, byte(ones>>8), byte(ones))
			}
			ones += bits.OnesCount64(v)
		}
		for _, v := range w.bitmap {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	w.out.PutBytes(b)
	w.scratch = b
	w.total += w.card
	w.card = 0
	clear(w.bitmap[:])
}
