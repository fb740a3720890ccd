package segmenttest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/codec/perfielddv"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/codec/storedfields"
	"github.com/varve-search/varve/lucene/store"
)

// memory is columns of a segment, by field name.
type memory map[string]*memoryColumn

type memoryColumn struct {
	docs   []int32
	values [][]int64 // numbers or ordinals
	terms  [][]byte  // the dictionary, or the binary values by document
}

type memoryIterator struct {
	*memoryColumn
	at, next int
}

func (m memory) open(f *lucene.FieldInfo) *memoryIterator {
	return &memoryIterator{memoryColumn: m[f.Name], at: -1}
}

func (it *memoryIterator) DocID() int32 { return it.docs[it.at] }
func (it *memoryIterator) Cost() int64  { return int64(len(it.docs)) }
func (it *memoryIterator) Next() (int32, error) {
	it.at++
	it.next = 0
	if it.at == len(it.docs) {
		return lucene.NoMoreDocs, nil
	}
	return it.docs[it.at], nil
}

var errUnused = errors.New("writers only call Next")

func (it *memoryIterator) Advance(int32) (int32, error)     { return 0, errUnused }
func (it *memoryIterator) AdvanceExact(int32) (bool, error) { return false, errUnused }
func (it *memoryIterator) Count() int32                     { return int32(len(it.values[it.at])) }
func (it *memoryIterator) NextValue() (int64, error) {
	it.next++
	return it.values[it.at][it.next-1], nil
}
func (it *memoryIterator) NextOrd() (int64, error)           { return it.NextValue() }
func (it *memoryIterator) ValueCount() int64                 { return int64(len(it.terms)) }
func (it *memoryIterator) LookupOrd(o int64) ([]byte, error) { return it.terms[o], nil }
func (it *memoryIterator) LookupTerm([]byte) (int64, error)  { return 0, errUnused }
func (it *memoryIterator) TermsEnum() (lucene.TermsEnum, error) {
	return &memoryTerms{terms: it.terms}, nil
}

type memoryTerms struct {
	lucene.TermsEnum
	terms [][]byte
}

func (t *memoryTerms) Next() ([]byte, error) {
	if len(t.terms) == 0 {
		return nil, nil
	}
	term := t.terms[0]
	t.terms = t.terms[1:]
	return term, nil
}

type memoryNumeric struct{ *memoryIterator }

func (n memoryNumeric) Value() (int64, error) { return n.values[n.at][0], nil }

type memoryBinary struct{ *memoryIterator }

func (n memoryBinary) Value() ([]byte, error) { return n.terms[n.at], nil }

type memorySorted struct{ *memoryIterator }

func (n memorySorted) Ord() (int32, error) { return int32(n.values[n.at][0]), nil }

func (m memory) Numeric(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	return memoryNumeric{m.open(f)}, nil
}
func (m memory) Binary(f *lucene.FieldInfo) (lucene.BinaryDocValues, error) {
	return memoryBinary{m.open(f)}, nil
}
func (m memory) Sorted(f *lucene.FieldInfo) (lucene.SortedDocValues, error) {
	return memorySorted{m.open(f)}, nil
}
func (m memory) SortedNumeric(f *lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	return m.open(f), nil
}
func (m memory) SortedSet(f *lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	return m.open(f), nil
}

type memoryPoints []struct {
	doc   int32
	value []byte
}

func (m memoryPoints) Len() int64 { return int64(len(m)) }
func (m memoryPoints) Each(fn func(doc int32, packed []byte) error) error {
	for _, p := range m {
		if err := fn(p.doc, p.value); err != nil {
			return err
		}
	}
	return nil
}

