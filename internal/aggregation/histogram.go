package aggregation

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// histogramKind is histogram and date_histogram: numbers are rounded down to the start of an interval.
type histogramKind struct {
	n           *node
	src         *source
	round       rounding
	dates       bool
	keyed       bool
	minDocCount int64
	orders      []order
	extended    *bounds // buckets that are there even when empty
	hard        *bounds // values outside are not counted
}

type bounds struct{ min, max *float64 }

// rounding puts values into intervals; keys of dates are milliseconds, exact in a float64.
type rounding interface {
	floor(v float64) float64
	next(key float64) float64
}

type stepRounding struct{ interval, offset float64 }

func (s stepRounding) floor(v float64) float64 {
	return math.Floor((v-s.offset)/s.interval)*s.interval + s.offset
}
func (s stepRounding) next(k float64) float64 {
	return s.floor(k + s.interval*1.5)
}

// fixedRounding is an interval of milliseconds that counts from midnight of the zone.
type fixedRounding struct {
	interval, offset int64
	zone             *time.Location
}

func (f fixedRounding) local(ms int64) int64 {
	_, off := time.UnixMilli(ms).In(f.zone).Zone()
	return int64(off) * 1000
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func (f fixedRounding) floor(v float64) float64 {
	ms := int64(v) - f.offset
	off := f.local(ms)
	key := floorDiv(ms+off, f.interval)*f.interval - off
	// Where the zone's offset changed since the start of the interval, the start counts in its own.
	if o := f.local(key); o != off {
		key = floorDiv(ms+off, f.interval)*f.interval - o
		if key > ms {
			key -= f.interval
		}
	}
	return float64(key + f.offset)
}

func (f fixedRounding) next(k float64) float64 {
	key := int64(k) - f.offset
	off := f.local(key)
	next := key + off + f.interval
	at := next - off
	if o := f.local(at); o != off {
		at = next - o
	}
	return float64(at + f.offset)
}

type calendarRounding struct {
	unit   dateformat.Unit
	zone   *time.Location
	offset int64
}

func (c calendarRounding) floor(v float64) float64 {
	t := time.UnixMilli(int64(v) - c.offset).In(c.zone)
	return float64(dateformat.Floor(t, c.unit).UnixMilli() + c.offset)
}

func (c calendarRounding) next(k float64) float64 {
	t := time.UnixMilli(int64(k) - c.offset).In(c.zone)
	return float64(dateformat.Next(t, c.unit).UnixMilli() + c.offset)
}

func parseHistogram(n *node, p *params, r Resolver) (kind, error) {
	k := &histogramKind{n: n}
	var err error
	if k.src, err = p.source(r, ""); err != nil {
		return nil, err
	}
	interval, _, err := p.float("interval", 0)
	if err != nil {
		return nil, err
	}
	if interval <= 0 || math.IsInf(interval, 0) {
		return nil, apierr.IllegalArgument("[interval] must be >0 for histogram aggregation [%s]", p.agg)
	}
	offset, _, err := p.float("offset", 0)
	if err != nil {
		return nil, err
	}
	k.round = stepRounding{interval, math.Mod(offset, interval)}
	return k, k.parseRest(p, nil)
}

func parseDateHistogram(n *node, p *params, r Resolver) (kind, error) {
	k := &histogramKind{n: n, dates: true}
	zoneName, err := p.text("time_zone")
	if err != nil {
		return nil, err
	}
	zone, err := dateformat.ParseZone(zoneName)
	if err != nil {
		return nil, err
	}
	if k.src, err = p.source(r, zoneName); err != nil {
		return nil, err
	}
	if k.src.col != nil {
		c := *k.src.col
		c.ShowFormatted = true
		k.src.col = &c
	}
	if k.round, err = parseInterval(p, zone); err != nil {
		return nil, err
	}
	return k, k.parseRest(p, r.Now)
}

func parseInterval(p *params, zone *time.Location) (rounding, error) {
	calendar, err := p.text("calendar_interval")
	if err != nil {
		return nil, err
	}
	fixed, err := p.text("fixed_interval")
	if err != nil {
		return nil, err
	}
	old, err := p.text("interval")
	if err != nil {
		return nil, err
	}
	offsetText, err := p.text("offset")
	if err != nil {
		return nil, err
	}
	var offset int64
	if offsetText != "" {
		sign := int64(1)
		if rest, ok := strings.CutPrefix(offsetText, "-"); ok {
			sign, offsetText = -1, rest
		}
		if offset, err = parseFixed(strings.TrimPrefix(offsetText, "+")); err != nil {
			return nil, err
		}
		offset *= sign
	}
	if old != "" {
		if calendar != "" || fixed != "" {
			return nil, apierr.IllegalArgument("Cannot use [interval] with [fixed_interval] or [calendar_interval] configuration options.")
		}
		if _, ok := dateformat.ParseUnit(old); ok {
			calendar = old
		} else {
			fixed = old
		}
	}
	switch {
	case calendar != "" && fixed != "":
		return nil, apierr.IllegalArgument("Cannot use [fixed_interval] with [calendar_interval] configuration option.")
	case calendar != "":
		u, ok := dateformat.ParseUnit(calendar)
		if !ok {
			return nil, apierr.IllegalArgument("The supplied interval [%s] could not be parsed as a calendar interval.", calendar)
		}
		return calendarRounding{u, zone, offset}, nil
	case fixed != "":
		ms, err := parseFixed(fixed)
		if err != nil {
			return nil, err
		}
		if ms < 1 {
			return nil, apierr.IllegalArgument("Zero or negative time interval not supported")
		}
		return fixedRounding{ms, offset, zone}, nil
	}
	return nil, apierr.IllegalArgument("Invalid interval specified, must be non-null and non-empty")
}

// parseFixed reads an interval such as 90m, in milliseconds.
func parseFixed(s string) (int64, error) {
	for _, u := range []struct {
		suffix string
		ms     int64
	}{{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"H", 3600000}, {"d", 86400000}, {"D", 86400000}} {
		digits, ok := strings.CutSuffix(s, u.suffix)
		if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 12 {
			continue
		}
		n := int64(0)
		for _, d := range digits {
			n = n*10 + int64(d-'0')
		}
		return n * u.ms, nil
	}
	return 0, apierr.IllegalArgument("failed to parse setting [fixed_interval] with value [%s] as a time value: unit is missing or unrecognized", s)
}

func (k *histogramKind) parseRest(p *params, now func() time.Time) error {
	if err := p.needNumeric(k.src); err != nil {
		return err
	}
	var err error
	if k.keyed, err = p.boolean("keyed", false); err != nil {
		return err
	}
	if k.minDocCount, err = p.integer("min_doc_count", 0); err != nil {
		return err
	}
	if k.minDocCount < 0 {
		return apierr.IllegalArgument("[min_doc_count] must be greater than or equal to 0. Found [%d] in [%s]", k.minDocCount, p.agg)
	}
	if k.orders, err = parseOrder(p, []order{{path: "_key"}}); err != nil {
		return err
	}
	if err := checkOrder(k.orders, k.n.subs); err != nil {
		return err
	}
	if k.extended, err = k.parseBounds(p, "extended_bounds"); err != nil {
		return err
	}
	k.hard, err = k.parseBounds(p, "hard_bounds")
	return err
}

func (k *histogramKind) parseBounds(p *params, name string) (*bounds, error) {
	v, ok := p.get(name)
	if !ok {
		return nil, nil
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.XContentParse("[%s] %s doesn't support values of type: %s", p.typ, name, describe(v))
	}
	sub := &params{agg: p.agg, typ: name, o: o, used: map[string]bool{}}
	b := &bounds{}
	for _, side := range []struct {
		name string
		to   **float64
	}{{"min", &b.min}, {"max", &b.max}} {
		text, err := sub.text(side.name)
		if err != nil {
			return nil, err
		}
		if text == "" {
			continue
		}
		var f float64
		if k.dates && k.src.col != nil {
			ms, err := k.src.col.Format.ParseLong(text, false)
			if err != nil {
				return nil, err
			}
			f = float64(ms)
		} else if f, _, err = sub.float(side.name, 0); err != nil {
			return nil, err
		}
		*side.to = &f
	}
	if b.min != nil && b.max != nil && *b.min > *b.max {
		return nil, apierr.IllegalArgument("[%s.min][%s] cannot be greater than [%s.max][%s] for histogram aggregation [%s]",
			name, FormatDouble(*b.min), name, FormatDouble(*b.max), p.agg)
	}
	return b, sub.unknown()
}

func (k *histogramKind) typedName() string { return k.n.typ }

func (k *histogramKind) collector(subs []collector) collector {
	return &histogramCollector{k: k, counts: counts{subs: subs}, index: map[histogramKey]int64{}}
}

type histogramKey struct {
	parent int64
	key    float64
}

type histogramCollector struct {
	k *histogramKind
	counts
	nums  *numbers
	index map[histogramKey]int64
	keys  []histogramKey
	// the interval of the last value: neighbours fall into it again
	lo, hi float64
	hasLo  bool
	known  intervals // that batches of parent 0 fell into
}

// maxIntervals bounds what inserting into the intervals costs.
const maxIntervals = 4096

// intervals are disjoint half-open intervals with a bucket each, ascending.
type intervals struct {
	lo, hi []float64
	bucket []int64
	last   int // where the last value was found
}

// find returns the place of the interval that holds v, or -1.
func (t *intervals) find(v float64) int {
	if t.last < len(t.lo) && v >= t.lo[t.last] && v < t.hi[t.last] {
		return t.last
	}
	low, high := 0, len(t.lo)
	for low < high {
		if mid := int(uint(low+high) >> 1); t.lo[mid] <= v {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 || v >= t.hi[low-1] {
		return -1
	}
	t.last = low - 1
	return t.last
}

func (t *intervals) insert(lo, hi float64, bucket int64) {
	at, _ := slices.BinarySearch(t.lo, lo)
	t.lo, t.hi, t.bucket = slices.Insert(t.lo, at, lo), slices.Insert(t.hi, at, hi), slices.Insert(t.bucket, at, bucket)
	t.last = at
}

// collectBatch finds the intervals of many values.
func (c *histogramCollector) collectBatch(docs []int32, buckets []int64) error {
	if c.nums == nil || c.weight != nil || c.k.src.missing != nil {
		return collectEach(c, docs, buckets)
	}
	found, vals, ok, err := c.nums.many(c.nums.single, docs)
	if err != nil {
		return err
	}
	if !ok {
		return collectEach(c, docs, buckets)
	}
	of, col := parents{docs: docs, buckets: buckets}, c.k.src.col
	c.batch.reset()
	for i, raw := range vals {
		v, parent := col.float(raw), of.of(found[i])
		if parent == 0 {
			if at := c.known.find(v); at >= 0 {
				c.batch.add(found[i], c.known.bucket[at])
				continue
			}
		}
		b, err := c.bucketOf(parent, v)
		if err != nil {
			return err
		}
		if b < 0 {
			continue
		}
		c.batch.add(found[i], b)
		if h := c.k.hard; parent == 0 && h == nil && v >= c.lo && v < c.hi && len(c.known.lo) < maxIntervals { // v may be NaN
			c.known.insert(c.lo, c.hi, b)
		}
	}
	return c.flushBatch(len(c.keys))
}

func (c *histogramCollector) leaf(ctx *lucene.LeafContext) (err error) {
	c.nums = nil
	if c.k.src.col != nil {
		if c.nums, err = openNumbers(ctx.Reader, c.k.src.col.Field); err != nil {
			return err
		}
	}
	return c.counts.leaf(ctx)
}

func (c *histogramCollector) collect(doc int32, parent int64) error {
	var vals []int64
	if c.nums != nil {
		var err error
		if vals, err = c.nums.read(doc); err != nil {
			return err
		}
	}
	if len(vals) == 0 {
		_, f, ok, err := c.k.src.missingRaw()
		if err != nil || !ok {
			return err
		}
		_, err = c.addValue(doc, parent, f, math.NaN())
		return err
	}
	last := math.NaN()
	for _, v := range vals {
		var err error
		if last, err = c.addValue(doc, parent, c.k.src.col.float(v), last); err != nil {
			return err
		}
	}
	return nil
}

// bucketOf returns the bucket of the interval of v, which becomes lo and hi, or -1 where v is not counted.
func (c *histogramCollector) bucketOf(parent int64, v float64) (int64, error) {
	if h := c.k.hard; h != nil && (h.min != nil && v < *h.min || h.max != nil && v > *h.max) {
		return -1, nil
	}
	if !c.hasLo || v < c.lo || v >= c.hi {
		c.lo = c.k.round.floor(v)
		c.hi = c.k.round.next(c.lo)
		c.hasLo = true
	}
	key := histogramKey{parent, c.lo}
	b, ok := c.index[key]
	if !ok {
		b = int64(len(c.keys))
		c.index[key] = b
		c.keys = append(c.keys, key)
	}
	return b, tooManyBuckets(len(c.keys))
}

// addValue counts a document into the interval of v, unless that is last. It returns the interval.
func (c *histogramCollector) addValue(doc int32, parent int64, v, last float64) (float64, error) {
	if c.hasLo && v >= c.lo && v < c.hi && c.lo == last {
		return last, nil
	}
	b, err := c.bucketOf(parent, v)
	if err != nil || b < 0 || c.lo == last {
		return last, err
	}
	return c.lo, c.add(doc, b)
}

func (c *histogramCollector) result(parent int64) (result, error) {
	r := &histogramResult{k: c.k}
	for i, key := range c.keys {
		if key.parent != parent {
			continue
		}
		subs, err := resultsAll(c.subs, int64(i))
		if err != nil {
			return nil, err
		}
		r.buckets = append(r.buckets, &bucket{float: key.key, docs: c.count(int64(i)), subs: subs})
	}
	if c.k.minDocCount == 0 {
		var err error
		if r.empty, err = resultsAll(collectors(c.k.n.subs), noBucket); err != nil {
			return nil, err
		}
	}
	return r, nil
}

type histogramResult struct {
	k       *histogramKind
	buckets []*bucket
	empty   []result // sub-aggregations of a bucket without documents
	typed   bool
}

func (r *histogramResult) merge(others []result) (result, error) {
	lists := [][]*bucket{r.buckets}
	for _, o := range others {
		lists = append(lists, o.(*histogramResult).buckets)
	}
	var err error
	r.buckets, err = mergeBuckets(lists, func(b *bucket) float64 { return b.float })
	return r, err
}

func (r *histogramResult) finish() error {
	slices.SortFunc(r.buckets, func(a, b *bucket) int { return compareFloat(a.float, b.float) })
	for _, b := range r.buckets {
		if err := finishAll(b.subs); err != nil {
			return err
		}
	}
	if r.k.minDocCount == 0 {
		if err := r.fillGaps(); err != nil {
			return err
		}
	} else {
		r.buckets = slices.DeleteFunc(r.buckets, func(b *bucket) bool { return b.docs < r.k.minDocCount })
	}
	slices.SortStableFunc(r.buckets, sorter(r.k.orders, r.k.n.subs, func(a, b *bucket) int { return compareFloat(a.float, b.float) }))
	return tooManyBuckets(len(r.buckets))
}

// fillGaps adds empty buckets between the first and the last, and to the extended bounds.
func (r *histogramResult) fillGaps() error {
	if err := finishAll(r.empty); err != nil {
		return err
	}
	e := r.k.extended
	var from, to float64
	switch {
	case len(r.buckets) > 0:
		from, to = r.buckets[0].float, r.buckets[len(r.buckets)-1].float
	case e != nil && e.min != nil && e.max != nil:
		from = r.k.round.floor(*e.min)
		to = from
	default:
		return nil
	}
	if e != nil && e.min != nil {
		from = min(from, r.k.round.floor(*e.min))
	}
	if e != nil && e.max != nil {
		to = max(to, r.k.round.floor(*e.max))
	}
	var out []*bucket
	next := 0
	for key := from; key <= to; key = r.k.round.next(key) {
		if next < len(r.buckets) && r.buckets[next].float <= key {
			key = r.buckets[next].float
			out = append(out, r.buckets[next])
			next++
			continue
		}
		out = append(out, &bucket{float: key, subs: r.empty})
		if err := tooManyBuckets(len(out)); err != nil {
			return err
		}
	}
	r.buckets = append(out, r.buckets[next:]...)
	return nil
}

func (r *histogramResult) setTyped(b bool) { r.typed = b }

func (r *histogramResult) render(o *xcontent.Object) error {
	list, keyed := make([]any, 0, len(r.buckets)), &xcontent.Object{}
	for _, b := range r.buckets {
		one := &xcontent.Object{}
		name := r.renderKey(b, one)
		one.Add("doc_count", b.docs)
		if err := renderAll(one, r.k.n.subs, b.subs, r.typed); err != nil {
			return err
		}
		if r.k.keyed {
			keyed.Add(name, one)
		} else {
			list = append(list, one)
		}
	}
	if r.k.keyed {
		o.Add("buckets", keyed)
	} else {
		o.Add("buckets", list)
	}
	return nil
}

// renderKey adds the key and returns its text.
func (r *histogramResult) renderKey(b *bucket, o *xcontent.Object) string {
	col := r.k.src.col
	text := FormatDouble(b.float)
	if r.k.dates {
		if col != nil {
			text = col.Format.Long(int64(b.float))
			o.Add("key_as_string", text)
		}
		o.Add("key", int64(b.float))
		return text
	}
	if col != nil && col.ShowFormatted {
		if col.Class == ClassDouble {
			text = col.Format.Double(b.float)
		} else {
			text = col.Format.Long(int64(b.float))
		}
		o.Add("key_as_string", text)
	}
	o.Add("key", Double(b.float))
	return text
}

func (r *histogramResult) value(string) (float64, bool) { return 0, false }
