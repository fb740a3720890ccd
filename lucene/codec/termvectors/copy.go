package termvectors

import (
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// bulkChunks is how long a part of a segment must be for its chunks to be copied as they are.
const bulkChunks = 16

// Copier moves documents of one segment into the writer of another, which a merge does.
type Copier struct {
	w       *Writer
	reader  *Reader // nil if the source is of another kind
	cur     *cursor
	vectors lucene.TermVectors // nil: none of the documents has vectors
	target  *lucene.FieldInfos
	bulk    bool
}

// NewCopier returns a Copier from src, whose fields are from, to w, whose fields are to. src is nil if the
// segment has no term vectors. Where chunks may be copied unseen, the checksums of src are verified first.
func NewCopier(w *Writer, src codec.TermVectorsReader, from, to *lucene.FieldInfos) (*Copier, error) {
	c := &Copier{w: w, target: to}
	if src == nil {
		return c, nil
	}
	c.reader, _ = src.(*Reader)
	if c.reader == nil {
		c.vectors = src.Vectors()
		return c, nil
	}
	c.cur = c.reader.cursor()
	c.vectors = c.cur
	c.bulk = c.reader.chunkSize == chunkSize && !c.reader.tooDirty()
	for _, f := range from.All() {
		if t := to.ByName(f.Name); t == nil || t.Number != f.Number {
			c.bulk = false
		}
	}
	if c.bulk {
		return c, src.CheckIntegrity()
	}
	return c, nil
}

// Copy adds the documents [from, to) to the writer. The longer the range, the more can be copied as
// it is.
func (c *Copier) Copy(from, to int32) error {
	for from < to {
		if c.bulk && !c.cur.holds(from) {
			n, err := c.copyChunks(from, to)
			if err != nil {
				return err
			}
			if n > 0 {
				from += n
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

func (c *Copier) copyDoc(doc int32) error {
	var vectors lucene.Fields
	if c.vectors != nil {
		var err error
		if vectors, err = c.vectors.Get(doc); err != nil {
			return err
		}
	}
	return Add(c.w, vectors, c.target)
}

// Add adds a document to a writer: the vectors of another segment, or nil for none. Fields that
// the target does not have are left out.
func Add(w codec.TermVectorsWriter, vectors lucene.Fields, target *lucene.FieldInfos) error {
	if vectors == nil {
		if err := w.StartDocument(0); err != nil {
			return err
		}
		return w.FinishDocument()
	}
	var names []string
	for _, name := range vectors.FieldNames() {
		if target.ByName(name) != nil {
			names = append(names, name)
		}
	}
	if err := w.StartDocument(len(names)); err != nil {
		return err
	}
	var reuse lucene.PostingsEnum
	for _, name := range names {
		terms, err := vectors.Terms(name)
		if err != nil {
			return err
		}
		if reuse, err = addField(w, target.ByName(name), terms, reuse); err != nil {
			return fmt.Errorf("term vectors of field %s: %w", name, err)
		}
	}
	return w.FinishDocument()
}

func addField(w codec.TermVectorsWriter, f *lucene.FieldInfo, terms lucene.Terms, reuse lucene.PostingsEnum) (lucene.PostingsEnum, error) {
	t, ok := termsFlags(terms)
	if !ok {
		o := terms.IndexOptions()
		t = [3]bool{o >= lucene.IndexDocsFreqsPositions, o >= lucene.IndexDocsFreqsPositionsOffsets, terms.HasPayloads()}
	}
	if err := w.StartField(f, int(terms.Size()), t[0], t[1], t[2]); err != nil {
		return reuse, err
	}
	it, err := terms.Iterator()
	if err != nil {
		return reuse, err
	}
	for {
		term, err := it.Next()
		if err != nil || term == nil {
			return reuse, err
		}
		if reuse, err = it.Postings(reuse, lucene.PostingsAll); err != nil {
			return reuse, err
		}
		if _, err := reuse.Next(); err != nil {
			return reuse, err
		}
		freq, err := reuse.Freq()
		if err != nil {
			return reuse, err
		}
		if err := w.StartTerm(term, freq); err != nil {
			return reuse, err
		}
		if !t[0] && !t[1] && !t[2] {
			continue
		}
		for range freq {
			pos, err := reuse.NextPosition()
			if err != nil {
				return reuse, err
			}
			if err := w.Position(pos, reuse.StartOffset(), reuse.EndOffset(), reuse.Payload()); err != nil {
				return reuse, err
			}
		}
	}
}

// termsFlags returns what the vectors of this package have, where offsets do not imply positions.
func termsFlags(t lucene.Terms) ([3]bool, bool) {
	v, ok := t.(*terms)
	if !ok {
		return [3]bool{}, false
	}
	return [3]bool{v.has(flagPositions), v.has(flagOffsets), v.has(flagPayloads)}, true
}

// copyChunks copies whole chunks from the document on as they are and returns how many documents they
// have; 0 if there are none, or too few to pay.
func (c *Copier) copyChunks(from, to int32) (int32, error) {
	if err := c.cur.open(); err != nil {
		return 0, err
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
	if len(c.w.docs) > 0 {
		if err := c.w.flush(true); err != nil {
			return 0, err
		}
	}
	data := c.reader.data
	rd := store.NewReader(data)
	copied := int32(0)
	for ord := first.Ord; from+copied < to; ord++ {
		ch, err := idx.Chunk(ord)
		if err != nil {
			return 0, err
		}
		if ch.FirstDoc+ch.Docs > to {
			break
		}
		rd.SeekTo(ch.Start)
		base, code := rd.VInt(), rd.VInt()
		if rd.Err() == nil && (base != ch.FirstDoc || int32(uint32(code)>>1) != ch.Docs) {
			rd.SeekTo(ch.Start)
			rd.Corruptf("the chunk has %d documents from %d on, its index says %d from %d", uint32(code)>>1, base, ch.Docs, ch.FirstDoc)
		}
		if err := rd.Err(); err != nil {
			return 0, err
		}
		c.w.startChunk(ch.Docs, code&1 != 0)
		if err := c.w.data.CopyFrom(data, rd.Offset(), ch.End-rd.Offset()); err != nil {
			return 0, fmt.Errorf("copy term vectors: %w", err)
		}
		copied += ch.Docs
	}
	return copied, nil
}
