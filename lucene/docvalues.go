package lucene

// DocValuesIterator is a column of one segment: an iterator over the documents that have a value,
// which can also be asked document by document.
type DocValuesIterator interface {
	DocIDSetIterator
	// AdvanceExact moves to target, which is at or beyond the current document, and tells whether it has a value.
	AdvanceExact(target int32) (bool, error)
}

// NumericDocValues has one number per document.
type NumericDocValues interface {
	DocValuesIterator
	Value() (int64, error)
}

// BinaryDocValues has one byte string per document.
type BinaryDocValues interface {
	DocValuesIterator
	Value() ([]byte, error) // valid until the next move
}

// SortedDocValues has one byte string per document, kept as the ordinal of a sorted dictionary.
type SortedDocValues interface {
	DocValuesIterator
	Ord() (int32, error)
	TermDictionary
}

// SortedNumericDocValues has one or more numbers per document, ascending, duplicates kept.
type SortedNumericDocValues interface {
	DocValuesIterator
	Count() int32              // values of the current document
	NextValue() (int64, error) // to be called at most Count times
}

// SortedSetDocValues has a set of byte strings per document, as ascending ordinals of a sorted dictionary.
type SortedSetDocValues interface {
	DocValuesIterator
	Count() int32
	NextOrd() (int64, error) // to be called at most Count times
	TermDictionary
}

// TermDictionary is the sorted dictionary of a column.
type TermDictionary interface {
	ValueCount() int64
	LookupOrd(ord int64) ([]byte, error)   // valid until the next lookup
	LookupTerm(term []byte) (int64, error) // its ordinal, or -insertionPoint-1
	TermsEnum() (TermsEnum, error)         // over the dictionary; Next, SeekCeil, SeekExact, Term and Ord
}

// OrdTermsEnum is what TermDictionary.TermsEnum returns in addition.
type OrdTermsEnum interface {
	TermsEnum
	Ord() int64
	SeekOrd(ord int64) error
}

// DocValuesProducer hands out the columns of a segment, a fresh iterator per call. A field without that type of column is nil.
type DocValuesProducer interface {
	Numeric(f *FieldInfo) (NumericDocValues, error)
	Binary(f *FieldInfo) (BinaryDocValues, error)
	Sorted(f *FieldInfo) (SortedDocValues, error)
	SortedNumeric(f *FieldInfo) (SortedNumericDocValues, error)
	SortedSet(f *FieldInfo) (SortedSetDocValues, error)
}

// NormsProducer hands out the norms of a segment.
type NormsProducer interface {
	Norms(f *FieldInfo) (NumericDocValues, error)
}

// NumericBatch is implemented by numeric columns that can decode many values at once; aggregations use
// it. Documents ascend and all have a value unless the column is sparse; found tells which had one.
type NumericBatch interface {
	// Values fills values[i] for docs[i] and returns false, having done nothing, if the column is sparse.
	Values(docs []int32, values []int64) (bool, error)
}

// NumericPresent is implemented by numeric columns that can find and decode the values of many documents at once, also where
// not every document has one.
type NumericPresent interface {
	// Present puts those of the ascending docs that have a value into found, and their values into values, both at
	// least as long as docs. It returns how many there are.
	Present(docs, found []int32, values []int64) (int, error)
}
