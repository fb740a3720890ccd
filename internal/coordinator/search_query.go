package coordinator

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/internal/aggregation"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/search"
)

// bind binds the plan to an index, once.
func (s *Service) bind(p *searchPlan, ix *searchIndex) (*boundIndex, error) {
	p.mu.Lock()
	b := p.bound[ix.meta.UUID]
	if b == nil {
		b = &boundIndex{}
		p.bound[ix.meta.UUID] = b
	}
	p.mu.Unlock()
	b.once.Do(func() { b.err = s.bindIndex(p, ix, b) })
	return b, b.err
}

func (s *Service) bindIndex(p *searchPlan, ix *searchIndex, b *boundIndex) error {
	var err error
	if b.ctx, err = s.context(ix.meta, p.now); err != nil {
		return err
	}
	if err := p.checkWindow(ix); err != nil {
		return err
	}
	if err := p.checkUnbuilt(ix); err != nil {
		return err
	}
	q, err := p.query.Query(b.ctx)
	if err != nil {
		return err
	}
	boost, err := boostOf(p.src.IndicesBoost, p.view, ix.meta.Name)
	if err != nil {
		return err
	}
	if boost != 1 {
		q = &search.Boost{Query: q, Boost: boost}
	}
	filter, err := aliasFilter(b.ctx, ix.filters)
	if err != nil {
		return err
	}
	b.query = b.ctx.Filtered(q, filter)
	if p.post != nil {
		if b.post, err = p.post.Query(b.ctx); err != nil {
			return err
		}
	}
	if p.sort != nil {
		if b.sort, err = p.sort.Bind(b.ctx); err != nil {
			return err
		}
		if byScoreOnly(b.sort) {
			b.sort = nil
		}
	}
	if err := p.bindAfter(b); err != nil {
		return err
	}
	if !p.countOnly && p.src.size() > 0 {
		limit, err := ix.meta.Settings.Int("index.max_docvalue_fields_search", 100)
		if err != nil {
			return err
		}
		b.fetch, err = newFetcher(&p.src.Fetch, b.ctx, limit)
		return err
	}
	return nil
}

// byScoreOnly tells whether a sort is the order that hits have anyway; they then show no sort values.
func byScoreOnly(s *query.Sort) bool {
	return s == nil || len(s.Fields) == 0 || len(s.Fields) == 1 && s.Fields[0].Type == search.SortScore && !s.Fields[0].Reverse
}

func (p *searchPlan) bindAfter(b *boundIndex) error {
	if len(p.src.SearchAfter) == 0 {
		return nil
	}
	switch {
	case p.scroll:
		return apierr.New(500, "search_exception", "`search_after` cannot be used in a scroll context.")
	case p.src.From > 0:
		return apierr.New(500, "search_exception", "`from` parameter must be set to 0 when `search_after` is used.")
	case b.sort == nil:
		return apierr.IllegalArgument("Sort must contain at least one field.")
	}
	var err error
	b.after, err = b.sort.After(p.src.SearchAfter)
	return err
}

// checkWindow refuses to gather more hits than the index allows.
func (p *searchPlan) checkWindow(ix *searchIndex) error {
	limit, err := ix.meta.Settings.Int("index.max_result_window", 10000)
	if err != nil {
		return err
	}
	window := int64(p.src.from()) + int64(p.src.size())
	if window <= int64(limit) {
		return nil
	}
	if p.scroll {
		return apierr.IllegalArgument("Batch size is too large, size must be less than or equal to: [%d] but was [%d]. Scroll batch sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] index level setting.", limit, window)
	}
	return apierr.IllegalArgument("Result window is too large, from + size must be less than or equal to: [%d] but was [%d]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting.", limit, window)
}

