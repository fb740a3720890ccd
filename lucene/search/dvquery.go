package search

import (
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// sortedNumeric returns a numeric column of either kind as one of several values, or nil.
func sortedNumeric(r lucene.LeafReader, field string) (lucene.SortedNumericDocValues, error) {
	fi := r.FieldInfos().ByName(field)
	if fi == nil {
		return nil, nil
	}
	switch fi.DocValuesType {
	case lucene.DocValuesSortedNumeric:
		return r.DocValues().SortedNumeric(fi)
	case lucene.DocValuesNumeric:
		n, err := r.DocValues().Numeric(fi)
		if n == nil || err != nil {
			return nil, err
		}
		return lucene.SingletonNumeric(n), nil
	case lucene.DocValuesNone:
		return nil, nil
	}
	return nil, fmt.Errorf("field %q has doc values of type %s where numbers are needed", field, fi.DocValuesType)
}

// sortedSet returns a column of byte strings of either kind as one of several values, or nil.
func sortedSet(r lucene.LeafReader, field string) (lucene.SortedSetDocValues, error) {
	fi := r.FieldInfos().ByName(field)
	if fi == nil {
		return nil, nil
	}
	switch fi.DocValuesType {
	case lucene.DocValuesSortedSet:
		return r.DocValues().SortedSet(fi)
	case lucene.DocValuesSorted:
		s, err := r.DocValues().Sorted(fi)
		if s == nil || err != nil {
			return nil, err
		}
		return lucene.SingletonSorted(s), nil
	case lucene.DocValuesNone:
		return nil, nil
	}
	return nil, fmt.Errorf("field %q has doc values of type %s where byte strings are needed", field, fi.DocValuesType)
}

// NumericRange matches documents with a number of a column within bounds.
type NumericRange struct {
	Field  string
	Lo, Hi int64 // inclusive
}

func (q *NumericRange) String() string { return fmt.Sprintf("dvrange(%q,%d,%d)", q.Field, q.Lo, q.Hi) }

// Rewrite implements Query.
func (q *NumericRange) Rewrite(*Searcher) (Query, error) {
	if q.Lo > q.Hi {
		return MatchNone{}, nil
	}
	if q.Lo == math.MinInt64 && q.Hi == math.MaxInt64 {
		return &Exists{Field: q.Field}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *NumericRange) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	lo, hi := q.Lo, q.Hi
	return numericWeight(q, boost, q.Field, func(v int64) bool { return v >= lo && v <= hi }), nil
}

// numericWeight matches the documents with a number that passes a test.
func numericWeight(q Query, boost float32, field string, test func(int64) bool) Weight {
	return &constantWeight{q: q, score: boost, supply: func(leaf *lucene.LeafContext) (int64, opener, error) {
		dv, err := sortedNumeric(leaf.Reader, field)
		if dv == nil || err != nil {
			return 0, nil, err
		}
		return dv.Cost(), func(int64) (lucene.DocIDSetIterator, TwoPhase, error) {
			if s := lucene.UnwrapNumeric(dv); s != nil {
				return nil, &twoPhase{s, func() (bool, error) {
					v, err := s.Value()
					return test(v), err
				}, 2}, nil
			}
			return nil, &twoPhase{dv, func() (bool, error) {
				for range dv.Count() {
					v, err := dv.NextValue()
					if err != nil {
						return false, err
					}
					if test(v) {
						return true, nil
					}
				}
				return false, nil
			}, 4}, nil
		}, nil
	}}
}

// NumericSet matches documents with one of several numbers of a column.
type NumericSet struct {
	Field  string
	Values []int64
}

func (q *NumericSet) String() string { return fmt.Sprintf("dvset(%q,%d)", q.Field, q.Values) }

// Rewrite implements Query.
func (q *NumericSet) Rewrite(*Searcher) (Query, error) {
	switch len(q.Values) {
	case 0:
		return MatchNone{}, nil
	case 1:
		return &NumericRange{q.Field, q.Values[0], q.Values[0]}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *NumericSet) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	set := make(map[int64]struct{}, len(q.Values))
	for _, v := range q.Values {
		set[v] = struct{}{}
	}
	return numericWeight(q, boost, q.Field, func(v int64) bool {
		_, ok := set[v]
		return ok
	}), nil
}

// StringRange matches documents with a byte string of a column within bounds.
type StringRange struct {
	Field                      string
	Lower, Upper               []byte // nil: open
	IncludeLower, IncludeUpper bool
}

func (q *StringRange) String() string {
	return fmt.Sprintf("dvstrings(%q,%q,%v,%v,%q,%v,%v)", q.Field, q.Lower, q.Lower == nil, q.IncludeLower, q.Upper, q.Upper == nil, q.IncludeUpper)
}

// Rewrite implements Query.
func (q *StringRange) Rewrite(*Searcher) (Query, error) { return q, nil }

// Weight implements Query.
func (q *StringRange) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return ordinalWeight(q, boost, q.Field, func(dict lucene.TermDictionary) (func(int64) bool, error) {
		lo, hi := int64(0), dict.ValueCount()-1
		if q.Lower != nil {
			o, err := dict.LookupTerm(q.Lower)
			if err != nil {
				return nil, err
			}
			switch {
			case o < 0:
				lo = -o - 1
			case q.IncludeLower:
				lo = o
			default:
				lo = o + 1
			}
		}
		if q.Upper != nil {
			o, err := dict.LookupTerm(q.Upper)
			if err != nil {
				return nil, err
			}
			switch {
			case o < 0:
				hi = -o - 2
			case q.IncludeUpper:
				hi = o
			default:
				hi = o - 1
			}
		}
		if lo > hi {
			return nil, nil
		}
		return func(o int64) bool { return o >= lo && o <= hi }, nil
	}), nil
}

