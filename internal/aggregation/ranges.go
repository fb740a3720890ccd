package aggregation

import (
	"math"
	"slices"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// rangeKind is range and date_range: each value is in every range that has from <= value < to.
type rangeKind struct {
	n      *node
	src    *source
	dates  bool
	keyed  bool
	ranges []rangeOf
}

type rangeOf struct {
	key      string
	from, to float64 // infinite where open
}

func parseRange(n *node, p *params, r Resolver) (kind, error) { return parseRanges(n, p, r, "") }

func parseDateRange(n *node, p *params, r Resolver) (kind, error) {
	zone, err := p.text("time_zone")
	if err != nil {
		return nil, err
	}
	return parseRanges(n, p, r, zone)
}

func parseRanges(n *node, p *params, r Resolver, zone string) (kind, error) {
	k := &rangeKind{n: n, dates: n.typ == "date_range"}
	var err error
	if k.src, err = p.source(r, zone); err != nil {
		return nil, err
	}
	if err := p.needNumeric(k.src); err != nil {
		return nil, err
	}
	if k.dates && k.src.col != nil {
		c := *k.src.col
		c.ShowFormatted = true
		k.src.col = &c
	}
	if k.keyed, err = p.boolean("keyed", false); err != nil {
		return nil, err
	}
	raw, _ := p.get("ranges")
	list, ok := raw.([]any)
	if !ok || len(list) == 0 {
		return nil, apierr.IllegalArgument("No [ranges] specified for the [%s] aggregation", p.agg)
	}
	for _, e := range list {
		o, ok := e.(*xcontent.Object)
		if !ok {
			return nil, apierr.XContentParse("[%s] failed to parse field [ranges]", p.typ)
		}
		one, err := k.parseOne(&params{agg: p.agg, typ: p.typ, o: o, used: map[string]bool{}})
		if err != nil {
			return nil, err
		}
		k.ranges = append(k.ranges, one)
	}
	slices.SortStableFunc(k.ranges, func(a, b rangeOf) int {
		if c := compareFloat(a.from, b.from); c != 0 {
			return c
		}
		return compareFloat(a.to, b.to)
	})
	return k, nil
}

func (k *rangeKind) parseOne(p *params) (rangeOf, error) {
	one := rangeOf{from: math.Inf(-1), to: math.Inf(1)}
	for _, side := range []struct {
		name string
		to   *float64
	}{{"from", &one.from}, {"to", &one.to}} {
		text, err := p.text(side.name)
		if err != nil {
			return one, err
		}
		if text == "" {
			continue
		}
		if k.src.col != nil && (k.dates || k.src.col.ShowFormatted) && k.src.col.Class == ClassLong {
			ms, err := k.src.col.Format.ParseLong(text, false)
			if err != nil {
				return one, err
			}
			*side.to = float64(ms)
		} else if *side.to, _, err = p.float(side.name, 0); err != nil {
			return one, err
		}
	}
	var err error
	if one.key, err = p.text("key"); err != nil {
		return one, err
	}
	if one.key == "" {
		one.key = k.bound(one.from) + "-" + k.bound(one.to)
	}
	return one, p.unknown()
}

// bound prints an end of a range.
func (k *rangeKind) bound(v float64) string {
	switch {
	case math.IsInf(v, 0):
		return "*"
	case k.src.col != nil && k.src.col.ShowFormatted && k.src.col.Class == ClassLong:
		return k.src.col.Format.Long(int64(v))
	case k.src.col != nil && k.src.col.ShowFormatted:
		return k.src.col.Format.Double(v)
	}
	return FormatDouble(v)
}

func (k *rangeKind) typedName() string { return k.n.typ }

func (k *rangeKind) collector(subs []collector) collector {
	return &rangeCollector{k: k, counts: counts{subs: subs}, hit: make([]bool, len(k.ranges))}
}

type rangeCollector struct {
	k *rangeKind
	counts
	nums *numbers
	hit  []bool
}

func (c *rangeCollector) leaf(ctx *lucene.LeafContext) (err error) {
	c.nums = nil
	if c.k.src.col != nil {
		if c.nums, err = openNumbers(ctx.Reader, c.k.src.col.Field); err != nil {
			return err
		}
	}
	return c.counts.leaf(ctx)
}

func (c *rangeCollector) collect(doc int32, parent int64) error {
	var vals []int64
	if c.nums != nil {
		var err error
		if vals, err = c.nums.read(doc); err != nil {
			return err
		}
	}
	clear(c.hit)
	if len(vals) == 0 {
		_, f, ok, err := c.k.src.missingRaw()
		if err != nil || !ok {
			return err
		}
		c.mark(f)
	}
	for _, v := range vals {
		c.mark(c.k.src.col.float(v))
	}
	base := parent * int64(len(c.k.ranges))
	for i, hit := range c.hit {
		if hit {
			if err := c.add(doc, base+int64(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *rangeCollector) mark(v float64) {
	for i, r := range c.k.ranges {
		if v >= r.from && v < r.to {
			c.hit[i] = true
		}
	}
}

func (c *rangeCollector) result(parent int64) (result, error) {
	k := c.k
	f := &fixedBuckets{n: k.n, keyed: k.keyed, describe: k.describe}
	for i, r := range k.ranges {
		at := parent*int64(len(k.ranges)) + int64(i)
		b := &bucket{num: int64(i), bytes: r.key, docs: c.count(at)}
		var err error
		if b.subs, err = resultsAll(c.subs, at); err != nil {
			return nil, err
		}
		f.buckets = append(f.buckets, b)
	}
	return f, nil
}

// describe adds key and ends of a range.
func (k *rangeKind) describe(b *bucket, o *xcontent.Object) {
	r := k.ranges[b.num]
	if !k.keyed {
		o.Add("key", r.key)
	}
	formatted := k.src.col != nil && k.src.col.ShowFormatted
	if !math.IsInf(r.from, 0) {
		o.Add("from", Double(r.from))
		if formatted {
			o.Add("from_as_string", k.bound(r.from))
		}
	}
	if !math.IsInf(r.to, 0) {
		o.Add("to", Double(r.to))
		if formatted {
			o.Add("to_as_string", k.bound(r.to))
		}
	}
}
