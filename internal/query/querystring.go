package query

import (
	"errors"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/automaton"
	"github.com/varve-search/varve/lucene/search"
)

// maxQueryString is search.query.max_query_string_length.
const maxQueryString = 32000

// stringLeaves makes the queries of the parts of a query string.
type stringLeaves struct {
	c             *Context
	defaultField  *string // as the request names it
	fields        []weighted
	kind          multiKind
	tie           float64
	opt           textOptions
	quoteAnalyzer string
	quoteSuffix   string
	analyzeWild   bool
	noLeadingWild bool
	zone          *time.Location
	fuzziness     fuzziness
	rewrite       rewrite
	states        int
}

// on returns the fields that a name or pattern means; without one, those of the request.
func (l *stringLeaves) on(field *string, quoted bool) ([]weighted, error) {
	if field == nil {
		field = l.defaultField
	}
	suffix := ""
	if quoted {
		suffix = l.quoteSuffix
	}
	if field != nil {
		return l.c.expand([]fieldBoost{{*field, 1}}, suffix)
	}
	if suffix == "" {
		return l.fields, nil
	}
	var list []fieldBoost
	for _, f := range l.fields {
		list = append(list, fieldBoost{f.Name(), f.boost})
	}
	return l.c.expand(list, suffix)
}

func (l *stringLeaves) isExists(field *string) bool { return field != nil && *field == "_exists_" }

// text is a word, or words beside each other.
func (l *stringLeaves) text(field *string, text string) (search.Query, error) {
	if l.isExists(field) {
		return l.c.existsQuery(text), nil
	}
	if field == nil {
		field = l.defaultField
	}
	if field != nil && len(text) > 1 {
		switch {
		case strings.HasPrefix(text, ">=") && len(text) > 2:
			return l.between(field, text[2:], nil, true, true)
		case text[0] == '>':
			return l.between(field, text[1:], nil, false, true)
		case strings.HasPrefix(text, "<=") && len(text) > 2:
			return l.between(field, nil, text[2:], true, true)
		case text[0] == '<':
			return l.between(field, nil, text[1:], true, false)
		}
		if r := l.c.lookup(*field); r != nil && r.Kind() == mapping.KindDate && l.zone != nil {
			return l.between(field, text, text, true, true)
		}
	}
	fields, err := l.on(field, false)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return search.MatchNone{}, nil
	}
	kind := l.kind
	kind.tie = l.tie
	return l.c.multiMatch(kind, fields, text, &l.opt, "")
}

func (l *stringLeaves) phrase(field *string, text string, slop int) (search.Query, error) {
	if l.isExists(field) {
		return l.c.existsQuery(text), nil
	}
	fields, err := l.on(field, true)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return search.MatchNone{}, nil
	}
	opt := l.opt
	opt.slop = slop
	if l.quoteAnalyzer != "" {
		opt.analyzer = l.quoteAnalyzer
	}
	kind := multiKinds["phrase"]
	kind.tie = l.tie
	return l.c.multiMatch(kind, fields, text, &opt, "")
}

// each combines a query on every field.
func (l *stringLeaves) each(field *string, f func(r *ref) (search.Query, error)) (search.Query, error) {
	fields, err := l.on(field, false)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return search.MatchNone{}, nil
	}
	var qs []search.Query
	for _, w := range fields {
		q, err := f(w.ref)
		if err != nil {
			if !l.opt.lenient {
				return nil, err
			}
			q = search.MatchNone{}
		}
		if q != nil {
			qs = append(qs, boosted(q, w.boost))
		}
	}
	switch len(qs) {
	case 0:
		return nil, nil
	case 1:
		return qs[0], nil
	}
	return &search.DisMax{Queries: qs, TieBreaker: float32(l.tie)}, nil
}

// normalize applies the parts of the field's analyzer that change characters.
func (l *stringLeaves) normalize(r *ref, text string) (string, error) {
	a, err := l.c.fieldAnalyzer(r, &l.opt, false)
	if err != nil || a == nil {
		return text, err
	}
	return a.Normalize(text)
}

func (l *stringLeaves) between(field *string, from, to any, lower, upper bool) (search.Query, error) {
	return l.each(field, func(r *ref) (search.Query, error) {
		b := &bounds{from: from, to: to, includeLower: lower, includeUpper: upper, zone: l.zone}
		for _, side := range []*any{&b.from, &b.to} {
			if s, ok := (*side).(string); ok {
				if s == "*" {
					*side = nil
					continue
				}
				n, err := l.normalize(r, s)
				if err != nil {
					return nil, err
				}
				*side = n
			}
		}
		return l.c.rangeQuery(r, b)
	})
}

