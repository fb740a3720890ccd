package disi

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// list is an iterator over given documents.
type list struct {
	docs []int32
	at   int
}

func (l *list) DocID() int32                 { return l.docs[l.at-1] }
func (l *list) Cost() int64                  { return int64(len(l.docs)) }
func (l *list) Advance(int32) (int32, error) { panic("not used") }
func (l *list) Next() (int32, error) {
	if l.at == len(l.docs) {
		return lucene.NoMoreDocs, nil
	}
	l.at++
	return l.docs[l.at-1], nil
}

// sets returns sets of every shape; each has documents below maxDoc.
func sets(rnd *rand.Rand) map[string][]int32 {
	m := map[string][]int32{"one": {0}, "last": {262143}, "two ranges": {65535, 65536}, "far": {3, 200000}}
	for _, gap := range []int{1, 2, 5, 15, 17, 100, 20000} {
		var docs []int32
		for doc := rnd.Int32N(int32(gap)); doc < 262144; doc += 1 + rnd.Int32N(int32(2*gap-1)) {
			docs = append(docs, doc)
		}
		m[fmt.Sprintf("gap %d", gap)] = docs
	}
	// Ranges that are absent, full, dense and sparse by turns.
	var mixed []int32
	for block := int32(0); block < 24; block++ {
		n := []int32{0, 65536, 30000, 10, 0, 4095, 4096, 65535}[rnd.IntN(8)]
		var part []int32
		for _, low := range rnd.Perm(65536)[:n] {
			part = append(part, block<<16|int32(low))
		}
		slices.Sort(part)
		mixed = append(mixed, part...)
	}
	m["mixed"] = append(mixed, 24<<16)
	return m
}

func write(t testing.TB, docs []int32) (store.Input, Meta) {
	t.Helper()
	out := store.NewBuffer()
	out.PutBytes([]byte("ahead"))
	m, err := Write(out, &list{docs: docs})
	if err != nil {
		t.Fatal(err)
	}
	if m.Offset != 5 || m.Length != out.FilePointer()-5 {
		t.Fatalf("%+v for a set behind 5 bytes", m)
	}
	meta := store.NewBuffer()
	WriteMeta(meta, m)
	r := store.NewReader(store.NewBytesInput("meta", meta.Data()))
	if got := ReadMeta(r); got != m || r.Err() != nil {
		t.Fatalf("metadata %+v became %+v: %v", m, got, r.Err())
	}
	out.PutBytes([]byte("behind"))
	return store.NewBytesInput("f", out.Data()), m
}

func TestIterator(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for name, docs := range sets(rnd) {
		in, m := write(t, docs)
		maxDoc := docs[len(docs)-1] + 1 + rnd.Int32N(3)*40000
		open := func() *Iterator {
			it, err := New(in, m, int64(len(docs)), maxDoc)
			if err != nil {
				t.Fatal(err)
			}
			return it
		}
		it := open()
		for i, want := range docs {
			if doc, err := it.Next(); err != nil || doc != want || it.Index() != int32(i) || it.DocID() != want {
				t.Fatalf("%s: document %d is %d with index %d, not %d; %v", name, i, doc, it.Index(), want, err)
			}
		}
		for range 2 {
			if doc, err := it.Next(); err != nil || doc != lucene.NoMoreDocs {
				t.Fatalf("%s: %d after the last; %v", name, doc, err)
			}
		}
		for _, span := range []int32{1, 3, 70, 3000, 70000, 500000} {
			it := open()
			for doc := int32(-1); doc != lucene.NoMoreDocs; {
				target := doc + 1 + rnd.Int32N(span)
				at, found := slices.BinarySearch(docs, target)
				switch rnd.IntN(3) {
				case 0:
					want := lucene.NoMoreDocs
					if at < len(docs) {
						want = docs[at]
					}
					got, err := it.Advance(target)
					if err != nil || got != want || want != lucene.NoMoreDocs && it.Index() != int32(at) {
						t.Fatalf("%s: advance to %d gives %d with index %d, not %d with %d; %v", name, target, got, it.Index(), want, at, err)
					}
					doc = got
				case 1:
					if target >= maxDoc {
						doc = lucene.NoMoreDocs
						break
					}
					got, err := it.AdvanceExact(target)
					if err != nil || got != found || found && it.Index() != int32(at) || it.DocID() != target {
						t.Fatalf("%s: %d is there: %v with index %d, not %v with %d; %v", name, target, got, it.Index(), found, at, err)
					}
					doc = target
				default:
					at, _ := slices.BinarySearch(docs, doc+1)
					want := lucene.NoMoreDocs
					if at < len(docs) {
						want = docs[at]
					}
					got, err := it.Next()
					if err != nil || got != want || want != lucene.NoMoreDocs && it.Index() != int32(at) {
						t.Fatalf("%s: after %d comes %d with index %d, not %d with %d; %v", name, doc, got, it.Index(), want, at, err)
					}
					doc = got
				}
			}
		}
	}
}

