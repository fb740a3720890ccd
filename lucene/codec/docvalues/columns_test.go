package docvalues

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// model is a column in memory, of any type: for each document its values.
type model struct {
	maxDoc int32
	docs   []int32
	nums   [][]int64 // numbers, or ordinals
	terms  [][]byte
	raw    [][]byte // binary values
}

type modelIterator struct {
	m    *model
	at   int
	next int
}

func (m *model) iterator() *modelIterator { return &modelIterator{m: m, at: -1} }

func (it *modelIterator) DocID() int32 {
	switch {
	case it.at < 0:
		return -1
	case it.at >= len(it.m.docs):
		return lucene.NoMoreDocs
	}
	return it.m.docs[it.at]
}
func (it *modelIterator) Next() (int32, error) { it.at++; it.next = 0; return it.DocID(), nil }
func (it *modelIterator) Advance(int32) (int32, error) {
	return 0, errors.New("a consumer only calls Next")
}
func (it *modelIterator) AdvanceExact(int32) (bool, error) {
	return false, errors.New("a consumer only calls Next")
}
func (it *modelIterator) Cost() int64  { return int64(len(it.m.docs)) }
func (it *modelIterator) Count() int32 { return int32(len(it.m.nums[it.at])) }
func (it *modelIterator) NextValue() (int64, error) {
	it.next++
	return it.m.nums[it.at][it.next-1], nil
}
func (it *modelIterator) NextOrd() (int64, error)             { return it.NextValue() }
func (it *modelIterator) ValueCount() int64                   { return int64(len(it.m.terms)) }
func (it *modelIterator) LookupOrd(ord int64) ([]byte, error) { return it.m.terms[ord], nil }
func (it *modelIterator) LookupTerm([]byte) (int64, error)    { return 0, errors.New("not used") }
func (it *modelIterator) TermsEnum() (lucene.TermsEnum, error) {
	return &modelTerms{m: it.m, ord: -1}, nil
}

type modelNumeric struct{ *modelIterator }

func (n modelNumeric) Value() (int64, error) { return n.m.nums[n.at][0], nil }

type modelBinary struct{ *modelIterator }

func (n modelBinary) Value() ([]byte, error) { return n.m.raw[n.at], nil }

type modelSorted struct{ *modelIterator }

func (n modelSorted) Ord() (int32, error) { return int32(n.m.nums[n.at][0]), nil }

type modelTerms struct {
	lucene.TermsEnum
	m   *model
	ord int
}

func (t *modelTerms) Next() ([]byte, error) {
	t.ord++
	if t.ord >= len(t.m.terms) {
		return nil, nil
	}
	return t.m.terms[t.ord], nil
}

func (m *model) Numeric(*lucene.FieldInfo) (lucene.NumericDocValues, error) {
	return modelNumeric{m.iterator()}, nil
}
func (m *model) Binary(*lucene.FieldInfo) (lucene.BinaryDocValues, error) {
	return modelBinary{m.iterator()}, nil
}
func (m *model) Sorted(*lucene.FieldInfo) (lucene.SortedDocValues, error) {
	return modelSorted{m.iterator()}, nil
}
func (m *model) SortedNumeric(*lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	return m.iterator(), nil
}
func (m *model) SortedSet(*lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	return m.iterator(), nil
}

// presence returns which documents have a value, for several shapes.
func presence(rnd *rand.Rand, shape int, maxDoc int32) []int32 {
	var docs []int32
	for doc := range maxDoc {
		keep := false
		switch shape {
		case 0:
			keep = true
		case 1:
			keep = rnd.IntN(2) == 0
		case 2:
			keep = rnd.IntN(50) == 0
		case 3: // whole ranges absent, full or thin
			keep = doc>>16&3 == 1 || doc>>16&3 == 2 && rnd.IntN(300) == 0
		case 4:
			keep = doc == maxDoc-1
		}
		if keep {
			docs = append(docs, doc)
		}
	}
	return docs
}

