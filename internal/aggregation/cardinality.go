package aggregation

import (
	"math"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// cardinalityKind is the aggregation cardinality: HyperLogLog++ with OpenSearch's hashes, so that the
// estimates are the same to the digit.
type cardinalityKind struct {
	n         *node
	src       *source
	precision uint
}

func parseCardinality(n *node, p *params, r Resolver) (kind, error) {
	s, err := p.source(r, "")
	if err != nil {
		return nil, err
	}
	p.used["rehash"], p.used["execution_hint"] = true, true
	threshold, err := p.integer("precision_threshold", 3000)
	if err != nil {
		return nil, err
	}
	if threshold < 0 {
		return nil, apierr.IllegalArgument("[precisionThreshold] must be greater than or equal to 0. Found [%d] in [%s]", threshold, p.agg)
	}
	if s.col != nil && s.col.Class == ClassOther {
		return nil, apierr.IllegalArgument("Field [%s] of type [%s] is not supported for aggregation [cardinality]", s.field, s.col.Type)
	}
	return &cardinalityKind{n, s, precisionFor(threshold)}, nil
}

func (k *cardinalityKind) typedName() string { return "cardinality" }

func (k *cardinalityKind) collector([]collector) collector { return &cardinalityCollector{k: k} }

type cardinalityCollector struct {
	k        *cardinalityKind
	nums     *numbers
	ords     *ordinals
	hashes   []uint64 // of the ordinals of this leaf
	known    []bool
	sketches []*sketch
	seen     []bool // ordinals of this leaf in batches of bucket 0, hashed once when the leaf ends
}

func (c *cardinalityCollector) leaf(ctx *lucene.LeafContext) (err error) {
	if err := c.flush(); err != nil {
		return err
	}
	c.nums, c.ords, c.hashes, c.known = nil, nil, nil, nil
	col := c.k.src.col
	switch {
	case col == nil:
	case col.numeric():
		c.nums, err = openNumbers(ctx.Reader, col.Field)
	default:
		if c.ords, err = openOrdinals(ctx.Reader, col.Field); c.ords != nil {
			if n := c.ords.dict.ValueCount(); n <= 1<<22 {
				c.hashes, c.known = make([]uint64, n), make([]bool, n)
			}
		}
	}
	return err
}

// flush adds the terms that batches found.
func (c *cardinalityCollector) flush() error {
	seen := c.seen
	c.seen = nil
	for ord, yes := range seen {
		if !yes {
			continue
		}
		h, err := c.hash(int64(ord))
		if err != nil {
			return err
		}
		c.sketch(0).add(h)
	}
	return nil
}

func (c *cardinalityCollector) sketch(bucket int64) *sketch {
	for int64(len(c.sketches)) <= bucket {
		c.sketches = append(c.sketches, nil)
	}
	if c.sketches[bucket] == nil {
		c.sketches[bucket] = newSketch(c.k.precision)
	}
	return c.sketches[bucket]
}

func (c *cardinalityCollector) collectBatch(docs []int32, buckets []int64) error {
	var found []int32
	var vals []int64
	var ok bool
	var err error
	switch {
	case c.k.src.missing != nil:
	case c.nums != nil:
		found, vals, ok, err = c.nums.many(c.nums.single, docs)
	case c.ords != nil:
		found, vals, ok, err = c.ords.many(c.ords.single, docs)
	}
	if err != nil {
		return err
	}
	if !ok {
		return collectEach(c, docs, buckets)
	}
	if c.ords != nil && c.hashes != nil && buckets == nil {
		if c.seen == nil {
			c.seen = make([]bool, len(c.hashes))
		}
		for _, ord := range vals {
			c.seen[ord] = true
		}
		return nil
	}
	of := parents{docs: docs, buckets: buckets}
	for i, v := range vals {
		h, err := c.hash(v)
		if err != nil {
			return err
		}
		c.sketch(of.of(found[i])).add(h)
	}
	return nil
}

func (c *cardinalityCollector) collect(doc int32, bucket int64) error {
	s := c.sketch(bucket)
	var vals []int64
	var err error
	switch {
	case c.nums != nil:
		vals, err = c.nums.read(doc)
	case c.ords != nil:
		vals, err = c.ords.read(doc)
	}
	if err != nil {
		return err
	}
	if len(vals) == 0 {
		return c.collectMissing(s)
	}
	for _, v := range vals {
		h, err := c.hash(v)
		if err != nil {
			return err
		}
		s.add(h)
	}
	return nil
}

func (c *cardinalityCollector) hash(v int64) (uint64, error) {
	if c.nums != nil {
		if c.k.src.col.Class == ClassDouble {
			return mix64(math.Float64bits(c.k.src.col.Double(v))), nil
		}
		return mix64(uint64(v)), nil
	}
	if c.hashes != nil && c.known[v] {
		return c.hashes[v], nil
	}
	term, err := c.ords.dict.LookupOrd(v)
	if err != nil {
		return 0, err
	}
	h := murmur128(term)
	if c.hashes != nil {
		c.hashes[v], c.known[v] = h, true
	}
	return h, nil
}

func (c *cardinalityCollector) collectMissing(s *sketch) error {
	src := c.k.src
	switch {
	case src.missing == nil:
	case src.col == nil || src.col.Class == ClassBytes:
		term := []byte(*src.missing)
		if src.col != nil {
			var err error
			if term, err = src.col.Format.ParseBytes(*src.missing); err != nil {
				return err
			}
		}
		s.add(murmur128(term))
	default:
		raw, f, ok, err := src.missingRaw()
		if err != nil || !ok {
			return err
		}
		if src.col.Class == ClassDouble {
			raw = int64(math.Float64bits(f))
		}
		s.add(mix64(uint64(raw)))
	}
	return nil
}

func (c *cardinalityCollector) result(bucket int64) (result, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	if bucket >= int64(len(c.sketches)) || c.sketches[bucket] == nil {
		return &cardinalityResult{newSketch(c.k.precision)}, nil
	}
	return &cardinalityResult{c.sketches[bucket]}, nil
}

type cardinalityResult struct{ s *sketch }

func (r *cardinalityResult) merge(others []result) (result, error) {
	for _, o := range others {
		r.s.merge(o.(*cardinalityResult).s)
	}
	return r, nil
}

func (r *cardinalityResult) finish() error { return nil }

func (r *cardinalityResult) value(string) (float64, bool) { return float64(r.s.cardinality()), true }

func (r *cardinalityResult) render(o *xcontent.Object) error {
	o.Add("value", r.s.cardinality())
	return nil
}
