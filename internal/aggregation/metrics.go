package aggregation

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// Double is a float64 that JSON shows as Java does: 3.0, 1.0E10.
type Double float64

// MarshalJSON implements json.Marshaler.
func (d Double) MarshalJSON() ([]byte, error) {
	f := float64(d)
	switch {
	case math.IsNaN(f):
		return json.Marshal("NaN")
	case math.IsInf(f, 1):
		return json.Marshal("Infinity")
	case math.IsInf(f, -1):
		return json.Marshal("-Infinity")
	}
	return []byte(FormatDouble(f)), nil
}

// FormatDouble prints a number as Java's Double.toString does.
func FormatDouble(f float64) string {
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		s := strconv.FormatFloat(f, 'E', -1, 64)
		mantissa, exp, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exp)
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// metricKind is min, max, sum, avg, stats and extended_stats: all of them gather the same sums.
type metricKind struct {
	n     *node
	src   *source
	sigma float64
}

func parseMetric(n *node, p *params, r Resolver) (kind, error) {
	s, err := p.source(r, "")
	if err != nil {
		return nil, err
	}
	if err := p.needNumeric(s); err != nil {
		return nil, err
	}
	k := &metricKind{n: n, src: s, sigma: 2}
	if n.typ == "extended_stats" {
		k.sigma, _, err = p.float("sigma", 2)
	}
	return k, err
}

func (k *metricKind) typedName() string { return k.n.typ }

// squares tells whether the sum of the values' squares is of use.
func (k *metricKind) squares() bool { return k.n.typ == "extended_stats" }

func (k *metricKind) collector([]collector) collector { return &metricCollector{k: k} }

// sums are the moments of a bucket's values, with compensated addition.
type sums struct {
	count            int64
	min, max         float64
	sum, sumC        float64
	squares, squareC float64
}

func newSums() sums { return sums{min: math.Inf(1), max: math.Inf(-1)} }

// kahan adds v to sum; c carries what rounding lost.
func kahan(sum, c *float64, v float64) {
	y := v + *c
	t := *sum + y
	if t-t == 0 { // all finite
		*c = y - (t - *sum)
		*sum = t
		return
	}
	if math.IsInf(v, 0) || math.IsNaN(v) {
		*sum += v
		return
	}
	if math.IsInf(*sum, 0) || math.IsNaN(*sum) {
		return
	}
	*c = y - (t - *sum)
	*sum = t
}

// add takes a value; squares are added up only where they are shown.
func (s *sums) add(v float64, squares bool) {
	s.count++
	s.min, s.max = min(s.min, v), max(s.max, v)
	kahan(&s.sum, &s.sumC, v)
	if squares {
		kahan(&s.squares, &s.squareC, v*v)
	}
}

type metricCollector struct {
	k    *metricKind
	nums *numbers
	sums []sums
}

func (c *metricCollector) leaf(ctx *lucene.LeafContext) (err error) {
	c.nums = nil
	if c.k.src.col != nil {
		c.nums, err = openNumbers(ctx.Reader, c.k.src.col.Field)
	}
	return err
}

func (c *metricCollector) collect(doc int32, bucket int64) error {
	for int64(len(c.sums)) <= bucket {
		c.sums = append(c.sums, newSums())
	}
	s := &c.sums[bucket]
	var vals []int64
	if c.nums != nil {
		var err error
		if vals, err = c.nums.read(doc); err != nil {
			return err
		}
	}
	if len(vals) == 0 {
		_, f, ok, err := c.k.src.missingRaw()
		if err != nil {
			return err
		}
		if ok {
			s.add(f, c.k.squares())
		}
		return nil
	}
	for _, v := range vals {
		s.add(c.k.src.col.float(v), c.k.squares())
	}
	return nil
}

func (c *metricCollector) collectBatch(docs []int32, buckets []int64) error {
	if c.nums == nil || c.k.src.missing != nil {
		return collectEach(c, docs, buckets)
	}
	found, vals, ok, err := c.nums.many(c.nums.single, docs)
	if err != nil {
		return err
	}
	if !ok {
		return collectEach(c, docs, buckets)
	}
	of, col, squares := parents{docs: docs, buckets: buckets}, c.k.src.col, c.k.squares()
	all := len(found) == len(docs)
	for i, v := range vals {
		var b int64
		switch {
		case buckets == nil:
		case all:
			b = buckets[i]
		default:
			b = of.of(found[i])
		}
		for int64(len(c.sums)) <= b {
			c.sums = append(c.sums, newSums())
		}
		c.sums[b].add(col.float(v), squares)
	}
	return nil
}

