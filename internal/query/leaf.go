package query

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

// readCommon reads a query that has nothing but boost and _name.
func readCommon(name string, o *xcontent.Object) (common, error) {
	k := common{boost: 1}
	for _, m := range o.Members {
		known, err := k.take(name, m)
		if err != nil {
			return k, err
		}
		if !known {
			return k, apierr.Parsing("[%s] unknown field [%s]", name, m.Key)
		}
	}
	return k, nil
}

func constantNode(q search.Query) node {
	return buildFunc(func(*Context) (search.Query, error) { return q, nil })
}

func parseMatchAll(name string, o *xcontent.Object, _ int) (node, error) {
	k, err := readCommon(name, o)
	return k.wrap(constantNode(search.MatchAll{})), err
}

func parseMatchNone(name string, o *xcontent.Object, _ int) (node, error) {
	_, err := readCommon(name, o)
	return constantNode(search.MatchNone{}), err
}

// parseWrapper reads a query that is encoded in base64.
func parseWrapper(_ string, o *xcontent.Object, depth int) (node, error) {
	v, _ := o.Get("query")
	s, ok := v.(string)
	if !ok || o.Len() != 1 {
		return nil, apierr.Parsing("[wrapper] query malformed, expected `query` but was %s", firstKey(o))
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, apierr.IllegalArgument("Illegal base64 character")
	}
	raw, err := xcontent.Decode(data)
	if err != nil {
		return nil, apierr.Parsing("[wrapper] query malformed: %s", err)
	}
	return parseQuery(raw, depth)
}

func firstKey(o *xcontent.Object) string {
	if o.Len() == 0 {
		return ""
	}
	return o.Members[0].Key
}

func parseTerm(name string, o *xcontent.Object, _ int) (node, error) {
	b, err := readField(name, o, false)
	if err != nil {
		return nil, err
	}
	v, fold := b.value, false
	if b.params != nil {
		v = nil
		for _, m := range b.params.Members {
			if known, err := b.take(name, m); known {
				if err != nil {
					return nil, err
				}
				continue
			}
			switch m.Key {
			case "value", "term":
				if !isScalar(m.Value) {
					return nil, apierr.Parsing("[term] query does not support [%s]", m.Key)
				}
				v = m.Value
			case "case_insensitive":
				if fold, err = toBool(m.Value); err != nil {
					return nil, err
				}
			default:
				return nil, unknown(name, m.Key)
			}
		}
	}
	if v == nil {
		return nil, apierr.IllegalArgument("value cannot be null")
	}
	return b.wrap(buildFunc(func(c *Context) (search.Query, error) {
		r := c.lookup(b.field)
		if r == nil {
			return search.MatchNone{}, nil
		}
		if !fold {
			return c.termQuery(r, v)
		}
		if r.Name() == "_index" {
			if c.isIndex(strings.ToLower(valueText(v))) {
				return search.MatchAll{}, nil
			}
			return search.MatchNone{}, nil
		}
		if !r.textual() {
			return nil, c.shardError("[%s] field which is of type [%s], does not support case insensitive term queries", r.Name(), r.Type())
		}
		if err := r.indexed(); err != nil {
			return nil, err
		}
		t, err := r.term(valueText(v))
		if err != nil {
			return nil, err
		}
		return withBoost(search.NewTermFolded(r.termField(), string(t)), r), nil
	})), nil
}

func parseTerms(name string, o *xcontent.Object, _ int) (node, error) {
	k := common{boost: 1}
	var field string
	var values []any
	var from *TermsLookup
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		switch v := m.Value.(type) {
		case []any:
			if field != "" {
				return nil, apierr.Parsing("[terms] query does not support multiple fields")
			}
			field, values = m.Key, []any{}
			for _, e := range v {
				if e == nil {
					return nil, apierr.Parsing("No value specified for terms query")
				}
				if !isScalar(e) {
					return nil, apierr.IllegalArgument("[terms] query does not support values of type [%s]", describe(e))
				}
				values = append(values, e)
			}
		case *xcontent.Object:
			if field != "" {
				return nil, apierr.Parsing("[terms] query does not support more than one field. Already got: [%s] but also found [%s]", field, m.Key)
			}
			field = m.Key
			var err error
			if from, err = parseTermsLookup(v); err != nil {
				return nil, err
			}
		default:
			if m.Key == "value_type" {
				if valueText(v) != "default" {
					return nil, apierr.NotImplemented("[terms] query with value_type [%s] is not built in this server", valueText(v))
				}
				continue
			}
			return nil, apierr.Parsing("[terms] query does not support [%s]", m.Key)
		}
	}
	if field == "" {
		return nil, apierr.Parsing("[terms] query requires a field name, followed by array of terms or a document lookup specification")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		values := values
		if from != nil {
			if c.TermsLookup == nil {
				return nil, apierr.NotImplemented("[terms] query with a lookup of terms is not possible here")
			}
			var err error
			if values, err = c.TermsLookup(*from); err != nil {
				return nil, err
			}
		}
		if len(values) == 0 {
			return search.MatchNone{}, nil
		}
		limit := c.MaxTerms
		if limit <= 0 {
			limit = DefaultMaxTerms
		}
		if len(values) > limit {
			return nil, apierr.IllegalArgument("The number of terms [%d] used in the Terms Query request has exceeded the allowed maximum of [%d]. This maximum can be set by changing the [index.max_terms_count] index level setting.",
				len(values), limit)
		}
		r := c.lookup(field)
		if r == nil {
			return search.MatchNone{}, nil
		}
		return c.termsQuery(r, values)
	})), nil
}

