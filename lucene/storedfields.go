package lucene

// StoredKind is the type of a stored value.
type StoredKind uint8

// The kinds. On disk a kind is its number here less one.
const (
	StoredNone StoredKind = iota // nothing is stored
	StoredString
	StoredBytes
	StoredInt
	StoredFloat
	StoredLong
	StoredDouble
)

// StoredValue is one stored value. Numbers are in Num: floats and doubles as their IEEE 754 bits.
type StoredValue struct {
	Kind  StoredKind
	Bytes []byte // UTF-8 for StoredString
	Num   int64
}

// VisitStatus is what a visitor wants of a stored field.
type VisitStatus uint8

// The answers of StoredFieldVisitor.Needs.
const (
	VisitYes VisitStatus = iota
	VisitNo
	VisitStop // no more fields of this document
)

// StoredFieldVisitor receives the stored fields of a document in the order they were added.
type StoredFieldVisitor interface {
	Needs(f *FieldInfo) (VisitStatus, error)
	// Field receives a value; its bytes are valid only during the call.
	Field(f *FieldInfo, v StoredValue) error
}

// StoredFields reads documents. It is for one goroutine, and cheap to get.
type StoredFields interface {
	Document(doc int32, v StoredFieldVisitor) error
}

// TermVectors reads the inverted document. It is for one goroutine.
type TermVectors interface {
	// Get returns the vectors of a document, or nil if it has none. Its Terms have one document, 0.
	Get(doc int32) (Fields, error)
}
