package bkd

// Walking over a tree; see docs/formats/points.md.

import (
	"bytes"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// Tree implements lucene.PointValues.
type Tree struct {
	meta        *Meta
	index, data store.Input
	maxDoc      int32
}

var _ lucene.PointValues = (*Tree)(nil)

// MinPacked implements lucene.PointValues.
func (t *Tree) MinPacked() []byte { return t.meta.min }

// MaxPacked implements lucene.PointValues.
func (t *Tree) MaxPacked() []byte { return t.meta.max }

// NumDims implements lucene.PointValues.
func (t *Tree) NumDims() int { return t.meta.Dims }

// NumIndexDims implements lucene.PointValues.
func (t *Tree) NumIndexDims() int { return t.meta.IndexDims }

// BytesPerDim implements lucene.PointValues.
func (t *Tree) BytesPerDim() int { return t.meta.Bytes }

// Size implements lucene.PointValues.
func (t *Tree) Size() int64 { return t.meta.points }

// DocCount implements lucene.PointValues.
func (t *Tree) DocCount() int32 { return t.meta.docs }

// node is a place in the tree.
type node struct {
	id     int   // 1 for the root, 2n and 2n+1 for the children of n; leaves from the number of leaves on
	at     int   // where its part of the index starts
	block  int64 // offset of the leftmost leaf below its parent
	left   bool  // it is a left child
	leaves int   // below it, or 1
	last   bool  // it contains the last leaf
}

// inner is what the index says of an inner node.
type inner struct {
	dim         int
	left, right node
	saved       [lucene.MaxPointBytes]byte // the split value of dim that the parents had
}

// walk is one traversal.
type walk struct {
	t        *Tree
	m        *Meta
	b        []byte // the index
	min, max []byte // of the current cell
	split    []byte // for each dimension the last value that was split by
	negative [lucene.MaxPointIndexDims]bool
	leaf     leafReader
}

func (t *Tree) newWalk() (*walk, error) {
	b, err := store.Bytes(t.index, 0, int(t.meta.indexSize))
	if err != nil {
		return nil, err
	}
	w := &walk{t: t, m: t.meta, b: b}
	w.min, w.max = bytes.Clone(t.meta.min), bytes.Clone(t.meta.max)
	w.split = make([]byte, t.meta.index())
	w.leaf.init(t)
	return w, nil
}

func (w *walk) root() node { return node{id: 1, leaves: w.m.leaves, last: true} }

func (w *walk) damaged(at int) error {
	return store.Corruptf(w.t.index.Name(), w.m.indexStart+int64(at), "the index of a tree ends in the middle of a node")
}

// vlong decodes a number of up to nine bytes and returns where the next thing starts, or -1.
func vlong(b []byte, at int) (int64, int) {
	v := int64(0)
	for shift := 0; at >= 0 && at < len(b) && shift < 63; shift += 7 {
		c := b[at]
		at++
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			return v, at
		}
	}
	return 0, -1
}

// block returns where the leftmost leaf below n starts, and where the rest of n's part of the index does.
func (w *walk) block(n node) (int64, int, error) {
	if n.left {
		return n.block, n.at, nil
	}
	delta, at := vlong(w.b, n.at)
	if at < 0 || delta > math.MaxInt64-n.block {
		return 0, 0, w.damaged(n.at)
	}
	return n.block + delta, at, nil
}

// open reads an inner node and makes its split value current; close undoes that.
func (w *walk) open(n node) (in inner, err error) {
	block, at, err := w.block(n)
	if err != nil {
		return in, err
	}
	code, at := vlong(w.b, at)
	if at < 0 || code > math.MaxInt32 {
		return in, w.damaged(n.at)
	}
	size := w.m.Bytes
	c := int(code)
	in.dim = c % w.m.IndexDims
	c /= w.m.IndexDims
	prefix := c % (1 + size)
	delta := c / (1 + size)
	value := w.split[in.dim*size : (in.dim+1)*size]
	copy(in.saved[:], value)
	if prefix < size {
		if w.negative[in.dim] {
			delta = -delta
		}
		rest := size - prefix - 1
		if rest > len(w.b)-at {
			return in, w.damaged(n.at)
		}
		value[prefix] += byte(delta)
		at += copy(value[prefix+1:], w.b[at:at+rest])
	}
	leftSize := int64(0)
	if 2*n.id < w.m.leaves {
		if leftSize, at = vlong(w.b, at); at < 0 || leftSize > int64(len(w.b)-at) {
			copy(value, in.saved[:])
			return in, w.damaged(n.at)
		}
	}
	l := leftLeaves(n.leaves)
	in.left = node{id: 2 * n.id, at: at, block: block, left: true, leaves: l}
	in.right = node{id: 2*n.id + 1, at: at + int(leftSize), block: block, leaves: n.leaves - l, last: n.last}
	return in, nil
}