func parseTermsLookup(o *xcontent.Object) (*TermsLookup, error) {
	l := &TermsLookup{}
	for _, m := range o.Members {
		if !isScalar(m.Value) {
			return nil, apierr.Parsing("[terms] unknown token [%s] after [%s]", describe(m.Value), m.Key)
		}
		s := valueText(m.Value)
		switch m.Key {
		case "index":
			l.Index = s
		case "id":
			l.ID = s
		case "path":
			l.Path = s
		case "routing":
			l.Routing = s
		case "store":
		default:
			return nil, apierr.XContentParse("[terms_lookup] unknown field [%s]", m.Key)
		}
	}
	var missing []string
	for _, p := range [][2]string{{"index", l.Index}, {"id", l.ID}, {"path", l.Path}} {
		if p[1] == "" {
			missing = append(missing, p[0])
		}
	}
	if len(missing) > 0 {
		return nil, apierr.IllegalArgument("Required [%s]", strings.Join(missing, ", "))
	}
	return l, nil
}

func parseRange(name string, o *xcontent.Object, _ int) (node, error) {
	k := common{boost: 1}
	field := ""
	b := bounds{includeLower: true, includeUpper: true}
	for _, m := range o.Members {
		params, ok := m.Value.(*xcontent.Object)
		if !ok {
			if _, list := m.Value.([]any); list {
				return nil, apierr.Parsing("[range] query malformed, no start_object after query name")
			}
			return nil, unknown(name, m.Key)
		}
		if field != "" {
			return nil, apierr.Parsing("[range] query doesn't support multiple fields, found [%s] and [%s]", field, m.Key)
		}
		field = m.Key
		for _, p := range params.Members {
			if known, err := k.take(name, p); known {
				if err != nil {
					return nil, err
				}
				continue
			}
			if !isScalar(p.Value) {
				return nil, apierr.Parsing("[range] query does not support [%s]", p.Key)
			}
			var err error
			switch p.Key {
			case "from":
				b.from = p.Value
			case "to":
				b.to = p.Value
			case "include_lower":
				b.includeLower, err = toBool(p.Value)
			case "include_upper":
				b.includeUpper, err = toBool(p.Value)
			case "gt", "gte":
				b.from, b.includeLower = p.Value, p.Key == "gte"
			case "lt", "lte":
				b.to, b.includeUpper = p.Value, p.Key == "lte"
			case "time_zone":
				b.zone, err = dateformat.ParseZone(valueText(p.Value))
			case "format":
				b.format, err = dateformat.Parse(valueText(p.Value))
			case "relation":
				b.relation = strings.ToLower(valueText(p.Value))
				switch b.relation {
				case "intersects", "contains", "within":
				case "disjoint":
					err = apierr.IllegalArgument("[range] query does not support relation [%s]", valueText(p.Value))
				default:
					err = apierr.IllegalArgument("%s is not a valid relation", valueText(p.Value))
				}
			default:
				err = unknown(name, p.Key)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if field == "" {
		return nil, apierr.IllegalArgument("field name is null or empty")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		r := c.lookup(field)
		if r == nil {
			return search.MatchNone{}, nil
		}
		if b.from == nil && b.to == nil {
			return c.existsQuery(field), nil
		}
		return c.rangeQuery(r, &b)
	})), nil
}

func parseExists(name string, o *xcontent.Object, _ int) (node, error) {
	k := common{boost: 1}
	field := ""
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		if m.Key != "field" || !isScalar(m.Value) {
			if isScalar(m.Value) {
				return nil, unknown(name, m.Key)
			}
			return nil, badToken(name, m.Key, m.Value)
		}
		field = valueText(m.Value)
	}
	if field == "" {
		return nil, apierr.Parsing("[exists] must be provided with a [field]")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) { return c.existsQuery(field), nil })), nil
}

func parseIDs(name string, o *xcontent.Object, _ int) (node, error) {
	k := common{boost: 1}
	var ids []any
	given := false
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		switch m.Key {
		case "values":
			given = true
			list, ok := m.Value.([]any)
			if !ok {
				list = []any{m.Value}
			}
			for _, v := range list {
				if !isScalar(v) || v == nil {
					return nil, apierr.XContentParse("[ids] failed to parse field [values]")
				}
			}
			ids = list
		default:
			return nil, apierr.Parsing("[ids] unknown field [%s]", m.Key)
		}
	}
	if !given {
		return nil, apierr.IllegalArgument("Required [values]")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		if len(ids) == 0 {
			return search.MatchNone{}, nil
		}
		q := &search.Terms{Field: "_id"}
		for _, v := range ids {
			q.Values = append(q.Values, uid.Encode(nil, valueText(v)))
		}
		return q, nil
	})), nil
}

// utf16Length counts as Java's String.length does.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

func codePoints(s string) int { return utf8.RuneCountInString(s) }

func asText(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number, bool:
		return valueText(x), true
	}
	return "", false
}
