package aggregation

import (
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// matcher walks a filter's documents beside those that are collected, which ascend.
type matcher struct{ it lucene.DocIDSetIterator }

func openMatcher(f Filter, ctx *lucene.LeafContext) (matcher, error) {
	it, err := f.Leaf(ctx)
	return matcher{it}, err
}

func (m matcher) matches(doc int32) (bool, error) {
	if m.it == nil {
		return false, nil
	}
	at := m.it.DocID()
	if at < doc {
		var err error
		if at, err = m.it.Advance(doc); err != nil {
			return false, err
		}
	}
	return at == doc, nil
}

// filterKind is the aggregation filter.
type filterKind struct {
	n *node
	f Filter
}

func parseFilter(n *node, p *params, r Resolver) (kind, error) {
	for _, m := range p.o.Members {
		p.used[m.Key] = true
	}
	f, err := r.Filter(p.o)
	return &filterKind{n, f}, err
}

func (k *filterKind) typedName() string { return "filter" }

func (k *filterKind) collector(subs []collector) collector {
	return &filterCollector{k: k, counts: counts{subs: subs}}
}

type filterCollector struct {
	k *filterKind
	m matcher
	counts
}

func (c *filterCollector) leaf(ctx *lucene.LeafContext) (err error) {
	if c.m, err = openMatcher(c.k.f, ctx); err != nil {
		return err
	}
	return c.counts.leaf(ctx)
}

func (c *filterCollector) collect(doc int32, parent int64) error {
	ok, err := c.m.matches(doc)
	if err != nil || !ok {
		return err
	}
	return c.add(doc, parent)
}

func (c *filterCollector) result(parent int64) (result, error) {
	subs, err := resultsAll(c.subs, parent)
	return &single{n: c.k.n, docs: c.count(parent), subs: subs}, err
}

// missingKind is the aggregation missing.
type missingKind struct {
	n   *node
	src *source
}

func parseMissing(n *node, p *params, r Resolver) (kind, error) {
	s, err := p.source(r, "")
	return &missingKind{n, s}, err
}

func (k *missingKind) typedName() string { return "missing" }

func (k *missingKind) collector(subs []collector) collector {
	return &missingCollector{k: k, counts: counts{subs: subs}}
}

type missingCollector struct {
	k   *missingKind
	has *presence
	counts
}

func (c *missingCollector) leaf(ctx *lucene.LeafContext) (err error) {
	c.has = nil
	if c.k.src.col != nil {
		if c.has, err = openPresence(ctx.Reader, c.k.src.col.Field); err != nil {
			return err
		}
	}
	return c.counts.leaf(ctx)
}

func (c *missingCollector) collect(doc int32, parent int64) error {
	if c.k.src.missing != nil {
		return nil // every document has a value then
	}
	ok, err := c.has.has(doc)
	if err != nil || ok {
		return err
	}
	return c.add(doc, parent)
}

func (c *missingCollector) result(parent int64) (result, error) {
	subs, err := resultsAll(c.subs, parent)
	return &single{n: c.k.n, docs: c.count(parent), subs: subs}, err
}

// filtersKind is the aggregation filters.
type filtersKind struct {
	n       *node
	filters []Filter
	names   []string // of keyed ones, sorted; nil: anonymous
	other   string   // name of the bucket for the rest
	hasRest bool
}

func parseFilters(n *node, p *params, r Resolver) (kind, error) {
	k := &filtersKind{n: n, other: "_other_"}
	raw, _ := p.get("filters")
	var queries []any
	switch raw := raw.(type) {
	case *xcontent.Object:
		members := slices.Clone(raw.Members)
		slices.SortStableFunc(members, func(a, b xcontent.Member) int { return strings.Compare(a.Key, b.Key) })
		k.names = []string{}
		for _, m := range members {
			k.names = append(k.names, m.Key)
			queries = append(queries, m.Value)
		}
	case []any:
		queries = raw
	default:
		return nil, apierr.Parsing("[filters] cannot be empty.")
	}
	if len(queries) == 0 {
		return nil, apierr.IllegalArgument("[filters] cannot be empty")
	}
	for _, q := range queries {
		f, err := r.Filter(q)
		if err != nil {
			return nil, err
		}
		k.filters = append(k.filters, f)
	}
	name, err := p.text("other_bucket_key")
	if err != nil {
		return nil, err
	}
	if name != "" {
		k.other, k.hasRest = name, true
	}
	rest, err := p.boolean("other_bucket", k.hasRest)
	k.hasRest = rest
	return k, err
}

func (k *filtersKind) typedName() string { return "filters" }

func (k *filtersKind) width() int64 {
	if k.hasRest {
		return int64(len(k.filters)) + 1
	}
	return int64(len(k.filters))
}

func (k *filtersKind) collector(subs []collector) collector {
	return &filtersCollector{k: k, counts: counts{subs: subs}, ms: make([]matcher, len(k.filters))}
}

type filtersCollector struct {
	k  *filtersKind
	ms []matcher
	counts
}

func (c *filtersCollector) leaf(ctx *lucene.LeafContext) (err error) {
	for i, f := range c.k.filters {
		if c.ms[i], err = openMatcher(f, ctx); err != nil {
			return err
		}
	}
	return c.counts.leaf(ctx)
}

func (c *filtersCollector) collect(doc int32, parent int64) error {
	base, any := parent*c.k.width(), false
	for i, m := range c.ms {
		ok, err := m.matches(doc)
		if err != nil {
			return err
		}
		if ok {
			any = true
			if err := c.add(doc, base+int64(i)); err != nil {
				return err
			}
		}
	}
	if !any && c.k.hasRest {
		return c.add(doc, base+int64(len(c.ms)))
	}
	return nil
}

func (c *filtersCollector) result(parent int64) (result, error) {
	f := &fixedBuckets{n: c.k.n, keyed: c.k.names != nil}
	for i := range c.k.width() {
		at := parent*c.k.width() + i
		b := &bucket{docs: c.count(at), num: i}
		switch {
		case int(i) == len(c.k.filters):
			b.bytes = c.k.other
		case f.keyed:
			b.bytes = c.k.names[i]
		}
		var err error
		if b.subs, err = resultsAll(c.subs, at); err != nil {
			return nil, err
		}
		f.buckets = append(f.buckets, b)
	}
	return f, nil
}

// fixedBuckets is the result of an aggregation whose buckets the request names.
type fixedBuckets struct {
	n       *node
	keyed   bool
	buckets []*bucket
	typed   bool
	// describe adds what is to be seen of a bucket before its count.
	describe func(b *bucket, o *xcontent.Object)
}

func (f *fixedBuckets) merge(others []result) (result, error) {
	lists := [][]*bucket{f.buckets}
	for _, o := range others {
		lists = append(lists, o.(*fixedBuckets).buckets)
	}
	var err error
	f.buckets, err = mergeBuckets(lists, func(b *bucket) int64 { return b.num })
	return f, err
}

func (f *fixedBuckets) finish() error {
	for _, b := range f.buckets {
		if err := finishAll(b.subs); err != nil {
			return err
		}
	}
	return nil
}

func (f *fixedBuckets) setTyped(b bool) { f.typed = b }

func (f *fixedBuckets) render(o *xcontent.Object) error {
	keyed, list := &xcontent.Object{}, []any{}
	for _, b := range f.buckets {
		one := &xcontent.Object{}
		if f.describe != nil {
			f.describe(b, one)
		}
		one.Add("doc_count", b.docs)
		if err := renderAll(one, f.n.subs, b.subs, f.typed); err != nil {
			return err
		}
		keyed.Add(b.bytes, one)
		list = append(list, one)
	}
	if f.keyed {
		o.Add("buckets", keyed)
	} else {
		o.Add("buckets", list)
	}
	return nil
}

func (f *fixedBuckets) value(property string) (float64, bool) {
	for _, b := range f.buckets {
		if b.bytes == property {
			return float64(b.docs), true
		}
	}
	return 0, false
}
