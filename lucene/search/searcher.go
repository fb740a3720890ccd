package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// ErrTerminated is returned by a LeafCollector that wants no more documents of the segment. It is no failure.
var ErrTerminated = errors.New("collection terminated")

// ErrTooManyClauses says that a query has or expands to more clauses than allowed.
var ErrTooManyClauses = errors.New("too many clauses")

// DefaultMinPart is how many documents a goroutine of a search gets at least, unless Options say otherwise.
const DefaultMinPart = 1 << 14

// DefaultMaxClauses is how many clauses a boolean query may have unless Options say otherwise.
const DefaultMaxClauses = 1024

// StatsProvider replaces the statistics that scores depend on, such as those of one shard by those of all.
type StatsProvider interface {
	// Collection returns the statistics of a field; local are those of the searcher, nil if it lacks the field.
	Collection(field string, local *CollectionStatistics) *CollectionStatistics
	// Term returns the statistics of a term; local are those of the searcher.
	Term(field string, term []byte, local TermStatistics) TermStatistics
}

// Options of a Searcher. The zero value is good.
type Options struct {
	// Similarity returns that of a field; nil: DefaultSimilarity for all.
	Similarity func(field string) Similarity
	Stats      StatsProvider
	Workers    int // goroutines of one search at most; 0: GOMAXPROCS
	// MinPart is from how many documents, or matches, on a goroutine of its own pays; 0: DefaultMinPart.
	MinPart    int
	MaxClauses int // 0: DefaultMaxClauses
	Cache      QueryCache
}

// Searcher runs queries over the segments of an index at one moment.
type Searcher struct {
	leaves []lucene.LeafContext
	opt    Options
	maxDoc int64

	mu     sync.Mutex
	fields map[string]*CollectionStatistics
}

// NewSearcher returns a searcher over segments, in the order of their doc bases.
func NewSearcher(leaves []lucene.LeafContext, opt Options) *Searcher {
	s := &Searcher{leaves: leaves, opt: opt, fields: map[string]*CollectionStatistics{}}
	for i := range leaves {
		s.maxDoc += int64(leaves[i].Reader.MaxDoc())
	}
	return s
}

// Leaves returns the segments.
func (s *Searcher) Leaves() []lucene.LeafContext { return s.leaves }

// MaxDoc returns how many documents there are, deleted ones included.
func (s *Searcher) MaxDoc() int64 { return s.maxDoc }

// NumDocs returns how many live documents there are.
func (s *Searcher) NumDocs() int64 {
	var n int64
	for i := range s.leaves {
		n += int64(s.leaves[i].Reader.NumDocs())
	}
	return n
}

func (s *Searcher) similarity(field string) Similarity {
	if s.opt.Similarity != nil {
		if sim := s.opt.Similarity(field); sim != nil {
			return sim
		}
	}
	return DefaultSimilarity
}

func (s *Searcher) maxClauses() int {
	if s.opt.MaxClauses > 0 {
		return s.opt.MaxClauses
	}
	return DefaultMaxClauses
}

// CollectionStatistics returns the statistics of a field, or nil if no segment has terms of it.
func (s *Searcher) CollectionStatistics(field string) (*CollectionStatistics, error) {
	s.mu.Lock()
	st, ok := s.fields[field]
	s.mu.Unlock()
	if ok {
		return st, nil
	}
	sum := CollectionStatistics{Field: field, MaxDoc: s.maxDoc}
	for i := range s.leaves {
		t, err := s.leaves[i].Reader.Terms(field)
		if err != nil {
			return nil, err
		}
		if t == nil {
			continue
		}
		sum.DocCount += int64(t.DocCount())
		sum.SumTotalTermFreq += t.SumTotalTermFreq()
		sum.SumDocFreq += t.SumDocFreq()
	}
	if sum.DocCount > 0 {
		st = &sum
	}
	if s.opt.Stats != nil {
		st = s.opt.Stats.Collection(field, st)
	}
	s.mu.Lock()
	s.fields[field] = st
	s.mu.Unlock()
	return st, nil
}

func (s *Searcher) termStatistics(t lucene.Term, local TermStatistics) TermStatistics {
	if s.opt.Stats != nil {
		return s.opt.Stats.Term(t.Field, t.Bytes, local)
	}
	return local
}

// Rewrite rewrites a query until it stays the same.
func (s *Searcher) Rewrite(q Query) (Query, error) {
	for range 10000 {
		next, err := q.Rewrite(s)
		if err != nil {
			return nil, err
		}
		if next == q {
			return q, nil
		}
		q = next
	}
	return nil, fmt.Errorf("the query %.200s does not stop being rewritten", q)
}

// Weight prepares a rewritten query; filters may come from the cache, and so may queries whose matches all have one score.
func (s *Searcher) Weight(q Query, mode ScoreMode, boost float32) (Weight, error) {
	w, err := q.Weight(s, mode, boost)
	if err != nil || s.opt.Cache == nil {
		return w, err
	}
	if !mode.NeedsScores() {
		return s.opt.Cache.Wrap(w), nil
	}
	switch w.(type) {
	case *constantWeight, *eitherWeight:
		if in := s.opt.Cache.Wrap(w); in != w {
			return &constantScoreWeight{q: q, in: in, score: boost}, nil
		}
	}
	return w, nil
}

