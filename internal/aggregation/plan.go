package aggregation

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// Resolver is what aggregations need of the index: its fields and its queries.
type Resolver interface {
	// Column returns a field, or nil if the mapping does not have it. format and zone are what the request gives, or "". An
	// error says that the field cannot be aggregated.
	Column(field, format, zone string) (*Column, error)
	// Filter returns the query of a filter aggregation.
	Filter(query any) (Filter, error)
	Now() time.Time
	// CheckRegex refuses a regular expression that is longer than the index allows.
	CheckRegex(expr string) error
	// Nested returns the documents of a nested object; nil where the mapping does not have it.
	Nested(path string) (Nested, error)
	// Around returns the documents that those of the current nested object belong to: of the object path, or roots if it
	// is ""; nil where the mapping does not have the object.
	Around(path string) (Nested, error)
	// Within returns what aggregations need on the documents of a nested object, or on roots if path is "".
	Within(path string) Resolver
	// InNested tells whether documents of a nested object are aggregated.
	InNested() bool
}

// Filter finds the documents of a query within a leaf.
type Filter interface {
	// Leaf returns an iterator over the matching documents, or nil if there are none.
	Leaf(leaf *lucene.LeafContext) (lucene.DocIDSetIterator, error)
}

// MaxBuckets is the limit search.max_buckets: more buckets than that in one answer are an error.
const MaxBuckets = 65535

// Plan is the aggregations of a request, for one shard.
type Plan struct{ nodes []*node }

// node is one aggregation of the request.
type node struct {
	name string
	typ  string
	meta any
	kind kind
	subs []*node
}

// kind is what differs between aggregations.
type kind interface {
	// collector makes the state of one slice. subs are the collectors of the sub-aggregations, in order.
	collector(subs []collector) collector
	// typedName is what the parameter typed_keys puts before the name.
	typedName() string
}

// collector gathers documents into numbered buckets. It is for one goroutine.
type collector interface {
	// leaf begins a segment.
	leaf(ctx *lucene.LeafContext) error
	// collect adds a document to the bucket of the parent aggregation.
	collect(doc int32, bucket int64) error
	// result returns what the bucket of the parent gathered; also for a bucket that saw no document.
	result(bucket int64) (result, error)
}

// batcher is implemented by collectors that are faster with many documents at once.
type batcher interface {
	// collectBatch adds each of ascending documents to its bucket of the parent aggregation; nil buckets are all 0.
	collectBatch(docs []int32, buckets []int64) error
}

// result is what an aggregation found in one bucket of its parent; results of one aggregation merge.
type result interface {
	// merge adds others of the same aggregation into the receiver and returns what they make together.
	merge(others []result) (result, error)
	// finish orders and cuts the result once everything is merged.
	finish() error
	// render adds the members of the answer.
	render(o *xcontent.Object) error
	// value returns a number for ordering by it: property is "" or such as "avg".
	value(property string) (float64, bool)
}

// Parse reads the object of the request under "aggs". The request's JSON numbers must be json.Number.
func Parse(raw any, r Resolver) (*Plan, error) {
	nodes, err := parseAll(raw, r, 0)
	if err != nil {
		return nil, err
	}
	return &Plan{nodes: nodes}, nil
}

const maxDepth = 64

func parseAll(raw any, r Resolver, depth int) ([]*node, error) {
	if depth > maxDepth {
		return nil, apierr.IllegalArgument("aggregations are nested more than %d deep", maxDepth)
	}
	m, ok := raw.(*xcontent.Object)
	if !ok {
		return nil, apierr.Parsing("Expected [START_OBJECT] under [aggs], but got %s", describe(raw))
	}
	var nodes []*node
	for _, e := range m.Members {
		if strings.ContainsAny(e.Key, "[]>") || e.Key == "" {
			return nil, apierr.Parsing("Invalid aggregation name [%s]. Aggregation names can contain any character except '[', ']', and '>'", e.Key)
		}
		if slices.ContainsFunc(nodes, func(n *node) bool { return n.name == e.Key }) {
			return nil, apierr.IllegalArgument("Two sibling aggregations cannot have the same name: [%s]", e.Key)
		}
		n, err := parseOne(e.Key, e.Value, r, depth)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "VALUE_NULL"
	case string:
		return "VALUE_STRING"
	case bool:
		return "VALUE_BOOLEAN"
	case json.Number:
		return "VALUE_NUMBER"
	case []any:
		return "START_ARRAY"
	}
	return "START_OBJECT"
}

