package docvalues

import (
	"math/rand/v2"
	"testing"

	"github.com/varve-search/varve/lucene"
)

const benchDocs = 1 << 20

func benchColumn(b *testing.B, kind lucene.DocValuesType, one int, gen func(rnd *rand.Rand, i int) int64, terms [][]byte) (*Producer, *lucene.FieldInfo, *model) {
	b.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	m := &model{maxDoc: benchDocs, terms: terms}
	for doc := range int32(benchDocs) {
		if rnd.IntN(one) == 0 {
			m.docs = append(m.docs, doc)
			m.nums = append(m.nums, []int64{gen(rnd, int(doc))})
		}
	}
	_, state, f := write(b, kind, m)
	p, err := NewProducer(state)
	if err != nil {
		b.Fatal(err)
	}
	return p, f, m
}

var benchNumbers = map[string]func(rnd *rand.Rand, i int) int64{
	"plain20":  func(rnd *rand.Rand, _ int) int64 { return rnd.Int64N(1 << 20) },
	"gcd":      func(rnd *rand.Rand, _ int) int64 { return 1700000000000 + rnd.Int64N(1<<24)*1000 },
	"table":    func(rnd *rand.Rand, _ int) int64 { return []int64{200, 301, 404, 500, 1 << 40}[rnd.IntN(5)] },
	"blocks":   func(rnd *rand.Rand, i int) int64 { return int64(i)*1000 + rnd.Int64N(1000) },
	"constant": func(*rand.Rand, int) int64 { return 7 },
}

func perDoc(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/doc")
}

func BenchmarkNumeric(b *testing.B) {
	for name, gen := range benchNumbers {
		p, f, _ := benchColumn(b, lucene.DocValuesNumeric, 1, gen, nil)
		b.Run("iterate/"+name, func(b *testing.B) {
			for b.Loop() {
				it, err := p.Numeric(f)
				if err != nil {
					b.Fatal(err)
				}
				for doc, err := it.Next(); doc != lucene.NoMoreDocs; doc, err = it.Next() {
					if err != nil {
						b.Fatal(err)
					}
					if _, err := it.Value(); err != nil {
						b.Fatal(err)
					}
				}
			}
			perDoc(b, benchDocs)
		})
		for step, part := range map[int32]string{1: "all", 3: "third"} {
			b.Run("batch/"+name+"/"+part, func(b *testing.B) {
				docs, values := make([]int32, 512), make([]int64, 512)
				for b.Loop() {
					it, err := p.Numeric(f)
					if err != nil {
						b.Fatal(err)
					}
					for doc := int32(0); doc+512*step < benchDocs; doc += 512 * step {
						for i := range docs {
							docs[i] = doc + int32(i)*step
						}
						if ok, err := it.(lucene.NumericBatch).Values(docs, values); !ok || err != nil {
							b.Fatal(ok, err)
						}
					}
				}
				perDoc(b, benchDocs/int(step))
			})
		}
	}
	p, f, m := benchColumn(b, lucene.DocValuesNumeric, 3, benchNumbers["plain20"], nil)
	b.Run("sparse", func(b *testing.B) {
		for b.Loop() {
			it, err := p.Numeric(f)
			if err != nil {
				b.Fatal(err)
			}
			for _, doc := range m.docs {
				if ok, err := it.AdvanceExact(doc); !ok || err != nil {
					b.Fatal(ok, err)
				}
				if _, err := it.Value(); err != nil {
					b.Fatal(err)
				}
			}
		}
		perDoc(b, len(m.docs))
	})
}

func BenchmarkDictionary(b *testing.B) {
	dict := terms(rand.New(rand.NewPCG(5, 6)), 100_000)
	n := int64(len(dict))
	p, f, _ := benchColumn(b, lucene.DocValuesSorted, 1, func(_ *rand.Rand, i int) int64 { return int64(i) % n }, dict)
	s, err := p.Sorted(f)
	if err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	b.Run("random ordinal", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.LookupOrd(rnd.Int64N(n)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ascending ordinals", func(b *testing.B) {
		ord := int64(0)
		for b.Loop() {
			if _, err := s.LookupOrd(ord % n); err != nil {
				b.Fatal(err)
			}
			ord++
		}
	})
	b.Run("term", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.LookupTerm(dict[rnd.IntN(int(n))]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for name, gen := range benchNumbers {
		_, _, m := benchColumn(b, lucene.DocValuesNumeric, 1, gen, nil)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				write(b, lucene.DocValuesNumeric, m)
			}
			perDoc(b, benchDocs)
		})
	}
}
