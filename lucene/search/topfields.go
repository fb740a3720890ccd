package search

import (
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// ByFields finds the K best matches by fields; ties by doc ID.
type ByFields struct {
	K    int
	Sort []SortField
	// Threshold is up to how many hits the count is exact; beyond, a search may end early where the order allows.
	Threshold int64
	// After leaves out this hit and those before it, by its Sort and Doc; nil: none. A Doc of math.MaxInt32 leaves out
	// all with the same values.
	After *Hit
	// Scores asks for the scores of the hits and the maximum.
	Scores bool
	// MinScore leaves out hits of a lower score, and does not count them; 0: none.
	MinScore float32
}

// Top returns the manager for a search.
func (b ByFields) Top() Manager[*TopDocs] { return &fieldManager{b} }

type fieldManager struct{ ByFields }

func (m *fieldManager) New() (Collector, error) {
	if m.K < 0 || len(m.Sort) == 0 {
		return nil, fmt.Errorf("a search for %d hits by %d fields", m.K, len(m.Sort))
	}
	if m.After != nil && len(m.After.Sort) != len(m.Sort) {
		return nil, fmt.Errorf("search_after has %d values, but the sort has %d", len(m.After.Sort), len(m.Sort))
	}
	c := &fieldCollector{m: m, maxScore: float32(math.NaN())}
	for i, f := range m.Sort {
		var after any
		if m.After != nil {
			after = m.After.Sort[i]
		}
		cr, err := newCriterion(f, m.K, after, m.After != nil)
		if err != nil {
			return nil, err
		}
		c.by = append(c.by, cr)
		c.scored = c.scored || f.Type == SortScore
	}
	c.scored = c.scored || m.Scores || m.MinScore > 0
	return c, nil
}

type fieldHit struct {
	slot  int
	doc   int32
	score float32
}

type fieldCollector struct {
	m        *fieldManager
	by       []criterion
	heap     []fieldHit // the worst on top
	scored   bool
	total    int64
	ended    bool // counting stopped early
	maxScore float32
	base     int32
	sc       Scorable
	sorted   bool // the segment is in the order of the sort
	first    *numberCriterion
	vals     [256]int64

	// See extremes.go.
	extreme   int64 // the worst key of the extreme documents
	before    int64 // total before them
	countNext bool  // the next visit of the segment only counts
	countOnly bool
}

func (c *fieldCollector) Mode() ScoreMode {
	if c.scored {
		return Complete
	}
	return CompleteNoScores
}

func (c *fieldCollector) Leaf(leaf *lucene.LeafContext, w Weight) (LeafCollector, error) {
	if c.m.K == 0 && !c.scored {
		n, err := w.Count(leaf)
		if err != nil {
			return nil, err
		}
		if n >= 0 {
			c.total += int64(n)
			return nil, nil
		}
	}
	c.base = leaf.DocBase
	c.countOnly, c.countNext = c.countNext, false
	for _, cr := range c.by {
		if err := cr.leaf(leaf); err != nil {
			return nil, err
		}
	}
	c.sorted = c.m.Sort[0].Type == SortDoc && !c.m.Sort[0].Reverse || indexSorted(leaf, c.m.Sort)
	c.first = nil
	if n, ok := c.by[0].(*numberCriterion); ok && n.f.Type == SortNumber && n.batch != nil {
		c.first = n
	}
	if len(c.heap) == c.m.K && c.m.K > 0 {
		return c, c.setBottom()
	}
	return c, nil
}

// indexSorted tells whether a segment's documents are in the order of a sort, ties by doc ID included.
func indexSorted(leaf *lucene.LeafContext, sort []SortField) bool {
	seg := leaf.Reader.Segment()
	if seg == nil || len(seg.Info.IndexSort) < len(sort) {
		return false
	}
	for i, f := range sort {
		s := seg.Info.IndexSort[i]
		if s.Field != f.Field || s.Reverse != f.Reverse || f.Source != nil {
			return false
		}
		switch {
		case f.Type == SortNumber && f.Kind == KindLong && (s.Type == lucene.SortLong || s.Type == lucene.SortInt):
			last, isLast := extremes(s)
			if f.Missing == MissingAs || !isLast || last != (f.Missing == MissingLast) {
				return false
			}
		case f.Type == SortString && s.Type == lucene.SortString:
			last := s.Missing == lucene.StringLast
			if last != (f.Missing == MissingLast) {
				return false
			}
		default:
			return false
		}
		if max := s.Selector == lucene.SelectMax; max != (f.Mode == ModeMax) || s.Selector > lucene.SelectMax || f.Mode > ModeMax {
			return false
		}
	}
	return true
}

// extremes tells whether an index sort puts documents without a value last, if it puts them at an end at all.
func extremes(s lucene.SortField) (last, known bool) {
	var greatest, least bool
	switch v := s.Missing.(type) {
	case int64:
		greatest, least = v == math.MaxInt64, v == math.MinInt64
	case int32:
		greatest, least = v == math.MaxInt32, v == math.MinInt32
	}
	return greatest != s.Reverse, greatest || least
}

func (c *fieldCollector) SetScorer(sc Scorable) error {
	c.sc = sc
	for _, cr := range c.by {
		cr.setScorer(sc)
	}
	return nil
}

func (c *fieldCollector) setBottom() error {
	for _, cr := range c.by {
		if err := cr.setBottom(c.heap[0].slot); err != nil {
			return err
		}
	}
	return nil
}

// Collect implements LeafCollector.
func (c *fieldCollector) Collect(doc int32) error {
	var score float32
	if c.m.Scores || c.m.MinScore > 0 {
		var err error
		if score, err = c.sc.Score(); err != nil {
			return err
		}
		if score < c.m.MinScore {
			return nil
		}
		if !(score <= c.maxScore) {
			c.maxScore = score
		}
	}
	c.total++
	return c.consider(doc, score)
}

// consider keeps a hit if it is among the best.
func (c *fieldCollector) consider(doc int32, score float32) error {
	if c.m.K == 0 {
		return nil
	}
	if c.countOnly {
		return c.enough()
	}
	full := len(c.heap) == c.m.K
	loaded := 0
	if full {
		// Equal hits lose: their doc ID is higher, within a slice.
		order := 0
		for loaded < len(c.by) && order == 0 {
			if err := c.by[loaded].load(doc); err != nil {
				return err
			}
			order = c.by[loaded].compareBottom()
			loaded++
		}
		if order >= 0 {
			if c.sorted && c.total > c.m.Threshold {
				c.ended = true
				return ErrTerminated
			}
			return nil
		}
	}
	for ; loaded < len(c.by); loaded++ {
		if err := c.by[loaded].load(doc); err != nil {
			return err
		}
	}
	if c.m.After != nil && !c.isAfter(doc) {
		return nil
	}
	slot := len(c.heap)
	if full {
		slot = c.heap[0].slot
	}
	for _, cr := range c.by {
		if err := cr.store(slot); err != nil {
			return err
		}
	}
	h := fieldHit{slot, doc + c.base, score}
	if full {
		c.down(h)
	} else {
		c.up(h)
	}
	if len(c.heap) == c.m.K {
		return c.setBottom()
	}
	return nil
}

// enough ends a segment that is only counted once the count need not go on.
func (c *fieldCollector) enough() error {
	if c.total > c.m.Threshold {
		c.ended = true
		return ErrTerminated
	}
	return nil
}

func (c *fieldCollector) isAfter(doc int32) bool {
	for _, cr := range c.by {
		if o := cr.compareTop(); o != 0 {
			return o > 0
		}
	}
	return doc+c.base > c.m.After.Doc
}

// CollectBatch implements BatchCollector: it compares the first criterion of many documents at once.
func (c *fieldCollector) CollectBatch(docs []int32) error {
	if c.countOnly || c.m.K == 0 {
		c.total += int64(len(docs))
		if c.countOnly {
			return c.enough()
		}
		return nil
	}
	for len(docs) > 0 {
		part := docs[:min(len(docs), len(c.vals))]
		docs = docs[len(part):]
		ok := false
		if c.first != nil && len(c.heap) == c.m.K && c.m.K > 0 && !c.sorted {
			var err error
			if ok, err = c.first.batch.Values(part, c.vals[:len(part)]); err != nil {
				return err
			}
			if !ok {
				c.first = nil
			}
		}
		for i, d := range part {
			c.total++
			if ok && c.first.sign*compareKey(c.first.f.Kind.key(c.vals[i]), c.first.bottom) > 0 {
				continue
			}
			if err := c.consider(d, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareKey(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (c *fieldCollector) worse(a, b fieldHit) bool {
	for _, cr := range c.by {
		if o := cr.compare(a.slot, b.slot); o != 0 {
			return o > 0
		}
	}
	return a.doc > b.doc
}

func (c *fieldCollector) up(h fieldHit) {
	c.heap = append(c.heap, h)
	i := len(c.heap) - 1
	for i > 0 && c.worse(h, c.heap[(i-1)/2]) {
		c.heap[i] = c.heap[(i-1)/2]
		i = (i - 1) / 2
	}
	c.heap[i] = h
}

func (c *fieldCollector) down(h fieldHit) {
	i := 0
	for {
		k := 2*i + 1
		if k >= len(c.heap) {
			break
		}
		if k+1 < len(c.heap) && c.worse(c.heap[k+1], c.heap[k]) {
			k++
		}
		if !c.worse(c.heap[k], h) {
			break
		}
		c.heap[i] = c.heap[k]
		i = k
	}
	c.heap[i] = h
}

// keyedHit is a hit with its keys, to merge slices by.
type keyedHit struct {
	doc   int32
	score float32
	keys  []sortKey
}

func (m *fieldManager) Reduce(cs []Collector) (*TopDocs, error) {
	out := &TopDocs{MaxScore: float32(math.NaN())}
	var all []keyedHit
	by := cs[0].(*fieldCollector).by
	for _, col := range cs {
		c := col.(*fieldCollector)
		out.Total.Value += c.total
		if c.ended {
			out.Total.Relation = AtLeast
		}
		if m.Scores && !(c.maxScore <= out.MaxScore) && c.maxScore == c.maxScore {
			out.MaxScore = c.maxScore
		}
		for _, h := range c.heap {
			k := keyedHit{doc: h.doc, score: h.score}
			for _, cr := range c.by {
				k.keys = append(k.keys, cr.key(h.slot))
			}
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b keyedHit) int {
		for i, cr := range by {
			if o := cr.compareKeys(a.keys[i], b.keys[i]); o != 0 {
				return o
			}
		}
		return int(a.doc) - int(b.doc)
	})
	if len(all) > m.K {
		all = all[:m.K]
	}
	for _, h := range all {
		hit := Hit{Doc: h.doc, Score: float32(math.NaN())}
		if m.Scores {
			hit.Score = h.score
		}
		for i, cr := range by {
			hit.Sort = append(hit.Sort, cr.value(h.keys[i]))
		}
		out.Hits = append(out.Hits, hit)
	}
	return out, nil
}
