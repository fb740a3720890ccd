package search

import (
	"github.com/varve-search/varve/lucene"
)

// conjunctionBulk finds the best matches of a conjunction: blocks whose bounds together cannot compete are skipped.
type conjunctionBulk struct {
	scoring []Scorer
	it      lucene.DocIDSetIterator
	tp      TwoPhase
	cond    *conditions
	cur     current
}

func newConjunctionBulk(scoring, filters []Scorer, cond *conditions) bulkScorer {
	b := &conjunctionBulk{scoring: scoring, cond: cond}
	var its []lucene.DocIDSetIterator
	var tps []TwoPhase
	for _, sc := range append(append([]Scorer(nil), scoring...), filters...) {
		if tp := sc.TwoPhase(); tp != nil {
			its, tps = append(its, tp.Approximation()), append(tps, tp)
		} else {
			its = append(its, plainIterator(sc))
		}
	}
	b.it = newConjunction(its)
	b.tp = allOf(b.it, tps)
	return b
}

func (b *conjunctionBulk) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	if err := c.SetScorer(&b.cur); err != nil {
		return 0, err
	}
	doc := b.it.DocID()
	var err error
	upTo := int32(-1)
	for target := max(from, doc); ; {
		if target > upTo && b.cur.min > 0 {
			if target, upTo, err = b.skip(target, to); err != nil {
				return 0, err
			}
		}
		if doc < target {
			if target >= to {
				return target, nil
			}
			if doc, err = b.it.Advance(target); err != nil {
				return 0, err
			}
			if doc > upTo && b.cur.min > 0 && doc < to {
				target = doc
				continue
			}
		}
		if doc >= to {
			return doc, nil
		}
		ok := live == nil || live.Get(doc)
		if ok {
			ok, err = b.cond.accept(doc)
		}
		if ok && err == nil && b.tp != nil {
			ok, err = b.tp.Matches()
		}
		if err != nil {
			return 0, err
		}
		if ok {
			if err := b.collect(c, doc); err != nil {
				return 0, err
			}
		}
		target = doc + 1
	}
}

func (b *conjunctionBulk) collect(c LeafCollector, doc int32) error {
	var sum float64
	for _, sc := range b.scoring {
		s, err := sc.Score()
		if err != nil {
			return err
		}
		sum += float64(s)
	}
	if b.cur.value = float32(sum); b.cur.value < b.cur.min {
		return nil
	}
	return c.Collect(doc)
}

// skip returns the first document from target on whose block can compete, and the block's last document.
func (b *conjunctionBulk) skip(target, to int32) (int32, int32, error) {
	for target < to {
		upTo := lucene.NoMoreDocs
		for _, sc := range b.scoring {
			u, err := sc.AdvanceShallow(max(target, sc.DocID()))
			if err != nil {
				return 0, 0, err
			}
			upTo = min(upTo, u)
		}
		upTo = max(upTo, target)
		var sum float64
		for _, sc := range b.scoring {
			m, err := sc.MaxScore(upTo)
			if err != nil {
				return 0, 0, err
			}
			sum += float64(m)
		}
		if roundUp(sum) >= b.cur.min {
			return target, upTo, nil
		}
		if upTo == lucene.NoMoreDocs {
			return lucene.NoMoreDocs, upTo, nil
		}
		target = upTo + 1
	}
	return target, target - 1, nil
}
