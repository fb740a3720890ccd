package index

import (
	"slices"

	"github.com/varve-search/varve/lucene"
)

// Columns and points in the order of an index sort: read once in the order they were added, and
// laid out by new document.

// permuted is an iterator over documents with values in memory; row says where a document's values are.
type permuted struct {
	docs []int32 // ascending
	row  []int32 // values of docs[i] begin at row[i] and end at end[i]
	end  []int32
	nums []int64
	raw  [][]byte
	at   int
	next int32
	bufferDictionary
}

// permute reads a column of the given kind and sorts it.
func permute(c *column, newDoc []int32) *permuted {
	p := &permuted{at: -1, bufferDictionary: bufferDictionary{c}}
	type place struct{ doc, row, end int32 }
	var places []place
	it := c.iterator()
	for {
		doc, _ := it.Next()
		if doc == lucene.NoMoreDocs {
			break
		}
		row := int32(len(p.nums) + len(p.raw))
		switch c.kind {
		case lucene.DocValuesBinary:
			p.raw = append(p.raw, it.b)
		case lucene.DocValuesSortedNumeric, lucene.DocValuesSortedSet:
			p.nums = append(p.nums, it.vals...)
		default:
			p.nums = append(p.nums, it.num)
		}
		places = append(places, place{newDoc[doc], row, int32(len(p.nums) + len(p.raw))})
	}
	slices.SortFunc(places, func(a, b place) int { return int(a.doc - b.doc) })
	for _, pl := range places {
		p.docs = append(p.docs, pl.doc)
		p.row = append(p.row, pl.row)
		p.end = append(p.end, pl.end)
	}
	return p
}

// fresh returns another iterator over the same values.
func (p *permuted) fresh() *permuted {
	c := *p
	c.at = -1
	return &c
}

func (p *permuted) DocID() int32 {
	switch {
	case p.at < 0:
		return -1
	case p.at >= len(p.docs):
		return lucene.NoMoreDocs
	}
	return p.docs[p.at]
}

func (p *permuted) Cost() int64 { return int64(len(p.docs)) }

func (p *permuted) Next() (int32, error) {
	p.at++
	if p.at < len(p.docs) {
		p.next = p.row[p.at]
	}
	return p.DocID(), nil
}

func (p *permuted) Advance(target int32) (int32, error) {
	for p.DocID() < target {
		_, _ = p.Next() // never fails
	}
	return p.DocID(), nil
}

func (p *permuted) AdvanceExact(target int32) (bool, error) {
	doc, err := p.Advance(target)
	return doc == target, err
}

func (p *permuted) Ord() (int32, error) { return int32(p.nums[p.row[p.at]]), nil }
func (p *permuted) Count() int32        { return p.end[p.at] - p.row[p.at] }

func (p *permuted) NextValue() (int64, error) {
	p.next++
	return p.nums[p.next-1], nil
}

func (p *permuted) NextOrd() (int64, error) { return p.NextValue() }

type permutedNumeric struct{ *permuted }

func (p permutedNumeric) Value() (int64, error) { return p.nums[p.row[p.at]], nil }

type permutedBinary struct{ *permuted }

func (p permutedBinary) Value() ([]byte, error) { return p.raw[p.row[p.at]], nil }

// permutedPoints is points in the order of an index sort.
type permutedPoints struct {
	docs   []int32
	values [][]byte
}

func permutePoints(p *pointBuffer, newDoc []int32) *permutedPoints {
	type place struct {
		doc   int32
		value []byte
	}
	places := make([]place, 0, p.n)
	_ = p.Each(func(doc int32, packed []byte) error { // never fails
		places = append(places, place{newDoc[doc], packed})
		return nil
	})
	slices.SortStableFunc(places, func(a, b place) int { return int(a.doc - b.doc) })
	out := &permutedPoints{}
	for _, pl := range places {
		out.docs = append(out.docs, pl.doc)
		out.values = append(out.values, pl.value)
	}
	return out
}

// Len implements codec.PointSource.
func (p *permutedPoints) Len() int64 { return int64(len(p.docs)) }

// Each implements codec.PointSource.
func (p *permutedPoints) Each(fn func(doc int32, packed []byte) error) error {
	for i, doc := range p.docs {
		if err := fn(doc, p.values[i]); err != nil {
			return err
		}
	}
	return nil
}