// Collector takes the matches of a query in some of the segments, one segment after another, for one goroutine.
type Collector interface {
	// Mode says what it needs.
	Mode() ScoreMode
	// Leaf begins a segment. It may return nil to skip it. w is the query's weight, whose Count may spare the visit.
	Leaf(leaf *lucene.LeafContext, w Weight) (LeafCollector, error)
}

// LeafCollector takes the matches in one segment, in doc ID order, deleted documents excepted.
type LeafCollector interface {
	// SetScorer comes before the first document. The scorer answers for the document being collected.
	SetScorer(sc Scorable) error
	// Collect takes a match. ErrTerminated ends the segment.
	Collect(doc int32) error
}

// Finisher is implemented by leaf collectors that want to know when their segment is done.
type Finisher interface{ Finish() error }

// BatchCollector is implemented by leaf collectors that take many documents at once, where no scores are needed.
type BatchCollector interface{ CollectBatch(docs []int32) error }

// ScoredBatchCollector is implemented by leaf collectors that take many documents at once with their scores.
type ScoredBatchCollector interface {
	CollectScored(docs []int32, scores []float32) error
}

// Scorable is the view of a scorer that collectors get.
type Scorable interface {
	Score() (float32, error)
	// SetMinCompetitive says that documents of a lower score may be skipped; only with TopScores.
	SetMinCompetitive(min float32) error
}

// Manager makes the collectors of a search and puts their results together.
type Manager[T any] interface {
	New() (Collector, error)
	// Reduce combines the collectors; each saw segments of its own, in ascending order. How segments
	// are dealt out must not show in the result.
	Reduce(cs []Collector) (T, error)
}

// Run searches with q and returns what m makes of the matches. It ends early with ctx's error.
func Run[T any](ctx context.Context, s *Searcher, q Query, m Manager[T]) (T, error) {
	var none T
	c, err := m.New()
	if err != nil {
		return none, err
	}
	cs := []Collector{c}
	if len(s.leaves) == 0 {
		return m.Reduce(cs)
	}
	mode := c.Mode()
	var w Weight
	var slices [][]part
	err = store.Guard(func() error {
		rq, err := s.Rewrite(q)
		if err != nil {
			return err
		}
		if !mode.NeedsScores() {
			if rq, err = s.Rewrite(&ConstantScore{Query: rq}); err != nil {
				return err
			}
			if c, ok := rq.(*ConstantScore); ok {
				rq = c.Query
			}
		}
		if w, err = s.Weight(rq, mode, 1); err != nil {
			return err
		}
		sp, ok := m.(Splitter)
		slices, err = s.slices(w, ok && sp.Splits())
		return err
	})
	if err != nil {
		return none, err
	}
	for range len(slices) - 1 {
		if c, err = m.New(); err != nil {
			return none, err
		}
		cs = append(cs, c)
	}
	if err := s.runSlices(ctx, slices, w, cs); err != nil {
		return none, err
	}
	return m.Reduce(cs)
}

// runSlices searches each slice in a goroutine of its own, the first in this one.
func (s *Searcher) runSlices(ctx context.Context, slices [][]part, w Weight, cs []Collector) error {
	if len(slices) == 1 {
		return store.Guard(func() error { return s.runParts(ctx, slices[0], w, cs[0]) })
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var first atomic.Pointer[error]
	run := func(i int) {
		err := store.Guard(func() error { return s.runParts(ctx, slices[i], w, cs[i]) })
		if err != nil && first.CompareAndSwap(nil, &err) {
			cancel(err)
		}
	}
	for i := range slices[1:] {
		wg.Go(func() { run(i + 1) })
	}
	run(0)
	wg.Wait()
	if e := first.Load(); e != nil {
		return *e
	}
	return nil
}

func (s *Searcher) runParts(ctx context.Context, parts []part, w Weight, c Collector) error {
	for _, p := range parts {
		if err := s.runPart(ctx, p, w, c); err != nil {
			return err
		}
	}
	return nil
}

// Windows between two looks at the context, in doc IDs.
const (
	firstWindow = 1 << 14
	maxWindow   = 1 << 18
)

func (s *Searcher) runPart(ctx context.Context, p part, w Weight, c Collector) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	leaf := &s.leaves[p.leaf]
	whole := p.from == 0 && p.to == leaf.Reader.MaxDoc()
	seen := w
	if !whole {
		seen = partWeight{w} // what it knows of the segment does not hold for the part
	}
	lc, err := c.Leaf(leaf, seen)
	if lc == nil || err != nil {
		if errors.Is(err, ErrTerminated) {
			return nil
		}
		return err
	}
	var bulk bulkScorer
	if whole {
		bulk, lc, err = s.begin(leaf, w, c, lc)
	} else {
		bulk, err = bulkFor(w, leaf, c.Mode())
	}
	if err != nil && !errors.Is(err, ErrTerminated) {
		return err
	}
	if bulk != nil {
		live := leaf.Reader.LiveDocs()
		window := int32(firstWindow)
		for from := p.from; from < p.to; {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			to := p.to
			if p.to-from > window {
				to = from + window
			}
			next, err := bulk.score(lc, live, from, to)
			if errors.Is(err, ErrTerminated) {
				break
			}
			if err != nil {
				return err
			}
			from = max(next, to)
			window = min(window*2, maxWindow)
		}
	}
	if f, ok := lc.(Finisher); ok {
		return f.Finish()
	}
	return nil
}

// Count returns how many live documents match.
func (s *Searcher) Count(ctx context.Context, q Query) (int64, error) {
	return Run(ctx, s, q, countManager{})
}
