package index

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
)

// maxBufferBytes is where a buffer is flushed whatever the budget: its addresses have 32 bits.
const maxBufferBytes = 1900 << 20

// maxPosition is the highest position that a token may have.
const maxPosition = math.MaxInt32 - 128

// buffer is a segment in memory, filled by one goroutine at a time.
type buffer struct {
	seg    *lucene.SegmentInfo
	schema *schema
	sort   []lucene.SortField
	open   func(*buffer) (codec.StoredFieldsWriter, error) // makes the stored fields' file
	openTV func(*buffer) (codec.TermVectorsWriter, error)
	dir    *trackingDirectory

	ram     int64
	text    bytePool // terms of inverted fields
	slices  bytePool // postings
	dictTxt bytePool // terms of columns

	fields   map[string]*bufferField
	list     []*bufferField
	resolved []*bufferField // of the fields of the block under way, one after another
	fresh    []newField
	touched  []*bufferField // inverted in the document under way

	numDocs    int32
	seqs       []int64 // sequence number of each document; those of the block under way are missing
	deleted    []uint64
	numDeleted int32
	blocks     bool

	stored        codec.StoredFieldsWriter
	storedRecords [][]byte
	vectors       codec.TermVectorsWriter
	vectorDocs    int32
	vectorRecords [][]byte
	hasVectors    bool
	record        stream

	// err is an error of writing: what the buffer holds is lost.
	err error

	serial int64 // counts documents, also those refused before they got a number

	// of the Writer, guarded by its mu
	inUse   bool
	pending bool  // to be flushed when its operation ends
	counted int64 // ram as the Writer has counted it
}

// bufferField is a field of a buffer.
type bufferField struct {
	info   *lucene.FieldInfo
	typ    *lucene.FieldType // a type that is known to fit
	schema fieldSchema
	inv    *inverted
	norms  *normBuffer
	col    *column
	pts    *pointBuffer
	vec    *fieldVectors

	checked int64 // document in which the column was given a value, while it is checked

	// the document under way
	doc        int32
	position   int32
	lastPos    int32
	offset     int32
	lastStart  int32
	length     int32
	overlaps   int32
	unique     int32
	vectorType *lucene.FieldType
}

func newBuffer(seg *lucene.SegmentInfo, sch *schema, dir *trackingDirectory) *buffer {
	b := &buffer{seg: seg, schema: sch, sort: seg.IndexSort, dir: dir, fields: map[string]*bufferField{}}
	b.text.ram, b.slices.ram, b.dictTxt.ram, b.record.ram = &b.ram, &b.ram, &b.ram, &b.ram
	b.slices.alloc(8) // so that no slice has address 0
	return b
}

// check resolves the fields of a block and verifies all that can be verified before anything is added. On an error
// the buffer is as before.
func (b *buffer) check(docs []*lucene.Document) error {
	b.fresh = b.fresh[:0]
	n := 0
	var err error
	for _, d := range docs {
		b.serial++
		for i := range d.Fields {
			var pf *bufferField
			if pf, err = b.resolve(n, &d.Fields[i]); err == nil {
				err = b.checkValue(pf, &d.Fields[i])
			}
			if err != nil {
				b.dropFresh()
				return err
			}
			n++
		}
	}
	b.resolved = b.resolved[:n]
	if len(b.fresh) == 0 {
		return nil
	}
	infos, err := b.schema.register(b.fresh)
	if err != nil {
		b.dropFresh()
		return err
	}
	for i, f := range b.fresh {
		b.start(b.fields[f.name], infos[i])
	}
	return nil
}

func (b *buffer) dropFresh() {
	for _, f := range b.fresh {
		delete(b.fields, f.name)
	}
	b.resolved = b.resolved[:0]
}

