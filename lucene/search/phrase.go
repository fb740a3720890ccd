package search

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/varve-search/varve/lucene"
)

// Phrase matches documents with terms at given positions of one field. With Slop, terms may be that many moves away from
// their places, and nearer ones score better.
type Phrase struct {
	Field string
	// Terms are alternatives at each position: one term for a plain phrase.
	Terms [][][]byte
	// Positions of Terms, not descending; nil: 0, 1, 2 ...
	Positions []int32
	Slop      int32
}

// NewPhrase returns the exact phrase of words.
func NewPhrase(field string, words ...string) *Phrase {
	p := &Phrase{Field: field}
	for _, w := range words {
		p.Terms = append(p.Terms, [][]byte{[]byte(w)})
	}
	return p
}

func (q *Phrase) position(i int) int32 {
	if q.Positions == nil {
		return int32(i)
	}
	return q.Positions[i]
}

func (q *Phrase) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "phrase(%q", q.Field)
	for i, alt := range q.Terms {
		fmt.Fprintf(&b, ",%d:%q", q.position(i), alt)
	}
	fmt.Fprintf(&b, "~%d)", q.Slop)
	return b.String()
}

// Rewrite implements Query.
func (q *Phrase) Rewrite(*Searcher) (Query, error) {
	if q.Positions != nil && len(q.Positions) != len(q.Terms) {
		return nil, fmt.Errorf("a phrase of %d terms has %d positions", len(q.Terms), len(q.Positions))
	}
	switch {
	case len(q.Terms) == 0:
		return MatchNone{}, nil
	case len(q.Terms) > 1 && q.position(0) != 0:
		out := *q
		out.Positions = slices.Clone(q.Positions)
		for i := range out.Positions {
			out.Positions[i] -= q.Positions[0]
		}
		return &out, nil
	case len(q.Terms) > 1:
		return q, nil
	}
	if len(q.Terms[0]) == 1 {
		return &Term{Field: q.Field, Bytes: q.Terms[0][0]}, nil
	}
	b := &Boolean{}
	for _, t := range q.Terms[0] {
		b.Clauses = append(b.Clauses, Clause{&Term{Field: q.Field, Bytes: t}, Should})
	}
	return b, nil
}

// Weight implements Query.
func (q *Phrase) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	w := &phraseWeight{q: q, mode: mode, sim: constantSim(1)}
	var stats []TermStatistics
	known := map[string]*termStates{}
	for _, alt := range q.Terms {
		var sts []*termStates
		for _, t := range alt {
			ts := known[string(t)]
			if ts == nil {
				var err error
				if ts, err = s.termStates(q.Field, t); err != nil {
					return nil, err
				}
				known[string(t)] = ts
			}
			sts = append(sts, ts)
			if mode.NeedsScores() {
				if st := s.termStatistics(lucene.Term{Field: q.Field, Bytes: t}, ts.sum); st.DocFreq > 0 {
					stats = append(stats, st)
				}
			}
		}
		w.states = append(w.states, sts)
	}
	if len(stats) > 0 {
		field, err := s.CollectionStatistics(q.Field)
		if err != nil {
			return nil, err
		}
		if field != nil {
			w.sim = s.similarity(q.Field).Scorer(boost, field, stats...)
		}
	}
	return w, nil
}

type phraseWeight struct {
	uncounted
	q      *Phrase
	mode   ScoreMode
	sim    SimScorer
	states [][]*termStates
}

func (w *phraseWeight) Query() Query { return w.q }

// phrasePart is the postings of one position of the phrase.
type phrasePart struct {
	postings lucene.PostingsEnum
	impacts  impactsSource // or nil
	offset   int32         // position in the phrase
	terms    [][]byte
}

func (w *phraseWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	terms, err := leaf.Reader.Terms(w.q.Field)
	if terms == nil || err != nil {
		return nil, err
	}
	if terms.IndexOptions() < lucene.IndexDocsFreqsPositions {
		return nil, fmt.Errorf("field %q was indexed without position data; cannot run a phrase query", w.q.Field)
	}
	for _, alt := range w.states {
		if !slices.ContainsFunc(alt, func(t *termStates) bool { return t.leaf[leaf.Ord].state != nil }) {
			return nil, nil
		}
	}
	cost := int64(math.MaxInt64)
	for _, alt := range w.states {
		var sum int64
		for _, t := range alt {
			sum += int64(t.leaf[leaf.Ord].docFreq)
		}
		cost = min(cost, sum)
	}
	return supplierFunc{cost, func(int64) (Scorer, error) { return w.scorer(leaf, terms) }}, nil
}

