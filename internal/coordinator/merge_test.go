package coordinator

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/search"
)

// TestMergeHits compares pages of the merged hits with a sort of all of them.
func TestMergeHits(t *testing.T) {
	seed := uint64(testseed.Of(t))
	r := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		results := make([]shardHits, r.IntN(5))
		var all []globalHit
		for i := range results {
			if results[i].failed = r.IntN(5) == 0; results[i].failed {
				continue
			}
			top := &search.TopDocs{}
			for range r.IntN(6) * r.IntN(2) {
				top.Hits = append(top.Hits, search.Hit{Doc: int32(r.IntN(100)), Score: float32(r.IntN(4))})
			}
			slices.SortStableFunc(top.Hits, func(a, b search.Hit) int { return cmp.Compare(b.Score, a.Score) })
			results[i].top = top
			for j, h := range top.Hits {
				all = append(all, globalHit{h, i, j})
			}
		}
		slices.SortStableFunc(all, func(a, b globalHit) int { return cmp.Compare(b.Score, a.Score) }) // by shard and place already
		from, size := r.IntN(8), r.IntN(8)
		want := all[min(from, len(all)):min(from+size, len(all))]
		got, err := mergeHits(results, from, size)
		if err != nil || !slices.EqualFunc(got, want, func(a, b globalHit) bool {
			return a.shard == b.shard && a.pos == b.pos && a.Doc == b.Doc && a.Score == b.Score
		}) {
			t.Fatalf("%d from %d of %v are %v, not %v", size, from, all, got, want)
		}
	}
}