// checkUnbuilt refuses what this server does not have, once it is known to be within the limits of the index.
func (p *searchPlan) checkUnbuilt(ix *searchIndex) error {
	src := p.src
	if src.Rescore != nil {
		limit, err := ix.meta.Settings.Int("index.max_rescore_window", 10000)
		if err != nil {
			return err
		}
		if *src.Rescore > limit {
			return apierr.IllegalArgument("Rescore window [%d] is too large. It must be less than [%d]. This prevents allocating massive heaps for storing the results to be rescored. This limit can be set by changing the [index.max_rescore_window] index level setting.", *src.Rescore, limit)
		}
		return apierr.NotImplemented("[rescore] of a search is not built in this server")
	}
	if src.ScriptFields > 0 {
		limit, err := ix.meta.Settings.Int("index.max_script_fields", 32)
		if err != nil {
			return err
		}
		if src.ScriptFields > limit {
			return apierr.IllegalArgument("Trying to retrieve too many script_fields. Must be less than or equal to: [%d] but was [%d]. This limit can be set by changing the [index.max_script_fields] index level setting.", limit, src.ScriptFields)
		}
		return apierr.NotImplemented("[script_fields] of a search is not built in this server")
	}
	return nil
}

// aliasFilter is the query of an alias's filters: any of them.
func aliasFilter(c *query.Context, filters []any) (search.Query, error) {
	var qs []search.Query
	for _, f := range filters {
		q, err := query.Parse(f, c)
		if err != nil {
			return nil, err
		}
		qs = append(qs, q)
	}
	switch len(qs) {
	case 0:
		return nil, nil
	case 1:
		return qs[0], nil
	}
	return search.NewDisjunction(qs...), nil
}

// searcher returns what runs queries over a shard.
func (s *Service) searcher(p *searchPlan, sh *searchShard, c *query.Context) *search.Searcher {
	o := search.Options{Similarity: c.Similarity, Stats: p.stats, Workers: p.workers, MaxClauses: c.MaxClauses, Cache: s.filters}
	if p.src.TerminateAfter > 0 { // in the order of documents:
		o.Workers = 1 // which documents come first must not depend on chance
	}
	return search.NewSearcher(liveLeaves(sh.view.Leaves()), o)
}

// liveLeaves leaves out the segments in which no document lives: a real node's readers do not have them, so that they do
// not count in the statistics of scores.
func liveLeaves(leaves []lucene.LeafContext) []lucene.LeafContext {
	empty := func(l lucene.LeafContext) bool { return l.Reader.NumDocs() == 0 }
	if !slices.ContainsFunc(leaves, empty) {
		return leaves
	}
	out := slices.DeleteFunc(slices.Clone(leaves), empty)
	for i := range out {
		out[i].Ord = i
	}
	return out
}

// queryShard finds the best hits of a shard, and what the aggregations gather. last is the hit to go on after, of a scroll.
func (s *Service) queryShard(ctx context.Context, p *searchPlan, sh *searchShard, last *search.Hit) (*shardHits, error) {
	if sh.view == nil {
		return nil, sh.err
	}
	var out *shardHits
	err := guard(func() error {
		b, err := s.bind(p, sh.ix)
		if err != nil {
			return err
		}
		out, err = s.search(ctx, p, b, s.searcher(p, sh, b.ctx), last)
		return err
	})
	return out, err
}

func (s *Service) search(ctx context.Context, p *searchPlan, b *boundIndex, sr *search.Searcher, last *search.Hit) (*shardHits, error) {
	src := p.src
	out := &shardHits{sort: b.sort}
	q := b.query
	var plan *aggregation.Plan
	if src.Aggs != nil {
		var err error
		if plan, err = aggregation.Parse(src.Aggs, b.ctx.Aggregations(sr)); err != nil {
			return nil, err
		}
	}
	if src.Slice != nil {
		return nil, apierr.NotImplemented("sliced scrolls are not built in this server")
	}
	if src.Collapse != "" {
		return nil, apierr.NotImplemented("[collapse] of a search is not built in this server")
	}
	lim := newLimits(int64(src.TerminateAfter), p.deadline)
	along := plan // gathered along with the hits
	if b.post != nil {
		q = &search.Boolean{Clauses: []search.Clause{{Query: q, Occur: search.Must}, {Query: b.post, Occur: search.Filter}}}
		along = nil
	}
	wrapped := along != nil || lim.any() || src.MinScore != nil && *src.MinScore <= 0
	top := p.top(b, sr, last, wrapped)
	if wrapped {
		g, err := search.Run[*gathered](ctx, sr, q, &gatherer{plan: along, top: top, minScore: src.MinScore, limits: lim})
		if err != nil {
			return nil, err
		}
		out.top, out.aggs = g.top, g.aggs
		out.timedOut, out.terminated = lim.timedOut.Load(), lim.terminated.Load()
	} else {
		var err error
		if out.top, err = search.Run(ctx, sr, q, top); err != nil {
			return nil, err
		}
	}
	if plan == nil || along != nil {
		return out, nil
	}
	// Hits are filtered, aggregations are not: two searches. What ended the one of the hits ends the other at the same document.
	rest := newLimits(0, p.deadline)
	rest.until = lim.ended.Load()
	g, err := search.Run[*gathered](ctx, sr, b.query, &gatherer{plan: plan, minScore: src.MinScore, limits: rest})
	if err != nil {
		return nil, err
	}
	out.aggs, out.timedOut = g.aggs, out.timedOut || rest.timedOut.Load()
	return out, nil
}

