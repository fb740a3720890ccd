package aggregation

import (
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// counts are the documents of each bucket of an aggregator, and the sub-aggregations below them.
type counts struct {
	docs   []int64
	subs   []collector
	weight lucene.NumericDocValues // the column _doc_count of the current leaf, if it has one
	batch  batch
}

// batch is documents with the bucket of each.
type batch struct {
	docs    []int32
	buckets []int64
}

func (b *batch) reset() { b.docs, b.buckets = b.docs[:0], b.buckets[:0] }

func (b *batch) add(doc int32, bucket int64) {
	b.docs, b.buckets = append(b.docs, doc), append(b.buckets, bucket)
}

// parents walks along the buckets of a batch of documents while some of these are looked at.
type parents struct {
	docs    []int32
	buckets []int64 // nil: all are 0
	at      int
}

// of returns the bucket of a document of the batch; documents ascend.
func (p *parents) of(doc int32) int64 {
	if p.buckets == nil {
		return 0
	}
	for p.docs[p.at] != doc {
		p.at++
	}
	return p.buckets[p.at]
}

func (c *counts) leaf(ctx *lucene.LeafContext) error {
	c.weight = nil
	if fi := ctx.Reader.FieldInfos().ByName("_doc_count"); fi != nil && fi.DocValuesType == lucene.DocValuesNumeric {
		var err error
		if c.weight, err = ctx.Reader.DocValues().Numeric(fi); err != nil {
			return err
		}
	}
	return leafAll(c.subs, ctx)
}

// add counts a document into a bucket and hands it to the sub-aggregations.
func (c *counts) add(doc int32, bucket int64) error {
	if int64(len(c.docs)) <= bucket {
		c.docs = append(c.docs, make([]int64, bucket+1-int64(len(c.docs)))...)
	}
	n := int64(1)
	if c.weight != nil {
		if ok, err := c.weight.AdvanceExact(doc); err != nil {
			return err
		} else if ok {
			if n, err = c.weight.Value(); err != nil {
				return err
			}
		}
	}
	c.docs[bucket] += n
	if len(c.subs) == 0 {
		return nil
	}
	return collectAll(c.subs, doc, bucket)
}

// flushBatch counts the documents that are in the batch.
func (c *counts) flushBatch(buckets int) error {
	c.grow(buckets)
	for _, b := range c.batch.buckets {
		c.docs[b]++
	}
	return collectBatches(c.subs, c.batch.docs, c.batch.buckets)
}

// plain tells whether adding a document is only counting it as one.
func (c *counts) plain() bool { return c.weight == nil && len(c.subs) == 0 }

// grow makes room for buckets below n.
func (c *counts) grow(n int) {
	if len(c.docs) < n {
		c.docs = append(c.docs, make([]int64, n-len(c.docs))...)
	}
}

func (c *counts) count(bucket int64) int64 {
	if bucket < 0 || bucket >= int64(len(c.docs)) {
		return 0
	}
	return c.docs[bucket]
}

// single is the result of an aggregation with one bucket: filter, missing.
type single struct {
	n     *node
	docs  int64
	subs  []result
	typed bool
}

func (s *single) merge(others []result) (result, error) {
	lists := [][]result{s.subs}
	for _, o := range others {
		s.docs += o.(*single).docs
		lists = append(lists, o.(*single).subs)
	}
	var err error
	s.subs, err = mergeAll(lists)
	return s, err
}

func (s *single) finish() error   { return finishAll(s.subs) }
func (s *single) setTyped(b bool) { s.typed = b }

func (s *single) render(o *xcontent.Object) error {
	o.Add("doc_count", s.docs)
	return renderAll(o, s.n.subs, s.subs, s.typed)
}

func (s *single) value(string) (float64, bool) { return float64(s.docs), true }

// bucket is one bucket of a result with many.
type bucket struct {
	num   int64   // key of longs and dates
	float float64 // key of doubles
	bytes string  // key of byte strings, and names
	docs  int64
	errs  int64 // upper bound of the documents that were missed, for terms
	subs  []result
}

// lookup finds the number that an order asks of a bucket's sub-aggregations. Buckets without one come last.
func (b *bucket) lookup(nodes []*node, path string) (float64, bool) {
	agg, property, _ := cutProperty(path)
	rs := b.subs
	var found result
	for part := range strings.SplitSeq(agg, ">") {
		i := slices.IndexFunc(nodes, func(n *node) bool { return n.name == part })
		if i < 0 {
			return 0, false
		}
		found, nodes = rs[i], nodes[i].subs
		if s, ok := found.(*single); ok {
			rs = s.subs
		}
	}
	if property == "_count" {
		property = ""
	}
	return found.value(property)
}

// sorter compares buckets by orders; keys compares two by key.
func sorter(orders []order, subs []*node, keys func(a, b *bucket) int) func(a, b *bucket) int {
	return func(a, b *bucket) int {
		for _, o := range orders {
			c := 0
			switch o.path {
			case "_key":
				c = keys(a, b)
			case "_count":
				c = compareInt(a.docs, b.docs)
			default:
				x, okX := a.lookup(subs, o.path)
				y, okY := b.lookup(subs, o.path)
				okX, okY = okX && !math.IsNaN(x), okY && !math.IsNaN(y)
				switch { // whatever the direction, what has no number comes last
				case okX && !okY:
					return -1
				case okY && !okX:
					return 1
				case okX && x < y:
					c = -1
				case okX && x > y:
					c = 1
				}
			}
			if o.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	}
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func tooManyBuckets(n int) error {
	if n <= MaxBuckets {
		return nil
	}
	return apierr.New(http.StatusServiceUnavailable, "too_many_buckets_exception",
		"Trying to create too many buckets. Must be less than or equal to: [%d] but was [%d]. This limit can be set by changing the [search.max_buckets] cluster level setting.",
		MaxBuckets, n).With("max_buckets", MaxBuckets)
}

// mergeBuckets puts buckets of equal keys together; id gives the key.
func mergeBuckets[K comparable](lists [][]*bucket, id func(*bucket) K) ([]*bucket, error) {
	if len(lists) == 1 {
		return lists[0], nil
	}
	index := map[K]int{}
	var groups [][]*bucket
	for _, l := range lists {
		for _, b := range l {
			k := id(b)
			i, ok := index[k]
			if !ok {
				i = len(groups)
				index[k] = i
				groups = append(groups, nil)
			}
			groups[i] = append(groups[i], b)
		}
	}
	out := make([]*bucket, len(groups))
	for i, g := range groups {
		b := g[0]
		subs := [][]result{b.subs}
		for _, o := range g[1:] {
			b.docs += o.docs
			b.errs += o.errs
			subs = append(subs, o.subs)
		}
		var err error
		if b.subs, err = mergeAll(subs); err != nil {
			return nil, err
		}
		out[i] = b
	}
	return out, nil
}

// noBucket stands for a bucket that no document was collected into, where the result of an empty one is wanted.
const noBucket = int64(1) << 40
