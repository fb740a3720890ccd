package search

import (
	"fmt"
	"math"
	"strconv"

	"github.com/varve-search/varve/lucene"
)

func formatFloat(f float32) string { return strconv.FormatFloat(float64(f), 'g', -1, 32) }

// constantScorer gives every match the same score.
type constantScorer struct {
	it    lucene.DocIDSetIterator
	tp    TwoPhase
	score float32
	over  bool // the minimum competitive score is above
}

// newConstantScorer scores the documents of it.
func newConstantScorer(it lucene.DocIDSetIterator, score float32) Scorer {
	return &constantScorer{it: it, score: score}
}

// newConstantTwoPhase scores the confirmed documents of tp.
func newConstantTwoPhase(tp TwoPhase, score float32) Scorer {
	return &constantScorer{tp: tp, score: score}
}

func (c *constantScorer) Iterator() lucene.DocIDSetIterator {
	it := c.it
	if c.tp != nil {
		it = asIterator(c.tp)
	}
	return &endingIterator{it, c}
}

func (c *constantScorer) TwoPhase() TwoPhase {
	if c.tp == nil {
		return nil
	}
	return &twoPhase{&endingIterator{c.tp.Approximation(), c}, c.tp.Matches, c.tp.MatchCost()}
}

func (c *constantScorer) DocID() int32 {
	if c.tp != nil {
		return c.tp.Approximation().DocID()
	}
	return c.it.DocID()
}

func (c *constantScorer) Score() (float32, error)             { return c.score, nil }
func (c *constantScorer) AdvanceShallow(int32) (int32, error) { return lucene.NoMoreDocs, nil }
func (c *constantScorer) MaxScore(int32) (float32, error)     { return c.score, nil }
func (c *constantScorer) SetMinCompetitive(min float32) error { c.over = min > c.score; return nil }

// endingIterator ends once no score can compete.
type endingIterator struct {
	lucene.DocIDSetIterator
	c *constantScorer
}

func (e *endingIterator) Next() (int32, error) {
	if e.c.over {
		return e.DocIDSetIterator.Advance(lucene.NoMoreDocs)
	}
	return e.DocIDSetIterator.Next()
}

func (e *endingIterator) Advance(target int32) (int32, error) {
	if e.c.over {
		target = lucene.NoMoreDocs
	}
	return e.DocIDSetIterator.Advance(target)
}

// plainIterator returns the iterator of a scorer without what makes it skip, for those that bound scores themselves.
func plainIterator(sc Scorer) lucene.DocIDSetIterator {
	switch s := sc.(type) {
	case *termScorer:
		return s.postings
	case *constantScorer:
		if s.tp == nil {
			return s.it
		}
	}
	return sc.Iterator()
}

// constantWeight gives one score to what an iterator or a two-phase match yields.
type constantWeight struct {
	q     Query
	score float32
	// supply returns the cost and a function that makes the iterator or the two-phase; nil function: no match.
	supply func(leaf *lucene.LeafContext) (int64, func(leadCost int64) (lucene.DocIDSetIterator, TwoPhase, error), error)
	count  func(leaf *lucene.LeafContext) (int, error) // may be nil
}

func (w *constantWeight) Query() Query { return w.q }

func (w *constantWeight) Count(leaf *lucene.LeafContext) (int, error) {
	if w.count == nil {
		return -1, nil
	}
	return w.count(leaf)
}

func (w *constantWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	cost, open, err := w.supply(leaf)
	if open == nil || err != nil {
		return nil, err
	}
	return supplierFunc{cost, func(leadCost int64) (Scorer, error) {
		it, tp, err := open(leadCost)
		switch {
		case err != nil:
			return nil, err
		case tp != nil:
			return newConstantTwoPhase(tp, w.score), nil
		case it == nil:
			it = &lucene.EmptyIterator{}
		}
		return newConstantScorer(it, w.score), nil
	}}, nil
}

// opener is what a constantWeight's supply returns.
type opener = func(leadCost int64) (lucene.DocIDSetIterator, TwoPhase, error)

// MatchAll matches every document.
type MatchAll struct{}

func (MatchAll) String() string                     { return "all()" }
func (q MatchAll) Rewrite(*Searcher) (Query, error) { return q, nil }

// Weight implements Query.
func (q MatchAll) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return &constantWeight{q: q, score: boost,
		supply: func(leaf *lucene.LeafContext) (int64, opener, error) {
			n := leaf.Reader.MaxDoc()
			return int64(n), func(int64) (lucene.DocIDSetIterator, TwoPhase, error) { return newAllIterator(n), nil, nil }, nil
		},
		count: func(leaf *lucene.LeafContext) (int, error) { return int(leaf.Reader.NumDocs()), nil },
	}, nil
}