// top makes what gathers the best hits. all: every match is visited anyway.
func (p *searchPlan) top(b *boundIndex, sr *search.Searcher, last *search.Hit, all bool) search.Manager[*search.TopDocs] {
	src := p.src
	k := int(min(int64(src.from())+int64(src.size()), max(sr.MaxDoc(), 1)))
	if p.countOnly || src.size() == 0 {
		k = 0
	}
	threshold := src.TrackTotal
	switch {
	case all || p.countOnly:
		threshold = search.CountAll
	case threshold == TrackNone || p.scroll && last != nil:
		threshold = search.CountNone
	}
	after := b.after
	if last != nil {
		after = last
	}
	var minScore float32
	if src.MinScore != nil {
		minScore = max(*src.MinScore, 0)
	}
	if b.sort == nil || k == 0 {
		return search.ByScore{K: k, Threshold: threshold, After: after, MinScore: minScore}.Top()
	}
	return search.ByFields{K: k, Sort: b.sort.Fields, Threshold: threshold, After: after, Scores: src.TrackScores, MinScore: minScore}.Top()
}

// limits end a search early, over all slices of a shard.
type limits struct {
	max        int64 // documents of the shard; 0: all
	until      int32 // the first document, in the whole shard, that is not visited
	deadline   time.Time
	seen       atomic.Int64
	ended      atomic.Int32 // the document at which max ended the search
	timedOut   atomic.Bool
	terminated atomic.Bool
}

func newLimits(maximum int64, deadline time.Time) *limits {
	l := &limits{max: maximum, until: math.MaxInt32, deadline: deadline}
	l.ended.Store(math.MaxInt32)
	return l
}

func (l *limits) any() bool { return l.max > 0 || l.until < math.MaxInt32 || !l.deadline.IsZero() }

// next counts a document, which is given by its number in the whole shard; it tells whether the search must end before it.
func (l *limits) next(doc int32) bool {
	if doc >= l.until {
		return true
	}
	n := l.seen.Add(1)
	if l.max > 0 && n > l.max {
		l.ended.CompareAndSwap(math.MaxInt32, doc)
		l.terminated.Store(true)
		return true
	}
	if !l.deadline.IsZero() && n&1023 == 0 && time.Now().After(l.deadline) {
		l.timedOut.Store(true)
		return true
	}
	return l.timedOut.Load()
}

// gathered is what a gatherer found.
type gathered struct {
	top  *search.TopDocs
	aggs *aggregation.Results
}

// gatherer feeds hits, aggregations, or both.
type gatherer struct {
	plan     *aggregation.Plan
	top      search.Manager[*search.TopDocs]
	minScore *float32
	limits   *limits
}

// Splits implements search.Splitter: aggregations visit every match, so that a large segment is worth two goroutines. Sorting by fields does not
// gain: it knows the extremes of a whole segment.
func (g *gatherer) Splits() bool { return g.plan != nil && !g.limits.any() }

