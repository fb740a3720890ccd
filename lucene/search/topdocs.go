package search

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/varve-search/varve/lucene"
)

// Relation says how a hit count lies to the true one.
type Relation uint8

// The relations.
const (
	EqualTo Relation = iota
	AtLeast
)

func (r Relation) String() string { return [...]string{"eq", "gte"}[r] }

// TotalHits is how many documents match.
type TotalHits struct {
	Value    int64
	Relation Relation
}

// Hit is one of the best matches.
type Hit struct {
	Doc   int32 // within the whole index
	Score float32
	// Sort are the values that it was sorted by: int64, uint64, float64, []byte, or nil where the document has none.
	Sort []any
}

// TopDocs are the best matches, best first.
type TopDocs struct {
	Total TotalHits
	// MaxScore is the best score, NaN where scores were not tracked or nothing matched.
	MaxScore float32
	Hits     []Hit
}

// Thresholds for counting hits.
const (
	// CountAll counts every hit.
	CountAll = math.MaxInt64
	// CountNone counts none: the total is what happened to be visited.
	CountNone = 0
)

// ByScore finds the K best matches by score; ties by doc ID.
type ByScore struct {
	K int
	// Threshold is up to how many hits the count is exact; beyond, documents that cannot be among the best are skipped.
	Threshold int64
	// After leaves out this hit and those before it; nil: none.
	After *Hit
	// MinScore leaves out hits of a lower score, and does not count them; 0: none.
	MinScore float32
}

// Top returns the manager for a search.
func (b ByScore) Top() Manager[*TopDocs] { return &scoreManager{ByScore: b} }

type scoreManager struct {
	ByScore
	shared sharedMin
}

// sharedMin is the best minimum competitive score of any slice.
type sharedMin struct {
	bits atomic.Uint32 // of a positive float32, whose bits order like itself
	hits atomic.Int64
}

func (s *sharedMin) raise(v float32) {
	b := math.Float32bits(v)
	for {
		old := s.bits.Load()
		if b <= old || s.bits.CompareAndSwap(old, b) {
			return
		}
	}
}

func (s *sharedMin) load() float32 { return math.Float32frombits(s.bits.Load()) }

func (m *scoreManager) New() (Collector, error) {
	if m.K < 0 {
		return nil, fmt.Errorf("a search for %d hits", m.K)
	}
	return &scoreCollector{m: m, heap: make(scoreHeap, 0, min(m.K, 1024))}, nil
}

func (m *scoreManager) Reduce(cs []Collector) (*TopDocs, error) {
	out := &TopDocs{MaxScore: float32(math.NaN())}
	var all []uint64
	for _, c := range cs {
		sc := c.(*scoreCollector)
		out.Total.Value += sc.total
		if sc.pruned {
			out.Total.Relation = AtLeast
		}
		for _, d := range sc.heap {
			all = append(all, d.key())
		}
	}
	slices.Sort(all) // best first
	if len(all) > m.K {
		all = all[:m.K]
	}
	out.Hits = make([]Hit, len(all))
	for i, k := range all {
		out.Hits[i] = hitOf(k)
	}
	if len(all) > 0 {
		out.MaxScore = out.Hits[0].Score
	}
	return out, nil
}

type scoredDoc struct {
	doc   int32
	score float32
}

// key is a number that is the lower the better the hit: the score's bits, made to order like the score and inverted, before the document.
func (a scoredDoc) key() uint64 {
	b := math.Float32bits(a.score)
	if b>>31 == 1 {
		b = ^b
	} else {
		b |= 1 << 31
	}
	return uint64(^b)<<32 | uint64(uint32(a.doc))
}

// hitOf is the hit of a key.
func hitOf(key uint64) Hit {
	b := ^uint32(key >> 32)
	if b>>31 == 1 {
		b &^= 1 << 31
	} else {
		b = ^b
	}
	return Hit{Doc: int32(uint32(key)), Score: math.Float32frombits(b)}
}

// scoreHeap has its worst hit on top.
type scoreHeap []scoredDoc

func (a scoredDoc) worse(b scoredDoc) bool {
	return a.score < b.score || a.score == b.score && a.doc > b.doc
}