// numbers returns generators of numbers that lead to each way of coding them.
func numbers(rnd *rand.Rand) map[string]func(i int) int64 {
	few := make([]int64, 200)
	for i := range few {
		few[i] = int64(rnd.Uint64())
	}
	base := int64(rnd.Uint64()) >> 3
	return map[string]func(i int) int64{
		"zero":     func(int) int64 { return 0 },
		"constant": func(int) int64 { return -base },
		"bits":     func(int) int64 { return rnd.Int64N(2) },
		"bytes":    func(int) int64 { return rnd.Int64N(256) },
		"delta":    func(int) int64 { return base + rnd.Int64N(3000) },
		"negative": func(int) int64 { return -rnd.Int64N(1 << 20) },
		"gcd":      func(int) int64 { return 1700000000000 + rnd.Int64N(100000)*86400000 },
		"table":    func(int) int64 { return few[rnd.IntN(len(few))] },
		"extremes": func(int) int64 {
			return []int64{math.MinInt64, math.MaxInt64, 0, -1, 1, math.MaxInt64 / 2, math.MinInt64 / 2}[rnd.IntN(7)] ^ int64(rnd.IntN(400))
		},
		"random": func(int) int64 { return int64(rnd.Uint64()) },
		// Blocks of very different widths, some of them constant.
		"blocks":     func(i int) int64 { return base>>20 + rnd.Int64N(1<<(i>>numericShift%5*7))*3 },
		"flat block": func(i int) int64 { return int64(i>>numericShift) * int64(rnd.IntN(1+i>>numericShift%2*1000000)) },
		"ascending":  func(i int) int64 { return int64(i)*17 + rnd.Int64N(10) },
		"small":      func(int) int64 { return 1<<30 + rnd.Int64N(1<<30) }, // the difference saves no bits
	}
}

// terms returns a sorted dictionary of n terms.
func terms(rnd *rand.Rand, n int) [][]byte {
	m := map[string]bool{}
	for len(m) < n {
		switch rnd.IntN(4) {
		case 0:
			m[fmt.Sprintf("term-%d", rnd.IntN(10*n))] = true
		case 1:
			m[fmt.Sprintf("a/rather/long/path/that/many/share/%08d/%c", rnd.IntN(10*n), 'a'+rnd.IntN(26))] = true
		case 2:
			b := make([]byte, rnd.IntN(40))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			m[string(b)] = true
		default:
			m[string(bytes.Repeat([]byte{'x'}, rnd.IntN(2*n+1)))] = true
		}
	}
	var all [][]byte
	for s := range m {
		if len(s) <= 32766 {
			all = append(all, []byte(s))
		}
	}
	slices.SortFunc(all, bytes.Compare)
	return all
}

// columns returns columns of a type over every shape of documents.
func columns(rnd *rand.Rand, kind lucene.DocValuesType) map[string]*model {
	all := map[string]*model{}
	for shape := range 6 {
		maxDoc := int32(1 + rnd.IntN(300))
		switch rnd.IntN(3) {
		case 0:
			maxDoc = 40000 + rnd.Int32N(40000)
		case 1:
			maxDoc = 260000
		}
		docs := presence(rnd, shape, maxDoc)
		switch kind {
		case lucene.DocValuesNumeric, lucene.DocValuesSortedNumeric:
			for name, gen := range numbers(rnd) {
				m := &model{maxDoc: maxDoc, docs: docs}
				i := 0
				for range docs {
					n := 1
					if kind == lucene.DocValuesSortedNumeric && shape != 1 {
						n += rnd.IntN(4)
					}
					vs := make([]int64, n)
					for k := range vs {
						vs[k] = gen(i)
						i++
					}
					slices.Sort(vs)
					m.nums = append(m.nums, vs)
				}
				all[fmt.Sprintf("%s/%d", name, shape)] = m
			}
		case lucene.DocValuesBinary:
			for _, longest := range []int{0, 1, 30} {
				for _, fixed := range []bool{true, false} {
					m := &model{maxDoc: maxDoc, docs: docs}
					for range docs {
						b := make([]byte, longest)
						if !fixed {
							b = b[:rnd.IntN(longest+1)]
						}
						for i := range b {
							b[i] = byte(rnd.Uint32())
						}
						m.raw = append(m.raw, b)
					}
					all[fmt.Sprintf("%d/%v/%d", longest, fixed, shape)] = m
				}
			}
		default:
			for _, n := range []int{1, 2, 63, 64, 65, 1024, 1025, 5000} {
				n = min(n, len(docs))
				m := &model{maxDoc: maxDoc, docs: docs}
				if n > 0 {
					m.terms = terms(rnd, n)
					n = len(m.terms)
				}
				for i := range docs {
					ords := []int64{int64(i % max(n, 1))} // each is used
					if i >= n {
						ords[0] = rnd.Int64N(int64(n))
					}
					if kind == lucene.DocValuesSortedSet && shape != 1 {
						for range rnd.IntN(4) {
							ords = append(ords, rnd.Int64N(int64(n)))
						}
						slices.Sort(ords)
						ords = slices.Compact(ords)
					}
					m.nums = append(m.nums, ords)
				}
				all[fmt.Sprintf("%d terms/%d", n, shape)] = m
			}
		}
	}
	return all
}

