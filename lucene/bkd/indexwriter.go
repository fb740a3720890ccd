package bkd

// Writing of the index and of metadata; see docs/formats/points.md.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Outputs are the files that trees are written to.
type Outputs struct {
	Meta, Index, Data *store.Output
}

func (o *Outputs) err() error { return errors.Join(o.Meta.Err(), o.Index.Err(), o.Data.Err()) }

// shape is a tree whose leaves are written.
type shape struct {
	cfg    Config
	blocks []int64 // offsets of the leaves
	dims   []byte  // nil: always 0; dimension of the split between leaf i and i+1, where it is the root of a subtree
	splits []byte  // its value
	start  int64   // of the leaves in the data
	min    []byte
	max    []byte
	points int64
	docs   int32
}

// write writes index and metadata.
func (s *shape) write(out *Outputs) error {
	if len(s.blocks) > math.MaxInt32/2 {
		return fmt.Errorf("a tree of %d leaves", len(s.blocks))
	}
	p := packer{shape: s, last: make([]byte, s.cfg.index())}
	index := p.pack(nil, 0, false, 0, len(s.blocks))
	if len(index) > math.MaxInt32 {
		return fmt.Errorf("a tree with an index of %d bytes", len(index))
	}
	m := out.Meta
	codec.WriteHeader(m, codecName, version)
	m.PutVInt(int32(s.cfg.Dims))
	m.PutVInt(int32(s.cfg.IndexDims))
	m.PutVInt(int32(s.cfg.leafSize))
	m.PutVInt(int32(s.cfg.Bytes))
	m.PutVInt(int32(len(s.blocks)))
	m.PutBytes(s.min)
	m.PutBytes(s.max)
	m.PutVLong(s.points)
	m.PutVInt(s.docs)
	m.PutVInt(int32(len(index)))
	m.PutInt64(s.start)
	m.PutInt64(out.Index.FilePointer())
	out.Index.PutBytes(index)
	return out.err()
}

// packer writes inner nodes, each against the last split value of its dimension above it.
type packer struct {
	*shape
	last     []byte
	negative [lucene.MaxPointIndexDims]bool
}

// pack appends the subtree over n leaves from first on; its parent's leftmost leaf lies at block.
func (p *packer) pack(b []byte, block int64, left bool, first, n int) []byte {
	if !left {
		b = binary.AppendUvarint(b, uint64(p.blocks[first]-block))
	}
	if n == 1 {
		return b
	}
	block = p.blocks[first]
	size := p.cfg.Bytes
	nLeft := leftLeaves(n)
	right := first + nLeft
	dim := 0
	if p.dims != nil {
		dim = int(p.dims[right-1])
	}
	value := p.splits[(right-1)*size : right*size]
	last := p.last[dim*size : (dim+1)*size]
	prefix := commonPrefix(value, last)
	delta := 0
	if prefix < size {
		if delta = int(value[prefix]) - int(last[prefix]); p.negative[dim] {
			delta = -delta
		}
	}
	b = binary.AppendUvarint(b, uint64((delta*(1+size)+prefix)*p.cfg.IndexDims+dim))
	if prefix < size {
		b = append(b, value[prefix+1:]...)
	}
	var saved [lucene.MaxPointBytes]byte
	copy(saved[:], last)
	copy(last, value)
	negative := p.negative[dim]
	p.negative[dim] = true
	below := p.pack(nil, block, true, first, nLeft)
	if nLeft > 1 {
		b = binary.AppendUvarint(b, uint64(len(below)))
	}
	b = append(b, below...)
	p.negative[dim] = false
	b = p.pack(b, block, false, right, n-nLeft)
	p.negative[dim] = negative
	copy(last, saved[:])
	return b
}
