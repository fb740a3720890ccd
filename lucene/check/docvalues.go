package check

import (
	"bytes"

	"github.com/varve-search/varve/lucene"
)

// docValues checks all columns.
func (s *segment) docValues() error {
	dv := s.r.DocValues()
	for _, f := range s.r.FieldInfos().All() {
		if f.DocValuesType == lucene.DocValuesNone {
			continue
		}
		s.runField(PartDocValues, f.Name, func() error {
			s.report.DocValues++
			switch f.DocValuesType {
			case lucene.DocValuesNumeric:
				return s.numeric(func() (lucene.NumericDocValues, error) { return dv.Numeric(f) })
			case lucene.DocValuesBinary:
				return s.binary(func() (lucene.BinaryDocValues, error) { return dv.Binary(f) })
			case lucene.DocValuesSorted:
				return s.sortedColumn(func() (lucene.SortedDocValues, error) { return dv.Sorted(f) })
			case lucene.DocValuesSortedNumeric:
				return s.sortedNumeric(func() (lucene.SortedNumericDocValues, error) { return dv.SortedNumeric(f) })
			default:
				return s.sortedSet(func() (lucene.SortedSetDocValues, error) { return dv.SortedSet(f) })
			}
		})
	}
	return nil
}

// walk goes through a column three times: it calls each for every document with a value of the first two iterators,
// which got there by Next and by AdvanceExact, and lets a third skip.
func walk[T lucene.DocValuesIterator](s *segment, open func() (T, error), each func(a, b T, doc int32) error) error {
	var it [3]T
	for i := range it {
		var err error
		if it[i], err = open(); err != nil {
			return err
		}
		if any(it[i]) == nil {
			return nil // the segment has no document with a value
		}
	}
	a, b, skip := it[0], it[1], it[2]
	if a.DocID() != -1 {
		return problemf("it begins at document %d", a.DocID())
	}
	last := int32(-1)
	for i := 0; ; i++ {
		if err := s.tick(); err != nil {
			return err
		}
		doc, err := a.Next()
		if err != nil {
			return err
		}
		if doc <= last || doc != lucene.NoMoreDocs && doc >= s.r.MaxDoc() || a.DocID() != doc {
			return problemf("document %d of %d follows %d", doc, s.r.MaxDoc(), last)
		}
		if i%10 == 1 && skip.DocID() < last+1 {
			got, err := skip.Advance(last + 1)
			if err != nil {
				return err
			}
			if got != doc || skip.DocID() != doc {
				return problemf("the first document from %d on is %d, a skip finds %d", last+1, doc, got)
			}
		}
		if doc == lucene.NoMoreDocs {
			return nil
		}
		if i%13 == 1 && doc-1 > last && b.DocID() < doc-1 {
			has, err := b.AdvanceExact(doc - 1)
			if err != nil {
				return err
			}
			if has {
				return problemf("document %d is said to have a value, but %d is next after %d", doc-1, doc, last)
			}
		}
		has, err := b.AdvanceExact(doc)
		if err != nil {
			return err
		}
		if !has || b.DocID() != doc {
			return problemf("document %d has a value, but is not found", doc)
		}
		if err := each(a, b, doc); err != nil {
			return err
		}
		last = doc
	}
}

func (s *segment) numeric(open func() (lucene.NumericDocValues, error)) error {
	return walk(s, open, func(a, b lucene.NumericDocValues, doc int32) error {
		v, err := a.Value()
		if err != nil {
			return err
		}
		w, err := b.Value()
		if err != nil {
			return err
		}
		if v != w {
			return problemf("document %d has the value %d, and after a seek %d", doc, v, w)
		}
		return nil
	})
}

func (s *segment) binary(open func() (lucene.BinaryDocValues, error)) error {
	return walk(s, open, func(a, b lucene.BinaryDocValues, doc int32) error {
		v, err := a.Value()
		if err != nil {
			return err
		}
		w, err := b.Value()
		if err != nil {
			return err
		}
		if !bytes.Equal(v, w) {
			return problemf("document %d has the value %.100x, and after a seek %.100x", doc, v, w)
		}
		return nil
	})
}

