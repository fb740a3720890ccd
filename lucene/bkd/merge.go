package bkd

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"

	"github.com/varve-search/varve/lucene"
)

// MergeSource is a tree that goes into another one.
type MergeSource struct {
	Points lucene.PointValues
	// MaxDoc is the number of documents of its segment.
	MaxDoc int32
	// Map returns the new number of a document, or -1 if it is dropped. nil keeps all.
	Map func(doc int32) int32
}

func (s *MergeSource) doc(doc int32) int32 {
	if s.Map == nil {
		return doc
	}
	return s.Map(doc)
}

// ordered tells whether the source keeps the order of its documents.
func (s *MergeSource) ordered() bool {
	if s.Map == nil {
		return true
	}
	last := int32(-1)
	for doc := range s.MaxDoc {
		if to := s.Map(doc); to >= 0 {
			if to < last {
				return false
			}
			last = to
		}
	}
	return true
}

// Merge writes a tree of the points of all sources. Trees of one dimension are merged a leaf at a time; others
// are collected by a Builder first. before is called before anything is written to the metadata, and only if
// there are points.
func Merge(cfg Config, maxDoc int32, sources []MergeSource, out *Outputs, spill Spill, before func()) error {
	if cfg.Dims == 1 {
		if h, ok := cursorsOf(sources); ok {
			return mergeSorted(cfg, maxDoc, h, out, before)
		}
	}
	b, err := NewBuilder(cfg, maxDoc, spill)
	if err != nil {
		return err
	}
	for i := range sources {
		src := &sources[i]
		err := Each(src.Points, func(doc int32, packed []byte) error {
			if to := src.doc(doc); to >= 0 {
				return b.Add(to, packed)
			}
			return nil
		})
		if err != nil {
			return errors.Join(err, b.Close())
		}
	}
	return b.Finish(out, before)
}

// Each calls fn for every point, in the order of the tree.
func Each(p lucene.PointValues, fn func(doc int32, packed []byte) error) error {
	return p.Intersect(eachPoint(fn))
}

// eachPoint is a query that crosses every cell.
type eachPoint func(doc int32, packed []byte) error

// Compare implements lucene.PointVisitor.
func (eachPoint) Compare(_, _ []byte) lucene.Relation { return lucene.CellCrosses }

// Visit implements lucene.PointVisitor. It is not called, since no cell is inside of the query.
func (eachPoint) Visit(int32) error { return nil }

// VisitAll implements lucene.PointVisitor. It is not called, since no cell is inside of the query.
func (eachPoint) VisitAll([]int32) error { return nil }

// VisitValue implements lucene.PointVisitor.
func (fn eachPoint) VisitValue(doc int32, packed []byte) error { return fn(doc, packed) }

// Grow implements lucene.PointVisitor.
func (eachPoint) Grow(int) {}

// cursor walks over the points of a tree of one dimension in their order, a leaf at a time.
type cursor struct {
	leaf   leafReader
	blocks []int64 // leaves to come
	visit  eachPoint
	recs   []byte // of the current leaf, documents mapped
	at     int
	width  int
}

func (c *cursor) rec() []byte { return c.recs[c.at : c.at+c.width] }

// next moves to the next record and tells whether there is one.
func (c *cursor) next() (bool, error) {
	c.at += c.width
	for c.at >= len(c.recs) {
		if len(c.blocks) == 0 {
			return false, nil
		}
		c.recs, c.at = c.recs[:0], 0
		if err := c.leaf.values(c.blocks[0], c.visit); err != nil {
			return false, err
		}
		c.blocks = c.blocks[1:]
	}
	return true, nil
}

// cursorsOf returns cursors over all sources, unless one is not a tree of ours or is not in order.
func cursorsOf(sources []MergeSource) (heapOf[*cursor], bool) {
	var h heapOf[*cursor]
	for i := range sources {
		src := &sources[i]
		t, ok := src.Points.(*Tree)
		if !ok || !src.ordered() {
			return nil, false
		}
		c := &cursor{width: t.meta.packed() + docBytes}
		c.leaf.init(t)
		w, err := t.newWalk()
		if err != nil {
			return nil, false // the slow way meets it again
		}
		if c.blocks, err = w.blocks(w.root(), nil); err != nil {
			return nil, false
		}
		c.visit = func(doc int32, packed []byte) error {
			if to := src.doc(doc); to >= 0 {
				c.recs = append(c.recs, packed...)
				c.recs = binary.BigEndian.AppendUint32(c.recs, uint32(to))
			}
			return nil
		}
		h = append(h, c)
	}
	return h, true
}

// ordered is a source of records in ascending order.
type ordered interface {
	rec() []byte         // the current one
	next() (bool, error) // moves to the first, or the next
}

// heapOf is a heap of sources by their current record.
type heapOf[T ordered] []T

func (h heapOf[T]) Len() int           { return len(h) }
func (h heapOf[T]) Less(i, j int) bool { return bytes.Compare(h[i].rec(), h[j].rec()) < 0 }
func (h heapOf[T]) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *heapOf[T]) Push(x any) { *h = append(*h, x.(T)) }

// Pop implements heap.Interface.
func (h *heapOf[T]) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func mergeSorted[T ordered](cfg Config, maxDoc int32, all heapOf[T], out *Outputs, before func()) error {
	h := all[:0]
	for _, c := range all {
		ok, err := c.next()
		if err != nil {
			return err
		}
		if ok {
			h = append(h, c)
		}
	}
	heap.Init(&h)
	w := newSortedWriter(cfg, out, maxDoc)
	for len(h) > 0 {
		c := h[0]
		if err := w.add(c.rec()); err != nil {
			return err
		}
		ok, err := c.next()
		switch {
		case err != nil:
			return err
		case !ok:
			heap.Pop(&h)
		case len(h) > 1:
			heap.Fix(&h, 0)
		}
	}
	return w.finish(before)
}