// MatchNone matches nothing.
type MatchNone struct{}

func (MatchNone) String() string                     { return "none()" }
func (q MatchNone) Rewrite(*Searcher) (Query, error) { return q, nil }

// Weight implements Query.
func (q MatchNone) Weight(*Searcher, ScoreMode, float32) (Weight, error) {
	return &constantWeight{q: q,
		supply: func(*lucene.LeafContext) (int64, opener, error) { return 0, nil, nil },
		count:  func(*lucene.LeafContext) (int, error) { return 0, nil },
	}, nil
}

// Boost multiplies the scores of a query.
type Boost struct {
	Query Query
	Boost float32
}

func (q *Boost) String() string { return fmt.Sprintf("boost(%s,%s)", q.Query, formatFloat(q.Boost)) }

// Rewrite implements Query.
func (q *Boost) Rewrite(s *Searcher) (Query, error) {
	in, err := q.Query.Rewrite(s)
	if err != nil {
		return nil, err
	}
	switch x := in.(type) {
	case MatchNone:
		return x, nil
	case *Boost:
		return &Boost{x.Query, q.Boost * x.Boost}, nil
	case *ConstantScore:
	default:
		if q.Boost == 0 {
			return &Boost{&ConstantScore{in}, 0}, nil
		}
	}
	if q.Boost == 1 {
		return in, nil
	}
	if in != q.Query {
		return &Boost{in, q.Boost}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *Boost) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	if q.Boost < 0 || math.IsNaN(float64(q.Boost)) {
		return nil, fmt.Errorf("boost must be a positive number, got %v", q.Boost)
	}
	return s.Weight(q.Query, mode, boost*q.Boost)
}

// ConstantScore gives every match of a query its boost as score.
type ConstantScore struct{ Query Query }

func (q *ConstantScore) String() string { return fmt.Sprintf("constant(%s)", q.Query) }

// Rewrite implements Query.
func (q *ConstantScore) Rewrite(s *Searcher) (Query, error) {
	in, err := q.Query.Rewrite(s)
	if err != nil {
		return nil, err
	}
	switch x := in.(type) {
	case *Boost:
		in = x.Query
	case *ConstantScore:
		in = x.Query
	case *Boolean:
		in = x.withoutScores()
	case MatchNone:
		return x, nil
	}
	if in != q.Query {
		return &ConstantScore{in}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *ConstantScore) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	in, err := s.Weight(q.Query, CompleteNoScores, 1)
	if err != nil || !mode.NeedsScores() {
		return in, err
	}
	return &constantScoreWeight{q: q, in: in, score: boost}, nil
}

type constantScoreWeight struct {
	q     Query
	in    Weight
	score float32
}

func (w *constantScoreWeight) Query() Query                                { return w.q }
func (w *constantScoreWeight) Count(leaf *lucene.LeafContext) (int, error) { return w.in.Count(leaf) }

func (w *constantScoreWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	in, err := w.in.Supplier(leaf)
	if in == nil || err != nil {
		return nil, err
	}
	return supplierFunc{in.Cost(), func(leadCost int64) (Scorer, error) {
		sc, err := in.Scorer(leadCost)
		if err != nil {
			return nil, err
		}
		if tp := sc.TwoPhase(); tp != nil {
			return newConstantTwoPhase(tp, w.score), nil
		}
		return newConstantScorer(sc.Iterator(), w.score), nil
	}}, nil
}

// bulk scores with one constant what the inner weight can enumerate in bulk.
func (w *constantScoreWeight) bulk(leaf *lucene.LeafContext, mode ScoreMode) (bulkScorer, error) {
	if mode == TopScores {
		return nil, nil // the scorer can end early
	}
	in, err := bulkFor(w.in, leaf, CompleteNoScores)
	if in == nil || err != nil {
		return emptyBulk{}, err
	}
	return &constantBulk{in: in, value: w.score}, nil
}

type constantBulk struct {
	in    bulkScorer
	value float32
}

func (b *constantBulk) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	return b.in.score(&constantCollector{c, &current{value: b.value}}, live, from, to)
}

// constantCollector shows a constant score to the collector behind it.
type constantCollector struct {
	LeafCollector
	cur *current
}

func (c *constantCollector) SetScorer(Scorable) error { return c.LeafCollector.SetScorer(c.cur) }