// resolve finds the field at place n of the block. Documents tend to have the same fields in the same order, so the field
// that was there last time is tried first.
func (b *buffer) resolve(n int, f *lucene.Field) (*bufferField, error) {
	var pf *bufferField
	if n < len(b.resolved) && b.resolved[n].info.Name == f.Name {
		pf = b.resolved[n]
	} else {
		if pf = b.fields[f.Name]; pf == nil {
			if f.Type == nil {
				return nil, fmt.Errorf("field %q has no type", f.Name)
			}
			pf = &bufferField{typ: f.Type, schema: schemaOfType(f.Type), info: &lucene.FieldInfo{Name: f.Name}, doc: -1}
			b.fields[f.Name] = pf
			b.fresh = append(b.fresh, newField{f.Name, f.Type})
		}
		if n < len(b.resolved) {
			b.resolved[n] = pf
		} else {
			b.resolved = append(b.resolved, pf)
		}
	}
	if f.Type != pf.typ {
		if f.Type == nil {
			return nil, fmt.Errorf("field %q has no type", f.Name)
		}
		if err := checkType(f.Name, f.Type); err != nil {
			return nil, err
		}
		if err := pf.schema.diff(f.Name, schemaOfType(f.Type)); err != nil {
			return nil, err
		}
		pf.typ = f.Type
	}
	return pf, nil
}

func (b *buffer) checkValue(pf *bufferField, f *lucene.Field) error {
	t := f.Type
	if t.IndexOptions != lucene.IndexNone && !f.NoTerm && f.Tokens == nil && len(f.Term) > maxTermLength {
		return immense(f.Name, f.Term)
	}
	if t.DocValuesType != lucene.DocValuesNone && !f.NoDocValue {
		switch t.DocValuesType {
		case lucene.DocValuesNumeric, lucene.DocValuesBinary, lucene.DocValuesSorted:
			if pf.checked == b.serial {
				return fmt.Errorf("field %q: a document has more than one value of a column of type %s", f.Name, t.DocValuesType)
			}
			pf.checked = b.serial
		}
		if (t.DocValuesType == lucene.DocValuesSorted || t.DocValuesType == lucene.DocValuesSortedSet) && len(f.Bytes) > maxTermLength {
			return immense(f.Name, f.Bytes)
		}
	}
	if f.Point != nil && len(f.Point) != int(t.PointDims*t.PointBytes) {
		return fmt.Errorf("field %q: a point of %d bytes where %d × %d are expected", f.Name, len(f.Point), t.PointDims, t.PointBytes)
	}
	if f.Stored.Kind > lucene.StoredDouble {
		return fmt.Errorf("field %q: unknown kind %d of a stored value", f.Name, f.Stored.Kind)
	}
	if len(f.Stored.Bytes) > maxBufferBytes/4 {
		return fmt.Errorf("field %q: a stored value of %d bytes is too large", f.Name, len(f.Stored.Bytes))
	}
	return nil
}

// ImmenseTermError says that a term is longer than the format allows. The document is refused.
type ImmenseTermError struct {
	Field  string
	Length int
	Prefix []byte
}

func (e *ImmenseTermError) Error() string {
	return fmt.Sprintf("field %q: a term of %d bytes is longer than the limit of %d; it begins with %q", e.Field, e.Length, maxTermLength, e.Prefix)
}

func immense(field string, term []byte) error {
	return &ImmenseTermError{Field: field, Length: len(term), Prefix: append([]byte(nil), term[:30]...)}
}

// start makes the parts of a field that the index now knows.
func (b *buffer) start(pf *bufferField, info *lucene.FieldInfo) {
	pf.info = info
	b.list = append(b.list, pf)
	b.ram += 1024
	if opts := info.IndexOptions; opts != lucene.IndexNone {
		pf.inv = &inverted{
			slices: &b.slices, ram: &b.ram, hash: bytesHash{pool: &b.text, ram: &b.ram},
			freqs:   opts >= lucene.IndexDocsAndFreqs,
			hasPos:  opts >= lucene.IndexDocsFreqsPositions,
			offsets: opts >= lucene.IndexDocsFreqsPositionsOffsets,
		}
		if !info.OmitNorms {
			pf.norms = newNorms(&b.ram)
		}
		if info.HasVectors {
			b.hasVectors = true
			pf.vec = newFieldVectors(&b.ram)
		}
	}
	if info.DocValuesType != lucene.DocValuesNone {
		pf.col = newColumn(info.DocValuesType, &b.dictTxt, &b.ram)
	}
	if info.PointDims > 0 {
		pf.pts = newPoints(int(info.PointDims*info.PointBytes), &b.ram)
	}
}

