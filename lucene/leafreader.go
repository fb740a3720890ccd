package lucene

// LeafReader is a view of one segment at one moment: immutable, safe for concurrent use.
type LeafReader interface {
	MaxDoc() int32
	NumDocs() int32
	// LiveDocs returns the documents that are not deleted, hard or soft; nil if none is.
	LiveDocs() Bits
	FieldInfos() *FieldInfos
	// SegmentInfo returns what is known of the segment; SegmentName is its name.
	Segment() *SegmentCommitInfo
	// Terms returns the inverted field or nil.
	Terms(field string) (Terms, error)
	// DocValues hands out columns, updates applied.
	DocValues() DocValuesProducer
	// Norms returns the norms of a field or nil.
	Norms(field string) (NumericDocValues, error)
	// Points returns the points of a field or nil.
	Points(field string) (PointValues, error)
	StoredFields() StoredFields
	TermVectors() TermVectors
	// Unsupported returns why a part of a field cannot be read (a codec of a plugin), or nil. What
	// such a field is asked for is that error.
	Unsupported(field string) error
}

// LeafContext is a segment within a reader of the whole index.
type LeafContext struct {
	Reader  LeafReader
	Ord     int   // which leaf
	DocBase int32 // doc ID of its first document within the whole
}
