package search

import (
	"slices"

	"github.com/varve-search/varve/lucene"
)

// unionPostings merges the postings of alternatives at one position.
type unionPostings struct {
	heap  docHeap
	list  []*subScorer
	cost  int64
	doc   int32
	pos   []int32
	read  int
	valid bool // pos belongs to doc
}

func newUnionPostings(subs []lucene.PostingsEnum) *unionPostings {
	u := &unionPostings{doc: -1}
	for _, p := range subs {
		u.heap = append(u.heap, &subScorer{it: p, doc: -1})
		u.cost += p.Cost()
	}
	return u
}

func (u *unionPostings) DocID() int32 { return u.doc }
func (u *unionPostings) Cost() int64  { return u.cost }

func (u *unionPostings) Next() (int32, error) { return u.Advance(u.doc + 1) }

func (u *unionPostings) Advance(target int32) (int32, error) {
	for u.heap[0].doc < target {
		var err error
		if u.heap[0].doc, err = u.heap[0].it.Advance(target); err != nil {
			return 0, err
		}
		u.heap.down(0)
	}
	u.doc, u.valid = u.heap[0].doc, false
	return u.doc, nil
}

// Freq reads the positions of all alternatives.
func (u *unionPostings) Freq() (int32, error) {
	if u.valid {
		return int32(len(u.pos)), nil
	}
	u.pos, u.read, u.valid = u.pos[:0], 0, true
	u.list = u.heap.onTop(u.list[:0])
	for _, s := range u.list {
		p := s.it.(lucene.PostingsEnum)
		f, err := p.Freq()
		if err != nil {
			return 0, err
		}
		for range f {
			pos, err := p.NextPosition()
			if err != nil {
				return 0, err
			}
			u.pos = append(u.pos, pos)
		}
	}
	slices.Sort(u.pos)
	return int32(len(u.pos)), nil
}

func (u *unionPostings) NextPosition() (int32, error) {
	if _, err := u.Freq(); err != nil {
		return 0, err
	}
	if u.read >= len(u.pos) {
		return -1, nil
	}
	u.read++
	return u.pos[u.read-1], nil
}

func (u *unionPostings) StartOffset() int32 { return -1 }
func (u *unionPostings) EndOffset() int32   { return -1 }
func (u *unionPostings) Payload() []byte    { return nil }
