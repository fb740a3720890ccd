package termvectors

import (
	"errors"
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/chunkindex"
	"github.com/varve-search/varve/lucene/store"
)

// See docs/formats/termvectors.md.
const (
	dataCodec     = "Lucene90TermVectorsData"
	indexName     = "Lucene90TermVectorsIndex"
	version       = 0
	packedVersion = 2
	chunkSize     = 1 << 12
	maxDocs       = 128 // of a chunk
	maxDocsRead   = 1 << 17
	blockShift    = 10
	maxLZ4Ratio   = 256

	// DataExtension, IndexExtension and MetaExtension are those of the three files.
	DataExtension  = "tvd"
	IndexExtension = "tvx"
	MetaExtension  = "tvm"
)

// What a field has of each occurrence of a term.
const (
	flagPositions = 1 << iota
	flagOffsets
	flagPayloads
	flagBits = 4 // in which flags are packed
)

// Reader reads the term vectors of a segment. It is safe for concurrent use; each goroutine takes a cursor
// of its own from Vectors.
type Reader struct {
	maxDoc int32
	fields *lucene.FieldInfos
	data   store.Input
	index  *chunkindex.Index

	chunkSize                      int
	chunks, dirtyChunks, dirtyDocs int64
}

// Open opens the term vectors of a segment.
func Open(state *codec.ReadState) (*Reader, error) {
	r := &Reader{maxDoc: state.Info.MaxDoc, fields: state.Fields}
	var err error
	if r.data, err = state.Dir.Open(state.FileName(DataExtension), state.Access); err != nil {
		return nil, err
	}
	if err := r.open(state); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) open(state *codec.ReadState) error {
	if _, err := codec.ReadIndexHeader(store.NewReader(r.data), dataCodec, version, version, state.Info.ID, state.Suffix); err != nil {
		return err
	}
	if _, err := codec.ReadFooter(r.data); err != nil {
		return err
	}
	in, err := state.Dir.Open(state.FileName(MetaExtension), store.Sequential)
	if err != nil {
		return err
	}
	defer in.Close()
	meta := store.NewReader(in)
	return codec.Finish(meta, r.readMeta(state, meta))
}

func (r *Reader) readMeta(state *codec.ReadState, meta *store.Reader) error {
	if _, err := codec.ReadIndexHeader(meta, indexName+"Meta", version, version, state.Info.ID, state.Suffix); err != nil {
		return err
	}
	if v := meta.VInt(); meta.Err() == nil && v != packedVersion {
		return meta.Corruptf("version %d of packed numbers", v)
	}
	r.chunkSize = int(meta.VInt())
	var err error
	if r.index, err = chunkindex.Read(state, meta, IndexExtension, indexName, r.data.Length()-codec.FooterLength); err != nil {
		return err
	}
	r.chunks, r.dirtyChunks, r.dirtyDocs = meta.VLong(), meta.VLong(), meta.VLong()
	if meta.Err() != nil {
		return meta.Err()
	}
	if r.chunkSize < 1 || r.chunks != r.index.Chunks() || r.dirtyChunks > r.chunks || r.dirtyDocs < r.dirtyChunks || (r.dirtyChunks == 0) != (r.dirtyDocs == 0) {
		return meta.Corruptf("%d incomplete chunks with %d documents among %d of %d", r.dirtyChunks, r.dirtyDocs, r.chunks, r.index.Chunks())
	}
	return nil
}

// Vectors implements codec.TermVectorsReader.
func (r *Reader) Vectors() lucene.TermVectors { return r.cursor() }

func (r *Reader) cursor() *cursor { return &cursor{r: r} }

// CheckIntegrity implements codec.Checker.
func (r *Reader) CheckIntegrity() error {
	if err := r.index.CheckIntegrity(); err != nil {
		return err
	}
	return codec.VerifyChecksum(r.data)
}

// Close implements codec.Checker.
func (r *Reader) Close() error {
	err := r.data.Close()
	if r.index != nil {
		err = errors.Join(err, r.index.Close())
	}
	return err
}

func (r *Reader) tooDirty() bool {
	return r.dirtyDocs > maxDocs && r.dirtyChunks*100 > r.chunks
}

// cursor reads documents and keeps the chunk of the last one.
type cursor struct {
	r     *Reader
	index *chunkindex.Cursor
	chunk *chunk
}

func (c *cursor) holds(doc int32) bool {
	return c.chunk != nil && doc >= c.chunk.FirstDoc && doc-c.chunk.FirstDoc < c.chunk.Docs
}

func (c *cursor) open() (err error) {
	if c.index == nil {
		c.index, err = c.r.index.Cursor()
	}
	return err
}

func (c *cursor) load(doc int32) error {
	if doc < 0 || doc >= c.r.maxDoc {
		return fmt.Errorf("the term vectors of document %d are asked for, the segment has %d", doc, c.r.maxDoc)
	}
	if c.holds(doc) {
		return nil
	}
	if err := c.open(); err != nil {
		return err
	}
	at, err := c.index.Find(doc)
	if err != nil {
		return err
	}
	in, err := c.r.data.Slice(at.Start, at.End-at.Start)
	if err != nil {
		return err
	}
	// What was handed out of the last chunk may still be in use: it is not reused.
	ch := &chunk{Chunk: at}
	if err := ch.read(store.NewReader(in), c.r.fields); err != nil {
		return err
	}
	c.chunk = ch
	return nil
}

// Get implements lucene.TermVectors. What it returns stays valid.
func (c *cursor) Get(doc int32) (lucene.Fields, error) {
	if err := c.load(doc); err != nil {
		return nil, err
	}
	i := doc - c.chunk.FirstDoc
	if c.chunk.docFields[i] == c.chunk.docFields[i+1] {
		return nil, nil
	}
	return &fields{chunk: c.chunk, from: int(c.chunk.docFields[i]), to: int(c.chunk.docFields[i+1])}, nil
}
