package lucene

// NumericSingleton is implemented by SortedNumericDocValues that never have more than one value a document. What it
// returns is the same iterator with the methods of a NumericDocValues; use one or the other.
type NumericSingleton interface {
	SingleNumeric() NumericDocValues
}

// SortedSingleton is implemented by SortedSetDocValues that never have more than one value a document. What it
// returns is the same iterator with the methods of a SortedDocValues; use one or the other.
type SortedSingleton interface {
	SingleSorted() SortedDocValues
}

// UnwrapNumeric returns a column with one value a document as NumericDocValues, or nil if s may have more.
func UnwrapNumeric(s SortedNumericDocValues) NumericDocValues {
	if u, ok := s.(NumericSingleton); ok {
		return u.SingleNumeric()
	}
	return nil
}

// UnwrapSorted returns a column with one value a document as SortedDocValues, or nil if s may have more.
func UnwrapSorted(s SortedSetDocValues) SortedDocValues {
	if u, ok := s.(SortedSingleton); ok {
		return u.SingleSorted()
	}
	return nil
}

// SingletonNumeric returns a column of one number a document as SortedNumericDocValues. It passes NumericBatch on.
func SingletonNumeric(n NumericDocValues) SortedNumericDocValues {
	return &singletonNumeric{n}
}

type singletonNumeric struct{ NumericDocValues }

func (s *singletonNumeric) SingleNumeric() NumericDocValues { return s.NumericDocValues }
func (s *singletonNumeric) Count() int32                    { return 1 }
func (s *singletonNumeric) NextValue() (int64, error)       { return s.Value() }

// Values implements NumericBatch.
func (s *singletonNumeric) Values(docs []int32, values []int64) (bool, error) {
	if b, ok := s.NumericDocValues.(NumericBatch); ok {
		return b.Values(docs, values)
	}
	return false, nil
}

// SingletonSorted returns a column of one byte string a document as SortedSetDocValues.
func SingletonSorted(s SortedDocValues) SortedSetDocValues { return &singletonSorted{s} }

type singletonSorted struct{ SortedDocValues }

func (s *singletonSorted) SingleSorted() SortedDocValues { return s.SortedDocValues }
func (s *singletonSorted) Count() int32                  { return 1 }
func (s *singletonSorted) NextOrd() (int64, error) {
	ord, err := s.Ord()
	return int64(ord), err
}