// StringSet matches documents with one of several byte strings of a column.
type StringSet struct {
	Field  string
	Values [][]byte
}

func (q *StringSet) String() string { return fmt.Sprintf("dvstringset(%q,%q)", q.Field, q.Values) }

// Rewrite implements Query.
func (q *StringSet) Rewrite(*Searcher) (Query, error) {
	if len(q.Values) == 0 {
		return MatchNone{}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *StringSet) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return ordinalWeight(q, boost, q.Field, func(dict lucene.TermDictionary) (func(int64) bool, error) {
		var ords []int64
		for _, v := range q.Values {
			o, err := dict.LookupTerm(v)
			if err != nil {
				return nil, err
			}
			if o >= 0 {
				ords = append(ords, o)
			}
		}
		if ords == nil {
			return nil, nil
		}
		slices.Sort(ords)
		return func(o int64) bool {
			_, ok := slices.BinarySearch(ords, o)
			return ok
		}, nil
	}), nil
}

// ordinalWeight matches the documents with an ordinal that passes a test; a nil test matches none.
func ordinalWeight(q Query, boost float32, field string, test func(lucene.TermDictionary) (func(int64) bool, error)) Weight {
	return &constantWeight{q: q, score: boost, supply: func(leaf *lucene.LeafContext) (int64, opener, error) {
		dv, err := sortedSet(leaf.Reader, field)
		if dv == nil || err != nil {
			return 0, nil, err
		}
		ok, err := test(dv)
		if ok == nil || err != nil {
			return 0, nil, err
		}
		return dv.Cost(), func(int64) (lucene.DocIDSetIterator, TwoPhase, error) {
			return nil, &twoPhase{dv, func() (bool, error) {
				for range dv.Count() {
					o, err := dv.NextOrd()
					if err != nil {
						return false, err
					}
					if ok(o) {
						return true, nil
					}
				}
				return false, nil
			}, 4}, nil
		}, nil
	}}
}

// Exists matches documents that have a field, by its column or its norms.
type Exists struct{ Field string }

func (q *Exists) String() string { return fmt.Sprintf("exists(%q)", q.Field) }

// Rewrite implements Query.
func (q *Exists) Rewrite(*Searcher) (Query, error) { return q, nil }

// Weight implements Query.
func (q *Exists) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return &constantWeight{q: q, score: boost,
		supply: func(leaf *lucene.LeafContext) (int64, opener, error) {
			it, err := existsIterator(leaf.Reader, q.Field)
			if it == nil || err != nil {
				return 0, nil, err
			}
			return it.Cost(), func(int64) (lucene.DocIDSetIterator, TwoPhase, error) { return it, nil, nil }, nil
		},
		count: func(leaf *lucene.LeafContext) (int, error) {
			fi := leaf.Reader.FieldInfos().ByName(q.Field)
			if fi == nil {
				return 0, nil
			}
			if leaf.Reader.LiveDocs() != nil || fi.DocValuesGen >= 0 {
				return -1, nil
			}
			if fi.PointDims > 0 && fi.DocValuesType != lucene.DocValuesNone {
				pv, err := leaf.Reader.Points(q.Field)
				if pv != nil && err == nil && pv.DocCount() == leaf.Reader.MaxDoc() {
					return int(pv.DocCount()), nil
				}
				return -1, err
			}
			return -1, nil
		},
	}, nil
}

// existsIterator walks over the documents that have a field.
func existsIterator(r lucene.LeafReader, field string) (lucene.DocIDSetIterator, error) {
	fi := r.FieldInfos().ByName(field)
	if fi == nil {
		return nil, nil
	}
	// A typed nil must not become an iterator.
	switch {
	case fi.DocValuesType == lucene.DocValuesBinary:
		dv, err := r.DocValues().Binary(fi)
		if dv == nil || err != nil {
			return nil, err
		}
		return dv, nil
	case fi.DocValuesType == lucene.DocValuesSorted || fi.DocValuesType == lucene.DocValuesSortedSet:
		dv, err := sortedSet(r, field)
		if dv == nil || err != nil {
			return nil, err
		}
		return dv, nil
	case fi.DocValuesType != lucene.DocValuesNone:
		dv, err := sortedNumeric(r, field)
		if dv == nil || err != nil {
			return nil, err
		}
		return dv, nil
	case fi.HasNorms():
		dv, err := r.Norms(field)
		if dv == nil || err != nil {
			return nil, err
		}
		return dv, nil
	}
	return nil, fmt.Errorf("cannot tell which documents have field %q: it has neither doc values nor norms", field)
}
