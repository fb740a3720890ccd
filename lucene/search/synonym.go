package search

import (
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
)

// SynonymTerm is a term of a Synonym query.
type SynonymTerm struct {
	Bytes []byte
	Boost float32 // factor of its frequency, 0 to 1
}

// Synonym matches documents with any of several terms of a field and scores them as if they were one.
type Synonym struct {
	Field string
	Terms []SynonymTerm
}

func (q *Synonym) String() string {
	s := fmt.Sprintf("synonym(%q", q.Field)
	for _, t := range q.Terms {
		s += fmt.Sprintf(",%q^%s", t.Bytes, formatFloat(t.Boost))
	}
	return s + ")"
}

// Rewrite implements Query.
func (q *Synonym) Rewrite(*Searcher) (Query, error) {
	switch {
	case len(q.Terms) == 0:
		return MatchNone{}, nil
	case len(q.Terms) == 1 && q.Terms[0].Boost == 1:
		return &Term{Field: q.Field, Bytes: q.Terms[0].Bytes}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *Synonym) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	w := &synonymWeight{q: q, mode: mode, sim: constantSim(boost)}
	var st TermStatistics
	for _, t := range q.Terms {
		ts, err := s.termStates(q.Field, t.Bytes)
		if err != nil {
			return nil, err
		}
		w.states = append(w.states, ts)
		one := s.termStatistics(lucene.Term{Field: q.Field, Bytes: t.Bytes}, ts.sum)
		st.DocFreq = max(st.DocFreq, one.DocFreq)
		st.TotalTermFreq += one.TotalTermFreq
	}
	if mode.NeedsScores() && st.DocFreq > 0 {
		field, err := s.CollectionStatistics(q.Field)
		if err != nil {
			return nil, err
		}
		if field != nil {
			w.sim = s.similarity(q.Field).Scorer(boost, field, st)
		}
	}
	return w, nil
}

type synonymWeight struct {
	uncounted
	q      *Synonym
	mode   ScoreMode
	sim    SimScorer
	states []*termStates
}

func (w *synonymWeight) Query() Query { return w.q }

func (w *synonymWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	var cost int64
	for _, ts := range w.states {
		cost += int64(ts.leaf[leaf.Ord].docFreq)
	}
	if cost == 0 {
		return nil, nil
	}
	return supplierFunc{cost, func(int64) (Scorer, error) {
		terms, err := leaf.Reader.Terms(w.q.Field)
		if err != nil || terms == nil {
			return nil, err
		}
		var norms lucene.NumericDocValues
		flags := lucene.PostingsNone
		if w.mode.NeedsScores() {
			flags = lucene.PostingsFreqs
			if norms, err = leaf.Reader.Norms(w.q.Field); err != nil {
				return nil, err
			}
		}
		rule := &synonymRule{sim: w.sim, norms: norms}
		var subs []Scorer
		for i, ts := range w.states {
			st := ts.leaf[leaf.Ord]
			if st.state == nil {
				continue
			}
			te, err := terms.Iterator()
			if err != nil {
				return nil, err
			}
			if err := te.SeekState(w.q.Terms[i].Bytes, st.state); err != nil {
				return nil, err
			}
			p, err := te.Postings(nil, flags)
			if err != nil {
				return nil, err
			}
			subs = append(subs, &freqScorer{p: p, boost: w.q.Terms[i].Boost})
		}
		d := newDisjunctionScorer(subs, rule)
		rule.d = d
		return d, nil
	}}, nil
}

// freqScorer has the weighted frequency of a term in place of a score.
type freqScorer struct {
	noImpacts
	p     lucene.PostingsEnum
	boost float32
}

func (f *freqScorer) Iterator() lucene.DocIDSetIterator { return f.p }
func (f *freqScorer) TwoPhase() TwoPhase                { return nil }
func (f *freqScorer) DocID() int32                      { return f.p.DocID() }

func (f *freqScorer) Score() (float32, error) {
	n, err := f.p.Freq()
	return f.boost * float32(n), err
}

// synonymRule scores the sum of frequencies.
type synonymRule struct {
	sim   SimScorer
	norms lucene.NumericDocValues
	d     *disjunctionScorer
}

func (r *synonymRule) combine(subs []*subScorer) (float32, error) {
	var freq float32
	for _, s := range subs {
		f, err := s.sc.Score()
		if err != nil {
			return 0, err
		}
		freq += f
	}
	norm := int64(1)
	if r.norms != nil {
		ok, err := r.norms.AdvanceExact(r.d.DocID())
		if err != nil {
			return 0, err
		}
		if ok {
			if norm, err = r.norms.Value(); err != nil {
				return 0, err
			}
		}
	}
	return r.sim.Score(freq, norm), nil
}

func (r *synonymRule) bound([]float32) float32 { return r.sim.Score(math.MaxFloat32, 1) }