// TestKnownSet compares with the worked example of docs/formats/disi.md.
func TestKnownSet(t *testing.T) {
	in, m := write(t, []int32{2, 65537, 65538})
	got, _ := store.Bytes(in, m.Offset, int(m.Length))
	want := []byte{
		0, 0, 0, 0, 2, 0,
		1, 0, 1, 0, 1, 0, 2, 0,
		0xff, 0x7f, 0, 0, 0xff, 0xff,
		0, 0, 0, 0, 0, 0, 0, 0,
		1, 0, 0, 0, 6, 0, 0, 0,
		3, 0, 0, 0, 14, 0, 0, 0,
	}
	if !bytes.Equal(got, want) || m.Jumps != 3 || m.RankPower != 9 {
		t.Fatalf("%+v\n% x", m, got)
	}
}

func walk(in store.Input, m Meta, maxDoc int32, steps []byte) error {
	it, err := New(in, m, 10, maxDoc)
	if err != nil {
		return err
	}
	last := int32(-1)
	for i := 0; i < len(steps) || i < 300; i++ {
		var step byte
		if i < len(steps) {
			step = steps[i]
		}
		var doc int32
		if step&1 == 0 {
			doc, err = it.Next()
		} else if target := it.DocID() + int32(step)*2000; target > it.DocID() {
			doc, err = it.Advance(target)
		}
		if err != nil {
			return err
		}
		if doc == lucene.NoMoreDocs {
			return nil
		}
		if doc != 0 && (doc <= last || doc >= maxDoc) {
			return fmt.Errorf("document %d of %d after %d", doc, maxDoc, last)
		}
		last = doc
	}
	return nil
}

func FuzzIterator(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, docs := range sets(rnd) {
		in, m := write(f, docs[:min(len(docs), 5000)])
		b, _ := store.Bytes(in, m.Offset, int(m.Length))
		f.Add(b, m.Jumps, m.RankPower, int32(1<<20), []byte{1, 0, 5, 3, 2, 0, 0, 9})
	}
	f.Fuzz(func(t *testing.T, b []byte, jumps int16, power int8, maxDoc int32, steps []byte) {
		if maxDoc < 0 {
			return
		}
		m := Meta{Length: int64(len(b)), Jumps: jumps, RankPower: power}
		if err := walk(store.NewBytesInput("f", b), m, maxDoc, steps); err != nil && !store.IsCorrupt(err) {
			t.Fatal(err)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, docs := range sets(rnd) {
		if len(docs) < 1000 {
			continue
		}
		in, m := write(b, docs)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				it, err := New(in, m, int64(len(docs)), docs[len(docs)-1]+1)
				if err != nil {
					b.Fatal(err)
				}
				for doc := int32(-1); doc != lucene.NoMoreDocs; {
					if doc, err = it.Next(); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(docs)), "ns/doc")
		})
	}
}
