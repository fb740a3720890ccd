package search

import (
	"math/bits"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// allIterator walks over all documents of a segment.
type allIterator struct{ doc, max int32 }

func newAllIterator(max int32) *allIterator { return &allIterator{-1, max} }

func (a *allIterator) DocID() int32         { return a.doc }
func (a *allIterator) Next() (int32, error) { return a.Advance(a.doc + 1) }
func (a *allIterator) Cost() int64          { return int64(a.max) }
func (a *allIterator) Advance(target int32) (int32, error) {
	if a.doc = target; target >= a.max {
		a.doc = lucene.NoMoreDocs
	}
	return a.doc, nil
}

func (a *allIterator) nextBatch(upTo int32, docs []int32) int {
	n := max(min(len(docs), int(min(upTo, a.max)-a.doc)), 0)
	for i := range docs[:n] {
		docs[i] = a.doc + int32(i)
	}
	if n > 0 {
		_, _ = a.Advance(a.doc + int32(n))
	}
	return n
}

// batchIterator is implemented by iterators that hand out many documents at once.
type batchIterator interface {
	// nextBatch copies the current document and those after it that are below upTo, as many as fit, and moves behind them.
	nextBatch(upTo int32, docs []int32) int
}

// bitsIterator walks over the set bits of a bit set.
type bitsIterator struct {
	bits *lucene.FixedBits
	doc  int32
	cost int64
}

func newBitsIterator(b *lucene.FixedBits, cost int64) *bitsIterator {
	return &bitsIterator{bits: b, doc: -1, cost: cost}
}

func (it *bitsIterator) DocID() int32         { return it.doc }
func (it *bitsIterator) Next() (int32, error) { return it.Advance(it.doc + 1) }
func (it *bitsIterator) Cost() int64          { return it.cost }
func (it *bitsIterator) Advance(target int32) (int32, error) {
	it.doc = nextSetBit(it.bits, target)
	return it.doc, nil
}

func (it *bitsIterator) nextBatch(upTo int32, docs []int32) int {
	n, doc := 0, it.doc
	for n < len(docs) && doc < upTo {
		// the rest of a word without calls
		base := doc &^ 63
		word := it.bits.Words[uint32(doc)>>6] >> (uint32(doc) & 63) << (uint32(doc) & 63)
		for ; word != 0 && n < len(docs); word &= word - 1 {
			if doc = base + int32(bits.TrailingZeros64(word)); doc >= upTo {
				break
			}
			docs[n] = doc
			n++
		}
		if word == 0 {
			doc = nextSetBit(it.bits, base+64)
		} else {
			doc = base + int32(bits.TrailingZeros64(word))
		}
	}
	it.doc = doc
	return n
}

// nextSetBit returns the first set bit at or after from, or NoMoreDocs.
func nextSetBit(b *lucene.FixedBits, from int32) int32 {
	if from >= b.N {
		return lucene.NoMoreDocs
	}
	w := int(uint32(from) >> 6)
	if x := b.Words[w] >> (uint32(from) & 63); x != 0 {
		return from + int32(bits.TrailingZeros64(x))
	}
	for w++; w < len(b.Words); w++ {
		if x := b.Words[w]; x != 0 {
			return int32(w<<6 + bits.TrailingZeros64(x))
		}
	}
	return lucene.NoMoreDocs
}

// prevSetBit returns the last set bit at or before from, or -1.
func prevSetBit(b *lucene.FixedBits, from int32) int32 {
	if from < 0 {
		return -1
	}
	w := int(uint32(from) >> 6)
	if x := b.Words[w] << (63 - uint32(from)&63); x != 0 {
		return from - int32(bits.LeadingZeros64(x))
	}
	for w--; w >= 0; w-- {
		if x := b.Words[w]; x != 0 {
			return int32(w<<6 + 63 - bits.LeadingZeros64(x))
		}
	}
	return -1
}

func cardinality(b *lucene.FixedBits) int {
	n := 0
	for _, w := range b.Words {
		n += bits.OnesCount64(w)
	}
	return n
}

// listIterator walks over a sorted list.
type listIterator struct {
	docs []int32
	i    int
}

func newListIterator(docs []int32) *listIterator { return &listIterator{docs, -1} }

func (l *listIterator) DocID() int32 {
	switch {
	case l.i < 0:
		return -1
	case l.i >= len(l.docs):
		return lucene.NoMoreDocs
	}
	return l.docs[l.i]
}

func (l *listIterator) Next() (int32, error) {
	if l.i < len(l.docs) {
		l.i++
	}
	return l.DocID(), nil
}

func (l *listIterator) nextBatch(upTo int32, docs []int32) int {
	if l.i < 0 {
		return 0
	}
	n := 0
	for n < len(docs) && l.i < len(l.docs) && l.docs[l.i] < upTo {
		docs[n] = l.docs[l.i]
		n++
		l.i++
	}
	return n
}

func (l *listIterator) Cost() int64 { return int64(len(l.docs)) }

func (l *listIterator) Advance(target int32) (int32, error) {
	from := max(l.i, 0)
	n, _ := slices.BinarySearch(l.docs[from:], target)
	l.i = from + n
	return l.DocID(), nil
}

// DocIDSet is an immutable set of documents of one segment: a list if it is small, else bits.
type DocIDSet struct {
	list  []int32
	bits  *lucene.FixedBits
	count int
}

// Len returns how many documents there are.
func (d *DocIDSet) Len() int { return d.count }

// Iterator returns a fresh iterator.
func (d *DocIDSet) Iterator() lucene.DocIDSetIterator {
	if d.bits != nil {
		return newBitsIterator(d.bits, int64(d.count))
	}
	return newListIterator(d.list)
}

// live counts the documents that are not deleted. It takes microseconds: a word at a time, or one of few documents.
func (d *DocIDSet) live(live lucene.Bits) int {
	if live == nil {
		return d.count
	}
	n := 0
	if d.bits == nil {
		for _, doc := range d.list {
			if live.Get(doc) {
				n++
			}
		}
		return n
	}
	if lb, ok := live.(*lucene.FixedBits); ok && len(lb.Words) >= len(d.bits.Words) {
		for i, w := range d.bits.Words {
			n += bits.OnesCount64(w & lb.Words[i])
		}
		return n
	}
	for i, w := range d.bits.Words {
		for ; w != 0; w &= w - 1 {
			if live.Get(int32(i<<6 + bits.TrailingZeros64(w))) {
				n++
			}
		}
	}
	return n
}

// Bytes estimates the memory it takes.
func (d *DocIDSet) Bytes() int64 {
	if d.bits != nil {
		return int64(8 * len(d.bits.Words))
	}
	return int64(4 * cap(d.list))
}

// DocIDSetBuilder collects documents in any order, duplicates allowed.
type DocIDSetBuilder struct {
	maxDoc int32
	limit  int // documents in the list before it becomes bits
	list   []int32
	bits   *lucene.FixedBits
	buf    []int32 // of AddIterator
}

// NewDocIDSetBuilder returns a builder for a segment of maxDoc documents.
func NewDocIDSetBuilder(maxDoc int32) *DocIDSetBuilder {
	return &DocIDSetBuilder{maxDoc: maxDoc, limit: int(maxDoc >> 7)}
}

// Grow announces that at most n more documents come.
func (b *DocIDSetBuilder) Grow(n int) {
	if b.bits == nil && len(b.list)+n > b.limit {
		b.toBits()
	}
}

func (b *DocIDSetBuilder) toBits() {
	b.bits = lucene.NewFixedBits(b.maxDoc)
	for _, d := range b.list {
		b.bits.Set(d)
	}
	b.list = nil
}

// Add adds a document.
func (b *DocIDSetBuilder) Add(doc int32) {
	if b.bits != nil {
		b.bits.Set(doc)
		return
	}
	if len(b.list) >= b.limit && len(b.list) >= 16 {
		b.toBits()
		b.bits.Set(doc)
		return
	}
	b.list = append(b.list, doc)
}

// AddAll adds many documents.
func (b *DocIDSetBuilder) AddAll(docs []int32) {
	b.Grow(len(docs))
	if b.bits == nil {
		b.list = append(b.list, docs...)
		return
	}
	for _, d := range docs {
		b.bits.Set(d)
	}
}

// fewDocs are taken one by one, because a batch has a price of its own.
const fewDocs = 8

// AddIterator adds all documents of it.
func (b *DocIDSetBuilder) AddIterator(it lucene.DocIDSetIterator) error {
	b.Grow(int(min(it.Cost(), int64(b.maxDoc))))
	if pb, ok := it.(PostingsBatch); ok && it.Cost() > fewDocs {
		if _, err := it.Next(); err != nil {
			return err
		}
		if b.buf == nil {
			b.buf = make([]int32, 128)
		}
		for {
			n, err := pb.NextBatch(lucene.NoMoreDocs, b.buf, nil)
			if n == 0 || err != nil {
				return err
			}
			b.AddAll(b.buf[:n])
		}
	}
	for {
		d, err := it.Next()
		if err != nil || d == lucene.NoMoreDocs {
			return err
		}
		b.Add(d)
	}
}

// Build returns the set. The builder must not be used afterwards.
func (b *DocIDSetBuilder) Build() *DocIDSet {
	if b.bits != nil {
		return &DocIDSet{bits: b.bits, count: cardinality(b.bits)}
	}
	slices.Sort(b.list)
	b.list = slices.Compact(b.list)
	return &DocIDSet{list: b.list, count: len(b.list)}
}

// conjunction walks over the documents that all its iterators have; the cheapest leads.
type conjunction struct {
	lead  lucene.DocIDSetIterator
	rest  []lucene.DocIDSetIterator
	fixed []*bitsIterator // bit sets are asked, not advanced
}

// newConjunction intersects iterators, which stand before their first document.
func newConjunction(its []lucene.DocIDSetIterator) lucene.DocIDSetIterator {
	if len(its) == 1 {
		return its[0]
	}
	its = slices.Clone(its)
	slices.SortStableFunc(its, func(a, b lucene.DocIDSetIterator) int {
		switch ca, cb := a.Cost(), b.Cost(); {
		case ca < cb:
			return -1
		case ca > cb:
			return 1
		}
		return 0
	})
	c := &conjunction{lead: its[0]}
	for _, it := range its[1:] {
		if b, ok := it.(*bitsIterator); ok {
			c.fixed = append(c.fixed, b)
		} else {
			c.rest = append(c.rest, it)
		}
	}
	return c
}

func (c *conjunction) DocID() int32 { return c.lead.DocID() }
func (c *conjunction) Cost() int64  { return c.lead.Cost() }

func (c *conjunction) Next() (int32, error) {
	d, err := c.lead.Next()
	if err != nil {
		return d, err
	}
	return c.align(d)
}

func (c *conjunction) Advance(target int32) (int32, error) {
	d, err := c.lead.Advance(target)
	if err != nil {
		return d, err
	}
	return c.align(d)
}

func (c *conjunction) align(doc int32) (int32, error) {
	var err error
advance:
	for doc != lucene.NoMoreDocs {
		for _, it := range c.rest {
			d := it.DocID()
			if d < doc {
				if d, err = it.Advance(doc); err != nil {
					return d, err
				}
			}
			if d > doc {
				if doc, err = c.lead.Advance(d); err != nil {
					return doc, err
				}
				continue advance
			}
		}
		for _, b := range c.fixed {
			if doc >= b.bits.N || !b.bits.Get(doc) {
				next := nextSetBit(b.bits, doc)
				if doc, err = c.lead.Advance(next); err != nil {
					return doc, err
				}
				continue advance
			}
		}
		for _, b := range c.fixed {
			b.doc = doc
		}
		return doc, nil
	}
	return doc, nil
}

// confirmed walks over the confirmed documents of a two-phase match.
type confirmed struct {
	tp     TwoPhase
	approx lucene.DocIDSetIterator
}

func asIterator(tp TwoPhase) lucene.DocIDSetIterator { return &confirmed{tp, tp.Approximation()} }

func (c *confirmed) DocID() int32 { return c.approx.DocID() }
func (c *confirmed) Cost() int64  { return c.approx.Cost() }

func (c *confirmed) Next() (int32, error) {
	d, err := c.approx.Next()
	return c.confirm(d, err)
}

func (c *confirmed) Advance(target int32) (int32, error) {
	d, err := c.approx.Advance(target)
	return c.confirm(d, err)
}

func (c *confirmed) confirm(d int32, err error) (int32, error) {
	for err == nil && d != lucene.NoMoreDocs {
		var ok bool
		if ok, err = c.tp.Matches(); ok || err != nil {
			return d, err
		}
		d, err = c.approx.Next()
	}
	return d, err
}

// twoPhase is a TwoPhase of its parts.
type twoPhase struct {
	approx  lucene.DocIDSetIterator
	matches func() (bool, error)
	cost    float32
}

func (t *twoPhase) Approximation() lucene.DocIDSetIterator { return t.approx }
func (t *twoPhase) Matches() (bool, error)                 { return t.matches() }
func (t *twoPhase) MatchCost() float32                     { return t.cost }

// allOf requires several two-phase matches, the cheapest first.
func allOf(approx lucene.DocIDSetIterator, tps []TwoPhase) TwoPhase {
	if len(tps) == 0 {
		return nil
	}
	tps = slices.Clone(tps)
	slices.SortStableFunc(tps, func(a, b TwoPhase) int {
		switch ca, cb := a.MatchCost(), b.MatchCost(); {
		case ca < cb:
			return -1
		case ca > cb:
			return 1
		}
		return 0
	})
	var cost float32
	for _, tp := range tps {
		cost += tp.MatchCost()
	}
	return &twoPhase{approx, func() (bool, error) {
		for _, tp := range tps {
			if ok, err := tp.Matches(); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	}, cost}
}