func parseOne(name string, raw any, r Resolver, depth int) (*node, error) {
	body, ok := raw.(*xcontent.Object)
	if !ok {
		return nil, apierr.Parsing("Aggregation definition for [%s] starts with a [%s], expected a [START_OBJECT].", name, describe(raw))
	}
	n := &node{name: name}
	var args *params
	var subs any
	for _, e := range body.Members {
		switch e.Key {
		case "meta":
			n.meta = e.Value
		case "aggs", "aggregations":
			if subs != nil {
				return nil, apierr.Parsing("Found two sub aggregation definitions under [%s]", name)
			}
			subs = e.Value
		default:
			if n.typ != "" {
				return nil, apierr.Parsing("Found two aggregation type definitions in [%s]: [%s] and [%s]", name, n.typ, e.Key)
			}
			o, ok := e.Value.(*xcontent.Object)
			if !ok {
				return nil, apierr.Parsing("Expected [START_OBJECT] under [%s], but got a [%s] in [%s]", e.Key, describe(e.Value), name)
			}
			n.typ, args = e.Key, &params{agg: name, typ: e.Key, o: o, used: map[string]bool{}}
		}
	}
	if n.typ == "" {
		return nil, apierr.Parsing("Missing definition for aggregation [%s]", name)
	}
	parse, ok := kinds[n.typ]
	if !ok {
		if notBuilt[n.typ] {
			return nil, apierr.NotImplemented("the aggregation type [%s] of aggregation [%s] is not built in this server", n.typ, name)
		}
		return nil, apierr.Parsing("Unknown aggregation type [%s]", n.typ).Because(
			apierr.New(http.StatusBadRequest, "named_object_not_found_exception", "unknown field [%s]", n.typ))
	}
	var err error
	if subs != nil {
		if metric[n.typ] {
			return nil, apierr.New(http.StatusInternalServerError, "aggregation_initialization_exception",
				"Aggregator [%s] of type [%s] cannot accept sub-aggregations", name, n.typ)
		}
		if n.subs, err = parseAll(subs, within(r, n.typ, args.o), depth+1); err != nil {
			return nil, err
		}
	}
	if n.kind, err = parse(n, args, r); err != nil {
		return nil, err
	}
	return n, args.unknown()
}

// kinds are the aggregation types that are built.
var kinds map[string]func(n *node, p *params, r Resolver) (kind, error)

func init() {
	kinds = map[string]func(n *node, p *params, r Resolver) (kind, error){
		"terms": parseTerms, "histogram": parseHistogram, "date_histogram": parseDateHistogram,
		"range": parseRange, "date_range": parseDateRange, "filter": parseFilter, "filters": parseFilters, "missing": parseMissing,
		"min": parseMetric, "max": parseMetric, "sum": parseMetric, "avg": parseMetric, "value_count": parseValueCount,
		"stats": parseMetric, "extended_stats": parseMetric, "cardinality": parseCardinality,
		"nested": parseNested, "reverse_nested": parseReverseNested,
	}
}

var metric = map[string]bool{"min": true, "max": true, "sum": true, "avg": true, "value_count": true, "stats": true, "extended_stats": true, "cardinality": true}

// notBuilt are the types that OpenSearch has and this server has not, so that the answer can say so.
var notBuilt = setOf("adjacency_matrix", "auto_date_histogram", "avg_bucket", "bucket_count_thresholds", "bucket_script", "bucket_selector",
	"bucket_sort", "children", "composite", "cumulative_sum", "derivative", "diversified_sampler", "extended_stats_bucket", "geo_bounds", "geo_centroid",
	"geo_distance", "geohash_grid", "geohex_grid", "geotile_grid", "global", "ip_range", "matrix_stats", "max_bucket", "median_absolute_deviation",
	"min_bucket", "moving_avg", "moving_fn", "multi_terms", "parent", "percentile_ranks", "percentiles", "percentiles_bucket",
	"rare_terms", "sampler", "scripted_metric", "serial_diff", "significant_terms", "significant_text", "stats_bucket",
	"sum_bucket", "top_hits", "variable_width_histogram", "weighted_avg")

