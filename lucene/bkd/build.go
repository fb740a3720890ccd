package bkd

import (
	"bytes"
	"encoding/binary"
	"errors"
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

	spill  spiller
	files  []*spillFile // sorted ones for one dimension
	seen   *lucene.FixedBits
	lo, hi []byte // of what lies in files
}

// NewBuilder returns a Builder for points of documents below maxDoc.
func NewBuilder(cfg Config, maxDoc int32, spill Spill) (*Builder, error) {
	if !cfg.valid() {
		return nil, fmt.Errorf("points of %d dimensions, %d of them indexed, of %d bytes", cfg.Dims, cfg.IndexDims, cfg.Bytes)
	}
	width := cfg.packed() + docBytes
	// A leaf has to fit into memory.
	spill.Budget = max(spill.Budget, int64(4*cfg.leafSize*width))
	return &Builder{cfg: cfg, maxDoc: maxDoc, width: width, spill: spiller{Spill: spill, width: width}}, nil
}

// Grow makes room for n more points, as far as the budget goes.
func (b *Builder) Grow(n int64) {
	need := min(int64(len(b.recs))+n*int64(b.width), b.spill.Budget)
	if need > int64(cap(b.recs)) {
		b.recs = append(make([]byte, 0, need), b.recs...)
	}
}

func recordDoc(b []byte) int32 { return int32(binary.BigEndian.Uint32(b)) }

// Add adds a point. Documents had better ascend.
func (b *Builder) Add(doc int32, packed []byte) error {
	if uint32(doc) >= uint32(b.maxDoc) || len(packed) != b.cfg.packed() {
		return fmt.Errorf("a point of %d bytes of document %d of %d", len(packed), doc, b.maxDoc)
	}
	if b.spill.Dir != nil && int64(len(b.recs)+b.width) > b.spill.Budget {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if doc < b.last {
		b.mixed = true
	}
	b.last = doc
	b.recs = append(b.recs, packed...)
	b.recs = binary.BigEndian.AppendUint32(b.recs, uint32(doc))
	return nil
}

// sort sorts what is in memory by value and document.
func (b *Builder) sort() {
	keyBytes := b.cfg.packed()
	if b.mixed {
		keyBytes = b.width
	}
	b.recs = sortRecords(b.recs, b.width, keyBytes)
}

// flush moves what is in memory to a file.
func (b *Builder) flush() error {
	if b.cfg.Dims == 1 {
		b.sort()
		b.mixed, b.last = false, 0
	} else {
		if b.seen == nil {
			b.seen = lucene.NewFixedBits(b.maxDoc)
		}
		see(b.seen, b.recs, b.width)
		lo, hi := bounds(&b.cfg, b.recs, b.width)
		b.lo, b.hi = widen(&b.cfg, b.lo, b.hi, lo, hi)
	}
	f, err := b.spill.write(b.recs)
	if err != nil {
		return err
	}
	b.files = append(b.files, f)
	b.recs = b.recs[:0]
	return nil
}

// Close removes temporary files. It is for a Builder that is not finished, and does nothing after Finish.
func (b *Builder) Close() error { return b.spill.cleanup() }

// Finish writes the tree; the Builder is spent. before is called before anything is written to the metadata, and only
// if there are points.
func (b *Builder) Finish(out *Outputs, before func()) (err error) {
	defer func() { err = errors.Join(err, b.Close()) }()
	if len(b.recs) == 0 && len(b.files) == 0 {
		return nil
	}
	if b.cfg.Dims == 1 {
		return b.finishSorted(out, before)
	}
	file, err := b.join()
	if err != nil {
		return err
	}
	w := &treeWriter{leaf: newLeafWriter(b.cfg, out.Data), width: b.width}
	n := int64(len(b.recs) / b.width)
	if file != nil {
		n = file.count
	}
	leaves := int((n + int64(b.cfg.leafSize) - 1) / int64(b.cfg.leafSize))
	w.shape = shape{
		cfg: b.cfg, start: out.Data.FilePointer(), points: n,
		blocks: make([]int64, leaves), dims: make([]byte, leaves-1), splits: make([]byte, (leaves-1)*b.cfg.Bytes),
	}
	if file != nil {
		w.min, w.max, w.docs = b.lo, b.hi, count(b.seen)
		b.recs = nil
		err := (&fileBuilder{w, &b.spill}).build(0, leaves, file, bytes.Clone(w.min), bytes.Clone(w.max))
		if err != nil {
			return err
		}
	} else {
		seen := lucene.NewFixedBits(b.maxDoc)
		see(seen, b.recs, b.width)
		w.docs = count(seen)
		w.min, w.max = bounds(&b.cfg, b.recs, b.width)
		w.build(0, leaves, b.recs, bytes.Clone(w.min), bytes.Clone(w.max))
		b.recs = nil
	}
	before()
	return w.write(out)
}

// join returns one file of all points, or nil if all are in memory.
func (b *Builder) join() (*spillFile, error) {
	if len(b.files) == 0 {
		return nil, nil
	}
	if len(b.recs) > 0 {
		if err := b.flush(); err != nil {
			return nil, err
		}
	}
	out, err := b.spill.create()
	if err != nil {
		return nil, err
	}
	for _, f := range b.files {
		err = b.spill.each(f, func(recs []byte) error { out.PutBytes(recs); return out.Err() })
		if err == nil {
			err = b.spill.remove(f)
		}
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
	}
	return b.spill.finish(out)
}

func (b *Builder) finishSorted(out *Outputs, before func()) error {
	b.sort()
	if len(b.files) == 0 {
		w := newSortedWriter(b.cfg, out, b.maxDoc)
		for recs := b.recs; len(recs) > 0; recs = recs[b.width:] {
			if err := w.add(recs[:b.width]); err != nil {
				return err
			}
		}
		b.recs = nil
		return w.finish(before)
	}
	runs := heapOf[*run]{{recs: b.recs, at: -b.width, w: b.width}}
	for _, f := range b.files {
		r, err := b.spill.open(f, 1<<18)
		if err != nil {
			return err
		}
		defer r.in.Close()
		runs = append(runs, &run{r: r, w: b.width})
	}
	return mergeSorted(b.cfg, b.maxDoc, runs, out, before)
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

// exact tells whether the bounds of a cell of n leaves are to be computed anew.
func (w *treeWriter) exact(n int) bool {
	depth := 0
	for _, k := range w.times {
		depth += k
	}
	return w.cfg.IndexDims > 2 && n != len(w.blocks) && depth%exactEvery == 0
}

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
	if w.exact(n) {
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
