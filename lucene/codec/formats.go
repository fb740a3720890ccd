package codec

import (
	"io"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// ReadState is what a format needs to open its files of a segment.
type ReadState struct {
	Dir    store.Directory // the segment's files: a compound reader where the segment is compound
	Info   *lucene.SegmentInfo
	Fields *lucene.FieldInfos
	Suffix string // of the file names, such as Lucene912_0, or a generation
	Access store.Access
}

// WriteState is what a format needs to write its files of a segment.
type WriteState struct {
	Dir    store.Directory
	Info   *lucene.SegmentInfo
	Fields *lucene.FieldInfos
	Suffix string
}

// FileName returns the name of the state's segment file with an extension.
func (s *ReadState) FileName(ext string) string {
	return lucene.SegmentFileName(s.Info.Name, s.Suffix, ext)
}

// FileName returns the name of the state's segment file with an extension.
func (s *WriteState) FileName(ext string) string {
	return lucene.SegmentFileName(s.Info.Name, s.Suffix, ext)
}

// Checker is what every producer offers: reading all its bytes against their checksums.
type Checker interface {
	// CheckIntegrity verifies the checksum of every file of the producer.
	CheckIntegrity() error
	io.Closer
}

// FieldsProducer reads postings and terms.
type FieldsProducer interface {
	lucene.Fields
	Checker
}

// FieldsConsumer writes the postings of a segment: all fields at once, by pulling from fields. norms may be nil
// when no field has any.
type FieldsConsumer interface {
	Write(fields lucene.Fields, norms lucene.NormsProducer) error
	io.Closer
}

// DocValuesProducer reads columns.
type DocValuesProducer interface {
	lucene.DocValuesProducer
	Checker
}

// DocValuesConsumer writes columns. A consumer may ask the producer for the column several times; each time it gets a fresh
// iterator over the same values.
type DocValuesConsumer interface {
	AddNumeric(f *lucene.FieldInfo, values lucene.DocValuesProducer) error
	AddBinary(f *lucene.FieldInfo, values lucene.DocValuesProducer) error
	AddSorted(f *lucene.FieldInfo, values lucene.DocValuesProducer) error
	AddSortedNumeric(f *lucene.FieldInfo, values lucene.DocValuesProducer) error
	AddSortedSet(f *lucene.FieldInfo, values lucene.DocValuesProducer) error
	// Close writes the footers.
	io.Closer
}

// NormsProducer reads norms.
type NormsProducer interface {
	lucene.NormsProducer
	Checker
}

// NormsConsumer writes norms.
type NormsConsumer interface {
	AddNorms(f *lucene.FieldInfo, values lucene.NormsProducer) error
	io.Closer
}

// PointsProducer reads points.
type PointsProducer interface {
	lucene.PointsProducer
	Checker
}

// PointSource is where a PointsConsumer takes a field's points from.
type PointSource interface {
	// Len returns how many points there are, at most.
	Len() int64
	// Each calls fn for every point, in ascending doc order; packed is valid only during the call.
	Each(fn func(doc int32, packed []byte) error) error
}

// PointsConsumer writes points.
type PointsConsumer interface {
	AddPoints(f *lucene.FieldInfo, points PointSource) error
	io.Closer
}

// StoredFieldsReader reads stored documents.
type StoredFieldsReader interface {
	// Fields returns a reader for one goroutine.
	Fields() lucene.StoredFields
	Checker
}

// StoredFieldsWriter writes documents one after another.
type StoredFieldsWriter interface {
	StartDocument() error
	Field(f *lucene.FieldInfo, v lucene.StoredValue) error
	FinishDocument() error
	// Finish is called once, with the number of documents, before Close.
	Finish(numDocs int32) error
	io.Closer
}

// TermVectorsReader reads term vectors.
type TermVectorsReader interface {
	Vectors() lucene.TermVectors
	Checker
}

// TermVectorsWriter writes term vectors: for every document of the segment, in order, StartDocument,
// then for each field its terms ascending, each with its positions and offsets, then FinishDocument.
type TermVectorsWriter interface {
	StartDocument(numFields int) error
	StartField(f *lucene.FieldInfo, numTerms int, positions, offsets, payloads bool) error
	StartTerm(term []byte, freq int32) error
	// Position adds one occurrence; what the field does not have is ignored.
	Position(position, startOffset, endOffset int32, payload []byte) error
	FinishDocument() error
	Finish(numDocs int32) error
	io.Closer
}