// add takes a block. An error that is not b.err refuses the block: what was added of it is deleted.
func (b *buffer) add(docs []*lucene.Document) error {
	if err := b.check(docs); err != nil {
		return err
	}
	first, at := b.numDocs, 0
	for _, d := range docs {
		n := len(d.Fields)
		if err := b.addDoc(d, b.resolved[at:at+n]); err != nil {
			if b.err == nil {
				b.deleteFrom(first)
			}
			return err
		}
		at += n
	}
	if len(docs) > 1 {
		b.blocks = true
	}
	return nil
}

// seal gives the documents added since the last call their sequence number.
func (b *buffer) seal(seq int64) {
	before := cap(b.seqs)
	for len(b.seqs) < int(b.numDocs) {
		b.seqs = append(b.seqs, seq)
	}
	b.ram += int64(cap(b.seqs)-before) * 8
}

func (b *buffer) deleteFrom(first int32) {
	for doc := first; doc < b.numDocs; doc++ {
		b.delete(doc)
	}
}

func (b *buffer) delete(doc int32) {
	for int(doc>>6) >= len(b.deleted) {
		b.deleted = append(b.deleted, 0)
	}
	if bit := uint64(1) << (doc & 63); b.deleted[doc>>6]&bit == 0 {
		b.deleted[doc>>6] |= bit
		b.numDeleted++
	}
}

func (b *buffer) isDeleted(doc int32) bool {
	return int(doc>>6) < len(b.deleted) && b.deleted[doc>>6]&(1<<(doc&63)) != 0
}

// addDoc adds one document. Whatever fails, the parts of the document are finished, so that the buffer stays sound.
func (b *buffer) addDoc(d *lucene.Document, fields []*bufferField) error {
	doc := b.numDocs
	b.numDocs++
	b.touched = b.touched[:0]
	if err := b.startStored(); err != nil {
		return err
	}
	var refused error
	for i := range d.Fields {
		f, pf := &d.Fields[i], fields[i]
		if pf.inv != nil && !f.NoTerm {
			if refused = b.invert(doc, pf, f); refused != nil {
				break
			}
		}
		if f.Stored.Kind != lucene.StoredNone {
			if err := b.store(pf, &f.Stored); err != nil {
				return err
			}
		}
		if pf.col != nil && !f.NoDocValue {
			pf.col.add(doc, f.Num, f.Bytes)
		}
		if f.Point != nil {
			pf.pts.add(doc, f.Point)
		}
	}
	for _, pf := range b.touched {
		pf.finish(doc)
	}
	if err := b.finishStored(); err != nil {
		return err
	}
	if b.hasVectors {
		if err := b.finishVectors(doc, refused != nil); err != nil {
			return err
		}
	}
	return refused
}

// finish ends the field of a document that has it inverted.
func (pf *bufferField) finish(doc int32) {
	if pf.length > 0 {
		pf.inv.docCount++
	}
	if pf.norms == nil {
		return
	}
	tokens := pf.length - pf.overlaps
	if pf.info.IndexOptions == lucene.IndexDocs {
		tokens = pf.unique
	}
	pf.norms.add(doc, lengthNorm(tokens))
}

var (
	errFirstIncrement = errors.New("the first token has no position increment")
	errIncrement      = errors.New("a token has a negative position increment")
	errPosition       = errors.New("a position is beyond the limit")
	errOffsets        = errors.New("offsets of tokens must not be negative or go backwards")
)

