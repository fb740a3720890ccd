package query

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

// parseList reads one query or a list of queries.
func parseList(raw any, depth int) ([]node, error) {
	list, ok := raw.([]any)
	if !ok {
		list = []any{raw}
	}
	var out []node
	for _, e := range list {
		n, err := parseQuery(e, depth)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

type boolNode struct {
	clauses []struct {
		node
		occur search.Occur
	}
	minShould    string
	pureNegative bool
}

func parseBool(name string, o *xcontent.Object, depth int) (node, error) {
	b := &boolNode{pureNegative: true}
	k := common{boost: 1}
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		occur := search.Must
		switch m.Key {
		case "must":
		case "filter":
			occur = search.Filter
		case "should":
			occur = search.Should
		case "must_not", "mustNot":
			occur = search.MustNot
		case "minimum_should_match":
			s, ok := asText(m.Value)
			if !ok && m.Value != nil {
				return nil, apierr.XContentParse("[bool] minimum_should_match doesn't support values of type: %s", describe(m.Value))
			}
			b.minShould = s
			continue
		case "adjust_pure_negative":
			var err error
			if b.pureNegative, err = toBool(m.Value); err != nil {
				return nil, err
			}
			continue
		default:
			return nil, apierr.XContentParse("[bool] unknown field [%s]", m.Key)
		}
		switch m.Value.(type) {
		case *xcontent.Object, []any:
		default:
			return nil, apierr.XContentParse("[bool] %s doesn't support values of type: %s", m.Key, describe(m.Value))
		}
		nodes, err := parseList(m.Value, depth)
		if err != nil {
			if apierr.Is(err, "not_implemented_exception") {
				return nil, err
			}
			return nil, apierr.XContentParse("[bool] failed to parse field [%s]", m.Key).Because(err)
		}
		for _, n := range nodes {
			b.clauses = append(b.clauses, struct {
				node
				occur search.Occur
			}{n, occur})
		}
	}
	return k.wrap(b), nil
}

func (b *boolNode) build(c *Context) (search.Query, error) {
	if len(b.clauses) == 0 {
		return search.MatchAll{}, nil
	}
	if len(b.clauses) > c.maxClauses() {
		return nil, search.ErrTooManyClauses
	}
	q := &search.Boolean{}
	for _, occur := range []search.Occur{search.Must, search.MustNot, search.Should, search.Filter} {
		for _, cl := range b.clauses {
			if cl.occur != occur {
				continue
			}
			inner, err := cl.build(c)
			if err != nil {
				return nil, err
			}
			if inner != nil {
				q.Clauses = append(q.Clauses, search.Clause{Query: inner, Occur: occur})
			}
		}
	}
	if len(q.Clauses) == 0 {
		return search.MatchAll{}, nil
	}
	out, err := minShouldMatch(q, b.minShould)
	if err != nil {
		return nil, err
	}
	if b.pureNegative {
		return fixNegative(out), nil
	}
	return out, nil
}

// fixNegative lets a query of prohibited clauses alone match everything else.
func fixNegative(q *search.Boolean) *search.Boolean {
	if len(q.Clauses) == 0 {
		return q
	}
	for _, cl := range q.Clauses {
		if cl.Occur != search.MustNot {
			return q
		}
	}
	out := &search.Boolean{Clauses: append([]search.Clause(nil), q.Clauses...), MinShould: q.MinShould}
	out.Clauses = append(out.Clauses, search.Clause{Query: search.MatchAll{}, Occur: search.Filter})
	return out
}

// minShouldMatch sets how many optional clauses have to match.
func minShouldMatch(q *search.Boolean, spec string) (*search.Boolean, error) {
	if spec == "" {
		return q, nil
	}
	optional := 0
	for _, cl := range q.Clauses {
		if cl.Occur == search.Should {
			optional++
		}
	}
	n, err := minimum(optional, spec)
	if err != nil || n <= 0 {
		return q, err
	}
	return &search.Boolean{Clauses: q.Clauses, MinShould: n}, nil
}

// maybeMinShould is minShouldMatch for what may be no boolean query.
func maybeMinShould(q search.Query, spec string) (search.Query, error) {
	if b, ok := q.(*search.Boolean); ok {
		return minShouldMatch(b, spec)
	}
	return q, nil
}

var spaceAroundLess = regexp.MustCompile(`(\s+<\s*)|(\s*<\s+)`)

// minimum evaluates minimum_should_match: a number, a percentage, either negative, or conditions such as "2<75% 9<-3".
func minimum(optional int, spec string) (int, error) {
	result := optional
	spec = strings.TrimSpace(spec)
	if strings.Contains(spec, "<") {
		spec = spaceAroundLess.ReplaceAllString(spec, "<")
		for part := range strings.FieldsSeq(spec) {
			bound, then, _ := strings.Cut(part, "<")
			n, err := strconv.Atoi(bound)
			if err != nil {
				return 0, numberFormat(bound)
			}
			if optional <= n {
				return result, nil
			}
			if result, err = minimum(optional, then); err != nil {
				return 0, err
			}
		}
		return result, nil
	}
	if strings.Contains(spec, "%") {
		percent, err := strconv.Atoi(spec[:len(spec)-1])
		if err != nil {
			return 0, numberFormat(spec[:len(spec)-1])
		}
		calc := float32(result*percent) * (1 / float32(100))
		if calc < 0 {
			result += int(calc)
		} else {
			result = int(calc)
		}
	} else {
		calc, err := strconv.Atoi(strings.TrimPrefix(spec, "+"))
		if err != nil {
			return 0, numberFormat(spec)
		}
		if calc < 0 {
			result += calc
		} else {
			result = calc
		}
	}
	return max(result, 0), nil
}

func parseConstantScore(name string, o *xcontent.Object, depth int) (node, error) {
	k := common{boost: 1}
	var inner node
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		if m.Key != "filter" {
			return nil, apierr.Parsing("[constant_score] query does not support [%s]", m.Key)
		}
		if _, ok := m.Value.([]any); ok {
			return nil, apierr.Parsing("unexpected token [START_ARRAY]")
		}
		if inner != nil {
			return nil, apierr.Parsing("[constant_score] accepts only one 'filter' element.")
		}
		var err error
		if inner, err = parseQuery(m.Value, depth); err != nil {
			return nil, err
		}
	}
	if inner == nil {
		return nil, apierr.Parsing("[constant_score] requires a 'filter' element")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		q, err := inner.build(c)
		if err != nil || q == nil {
			return nil, err
		}
		return &search.ConstantScore{Query: q}, nil
	})), nil
}

