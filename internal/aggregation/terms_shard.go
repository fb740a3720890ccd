package aggregation

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// ShardDone cuts the results of a shard, when its slices are merged, to what it sends to the coordinator:
// shard_size terms and a bound of the rest.
func (r Results) ShardDone() error {
	return shardDoneAll(r.rs)
}

func shardDoneAll(rs []result) error {
	for _, r := range rs {
		if err := shardDone(r); err != nil {
			return err
		}
	}
	return nil
}

func shardDoneBuckets(bs []*bucket) error {
	for _, b := range bs {
		if err := shardDoneAll(b.subs); err != nil {
			return err
		}
	}
	return nil
}

func shardDone(one result) error {
	switch one := one.(type) {
	case *termsResult:
		if err := one.cutShard(); err != nil {
			return err
		}
		return shardDoneBuckets(one.buckets)
	case *single:
		return shardDoneAll(one.subs)
	case *fixedBuckets:
		return shardDoneBuckets(one.buckets)
	case *histogramResult:
		return shardDoneBuckets(one.buckets)
	}
	return nil
}

// ordinalCounts are the documents of each term of a leaf, by ordinal. As long as they are, only the terms that are kept need be
// looked up, or kept at all.
type ordinalCounts struct {
	leaf lucene.LeafReader
	dict lucene.TermDictionary
	docs []int64
}

// addOrdinals joins the counts of slices; those of parts of one leaf are added up.
func addOrdinals(all, more []*ordinalCounts) []*ordinalCounts {
next:
	for _, o := range more {
		for _, a := range all {
			if a.leaf == o.leaf {
				for ord, n := range o.docs {
					a.docs[ord] += n
				}
				continue next
			}
		}
		all = append(all, o)
	}
	return all
}

// resolve turns what is counted by ordinal into buckets.
func (r *termsResult) resolve() error {
	var lists [][]*bucket
	for _, o := range r.byOrd {
		var list []*bucket
		for ord, n := range o.docs {
			if n > 0 {
				term, err := o.dict.LookupOrd(int64(ord))
				if err != nil {
					return err
				}
				list = append(list, &bucket{bytes: string(term), docs: n})
			}
		}
		lists = append(lists, list)
	}
	if r.byOrd = nil; len(lists) == 0 {
		return nil
	}
	var err error
	r.buckets, err = mergeBuckets(append(lists, r.buckets), func(b *bucket) string { return b.bytes })
	return err
}

// bestTerms keeps the first terms of the order that is asked for. Terms are offered in their own order.
type bestTerms struct {
	orders []order
	size   int
	kept   []countedTerm
	floor  countedTerm // the worst that was kept when there were enough
	full   bool
	seen   int64 // documents of all terms
	cut    bool
}

// countedTerm is a term by its place among those that were offered.
type countedTerm struct {
	at, docs int64
	bytes    string // where the place does not tell
}

func (t *bestTerms) compare(a, b countedTerm) int {
	for _, by := range t.orders {
		c := cmp.Compare(a.at, b.at)
		if by.path == "_count" {
			c = cmp.Compare(a.docs, b.docs)
		}
		if by.desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// wants counts a term and tells whether it is to be kept.
func (t *bestTerms) wants(at, docs int64) bool {
	t.seen += docs
	if t.full && t.compare(countedTerm{at: at, docs: docs}, t.floor) >= 0 {
		t.cut = true
		return false
	}
	return true
}

func (t *bestTerms) keep(c countedTerm) {
	t.kept = append(t.kept, c)
	if len(t.kept) == 2*t.size {
		t.shrink()
	}
}

func (t *bestTerms) shrink() {
	slices.SortFunc(t.kept, t.compare)
	if len(t.kept) > t.size {
		t.kept, t.cut = t.kept[:t.size], true
	}
	if len(t.kept) == t.size && t.size > 0 {
		t.floor, t.full = t.kept[t.size-1], true
	}
}

// best puts the shard_size first terms into the result's buckets, in order. It returns the documents of the others, and
// whether there are any.
func (r *termsResult) best() (rest int64, cut bool, err error) {
	counts := r.byOrd
	r.byOrd = nil
	most := 0
	for _, o := range counts {
		most += len(o.docs)
	}
	t := &bestTerms{orders: r.k.orders, size: int(min(r.k.shardSize, int64(most)))}
	if len(counts) == 1 {
		for ord, n := range counts[0].docs {
			if n > 0 && t.wants(int64(ord), n) {
				t.keep(countedTerm{at: int64(ord), docs: n})
			}
		}
	} else if err := t.offerAll(counts); err != nil {
		return 0, false, err
	}
	t.shrink()
	r.buckets = make([]*bucket, len(t.kept))
	rest = t.seen
	for i, c := range t.kept {
		if len(counts) == 1 {
			term, err := counts[0].dict.LookupOrd(c.at)
			if err != nil {
				return 0, false, err
			}
			c.bytes = string(term)
		}
		r.buckets[i] = &bucket{bytes: c.bytes, docs: c.docs}
		rest -= c.docs
	}
	return rest, t.cut, nil
}

// offerAll walks over the dictionaries of several leaves side by side.
func (t *bestTerms) offerAll(counts []*ordinalCounts) error {
	var heap []*ordinalCursor
	for _, o := range counts {
		te, err := o.dict.TermsEnum()
		if err != nil {
			return err
		}
		c := &ordinalCursor{te: te, docs: o.docs, ord: -1}
		if err := c.next(); err != nil {
			return err
		}
		if c.term != nil {
			heap = append(heap, c)
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		sink(heap, i)
	}
	var term []byte
	for at := int64(0); len(heap) > 0; at++ {
		term = append(term[:0], heap[0].term...)
		var docs int64
		for len(heap) > 0 && bytes.Equal(heap[0].term, term) {
			docs += heap[0].docs[heap[0].ord]
			if err := heap[0].next(); err != nil {
				return err
			}
			if heap[0].term == nil {
				heap[0] = heap[len(heap)-1]
				heap = heap[:len(heap)-1]
			}
			sink(heap, 0)
		}
		if t.wants(at, docs) {
			t.keep(countedTerm{at, docs, string(term)})
		}
	}
	return nil
}

// ordinalCursor walks over the terms of a leaf that have documents.
type ordinalCursor struct {
	te   lucene.TermsEnum
	docs []int64
	ord  int64
	term []byte // nil: at the end
}

func (c *ordinalCursor) next() error {
	for {
		term, err := c.te.Next()
		if c.ord++; term == nil || err != nil || c.ord >= int64(len(c.docs)) {
			c.term = nil
			return err
		}
		if c.docs[c.ord] > 0 {
			c.term = term
			return nil
		}
	}
}

// sink restores the order of a heap by term below i.
func sink(h []*ordinalCursor, i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && bytes.Compare(h[c+1].term, h[c].term) < 0 {
			c++
		}
		if bytes.Compare(h[c].term, h[i].term) >= 0 {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}