func (c *metricCollector) result(bucket int64) (result, error) {
	if bucket >= int64(len(c.sums)) {
		return &metricResult{k: c.k, sums: newSums()}, nil
	}
	return &metricResult{k: c.k, sums: c.sums[bucket]}, nil
}

type metricResult struct {
	k *metricKind
	sums
}

func (r *metricResult) merge(others []result) (result, error) {
	for _, o := range others {
		o := o.(*metricResult)
		r.count += o.count
		r.min, r.max = min(r.min, o.min), max(r.max, o.max)
		kahan(&r.sum, &r.sumC, o.sum)
		kahan(&r.squares, &r.squareC, o.squares)
	}
	return r, nil
}

func (r *metricResult) finish() error { return nil }

func (r *metricResult) avg() float64 { return r.sum / float64(r.count) }

func (r *metricResult) variance(sampling bool) float64 {
	n := float64(r.count)
	d := n
	if sampling {
		d = n - 1
	}
	v := (r.squares - r.sum*r.sum/n) / d
	if v < 0 {
		return 0
	}
	return v
}

func (r *metricResult) bounds(name string) float64 {
	side, sampling := 1.0, strings.HasSuffix(name, "_sampling")
	if strings.Contains(name, "lower") {
		side = -1
	}
	return r.avg() + side*r.k.sigma*math.Sqrt(r.variance(sampling))
}

// value returns a statistic by name; "" is the one that the aggregation is for.
func (r *metricResult) value(property string) (float64, bool) {
	if property == "" || property == "value" {
		property = r.k.n.typ
	}
	switch property {
	case "count", "value_count":
		return float64(r.count), true
	case "min":
		return r.min, r.count > 0
	case "max":
		return r.max, r.count > 0
	case "avg":
		return r.avg(), r.count > 0
	case "sum":
		return r.sum, true
	case "sum_of_squares":
		return r.squares, true
	case "variance", "variance_population":
		return r.variance(false), r.count > 0
	case "variance_sampling":
		return r.variance(true), r.count > 1
	case "std_deviation", "std_deviation_population":
		return math.Sqrt(r.variance(false)), r.count > 0
	case "std_deviation_sampling":
		return math.Sqrt(r.variance(true)), r.count > 1
	}
	return 0, false
}

func (r *metricResult) number(v float64, ok bool) any {
	if !ok {
		return nil
	}
	return Double(v)
}

func (r *metricResult) formatted(o *xcontent.Object, name string, v float64, ok bool) {
	col := r.k.src.col
	switch {
	case !ok || col == nil:
	case col.Unsigned: // whose values always have a text beside them
		o.Add(name, FormatDouble(v))
	case col.ShowFormatted:
		if col.Class == ClassDouble {
			o.Add(name, col.Format.Double(v))
		} else {
			o.Add(name, col.Format.Long(int64(v)))
		}
	}
}

func (r *metricResult) render(o *xcontent.Object) error {
	any := r.count > 0
	switch r.k.n.typ {
	case "min", "max", "avg", "sum":
		v, ok := r.value("")
		o.Add("value", r.number(v, ok))
		r.formatted(o, "value_as_string", v, ok)
		return nil
	}
	o.Add("count", r.count)
	o.Add("min", r.number(r.min, any)).Add("max", r.number(r.max, any)).Add("avg", r.number(r.avg(), any)).Add("sum", Double(r.sum))
	if r.k.n.typ == "stats" {
		r.formatted(o, "min_as_string", r.min, any)
		r.formatted(o, "max_as_string", r.max, any)
		r.formatted(o, "avg_as_string", r.avg(), any)
		r.formatted(o, "sum_as_string", r.sum, any)
		return nil
	}
	r.formatted(o, "min_as_string", r.min, any)
	r.formatted(o, "max_as_string", r.max, any)
	r.formatted(o, "avg_as_string", r.avg(), any)
	r.formatted(o, "sum_as_string", r.sum, any)
	r.renderExtended(o, any)
	return nil
}