// invert adds a value of an inverted field.
func (b *buffer) invert(doc int32, pf *bufferField, f *lucene.Field) error {
	if pf.doc != doc {
		pf.doc, pf.position, pf.lastPos, pf.offset, pf.lastStart = doc, -1, 0, 0, 0
		pf.length, pf.overlaps, pf.unique = 0, 0, 0
		pf.vectorType = f.Type
		b.touched = append(b.touched, pf)
	}
	if f.Tokens == nil {
		return b.invertTerm(doc, pf, f)
	}
	stream := f.Tokens
	tok := stream.Token()
	for {
		ok, err := stream.Next()
		if err != nil {
			return fmt.Errorf("field %q: analyse: %w", f.Name, err)
		}
		if !ok {
			break
		}
		if err := b.token(doc, pf, tok); err != nil {
			return err
		}
	}
	offset, increment := stream.End()
	gap := max(f.Type.PositionGap, 0)
	if int64(pf.position)+int64(max(increment, 0))+int64(gap) > maxPosition || offset < 0 || int64(pf.offset)+int64(offset)+1 > math.MaxInt32 {
		return fmt.Errorf("field %q: %w", f.Name, errPosition)
	}
	pf.position += max(increment, 0) + gap
	pf.offset += offset + 1
	return nil
}

func (b *buffer) token(doc int32, pf *bufferField, tok *lucene.Token) error {
	inc := tok.PositionIncrement
	pos := int64(pf.position) + int64(inc)
	switch {
	case inc < 0:
		return fmt.Errorf("field %q: %w", pf.info.Name, errIncrement)
	case pos < 0:
		return fmt.Errorf("field %q: %w", pf.info.Name, errFirstIncrement)
	case pos > maxPosition:
		return fmt.Errorf("field %q: %w", pf.info.Name, errPosition)
	}
	pf.position = int32(pos)
	if inc == 0 {
		pf.overlaps++
	}
	start := int64(pf.offset) + int64(tok.StartOffset)
	end := int64(pf.offset) + int64(tok.EndOffset)
	if start < int64(pf.lastStart) || end < start || end > math.MaxInt32 {
		return fmt.Errorf("field %q: %w (%d to %d after %d)", pf.info.Name, errOffsets, start, end, pf.lastStart)
	}
	pf.lastStart = int32(start)
	if len(tok.Term) > maxTermLength {
		return immense(pf.info.Name, tok.Term)
	}
	if pf.length == math.MaxInt32 {
		return fmt.Errorf("field %q: too many tokens", pf.info.Name)
	}
	return b.occurrence(doc, pf, tok.Term, tok)
}

// invertTerm adds a value that is one term.
func (b *buffer) invertTerm(doc int32, pf *bufferField, f *lucene.Field) error {
	if pf.position >= maxPosition {
		return fmt.Errorf("field %q: %w", f.Name, errPosition)
	}
	pf.position++
	if !pf.inv.offsets && pf.vec == nil {
		return b.occurrence(doc, pf, f.Term, nil)
	}
	tok := lucene.Token{EndOffset: utf16Length(f.Term)}
	if int64(pf.offset)+int64(tok.EndOffset) > math.MaxInt32 {
		return fmt.Errorf("field %q: %w", f.Name, errOffsets)
	}
	pf.lastStart = pf.offset
	err := b.occurrence(doc, pf, f.Term, &tok)
	pf.offset += tok.EndOffset
	return err
}

func (b *buffer) occurrence(doc int32, pf *bufferField, term []byte, tok *lucene.Token) error {
	pf.length++
	first, err := pf.inv.add(doc, term, pf.position, tok, pf.offset)
	if err != nil {
		return fmt.Errorf("field %q: %w", pf.info.Name, err)
	}
	if first {
		pf.unique++
	}
	if pf.vec != nil {
		pf.vec.add(term, pf.position, tok, pf.offset)
	}
	return nil
}

// utf16Length counts UTF-16 units.
func utf16Length(b []byte) int32 {
	n := int32(0)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		i += size
		n++
		if r >= 0x10000 {
			n++
		}
	}
	return n
}