// TestLargeSegment writes one segment of many ranges of documents, blocks of numbers and terms, and leaves, for
// real Lucene to check and read.
func TestLargeSegment(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	const maxDoc = 140_000
	columns, trees := memory{}, map[string]memoryPoints{}
	var fields []*lucene.FieldInfo
	field := func(name string) *lucene.FieldInfo {
		f := &lucene.FieldInfo{Name: name, Number: int32(len(fields)), DocValuesGen: -1}
		fields = append(fields, f)
		return f
	}
	for name, has := range map[string]func(doc int32) bool{
		"all": func(int32) bool { return true }, "half": func(int32) bool { return rnd.IntN(2) == 0 }, "few": func(int32) bool { return rnd.IntN(60) == 0 },
		"mixed": func(doc int32) bool { return doc>>16 == 1 || doc>>16 == 2 && rnd.IntN(100) == 0 },
	} {
		numeric := func(what string, gen func(i int) int64) {
			f := field(what + " " + name)
			f.DocValuesType = lucene.DocValuesNumeric
			c := &memoryColumn{}
			for doc := range int32(maxDoc) {
				if has(doc) {
					c.docs, c.values = append(c.docs, doc), append(c.values, []int64{gen(len(c.docs))})
				}
			}
			columns[f.Name] = c
		}
		numeric("blocks", func(i int) int64 { return rnd.Int64N(1 << (1 + i>>14%6*5)) })
		if name == "half" {
			numeric("gcd", func(int) int64 { return 1700000000000 + rnd.Int64N(50000)*1000 })
			numeric("table", func(int) int64 { return []int64{math.MinInt64, 0, 77, math.MaxInt64}[rnd.IntN(4)] })
		}

		multi := field("multi " + name)
		multi.DocValuesType = lucene.DocValuesSortedNumeric
		c := &memoryColumn{}
		for doc := range int32(maxDoc) {
			if has(doc) {
				vs := make([]int64, 1+rnd.IntN(3))
				for i := range vs {
					vs[i] = rnd.Int64N(1<<33) - 1<<32
				}
				slices.Sort(vs)
				c.docs, c.values = append(c.docs, doc), append(c.values, vs)
			}
		}
		columns[multi.Name] = c

		for kind, n := range map[lucene.DocValuesType]int{lucene.DocValuesSorted: 700, lucene.DocValuesSortedSet: 2100} {
			f := field(fmt.Sprintf("%v %s", kind, name))
			f.DocValuesType = kind
			c := &memoryColumn{}
			for i := range n {
				c.terms = append(c.terms, []byte(fmt.Sprintf("some/long/prefix/%06d/%s", i, strings.Repeat("x", rnd.IntN(60)))))
			}
			for doc := range int32(maxDoc) {
				if has(doc) {
					ords := []int64{int64(len(c.docs) % n)}
					for kind == lucene.DocValuesSortedSet && rnd.IntN(3) == 0 {
						ords = append(ords, rnd.Int64N(int64(n)))
					}
					slices.Sort(ords)
					c.docs, c.values = append(c.docs, doc), append(c.values, slices.Compact(ords))
				}
			}
			columns[f.Name] = c
		}

		raw := field("binary " + name)
		raw.DocValuesType = lucene.DocValuesBinary
		c = &memoryColumn{}
		for doc := range int32(maxDoc) {
			if has(doc) {
				c.docs, c.terms = append(c.docs, doc), append(c.terms, bytes.Repeat([]byte{'a' + byte(rnd.IntN(26))}, rnd.IntN(9)))
			}
		}
		columns[raw.Name] = c

		for dims, shape := range map[int32][2]int32{1: {1, 8}, 2: {2, 4}, 3: {3, 3}, 4: {2, 4}} {
			f := field(fmt.Sprintf("points %d %s", dims, name))
			f.PointDims, f.PointIndexDims, f.PointBytes = dims, shape[0], shape[1]
			var ps memoryPoints
			for doc := range int32(maxDoc) {
				for n := rnd.IntN(8); has(doc) && n < 2; n++ { // a quarter of the documents, some twice
					v := make([]byte, 0, dims*shape[1]+8)
					for range dims {
						v = binary.BigEndian.AppendUint64(v, rnd.Uint64()>>rnd.IntN(20))[:len(v)+int(shape[1])]
					}
					ps = append(ps, struct {
						doc   int32
						value []byte
					}{doc, v})
				}
			}
			trees[f.Name] = ps
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fis, err := lucene.NewFieldInfos(fields)
	check(err)
	folder := t.TempDir()
	dir, err := store.OpenFS(folder)
	check(err)
	infos := segments.New()
	minVersion := lucene.Written
	si := &lucene.SegmentInfo{Name: infos.NextSegmentName(), ID: lucene.NewID(), Version: lucene.Written, MinVersion: &minVersion, MaxDoc: maxDoc, Codec: catalog.Current,
		Diagnostics: map[string]string{"source": "flush"}, Attributes: map[string]string{}}
	state := &codec.WriteState{Dir: dir, Info: si, Fields: fis}
	stored, err := storedfields.NewWriter(state, storedfields.BestSpeed)
	check(err)
	for range maxDoc {
		check(stored.StartDocument())
		check(stored.FinishDocument())
	}
	check(stored.Finish(maxDoc))
	check(stored.Close())
	dv, err := perfielddv.NewConsumer(state)
	check(err)
	pc, err := points.NewConsumer(state)
	check(err)
	pc.Budget = 1 << 20
	for _, f := range fields {
		switch f.DocValuesType {
		case lucene.DocValuesNumeric:
			check(dv.AddNumeric(f, columns))
		case lucene.DocValuesBinary:
			check(dv.AddBinary(f, columns))
		case lucene.DocValuesSorted:
			check(dv.AddSorted(f, columns))
		case lucene.DocValuesSortedNumeric:
			check(dv.AddSortedNumeric(f, columns))
		case lucene.DocValuesSortedSet:
			check(dv.AddSortedSet(f, columns))
		default:
			check(pc.AddPoints(f, trees[f.Name]))
		}
	}
	check(dv.Close())
	check(pc.Close())
	check(fieldinfo.Write(dir, si, "", fis))
	si.Files, err = dir.List()
	check(err)
	si.Files = append(si.Files, segmentinfo.FileName(si.Name))
	check(segmentinfo.Write(dir, si))
	sci := lucene.NewSegmentCommitInfo(si)
	live := lucene.NewFixedBits(maxDoc)
	for doc := range int32(maxDoc) {
		if rnd.IntN(7) == 0 {
			sci.DelCount++
		} else {
			live.Set(doc)
		}
	}
	_, err = livedocs.Write(dir, sci, 1, live)
	check(err)
	sci.DelGen = 1
	infos.Segments = append(infos.Segments, sci)
	check(infos.Commit(dir))

	oracletest.CheckIndex(t, folder)
	var n tally
	compare(t, folder, store.Random, &n)
	t.Logf("compared %+v", n)
	if n.deleted != int(sci.DelCount) || n.values < maxDoc || n.points < maxDoc/2 {
		t.Errorf("not all was compared: %+v", n)
	}
}
