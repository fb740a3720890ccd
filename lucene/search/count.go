package search

import "github.com/varve-search/varve/lucene"

// countManager counts matches, without visiting them where a weight knows.
type countManager struct{}

func (countManager) New() (Collector, error) { return &counter{}, nil }

func (countManager) Reduce(cs []Collector) (int64, error) {
	var n int64
	for _, c := range cs {
		n += c.(*counter).n
	}
	return n, nil
}

type counter struct{ n int64 }

func (c *counter) Mode() ScoreMode { return CompleteNoScores }

func (c *counter) Leaf(leaf *lucene.LeafContext, w Weight) (LeafCollector, error) {
	n, err := w.Count(leaf)
	if err != nil {
		return nil, err
	}
	if n >= 0 {
		c.n += int64(n)
		return nil, nil
	}
	return c, nil
}

func (c *counter) SetScorer(Scorable) error { return nil }
func (c *counter) Collect(int32) error      { c.n++; return nil }
func (c *counter) CollectBatch(docs []int32) error {
	c.n += int64(len(docs))
	return nil
}