func (w *phraseWeight) scorer(leaf *lucene.LeafContext, terms lucene.Terms) (Scorer, error) {
	var parts []phrasePart
	var matchCost float32
	bounded := w.mode == TopScores && w.q.Slop == 0
	for i, alt := range w.q.Terms {
		part := phrasePart{offset: w.q.position(i), terms: alt}
		var union []lucene.PostingsEnum
		for j, t := range alt {
			st := w.states[i][j].leaf[leaf.Ord]
			if st.state == nil {
				continue
			}
			te, err := terms.Iterator()
			if err != nil {
				return nil, err
			}
			if err := te.SeekState(t, st.state); err != nil {
				return nil, err
			}
			ttf, err := te.TotalTermFreq()
			if err != nil {
				return nil, err
			}
			matchCost += 128 + 7*float32(ttf)/float32(max(st.docFreq, 1))
			var p lucene.PostingsEnum
			if bounded && len(alt) == 1 {
				imp, err := te.Impacts(lucene.PostingsPositions)
				if err != nil {
					return nil, err
				}
				p, part.impacts = imp, imp
			} else if p, err = te.Postings(nil, lucene.PostingsPositions); err != nil {
				return nil, err
			}
			union = append(union, p)
		}
		if len(union) == 1 {
			part.postings = union[0]
		} else {
			part.postings = newUnionPostings(union)
			bounded = false
		}
		parts = append(parts, part)
	}
	var norms lucene.NumericDocValues
	if w.mode.NeedsScores() {
		var err error
		if norms, err = leaf.Reader.Norms(w.q.Field); err != nil {
			return nil, err
		}
	}
	its := make([]lucene.DocIDSetIterator, len(parts))
	for i := range parts {
		its[i] = parts[i].postings
	}
	sc := &phraseScorer{approx: newConjunction(its), cost: matchCost, sim: w.sim, norms: norms, scored: w.mode.NeedsScores(), parts: parts}
	if bounded {
		lead := 0
		for i := range parts {
			if parts[i].postings.Cost() < parts[lead].postings.Cost() {
				lead = i
			}
		}
		sc.bounds = newBounds(&phraseImpacts{parts: parts, lead: lead}, w.sim)
	}
	if w.q.Slop == 0 {
		slices.SortStableFunc(parts, comparePhraseParts)
		sc.matcher = newExactMatcher(parts)
	} else {
		sc.matcher = newSloppyMatcher(parts, w.q.Slop)
	}
	return sc, nil
}

func comparePhraseParts(a, b phrasePart) int {
	if a.offset != b.offset {
		return int(a.offset - b.offset)
	}
	if len(a.terms) != len(b.terms) {
		return len(a.terms) - len(b.terms)
	}
	return slices.CompareFunc(a.terms, b.terms, bytes.Compare)
}

// phraseMatcher finds the occurrences of a phrase in the current document.
type phraseMatcher interface {
	reset() error
	next() (bool, error)
	// weight of the occurrence found last.
	weight() float32
}

type phraseScorer struct {
	approx  lucene.DocIDSetIterator
	matcher phraseMatcher
	parts   []phrasePart
	bounds  *bounds // nil: none
	sim     SimScorer
	norms   lucene.NumericDocValues
	cost    float32
	scored  bool
	freq    float32
	min     float32
}

func (p *phraseScorer) Iterator() lucene.DocIDSetIterator { return asIterator(p.TwoPhase()) }
func (p *phraseScorer) DocID() int32                      { return p.approx.DocID() }

func (p *phraseScorer) TwoPhase() TwoPhase {
	approx := p.approx
	if p.bounds != nil {
		approx = &phraseSkipper{DocIDSetIterator: p.approx, p: p, upTo: -1}
	}
	return &twoPhase{approx, p.matches, p.cost}
}

func (p *phraseScorer) norm() (int64, error) {
	if p.norms == nil {
		return 1, nil
	}
	ok, err := p.norms.AdvanceExact(p.approx.DocID())
	if !ok || err != nil {
		return 1, err
	}
	return p.norms.Value()
}

func (p *phraseScorer) matches() (bool, error) {
	if p.bounds != nil && p.min > 0 {
		// The rarest term bounds how often the phrase can occur.
		f := int32(math.MaxInt32)
		for i := range p.parts {
			pf, err := p.parts[i].postings.Freq()
			if err != nil {
				return false, err
			}
			f = min(f, pf)
		}
		n, err := p.norm()
		if err != nil {
			return false, err
		}
		if p.sim.Score(float32(f), n) < p.min {
			return false, nil
		}
	}
	p.freq = 0
	if err := p.matcher.reset(); err != nil {
		return false, err
	}
	ok, err := p.matcher.next()
	if ok {
		p.freq = p.matcher.weight()
	}
	return ok, err
}

func (p *phraseScorer) Score() (float32, error) {
	// the first occurrence was found by matches
	for {
		ok, err := p.matcher.next()
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		p.freq += p.matcher.weight()
	}
	n, err := p.norm()
	if err != nil {
		return 0, err
	}
	return p.sim.Score(p.freq, n), nil
}

func (p *phraseScorer) AdvanceShallow(target int32) (int32, error) {
	if p.bounds == nil {
		return lucene.NoMoreDocs, nil
	}
	return p.bounds.advanceShallow(target)
}

func (p *phraseScorer) MaxScore(upTo int32) (float32, error) {
	if p.bounds == nil {
		return p.sim.Score(math.MaxFloat32, 1), nil
	}
	return p.bounds.maxScore(upTo)
}

