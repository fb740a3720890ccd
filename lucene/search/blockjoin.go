package search

import (
	"fmt"
	"sync"

	"github.com/varve-search/varve/lucene"
)

// JoinMode makes a parent's score of those of its matching children.
type JoinMode uint8

// The modes.
const (
	JoinAvg JoinMode = iota
	JoinSum
	JoinMin
	JoinMax
	JoinNone
)

// ParentFilter tells parents from children in blocks of documents, of which the parent is the last. It remembers the
// sets of segments; share one between queries of a searcher.
type ParentFilter struct {
	Query Query

	mu   sync.Mutex
	sets map[lucene.LeafReader]*lucene.FixedBits
}

// NewParentFilter returns a filter; q matches the parents.
func NewParentFilter(q Query) *ParentFilter {
	return &ParentFilter{Query: q, sets: map[lucene.LeafReader]*lucene.FixedBits{}}
}

// Bits returns the parents of a segment.
func (p *ParentFilter) Bits(s *Searcher, leaf *lucene.LeafContext) (*lucene.FixedBits, error) {
	p.mu.Lock()
	b := p.sets[leaf.Reader]
	p.mu.Unlock()
	if b != nil {
		return b, nil
	}
	q, err := s.Rewrite(&ConstantScore{p.Query})
	if err != nil {
		return nil, err
	}
	w, err := s.Weight(q, CompleteNoScores, 1)
	if err != nil {
		return nil, err
	}
	sc, err := scorerFor(w, leaf)
	if err != nil {
		return nil, err
	}
	b = lucene.NewFixedBits(leaf.Reader.MaxDoc())
	if sc != nil {
		it := sc.Iterator()
		for {
			d, err := it.Next()
			if err != nil {
				return nil, err
			}
			if d == lucene.NoMoreDocs {
				break
			}
			b.Set(d)
		}
	}
	p.mu.Lock()
	p.sets[leaf.Reader] = b
	p.mu.Unlock()
	return b, nil
}

// ToParent matches the parents of documents that match.
type ToParent struct {
	Child   Query
	Parents *ParentFilter
	Mode    JoinMode
}

func (q *ToParent) String() string {
	return fmt.Sprintf("toparent(%s,%s,%d)", q.Child, q.Parents.Query, q.Mode)
}

// Rewrite implements Query.
func (q *ToParent) Rewrite(s *Searcher) (Query, error) {
	in, err := q.Child.Rewrite(s)
	if err != nil {
		return nil, err
	}
	if _, none := in.(MatchNone); none {
		return in, nil
	}
	if in != q.Child {
		return &ToParent{in, q.Parents, q.Mode}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *ToParent) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	w := &toParentWeight{q: q, s: s, scored: mode.NeedsScores() && q.Mode != JoinNone}
	if !w.scored {
		in, err := s.Rewrite(&ConstantScore{q.Child})
		if err != nil {
			return nil, err
		}
		w.child, err = s.Weight(in, CompleteNoScores, 1)
		return w, err
	}
	var err error
	w.child, err = s.Weight(q.Child, Complete, boost)
	return w, err
}

type toParentWeight struct {
	uncounted
	q      *ToParent
	s      *Searcher
	child  Weight
	scored bool
}

func (w *toParentWeight) Query() Query { return w.q }

func (w *toParentWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	in, err := w.child.Supplier(leaf)
	if in == nil || err != nil {
		return nil, err
	}
	return supplierFunc{in.Cost(), func(leadCost int64) (Scorer, error) {
		parents, err := w.q.Parents.Bits(w.s, leaf)
		if err != nil {
			return nil, err
		}
		sc, err := in.Scorer(leadCost)
		if err != nil {
			return nil, err
		}
		return &toParentScorer{child: sc, it: sc.Iterator(), parents: parents, mode: w.q.Mode, scored: w.scored, doc: -1}, nil
	}}, nil
}

// toParentScorer walks over parents. The child iterator stands on the first matching child of the current
// parent, until the score was asked for.
type toParentScorer struct {
	noImpacts
	child   Scorer
	it      lucene.DocIDSetIterator
	parents *lucene.FixedBits
	mode    JoinMode
	scored  bool
	doc     int32
	value   float32
	valueOf int32
	has     bool
}

func (t *toParentScorer) Iterator() lucene.DocIDSetIterator { return t }
func (t *toParentScorer) TwoPhase() TwoPhase                { return nil }
func (t *toParentScorer) DocID() int32                      { return t.doc }
func (t *toParentScorer) Cost() int64                       { return t.it.Cost() }
func (t *toParentScorer) Next() (int32, error)              { return t.Advance(t.doc + 1) }

func (t *toParentScorer) Advance(target int32) (int32, error) {
	if target == lucene.NoMoreDocs || target >= t.parents.N {
		t.doc = lucene.NoMoreDocs
		return t.doc, nil
	}
	// children of the first parent at or after target come after the parent before it
	first := prevSetBit(t.parents, target-1) + 1
	c := t.it.DocID()
	if c < first {
		var err error
		if c, err = t.it.Advance(first); err != nil {
			return 0, err
		}
	}
	if c == lucene.NoMoreDocs {
		t.doc = c
		return c, nil
	}
	t.doc = nextSetBit(t.parents, c)
	if t.doc == c {
		return 0, fmt.Errorf("document %d matches both the child query and the parent filter of a block join", c)
	}
	return t.doc, nil
}

// Score combines the scores of the matching children.
func (t *toParentScorer) Score() (float32, error) {
	if !t.scored {
		return 0, nil
	}
	if t.has && t.valueOf == t.doc {
		return t.value, nil
	}
	var sum float64
	n := 0
	for c := t.it.DocID(); c < t.doc; {
		s, err := t.child.Score()
		if err != nil {
			return 0, err
		}
		v := float64(s)
		switch {
		case n == 0:
			sum = v
		case t.mode == JoinMin:
			sum = min(sum, v)
		case t.mode == JoinMax:
			sum = max(sum, v)
		default:
			sum += v
		}
		n++
		if c, err = t.it.Next(); err != nil {
			return 0, err
		}
	}
	if t.mode == JoinAvg && n > 0 {
		sum /= float64(n)
	}
	t.has, t.valueOf, t.value = true, t.doc, float32(sum)
	return t.value, nil
}
