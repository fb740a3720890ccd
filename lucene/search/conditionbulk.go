package search

import "github.com/varve-search/varve/lucene"

// conditionBulk leaves out what does not meet conditions.
type conditionBulk struct {
	in   bulkScorer
	cond *conditions
}

func (b *conditionBulk) score(c LeafCollector, live lucene.Bits, from, to int32) (int32, error) {
	return b.in.score(&conditionCollector{LeafCollector: c, cond: b.cond}, live, from, to)
}

// conditionCollector passes on the documents that meet conditions.
type conditionCollector struct {
	LeafCollector
	cond  *conditions
	sc    Scorable
	cur   current // score of a document of a batch
	batch bool
}

// SetScorer implements LeafCollector.
func (c *conditionCollector) SetScorer(sc Scorable) error {
	c.sc = sc
	return c.LeafCollector.SetScorer(conditionScore{c})
}

// conditionScore is the score of the document that is passed on.
type conditionScore struct{ c *conditionCollector }

func (s conditionScore) Score() (float32, error) {
	if s.c.batch {
		return s.c.cur.value, nil
	}
	return s.c.sc.Score()
}

func (s conditionScore) SetMinCompetitive(min float32) error { return s.c.sc.SetMinCompetitive(min) }

// Collect implements LeafCollector.
func (c *conditionCollector) Collect(doc int32) error {
	if ok, err := c.cond.accept(doc); !ok || err != nil {
		return err
	}
	return c.LeafCollector.Collect(doc)
}

// CollectScored implements ScoredBatchCollector.
func (c *conditionCollector) CollectScored(docs []int32, scores []float32) error {
	n := 0
	for i, d := range docs {
		ok, err := c.cond.accept(d)
		if err != nil {
			return err
		}
		if ok {
			docs[n], scores[n] = d, scores[i]
			n++
		}
	}
	c.batch = true
	err := collectScored(c.LeafCollector, &c.cur, docs[:n], scores[:n])
	c.batch = false
	return err
}