func setOf(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// Collector gathers the documents of one slice of a shard. It is for one goroutine.
type Collector struct {
	plan *Plan
	cs   []collector
}

// Collector makes the state of one slice.
func (p *Plan) Collector() *Collector { return &Collector{p, collectors(p.nodes)} }

func collectors(nodes []*node) []collector {
	cs := make([]collector, len(nodes))
	for i, n := range nodes {
		cs[i] = n.kind.collector(collectors(n.subs))
	}
	return cs
}

// Leaf begins a segment; documents of it follow in ascending order.
func (c *Collector) Leaf(ctx *lucene.LeafContext) error { return leafAll(c.cs, ctx) }

// Collect adds a document of the current segment.
func (c *Collector) Collect(doc int32) error { return collectAll(c.cs, doc, 0) }

// CollectBatch adds ascending documents of the current segment.
func (c *Collector) CollectBatch(docs []int32) error { return collectBatches(c.cs, docs, nil) }

func collectBatches(cs []collector, docs []int32, buckets []int64) error {
	for _, c := range cs {
		var err error
		if b, ok := c.(batcher); ok {
			err = b.collectBatch(docs, buckets)
		} else {
			err = collectEach(c, docs, buckets)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func collectEach(c collector, docs []int32, buckets []int64) error {
	bucket := int64(0)
	for i, d := range docs {
		if buckets != nil {
			bucket = buckets[i]
		}
		if err := c.collect(d, bucket); err != nil {
			return err
		}
	}
	return nil
}

// Results returns what was gathered.
func (c *Collector) Results() (Results, error) {
	rs, err := resultsAll(c.cs, 0)
	return Results{c.plan.nodes, rs}, err
}

func leafAll(cs []collector, ctx *lucene.LeafContext) error {
	for _, c := range cs {
		if err := c.leaf(ctx); err != nil {
			return err
		}
	}
	return nil
}

func collectAll(cs []collector, doc int32, bucket int64) error {
	for _, c := range cs {
		if err := c.collect(doc, bucket); err != nil {
			return err
		}
	}
	return nil
}

func resultsAll(cs []collector, bucket int64) ([]result, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	rs := make([]result, len(cs))
	for i, c := range cs {
		var err error
		if rs[i], err = c.result(bucket); err != nil {
			return nil, err
		}
	}
	return rs, nil
}

// Results are what the aggregations of a request found so far.
type Results struct {
	nodes []*node
	rs    []result
}

// Reduce merges the results of slices or shards of one request; the parts must not be used afterwards. At
// least one is needed.
func Reduce(parts []Results) (Results, error) {
	lists := make([][]result, len(parts))
	for i, p := range parts {
		lists[i] = p.rs
	}
	rs, err := mergeAll(lists)
	return Results{parts[0].nodes, rs}, err
}

func mergeAll(lists [][]result) ([]result, error) {
	out := lists[0]
	if len(lists) == 1 {
		return out, nil
	}
	for i := range out {
		others := make([]result, 0, len(lists)-1)
		for _, l := range lists[1:] {
			others = append(others, l[i])
		}
		var err error
		if out[i], err = out[i].merge(others); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func finishAll(rs []result) error {
	for _, r := range rs {
		if err := r.finish(); err != nil {
			return err
		}
	}
	return nil
}

// Render finishes the merged results and returns the object for "aggregations". typed puts the type before each name.
func (r Results) Render(typed bool) (*xcontent.Object, error) {
	if err := finishAll(r.rs); err != nil {
		return nil, err
	}
	o := &xcontent.Object{}
	return o, renderAll(o, r.nodes, r.rs, typed)
}

func renderAll(o *xcontent.Object, nodes []*node, rs []result, typed bool) error {
	for i, n := range nodes {
		sub := &xcontent.Object{}
		if n.meta != nil {
			sub.Add("meta", n.meta)
		}
		if t, ok := rs[i].(interface{ setTyped(bool) }); ok {
			t.setTyped(typed)
		}
		if err := rs[i].render(sub); err != nil {
			return err
		}
		name := n.name
		if typed {
			name = n.kind.typedName() + "#" + name
		}
		o.Add(name, sub)
	}
	return nil
}
