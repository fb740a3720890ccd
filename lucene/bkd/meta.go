package bkd

// What metadata says of a tree; see docs/formats/points.md.

import (
	"bytes"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

const (
	codecName = "BKD"
	// version is the one of all trees from Lucene 8.6 to 9, and of those that we write.
	version = 9
	// versionBPV21 packs documents of 24 bits otherwise, and has those of 21 bits: Lucene 10.
	versionBPV21 = 10
	// LeafSize is how many points a leaf has at most in the trees that we write.
	LeafSize = 512
	// maxLeafSize bounds what a reader accepts.
	maxLeafSize = 1 << 16
)

// Config is the shape of points.
type Config struct {
	Dims      int // dimensions
	IndexDims int // the first ones, that the tree splits by
	Bytes     int // of a dimension
	leafSize  int
}

// NewConfig returns the shape of the points of a field.
func NewConfig(f *lucene.FieldInfo) Config {
	return Config{Dims: int(f.PointDims), IndexDims: int(f.PointIndexDims), Bytes: int(f.PointBytes), leafSize: LeafSize}
}

func (c *Config) valid() bool {
	return c.Dims >= 1 && c.Dims <= lucene.MaxPointDims && c.IndexDims >= 1 && c.IndexDims <= min(c.Dims, lucene.MaxPointIndexDims) &&
		c.Bytes >= 1 && c.Bytes <= lucene.MaxPointBytes && c.leafSize >= 1 && c.leafSize <= maxLeafSize
}

// packed and index return the size of a value, and of the part of it that the tree splits by.
func (c *Config) packed() int { return c.Dims * c.Bytes }
func (c *Config) index() int  { return c.IndexDims * c.Bytes }

// Meta describes a tree.
type Meta struct {
	Config
	version    int32
	leaves     int
	min, max   []byte
	points     int64
	docs       int32
	indexStart int64
	indexSize  int64
	dataStart  int64
}

// ReadMeta reads the description of a tree over a segment of maxDoc documents.
func ReadMeta(r *store.Reader, maxDoc int32) (*Meta, error) {
	v, err := codec.ReadHeader(r, codecName, version, versionBPV21)
	if err != nil {
		return nil, err
	}
	m := &Meta{version: v}
	m.Dims, m.IndexDims = int(r.VInt()), int(r.VInt())
	m.leafSize, m.Bytes = int(r.VInt()), int(r.VInt())
	m.leaves = int(r.VInt())
	if r.Err() == nil && (!m.valid() || m.leaves < 1) {
		return nil, r.Corruptf("a tree of %d leaves of %d points of %d dimensions, %d of them indexed, of %d bytes", m.leaves, m.leafSize, m.Dims, m.IndexDims, m.Bytes)
	}
	m.min, m.max = bytes.Clone(r.Bytes(m.index())), bytes.Clone(r.Bytes(m.index()))
	m.points, m.docs = r.VLong(), r.VInt()
	m.indexSize = int64(r.VInt())
	m.dataStart, m.indexStart = r.Int64(), r.Int64()
	if err := r.Err(); err != nil {
		return nil, err
	}
	for d := range m.IndexDims {
		if from, to := d*m.Bytes, (d+1)*m.Bytes; bytes.Compare(m.min[from:to], m.max[from:to]) > 0 {
			return nil, r.Corruptf("the smallest value of dimension %d is larger than the largest", d)
		}
	}
	full := int64(m.leaves) * int64(m.leafSize)
	if m.points < 1 || m.points > full || m.points <= full-int64(m.leafSize) || m.docs < 1 || m.docs > maxDoc || int64(m.docs) > m.points {
		return nil, r.Corruptf("a tree of %d points of %d of %d documents in %d leaves of %d", m.points, m.docs, maxDoc, m.leaves, m.leafSize)
	}
	// Every inner node and every right leaf take a byte or more.
	if m.indexSize < int64(m.leaves-1) || m.indexStart < 0 || m.dataStart < 0 {
		return nil, r.Corruptf("an index of %d bytes at %d for %d leaves at %d", m.indexSize, m.indexStart, m.leaves, m.dataStart)
	}
	return m, nil
}

// Open returns the tree, whose inner nodes are in index and whose leaves are in data.
func (m *Meta) Open(index, data store.Input, maxDoc int32) (*Tree, error) {
	part, err := index.Slice(m.indexStart, m.indexSize)
	if err != nil {
		return nil, err
	}
	return &Tree{meta: m, index: part, data: data, maxDoc: maxDoc}, nil
}

// leftLeaves returns how many of n leaves, more than one, are in the left subtree: the tree is complete, and what is left
// over for the last level stands left.
func leftLeaves(n int) int {
	full := 1
	for full*2 <= n {
		full *= 2
	}
	return full/2 + min(n-full, full/2)
}
