package query

import (
	"errors"
	"net/http"
	"sort"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

// maxDepth is how deep queries may lie within each other.
const maxDepth = 500

// node is a query that was read and is bound to no index yet. It is immutable.
type node interface {
	// build makes the query of an index; nil where the query has nothing to say, as one whose text has no words.
	build(c *Context) (search.Query, error)
}

// buildFunc is a node that is a function.
type buildFunc func(c *Context) (search.Query, error)

func (f buildFunc) build(c *Context) (search.Query, error) { return f(c) }

// Compiled is a query without an index. It is immutable.
type Compiled struct{ root node }

// Compile reads a query; nil matches everything.
func Compile(raw any) (*Compiled, error) {
	if raw == nil {
		return &Compiled{buildFunc(func(*Context) (search.Query, error) { return search.MatchAll{}, nil })}, nil
	}
	n, err := parseQuery(raw, 0)
	if err != nil {
		return nil, err
	}
	return &Compiled{n}, nil
}

// Parse is Compile and Query at once.
func Parse(raw any, c *Context) (search.Query, error) {
	q, err := Compile(raw)
	if err != nil {
		return nil, err
	}
	return q.Query(c)
}

// Query returns the query for an index. It does not hide nested documents: see Context.Filtered.
func (q *Compiled) Query(c *Context) (search.Query, error) {
	out, err := q.root.build(c)
	if err != nil {
		return nil, c.wrap(err)
	}
	if out == nil {
		return search.MatchNone{}, nil
	}
	return out, nil
}

// wrap makes an error of binding one of the index, as OpenSearch does with all but those that already are.
func (c *Context) wrap(err error) error {
	e := apierr.As(err)
	if e != nil {
		switch e.Type {
		case "query_shard_exception", "parsing_exception", "not_implemented_exception":
			return err
		}
		return c.shardError("failed to create query: %s", e.Reason).Because(err)
	}
	if errors.Is(err, search.ErrTooManyClauses) {
		e = apierr.New(http.StatusInternalServerError, "too_many_clauses", "maxClauseCount is set to %d", c.maxClauses())
		return c.shardError("failed to create query: %s", e.Reason).Because(e)
	}
	return c.shardError("failed to create query: %s", err).Because(err)
}

// parser reads the object after a query's name.
type parser func(name string, o *xcontent.Object, depth int) (node, error)

var parsers map[string]parser

func init() {
	parsers = map[string]parser{
		"match_all": parseMatchAll, "match_none": parseMatchNone, "term": parseTerm, "terms": parseTerms, "range": parseRange,
		"exists": parseExists, "prefix": parsePrefix, "wildcard": parseWildcard, "regexp": parseRegexp, "fuzzy": parseFuzzy, "ids": parseIDs,
		"match": parseMatch, "match_phrase": parseMatchPhrase, "match_phrase_prefix": parseMatchPhrasePrefix,
		"match_bool_prefix": parseMatchBoolPrefix, "multi_match": parseMultiMatch, "bool": parseBool, "constant_score": parseConstantScore, "dis_max": parseDisMax,
		"boosting": parseBoosting, "nested": parseNested, "geo_bounding_box": parseGeoBox, "geo_distance": parseGeoDistance,
		"function_score": parseFunctionScore, "wrapper": parseWrapper,
		"query_string": parseQueryString, "simple_query_string": parseSimpleQueryString,
	}
}

// notBuilt are queries that OpenSearch has and this server has not.
var notBuilt = map[string]bool{"distance_feature": true, "rank_feature": true, "script": true, "script_score": true, "more_like_this": true,
	"percolate": true, "has_child": true, "has_parent": true, "parent_id": true, "intervals": true, "span_term": true, "span_multi": true,
	"span_near": true, "span_not": true, "span_or": true, "span_first": true, "span_containing": true, "span_within": true,
	"field_masking_span": true, "span_field_masking": true, "geo_shape": true, "geo_polygon": true, "common": true, "terms_set": true, "knn": true,
	"hybrid": true, "neural": true, "xy_shape": true, "template": true, "geo_grid": true, "pinned": true, "shape": true}

// parseQuery reads {"name": {…}}.
func parseQuery(raw any, depth int) (node, error) {
	o, ok := raw.(*xcontent.Object)
	if !ok {
		return nil, apierr.Parsing("[_na] query malformed, must start with start_object")
	}
	if o.Len() == 0 {
		return nil, apierr.IllegalArgument("query malformed, empty clause found")
	}
	if depth > maxDepth {
		return nil, apierr.Parsing("queries lie within each other more than %d deep", maxDepth)
	}
	name := o.Members[0].Key
	body, ok := o.Members[0].Value.(*xcontent.Object)
	if !ok {
		return nil, apierr.Parsing("[%s] query malformed, no start_object after query name", name)
	}
	p := parsers[name]
	if p == nil {
		if notBuilt[name] {
			return nil, apierr.NotImplemented("the query [%s] is not built in this server", name)
		}
		return nil, apierr.Parsing("unknown query [%s]%s", name, suggest(name)).Because(
			apierr.New(http.StatusBadRequest, "named_object_not_found_exception", "unknown field [%s]", name))
	}
	n, err := p(name, body, depth+1)
	if err != nil {
		return nil, err
	}
	if o.Len() > 1 {
		return nil, apierr.Parsing("[%s] malformed query, expected [END_OBJECT] but found [FIELD_NAME]", name)
	}
	return n, nil
}

// suggest names queries that are spelled like an unknown one.
func suggest(name string) string {
	type scored struct {
		name  string
		score float64
	}
	var near []scored
	names := make([]string, 0, len(parsers)+len(notBuilt))
	for n := range parsers {
		names = append(names, n)
	}
	for n := range notBuilt {
		names = append(names, n)
	}
	for _, n := range names {
		longest := max(len(n), len(name))
		if score := 1 - float64(editDistance(name, n))/float64(longest); score > 0.5 {
			near = append(near, scored{n, score})
		}
	}
	sort.Slice(near, func(i, j int) bool {
		if near[i].score != near[j].score {
			return near[i].score > near[j].score
		}
		return near[i].name < near[j].name
	})
	switch len(near) {
	case 0:
		return ""
	case 1:
		return " did you mean [" + near[0].name + "]?"
	}
	list := make([]string, len(near))
	for i, s := range near {
		list[i] = s.name
	}
	return " did you mean any of [" + strings.Join(list, ", ") + "]?"
}

// editDistance is that of Levenshtein.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// common are the parameters that all queries have.
type common struct {
	boost float64
	name  string
	over  bool // boost was given
}

// wrap puts the boost around a node.
func (k common) wrap(n node) node {
	if !k.over || k.boost == 1 {
		return n
	}
	return buildFunc(func(c *Context) (search.Query, error) {
		q, err := n.build(c)
		if err != nil || q == nil {
			return q, err
		}
		return boosted(q, k.boost), nil
	})
}

func boosted(q search.Query, boost float64) search.Query {
	if boost == 1 {
		return q
	}
	return &search.Boost{Query: q, Boost: float32(boost)}
}

// take reads boost and _name.
func (k *common) take(query string, m xcontent.Member) (bool, error) {
	switch m.Key {
	case "boost":
		f, err := toFloat(m.Value)
		if err != nil {
			return true, err
		}
		if float32(f) < 0 {
			return true, apierr.IllegalArgument("negative [boost] are not allowed in [%s], use a value between 0 and 1 to deboost", query)
		}
		k.boost, k.over = float64(float32(f)), true
		return true, nil
	case "_name":
		k.name = valueText(m.Value)
		return true, nil
	}
	return false, nil
}

// fieldBody is a query of the form {"field": …, "boost": …} where the value is a scalar or an object of parameters.
type fieldBody struct {
	field  string
	value  any              // the scalar, if params is nil
	params *xcontent.Object // the object
	common
}

// readField reads the usual form of queries on one field. Boost and _name beside the field are accepted if outer.
func readField(query string, o *xcontent.Object, outer bool) (*fieldBody, error) {
	b := &fieldBody{common: common{boost: 1}}
	for _, m := range o.Members {
		if outer || m.Key == "_name" {
			if known, err := b.take(query, m); known {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		if _, list := m.Value.([]any); list {
			return nil, apierr.Parsing("[%s] query does not support array of values", query)
		}
		if b.field != "" {
			return nil, apierr.Parsing("[%s] query doesn't support multiple fields, found [%s] and [%s]", query, b.field, m.Key)
		}
		b.field = m.Key
		if params, ok := m.Value.(*xcontent.Object); ok {
			b.params = params
		} else {
			b.value = m.Value
		}
	}
	if b.field == "" {
		return nil, apierr.IllegalArgument("field name is null or empty")
	}
	return b, nil
}

// unknown is the error for a parameter that a query does not have.
func unknown(query, key string) error {
	return apierr.Parsing("[%s] query does not support [%s]", query, key)
}

// badToken is the error for a parameter of the wrong form.
func badToken(query, key string, v any) error {
	switch v.(type) {
	case *xcontent.Object, []any:
		return apierr.Parsing("[%s] unknown token [%s] after [%s]", query, describe(v), key)
	}
	return unknown(query, key)
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "VALUE_NULL"
	case string:
		return "VALUE_STRING"
	case bool:
		return "VALUE_BOOLEAN"
	case []any:
		return "START_ARRAY"
	case *xcontent.Object:
		return "START_OBJECT"
	}
	return "VALUE_NUMBER"
}
