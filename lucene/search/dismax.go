package search

import (
	"fmt"
	"math"
	"strings"

	"github.com/varve-search/varve/lucene"
)

// DisMax matches what any of its queries does; the score is the best of theirs, plus TieBreaker times the others.
type DisMax struct {
	Queries    []Query
	TieBreaker float32 // 0 to 1
}

func (q *DisMax) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dismax(%s", formatFloat(q.TieBreaker))
	for _, in := range q.Queries {
		fmt.Fprintf(&b, ",%s", in)
	}
	return b.String() + ")"
}

// Rewrite implements Query.
func (q *DisMax) Rewrite(s *Searcher) (Query, error) {
	if q.TieBreaker < 0 || q.TieBreaker > 1 || math.IsNaN(float64(q.TieBreaker)) {
		return nil, fmt.Errorf("tie_breaker must be in [0, 1], got %v", q.TieBreaker)
	}
	if len(q.Queries) == 0 {
		return MatchNone{}, nil
	}
	if len(q.Queries) == 1 {
		return q.Queries[0], nil
	}
	if q.TieBreaker == 1 {
		return NewDisjunction(q.Queries...), nil
	}
	out := &DisMax{TieBreaker: q.TieBreaker}
	changed := false
	for _, in := range q.Queries {
		r, err := in.Rewrite(s)
		if err != nil {
			return nil, err
		}
		changed = changed || r != in
		if _, none := r.(MatchNone); none {
			changed = true
			continue
		}
		out.Queries = append(out.Queries, r)
	}
	if changed {
		return out, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *DisMax) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	w := &disMaxWeight{q: q, mode: mode}
	for _, in := range q.Queries {
		sub, err := in.Weight(s, mode, boost)
		if err != nil {
			return nil, err
		}
		w.subs = append(w.subs, sub)
	}
	return w, nil
}

type disMaxWeight struct {
	uncounted
	q    *DisMax
	mode ScoreMode
	subs []Weight
}

func (w *disMaxWeight) Query() Query { return w.q }

func (w *disMaxWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	var sups []ScorerSupplier
	for _, sub := range w.subs {
		sup, err := sub.Supplier(leaf)
		if err != nil {
			return nil, err
		}
		if sup != nil {
			sups = append(sups, sup)
		}
	}
	switch len(sups) {
	case 0:
		return nil, nil
	case 1:
		return sups[0], nil
	}
	return supplierFunc{disjunctionCost(sups, 1), func(leadCost int64) (Scorer, error) {
		scs, err := openAll(sups, leadCost)
		if err != nil {
			return nil, err
		}
		d := newDisjunctionScorer(scs, maxRule(w.q.TieBreaker))
		if w.mode == TopScores {
			return newBlockSkipper(d), nil
		}
		return d, nil
	}}, nil
}

// maxRule is the best score plus a share of the others.
type maxRule float32

func (r maxRule) add(best *float32, others *float64, s float32) {
	if s >= *best {
		*others += float64(*best)
		*best = s
	} else {
		*others += float64(s)
	}
}

func (r maxRule) combine(subs []*subScorer) (float32, error) {
	var best float32
	var others float64
	for _, sub := range subs {
		s, err := sub.sc.Score()
		if err != nil {
			return 0, err
		}
		r.add(&best, &others, s)
	}
	return float32(float64(best) + float64(others*float64(r))), nil
}

func (r maxRule) bound(maxes []float32) float32 {
	var best float32
	var others float64
	for _, m := range maxes {
		r.add(&best, &others, m)
	}
	if r == 0 {
		return best
	}
	return roundUp(float64(best) + others*float64(r))
}

// blockSkipper leaves out the blocks of a scorer that cannot compete, by its bounds.
type blockSkipper struct {
	Scorer
	min  float32
	upTo int32
	max  float32
}

func newBlockSkipper(sc Scorer) Scorer { return &blockSkipper{Scorer: sc, upTo: -1} }

func (b *blockSkipper) SetMinCompetitive(min float32) error {
	b.min = min
	return nil
}

func (b *blockSkipper) Iterator() lucene.DocIDSetIterator {
	return &blockIterator{b.Scorer.Iterator(), b}
}

func (b *blockSkipper) TwoPhase() TwoPhase {
	tp := b.Scorer.TwoPhase()
	if tp == nil {
		return nil
	}
	return &twoPhase{&blockIterator{tp.Approximation(), b}, tp.Matches, tp.MatchCost()}
}

type blockIterator struct {
	lucene.DocIDSetIterator
	b *blockSkipper
}

func (i *blockIterator) Next() (int32, error) {
	if i.b.min <= 0 {
		return i.DocIDSetIterator.Next()
	}
	return i.Advance(i.DocID() + 1)
}

func (i *blockIterator) Advance(target int32) (int32, error) {
	b := i.b
	for b.min > 0 && target != lucene.NoMoreDocs {
		if target > b.upTo {
			var err error
			if b.upTo, err = b.AdvanceShallow(target); err != nil {
				return 0, err
			}
			if b.max, err = b.MaxScore(b.upTo); err != nil {
				return 0, err
			}
		}
		if b.max >= b.min {
			break
		}
		if b.upTo == lucene.NoMoreDocs {
			target = lucene.NoMoreDocs
			break
		}
		target = b.upTo + 1
	}
	return i.DocIDSetIterator.Advance(target)
}
