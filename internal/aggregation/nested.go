package aggregation

import (
	"math/bits"
	"slices"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// Nested finds the documents of a nested object beside those that they belong to, which come after them.
type Nested interface {
	// Leaf returns the nested documents of a leaf (nil: none), and the set of those around them.
	Leaf(leaf *lucene.LeafContext) (children lucene.DocIDSetIterator, parents *lucene.FixedBits, err error)
}

// within returns the resolver for what lies below an aggregation that goes to other documents.
func within(r Resolver, typ string, o *xcontent.Object) Resolver {
	path, _ := o.Get("path")
	text, _ := scalarText(path)
	switch typ {
	case "nested", "reverse_nested":
		return r.Within(text)
	}
	return r
}

// nestedKind is the aggregation nested: it goes from documents to those of a nested object in them.
type nestedKind struct {
	n    *node
	docs Nested // nil: the mapping does not have the object
}

func parseNested(n *node, p *params, r Resolver) (kind, error) {
	path, err := p.text("path")
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, apierr.Parsing("Missing [path] field for nested aggregation [%s]", n.name)
	}
	docs, err := r.Nested(path)
	return &nestedKind{n, docs}, err
}

func (k *nestedKind) typedName() string { return "nested" }

func (k *nestedKind) collector(subs []collector) collector {
	return &nestedCollector{k: k, counts: counts{subs: subs}, doc: -1}
}

// nestedCollector holds a document back until all its buckets are known: what is below wants documents in ascending
// order.
type nestedCollector struct {
	k        *nestedKind
	children lucene.DocIDSetIterator
	parents  *lucene.FixedBits
	doc      int32 // held back; -1: none
	buckets  []int64
	counts
}

func (c *nestedCollector) leaf(ctx *lucene.LeafContext) error {
	if err := c.flush(); err != nil {
		return err
	}
	c.children, c.parents = nil, nil
	if c.k.docs != nil {
		var err error
		if c.children, c.parents, err = c.k.docs.Leaf(ctx); err != nil {
			return err
		}
	}
	return c.counts.leaf(ctx)
}

func (c *nestedCollector) collect(doc int32, bucket int64) error {
	if c.children == nil {
		return nil
	}
	if doc != c.doc {
		if err := c.flush(); err != nil {
			return err
		}
		c.doc = doc
	}
	c.buckets = append(c.buckets, bucket)
	return nil
}

// flush collects the nested documents of the one that was held back.
func (c *nestedCollector) flush() error {
	if c.doc < 0 {
		return nil
	}
	parent := c.doc
	first := prevSet(c.parents, parent-1) + 1
	at := c.children.DocID()
	var err error
	if at < first {
		at, err = c.children.Advance(first)
	}
	for err == nil && at < parent {
		for _, b := range c.buckets {
			if err := c.add(at, b); err != nil {
				return err
			}
		}
		at, err = c.children.Next()
	}
	c.doc, c.buckets = -1, c.buckets[:0]
	return err
}

func (c *nestedCollector) result(parent int64) (result, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	subs, err := resultsAll(c.subs, parent)
	return &single{n: c.k.n, docs: c.count(parent), subs: subs}, err
}

// prevSet returns the last set bit at or before i, or -1.
func prevSet(b *lucene.FixedBits, i int32) int32 {
	if i < 0 {
		return -1
	}
	w := i >> 6
	word := b.Words[w] << (63 - uint(i&63))
	if word != 0 {
		return i - int32(bits.LeadingZeros64(word))
	}
	for w--; w >= 0; w-- {
		if b.Words[w] != 0 {
			return w<<6 + 63 - int32(bits.LeadingZeros64(b.Words[w]))
		}
	}
	return -1
}

// nextSet returns the first set bit at or after i, or NoMoreDocs.
func nextSet(b *lucene.FixedBits, i int32) int32 {
	w := int(i >> 6)
	if w >= len(b.Words) {
		return lucene.NoMoreDocs
	}
	if word := b.Words[w] >> uint(i&63); word != 0 {
		return i + int32(bits.TrailingZeros64(word))
	}
	for w++; w < len(b.Words); w++ {
		if b.Words[w] != 0 {
			return int32(w<<6 + bits.TrailingZeros64(b.Words[w]))
		}
	}
	return lucene.NoMoreDocs
}

// reverseKind is the aggregation reverse_nested: it goes from nested documents back to those around them.
type reverseKind struct {
	n    *node
	docs Nested
}

func parseReverseNested(n *node, p *params, r Resolver) (kind, error) {
	path, err := p.text("path")
	if err != nil {
		return nil, err
	}
	if !r.InNested() {
		return nil, apierr.IllegalArgument("Reverse nested aggregation [%s] can only be used inside a [nested] aggregation", n.name)
	}
	docs, err := r.Around(path)
	return &reverseKind{n, docs}, err
}

func (k *reverseKind) typedName() string { return "reverse_nested" }

func (k *reverseKind) collector(subs []collector) collector {
	return &reverseCollector{k: k, counts: counts{subs: subs}}
}

type reverseCollector struct {
	k       *reverseKind
	parents *lucene.FixedBits
	last    []int32 // of each bucket, one more than the document that was collected last
	counts
}

func (c *reverseCollector) leaf(ctx *lucene.LeafContext) error {
	c.parents, c.last = nil, c.last[:0]
	if c.k.docs != nil {
		var err error
		if _, c.parents, err = c.k.docs.Leaf(ctx); err != nil {
			return err
		}
	}
	return c.counts.leaf(ctx)
}

func (c *reverseCollector) collect(doc int32, bucket int64) error {
	if c.parents == nil {
		return nil
	}
	parent := nextSet(c.parents, doc)
	if parent == lucene.NoMoreDocs {
		return nil
	}
	if n := int(bucket) + 1; len(c.last) < n {
		had := len(c.last)
		c.last = slices.Grow(c.last, n-had)[:n]
		clear(c.last[had:])
	}
	if c.last[bucket] == parent+1 {
		return nil // several of its nested documents are in this bucket
	}
	c.last[bucket] = parent + 1
	return c.add(parent, bucket)
}

func (c *reverseCollector) result(parent int64) (result, error) {
	subs, err := resultsAll(c.subs, parent)
	return &single{n: c.k.n, docs: c.count(parent), subs: subs}, err
}