func (l *stringLeaves) fuzzy(field *string, text, slop string) (search.Query, error) {
	f := l.fuzziness
	if slop != "" {
		var err error
		if f, err = parseFuzziness(slop); err != nil {
			return nil, err
		}
	}
	return l.each(field, func(r *ref) (search.Query, error) {
		t, err := l.normalize(r, text)
		if err != nil {
			return nil, err
		}
		edits := fuzziness{given: true, edits: float64(f.distance(text))}
		return l.c.fuzzyQuery(r, t, edits, l.opt.prefixLength, l.opt.maxExpansions, l.opt.transpositions, rewrite{})
	})
}

func (l *stringLeaves) prefix(field *string, text string) (search.Query, error) {
	return l.each(field, func(r *ref) (search.Query, error) {
		if r.Kind() != mapping.KindText {
			return l.c.prefixQuery(r, text, l.rewrite, false)
		}
		if l.analyzeWild {
			return l.analyzedPrefix(r, text)
		}
		t, err := l.normalize(r, text)
		if err != nil {
			return nil, err
		}
		return l.c.prefixQuery(r, t, l.rewrite, false)
	})
}

// analyzedPrefix analyzes a text; its last word is the prefix.
func (l *stringLeaves) analyzedPrefix(r *ref, text string) (search.Query, error) {
	a, err := l.c.fieldAnalyzer(r, &l.opt, false)
	if err != nil || a == nil {
		return nil, err
	}
	tokens, _, err := analyze(a, text)
	if err != nil || len(tokens) == 0 {
		return nil, err
	}
	q := &search.Boolean{}
	b := &textBuilder{textOptions: l.opt, c: l.c, r: r, analyzer: a}
	for i := 0; i < len(tokens); {
		j := i + 1
		for j < len(tokens) && tokens[j].inc == 0 {
			j++
		}
		var one search.Query
		switch last := j == len(tokens); {
		case last && j-i == 1:
			one, err = l.c.prefixQuery(r, string(tokens[i].term), l.rewrite, false)
		case last:
			inner := &search.Boolean{}
			for _, t := range tokens[i:j] {
				inner.Clauses = append(inner.Clauses, search.Clause{Query: search.NewPrefix(r.Name(), string(t.term), false), Occur: search.Should})
			}
			one = inner
		case j-i == 1:
			one = &search.Term{Field: r.Name(), Bytes: tokens[i].term}
		default:
			one, err = b.synonyms(tokens[i:j])
		}
		if err != nil {
			return nil, err
		}
		q.Clauses = append(q.Clauses, search.Clause{Query: one, Occur: l.opt.operator})
		i = j
	}
	if len(q.Clauses) == 1 {
		return q.Clauses[0].Query, nil
	}
	return q, nil
}

func (l *stringLeaves) wildcard(field *string, pattern string) (search.Query, error) {
	actual := field
	if actual == nil {
		actual = l.defaultField
	}
	if pattern == "*" && actual != nil {
		if *actual == "*" {
			return search.MatchAll{}, nil
		}
		return l.c.existsQuery(*actual), nil
	}
	return l.each(field, func(r *ref) (search.Query, error) {
		if pattern == "*" {
			return l.c.existsQuery(r.Name()), nil
		}
		if l.noLeadingWild && (pattern[0] == '*' || pattern[0] == '?') {
			return nil, apierr.New(400, "parse_exception", "'*' or '?' not allowed as first character in WildcardQuery")
		}
		return l.c.wildcardQuery(r, pattern, l.rewrite, false, true)
	})
}

func (l *stringLeaves) regexp(field *string, expr string) (search.Query, error) {
	if err := l.c.checkRegex(expr, "[query_string]"); err != nil {
		return nil, err
	}
	return l.each(field, func(r *ref) (search.Query, error) {
		if !r.textual() {
			return search.MatchNone{}, nil
		}
		e, err := l.normalize(r, expr)
		if err != nil {
			return nil, err
		}
		return l.c.regexpQuery(r, e, automaton.All, l.states, l.rewrite)
	})
}

const stringParams = "query analyzer lenient minimum_should_match auto_generate_synonyms_phrase_query fuzzy_prefix_length fuzzy_max_expansions fuzzy_transpositions default_operator"

