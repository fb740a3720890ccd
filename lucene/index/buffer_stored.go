package index

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
)

// Stored fields and term vectors of a buffer go straight to their files. Under an index sort the
// documents' order is not known before the flush: each document is kept as a record until then.

func (b *buffer) fail(what string, err error) error {
	b.err = fmt.Errorf("write %s of segment %s: %w", what, b.seg.Name, err)
	return b.err
}

func (b *buffer) sorting() bool { return len(b.sort) > 0 }

func (b *buffer) startStored() error {
	if b.sorting() {
		return nil
	}
	if b.stored == nil {
		w, err := b.open(b)
		if err != nil {
			return b.fail("stored fields", err)
		}
		b.stored = w
	}
	if err := b.stored.StartDocument(); err != nil {
		return b.fail("stored fields", err)
	}
	return nil
}

func (b *buffer) store(pf *bufferField, v *lucene.StoredValue) error {
	if !b.sorting() {
		if err := b.stored.Field(pf.info, *v); err != nil {
			return b.fail("stored fields", err)
		}
		return nil
	}
	rec := b.currentRecord(&b.storedRecords)
	before := cap(*rec)
	*rec = binary.AppendUvarint(*rec, uint64(pf.info.Number))
	*rec = append(*rec, byte(v.Kind))
	if v.Kind == lucene.StoredString || v.Kind == lucene.StoredBytes {
		*rec = binary.AppendUvarint(*rec, uint64(len(v.Bytes)))
		*rec = append(*rec, v.Bytes...)
	} else {
		*rec = binary.LittleEndian.AppendUint64(*rec, uint64(v.Num))
	}
	b.ram += int64(cap(*rec) - before)
	return nil
}

// currentRecord returns the record of the document under way.
func (b *buffer) currentRecord(records *[][]byte) *[]byte {
	for len(*records) < int(b.numDocs) {
		*records = append(*records, nil)
		b.ram += 24
	}
	return &(*records)[b.numDocs-1]
}

func (b *buffer) finishStored() error {
	if b.sorting() {
		return nil
	}
	if err := b.stored.FinishDocument(); err != nil {
		return b.fail("stored fields", err)
	}
	return nil
}

// flushStored completes the stored fields; oldDoc is the permutation of an index sort (new document → old).
func (b *buffer) flushStored(oldDoc []int32) error {
	if b.sorting() {
		w, err := b.open(b)
		if err != nil {
			return b.fail("stored fields", err)
		}
		b.stored = w
		numbers := b.byNumber()
		for i := range b.numDocs {
			if err := b.replayStored(w, record(b.storedRecords, oldDoc, i), numbers); err != nil {
				return b.fail("stored fields", err)
			}
		}
	}
	w := b.stored
	b.stored = nil
	if err := w.Finish(b.numDocs); err != nil {
		_ = w.Close()
		return b.fail("stored fields", err)
	}
	if err := w.Close(); err != nil {
		return b.fail("stored fields", err)
	}
	return nil
}

func (b *buffer) byNumber() map[int32]*bufferField {
	m := make(map[int32]*bufferField, len(b.list))
	for _, pf := range b.list {
		m[pf.info.Number] = pf
	}
	return m
}

// record returns the record of a new document, nil if it has none.
func record(records [][]byte, oldDoc []int32, doc int32) []byte {
	if oldDoc != nil {
		doc = oldDoc[doc]
	}
	if int(doc) >= len(records) {
		return nil
	}
	return records[doc]
}

func uvarint(rec *[]byte) int {
	v, n := binary.Uvarint(*rec)
	*rec = (*rec)[n:]
	return int(v)
}

func take(rec *[]byte, n int) []byte {
	b := (*rec)[:n:n]
	*rec = (*rec)[n:]
	return b
}

func (b *buffer) replayStored(w codec.StoredFieldsWriter, rec []byte, numbers map[int32]*bufferField) error {
	if err := w.StartDocument(); err != nil {
		return err
	}
	for len(rec) > 0 {
		f := numbers[int32(uvarint(&rec))].info
		v := lucene.StoredValue{Kind: lucene.StoredKind(take(&rec, 1)[0])}
		if v.Kind == lucene.StoredString || v.Kind == lucene.StoredBytes {
			v.Bytes = take(&rec, uvarint(&rec))
		} else {
			v.Num = int64(binary.LittleEndian.Uint64(take(&rec, 8)))
		}
		if err := w.Field(f, v); err != nil {
			return err
		}
	}
	return w.FinishDocument()
}

