package coordinator

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/varve-search/varve/internal/aggregation"
	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/lucene/search"
)

// globalHit is a hit among those of all shards.
type globalHit struct {
	search.Hit
	shard, pos int
}

// mergeHits returns size of the hits of all shards after the first from, best first; ties by shard, then by place in it.
func mergeHits(results []shardHits, from, size int) ([]globalHit, error) {
	var found []int // shards with hits
	n := 0
	for i, r := range results {
		if !r.failed && r.top != nil && len(r.top.Hits) > 0 {
			found = append(found, i)
			n += len(r.top.Hits)
		}
	}
	from = min(from, n)
	to := min(from+size, n)
	if len(found) == 1 { // they are in order
		out := make([]globalHit, 0, to-from)
		for j, h := range results[found[0]].top.Hits[from:to] {
			out = append(out, globalHit{h, found[0], from + j})
		}
		return out, nil
	}
	all := make([]globalHit, 0, n)
	for _, i := range found {
		for j, h := range results[i].top.Hits {
			all = append(all, globalHit{h, i, j})
		}
	}
	if n == 0 {
		return nil, nil
	}
	sort := results[found[0]].sort
	var clash error
	slices.SortFunc(all, func(a, b globalHit) int {
		c, err := compareHits(sort, &a.Hit, &b.Hit)
		if err != nil {
			clash = err
		}
		if c != 0 {
			return c
		}
		if c := cmp.Compare(a.shard, b.shard); c != 0 {
			return c
		}
		return cmp.Compare(a.pos, b.pos)
	})
	if clash != nil {
		return nil, clash
	}
	return all[from:to], nil
}

func compareHits(sort *query.Sort, a, b *search.Hit) (int, error) {
	if sort == nil {
		return cmp.Compare(b.Score, a.Score), nil
	}
	return sort.Compare(a.Sort, b.Sort)
}

// reduce puts the answers of the shards together and fetches the hits that are shown.
func (s *Service) reduce(ctx context.Context, req *SearchRequest, p *searchPlan, shards []*searchShard, results []shardHits, lasts []*search.Hit, res *SearchResult) error {
	total := search.TotalHits{}
	var parts []aggregation.Results
	for _, r := range results {
		if r.failed {
			continue
		}
		total.Value += r.top.Total.Value
		total.Relation = max(total.Relation, r.top.Total.Relation)
		if r.aggs != nil {
			parts = append(parts, *r.aggs)
		}
		if m := r.top.MaxScore; !(m <= res.MaxScore) && m == m {
			res.MaxScore = m
		}
		res.TimedOut = res.TimedOut || r.timedOut
		if p.src.TerminateAfter > 0 {
			early := r.terminated || res.TerminatedEarly != nil && *res.TerminatedEarly
			res.TerminatedEarly = &early
		}
	}
	switch track := p.src.TrackTotal; {
	case track == TrackNone:
	case track != TrackAll && total.Value > track:
		res.Total = &search.TotalHits{Value: track, Relation: search.AtLeast}
	default:
		res.Total = &total
	}
	if len(parts) > 0 {
		all, err := aggregation.Reduce(parts)
		if err != nil {
			return err
		}
		if res.Aggs, err = all.Render(req.TypedKeys); err != nil {
			return err
		}
	}
	if p.countOnly {
		return nil
	}
	hits, err := mergeHits(results, p.src.from(), p.src.size())
	if err != nil {
		return &PhaseError{Phase: "fetch", Cause: err}
	}
	if lasts != nil {
		for i := range hits {
			h := hits[i].Hit
			lasts[hits[i].shard] = &h
		}
	}
	return s.fetch(ctx, p, shards, results, hits, res)
}

// scoreOf returns the score that a hit shows: sorts by score have it among their values.
func scoreOf(r *shardHits, h *search.Hit) float32 {
	if r.sort == nil {
		return h.Score
	}
	score := h.Score
	for i, f := range r.sort.Fields {
		if f.Type == search.SortScore {
			if v, ok := h.Sort[i].(float64); ok {
				score = float32(v)
			}
		}
	}
	if score == 0 && math.Signbit(float64(score)) {
		return 0
	}
	return score
}
