package perfield_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/automaton"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/store"
)

const benchDocs = 1 << 20

var benchTerms = []struct {
	name string
	gap  int // documents for one that has the term
}{{"gap1", 1}, {"gap3", 3}, {"gap10", 10}, {"gap100", 100}, {"gap2000", 2000}}

// bench is a segment on disk: field "text" with benchTerms, and field "id" with 200,000 terms.
var bench = sync.OnceValues(func() (*codec.ReadState, memFields) {
	rnd := rand.New(rand.NewPCG(1, 1))
	text := &lucene.FieldInfo{Name: "text", Number: 0, IndexOptions: lucene.IndexDocsFreqsPositions, DocValuesGen: -1}
	id := &lucene.FieldInfo{Name: "id", Number: 1, IndexOptions: lucene.IndexDocs, OmitNorms: true, DocValuesGen: -1}
	fields := memFields{"text": {info: text, norms: make([]int64, benchDocs)}, "id": {info: id}}
	for i := range fields["text"].norms {
		fields["text"].norms[i] = 1 + rnd.Int64N(50)
	}
	for _, b := range benchTerms {
		t := memTerm{term: []byte(b.name)}
		for d := rnd.IntN(b.gap); d < benchDocs; d += 1 + rnd.IntN(2*b.gap-1) {
			doc := memDoc{doc: int32(d), freq: 1}
			for rnd.IntN(3) == 0 {
				doc.freq++
			}
			p := int32(0)
			for range doc.freq {
				p += rnd.Int32N(100)
				doc.pos = append(doc.pos, memPos{pos: p})
			}
			t.docs = append(t.docs, doc)
		}
		fields["text"].terms = append(fields["text"].terms, t)
	}
	sortTerms(fields["text"])
	for i := range 200000 {
		t := memTerm{term: binary.BigEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15), docs: []memDoc{{doc: int32(i), freq: 1}}}
		fields["id"].terms = append(fields["id"].terms, t)
	}
	sortTerms(fields["id"])
	fis, err := lucene.NewFieldInfos([]*lucene.FieldInfo{text, id})
	if err != nil {
		panic(err)
	}
	path, err := os.MkdirTemp("", "postings-bench")
	if err != nil {
		panic(err)
	}
	dir, err := store.OpenFS(path)
	if err != nil {
		panic(err)
	}
	return &codec.ReadState{Dir: dir, Info: &lucene.SegmentInfo{Name: "_0", MaxDoc: benchDocs}, Fields: fis}, fields
})

var benchWritten sync.Once

func openBench(b *testing.B) *codec.ReadState {
	b.Helper()
	state, fields := bench()
	benchWritten.Do(func() {
		write(b, &codec.WriteState{Dir: state.Dir, Info: state.Info, Fields: state.Fields}, fields)
	})
	return state
}

func benchField(b *testing.B, name string) lucene.Terms {
	b.Helper()
	fp, err := perfield.NewFieldsProducer(openBench(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { fp.Close() })
	terms, err := fp.Terms(name)
	if err != nil {
		b.Fatal(err)
	}
	return terms
}

func seekBench(b *testing.B, term string) lucene.TermsEnum {
	b.Helper()
	te, err := benchField(b, "text").Iterator()
	if err != nil {
		b.Fatal(err)
	}
	if ok, err := te.SeekExact([]byte(term)); !ok || err != nil {
		b.Fatal(ok, err)
	}
	return te
}

func BenchmarkPostings(b *testing.B) {
	for _, bt := range benchTerms {
		for _, flags := range []struct {
			name  string
			flags int
		}{{"docs", lucene.PostingsNone}, {"freqs", lucene.PostingsFreqs}, {"positions", lucene.PostingsPositions}} {
			b.Run(bt.name+"/"+flags.name, func(b *testing.B) {
				te := seekBench(b, bt.name)
				var pe lucene.PostingsEnum
				var err error
				docs := 0
				b.ReportAllocs()
				for b.Loop() {
					if pe, err = te.Postings(pe, flags.flags); err != nil {
						b.Fatal(err)
					}
					for {
						d, err := pe.Next()
						if err != nil {
							b.Fatal(err)
						}
						if d == lucene.NoMoreDocs {
							break
						}
						docs++
						if flags.flags == lucene.PostingsNone {
							continue
						}
						f, _ := pe.Freq()
						if flags.flags == lucene.PostingsPositions {
							for range f {
								if _, err := pe.NextPosition(); err != nil {
									b.Fatal(err)
								}
							}
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(docs), "ns/doc")
			})
		}
	}
}

func BenchmarkAdvance(b *testing.B) {
	for _, bt := range benchTerms[:4] {
		for _, step := range []int32{20, 1000, 20000} {
			b.Run(fmt.Sprintf("%s/by%d", bt.name, step), func(b *testing.B) {
				te := seekBench(b, bt.name)
				var pe lucene.PostingsEnum
				var err error
				calls := 0
				for b.Loop() {
					if pe, err = te.Postings(pe, lucene.PostingsNone); err != nil {
						b.Fatal(err)
					}
					for d := int32(0); d != lucene.NoMoreDocs; calls++ {
						if d, err = pe.Advance(d + step); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(calls), "ns/call")
			})
		}
	}
}

func BenchmarkSeekExact(b *testing.B) {
	_, fields := bench()
	keys := fields["id"].terms
	te, err := benchField(b, "id").Iterator()
	if err != nil {
		b.Fatal(err)
	}
	var pe lucene.PostingsEnum
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ok, err := te.SeekExact(keys[i*7919%len(keys)].term)
		if !ok || err != nil {
			b.Fatal(ok, err)
		}
		if pe, err = te.Postings(pe, lucene.PostingsNone); err != nil {
			b.Fatal(err)
		}
		if d, err := pe.Next(); d < 0 || err != nil {
			b.Fatal(d, err)
		}
	}
}

func BenchmarkSeekMissing(b *testing.B) {
	te, err := benchField(b, "id").Iterator()
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		key := binary.BigEndian.AppendUint64(nil, uint64(i)*0xd1342543de82ef95+1)
		if ok, err := te.SeekExact(key); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkNextTerm(b *testing.B) {
	terms := benchField(b, "id")
	n := 0
	for b.Loop() {
		te, err := terms.Iterator()
		if err != nil {
			b.Fatal(err)
		}
		for {
			t, err := te.Next()
			if err != nil {
				b.Fatal(err)
			}
			if t == nil {
				break
			}
			n++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/term")
}

func BenchmarkIntersectPrefix(b *testing.B) {
	terms := benchField(b, "id")
	a := automaton.Range([]byte{0x80}, []byte{0x81}, true, false)
	for b.Loop() {
		te, err := terms.Intersect(a, nil)
		if err != nil {
			b.Fatal(err)
		}
		for {
			t, err := te.Next()
			if err != nil {
				b.Fatal(err)
			}
			if t == nil {
				break
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	state, fields := bench()
	docs := 0
	for _, f := range fields {
		for _, t := range f.terms {
			docs += len(t.docs)
		}
	}
	for b.Loop() {
		write(b, &codec.WriteState{Dir: store.NewMem(), Info: state.Info, Fields: state.Fields}, fields)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(docs)/float64(b.N), "ns/posting")
}
