package search

import (
	"math"

	"github.com/varve-search/varve/lucene"
)

// bulkScorer feeds the matches of a segment to a collector, range by range.
type bulkScorer interface {
	// score collects the matches in [from, to) that are live and returns where the next may be, at or after to.
	score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error)
}

// bulkWeight is implemented by weights that know a faster way than their Scorer.
type bulkWeight interface {
	// bulk returns nil, nil where the Scorer is as good.
	bulk(leaf *lucene.LeafContext, mode ScoreMode) (bulkScorer, error)
}

// emptyBulk has no matches.
type emptyBulk struct{}

func (emptyBulk) score(LeafCollector, lucene.Bits, int32, int32) (int32, error) {
	return lucene.NoMoreDocs, nil
}

func bulkFor(w Weight, leaf *lucene.LeafContext, mode ScoreMode) (bulkScorer, error) {
	if bw, ok := w.(bulkWeight); ok {
		b, err := bw.bulk(leaf, mode)
		if b != nil || err != nil {
			return b, err
		}
	}
	sc, err := scorerFor(w, leaf)
	if sc == nil || err != nil {
		return nil, err
	}
	return newDefaultBulk(sc, mode), nil
}

func newDefaultBulk(sc Scorer, mode ScoreMode) bulkScorer {
	if ts, ok := sc.(*termScorer); ok {
		return &termBulk{sc: ts, mode: mode}
	}
	return &defaultBulk{sc: sc, tp: sc.TwoPhase(), mode: mode}
}

// defaultBulk walks a scorer.
type defaultBulk struct {
	sc   Scorer
	tp   TwoPhase
	mode ScoreMode
	it   lucene.DocIDSetIterator
	many batchIterator // it, if it is one and no scores are needed
	docs [256]int32
}

func (b *defaultBulk) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	switch {
	case b.it != nil:
	case b.tp != nil:
		b.it = b.tp.Approximation()
	case !b.mode.NeedsScores():
		b.it = plainIterator(b.sc)
		b.many, _ = b.it.(batchIterator)
	default:
		b.it = b.sc.Iterator()
	}
	if err := c.SetScorer(b.sc); err != nil {
		return 0, err
	}
	doc := b.it.DocID()
	var err error
	if doc < from {
		if doc, err = b.it.Advance(from); err != nil {
			return 0, err
		}
	}
	if bc, ok := c.(BatchCollector); ok && !b.mode.NeedsScores() {
		return b.batches(bc, live, doc, to)
	}
	for doc < to {
		ok := live == nil || live.Get(doc)
		if ok && b.tp != nil {
			if ok, err = b.tp.Matches(); err != nil {
				return 0, err
			}
		}
		if ok {
			if err = c.Collect(doc); err != nil {
				return 0, err
			}
		}
		if doc, err = b.it.Next(); err != nil {
			return 0, err
		}
	}
	return doc, nil
}

func (b *defaultBulk) batches(c BatchCollector, live lucene.Bits, doc, to int32) (int32, error) {
	if b.many != nil {
		for b.it.DocID() < to {
			n := b.many.nextBatch(to, b.docs[:])
			docs, _ := liveOnly(live, b.docs[:n], nil)
			if len(docs) == 0 {
				continue
			}
			if err := c.CollectBatch(docs); err != nil {
				return 0, err
			}
		}
		return b.it.DocID(), nil
	}
	n := 0
	var err error
	for doc < to {
		ok := live == nil || live.Get(doc)
		if ok && b.tp != nil {
			if ok, err = b.tp.Matches(); err != nil {
				return 0, err
			}
		}
		if ok {
			b.docs[n] = doc
			if n++; n == len(b.docs) {
				if err = c.CollectBatch(b.docs[:n]); err != nil {
					return 0, err
				}
				n = 0
			}
		}
		if doc, err = b.it.Next(); err != nil {
			return 0, err
		}
	}
	if n > 0 {
		err = c.CollectBatch(b.docs[:n])
	}
	return doc, err
}

// current is the Scorable of bulk scorers that compute scores themselves.
type current struct {
	value float32
	min   float32
}

func (c *current) Score() (float32, error) { return c.value, nil }

func (c *current) SetMinCompetitive(min float32) error {
	c.min = min
	return nil
}

// liveOnly drops the deleted documents of a batch.
func liveOnly(live lucene.Bits, docs []int32, scores []float32) ([]int32, []float32) {
	if live == nil {
		return docs, scores
	}
	n := 0
	if set, ok := live.(*lucene.FixedBits); ok && scores == nil {
		for _, d := range docs {
			docs[n] = d
			if set.Get(d) {
				n++
			}
		}
		return docs[:n], nil
	}
	for i, d := range docs {
		if live.Get(d) {
			docs[n] = d
			if scores != nil {
				scores[n] = scores[i]
			}
			n++
		}
	}
	if scores != nil {
		scores = scores[:n]
	}
	return docs[:n], scores
}

// collectScored gives a batch to a collector, at once if it can.
func collectScored(c LeafCollector, cur *current, docs []int32, scores []float32) error {
	if sb, ok := c.(ScoredBatchCollector); ok {
		return sb.CollectScored(docs, scores)
	}
	for i, d := range docs {
		cur.value = scores[i]
		if err := c.Collect(d); err != nil {
			return err
		}
	}
	return nil
}

func collectBatch(c LeafCollector, docs []int32) error {
	if bc, ok := c.(BatchCollector); ok {
		return bc.CollectBatch(docs)
	}
	for _, d := range docs {
		if err := c.Collect(d); err != nil {
			return err
		}
	}
	return nil
}

func inf32() float32 { return float32(math.Inf(1)) }
