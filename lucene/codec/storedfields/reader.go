package storedfields

import (
	"errors"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/chunkindex"
	"github.com/varve-search/varve/lucene/store"
)

// Reader reads the stored fields of a segment. It is safe for concurrent use; each goroutine takes a
// cursor of its own from Fields.
type Reader struct {
	mode      Mode
	maxDoc    int32
	fields    *lucene.FieldInfos
	data      store.Input
	index     *chunkindex.Index
	chunkSize int

	chunks, dirtyChunks, dirtyDocs int64
}

// Open opens the stored fields of a segment. A mode that is not known is a *codec.UnsupportedError.
func Open(state *codec.ReadState) (*Reader, error) {
	mode, err := ModeOf(state.Info)
	if err != nil {
		return nil, err
	}
	r := &Reader{mode: mode, maxDoc: state.Info.MaxDoc, fields: state.Fields}
	if r.data, err = state.Dir.Open(state.FileName(DataExtension), state.Access); err != nil {
		return nil, err
	}
	if err := r.open(state); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) open(state *codec.ReadState) error {
	if _, err := codec.ReadIndexHeader(store.NewReader(r.data), r.mode.info().codec, version, version, state.Info.ID, state.Suffix); err != nil {
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
	if _, err := codec.ReadIndexHeader(meta, indexName+"Meta", metaMin, version, state.Info.ID, state.Suffix); err != nil {
		return err
	}
	r.chunkSize = int(meta.VInt())
	if meta.Err() == nil && (r.chunkSize < 1 || r.chunkSize > 1<<30) {
		return meta.Corruptf("chunks of %d bytes", r.chunkSize)
	}
	var err error
	if r.index, err = chunkindex.Read(state, meta, IndexExtension, indexName, r.data.Length()-codec.FooterLength); err != nil {
		return err
	}
	r.chunks, r.dirtyChunks, r.dirtyDocs = meta.VLong(), meta.VLong(), meta.VLong()
	if meta.Err() != nil {
		return meta.Err()
	}
	if r.chunks != r.index.Chunks() || r.dirtyChunks > r.chunks || r.dirtyDocs < r.dirtyChunks || (r.dirtyChunks == 0) != (r.dirtyDocs == 0) {
		return meta.Corruptf("%d incomplete chunks with %d documents among %d of %d", r.dirtyChunks, r.dirtyDocs, r.chunks, r.index.Chunks())
	}
	return nil
}

// Mode returns how the chunks are compressed.
func (r *Reader) Mode() Mode { return r.mode }

// Fields implements codec.StoredFieldsReader.
func (r *Reader) Fields() lucene.StoredFields { return r.cursor() }

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

// tooDirty tells whether so many chunks are incomplete that they should be compressed anew.
func (r *Reader) tooDirty() bool {
	return r.dirtyDocs > int64(r.mode.info().maxDocs) && r.dirtyChunks*100 > r.chunks
}

// eager is the largest chunk that is decompressed as a whole when several of its documents are read.
const eager = 4 << 20

// cursor reads documents. It keeps the chunk of the last one: its header, and if documents of it are
// read again and again, all of its bytes.
type cursor struct {
	r     *Reader
	index *chunkindex.Cursor
	exp   expander

	chunk   chunkindex.Chunk
	loaded  bool
	sliced  bool
	in      store.Input // of the chunk
	data    int64       // where the compressed bytes begin in it
	counts  []int32     // fields of each document
	lengths []int32
	offsets []int32 // of each document within the chunk, and the end
	reads   int
	last    int32 // the document read last

	buf   []byte
	whole bool // buf is all of the chunk
	rd    store.Reader
}

func (r *Reader) cursor() *cursor { return &cursor{r: r} }

// load reads the header of the chunk with a document.
func (c *cursor) load(doc int32) error {
	if doc < 0 || doc >= c.r.maxDoc {
		return errDoc(doc, c.r.maxDoc)
	}
	if c.index == nil {
		var err error
		if c.index, err = c.r.index.Cursor(); err != nil {
			return err
		}
		c.exp = newExpander(c.r.mode)
	}
	c.loaded, c.whole, c.reads = false, false, 0
	chunk, err := c.index.Find(doc)
	if err != nil {
		return err
	}
	if c.in, err = c.r.data.Slice(chunk.Start, chunk.End-chunk.Start); err != nil {
		return err
	}
	if err := c.header(chunk); err != nil {
		return err
	}
	c.chunk, c.loaded = chunk, true
	return nil
}

func (c *cursor) header(chunk chunkindex.Chunk) error {
	rd := &c.rd
	rd.Reset(c.in, 0)
	base := rd.VInt()
	code := uint32(rd.VInt())
	docs := int64(code >> flagBits)
	if rd.Err() == nil && (base != chunk.FirstDoc || docs != int64(chunk.Docs) || docs > maxDocsRead) {
		rd.Corruptf("the chunk has %d documents from %d on, its index says %d from %d", docs, base, chunk.Docs, chunk.FirstDoc)
	}
	if rd.Err() != nil {
		return rd.Err()
	}
	c.sliced = code&flagSliced != 0
	c.counts, c.lengths = resize(c.counts, int(docs)), resize(c.lengths, int(docs))
	if err := readInts(rd, c.counts); err != nil {
		return err
	}
	if err := readInts(rd, c.lengths); err != nil {
		return err
	}
	c.offsets = append(c.offsets[:0], 0)
	var total int64
	for i, n := range c.lengths {
		if (n == 0) != (c.counts[i] == 0) || c.counts[i] > n {
			return rd.Corruptf("document %d has %d fields in %d bytes", int(base)+i, c.counts[i], n)
		}
		if total += int64(n); total > math.MaxInt32 {
			break
		}
		c.offsets = append(c.offsets, int32(total))
	}
	c.data = rd.Offset()
	if total > math.MaxInt32 || total > rd.Remaining()*c.r.mode.info().maxRatio {
		return rd.Corruptf("documents of more than %d bytes in %d compressed ones", total, rd.Remaining())
	}
	return nil
}

func resize(s []int32, n int) []int32 {
	if cap(s) < n {
		return make([]int32, n)
	}
	return s[:n]
}

// serialized returns the bytes of a document and the number of its fields. They are valid until the
// next call.
func (c *cursor) serialized(doc int32) ([]byte, int, error) {
	if !c.loaded || doc < c.chunk.FirstDoc || doc-c.chunk.FirstDoc >= c.chunk.Docs {
		if err := c.load(doc); err != nil {
			return nil, 0, err
		}
	}
	i := doc - c.chunk.FirstDoc
	off, length := c.offsets[i], c.lengths[i]
	total := c.offsets[c.chunk.Docs]
	defer func() { c.last = doc; c.reads++ }()
	switch {
	case length == 0:
		return nil, 0, nil
	case c.whole:
	case total <= eager && (c.reads >= 2 || c.reads == 1 && doc == c.last+1):
		if err := c.expand(0, total, total); err != nil {
			return nil, 0, err
		}
		c.whole = true
	default:
		if err := c.expand(off, length, total); err != nil {
			return nil, 0, err
		}
		return c.buf, int(c.counts[i]), nil
	}
	return c.buf[off : off+length], int(c.counts[i]), nil
}

// expand makes buf the bytes [off, off+n) of the chunk.
func (c *cursor) expand(off, n, total int32) error {
	rd := &c.rd
	rd.Reset(c.in, c.data)
	c.buf = c.buf[:0]
	unit := int(total)
	if c.sliced {
		unit = c.r.chunkSize
	}
	end := int(off + n)
	for at := 0; at < int(total); at += unit {
		size := min(unit, int(total)-at)
		lo := min(max(int(off)-at, 0), size)
		hi := min(max(end-at, lo), size)
		if lo == hi && at >= end {
			return nil
		}
		var err error
		if c.buf, err = c.exp.expand(c.buf, rd, size, lo, hi-lo); err != nil {
			return err
		}
	}
	if rest := rd.Remaining(); rest != 0 {
		return rd.Corruptf("the chunk has %d bytes more than its documents", rest)
	}
	return nil
}

// Document implements lucene.StoredFields.
func (c *cursor) Document(doc int32, v lucene.StoredFieldVisitor) error {
	b, fields, err := c.serialized(doc)
	if err != nil || fields == 0 {
		return err
	}
	rd := &c.rd
	rd.Reset(store.NewBytesInput(c.r.data.Name(), b), 0)
	fail := func(err error) error {
		if !store.IsCorrupt(err) {
			return err
		}
		return &store.CorruptError{File: c.r.data.Name(), Offset: store.Base(c.r.data) + c.chunk.Start, Problem: "damaged document " + itoa(doc) + " of the chunk here", Err: err}
	}
	for i := range fields {
		head := uint64(rd.VLong())
		if rd.Err() != nil {
			return fail(rd.Err())
		}
		var f *lucene.FieldInfo
		if n := head >> typeBits; n <= math.MaxInt32 {
			f = c.r.fields.ByNumber(int32(n))
		}
		if f == nil {
			return fail(rd.Corruptf("a value of field number %d, which the segment does not have", head>>typeBits))
		}
		need, err := v.Needs(f)
		if err != nil || need == lucene.VisitStop || need == lucene.VisitNo && i == fields-1 {
			return err
		}
		value := readValue(rd, int(head&typeMask), need == lucene.VisitNo)
		if rd.Err() != nil {
			return fail(rd.Err())
		}
		if need == lucene.VisitYes {
			if err := v.Field(f, value); err != nil {
				return err
			}
		}
	}
	if rd.Remaining() < 0 {
		return fail(rd.Corruptf("the last value passes the end of the document"))
	}
	return nil
}
