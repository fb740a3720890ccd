package storedfields

import (
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// bulkChunks is how long a part of a segment must be for its chunks to be copied as they are: each such
// run may leave an incomplete chunk at either end.
const bulkChunks = 16

// Copier moves documents of one segment into the writer of another, which a merge does.
type Copier struct {
	w      *Writer
	src    codec.StoredFieldsReader
	reader *Reader // src, if it is of this package
	cur    *cursor
	fields lucene.StoredFields
	target *lucene.FieldInfos
	same   bool // the fields have the same numbers in both
	bulk   bool
}

// NewCopier returns a Copier from src, whose fields are from, to w, whose fields are to; fields that w
// does not have are left out. Where chunks may be copied unseen, the checksums of src are verified first.
func NewCopier(w *Writer, src codec.StoredFieldsReader, from, to *lucene.FieldInfos) (*Copier, error) {
	c := &Copier{w: w, src: src, target: to, same: true}
	for _, f := range from.All() {
		if t := to.ByName(f.Name); t == nil || t.Number != f.Number {
			c.same = false
		}
	}
	c.reader, _ = src.(*Reader)
	if c.reader != nil {
		c.cur = c.reader.cursor()
		c.fields = c.cur
		c.bulk = c.same && c.reader.mode == w.m && c.reader.chunkSize == w.mode.chunkSize && !c.reader.tooDirty()
		if c.bulk {
			if err := src.CheckIntegrity(); err != nil {
				return nil, err
			}
		}
	} else {
		c.fields = src.Fields()
	}
	return c, nil
}

// Copy adds the documents [from, to) to the writer. The longer the range, the more can be copied as
// it is.
func (c *Copier) Copy(from, to int32) error {
	for from < to {
		if c.bulk && (c.cur.index == nil || !c.cur.holds(from)) {
			n, err := c.copyChunks(from, to)
			if err != nil {
				return err
			}
			from += n
			if n > 0 {
				continue
			}
		}
		if err := c.copyDoc(from); err != nil {
			return err
		}
		from++
	}
	return nil
}

func (c *cursor) holds(doc int32) bool {
	return c.loaded && doc >= c.chunk.FirstDoc && doc-c.chunk.FirstDoc < c.chunk.Docs
}

func (c *Copier) copyDoc(doc int32) error {
	if c.reader != nil && c.same {
		b, n, err := c.cur.serialized(doc)
		if err != nil {
			return err
		}
		return c.w.raw(b, n)
	}
	if err := c.w.StartDocument(); err != nil {
		return err
	}
	if err := c.fields.Document(doc, c); err != nil {
		return err
	}
	return c.w.FinishDocument()
}

// Needs implements lucene.StoredFieldVisitor.
func (c *Copier) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	if c.target.ByName(f.Name) == nil {
		return lucene.VisitNo, nil
	}
	return lucene.VisitYes, nil
}

// Field implements lucene.StoredFieldVisitor.
func (c *Copier) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	return c.w.Field(c.target.ByName(f.Name), v)
}

// copyChunks copies whole chunks from the document on as they are and returns how many documents they
// have; 0 if there are none, or too few to pay.
func (c *Copier) copyChunks(from, to int32) (int32, error) {
	if c.cur.index == nil {
		if err := c.cur.load(from); err != nil {
			return 0, err
		}
	}
	idx := c.cur.index
	first, err := idx.Find(from)
	if err != nil || first.FirstDoc != from {
		return 0, err
	}
	run := int64(0)
	for end := from; run < bulkChunks && end < to && first.Ord+run < c.reader.index.Chunks(); run++ {
		ch, err := idx.Chunk(first.Ord + run)
		if err != nil {
			return 0, err
		}
		if end = ch.FirstDoc + ch.Docs; end > to {
			break
		}
	}
	if run < bulkChunks && (from != 0 || to != c.reader.maxDoc) {
		return 0, nil
	}
	if len(c.w.counts) > 0 {
		if err := c.w.flush(true); err != nil {
			return 0, err
		}
	}
	copied := int32(0)
	for ord := first.Ord; from+copied < to; ord++ {
		ch, err := idx.Chunk(ord)
		if err != nil {
			return 0, err
		}
		if ch.FirstDoc+ch.Docs > to {
			break
		}
		rd := &c.cur.rd
		c.cur.loaded = false
		rd.Reset(c.reader.data, ch.Start)
		base, code := rd.VInt(), rd.VInt()
		if err := rd.Err(); err != nil {
			return 0, err
		}
		if docs := int32(uint32(code) >> flagBits); base != ch.FirstDoc || docs != ch.Docs {
			return 0, store.Corruptf(c.reader.data.Name(), store.Base(c.reader.data)+ch.Start, "the chunk has %d documents from %d on, its index says %d from %d", docs, base, ch.Docs, ch.FirstDoc)
		}
		c.w.startChunk(ch.Docs, code)
		if code&flagDirty != 0 {
			c.w.dirtyChunks++
			c.w.dirtyDocs += int64(ch.Docs)
		}
		if err := c.w.data.CopyFrom(c.reader.data, rd.Offset(), ch.End-rd.Offset()); err != nil {
			return 0, fmt.Errorf("copy stored fields: %w", err)
		}
		copied += ch.Docs
	}
	return copied, nil
}
