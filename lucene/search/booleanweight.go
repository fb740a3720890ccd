package search

import (
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// Weight implements Query.
func (q *Boolean) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	w := &booleanWeight{q: q, mode: mode}
	for _, c := range q.Clauses {
		m, b := mode, boost
		if c.Occur == Filter || c.Occur == MustNot {
			m, b = CompleteNoScores, 1
		}
		sub, err := s.Weight(c.Query, m, b)
		if err != nil {
			return nil, err
		}
		w.subs[c.Occur] = append(w.subs[c.Occur], sub)
	}
	return w, nil
}

type booleanWeight struct {
	q    *Boolean
	mode ScoreMode
	subs [4][]Weight // by Occur
}

func (w *booleanWeight) Query() Query { return w.q }

func (w *booleanWeight) Count(leaf *lucene.LeafContext) (int, error) {
	n := int(leaf.Reader.NumDocs())
	var positive int
	var err error
	switch {
	case w.q.pureDisjunction():
		return w.optionalCount(leaf, Should)
	case len(w.subs[Must])+len(w.subs[Filter]) > 0 && w.q.MinShould == 0:
		positive, err = w.requiredCount(leaf)
	default:
		return -1, nil
	}
	if positive == 0 || err != nil {
		return 0, err
	}
	prohibited, err := w.optionalCount(leaf, MustNot)
	switch {
	case err != nil:
		return 0, err
	case prohibited == 0:
		return positive, nil
	case prohibited == n:
		return 0, nil
	case prohibited > 0 && positive == n:
		return n - prohibited, nil
	}
	return -1, nil
}

func (w *booleanWeight) requiredCount(leaf *lucene.LeafContext) (int, error) {
	n := int(leaf.Reader.NumDocs())
	count := n
	for _, sub := range slices.Concat(w.subs[Must], w.subs[Filter]) {
		c, err := sub.Count(leaf)
		switch {
		case err != nil || c <= 0:
			return c, err
		case c == n:
		case count == n:
			count = c
		default:
			return -1, nil
		}
	}
	return count, nil
}

func (w *booleanWeight) optionalCount(leaf *lucene.LeafContext, o Occur) (int, error) {
	n := int(leaf.Reader.NumDocs())
	count, unknown := 0, false
	for _, sub := range w.subs[o] {
		c, err := sub.Count(leaf)
		switch {
		case err != nil:
			return 0, err
		case c == n:
			return n, nil
		case c < 0 || c > 0 && count > 0:
			unknown = true
		case c > 0:
			count = c
		}
	}
	if unknown {
		return -1, nil
	}
	return count, nil
}

// booleanSupplier makes the scorers of one segment from those of the clauses that match there.
type booleanSupplier struct {
	mode      ScoreMode
	minShould int
	subs      [4][]ScorerSupplier
	cost      int64
}

func (w *booleanWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	b, err := w.supplier(leaf)
	if b == nil || err != nil {
		return nil, err
	}
	return b, nil
}

func (w *booleanWeight) supplier(leaf *lucene.LeafContext) (*booleanSupplier, error) {
	b := &booleanSupplier{mode: w.mode, minShould: w.q.MinShould}
	for _, o := range []Occur{Must, Filter, Should, MustNot} {
		for _, sub := range w.subs[o] {
			sup, err := sub.Supplier(leaf)
			if err != nil {
				return nil, err
			}
			if sup == nil {
				if o == Must || o == Filter {
					return nil, nil
				}
				continue
			}
			b.subs[o] = append(b.subs[o], sup)
		}
	}
	if len(b.subs[Should]) == b.minShould {
		// all of them have to match
		b.subs[Must] = append(b.subs[Must], b.subs[Should]...)
		b.subs[Should], b.minShould = nil, 0
	}
	required := len(b.subs[Must]) + len(b.subs[Filter])
	if required+len(b.subs[Should]) == 0 || len(b.subs[Should]) < b.minShould {
		return nil, nil
	}
	if !w.mode.NeedsScores() && b.minShould == 0 && required > 0 {
		b.subs[Should] = nil
	}
	b.cost = math.MaxInt64
	for _, sup := range slices.Concat(b.subs[Must], b.subs[Filter]) {
		b.cost = min(b.cost, sup.Cost())
	}
	if required == 0 || b.minShould > 0 {
		b.cost = min(b.cost, disjunctionCost(b.subs[Should], b.minShould))
	}
	return b, nil
}

