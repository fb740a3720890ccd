package bkd

// Leaves; see docs/formats/points.md.

import (
	"encoding/binary"
	"math/bits"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// How the documents of a leaf are coded.
const (
	docsContinuous = 0xfe // the first one; the others follow it
	docsBitmap     = 0xff
	docsVInts      = 0 // differences; Lucene before 9.2
	docs16         = 16
	docs21         = 21 // since Lucene 10
	docs24         = 24
	docs32         = 32
)

// How the values of a leaf are coded, where it is not the dimension that they are sorted by.
const (
	valuesEqual = 0xff
	valuesRuns  = 0xfe // each distinct value with how many points have it
)

// leafReader decodes leaves. It is for one goroutine.
type leafReader struct {
	m      *Meta
	maxDoc int32
	r      store.Reader
	docs   []int32
	value  [lucene.MaxPointDims * lucene.MaxPointBytes]byte
	lo, hi [lucene.MaxPointIndexDims * lucene.MaxPointBytes]byte
	prefix [lucene.MaxPointDims]int
}

func (l *leafReader) init(t *Tree) {
	l.m, l.maxDoc = t.meta, t.maxDoc
	l.r.Reset(t.data, 0)
}

// docIDs returns the documents of the leaf at off, valid until the next call, and leaves r behind them.
func (l *leafReader) docIDs(off int64) ([]int32, error) {
	r := &l.r
	r.SeekTo(off)
	count := int(r.VInt())
	if err := r.Err(); err != nil {
		return nil, err
	}
	if count < 1 || count > l.m.leafSize {
		return nil, r.Corruptf("a leaf of %d points where %d are the most", count, l.m.leafSize)
	}
	if cap(l.docs) < count+8 {
		l.docs = make([]int32, l.m.leafSize+8)
	}
	docs := l.docs[:count]
	switch kind := r.Byte(); kind {
	case docsContinuous:
		first := r.VInt()
		for i := range docs {
			docs[i] = first + int32(i)
		}
	case docsBitmap:
		l.bitmap(docs)
	case docs16:
		first, half := r.VInt(), count/2
		b := r.Bytes(4 * half)
		lo, hi := docs[:half], docs[half:2*half]
		for i := range lo[:len(b)/4] {
			v := binary.LittleEndian.Uint32(b[4*i:])
			lo[i], hi[i] = first+int32(v>>16), first+int32(v&0xffff)
		}
		if count&1 == 1 {
			docs[count-1] = first + int32(r.Uint16())
		}
	case docs24:
		if l.m.version >= versionBPV21 {
			l.packed24(docs)
		} else {
			l.scalar24(docs)
		}
	case docs21:
		if l.m.version < versionBPV21 {
			r.Corruptf("documents of a leaf in the form %d, in a tree of version %d", kind, l.m.version)
		}
		l.packed21(docs)
	case docs32:
		b := r.Bytes(4 * count)
		for i := range docs[:len(b)/4] {
			docs[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case docsVInts:
		doc := int32(0)
		for i := range docs {
			doc += r.VInt()
			docs[i] = doc
		}
	default:
		r.Corruptf("documents of a leaf in the unknown form %d", kind)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	largest := uint32(0)
	for _, doc := range docs {
		largest = max(largest, uint32(doc))
	}
	if largest >= uint32(l.maxDoc) {
		return nil, r.Corruptf("a leaf has document %d of %d", int32(largest), l.maxDoc)
	}
	return docs, nil
}

// scalar24 reads documents of three bytes: eight of them, high byte first, in three words.
func (l *leafReader) scalar24(docs []int32) {
	r, count := &l.r, len(docs)
	n := count &^ 7
	b := r.Bytes(3 * n)
	for i := 0; i < len(b)/3; i += 8 {
		s, d := b[3*i:3*i+24], docs[i:i+8:i+8]
		x, y, z := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:]), binary.LittleEndian.Uint64(s[16:])
		d[0], d[1], d[2] = int32(x>>40), int32(x>>16&0xffffff), int32(x&0xffff<<8|y>>56)
		d[3], d[4] = int32(y>>32&0xffffff), int32(y>>8&0xffffff)
		d[5], d[6], d[7] = int32(y&0xff<<16|z>>48), int32(z>>24&0xffffff), int32(z&0xffffff)
	}
	for i := n; i < count; i++ {
		docs[i] = int32(r.Uint16())<<8 | int32(r.Byte())
	}
}

// packed24 reads documents of three bytes: the upper 24 bits of words hold three quarters of them, whose low bytes
// hold the fourth; up to three more follow.
func (l *leafReader) packed24(docs []int32) {
	r := &l.r
	quarter := len(docs) / 4
	b := r.Bytes(12 * quarter)
	if r.Err() != nil {
		return
	}
	for i := range 3 * quarter {
		docs[i] = int32(binary.LittleEndian.Uint32(b[4*i:]) >> 8)
	}
	for i := range quarter {
		docs[3*quarter+i] = int32(b[4*i]) | int32(b[4*(i+quarter)])<<8 | int32(b[4*(i+2*quarter)])<<16
	}
	l.rest24(docs[4*quarter:])
}

// packed21 reads documents of 21 bits: the upper bits of words hold two thirds of them (each a multiple of 16), whose
// 11 low bits hold the last third; of the rest three stand in a word of 64 bits, and the last two in three bytes each.
func (l *leafReader) packed21(docs []int32) {
	r := &l.r
	third := len(docs) / 3 &^ 15
	b := r.Bytes(8 * third)
	if r.Err() != nil {
		return
	}
	low, high := b[:4*third], b[4*third:]
	for i := range third {
		x, y := binary.LittleEndian.Uint32(low[4*i:]), binary.LittleEndian.Uint32(high[4*i:])
		docs[i], docs[third+i] = int32(x>>11), int32(y>>11)
		docs[2*third+i] = int32(x&0x7ff | y&0x7ff<<11)
	}
	docs = docs[3*third:]
	for ; len(docs) >= 3; docs = docs[3:] {
		v := r.Uint64()
		docs[0], docs[1], docs[2] = int32(v&0x1fffff), int32(v>>21&0x1fffff), int32(v>>42)
	}
	l.rest24(docs)
}

func (l *leafReader) rest24(docs []int32) {
	for i := range docs {
		docs[i] = int32(l.r.Uint16()) | int32(l.r.Byte())<<16
	}
}

func (l *leafReader) bitmap(docs []int32) {
	r := &l.r
	first, words := r.VInt(), r.VInt()
	limit := l.maxDoc/64 + 1
	if first < 0 || words < 0 || first > limit || words > limit {
		r.Corruptf("a leaf with a bitmap of the %d words from %d on of %d documents", words, first, l.maxDoc)
		return
	}
	b := r.Bytes(8 * int(words))
	n := 0
	for i := 0; i < len(b); i += 8 {
		for w := binary.LittleEndian.Uint64(b[i:]); w != 0; w &= w - 1 {
			if n == len(docs) {
				r.Corruptf("a leaf of %d points with more documents", n)
				return
			}
			docs[n] = first<<6 + int32(8*i+bits.TrailingZeros64(w))
			n++
		}
	}
	if n != len(docs) {
		r.Corruptf("a leaf of %d points with %d documents", len(docs), n)
	}
}

// values visits the points of the leaf at off, which crosses the query.
func (l *leafReader) values(off int64, v lucene.PointVisitor) error {
	docs, err := l.docIDs(off)
	if err != nil {
		return err
	}
	r, m := &l.r, l.m
	value := l.value[:m.packed()]
	for d := range m.Dims {
		n := r.VInt()
		if n < 0 || int(n) > m.Bytes {
			return r.Corruptf("a leaf with a common prefix of %d of %d bytes", n, m.Bytes)
		}
		l.prefix[d] = int(n)
		copy(value[d*m.Bytes:], r.Bytes(int(n)))
	}
	kind := r.Byte()
	if err := r.Err(); err != nil {
		return err
	}
	if kind == valuesEqual {
		v.Grow(len(docs))
		return l.run(docs, value, v)
	}
	if int(kind) >= m.Dims && kind != valuesRuns {
		return r.Corruptf("a leaf that is sorted by dimension %d of %d", kind, m.Dims)
	}
	if m.IndexDims != 1 {
		// The box of the leaf is often much smaller than its cell.
		lo, hi := l.lo[:m.index()], l.hi[:m.index()]
		copy(lo, value)
		copy(hi, value)
		for d := range m.IndexDims {
			from, to := d*m.Bytes+l.prefix[d], (d+1)*m.Bytes
			r.ReadFull(lo[from:to])
			r.ReadFull(hi[from:to])
		}
		if err := r.Err(); err != nil {
			return err
		}
		switch v.Compare(lo, hi) {
		case lucene.CellOutside:
			return nil
		case lucene.CellInside:
			v.Grow(len(docs))
			return v.VisitAll(docs)
		}
	}
	v.Grow(len(docs))
	if kind == valuesRuns {
		return l.runs(docs, value, v)
	}
	return l.sorted(docs, value, int(kind), v)
}

// run visits documents that have the same value.
func (l *leafReader) run(docs []int32, value []byte, v lucene.PointVisitor) error {
	if len(docs) > 4 {
		// One question for all of them: the value as a cell.
		switch cell := value[:l.m.index()]; v.Compare(cell, cell) {
		case lucene.CellOutside:
			return nil
		case lucene.CellInside:
			return v.VisitAll(docs)
		}
	}
	for _, doc := range docs {
		if err := v.VisitValue(doc, value); err != nil {
			return err
		}
	}
	return nil
}

// suffixes sets the parts of value behind the prefixes to those in b.
func (l *leafReader) suffixes(value, b []byte) {
	size := l.m.Bytes
	if l.m.Dims == 1 {
		copy(value[l.prefix[0]:], b)
		return
	}
	for d := range l.m.Dims {
		from, to := d*size+l.prefix[d], (d+1)*size
		b = b[copy(value[from:to], b):]
	}
}

// suffixSize returns the sum of the lengths of what comes behind the prefixes.
func (l *leafReader) suffixSize() int {
	n := l.m.packed()
	for d := range l.m.Dims {
		n -= l.prefix[d]
	}
	return n
}

func (l *leafReader) runs(docs []int32, value []byte, v lucene.PointVisitor) error {
	size := l.suffixSize()
	for len(docs) > 0 {
		n := int(l.r.VInt())
		b := l.r.Bytes(size)
		if err := l.r.Err(); err != nil {
			return err
		}
		if n < 1 || n > len(docs) {
			return l.r.Corruptf("a leaf with a run of %d of the last %d points", n, len(docs))
		}
		l.suffixes(value, b)
		if err := l.run(docs[:n], value, v); err != nil {
			return err
		}
		docs = docs[n:]
	}
	return nil
}

func (l *leafReader) sorted(docs []int32, value []byte, dim int, v lucene.PointVisitor) error {
	if l.prefix[dim] == l.m.Bytes {
		return l.r.Corruptf("a leaf that is sorted by a dimension in which all points are equal")
	}
	at := dim*l.m.Bytes + l.prefix[dim]
	l.prefix[dim]++
	size := l.suffixSize()
	for len(docs) > 0 {
		first, n := l.r.Byte(), int(l.r.Byte())
		b := l.r.Bytes(n * size)
		if err := l.r.Err(); err != nil {
			return err
		}
		if n < 1 || n > len(docs) {
			return l.r.Corruptf("a leaf with a run of %d of the last %d points", n, len(docs))
		}
		value[at] = first
		for i, doc := range docs[:n] {
			l.suffixes(value, b[i*size:(i+1)*size])
			if err := v.VisitValue(doc, value); err != nil {
				return err
			}
		}
		docs = docs[n:]
	}
	return nil
}