func parseDisMax(name string, o *xcontent.Object, depth int) (node, error) {
	k := common{boost: 1}
	var inner []node
	tie := 0.0
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		var err error
		switch m.Key {
		case "tie_breaker":
			tie, err = toFloat(m.Value)
		case "queries":
			inner, err = parseList(m.Value, depth)
		default:
			err = unknown(name, m.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(inner) == 0 {
		return nil, apierr.Parsing("[dis_max] requires 'queries' field with at least one clause")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		q := &search.DisMax{TieBreaker: float32(tie)}
		for _, n := range inner {
			one, err := n.build(c)
			if err != nil {
				return nil, err
			}
			if one != nil {
				q.Queries = append(q.Queries, one)
			}
		}
		if len(q.Queries) == 0 {
			return search.MatchNone{}, nil
		}
		return q, nil
	})), nil
}

func parseBoosting(name string, o *xcontent.Object, depth int) (node, error) {
	k := common{boost: 1}
	var positive, negative node
	factor := -1.0
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		var err error
		switch m.Key {
		case "positive":
			positive, err = parseQuery(m.Value, depth)
		case "negative":
			negative, err = parseQuery(m.Value, depth)
		case "negative_boost":
			factor, err = toFloat(m.Value)
		default:
			err = unknown(name, m.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case positive == nil:
		return nil, apierr.Parsing("[boosting] query requires 'positive' query to be set'")
	case negative == nil:
		return nil, apierr.Parsing("[boosting] query requires 'negative' query to be set'")
	case factor < 0:
		return nil, apierr.Parsing("[boosting] query requires 'negative_boost' to be set to be a positive value'")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		p, err := positive.build(c)
		if err != nil || p == nil {
			return nil, err
		}
		n, err := negative.build(c)
		if err != nil {
			return nil, err
		}
		if n == nil {
			return p, nil
		}
		return &search.Demote{Query: p, Match: n, Factor: float32(factor)}, nil
	})), nil
}