func (p *phraseScorer) SetMinCompetitive(min float32) error {
	p.min = min
	return nil
}

// phraseSkipper leaves out blocks that cannot compete.
type phraseSkipper struct {
	lucene.DocIDSetIterator
	p    *phraseScorer
	upTo int32
	max  float32
}

func (s *phraseSkipper) Next() (int32, error) { return s.Advance(s.DocID() + 1) }

func (s *phraseSkipper) Advance(target int32) (int32, error) {
	if s.p.min > 0 {
		var err error
		if target, s.upTo, s.max, err = s.p.bounds.skip(target, s.p.min, s.upTo, s.max); err != nil {
			return 0, err
		}
	}
	return s.DocIDSetIterator.Advance(target)
}

// phraseImpacts are the impacts of a phrase, which has at most the frequency of each of its terms.
// The rarest term's blocks set the pace.
type phraseImpacts struct {
	parts []phrasePart
	lead  int
	out   []lucene.Impact
	at    [][]lucene.Impact
}

func (p *phraseImpacts) AdvanceShallow(target int32) error {
	for i := range p.parts {
		if d := p.parts[i].postings.DocID(); d > target {
			target = max(target, d)
		}
	}
	for i := range p.parts {
		if err := p.parts[i].impacts.AdvanceShallow(target); err != nil {
			return err
		}
	}
	return nil
}

func (p *phraseImpacts) NumLevels() int            { return p.parts[p.lead].impacts.NumLevels() }
func (p *phraseImpacts) DocIDUpTo(level int) int32 { return p.parts[p.lead].impacts.DocIDUpTo(level) }

// Impacts keeps, for each norm that a list has, the smallest of the frequencies the lists allow for it.
func (p *phraseImpacts) Impacts(level int) ([]lucene.Impact, error) {
	upTo := p.DocIDUpTo(level)
	p.at = p.at[:0]
	for i := range p.parts {
		imp := p.parts[i].impacts
		for l := range imp.NumLevels() {
			if imp.DocIDUpTo(l) >= upTo {
				list, err := imp.Impacts(l)
				if err != nil {
					return nil, err
				}
				if len(list) > 0 {
					p.at = append(p.at, list)
				}
				break
			}
		}
	}
	p.out = p.out[:0]
	if len(p.at) == 0 {
		return append(p.out, lucene.Impact{Freq: math.MaxInt32, Norm: 1}), nil
	}
	idx := make([]int, len(p.at))
	for {
		// the smallest norm not passed by all
		norm, any := uint64(math.MaxUint64), false
		for i, list := range p.at {
			if idx[i] < len(list) {
				any = true
				norm = min(norm, uint64(list[idx[i]].Norm))
			}
		}
		if !any {
			return p.out, nil
		}
		freq := int32(math.MaxInt32)
		for i, list := range p.at {
			for idx[i] < len(list) && uint64(list[idx[i]].Norm) <= norm {
				idx[i]++
			}
			f := int32(0)
			if idx[i] > 0 {
				f = list[idx[i]-1].Freq
			}
			freq = min(freq, f)
		}
		if freq > 0 && (len(p.out) == 0 || freq > p.out[len(p.out)-1].Freq) {
			p.out = append(p.out, lucene.Impact{Freq: freq, Norm: int64(norm)})
		}
	}
}

// exactMatcher finds the terms exactly at their places.
type exactMatcher struct{ parts []exactPart }

type exactPart struct {
	postings lucene.PostingsEnum
	offset   int32
	freq     int32
	read     int32
	pos      int32
}

func newExactMatcher(parts []phrasePart) *exactMatcher {
	m := &exactMatcher{}
	for _, p := range parts {
		m.parts = append(m.parts, exactPart{postings: p.postings, offset: p.offset})
	}
	return m
}

func (m *exactMatcher) weight() float32 { return 1 }

func (m *exactMatcher) reset() error {
	for i := range m.parts {
		p := &m.parts[i]
		f, err := p.postings.Freq()
		if err != nil {
			return err
		}
		p.freq, p.read, p.pos = f, 0, -1
	}
	return nil
}

// to moves to the first position at or after target and tells whether there is one.
func (p *exactPart) to(target int32) (bool, error) {
	for p.pos < target {
		if p.read == p.freq {
			return false, nil
		}
		var err error
		if p.pos, err = p.postings.NextPosition(); err != nil {
			return false, err
		}
		p.read++
	}
	return true, nil
}

func (m *exactMatcher) next() (bool, error) {
	lead := &m.parts[0]
	if lead.read == lead.freq {
		return false, nil
	}
	var err error
	if lead.pos, err = lead.postings.NextPosition(); err != nil {
		return false, err
	}
	lead.read++
restart:
	for {
		start := lead.pos - lead.offset
		for i := 1; i < len(m.parts); i++ {
			p := &m.parts[i]
			want := start + p.offset
			if ok, err := p.to(want); !ok || err != nil {
				return false, err
			}
			if p.pos != want {
				if ok, err := lead.to(p.pos - p.offset + lead.offset); !ok || err != nil {
					return false, err
				}
				continue restart
			}
		}
		return true, nil
	}
}