// fieldVectors collects the term vector of a field of the document under way.
type fieldVectors struct {
	pool   bytePool
	hash   bytesHash
	first  []int32 // term → its first occurrence
	last   []int32
	freq   []int32
	occ    []occurrence
	pay    []byte
	anyPay bool
	own    int64
}

type occurrence struct {
	pos, start, end  int32
	payStart, payEnd int32
	next             int32
}

func newFieldVectors(ram *int64) *fieldVectors {
	v := &fieldVectors{}
	v.pool.ram, v.hash.ram = &v.own, &v.own
	v.hash.pool = &v.pool
	*ram += 4096
	return v
}

func (v *fieldVectors) reset() {
	v.hash.reset()
	if len(v.pool.blocks) > 1 {
		v.pool.blocks = v.pool.blocks[:1]
	}
	v.pool.used = 0
	v.first, v.last, v.freq, v.occ, v.pay, v.anyPay = v.first[:0], v.last[:0], v.freq[:0], v.occ[:0], v.pay[:0], false
}

func (v *fieldVectors) add(term []byte, pos int32, tok *lucene.Token, offset int32) {
	id, isNew := v.hash.add(term)
	at := int32(len(v.occ))
	o := occurrence{pos: pos, start: offset, end: offset, next: -1, payStart: int32(len(v.pay))}
	if tok != nil {
		o.start, o.end = offset+tok.StartOffset, offset+tok.EndOffset
		v.pay = append(v.pay, tok.Payload...)
		v.anyPay = v.anyPay || len(tok.Payload) > 0
	}
	o.payEnd = int32(len(v.pay))
	v.occ = append(v.occ, o)
	if isNew {
		v.first, v.last, v.freq = append(v.first, at), append(v.last, at), append(v.freq, 1)
		return
	}
	v.occ[v.last[id]].next = at
	v.last[id] = at
	v.freq[id]++
}

// finishVectors writes the vectors of the document under way: those of a refused document are dropped.
func (b *buffer) finishVectors(doc int32, refused bool) error {
	var with []*bufferField
	for _, pf := range b.touched {
		if pf.vec == nil {
			continue
		}
		if refused || pf.vec.hash.len() == 0 {
			pf.vec.reset()
		} else {
			with = append(with, pf)
		}
	}
	if len(with) == 0 {
		return nil
	}
	// readers give the fields in the order they were written in, which must be that of their names
	slices.SortFunc(with, func(x, y *bufferField) int { return strings.Compare(x.info.Name, y.info.Name) })
	var w codec.TermVectorsWriter
	var rec *recordedVectors
	if b.sorting() {
		rec = &recordedVectors{}
		w = rec
	} else {
		if err := b.vectorsUpTo(doc); err != nil {
			return err
		}
		w = b.vectors
		b.vectorDocs = doc + 1
	}
	if err := writeVectors(w, with); err != nil {
		return b.fail("term vectors", err)
	}
	if rec != nil {
		*b.currentRecord(&b.vectorRecords) = rec.b
		b.ram += int64(cap(rec.b))
	}
	return nil
}

// vectorsUpTo opens the vectors' file and adds empty documents up to doc.
func (b *buffer) vectorsUpTo(doc int32) error {
	if b.vectors == nil {
		w, err := b.openTV(b)
		if err != nil {
			return b.fail("term vectors", err)
		}
		b.vectors = w
	}
	for ; b.vectorDocs < doc; b.vectorDocs++ {
		err := b.vectors.StartDocument(0)
		if err == nil {
			err = b.vectors.FinishDocument()
		}
		if err != nil {
			return b.fail("term vectors", err)
		}
	}
	return nil
}

