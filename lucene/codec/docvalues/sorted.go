package docvalues

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// sorted implements lucene.SortedDocValues, and lucene.NumericBatch for its ordinals.
type sorted struct {
	numeric
	dictionary
}

// Ord implements lucene.SortedDocValues.
func (s *sorted) Ord() (int32, error) {
	ord, err := s.values.get(s.index())
	if err == nil && uint64(ord) >= uint64(min(s.dictionary.entry.size, int64(lucene.NoMoreDocs))) {
		err = s.dictionary.outOfRange(ord)
	}
	return int32(ord), err
}

// Values implements lucene.NumericBatch for ordinals.
func (s *sorted) Values(docs []int32, ords []int64) (bool, error) {
	ok, err := s.numeric.Values(docs, ords)
	if !ok || err != nil {
		return ok, err
	}
	return true, s.check(ords[:len(docs)])
}

// Present implements lucene.NumericPresent for ordinals.
func (s *sorted) Present(docs, found []int32, ords []int64) (int, error) {
	n, err := s.numeric.Present(docs, found, ords)
	if err == nil {
		err = s.check(ords[:n])
	}
	return n, err
}

func (s *sorted) check(ords []int64) error {
	size := uint64(min(s.dictionary.entry.size, int64(lucene.NoMoreDocs)))
	for _, ord := range ords {
		if uint64(ord) >= size {
			return s.dictionary.outOfRange(ord)
		}
	}
	return nil
}

// sortedSet implements lucene.SortedSetDocValues for columns with several values in some document.
type sortedSet struct {
	sortedNumeric
	dictionary
}

// NextOrd implements lucene.SortedSetDocValues.
func (s *sortedSet) NextOrd() (int64, error) {
	ord, err := s.NextValue()
	if err == nil && uint64(ord) >= uint64(s.dictionary.entry.size) {
		err = s.dictionary.outOfRange(ord)
	}
	return ord, err
}

func (d *dictionary) outOfRange(ord int64) error {
	return store.Corruptf(d.in.Name(), d.entry.offset, "ordinal %d of a dictionary of %d terms", ord, d.entry.size)
}