// disjunctionCost bounds the documents that minShould of the clauses share: the costliest minShould-1 need not be
// looked at to find them.
func disjunctionCost(sups []ScorerSupplier, minShould int) int64 {
	costs := make([]int64, len(sups))
	for i, s := range sups {
		costs[i] = s.Cost()
	}
	slices.Sort(costs)
	var sum int64
	for _, c := range costs[:len(costs)-max(minShould-1, 0)] {
		if sum += c; sum < 0 {
			return math.MaxInt64
		}
	}
	return sum
}

func (b *booleanSupplier) Cost() int64 { return b.cost }

func (b *booleanSupplier) Scorer(leadCost int64) (Scorer, error) {
	leadCost = min(leadCost, b.cost)
	var req, opt Scorer
	var err error
	if len(b.subs[Must])+len(b.subs[Filter]) > 0 {
		if req, err = b.required(leadCost); err != nil {
			return nil, err
		}
	}
	if len(b.subs[Should]) > 0 {
		if opt, err = optional(b.subs[Should], b.minShould, leadCost); err != nil {
			return nil, err
		}
	}
	var sc Scorer
	switch {
	case req == nil:
		sc, opt = opt, nil
	case opt != nil && b.minShould > 0:
		sc, opt = newConjunctionScorer([]Scorer{req, opt}, []Scorer{req, opt}), nil
	default:
		sc = req
	}
	if len(b.subs[MustNot]) > 0 {
		excl, err := optional(b.subs[MustNot], 1, leadCost)
		if err != nil {
			return nil, err
		}
		sc = newExclusion(sc, excl)
	}
	if opt != nil {
		sc = newReqOpt(sc, opt)
	}
	if b.mode == TopScores && len(b.subs[Must])+len(b.subs[Should]) == 0 {
		// only filters: a constant score lets the search end early
		if tp := sc.TwoPhase(); tp != nil {
			return newConstantTwoPhase(tp, 0), nil
		}
		return newConstantScorer(sc.Iterator(), 0), nil
	}
	return sc, nil
}

func openAll(sups []ScorerSupplier, leadCost int64) ([]Scorer, error) {
	out := make([]Scorer, len(sups))
	for i, s := range sups {
		var err error
		if out[i], err = s.Scorer(leadCost); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b *booleanSupplier) required(leadCost int64) (Scorer, error) {
	scoring, err := openAll(b.subs[Must], leadCost)
	if err != nil {
		return nil, err
	}
	filters, err := openAll(b.subs[Filter], leadCost)
	if err != nil {
		return nil, err
	}
	if len(filters) == 0 && len(scoring) == 1 {
		return scoring[0], nil
	}
	if len(scoring) == 0 && len(filters) == 1 {
		if !b.mode.NeedsScores() {
			return filters[0], nil
		}
		return zeroScorer{filters[0]}, nil
	}
	return newConjunctionScorer(slices.Concat(filters, scoring), scoring), nil
}

func optional(sups []ScorerSupplier, minShould int, leadCost int64) (Scorer, error) {
	scs, err := openAll(sups, leadCost)
	if err != nil {
		return nil, err
	}
	if len(scs) == 1 {
		return scs[0], nil
	}
	if minShould > 1 {
		return newMinShouldScorer(scs, minShould), nil
	}
	return newDisjunctionScorer(scs, sumScores), nil
}

// zeroScorer hides the score of a filter.
type zeroScorer struct{ Scorer }

func (zeroScorer) Score() (float32, error)         { return 0, nil }
func (zeroScorer) MaxScore(int32) (float32, error) { return 0, nil }

// bulk plans the fast ways through a segment.
func (w *booleanWeight) bulk(leaf *lucene.LeafContext, mode ScoreMode) (bulkScorer, error) {
	b, err := w.supplier(leaf)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return emptyBulk{}, nil
	}
	must, filter, should := len(b.subs[Must]), len(b.subs[Filter]), len(b.subs[Should])
	switch {
	case should > 1 && must+filter == 0:
		return b.disjunctionBulk()
	case mode == TopScores && should > 1 && must == 0 && b.minShould == 1 && b.filtersAreBroad():
		return b.disjunctionBulk()
	case mode == TopScores && must == 1 && should == 0:
		if in, ok := b.subs[Must][0].(*booleanSupplier); ok && in.plainDisjunction() {
			// the clause's disjunction takes the filters over
			in.subs[Filter], in.subs[MustNot] = slices.Concat(in.subs[Filter], b.subs[Filter]), b.subs[MustNot]
			in.cost = min(in.cost, b.cost)
			if in.filtersAreBroad() {
				return in.disjunctionBulk()
			}
			in.subs[Filter], in.subs[MustNot] = nil, nil
			sc, err := b.Scorer(math.MaxInt64)
			if err != nil {
				return nil, err
			}
			return newDefaultBulk(sc, mode), nil
		}
		return b.conjunctionBulk()
	case mode == TopScores && must > 1 && should == 0:
		return b.conjunctionBulk()
	}
	sc, err := b.Scorer(math.MaxInt64)
	if err != nil {
		return nil, err
	}
	return newDefaultBulk(sc, mode), nil
}