func writeVectors(w codec.TermVectorsWriter, fields []*bufferField) error {
	if err := w.StartDocument(len(fields)); err != nil {
		return err
	}
	for _, pf := range fields {
		v, t := pf.vec, pf.vectorType
		order := v.hash.sorted()
		if err := w.StartField(pf.info, len(order), t.VectorPositions, t.VectorOffsets, t.VectorPayloads && v.anyPay); err != nil {
			return err
		}
		for _, id := range order {
			if err := w.StartTerm(v.hash.text(id), v.freq[id]); err != nil {
				return err
			}
			if !t.VectorPositions && !t.VectorOffsets {
				continue
			}
			for at := v.first[id]; at >= 0; at = v.occ[at].next {
				o := &v.occ[at]
				if err := w.Position(o.pos, o.start, o.end, v.pay[o.payStart:o.payEnd]); err != nil {
					return err
				}
			}
		}
		v.reset()
	}
	return w.FinishDocument()
}

// flushVectors completes the term vectors, if the buffer has any.
func (b *buffer) flushVectors(oldDoc []int32) error {
	if !b.hasVectors {
		return nil
	}
	if b.sorting() {
		w, err := b.openTV(b)
		if err != nil {
			return b.fail("term vectors", err)
		}
		b.vectors = w
		numbers := b.byNumber()
		for i := range b.numDocs {
			if err := replayVectors(w, record(b.vectorRecords, oldDoc, i), numbers); err != nil {
				return b.fail("term vectors", err)
			}
		}
	} else if err := b.vectorsUpTo(b.numDocs); err != nil {
		return err
	}
	w := b.vectors
	b.vectors = nil
	if err := w.Finish(b.numDocs); err != nil {
		_ = w.Close()
		return b.fail("term vectors", err)
	}
	if err := w.Close(); err != nil {
		return b.fail("term vectors", err)
	}
	return nil
}

// recordedVectors is a TermVectorsWriter that keeps one document.
type recordedVectors struct{ b []byte }

func (r *recordedVectors) uvarint(v int) { r.b = binary.AppendUvarint(r.b, uint64(v)) }

func (r *recordedVectors) bytes(p []byte) {
	r.uvarint(len(p))
	r.b = append(r.b, p...)
}

func (r *recordedVectors) StartDocument(n int) error {
	r.uvarint(n)
	return nil
}

func (r *recordedVectors) StartField(f *lucene.FieldInfo, terms int, positions, offsets, payloads bool) error {
	flags := 0
	for i, on := range []bool{positions, offsets, payloads} {
		if on {
			flags |= 1 << i
		}
	}
	r.uvarint(int(f.Number))
	r.uvarint(flags)
	r.uvarint(terms)
	return nil
}

func (r *recordedVectors) StartTerm(term []byte, freq int32) error {
	r.bytes(term)
	r.uvarint(int(freq))
	return nil
}

func (r *recordedVectors) Position(pos, start, end int32, payload []byte) error {
	r.uvarint(int(pos))
	r.uvarint(int(start))
	r.uvarint(int(end))
	r.bytes(payload)
	return nil
}

func (r *recordedVectors) FinishDocument() error { return nil }
func (r *recordedVectors) Finish(int32) error    { return nil }
func (r *recordedVectors) Close() error          { return nil }

func replayVectors(w codec.TermVectorsWriter, rec []byte, numbers map[int32]*bufferField) error {
	if len(rec) == 0 {
		if err := w.StartDocument(0); err != nil {
			return err
		}
		return w.FinishDocument()
	}
	n := uvarint(&rec)
	if err := w.StartDocument(n); err != nil {
		return err
	}
	for range n {
		f := numbers[int32(uvarint(&rec))].info
		flags, terms := uvarint(&rec), uvarint(&rec)
		if err := w.StartField(f, terms, flags&1 != 0, flags&2 != 0, flags&4 != 0); err != nil {
			return err
		}
		for range terms {
			term := take(&rec, uvarint(&rec))
			freq := uvarint(&rec)
			if err := w.StartTerm(term, int32(freq)); err != nil {
				return err
			}
			if flags&3 == 0 {
				continue
			}
			for range freq {
				pos, start, end := uvarint(&rec), uvarint(&rec), uvarint(&rec)
				if err := w.Position(int32(pos), int32(start), int32(end), take(&rec, uvarint(&rec))); err != nil {
					return err
				}
			}
		}
	}
	return w.FinishDocument()
}