func (g *gatherer) New() (search.Collector, error) {
	c := &gatherCollector{g: g, floor: float32(math.Inf(-1))}
	if g.minScore != nil {
		c.floor = *g.minScore
	}
	if g.plan != nil {
		c.aggs = g.plan.Collector()
	}
	if g.top != nil {
		var err error
		if c.top, err = g.top.New(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (g *gatherer) Reduce(cs []search.Collector) (*gathered, error) {
	out := &gathered{}
	if g.top != nil {
		tops := make([]search.Collector, len(cs))
		for i, c := range cs {
			tops[i] = c.(*gatherCollector).top
		}
		var err error
		if out.top, err = g.top.Reduce(tops); err != nil {
			return nil, err
		}
	}
	if g.plan != nil {
		parts := make([]aggregation.Results, len(cs))
		for i, c := range cs {
			var err error
			if parts[i], err = c.(*gatherCollector).aggs.Results(); err != nil {
				return nil, err
			}
		}
		all, err := aggregation.Reduce(parts)
		if err != nil {
			return nil, err
		}
		if err := all.ShardDone(); err != nil {
			return nil, err
		}
		out.aggs = &all
	}
	return out, nil
}

// gatherCollector is the state of one slice.
type gatherCollector struct {
	g     *gatherer
	top   search.Collector
	aggs  *aggregation.Collector
	floor float32
	base  int32
	leaf  search.LeafCollector // of top; nil where it wants no documents
	batch search.BatchCollector
	sc    search.Scorable
}

func (c *gatherCollector) Mode() search.ScoreMode {
	if c.g.minScore != nil || c.top != nil && c.top.Mode().NeedsScores() {
		return search.Complete
	}
	return search.CompleteNoScores
}

func (c *gatherCollector) Leaf(leaf *lucene.LeafContext, w search.Weight) (search.LeafCollector, error) {
	if c.g.limits.timedOut.Load() || c.g.limits.terminated.Load() {
		return nil, nil
	}
	c.leaf, c.batch, c.base = nil, nil, leaf.DocBase
	if c.top != nil {
		if c.g.limits.any() {
			w = uncounted{w}
		}
		var err error
		if c.leaf, err = c.top.Leaf(leaf, w); err != nil {
			return nil, err
		}
		c.batch, _ = c.leaf.(search.BatchCollector)
	}
	if c.aggs == nil && c.leaf == nil {
		return nil, nil
	}
	if c.aggs != nil {
		if err := c.aggs.Leaf(leaf); err != nil {
			return nil, err
		}
	}
	if c.g.limits.any() || c.Mode().NeedsScores() || c.leaf != nil && c.batch == nil {
		return oneByOne{c}, nil
	}
	return c, nil
}

// uncounted hides that a weight knows its count, where documents are counted one by one.
type uncounted struct{ search.Weight }

func (uncounted) Count(*lucene.LeafContext) (int, error) { return -1, nil }

// oneByOne hides that a collector takes batches.
type oneByOne struct{ *gatherCollector }

func (o oneByOne) CollectBatch(docs []int32) error {
	for _, d := range docs {
		if err := o.Collect(d); err != nil {
			return err
		}
	}
	return nil
}

func (c *gatherCollector) SetScorer(sc search.Scorable) error {
	c.sc = sc
	if c.leaf != nil {
		return c.leaf.SetScorer(keepAll{sc})
	}
	return nil
}

// keepAll is a scorer that does not skip: aggregations want all documents.
type keepAll struct{ search.Scorable }

func (keepAll) SetMinCompetitive(float32) error { return nil }

func (c *gatherCollector) Collect(doc int32) error {
	if c.g.minScore != nil {
		score, err := c.sc.Score()
		if err != nil {
			return err
		}
		if score < c.floor {
			return nil
		}
	}
	if c.g.limits.any() && c.g.limits.next(c.base+doc) {
		return search.ErrTerminated
	}
	if c.aggs != nil {
		if err := c.aggs.Collect(doc); err != nil {
			return err
		}
	}
	if c.leaf != nil {
		return c.leaf.Collect(doc)
	}
	return nil
}

// CollectBatch implements search.BatchCollector; it is called only where no scores are needed.
func (c *gatherCollector) CollectBatch(docs []int32) error {
	if c.aggs != nil {
		if err := c.aggs.CollectBatch(docs); err != nil {
			return err
		}
	}
	if c.leaf != nil {
		return c.batch.CollectBatch(docs)
	}
	return nil
}
