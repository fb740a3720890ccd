package search

import (
	"github.com/varve-search/varve/lucene"
)

// splitPhases returns the approximations of scorers and the checks of those that have two phases.
func splitPhases(scs []Scorer) (its []lucene.DocIDSetIterator, tps []TwoPhase) {
	for _, sc := range scs {
		if tp := sc.TwoPhase(); tp != nil {
			its = append(its, tp.Approximation())
			tps = append(tps, tp)
		} else {
			its = append(its, sc.Iterator())
		}
	}
	return its, tps
}

// conjunctionScorer matches what all its parts do and adds the scores of some.
type conjunctionScorer struct {
	it      lucene.DocIDSetIterator
	tp      TwoPhase
	scoring []Scorer
}

func newConjunctionScorer(required, scoring []Scorer) Scorer {
	its, tps := splitPhases(required)
	it := newConjunction(its)
	return &conjunctionScorer{it: it, tp: allOf(it, tps), scoring: scoring}
}

func (c *conjunctionScorer) Iterator() lucene.DocIDSetIterator {
	if c.tp != nil {
		return asIterator(c.tp)
	}
	return c.it
}
func (c *conjunctionScorer) TwoPhase() TwoPhase { return c.tp }
func (c *conjunctionScorer) DocID() int32       { return c.it.DocID() }

func (c *conjunctionScorer) Score() (float32, error) {
	var sum float64
	for _, sc := range c.scoring {
		s, err := sc.Score()
		if err != nil {
			return 0, err
		}
		sum += float64(s)
	}
	return float32(sum), nil
}

func (c *conjunctionScorer) AdvanceShallow(target int32) (int32, error) {
	return shallowAll(c.scoring, target)
}

func (c *conjunctionScorer) MaxScore(upTo int32) (float32, error) { return maxOfSum(c.scoring, upTo) }

func (c *conjunctionScorer) SetMinCompetitive(min float32) error {
	if len(c.scoring) == 1 {
		return c.scoring[0].SetMinCompetitive(min)
	}
	return nil
}

// shallowAll moves all scorers and returns the nearest end of a block.
func shallowAll(scs []Scorer, target int32) (int32, error) {
	upTo := lucene.NoMoreDocs
	for _, sc := range scs {
		if d := sc.DocID(); d > target {
			upTo = min(upTo, d-1)
			continue
		}
		u, err := sc.AdvanceShallow(target)
		if err != nil {
			return 0, err
		}
		upTo = min(upTo, u)
	}
	return upTo, nil
}

// maxOfSum bounds the sum of the scores.
func maxOfSum(scs []Scorer, upTo int32) (float32, error) {
	var sum float64
	for _, sc := range scs {
		if sc.DocID() > upTo {
			continue
		}
		m, err := sc.MaxScore(upTo)
		if err != nil {
			return 0, err
		}
		sum += float64(m)
	}
	return roundUp(sum), nil
}

// roundUp makes a float32 of a bound that sums of the same parts, in any order, do not exceed.
func roundUp(sum float64) float32 { return float32(sum * (1 + 1e-12)) }

// exclusion matches what main does and excl does not.
type exclusion struct {
	Scorer
	approx lucene.DocIDSetIterator
	tp     TwoPhase // of main, or nil
	excl   lucene.DocIDSetIterator
	exclTP TwoPhase
}

func newExclusion(main, excl Scorer) Scorer {
	e := &exclusion{Scorer: main, tp: main.TwoPhase(), exclTP: excl.TwoPhase()}
	if e.tp != nil {
		e.approx = e.tp.Approximation()
	} else {
		e.approx = main.Iterator()
	}
	if e.exclTP != nil {
		e.excl = e.exclTP.Approximation()
	} else {
		e.excl = excl.Iterator()
	}
	return e
}

func (e *exclusion) Iterator() lucene.DocIDSetIterator { return asIterator(e.TwoPhase()) }

func (e *exclusion) TwoPhase() TwoPhase {
	var cost float32 = 2
	if e.tp != nil {
		cost += e.tp.MatchCost()
	}
	if e.exclTP != nil {
		cost += e.exclTP.MatchCost()
	}
	return &twoPhase{e.approx, e.matches, cost}
}

func (e *exclusion) matches() (bool, error) {
	doc := e.approx.DocID()
	d := e.excl.DocID()
	if d < doc {
		var err error
		if d, err = e.excl.Advance(doc); err != nil {
			return false, err
		}
	}
	mainFirst := e.tp != nil && (e.exclTP == nil || e.tp.MatchCost() <= e.exclTP.MatchCost())
	if mainFirst || e.tp != nil && d != doc {
		if ok, err := e.tp.Matches(); !ok || err != nil {
			return false, err
		}
	}
	if d != doc {
		return true, nil
	}
	if e.exclTP == nil {
		return false, nil
	}
	if ok, err := e.exclTP.Matches(); ok || err != nil {
		return false, err
	}
	if e.tp != nil && !mainFirst {
		return e.tp.Matches()
	}
	return true, nil
}

// reqOpt matches what req does and adds the score of opt where that matches too.
type reqOpt struct {
	req, opt Scorer
	optIt    lucene.DocIDSetIterator
	optTP    TwoPhase
	checked  int32 // document for which optTP was asked
	matched  bool
}

func newReqOpt(req, opt Scorer) Scorer {
	r := &reqOpt{req: req, opt: opt, checked: -1}
	if r.optTP = opt.TwoPhase(); r.optTP != nil {
		r.optIt = r.optTP.Approximation()
	} else {
		r.optIt = plainIterator(opt)
	}
	return r
}

func (r *reqOpt) Iterator() lucene.DocIDSetIterator { return r.req.Iterator() }
func (r *reqOpt) TwoPhase() TwoPhase                { return r.req.TwoPhase() }
func (r *reqOpt) DocID() int32                      { return r.req.DocID() }

func (r *reqOpt) Score() (float32, error) {
	s, err := r.req.Score()
	if err != nil {
		return 0, err
	}
	doc := r.req.DocID()
	d := r.optIt.DocID()
	if d < doc {
		if d, err = r.optIt.Advance(doc); err != nil {
			return 0, err
		}
	}
	if d != doc {
		return s, nil
	}
	if r.optTP != nil {
		if r.checked != doc {
			r.checked = doc
			if r.matched, err = r.optTP.Matches(); err != nil {
				return 0, err
			}
		}
		if !r.matched {
			return s, nil
		}
	}
	o, err := r.opt.Score()
	return s + o, err
}

func (r *reqOpt) AdvanceShallow(target int32) (int32, error) {
	return shallowAll([]Scorer{r.req, r.opt}, target)
}

func (r *reqOpt) MaxScore(upTo int32) (float32, error) {
	return maxOfSum([]Scorer{r.req, r.opt}, upTo)
}

func (r *reqOpt) SetMinCompetitive(float32) error { return nil }
