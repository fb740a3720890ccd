package search

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-search/varve/internal/segmenttest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// benchDocs is how many documents the benchmarks' segment has.
const benchDocs = 400000

type benchTokens struct {
	words []string
	i     int
	tok   lucene.Token
}

func (t *benchTokens) Next() (bool, error) {
	if t.i >= len(t.words) {
		return false, nil
	}
	t.tok = lucene.Token{Term: []byte(t.words[t.i]), PositionIncrement: 1, PositionLength: 1}
	t.i++
	return true, nil
}
func (t *benchTokens) Token() *lucene.Token { return &t.tok }
func (t *benchTokens) End() (int32, int32)  { return 0, 0 }

var benchSearcher *Searcher

// openBench makes one segment of documents with words of Zipf's distribution, once; with VARVE_BENCH_INDEX, in that
// folder, where later runs find it.
func openBench(b *testing.B) *Searcher {
	b.Helper()
	if benchSearcher != nil {
		return benchSearcher
	}
	folder := os.Getenv("VARVE_BENCH_INDEX")
	if folder == "" {
		folder = b.TempDir() // what is mapped stays after it is removed
	}
	if commits, _ := filepath.Glob(filepath.Join(folder, "segments_*")); len(commits) == 0 {
		buildBench(b, folder)
	}
	var leaves []lucene.LeafContext
	base := int32(0)
	for _, seg := range segmenttest.Open(b, folder) {
		r := openDisk(b, seg)
		leaves = append(leaves, lucene.LeafContext{Reader: r, Ord: len(leaves), DocBase: base})
		base += r.MaxDoc()
	}
	benchSearcher = NewSearcher(leaves, Options{Workers: 1})
	return benchSearcher
}

func buildBench(b *testing.B, folder string) {
	dir, err := store.OpenFS(folder)
	if err != nil {
		b.Fatal(err)
	}
	w, err := index.Open(dir, index.Config{RAMBudget: 4 << 30, NoMerges: true, NoCompound: true})
	if err != nil {
		b.Fatal(err)
	}
	text := &lucene.FieldType{IndexOptions: lucene.IndexDocsFreqsPositions}
	keyword := &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true, DocValuesType: lucene.DocValuesSortedSet}
	long := &lucene.FieldType{DocValuesType: lucene.DocValuesSortedNumeric, PointDims: 1, PointIndexDims: 1, PointBytes: 8}
	r := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(r, 1.1, 4, 100000)
	ctx := context.Background()
	for i := range benchDocs {
		var ws []string
		for range 5 + r.IntN(40) {
			ws = append(ws, fmt.Sprintf("w%d", zipf.Uint64()))
		}
		host := []byte(fmt.Sprintf("host-%d", r.IntN(200)))
		ts, size := int64(i)*250+r.Int64N(1000), int64(r.IntN(1<<20))
		if _, err := w.AddDocuments(ctx, &lucene.Document{Fields: []lucene.Field{
			{Name: "message", Type: text, Tokens: &benchTokens{words: ws}},
			{Name: "host", Type: keyword, Term: host, Bytes: host},
			{Name: "time", Type: long, Num: ts, Point: sortableLong(ts)},
			{Name: "size", Type: long, Num: size, Point: sortableLong(size)},
		}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(ctx, nil); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(ctx); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkSearch(b *testing.B) {
	s := openBench(b)
	or := func(ws ...int) Query {
		q := &Boolean{}
		for _, w := range ws {
			q.Clauses = append(q.Clauses, Clause{NewTerm("message", fmt.Sprintf("w%d", w)), Should})
		}
		return q
	}
	and := func(ws ...int) *Boolean {
		q := or(ws...).(*Boolean)
		for i := range q.Clauses {
			q.Clauses[i].Occur = Must
		}
		return q
	}
	filtered := &Boolean{Clauses: []Clause{{or(3, 40, 300), Must}, {NewLongRange("size", 0, 1<<19), Filter}}}
	wild, _ := NewWildcard("message", "w12*5", false)
	score, all := ByScore{K: 10, Threshold: 10000}.Top, ByScore{K: 10, Threshold: CountAll}.Top
	by := func(f ...SortField) func() Manager[*TopDocs] {
		return ByFields{K: 10, Sort: f, Threshold: 10000}.Top
	}
	for _, c := range []struct {
		name string
		q    Query
		m    func() Manager[*TopDocs]
	}{
		{"term_frequent", NewTerm("message", "w1"), score},
		{"term_frequent_all", NewTerm("message", "w1"), all},
		{"term_rare", NewTerm("message", "w900"), score},
		{"or_2", or(2, 50), score},
		{"or_10", or(1, 3, 10, 20, 50, 100, 200, 400, 800, 1600), score},
		{"or_10_all", or(1, 3, 10, 20, 50, 100, 200, 400, 800, 1600), all},
		{"and_2", and(2, 10), score},
		{"and_3", and(1, 5, 60), score},
		{"and_2_all", and(2, 10), all},
		{"phrase", NewPhrase("message", "w1", "w2"), score},
		{"phrase_sloppy", &Phrase{Field: "message", Terms: NewPhrase("", "w1", "w5").Terms, Slop: 3}, score},
		{"range", NewLongRange("time", 250*100000, 250*200000), score},
		{"filtered_or", filtered, score},
		{"prefix", NewPrefix("message", "w12", false), score},
		{"wildcard", wild, score},
		{"fuzzy", &Fuzzy{Field: "message", Term: "w1234", Edits: 1, Prefix: 1, Transpositions: true}, score},
		{"sort_long", NewTerm("message", "w3"), by(SortField{Type: SortNumber, Field: "size"})},
		{"sort_keyword", NewTerm("message", "w3"), by(SortField{Type: SortString, Field: "host"}, SortField{Type: SortNumber, Field: "size"})},
		{"match_all_sort_time", MatchAll{}, by(SortField{Type: SortNumber, Field: "time", Reverse: true})},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Run(context.Background(), s, c.q, c.m()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("count_and", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Count(context.Background(), and(1, 5)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