func (b *booleanSupplier) plainDisjunction() bool {
	return len(b.subs[Should]) > 1 && len(b.subs[Must])+len(b.subs[Filter])+len(b.subs[MustNot]) == 0 && b.minShould <= 1
}

// filtersAreBroad tells whether filters leave enough documents that pruning by scores beats walking the filters.
func (b *booleanSupplier) filtersAreBroad() bool {
	should := disjunctionCost(b.subs[Should], 1)
	for _, f := range b.subs[Filter] {
		if f.Cost() < should/16 {
			return false
		}
	}
	return true
}

// conditions opens the filters and exclusions as checks of single documents.
func (b *booleanSupplier) conditions(leadCost int64) (*conditions, error) {
	filters, err := openAll(b.subs[Filter], leadCost)
	if err != nil {
		return nil, err
	}
	excluded, err := openAll(b.subs[MustNot], leadCost)
	if err != nil {
		return nil, err
	}
	if len(filters)+len(excluded) == 0 {
		return nil, nil
	}
	c := &conditions{}
	for _, sc := range filters {
		c.add(sc, true)
	}
	for _, sc := range excluded {
		c.add(sc, false)
	}
	return c, nil
}

func (b *booleanSupplier) disjunctionBulk() (bulkScorer, error) {
	cond, err := b.conditions(b.cost)
	if err != nil {
		return nil, err
	}
	scs, err := openAll(b.subs[Should], math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if b.mode == TopScores && b.minShould <= 1 {
		return newMaxScoreBulk(scs, cond), nil
	}
	return newWindowBulk(scs, max(b.minShould, 1), b.mode, cond), nil
}

func (b *booleanSupplier) conjunctionBulk() (bulkScorer, error) {
	if len(b.subs[Must]) == 1 && len(b.subs[Filter]) == 0 {
		sc, err := b.subs[Must][0].Scorer(math.MaxInt64)
		if err != nil {
			return nil, err
		}
		cond, err := b.conditions(b.cost)
		if err != nil || cond == nil {
			return newDefaultBulk(sc, b.mode), err
		}
		return &conditionBulk{in: newDefaultBulk(sc, b.mode), cond: cond}, nil
	}
	scoring, err := openAll(b.subs[Must], b.cost)
	if err != nil {
		return nil, err
	}
	filters, err := openAll(b.subs[Filter], b.cost)
	if err != nil {
		return nil, err
	}
	cond := &conditions{}
	excluded, err := openAll(b.subs[MustNot], b.cost)
	if err != nil {
		return nil, err
	}
	for _, sc := range excluded {
		cond.add(sc, false)
	}
	return newConjunctionBulk(scoring, filters, cond), nil
}

// conditions check single documents, in ascending order.
type conditions struct {
	list []condition
}

type condition struct {
	it   lucene.DocIDSetIterator
	bits *lucene.FixedBits
	tp   TwoPhase
	want bool
	cost float32
}

func (c *conditions) add(sc Scorer, want bool) {
	var cond condition
	if tp := sc.TwoPhase(); tp != nil {
		cond = condition{it: tp.Approximation(), tp: tp, want: want, cost: 2 + tp.MatchCost()}
	} else {
		it := plainIterator(sc)
		cond = condition{it: it, want: want, cost: 1}
		if b, ok := it.(*bitsIterator); ok {
			cond.bits, cond.cost = b.bits, 0
		}
	}
	c.list = append(c.list, cond)
	slices.SortStableFunc(c.list, func(a, b condition) int {
		switch {
		case a.cost < b.cost:
			return -1
		case a.cost > b.cost:
			return 1
		}
		return 0
	})
}

// accept tells whether doc meets all conditions. Documents must not descend.
func (c *conditions) accept(doc int32) (bool, error) {
	if c == nil {
		return true, nil
	}
	for i := range c.list {
		co := &c.list[i]
		var has bool
		if co.bits != nil {
			has = co.bits.Get(doc)
		} else {
			d := co.it.DocID()
			if d < doc {
				var err error
				if d, err = co.it.Advance(doc); err != nil {
					return false, err
				}
			}
			if has = d == doc; has && co.tp != nil {
				var err error
				if has, err = co.tp.Matches(); err != nil {
					return false, err
				}
			}
		}
		if has != co.want {
			return false, nil
		}
	}
	return true, nil
}
