package search

import (
	"fmt"

	"github.com/varve-search/varve/lucene"
)

// Demote multiplies the scores of documents that match another query.
type Demote struct {
	Query, Match Query
	Factor       float32
}

func (q *Demote) String() string {
	return fmt.Sprintf("demote(%s,%s,%s)", q.Query, q.Match, formatFloat(q.Factor))
}

// Rewrite implements Query.
func (q *Demote) Rewrite(s *Searcher) (Query, error) {
	in, err := q.Query.Rewrite(s)
	if err != nil || in == q.Query {
		return q, err
	}
	return &Demote{in, q.Match, q.Factor}, nil
}

// Weight implements Query.
func (q *Demote) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	if !mode.NeedsScores() {
		return q.Query.Weight(s, mode, boost)
	}
	in, err := q.Query.Weight(s, Complete, 1)
	if err != nil {
		return nil, err
	}
	rq, err := s.Rewrite(&ConstantScore{q.Match})
	if err != nil {
		return nil, err
	}
	match, err := s.Weight(rq, CompleteNoScores, 1)
	return &demoteWeight{q, in, match, boost}, err
}

type demoteWeight struct {
	q     *Demote
	in    Weight
	match Weight
	boost float32
}

func (w *demoteWeight) Query() Query                                { return w.q }
func (w *demoteWeight) Count(leaf *lucene.LeafContext) (int, error) { return w.in.Count(leaf) }

func (w *demoteWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	in, err := w.in.Supplier(leaf)
	if in == nil || err != nil {
		return nil, err
	}
	return supplierFunc{in.Cost(), func(leadCost int64) (Scorer, error) {
		sc, err := in.Scorer(leadCost)
		if err != nil {
			return nil, err
		}
		m, err := scorerFor(w.match, leaf)
		if err != nil {
			return nil, err
		}
		d := &demoteScorer{Scorer: sc, w: w}
		if m != nil {
			d.cond = &conditions{}
			d.cond.add(m, true)
		}
		return d, nil
	}}, nil
}

type demoteScorer struct {
	Scorer
	w    *demoteWeight
	cond *conditions
	doc  int32
	has  bool
	done bool
}

func (d *demoteScorer) Score() (float32, error) {
	s, err := d.Scorer.Score()
	if err != nil {
		return 0, err
	}
	v := float64(s)
	if d.cond != nil {
		if doc := d.DocID(); !d.done || d.doc != doc {
			d.doc, d.done = doc, true
			if d.has, err = d.cond.accept(doc); err != nil {
				return 0, err
			}
		}
		if d.has {
			v *= float64(d.w.q.Factor)
		}
	}
	return float32(v * float64(d.w.boost)), nil
}

func (d *demoteScorer) AdvanceShallow(int32) (int32, error) { return lucene.NoMoreDocs, nil }
func (d *demoteScorer) MaxScore(int32) (float32, error)     { return inf32(), nil }
func (d *demoteScorer) SetMinCompetitive(float32) error     { return nil }
