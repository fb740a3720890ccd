package index

import (
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
)

// ordBits is a set of ordinals.
type ordBits struct{ words []uint64 }

func newOrdBits(n int64) *ordBits { return &ordBits{make([]uint64, (n+63)/64)} }

// Get tells whether ord is in the set.
func (b *ordBits) Get(ord int64) bool {
	return ord>>6 < int64(len(b.words)) && b.words[ord>>6]&(1<<(ord&63)) != 0
}

func (b *ordBits) set(ord int64) error {
	if ord < 0 || ord>>6 >= int64(len(b.words)) {
		return fmt.Errorf("ordinal %d is outside of its dictionary", ord)
	}
	b.words[ord>>6] |= 1 << (ord & 63)
	return nil
}

// ordinals maps the dictionaries of a string column in several sources to one merged dictionary, that has only the terms
// of live documents.
type ordinals struct {
	open  func(i int) (lucene.TermsEnum, error) // dictionary of a source, nil if it has none
	used  []*ordBits
	maps  [][]int32 // of each source: ordinal → merged
	count int64
}

// newOrdinals builds the map. sizes are the sizes of the dictionaries.
func newOrdinals(sizes []int64, used []*ordBits, open func(i int) (lucene.TermsEnum, error)) (*ordinals, error) {
	o := &ordinals{open: open, used: used, maps: make([][]int32, len(sizes))}
	for i, n := range sizes {
		if n > math.MaxInt32 {
			return nil, fmt.Errorf("a dictionary of %d terms is too large to merge", n)
		}
		o.maps[i] = make([]int32, n)
	}
	m, err := o.merge()
	if err != nil {
		return nil, err
	}
	for {
		term, err := m.next()
		if err != nil {
			return nil, err
		}
		if term == nil {
			return o, nil
		}
		if o.count == math.MaxInt32 {
			return nil, fmt.Errorf("a merged dictionary of more than %d terms", math.MaxInt32)
		}
		for _, c := range m.top {
			if c.at >= int64(len(o.maps[c.ord])) {
				return nil, fmt.Errorf("a dictionary has more terms than its size of %d", len(o.maps[c.ord]))
			}
			o.maps[c.ord][c.at] = int32(o.count)
		}
		o.count++
	}
}

