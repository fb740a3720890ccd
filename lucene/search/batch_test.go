package search

import (
	"testing"

	"github.com/varve-search/varve/internal/segmenttest"
	"github.com/varve-search/varve/lucene"
)

// TestBatches reads the postings of real segments by batches and one by one.
func TestBatches(t *testing.T) {
	r := newRand(t)
	for _, fixture := range []string{"opensearch-2.19/main", "opensearch-2.11/main"} {
		terms, batches := 0, 0
		for _, folder := range segmenttest.Shards(t, fixture, "snap-3", "logs-2024.05") {
			for _, seg := range segmenttest.Open(t, folder) {
				reader := openDisk(t, seg)
				for _, f := range seg.Fields.All() {
					ts, err := reader.Terms(f.Name)
					if err != nil {
						t.Fatal(err)
					}
					if ts == nil {
						continue
					}
					te, err := ts.Iterator()
					if err != nil {
						t.Fatal(err)
					}
					for {
						term, err := te.Next()
						if err != nil {
							t.Fatal(err)
						}
						if term == nil {
							break
						}
						if df, _ := te.DocFreq(); df < 20 && r.Intn(20) > 0 {
							continue
						}
						terms++
						one := must(te.Postings(nil, lucene.PostingsFreqs))
						many := must(te.Postings(nil, lucene.PostingsFreqs))
						pb, ok := many.(PostingsBatch)
						if !ok {
							t.Fatalf("%T has no batches", many)
						}
						must(one.Next())
						must(many.Next())
						for one.DocID() != lucene.NoMoreDocs {
							if r.Intn(4) == 0 {
								to := one.DocID() + 1 + int32(r.Intn(200))
								must(one.Advance(to))
								must(many.Advance(to))
							}
							docs, freqs := make([]int32, 1+r.Intn(200)), make([]int32, 200)
							upTo := lucene.NoMoreDocs
							if d := one.DocID(); d != upTo && r.Intn(2) == 0 {
								upTo = d + int32(r.Intn(300))
							}
							n := must(pb.NextBatch(upTo, docs, freqs))
							batches++
							for i, d := range docs[:n] {
								if d != one.DocID() || freqs[i] != must(one.Freq()) || d >= upTo {
									t.Fatalf("%s:%q: document %d, frequency %d, not %d, %d", f.Name, term, d, freqs[i], one.DocID(), must(one.Freq()))
								}
								must(one.Next())
							}
							if many.DocID() != one.DocID() {
								t.Fatalf("%s:%q: at %d after a batch, not %d", f.Name, term, many.DocID(), one.DocID())
							}
							if one.DocID() != lucene.NoMoreDocs && must(many.Freq()) != must(one.Freq()) {
								t.Fatalf("%s:%q: frequency after a batch", f.Name, term)
							}
						}
					}
				}
			}
		}
		t.Logf("%s: %d terms, %d batches", fixture, terms, batches)
	}
}