func (r *metricResult) renderExtended(o *xcontent.Object, any bool) {
	if any {
		o.Add("sum_of_squares", Double(r.squares))
	} else {
		o.Add("sum_of_squares", nil)
	}
	for _, name := range []string{"variance", "variance_population", "variance_sampling", "std_deviation", "std_deviation_population", "std_deviation_sampling"} {
		v, ok := r.value(name)
		if any && !ok {
			v, ok = math.NaN(), true
		}
		o.Add(name, r.number(v, ok))
	}
	b := &xcontent.Object{}
	for _, name := range []string{"upper", "lower", "upper_population", "lower_population", "upper_sampling", "lower_sampling"} {
		v := r.bounds(name)
		if any && r.count == 1 && strings.HasSuffix(name, "_sampling") {
			v = math.NaN()
		}
		b.Add(name, r.number(v, any))
	}
	o.Add("std_deviation_bounds", b)
}

// countKind is value_count.
type countKind struct {
	n   *node
	src *source
}

func parseValueCount(n *node, p *params, r Resolver) (kind, error) {
	s, err := p.source(r, "")
	return &countKind{n, s}, err
}

func (k *countKind) typedName() string { return "value_count" }

func (k *countKind) collector([]collector) collector { return &countCollector{k: k} }

type countCollector struct {
	k    *countKind
	nums *numbers
	ords *ordinals
	has  *presence
	n    []int64
}

func (c *countCollector) leaf(ctx *lucene.LeafContext) (err error) {
	c.nums, c.ords, c.has = nil, nil, nil
	col := c.k.src.col
	switch {
	case col == nil:
	case col.numeric():
		c.nums, err = openNumbers(ctx.Reader, col.Field)
	case col.Class == ClassBytes:
		c.ords, err = openOrdinals(ctx.Reader, col.Field)
	default:
		c.has, err = openPresence(ctx.Reader, col.Field)
	}
	return err
}

func (c *countCollector) collect(doc int32, bucket int64) error {
	for int64(len(c.n)) <= bucket {
		c.n = append(c.n, 0)
	}
	var vals []int64
	var err error
	switch {
	case c.nums != nil:
		vals, err = c.nums.read(doc)
	case c.ords != nil:
		vals, err = c.ords.read(doc)
	case c.has != nil:
		var ok bool
		if ok, err = c.has.has(doc); ok {
			vals = []int64{0}
		}
	}
	if err != nil {
		return err
	}
	n := int64(len(vals))
	if n == 0 && c.k.src.missing != nil {
		n = 1
	}
	c.n[bucket] += n
	return nil
}

func (c *countCollector) collectBatch(docs []int32, buckets []int64) error {
	var column any
	var s *several
	switch {
	case c.nums != nil:
		column, s = c.nums.single, &c.nums.several
	case c.ords != nil:
		column, s = c.ords.single, &c.ords.several
	}
	if s == nil || c.k.src.missing != nil {
		return collectEach(c, docs, buckets)
	}
	found, _, ok, err := s.many(column, docs)
	if err != nil {
		return err
	}
	if !ok {
		return collectEach(c, docs, buckets)
	}
	of := parents{docs: docs, buckets: buckets}
	for _, doc := range found {
		b := of.of(doc)
		for int64(len(c.n)) <= b {
			c.n = append(c.n, 0)
		}
		c.n[b]++
	}
	return nil
}

func (c *countCollector) result(bucket int64) (result, error) {
	if bucket >= int64(len(c.n)) {
		return &countResult{}, nil
	}
	return &countResult{c.n[bucket]}, nil
}

type countResult struct{ n int64 }

func (r *countResult) merge(others []result) (result, error) {
	for _, o := range others {
		r.n += o.(*countResult).n
	}
	return r, nil
}

func (r *countResult) finish() error                   { return nil }
func (r *countResult) value(string) (float64, bool)    { return float64(r.n), true }
func (r *countResult) render(o *xcontent.Object) error { o.Add("value", r.n); return nil }