var kinds = []lucene.DocValuesType{lucene.DocValuesNumeric, lucene.DocValuesBinary, lucene.DocValuesSorted, lucene.DocValuesSortedNumeric, lucene.DocValuesSortedSet}

// write writes a column and returns what opens it.
func write(t testing.TB, kind lucene.DocValuesType, m *model) (*store.MemDirectory, *codec.ReadState, *lucene.FieldInfo) {
	t.Helper()
	dir := store.NewMem()
	f := &lucene.FieldInfo{Name: "f", Number: 3, DocValuesType: kind, DocValuesGen: -1}
	fields, err := lucene.NewFieldInfos([]*lucene.FieldInfo{f})
	if err != nil {
		t.Fatal(err)
	}
	info := &lucene.SegmentInfo{Name: "_0", ID: lucene.ID{1, 2, 3}, MaxDoc: m.maxDoc}
	c, err := NewConsumer(&codec.WriteState{Dir: dir, Info: info, Fields: fields, Suffix: "Lucene90_0"})
	if err != nil {
		t.Fatal(err)
	}
	switch kind {
	case lucene.DocValuesNumeric:
		err = c.AddNumeric(f, m)
	case lucene.DocValuesBinary:
		err = c.AddBinary(f, m)
	case lucene.DocValuesSorted:
		err = c.AddSorted(f, m)
	case lucene.DocValuesSortedNumeric:
		err = c.AddSortedNumeric(f, m)
	case lucene.DocValuesSortedSet:
		err = c.AddSortedSet(f, m)
	}
	if err = errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return dir, &codec.ReadState{Dir: dir, Info: info, Fields: fields, Suffix: "Lucene90_0", Access: store.Random}, f
}

// windowDir hands out inputs that are not resident.
type windowDir struct{ store.Directory }

type windowed struct{ store.Input }

func (w windowed) Window(off int64, n int) ([]byte, error) {
	size := max(n, 100)
	if rest := w.Length() - off; int64(size) > rest {
		size = max(n, int(rest))
	}
	return store.Bytes(w.Input, off, size)
}

func (w windowed) Slice(off, n int64) (store.Input, error) {
	in, err := w.Input.Slice(off, n)
	return windowed{in}, err
}

func (d windowDir) Open(name string, a store.Access) (store.Input, error) {
	in, err := d.Directory.Open(name, a)
	return windowed{in}, err
}

// walk visits a column by Next, and then by random jumps, and compares the values of each document by same.
func walk(rnd *rand.Rand, m *model, open func() (lucene.DocValuesIterator, error), same func(it lucene.DocValuesIterator, i int) error) error {
	it, err := open()
	if err != nil {
		return err
	}
	for i, want := range m.docs {
		doc, err := it.Next()
		if err != nil || doc != want {
			return fmt.Errorf("document %d is %d, not %d: %w", i, doc, want, err)
		}
		if err := same(it, i); err != nil {
			return fmt.Errorf("document %d: %w", doc, err)
		}
	}
	if doc, err := it.Next(); doc != lucene.NoMoreDocs || err != nil {
		return fmt.Errorf("%d after the last: %w", doc, err)
	}
	for _, span := range []int32{2, 100, 30000} {
		if it, err = open(); err != nil {
			return err
		}
		for doc := int32(-1); ; {
			target := doc + 1 + rnd.Int32N(span)
			if target >= m.maxDoc {
				break
			}
			i, found := slices.BinarySearch(m.docs, target)
			if rnd.IntN(2) == 0 {
				got, err := it.AdvanceExact(target)
				if err != nil || got != found {
					return fmt.Errorf("%d is there: %v, not %v: %w", target, got, found, err)
				}
				doc = target
			} else {
				want := lucene.NoMoreDocs
				if i < len(m.docs) {
					want = m.docs[i]
				}
				if doc, err = it.Advance(target); err != nil || doc != want {
					return fmt.Errorf("advance to %d gives %d, not %d: %w", target, doc, want, err)
				}
				if doc == lucene.NoMoreDocs {
					break
				}
				found = true
			}
			if found {
				if err := same(it, i); err != nil {
					return fmt.Errorf("document %d: %w", doc, err)
				}
			}
		}
	}
	return nil
}

