package search

import (
	"slices"

	"github.com/varve-search/varve/lucene"
)

// subScorer is one of several scorers that are merged.
type subScorer struct {
	sc      Scorer
	it      lucene.DocIDSetIterator // approximation if tp is not nil
	tp      TwoPhase
	doc     int32
	cost    int64
	checked int32 // document for which tp was asked
	matched bool
}

func newSubScorer(sc Scorer) *subScorer {
	s := &subScorer{sc: sc, tp: sc.TwoPhase(), checked: -1, doc: -1}
	if s.tp != nil {
		s.it = s.tp.Approximation()
	} else {
		s.it = plainIterator(sc)
	}
	s.cost = s.it.Cost()
	return s
}

// matches tells whether the current document is a match, asking once.
func (s *subScorer) matches() (bool, error) {
	if s.tp == nil {
		return true, nil
	}
	if s.checked != s.doc {
		s.checked = s.doc
		var err error
		if s.matched, err = s.tp.Matches(); err != nil {
			return false, err
		}
	}
	return s.matched, nil
}

// docHeap is a binary heap of scorers by document.
type docHeap []*subScorer

func (h docHeap) down(i int) {
	s := h[i]
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1].doc < h[c].doc {
			c++
		}
		if h[c].doc >= s.doc {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = s
}

// onTop appends the scorers whose document is that of the top.
func (h docHeap) onTop(out []*subScorer) []*subScorer { return h.collect(0, h[0].doc, out) }

func (h docHeap) collect(i int, doc int32, out []*subScorer) []*subScorer {
	if i >= len(h) || h[i].doc != doc {
		return out
	}
	out = append(out, h[i])
	out = h.collect(2*i+1, doc, out)
	return h.collect(2*i+2, doc, out)
}

// scoreRule adds up the scores of the parts of a disjunction.
type scoreRule interface {
	combine(subs []*subScorer) (float32, error)
	// bound bounds the combination of bounds of the parts.
	bound(maxes []float32) float32
}

type sumRule struct{}

var sumScores scoreRule = sumRule{}

func (sumRule) combine(subs []*subScorer) (float32, error) {
	var sum float64
	for _, s := range subs {
		v, err := s.sc.Score()
		if err != nil {
			return 0, err
		}
		sum += float64(v)
	}
	return float32(sum), nil
}

func (sumRule) bound(maxes []float32) float32 {
	var sum float64
	for _, m := range maxes {
		sum += float64(m)
	}
	return roundUp(sum)
}

// disjunctionScorer matches what any of its parts does.
type disjunctionScorer struct {
	all   []*subScorer
	heap  docHeap
	rule  scoreRule
	top   []*subScorer // those at the current document, once asked for
	tp    bool
	maxes []float32
	cost  int64
}

func newDisjunctionScorer(scs []Scorer, rule scoreRule) *disjunctionScorer {
	d := &disjunctionScorer{rule: rule}
	for _, sc := range scs {
		s := newSubScorer(sc)
		d.all = append(d.all, s)
		d.tp = d.tp || s.tp != nil
		d.cost += s.cost
	}
	d.heap = slices.Clone(d.all)
	return d
}

// approximation of the disjunction: the scorer's own DocIDSetIterator.
type disjunctionIterator struct{ d *disjunctionScorer }

func (i disjunctionIterator) DocID() int32 { return i.d.heap[0].doc }
func (i disjunctionIterator) Cost() int64  { return i.d.cost }

func (i disjunctionIterator) Next() (int32, error) {
	h := i.d.heap
	doc := h[0].doc
	for h[0].doc == doc {
		var err error
		if h[0].doc, err = h[0].it.Next(); err != nil {
			return 0, err
		}
		h.down(0)
	}
	return h[0].doc, nil
}

func (i disjunctionIterator) Advance(target int32) (int32, error) {
	h := i.d.heap
	for h[0].doc < target {
		var err error
		if h[0].doc, err = h[0].it.Advance(target); err != nil {
			return 0, err
		}
		h.down(0)
	}
	return h[0].doc, nil
}

func (d *disjunctionScorer) Iterator() lucene.DocIDSetIterator {
	if d.tp {
		return asIterator(d.TwoPhase())
	}
	return disjunctionIterator{d}
}