func (o *ordinals) merge() (*termMerge, error) {
	m := &termMerge{}
	for i := range o.maps {
		it, err := o.open(i)
		if err != nil {
			return nil, err
		}
		if it == nil {
			continue
		}
		var used *ordBits
		if o.used != nil {
			used = o.used[i]
		}
		if err := m.add(&termCursor{it: it, ord: i, at: -1, used: used}); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// mergedDictionary is the merged dictionary. It is cheap to ask by ascending ordinals, which writers do.
type mergedDictionary struct {
	o   *ordinals
	m   *termMerge
	ord int64
}

func (d *mergedDictionary) ValueCount() int64 { return d.o.count }

func (d *mergedDictionary) LookupOrd(ord int64) ([]byte, error) {
	if ord < 0 || ord >= d.o.count {
		return nil, fmt.Errorf("ordinal %d of a dictionary of %d", ord, d.o.count)
	}
	if d.m == nil || ord < d.ord {
		m, err := d.o.merge()
		if err != nil {
			return nil, err
		}
		d.m, d.ord = m, -1
	}
	for d.ord < ord {
		if _, err := d.m.next(); err != nil {
			return nil, err
		}
		d.ord++
	}
	return d.m.term, nil
}

func (d *mergedDictionary) LookupTerm(term []byte) (int64, error) { return lookupTerm(d, term) }

func (d *mergedDictionary) TermsEnum() (lucene.TermsEnum, error) {
	return newDictEnum(&mergedDictionary{o: d.o}), nil
}

// mergedColumns shows the doc values and norms of a merge to the writers.
type mergedColumns struct {
	sources []*mergeSource
	field   string // whose ordinals are kept
	ords    *ordinals
	subOrds []int // source of each map
}

// subs calls make for each source that has the field.
func (m *mergedColumns) subs(name string, make func(s *docSub, f *lucene.FieldInfo) (bool, error)) ([]*docSub, error) {
	var subs []*docSub
	for i, src := range m.sources {
		f := src.fields.ByName(name)
		if f == nil {
			continue
		}
		s := &docSub{src: src, ord: i}
		ok, err := make(s, f)
		if err != nil {
			return nil, fmt.Errorf("segment %s: %w", src.name, err)
		}
		if ok {
			subs = append(subs, s)
		}
	}
	return subs, nil
}

type mergedNumeric struct{ mergedDocs }

func (m *mergedNumeric) Value() (int64, error) { return m.cur.num.Value() }

func (m *mergedColumns) numeric(name string, open func(s *mergeSource, f *lucene.FieldInfo) (lucene.NumericDocValues, error)) (lucene.NumericDocValues, error) {
	subs, err := m.subs(name, func(s *docSub, f *lucene.FieldInfo) (_ bool, err error) {
		s.num, err = open(s.src, f)
		s.it = s.num
		return s.num != nil, err
	})
	if err != nil {
		return nil, err
	}
	v := &mergedNumeric{}
	v.reset(subs)
	return v, nil
}

func (m *mergedColumns) Numeric(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	return m.numeric(f.Name, func(s *mergeSource, f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
		return s.reader.DocValues().Numeric(f)
	})
}

func (m *mergedColumns) Norms(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	return m.numeric(f.Name, func(s *mergeSource, f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
		return s.reader.Norms(f.Name)
	})
}

type mergedBinary struct{ mergedDocs }

func (m *mergedBinary) Value() ([]byte, error) { return m.cur.bin.Value() }

func (m *mergedColumns) Binary(f *lucene.FieldInfo) (lucene.BinaryDocValues, error) {
	subs, err := m.subs(f.Name, func(s *docSub, f *lucene.FieldInfo) (_ bool, err error) {
		s.bin, err = s.src.reader.DocValues().Binary(f)
		s.it = s.bin
		return s.bin != nil, err
	})
	if err != nil {
		return nil, err
	}
	v := &mergedBinary{}
	v.reset(subs)
	return v, nil
}

type mergedSortedNumeric struct{ mergedDocs }

func (m *mergedSortedNumeric) Count() int32              { return m.cur.nms.Count() }
func (m *mergedSortedNumeric) NextValue() (int64, error) { return m.cur.nms.NextValue() }

func (m *mergedColumns) SortedNumeric(f *lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	subs, err := m.subs(f.Name, func(s *docSub, f *lucene.FieldInfo) (_ bool, err error) {
		s.nms, err = s.src.reader.DocValues().SortedNumeric(f)
		s.it = s.nms
		return s.nms != nil, err
	})
	if err != nil {
		return nil, err
	}
	v := &mergedSortedNumeric{}
	v.reset(subs)
	return v, nil
}

func (s *docSub) global(ord int64) (int64, error) {
	if ord < 0 || ord >= int64(len(s.gl)) {
		return 0, fmt.Errorf("segment %s: ordinal %d of a dictionary of %d", s.src.name, ord, len(s.gl))
	}
	return int64(s.gl[ord]), nil
}

type mergedSorted struct {
	mergedDocs
	mergedDictionary
}

func (m *mergedSorted) Ord() (int32, error) {
	o, err := m.cur.one.Ord()
	if err != nil {
		return 0, err
	}
	g, err := m.cur.global(int64(o))
	return int32(g), err
}

func (m *mergedColumns) Sorted(f *lucene.FieldInfo) (lucene.SortedDocValues, error) {
	open := func(s *docSub, f *lucene.FieldInfo) (_ bool, err error) {
		s.one, err = s.src.reader.DocValues().Sorted(f)
		s.it = s.one
		return s.one != nil, err
	}
	subs, err := m.subs(f.Name, open)
	if err != nil {
		return nil, err
	}
	if err := m.useOrdinals(f.Name, open); err != nil {
		return nil, err
	}
	v := &mergedSorted{mergedDictionary: mergedDictionary{o: m.ords}}
	m.setMaps(subs)
	v.reset(subs)
	return v, nil
}

type mergedSet struct {
	mergedDocs
	mergedDictionary
}

func (m *mergedSet) Count() int32 { return m.cur.set.Count() }

func (m *mergedSet) NextOrd() (int64, error) {
	o, err := m.cur.set.NextOrd()
	if err != nil {
		return 0, err
	}
	return m.cur.global(o)
}

func (m *mergedColumns) SortedSet(f *lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	open := func(s *docSub, f *lucene.FieldInfo) (_ bool, err error) {
		s.set, err = s.src.reader.DocValues().SortedSet(f)
		s.it = s.set
		return s.set != nil, err
	}
	subs, err := m.subs(f.Name, open)
	if err != nil {
		return nil, err
	}
	if err := m.useOrdinals(f.Name, open); err != nil {
		return nil, err
	}
	v := &mergedSet{mergedDictionary: mergedDictionary{o: m.ords}}
	m.setMaps(subs)
	v.reset(subs)
	return v, nil
}

func (m *mergedColumns) setMaps(subs []*docSub) {
	for _, s := range subs {
		for i, ord := range m.subOrds {
			if ord == s.ord {
				s.gl = m.ords.maps[i]
			}
		}
	}
}

func (s *docSub) dictionary() lucene.TermDictionary {
	if s.one != nil {
		return s.one
	}
	return s.set
}

// useOrdinals makes the ordinals of a field, unless they are those kept: writers ask for a field several times in a row.
func (m *mergedColumns) useOrdinals(field string, open func(*docSub, *lucene.FieldInfo) (bool, error)) error {
	if m.ords != nil && m.field == field {
		return nil
	}
	subs, err := m.subs(field, open)
	if err != nil {
		return err
	}
	sizes := make([]int64, len(subs))
	used := make([]*ordBits, len(subs))
	m.subOrds = m.subOrds[:0]
	for i, s := range subs {
		sizes[i] = s.dictionary().ValueCount()
		m.subOrds = append(m.subOrds, s.ord)
		if s.src.live == nil {
			continue
		}
		if used[i], err = s.usedOrds(sizes[i]); err != nil {
			return fmt.Errorf("segment %s: %w", s.src.name, err)
		}
	}
	m.ords, err = newOrdinals(sizes, used, func(i int) (lucene.TermsEnum, error) { return subs[i].dictionary().TermsEnum() })
	m.field = field
	return err
}

// usedOrds returns the ordinals that live documents have. It uses the iterator up.
func (s *docSub) usedOrds(n int64) (*ordBits, error) {
	used := newOrdBits(n)
	for {
		if err := s.next(); err != nil {
			return nil, err
		}
		if s.doc == lucene.NoMoreDocs {
			return used, nil
		}
		if s.one != nil {
			o, err := s.one.Ord()
			if err != nil {
				return nil, err
			}
			if err := used.set(int64(o)); err != nil {
				return nil, err
			}
			continue
		}
		for range s.set.Count() {
			o, err := s.set.NextOrd()
			if err != nil {
				return nil, err
			}
			if err := used.set(o); err != nil {
				return nil, err
			}
		}
	}
}