func (w *walk) close(in *inner) {
	copy(w.split[in.dim*w.m.Bytes:(in.dim+1)*w.m.Bytes], in.saved[:])
}

// size returns how many points are below n.
func (w *walk) size(n node) int64 {
	size := int64(n.leaves) * int64(w.m.leafSize)
	if n.last {
		size -= int64(w.m.leaves)*int64(w.m.leafSize) - w.m.points
	}
	return size
}

// children calls fn for both children of n, with the bounds of each as the current cell's.
func (w *walk) children(n node, fn func(node) error) error {
	in, err := w.open(n)
	if err != nil {
		return err
	}
	from, to := in.dim*w.m.Bytes, (in.dim+1)*w.m.Bytes
	value := w.split[from:to]
	negative := w.negative[in.dim]
	var saved [lucene.MaxPointBytes]byte

	copy(saved[:], w.max[from:to])
	copy(w.max[from:to], value)
	w.negative[in.dim] = true
	err = fn(in.left)
	copy(w.max[from:to], saved[:])
	if err != nil {
		return err
	}
	copy(saved[:], w.min[from:to])
	copy(w.min[from:to], value)
	w.negative[in.dim] = false
	err = fn(in.right)
	copy(w.min[from:to], saved[:])
	w.negative[in.dim] = negative
	w.close(&in)
	return err
}

// Intersect implements lucene.PointValues.
func (t *Tree) Intersect(v lucene.PointVisitor) error {
	w, err := t.newWalk()
	if err != nil {
		return err
	}
	return w.intersect(w.root(), v)
}

func (w *walk) intersect(n node, v lucene.PointVisitor) error {
	switch v.Compare(w.min, w.max) {
	case lucene.CellOutside:
		return nil
	case lucene.CellInside:
		v.Grow(int(min(w.size(n), int64(w.t.maxDoc))))
		return w.all(n, v)
	}
	if n.id < w.m.leaves {
		return w.children(n, func(child node) error { return w.intersect(child, v) })
	}
	block, _, err := w.block(n)
	if err != nil {
		return err
	}
	return w.leaf.values(block, v)
}

// all visits all documents below n.
func (w *walk) all(n node, v lucene.PointVisitor) error {
	if n.id < w.m.leaves {
		return w.children(n, func(child node) error { return w.all(child, v) })
	}
	block, _, err := w.block(n)
	if err != nil {
		return err
	}
	docs, err := w.leaf.docIDs(block)
	if err != nil {
		return err
	}
	return v.VisitAll(docs)
}

// EstimatePointCount implements lucene.PointValues.
func (t *Tree) EstimatePointCount(v lucene.PointVisitor) (int64, error) {
	w, err := t.newWalk()
	if err != nil {
		return 0, err
	}
	return w.estimate(w.root(), v)
}

func (w *walk) estimate(n node, v lucene.PointVisitor) (int64, error) {
	switch v.Compare(w.min, w.max) {
	case lucene.CellOutside:
		return 0, nil
	case lucene.CellInside:
		return w.size(n), nil
	}
	if n.id >= w.m.leaves {
		return (w.size(n) + 1) / 2, nil
	}
	sum := int64(0)
	err := w.children(n, func(child node) error {
		k, err := w.estimate(child, v)
		sum += k
		return err
	})
	return sum, err
}

// blocks returns the offsets of all leaves, from the smallest values to the largest.
func (w *walk) blocks(n node, into []int64) ([]int64, error) {
	if n.id >= w.m.leaves {
		block, _, err := w.block(n)
		return append(into, block), err
	}
	err := w.children(n, func(child node) (err error) {
		into, err = w.blocks(child, into)
		return err
	})
	return into, err
}