func parseQueryString(name string, o *xcontent.Object, _ int) (node, error) {
	p := newTextParams(name)
	l := stringLeaves{kind: multiKinds["best_fields"], fuzziness: fuzzyAuto}
	var fields []fieldBoost
	var tie *float64
	leading, escape := true, false
	leadingSet := false
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "fields":
			fields, err = parseFieldList(name, m.Value)
		case "default_field":
			if m.Value != nil {
				s := valueText(m.Value)
				l.defaultField = &s
			}
		case "type":
			l.kind, err = parseMultiKind(m.Value)
		case "tie_breaker":
			var f float64
			f, err = toFloat(m.Value)
			tie = &f
		case "quote_analyzer":
			l.quoteAnalyzer = valueText(m.Value)
		case "quote_field_suffix":
			if m.Value != nil {
				l.quoteSuffix = valueText(m.Value)
			}
		case "allow_leading_wildcard":
			leadingSet = true
			leading, err = toBool(m.Value)
		case "analyze_wildcard":
			l.analyzeWild, err = toBool(m.Value)
		case "enable_position_increments":
			var on bool
			on, err = toBool(m.Value)
			p.noIncrements = !on
		case "escape":
			escape, err = toBool(m.Value)
		case "fuzziness":
			l.fuzziness, err = parseFuzziness(m.Value)
		case "fuzzy_rewrite":
		case "phrase_slop":
			p.slop, err = toInt(m.Value)
		case "rewrite":
			l.rewrite, err = parseRewrite(valueText(m.Value))
		case "max_determinized_states":
			l.states, err = toInt(m.Value)
		case "time_zone":
			l.zone, err = dateformat.ParseZone(valueText(m.Value))
		default:
			err = p.take(m, stringParams)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.text == nil {
		return nil, apierr.Parsing("[query_string] must be provided with a [query]")
	}
	l.tie = l.kind.tie
	if tie != nil {
		l.tie = *tie
	}
	original := valueText(p.text)
	text := original
	if escape {
		text = escapeClassic(text)
	}
	return p.wrap(buildFunc(func(c *Context) (search.Query, error) {
		if len(fields) > 0 && l.defaultField != nil {
			return nil, apierr.Validation("[query_string] cannot use [fields] parameter in conjunction with [default_field]")
		}
		for _, a := range [][2]string{{"analyzer", p.analyzer}, {"quote_analyzer", l.quoteAnalyzer}} {
			if a[1] != "" && !c.hasAnalyzer(a[1]) {
				return nil, c.shardError("[query_string] %s [%s] not found", a[0], a[1])
			}
		}
		leaf := l
		leaf.c, leaf.opt = c, p.textOptions
		leaf.opt.zero = zeroNull
		leaf.noLeadingWild = !leading || !leadingSet && c.ForbidLeadingWildcard
		if !p.lenientSet {
			leaf.opt.lenient = c.Lenient
		}
		if err := leaf.resolve(fields, p.lenientSet); err != nil {
			return nil, err
		}
		q, err := leaf.parse(text)
		if err != nil {
			if e := apierr.As(err); e != nil && e.Type != "parse_exception" || errors.Is(err, search.ErrTooManyClauses) {
				return nil, err
			}
			return nil, c.shardError("Failed to parse query [%s]", original).Because(
				apierr.New(400, "parse_exception", "Cannot parse '%s': %s", text, err))
		}
		return finishString(q, p.minShould)
	})), nil
}

// resolve finds the fields of words that name none.
func (l *stringLeaves) resolve(fields []fieldBoost, lenientSet bool) error {
	all := false
	switch {
	case l.defaultField != nil:
		all = *l.defaultField == "*"
	case len(fields) > 0:
		all = hasAll(fields)
	default:
		var err error
		if fields, err = l.c.defaultFields(); err != nil {
			return err
		}
		if all = hasAll(fields); all {
			star := "*"
			l.defaultField = &star
		}
	}
	if all && !lenientSet {
		l.opt.lenient = true
	}
	if l.defaultField != nil {
		return nil
	}
	var err error
	l.fields, err = l.c.expand(fields, "")
	return err
}

func (l *stringLeaves) parse(text string) (search.Query, error) {
	if n := utf16Length(text); n > maxQueryString {
		return nil, apierr.New(400, "parse_exception", "Query string length exceeds max allowed length %d (search.query.max_query_string_length); actual length: %d", maxQueryString, n)
	}
	if strings.TrimSpace(text) == "" {
		return search.MatchNone{}, nil
	}
	tokens, err := classicLex(text)
	if err != nil {
		return nil, err
	}
	p := &classicParser{tokens: tokens, operator: l.opt.operator, leaf: l}
	q, err := p.parse()
	if q == nil && err == nil {
		return search.MatchNone{}, nil
	}
	return q, err
}

// finishString applies minimum_should_match below the boosts around a query.
func finishString(q search.Query, minShould string) (search.Query, error) {
	if b, ok := q.(*search.Boost); ok {
		in, err := finishString(b.Query, minShould)
		return &search.Boost{Query: in, Boost: b.Boost}, err
	}
	if b, ok := q.(*search.Boolean); ok {
		return maybeMinShould(fixNegative(b), minShould)
	}
	return q, nil
}
