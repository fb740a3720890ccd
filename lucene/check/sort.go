package check

import (
	"cmp"
	"math"

	"github.com/varve-search/varve/lucene"
)

// sortKey gives the value of a sort field for documents in ascending order, as numbers that compare alike.
type sortKey func(doc int32) (int64, error)

// sorted checks that the documents are in the order that the index sort says.
func (s *segment) sorted() error {
	fields := s.info.Info.IndexSort
	keys := make([]sortKey, len(fields))
	for i, f := range fields {
		var err error
		if keys[i], err = s.sortKey(f); err != nil {
			return err
		}
	}
	parents, err := s.parents()
	if err != nil {
		return err
	}
	last, current := make([]int64, len(fields)), make([]int64, len(fields))
	lastDoc := int32(-1)
	for doc := range s.r.MaxDoc() {
		if err := s.tick(); err != nil {
			return err
		}
		if parents != nil {
			is, err := parents.AdvanceExact(doc)
			if err != nil {
				return err
			}
			if !is {
				continue // within a block only the last document is sorted by
			}
		}
		for i, key := range keys {
			if current[i], err = key(doc); err != nil {
				return err
			}
		}
		if lastDoc >= 0 {
			for i, f := range fields {
				c := cmp.Compare(last[i], current[i])
				if f.Reverse {
					c = -c
				}
				if c > 0 {
					return problemf("document %d sorts after document %d by field %q", lastDoc, doc, f.Field)
				}
				if c < 0 {
					break
				}
			}
		}
		last, current, lastDoc = current, last, doc
	}
	return nil
}

// parents returns the documents that end a block, or nil where all documents are sorted.
func (s *segment) parents() (lucene.NumericDocValues, error) {
	if !s.info.Info.HasBlocks {
		return nil, nil
	}
	for _, f := range s.r.FieldInfos().All() {
		if f.Parent {
			return s.r.DocValues().Numeric(f)
		}
	}
	return nil, nil
}

func (s *segment) sortKey(f lucene.SortField) (sortKey, error) {
	info := s.r.FieldInfos().ByName(f.Field)
	if info == nil || info.DocValuesType == lucene.DocValuesNone {
		return func(int32) (int64, error) { return missingKey(f), nil }, nil
	}
	if f.Type == lucene.SortString {
		return s.stringKey(f, info)
	}
	return s.numberKey(f, info)
}

// missingKey is the key of a document without a value.
func missingKey(f lucene.SortField) int64 {
	switch v := f.Missing.(type) {
	case lucene.MissingString:
		if v == lucene.StringLast {
			return math.MaxInt64
		}
		return -1
	case int32:
		return int64(v)
	case int64:
		return v
	case float32:
		return int64(sortable32(int32(math.Float32bits(v))))
	case float64:
		return sortable64(int64(math.Float64bits(v)))
	}
	if f.Type == lucene.SortString {
		return -1
	}
	return 0
}

// sortable32 turns the bits of a float into an int that compares like it, and back.
func sortable32(bits int32) int32 { return bits ^ bits>>31&math.MaxInt32 }
func sortable64(bits int64) int64 { return bits ^ bits>>63&math.MaxInt64 }

func (s *segment) numberKey(f lucene.SortField, info *lucene.FieldInfo) (sortKey, error) {
	missing := missingKey(f)
	if info.DocValuesType == lucene.DocValuesNumeric {
		v, err := s.r.DocValues().Numeric(info)
		if err != nil || v == nil {
			return func(int32) (int64, error) { return missing, nil }, err
		}
		return func(doc int32) (int64, error) {
			has, err := v.AdvanceExact(doc)
			if err != nil || !has {
				return missing, err
			}
			n, err := v.Value()
			if f.Selector == lucene.SelectNone { // the column holds plain bits
				switch f.Type {
				case lucene.SortFloat:
					n = int64(sortable32(int32(n)))
				case lucene.SortDouble:
					n = sortable64(n)
				}
			}
			return n, err
		}, nil
	}
	v, err := s.r.DocValues().SortedNumeric(info)
	if err != nil || v == nil {
		return func(int32) (int64, error) { return missing, nil }, err
	}
	return func(doc int32) (int64, error) {
		has, err := v.AdvanceExact(doc)
		if err != nil || !has {
			return missing, err
		}
		n, err := v.NextValue()
		for i := int32(1); err == nil && f.Selector == lucene.SelectMax && i < v.Count(); i++ {
			n, err = v.NextValue()
		}
		return n, err
	}, nil
}

func (s *segment) stringKey(f lucene.SortField, info *lucene.FieldInfo) (sortKey, error) {
	missing := missingKey(f)
	if info.DocValuesType == lucene.DocValuesSorted {
		v, err := s.r.DocValues().Sorted(info)
		if err != nil || v == nil {
			return func(int32) (int64, error) { return missing, nil }, err
		}
		return func(doc int32) (int64, error) {
			has, err := v.AdvanceExact(doc)
			if err != nil || !has {
				return missing, err
			}
			ord, err := v.Ord()
			return int64(ord), err
		}, nil
	}
	v, err := s.r.DocValues().SortedSet(info)
	if err != nil || v == nil {
		return func(int32) (int64, error) { return missing, nil }, err
	}
	return func(doc int32) (int64, error) {
		has, err := v.AdvanceExact(doc)
		if err != nil || !has {
			return missing, err
		}
		n := v.Count()
		pick := int32(0)
		switch f.Selector {
		case lucene.SelectMax:
			pick = n - 1
		case lucene.SelectMiddleMin:
			pick = (n - 1) / 2
		case lucene.SelectMiddleMax:
			pick = n / 2
		}
		ord := int64(0)
		for range pick + 1 {
			if ord, err = v.NextOrd(); err != nil {
				return 0, err
			}
		}
		return ord, nil
	}, nil
}
