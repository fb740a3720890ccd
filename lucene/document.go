package lucene

// Token is one token of a field's text, as Lucene's attributes describe it.
type Token struct {
	Term              []byte // UTF-8, valid until the next token
	StartOffset       int32  // in UTF-16 units of the value
	EndOffset         int32
	PositionIncrement int32
	PositionLength    int32
	Type              string // such as <ALPHANUM> or word
	Payload           []byte
	Keyword           bool // stemmers leave it alone
}

// TokenStream gives the tokens of a value one by one.
type TokenStream interface {
	// Next moves to the next token and tells whether there is one.
	Next() (bool, error)
	// Token returns the current token; the same object for the life of the stream.
	Token() *Token
	// End returns the final offset and the position increment after the last token (holes that a stop
	// filter left), once Next returned false.
	End() (finalOffset, positionIncrement int32)
}

// FieldType is the schema of a field: the same for every document of an index, or it is refused.
// A FieldType must not change after its first use, and is compared by content.
type FieldType struct {
	IndexOptions    IndexOptions
	OmitNorms       bool
	TermVectors     bool
	VectorPositions bool
	VectorOffsets   bool
	VectorPayloads  bool
	DocValuesType   DocValuesType
	PointDims       int32
	PointIndexDims  int32
	PointBytes      int32
	SoftDeletes     bool
	PositionGap     int32 // added between two values of the field in one document
}

// Field is one value of a field of a document: everything that is indexed and stored of it at once.
// Which parts count is said by Type, and for Stored by its Kind.
type Field struct {
	Name string
	Type *FieldType
	// Term is indexed as one token as it is, when IndexOptions ask for an inverted field and Tokens is nil.
	Term []byte
	// Tokens is the analysed text. The writer drains it.
	Tokens TokenStream
	Num    int64  // the doc value of numeric types
	Bytes  []byte // the doc value of binary and sorted types
	// NoDocValue says that this value adds none to the column, though Type has one (a second value of a field whose column holds one).
	NoDocValue bool
	Point      []byte // packed value of PointDims × PointBytes bytes; nil adds none
	// NoTerm says that this value adds nothing to the inverted field, though Type has one.
	NoTerm bool
	Stored StoredValue // Kind StoredNone: nothing
}

// Document is the values of one document in the order they are to be stored.
type Document struct {
	Fields []Field
}

// Reset empties the document for reuse.
func (d *Document) Reset() { d.Fields = d.Fields[:0] }

// Term is a value of a field in the inverted index.
type Term struct {
	Field string
	Bytes []byte
}