func differ(got, want any) error { return fmt.Errorf("%v, not %v", got, want) }

func compareColumn(rnd *rand.Rand, p *Producer, f *lucene.FieldInfo, m *model) error {
	switch f.DocValuesType {
	case lucene.DocValuesNumeric:
		err := walk(rnd, m, func() (lucene.DocValuesIterator, error) { return p.Numeric(f) }, func(it lucene.DocValuesIterator, i int) error {
			v, err := it.(lucene.NumericDocValues).Value()
			if err == nil && v != m.nums[i][0] {
				err = differ(v, m.nums[i][0])
			}
			return err
		})
		if err != nil {
			return err
		}
		it, err := p.Numeric(f)
		if err != nil {
			return err
		}
		return compareBatch(rnd, it.(lucene.NumericBatch), m)
	case lucene.DocValuesBinary:
		return walk(rnd, m, func() (lucene.DocValuesIterator, error) { return p.Binary(f) }, func(it lucene.DocValuesIterator, i int) error {
			v, err := it.(lucene.BinaryDocValues).Value()
			if err == nil && !bytes.Equal(v, m.raw[i]) {
				err = differ(v, m.raw[i])
			}
			return err
		})
	case lucene.DocValuesSorted:
		err := walk(rnd, m, func() (lucene.DocValuesIterator, error) { return p.Sorted(f) }, func(it lucene.DocValuesIterator, i int) error {
			ord, err := it.(lucene.SortedDocValues).Ord()
			if err == nil && int64(ord) != m.nums[i][0] {
				err = differ(ord, m.nums[i])
			}
			return err
		})
		if err != nil {
			return err
		}
		it, err := p.Sorted(f)
		if err != nil {
			return err
		}
		if err := compareBatch(rnd, it.(lucene.NumericBatch), m); err != nil {
			return err
		}
		return compareDictionary(rnd, it, m)
	case lucene.DocValuesSortedNumeric:
		return walk(rnd, m, func() (lucene.DocValuesIterator, error) { return p.SortedNumeric(f) }, func(it lucene.DocValuesIterator, i int) error {
			s := it.(lucene.SortedNumericDocValues)
			if int(s.Count()) != len(m.nums[i]) {
				return differ(s.Count(), len(m.nums[i]))
			}
			for _, want := range m.nums[i] {
				if v, err := s.NextValue(); err != nil || v != want {
					return errors.Join(differ(v, want), err)
				}
			}
			return nil
		})
	default:
		err := walk(rnd, m, func() (lucene.DocValuesIterator, error) { return p.SortedSet(f) }, func(it lucene.DocValuesIterator, i int) error {
			s := it.(lucene.SortedSetDocValues)
			if int(s.Count()) != len(m.nums[i]) {
				return differ(s.Count(), len(m.nums[i]))
			}
			for _, want := range m.nums[i] {
				if v, err := s.NextOrd(); err != nil || v != want {
					return errors.Join(differ(v, want), err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		it, err := p.SortedSet(f)
		if err != nil {
			return err
		}
		return compareDictionary(rnd, it, m)
	}
}

func compareBatch(rnd *rand.Rand, b lucene.NumericBatch, m *model) error {
	dense := len(m.docs) == int(m.maxDoc)
	for _, step := range []int32{1, 1, 3, 500} {
		var docs []int32
		for doc := rnd.Int32N(m.maxDoc); doc < m.maxDoc && len(docs) < 1000; doc += 1 + rnd.Int32N(step) {
			docs = append(docs, doc)
		}
		values := make([]int64, len(docs))
		ok, err := b.Values(docs, values)
		if err != nil || ok != dense && len(m.docs) > 0 {
			return fmt.Errorf("a batch of a column that is dense (%v): %v, %w", dense, ok, err)
		}
		for i, doc := range docs {
			if ok && values[i] != m.nums[doc][0] {
				return fmt.Errorf("batch: document %d: %w", doc, differ(values[i], m.nums[doc][0]))
			}
		}
	}
	return nil
}

func compareDictionary(rnd *rand.Rand, d lucene.TermDictionary, m *model) error {
	if d.ValueCount() != int64(len(m.terms)) {
		return differ(d.ValueCount(), len(m.terms))
	}
	te, err := d.TermsEnum()
	if err != nil {
		return err
	}
	for i, want := range m.terms {
		if got, err := te.Next(); err != nil || !bytes.Equal(got, want) || te.(lucene.OrdTermsEnum).Ord() != int64(i) {
			return fmt.Errorf("term %d: %w, %w", i, differ(got, want), err)
		}
	}
	for range 2 {
		if got, err := te.Next(); got != nil || err != nil {
			return fmt.Errorf("%q after the last term: %w", got, err)
		}
	}
	for range 300 {
		var key []byte
		if len(m.terms) > 0 {
			i := rnd.IntN(len(m.terms))
			got, err := d.LookupOrd(int64(i))
			if err != nil || !bytes.Equal(got, m.terms[i]) {
				return fmt.Errorf("ordinal %d: %w, %w", i, differ(got, m.terms[i]), err)
			}
			key = bytes.Clone(m.terms[i])
		}
		switch rnd.IntN(5) {
		case 0:
			key = append(key, byte(rnd.IntN(256)))
		case 1:
			key = key[:rnd.IntN(len(key)+1)]
		case 2:
			if len(key) > 0 {
				key[rnd.IntN(len(key))]++
			}
		}
		at, found := slices.BinarySearchFunc(m.terms, key, bytes.Compare)
		want := int64(at)
		if !found {
			want = -want - 1
		}
		if got, err := d.LookupTerm(key); err != nil || got != want {
			return fmt.Errorf("lookup of %q: %w, %w", key, differ(got, want), err)
		}
		status, err := te.SeekCeil(key)
		switch {
		case err != nil:
			return err
		case found && status != lucene.SeekFound || !found && at < len(m.terms) && status != lucene.SeekNotFound || at == len(m.terms) && status != lucene.SeekEnd:
			return fmt.Errorf("seek to %q ends with %d", key, status)
		case at < len(m.terms) && !bytes.Equal(te.Term(), m.terms[at]):
			return fmt.Errorf("seek to %q: %w", key, differ(te.Term(), m.terms[at]))
		}
		if at+1 < len(m.terms) && rnd.IntN(2) == 0 {
			if got, err := te.Next(); err != nil || !bytes.Equal(got, m.terms[at+1]) {
				return fmt.Errorf("after %q: %w, %w", key, differ(got, m.terms[at+1]), err)
			}
		}
	}
	for _, ord := range []int64{-1, int64(len(m.terms))} {
		if _, err := d.LookupOrd(ord); !store.IsCorrupt(err) {
			return fmt.Errorf("ordinal %d: %w", ord, err)
		}
	}
	return nil
}

func TestColumns(t *testing.T) {
	seed := uint64(testseed.Of(t))
	for _, kind := range kinds {
		t.Run(kind.String(), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, uint64(kind)))
			for name, m := range columns(rnd, kind) {
				dir, state, f := write(t, kind, m)
				for _, d := range []store.Directory{dir, windowDir{dir}} {
					state.Dir = d
					p, err := NewProducer(state)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if err := p.CheckIntegrity(); err != nil {
						t.Fatal(err)
					}
					if err := compareColumn(rnd, p, f, m); err != nil {
						t.Fatalf("%s, %d of %d documents: %v", name, len(m.docs), m.maxDoc, err)
					}
					if err := p.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// drain reads a column, and returns an error if it holds what cannot be. It stops after some documents: a file that was made
// for it can have any number of values without holding bytes for them, and blocks of terms that are costly to unpack.
func drain(p *Producer, f *lucene.FieldInfo, maxDoc int32) error {
	var it lucene.DocValuesIterator
	var value func() error
	var dict lucene.TermDictionary
	switch e := p.entries[f.Number].(type) {
	case *numericEntry:
		n, err := p.numeric(e)
		if err != nil {
			return err
		}
		it, value = n, func() error { _, err := n.Value(); return err }
	case *binaryEntry:
		b, err := newBinary(p.data, e, maxDoc)
		if err != nil {
			return err
		}
		it, value = b, func() error { _, err := b.Value(); return err }
	case *sortedEntry:
		s, err := p.sorted(e)
		if err != nil {
			return err
		}
		it, dict = s, s
		value = func() error {
			ord, err := s.Ord()
			if err == nil {
				_, err = s.LookupOrd(int64(ord))
			}
			return err
		}
	case *sortedNumericEntry:
		s, err := p.SortedNumeric(f)
		if err != nil {
			return err
		}
		it, value = s, func() error {
			for range min(s.Count(), 20) {
				if _, err := s.NextValue(); err != nil {
					return err
				}
			}
			return nil
		}
	case *sortedSetEntry:
		s, err := p.SortedSet(f)
		if err != nil {
			return err
		}
		it, dict = s, s
		value = func() error {
			for range min(s.Count(), 20) {
				ord, err := s.NextOrd()
				if err == nil {
					_, err = s.LookupOrd(ord)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
	default:
		return nil
	}
	last := int32(-1)
	for range 3000 {
		doc, err := it.Next()
		if err != nil {
			return err
		}
		if doc == lucene.NoMoreDocs {
			break
		}
		if doc <= last || doc >= maxDoc {
			return fmt.Errorf("document %d of %d after %d", doc, maxDoc, last)
		}
		last = doc
		if err := value(); err != nil {
			return err
		}
	}
	if dict == nil {
		return nil
	}
	if _, err := dict.LookupTerm([]byte("term-5")); err != nil {
		return err
	}
	te, err := dict.TermsEnum()
	for i := 0; err == nil && i < 2000; i++ {
		var term []byte
		if term, err = te.Next(); term == nil {
			break
		}
	}
	return err
}

// openBytes opens a column whose files are given without headers, footers and so without checksums.
func openBytes(meta, data []byte, maxDoc int32) (*Producer, *lucene.FieldInfo, error) {
	f := &lucene.FieldInfo{Name: "f", Number: 3}
	fields, err := lucene.NewFieldInfos([]*lucene.FieldInfo{f})
	if err != nil {
		return nil, nil, err
	}
	p := &Producer{maxDoc: maxDoc, data: store.NewBytesInput("f.dvd", data)}
	p.entries, err = readEntries(store.NewReader(store.NewBytesInput("f.dvm", meta)), version, fields, maxDoc)
	return p, f, err
}

func parts(t testing.TB, dir store.Directory) (meta, data []byte) {
	t.Helper()
	for name, into := range map[string]*[]byte{"_0_Lucene90_0.dvm": &meta, "_0_Lucene90_0.dvd": &data} {
		in, err := dir.Open(name, store.Random)
		if err != nil {
			t.Fatal(err)
		}
		b, err := store.Bytes(in, 0, int(in.Length()))
		if err != nil {
			t.Fatal(err)
		}
		*into = bytes.Clone(b)
	}
	// Offsets in the metadata count from the start of the data file, so its header stays.
	return meta[codec.IndexHeaderLength(metaCodec, "Lucene90_0") : len(meta)-codec.FooterLength], data
}

// TestMutations changes bytes that no checksum protects in this test: nothing may panic, hang or be out of range.
func TestMutations(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 9))
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for _, kind := range kinds {
		for name, m := range columns(rnd, kind) {
			if m.maxDoc > 500 && rnd.IntN(20) > 0 {
				continue
			}
			dir, _, _ := write(t, kind, m)
			meta, data := parts(t, dir)
			for range rounds {
				mm, dd := bytes.Clone(meta), bytes.Clone(data)
				for range 1 + rnd.IntN(3) {
					if rnd.IntN(2) == 0 {
						mm[rnd.IntN(len(mm))] ^= 1 << rnd.IntN(8)
					} else {
						dd[rnd.IntN(len(dd))] = byte(rnd.Uint32())
					}
				}
				if rnd.IntN(10) == 0 {
					dd = dd[:rnd.IntN(len(dd))]
				}
				p, f, err := openBytes(mm, dd, m.maxDoc)
				if err == nil {
					err = drain(p, f, m.maxDoc)
				}
				if err != nil && !store.IsCorrupt(err) {
					t.Fatalf("%v %s: %v", kind, name, err)
				}
			}
		}
	}
}

func FuzzColumn(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, kind := range kinds {
		for _, m := range columns(rnd, kind) {
			if m.maxDoc < 200 {
				dir, _, _ := write(f, kind, m)
				meta, data := parts(f, dir)
				f.Add(binary.AppendUvarint(nil, uint64(len(meta))), meta, data, m.maxDoc)
			}
		}
	}
	f.Fuzz(func(t *testing.T, _, meta, data []byte, maxDoc int32) {
		if maxDoc < 0 || maxDoc > 1<<20 {
			return
		}
		p, field, err := openBytes(meta, data, maxDoc)
		if err == nil {
			err = drain(p, field, maxDoc)
		}
		if err != nil && !store.IsCorrupt(err) {
			t.Fatal(err)
		}
	})
}