func (d *disjunctionScorer) TwoPhase() TwoPhase {
	if !d.tp {
		return nil
	}
	var cost float32
	for _, s := range d.all {
		if s.tp != nil {
			cost += s.tp.MatchCost()
		}
	}
	return &twoPhase{disjunctionIterator{d}, d.matches, cost / float32(len(d.all))}
}

// matches finds whether any part at the current document matches.
func (d *disjunctionScorer) matches() (bool, error) {
	d.top = d.heap.onTop(d.top[:0])
	for _, s := range d.top {
		if s.tp == nil {
			return true, nil
		}
	}
	for _, s := range d.top {
		if ok, err := s.matches(); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (d *disjunctionScorer) DocID() int32 { return d.heap[0].doc }

func (d *disjunctionScorer) Score() (float32, error) {
	d.top = d.heap.onTop(d.top[:0])
	if d.tp {
		n := 0
		for _, s := range d.top {
			ok, err := s.matches()
			if err != nil {
				return 0, err
			}
			if ok {
				d.top[n] = s
				n++
			}
		}
		d.top = d.top[:n]
	}
	return d.rule.combine(d.top)
}

func (d *disjunctionScorer) AdvanceShallow(target int32) (int32, error) {
	upTo := lucene.NoMoreDocs
	for _, s := range d.all {
		if s.doc > target {
			upTo = min(upTo, s.doc-1)
			continue
		}
		u, err := s.sc.AdvanceShallow(target)
		if err != nil {
			return 0, err
		}
		upTo = min(upTo, u)
	}
	return upTo, nil
}

func (d *disjunctionScorer) MaxScore(upTo int32) (float32, error) {
	d.maxes = d.maxes[:0]
	for _, s := range d.all {
		if s.doc > upTo {
			continue
		}
		m, err := s.sc.MaxScore(upTo)
		if err != nil {
			return 0, err
		}
		d.maxes = append(d.maxes, m)
	}
	return d.rule.bound(d.maxes), nil
}

func (d *disjunctionScorer) SetMinCompetitive(float32) error { return nil }

// minShouldScorer matches what at least min of its parts do. Every match has one of all parts but the
// costliest min-1: those lead, the others follow.
type minShouldScorer struct {
	noImpacts
	lead   *disjunctionScorer
	follow []*subScorer
	min    int
	on     []*subScorer // matching at the current document
}

func newMinShouldScorer(scs []Scorer, min int) Scorer {
	scs = slices.Clone(scs)
	slices.SortStableFunc(scs, func(a, b Scorer) int {
		switch ca, cb := scorerCost(a), scorerCost(b); {
		case ca < cb:
			return -1
		case ca > cb:
			return 1
		}
		return 0
	})
	m := &minShouldScorer{lead: newDisjunctionScorer(scs[:len(scs)-min+1], sumScores), min: min}
	for _, sc := range scs[len(scs)-min+1:] {
		m.follow = append(m.follow, newSubScorer(sc))
	}
	return m
}

func scorerCost(sc Scorer) int64 {
	if tp := sc.TwoPhase(); tp != nil {
		return tp.Approximation().Cost()
	}
	return plainIterator(sc).Cost()
}

func (m *minShouldScorer) Iterator() lucene.DocIDSetIterator { return asIterator(m.TwoPhase()) }
func (m *minShouldScorer) DocID() int32                      { return m.lead.DocID() }

func (m *minShouldScorer) TwoPhase() TwoPhase {
	return &twoPhase{disjunctionIterator{m.lead}, m.matches, float32(4 * (m.min + len(m.lead.all)))}
}

func (m *minShouldScorer) matches() (bool, error) {
	doc := m.lead.DocID()
	m.on = m.lead.heap.onTop(m.on[:0])
	n := 0
	for _, s := range m.on {
		ok, err := s.matches()
		if err != nil {
			return false, err
		}
		if ok {
			m.on[n] = s
			n++
		}
	}
	m.on = m.on[:n]
	for i, s := range m.follow {
		if len(m.on)+len(m.follow)-i < m.min {
			return false, nil
		}
		if s.doc < doc {
			var err error
			if s.doc, err = s.it.Advance(doc); err != nil {
				return false, err
			}
		}
		if s.doc == doc {
			ok, err := s.matches()
			if err != nil {
				return false, err
			}
			if ok {
				m.on = append(m.on, s)
			}
		}
	}
	return len(m.on) >= m.min, nil
}

// Score adds all matching parts; matches has looked at every one of them.
func (m *minShouldScorer) Score() (float32, error) { return sumScores.combine(m.on) }
