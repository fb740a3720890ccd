package chunkindex

import (
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// See docs/formats/storedfields.md.
const version = 0

// Index is the index of one file. It is immutable and safe for concurrent use.
type Index struct {
	in         store.Input
	maxDoc     int32
	chunks     int64
	docs       *packed.MonotonicMeta
	pointers   *packed.MonotonicMeta
	docsAt     int64
	pointersAt int64
	end        int64
	maxPointer int64
}

// Chunk is a run of documents and the bytes that hold them.
type Chunk struct {
	Ord        int64
	FirstDoc   int32
	Docs       int32
	Start, End int64 // offsets in the data file
}

// Read reads the part of the metadata that meta stands at, and opens the index file of the given
// extension, whose codec is name+"Idx". The data file ends, before its footer, at dataEnd.
func Read(state *codec.ReadState, meta *store.Reader, ext, name string, dataEnd int64) (*Index, error) {
	x := &Index{maxDoc: meta.Int32()}
	shift := meta.Int32()
	entries := int64(meta.Int32())
	x.docsAt = meta.Int64()
	if err := meta.Err(); err != nil {
		return nil, err
	}
	if x.maxDoc != state.Info.MaxDoc || entries < 1 {
		return nil, meta.Corruptf("an index of %d documents in %d chunks, the segment has %d", x.maxDoc, entries-1, state.Info.MaxDoc)
	}
	x.chunks = entries - 1
	var err error
	if x.docs, err = packed.ReadMonotonicMeta(meta, entries, int(shift)); err != nil {
		return nil, err
	}
	x.pointersAt = meta.Int64()
	if x.pointers, err = packed.ReadMonotonicMeta(meta, entries, int(shift)); err != nil {
		return nil, err
	}
	x.end, x.maxPointer = meta.Int64(), meta.Int64()
	if err := meta.Err(); err != nil {
		return nil, err
	}
	if x.docsAt < 0 || x.pointersAt < x.docsAt || x.end < x.pointersAt || x.maxPointer < 0 || x.maxPointer > dataEnd {
		return nil, meta.Corruptf("the chunk index lies at %d, %d and %d, and the data end at %d of %d", x.docsAt, x.pointersAt, x.end, x.maxPointer, dataEnd)
	}
	if x.in, err = state.Dir.Open(state.FileName(ext), state.Access); err != nil {
		return nil, err
	}
	if err := x.check(state, name); err != nil {
		x.in.Close()
		return nil, err
	}
	return x, nil
}

func (x *Index) check(state *codec.ReadState, name string) error {
	if _, err := codec.ReadIndexHeader(store.NewReader(x.in), name+"Idx", version, version, state.Info.ID, state.Suffix); err != nil {
		return err
	}
	if _, err := codec.ReadFooter(x.in); err != nil {
		return err
	}
	c, err := x.Cursor()
	if err != nil {
		return err
	}
	docs, err := c.docs.Get(x.chunks)
	if err != nil {
		return err
	}
	end, err := c.pointers.Get(x.chunks)
	if err != nil {
		return err
	}
	if docs != int64(x.maxDoc) || end != x.maxPointer {
		return store.Corruptf(x.in.Name(), x.docsAt, "the last chunk ends with document %d at %d, not with %d at %d", docs, end, x.maxDoc, x.maxPointer)
	}
	return nil
}

// Chunks returns how many chunks there are.
func (x *Index) Chunks() int64 { return x.chunks }

// MaxPointer returns where the last chunk ends.
func (x *Index) MaxPointer() int64 { return x.maxPointer }

// CheckIntegrity verifies the checksum of the index file.
func (x *Index) CheckIntegrity() error { return codec.VerifyChecksum(x.in) }

// Close closes the index file.
func (x *Index) Close() error { return x.in.Close() }

// Cursor looks chunks up. It is for one goroutine.
type Cursor struct {
	x              *Index
	docs, pointers *packed.Monotonic
}

// Cursor returns a Cursor.
func (x *Index) Cursor() (*Cursor, error) {
	docs, err := x.docs.Open(x.in, x.docsAt, x.pointersAt-x.docsAt)
	if err != nil {
		return nil, err
	}
	pointers, err := x.pointers.Open(x.in, x.pointersAt, x.end-x.pointersAt)
	if err != nil {
		return nil, err
	}
	return &Cursor{x: x, docs: docs, pointers: pointers}, nil
}

// Find returns the chunk with a document, which must be one of the segment's.
func (c *Cursor) Find(doc int32) (Chunk, error) {
	i, err := c.docs.Search(0, c.x.chunks, int64(doc)+1)
	if err != nil {
		return Chunk{}, err
	}
	ch, err := c.Chunk(i - 1)
	if err == nil && (doc < ch.FirstDoc || doc-ch.FirstDoc >= ch.Docs) {
		err = store.Corruptf(c.x.in.Name(), c.x.docsAt, "no chunk holds document %d", doc)
	}
	return ch, err
}

// Chunk returns a chunk by its number.
func (c *Cursor) Chunk(ord int64) (Chunk, error) {
	if ord < 0 || ord >= c.x.chunks {
		return Chunk{}, store.Corruptf(c.x.in.Name(), c.x.docsAt, "chunk %d of %d is asked for", ord, c.x.chunks)
	}
	var v [4]int64
	var err error
	for i, s := range [...]*packed.Monotonic{c.docs, c.docs, c.pointers, c.pointers} {
		if v[i], err = s.Get(ord + int64(i&1)); err != nil {
			return Chunk{}, err
		}
	}
	if v[0] < 0 || v[1] <= v[0] || v[1] > int64(c.x.maxDoc) || v[2] < 0 || v[3] <= v[2] || v[3] > c.x.maxPointer {
		return Chunk{}, store.Corruptf(c.x.in.Name(), c.x.docsAt, "chunk %d has documents %d to %d at %d to %d", ord, v[0], v[1], v[2], v[3])
	}
	return Chunk{Ord: ord, FirstDoc: int32(v[0]), Docs: int32(v[1] - v[0]), Start: v[2], End: v[3]}, nil
}