func (s *segment) sortedNumeric(open func() (lucene.SortedNumericDocValues, error)) error {
	return walk(s, open, func(a, b lucene.SortedNumericDocValues, doc int32) error {
		n := a.Count()
		if n <= 0 || n != b.Count() {
			return problemf("document %d has %d values, and after a seek %d", doc, n, b.Count())
		}
		var last int64
		for i := range n {
			v, err := a.NextValue()
			if err != nil {
				return err
			}
			w, err := b.NextValue()
			if err != nil {
				return err
			}
			if v != w || i > 0 && v < last {
				return problemf("document %d has the value %d after %d, and after a seek %d", doc, v, last, w)
			}
			last = v
		}
		return nil
	})
}

// ordinals notes which ordinals of a dictionary are used. It grows with the highest one seen, which a reader
// has compared to the number of values.
type ordinals struct {
	words []uint64
	seen  int64
}

func (o *ordinals) add(ord int64) {
	w := int(ord >> 6)
	if w >= len(o.words) {
		o.words = append(o.words, make([]uint64, w+1-len(o.words))...)
	}
	if bit := uint64(1) << (ord & 63); o.words[w]&bit == 0 {
		o.words[w] |= bit
		o.seen++
	}
}

// maxOrdinals bounds the memory for the ordinals of one column, 256 MiB.
const maxOrdinals = 1 << 31

func (s *segment) sortedColumn(open func() (lucene.SortedDocValues, error)) error {
	var used ordinals
	var dict lucene.SortedDocValues
	err := walk(s, open, func(a, b lucene.SortedDocValues, doc int32) error {
		dict = a
		v, err := a.Ord()
		if err != nil {
			return err
		}
		w, err := b.Ord()
		if err != nil {
			return err
		}
		if v != w || v < 0 || int64(v) >= a.ValueCount() {
			return problemf("document %d has the ordinal %d of %d, and after a seek %d", doc, v, a.ValueCount(), w)
		}
		used.add(int64(v))
		return nil
	})
	if err != nil || dict == nil {
		return err
	}
	return s.dictionary(dict, &used)
}

func (s *segment) sortedSet(open func() (lucene.SortedSetDocValues, error)) error {
	var used ordinals
	var dict lucene.SortedSetDocValues
	err := walk(s, open, func(a, b lucene.SortedSetDocValues, doc int32) error {
		dict = a
		n := a.Count()
		if n <= 0 || n != b.Count() {
			return problemf("document %d has %d values, and after a seek %d", doc, n, b.Count())
		}
		last := int64(-1)
		for range n {
			v, err := a.NextOrd()
			if err != nil {
				return err
			}
			w, err := b.NextOrd()
			if err != nil {
				return err
			}
			if v != w || v <= last || v >= a.ValueCount() {
				return problemf("document %d has the ordinal %d of %d after %d, and after a seek %d", doc, v, a.ValueCount(), last, w)
			}
			last = v
			if v < maxOrdinals {
				used.add(v)
			}
		}
		return nil
	})
	if err != nil || dict == nil {
		return err
	}
	return s.dictionary(dict, &used)
}

// dictionary checks that a column uses all of its values, and that they are sorted.
func (s *segment) dictionary(d lucene.TermDictionary, used *ordinals) error {
	n := d.ValueCount()
	if n <= maxOrdinals && used.seen != n {
		return problemf("%d of %d values are used", used.seen, n)
	}
	var last []byte
	for ord := range n {
		if err := s.tick(); err != nil {
			return err
		}
		v, err := d.LookupOrd(ord)
		if err != nil {
			return err
		}
		if ord > 0 && bytes.Compare(last, v) >= 0 {
			return problemf("value %d, %.100x, follows %.100x", ord, v, last)
		}
		last = append(last[:0], v...)
		if ord&(ord+1) == 0 { // now and then, evenly on a scale of powers
			back, err := d.LookupTerm(last)
			if err != nil {
				return err
			}
			if back != ord {
				return problemf("value %d, %.100x, is found as %d", ord, last, back)
			}
		}
	}
	return nil
}
