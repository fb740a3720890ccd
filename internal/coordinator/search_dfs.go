package coordinator

import (
	"context"
	"sync"

	"github.com/varve-search/varve/lucene/search"
)

// globalStats are the statistics that scores depend on, of several shards together. First each shard's weight is made
// to see what it asks for; what it has is added up. Then the sums are answered.
type globalStats struct {
	mu     sync.Mutex
	fields map[string]*search.CollectionStatistics
	terms  map[string]search.TermStatistics
}

func termKey(field string, term []byte) string { return field + "\x00" + string(term) }

// Collection implements search.StatsProvider.
func (g *globalStats) Collection(field string, local *search.CollectionStatistics) *search.CollectionStatistics {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st := g.fields[field]; st != nil {
		return st
	}
	return local
}

// Term implements search.StatsProvider.
func (g *globalStats) Term(field string, term []byte, local search.TermStatistics) search.TermStatistics {
	g.mu.Lock()
	defer g.mu.Unlock()
	if st, ok := g.terms[termKey(field, term)]; ok {
		return st
	}
	return local
}

// shardStats notes what one shard's weight asks for, once.
type shardStats struct {
	mu     sync.Mutex
	fields map[string]search.CollectionStatistics
	terms  map[string]search.TermStatistics
}

// Collection implements search.StatsProvider.
func (g *shardStats) Collection(field string, local *search.CollectionStatistics) *search.CollectionStatistics {
	g.mu.Lock()
	defer g.mu.Unlock()
	if local != nil {
		g.fields[field] = *local
	}
	return local
}

// Term implements search.StatsProvider.
func (g *shardStats) Term(field string, term []byte, local search.TermStatistics) search.TermStatistics {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.terms[termKey(field, term)] = local
	return local
}

// gatherStats sets the plan's statistics to those of all shards.
func (s *Service) gatherStats(ctx context.Context, p *searchPlan, shards []*searchShard, results []shardHits) {
	all := &globalStats{fields: map[string]*search.CollectionStatistics{}, terms: map[string]search.TermStatistics{}}
	s.eachShard(shards, func(i int) {
		sh := shards[i]
		if sh.view == nil || ctx.Err() != nil {
			return
		}
		err := guard(func() error {
			b, err := s.bind(p, sh.ix)
			if err != nil {
				return err
			}
			one := &shardStats{fields: map[string]search.CollectionStatistics{}, terms: map[string]search.TermStatistics{}}
			sr := search.NewSearcher(liveLeaves(sh.view.Leaves()), search.Options{Similarity: b.ctx.Similarity, Stats: one, MaxClauses: b.ctx.MaxClauses})
			q, err := sr.Rewrite(b.query)
			if err != nil {
				return err
			}
			if _, err := sr.Weight(q, search.Complete, 1); err != nil {
				return err
			}
			all.add(one)
			return nil
		})
		if err != nil {
			results[i].err, results[i].failed = err, true
		}
	})
	p.stats = all
}

func (g *globalStats) add(one *shardStats) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for f, st := range one.fields {
		sum := g.fields[f]
		if sum == nil {
			sum = &search.CollectionStatistics{Field: f}
			g.fields[f] = sum
		}
		sum.MaxDoc += st.MaxDoc
		sum.DocCount += st.DocCount
		sum.SumDocFreq += st.SumDocFreq
		sum.SumTotalTermFreq += st.SumTotalTermFreq
	}
	for k, st := range one.terms {
		sum := g.terms[k]
		sum.DocFreq += st.DocFreq
		sum.TotalTermFreq += st.TotalTermFreq
		g.terms[k] = sum
	}
}