func (h *scoreHeap) push(d scoredDoc) {
	*h = append(*h, d)
	s := *h
	i := len(s) - 1
	for i > 0 {
		p := (i - 1) / 2
		if !d.worse(s[p]) {
			break
		}
		s[i] = s[p]
		i = p
	}
	s[i] = d
}

func (h scoreHeap) replaceTop(d scoredDoc) {
	i := 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1].worse(h[c]) {
			c++
		}
		if !h[c].worse(d) {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = d
}

type scoreCollector struct {
	m      *scoreManager
	heap   scoreHeap
	total  int64
	pruned bool
	known  bool // the matches of this segment are in total already
	base   int32
	sc     Scorable
	min    float32 // what was set last
}

func (c *scoreCollector) Mode() ScoreMode {
	switch {
	case c.m.K == 0 && c.m.MinScore == 0:
		return CompleteNoScores
	case c.m.Threshold == CountAll || c.m.K == 0:
		return Complete
	}
	return TopScores
}

func (c *scoreCollector) Leaf(leaf *lucene.LeafContext, w Weight) (LeafCollector, error) {
	c.base, c.known, c.min = leaf.DocBase, false, 0
	if c.m.MinScore > 0 || c.m.K > 0 && c.m.Threshold == CountAll {
		return c, nil
	}
	n, err := w.Count(leaf)
	if err != nil {
		return nil, err
	}
	if n >= 0 {
		c.total += int64(n)
		if c.m.K == 0 || n == 0 {
			return nil, nil
		}
		c.known = true
		c.m.shared.hits.Add(int64(n))
	}
	return c, nil
}

func (c *scoreCollector) SetScorer(sc Scorable) error {
	c.sc = sc
	c.min = 0 // another scorer, or the next range of this one: tell it again
	return c.raise()
}

// raise tells the scorer what cannot compete any more, once enough hits were counted.
func (c *scoreCollector) raise() error {
	if c.m.Threshold == CountAll || c.m.K == 0 {
		return nil
	}
	if !c.known && c.total <= c.m.Threshold && c.m.shared.hits.Load() <= c.m.Threshold {
		return nil
	}
	v := c.m.MinScore
	if len(c.heap) >= c.m.K {
		// Later documents lose ties.
		v = max(v, math.Nextafter32(c.heap[0].score, inf32()))
		c.m.shared.raise(c.heap[0].score)
	}
	// Documents of another slice may have a higher doc ID, so that a tie with its worst can win here.
	v = max(v, c.m.shared.load())
	if v > c.min {
		c.min = v
		c.pruned = c.pruned || !c.known
		return c.sc.SetMinCompetitive(v)
	}
	return nil
}

func (c *scoreCollector) count() {
	if c.known {
		return
	}
	c.total++
	if c.total&1023 == 0 && c.m.Threshold != CountAll {
		c.m.shared.hits.Add(1024)
	}
}

// Collect implements LeafCollector.
func (c *scoreCollector) Collect(doc int32) error {
	if c.m.K == 0 && c.m.MinScore == 0 {
		c.total++
		return nil
	}
	s, err := c.sc.Score()
	if err != nil {
		return err
	}
	return c.add(doc, s)
}

// CollectBatch implements BatchCollector; it is called only where hits are counted and nothing else.
func (c *scoreCollector) CollectBatch(docs []int32) error {
	c.total += int64(len(docs))
	return nil
}

// CollectScored implements ScoredBatchCollector.
func (c *scoreCollector) CollectScored(docs []int32, scores []float32) error {
	for i, d := range docs {
		if err := c.add(d, scores[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *scoreCollector) add(doc int32, s float32) error {
	if c.m.MinScore > 0 && s < c.m.MinScore {
		return nil
	}
	c.count()
	d := scoredDoc{doc + c.base, s}
	if a := c.m.After; a != nil && (s > a.Score || s == a.Score && d.doc <= a.Doc) {
		return nil
	}
	switch {
	case len(c.heap) < c.m.K:
		c.heap.push(d)
		if len(c.heap) < c.m.K {
			return nil
		}
	case c.m.K == 0 || !c.heap[0].worse(d):
		if c.known || c.total != c.m.Threshold+1 {
			return nil
		}
	default:
		c.heap.replaceTop(d)
	}
	return c.raise()
}
