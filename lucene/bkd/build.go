package bkd

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/varve-search/varve/lucene"
)

// Builder collects the points of a field and writes their tree.
type Builder struct {
	cfg    Config
	maxDoc int32
	width  int
	recs   []byte
	last   int32 // the last document
	mixed  bool  // documents do not ascend
}

// NewBuilder returns a Builder for points of documents below maxDoc.
func NewBuilder(cfg Config, maxDoc int32) (*Builder, error) {
	if !cfg.valid() {
		return nil, fmt.Errorf("points of %d dimensions, %d of them indexed, of %d bytes", cfg.Dims, cfg.IndexDims, cfg.Bytes)
	}
	return &Builder{cfg: cfg, maxDoc: maxDoc, width: cfg.packed() + docBytes}, nil
}

// Grow makes room for n more points.
func (b *Builder) Grow(n int) {
	if need := len(b.recs) + n*b.width; need > cap(b.recs) {
		b.recs = append(make([]byte, 0, need), b.recs...)
	}
}

// Add adds a point. Documents had better ascend.
func (b *Builder) Add(doc int32, packed []byte) error {
	if uint32(doc) >= uint32(b.maxDoc) || len(packed) != b.cfg.packed() {
		return fmt.Errorf("a point of %d bytes of document %d of %d", len(packed), doc, b.maxDoc)
	}
	if doc < b.last {
		b.mixed = true
	}
	b.last = doc
	b.recs = append(b.recs, packed...)
	b.recs = binary.BigEndian.AppendUint32(b.recs, uint32(doc))
	return nil
}

// Finish writes the tree; the Builder is spent. before is called before anything is written to the metadata, and only
// if there are points.
func (b *Builder) Finish(out *Outputs, before func()) error {
	if len(b.recs) == 0 {
		return nil
	}
	if b.cfg.Dims == 1 {
		return b.finishSorted(out, before)
	}
	w := &treeWriter{leaf: newLeafWriter(b.cfg, out.Data), width: b.width}
	n := len(b.recs) / b.width
	leaves := (n + b.cfg.leafSize - 1) / b.cfg.leafSize
	w.shape = shape{
		cfg: b.cfg, start: out.Data.FilePointer(), points: int64(n),
		blocks: make([]int64, leaves), dims: make([]byte, leaves-1), splits: make([]byte, (leaves-1)*b.cfg.Bytes),
	}
	w.min, w.max = bounds(&b.cfg, b.recs, b.width)
	seen := lucene.NewFixedBits(b.maxDoc)
	for at := b.width - docBytes; at < len(b.recs); at += b.width {
		seen.Set(int32(binary.BigEndian.Uint32(b.recs[at:])))
	}
	w.docs = count(seen)
	w.build(0, leaves, b.recs, bytes.Clone(w.min), bytes.Clone(w.max))
	b.recs = nil
	before()
	return w.write(out)
}

func (b *Builder) finishSorted(out *Outputs, before func()) error {
	keyBytes := b.cfg.packed()
	if b.mixed {
		keyBytes = b.width
	}
	recs := sortRecords(b.recs, b.width, keyBytes)
	b.recs = nil
	w := newSortedWriter(b.cfg, out, b.maxDoc)
	for at := 0; at < len(recs); at += b.width {
		if err := w.add(recs[at : at+b.width]); err != nil {
			return err
		}
	}
	return w.finish(before)
}

// bounds returns the smallest and the largest value of each indexed dimension.
func bounds(cfg *Config, recs []byte, width int) (lo, hi []byte) {
	n, size := cfg.index(), cfg.Bytes
	lo, hi = bytes.Clone(recs[:n]), bytes.Clone(recs[:n])
	for at := width; at < len(recs); at += width {
		for d := 0; d < n; d += size {
			v := recs[at+d : at+d+size]
			if bytes.Compare(v, lo[d:d+size]) < 0 {
				copy(lo[d:], v)
			} else if bytes.Compare(v, hi[d:d+size]) > 0 {
				copy(hi[d:], v)
			}
		}
	}
	return lo, hi
}

// treeWriter splits points by their median until a leaf is left, and writes the leaves.
type treeWriter struct {
	shape
	leaf  *leafWriter
	width int
	times [lucene.MaxPointIndexDims]int // how often each dimension was split by above the current cell
}

// exactEvery is after how many levels the bounds of a cell of three and more dimensions are computed anew.
const exactEvery = 4

// build writes n leaves from number first on. lo and hi bound the points, and are scratch.
func (w *treeWriter) build(first, n int, recs, lo, hi []byte) {
	if n == 1 {
		w.blocks[first] = w.leaf.data.FilePointer()
		count := len(recs) / w.width
		w.leaf.prefixes(recs, count)
		w.leaf.write(recs, count, w.leaf.order(recs, count))
		return
	}
	size := w.cfg.Bytes
	depth := 0
	for _, k := range w.times {
		depth += k
	}
	if w.cfg.IndexDims > 2 && n != len(w.blocks) && depth%exactEvery == 0 {
		lo, hi = bounds(&w.cfg, recs, w.width)
	}
	dim := w.splitDim(lo, hi)
	from, to := dim*size, (dim+1)*size
	left := leftLeaves(n)
	mid := left * w.cfg.leafSize
	selectRecord(recs, w.width, mid, from+commonPrefix(lo[from:to], hi[from:to]), to)
	right := first + left
	value := w.splits[(right-1)*size : right*size]
	copy(value, recs[mid*w.width+from:])
	w.dims[right-1] = byte(dim)
	w.times[dim]++
	leftHi, rightLo := bytes.Clone(hi), bytes.Clone(lo)
	copy(leftHi[from:], value)
	copy(rightLo[from:], value)
	w.build(first, left, recs[:mid*w.width], lo, leftHi)
	w.build(right, n-left, recs[mid*w.width:], rightLo, hi)
	w.times[dim]--
}

// splitDim chooses the dimension with the largest span, but one that was split by less than half as often as
// another comes first, so that every dimension is indexed.
func (w *treeWriter) splitDim(lo, hi []byte) int {
	size, most := w.cfg.Bytes, 0
	for _, k := range w.times {
		most = max(most, k)
	}
	for d := range w.cfg.IndexDims {
		if w.times[d] < most/2 && !bytes.Equal(lo[d*size:(d+1)*size], hi[d*size:(d+1)*size]) {
			return d
		}
	}
	dim := 0
	var span, widest [lucene.MaxPointBytes]byte
	for d := range w.cfg.IndexDims {
		borrow := 0
		for i := size - 1; i >= 0; i-- {
			v := int(hi[d*size+i]) - int(lo[d*size+i]) - borrow
			borrow = v >> 8 & 1
			span[i] = byte(v)
		}
		if d == 0 || bytes.Compare(span[:size], widest[:size]) > 0 {
			dim, widest = d, span
		}
	}
	return dim
}
