package query

import (
	"sort"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

// textParams are the parameters that full text queries share, while they are read.
type textParams struct {
	textOptions
	common
	query      string // name of the query
	text       any
	minShould  string
	lenientSet bool
}

func newTextParams(query string) *textParams {
	return &textParams{textOptions: defaultText(), common: common{boost: 1}, query: query}
}

func parseOperator(v any) (search.Occur, error) {
	switch strings.ToUpper(valueText(v)) {
	case "AND":
		return search.Must, nil
	case "OR":
		return search.Should, nil
	}
	return 0, apierr.IllegalArgument("No enum constant org.opensearch.index.query.Operator.%s", strings.ToUpper(valueText(v)))
}

// take reads one parameter; allowed lists those that the query has.
func (p *textParams) take(m xcontent.Member, allowed string) error {
	if known, err := p.common.take(p.query, m); known {
		return err
	}
	if !isScalar(m.Value) {
		return badToken(p.query, m.Key, m.Value)
	}
	if !strings.Contains(" "+allowed+" ", " "+m.Key+" ") {
		return unknown(p.query, m.Key)
	}
	var err error
	switch m.Key {
	case "query":
		p.text = m.Value
	case "analyzer":
		p.analyzer = valueText(m.Value)
	case "operator", "default_operator":
		p.operator, err = parseOperator(m.Value)
	case "slop", "phrase_slop":
		if p.slop, err = toInt(m.Value); err == nil && p.slop < 0 {
			err = apierr.IllegalArgument("No negative slop allowed.")
		}
	case "fuzziness":
		p.fuzziness, err = parseFuzziness(m.Value)
	case "prefix_length", "fuzzy_prefix_length":
		if p.prefixLength, err = toInt(m.Value); err == nil && p.prefixLength < 0 {
			err = apierr.IllegalArgument("[%s] requires prefix length to be non-negative.", p.query)
		}
	case "max_expansions", "fuzzy_max_expansions":
		if p.maxExpansions, err = toInt(m.Value); err == nil && p.maxExpansions <= 0 {
			err = apierr.IllegalArgument("[%s] requires maxExpansions to be positive.", p.query)
		}
	case "fuzzy_transpositions":
		p.transpositions, err = toBool(m.Value)
	case "fuzzy_rewrite":
		if m.Value != nil {
			p.rewrite, err = parseRewrite(valueText(m.Value))
		}
	case "lenient":
		p.lenientSet = true
		p.lenient, err = toBool(m.Value)
	case "minimum_should_match":
		if m.Value != nil {
			p.minShould = valueText(m.Value)
		}
	case "zero_terms_query":
		switch strings.ToLower(valueText(m.Value)) {
		case "none":
			p.zero = zeroNone
		case "all":
			p.zero = zeroAll
		default:
			err = apierr.Parsing("Unsupported zero_terms_query value [%s]", valueText(m.Value))
		}
	case "auto_generate_synonyms_phrase_query":
		p.autoPhrases, err = toBool(m.Value)
	}
	return err
}

// readText reads a full text query on one field.
func readText(name string, o *xcontent.Object, allowed string) (string, *textParams, error) {
	b, err := readField(name, o, false)
	if err != nil {
		return "", nil, err
	}
	p := newTextParams(name)
	p.common = b.common
	p.text = b.value
	if b.params != nil {
		p.text = nil
		for _, m := range b.params.Members {
			if err := p.take(m, allowed); err != nil {
				return "", nil, err
			}
		}
	}
	if p.text == nil {
		if name == "match" {
			return "", nil, apierr.Parsing("No text specified for text query")
		}
		return "", nil, apierr.IllegalArgument("[%s] requires query value", name)
	}
	return b.field, p, nil
}

// checkAnalyzer fails where the request names an analyzer that the index does not have.
func (c *Context) checkAnalyzer(query, name string) error {
	if name != "" && !c.hasAnalyzer(name) {
		return c.shardError("[%s] analyzer [%s] not found", query, name)
	}
	return nil
}

const fuzzyParams = "fuzziness prefix_length max_expansions fuzzy_transpositions fuzzy_rewrite"

func (p *textParams) node(field string, kind textKind) node {
	return p.wrap(buildFunc(func(c *Context) (search.Query, error) {
		if err := c.checkAnalyzer(p.query, p.analyzer); err != nil {
			return nil, err
		}
		q, err := c.textQuery(field, kind, p.text, &p.textOptions)
		if err != nil {
			return nil, err
		}
		return maybeMinShould(q, p.minShould)
	}))
}

func parseMatch(name string, o *xcontent.Object, _ int) (node, error) {
	field, p, err := readText(name, o, fuzzyParams+
		" query type analyzer operator minimum_should_match cutoff_frequency lenient zero_terms_query auto_generate_synonyms_phrase_query")
	if err != nil {
		return nil, err
	}
	return p.node(field, textBoolean), nil
}

func parseMatchPhrase(name string, o *xcontent.Object, _ int) (node, error) {
	field, p, err := readText(name, o, "query analyzer slop zero_terms_query")
	if err != nil {
		return nil, err
	}
	return p.node(field, textPhrase), nil
}

func parseMatchPhrasePrefix(name string, o *xcontent.Object, _ int) (node, error) {
	field, p, err := readText(name, o, "query analyzer slop max_expansions zero_terms_query")
	if err != nil {
		return nil, err
	}
	return p.node(field, textPhrasePrefix), nil
}

func parseMatchBoolPrefix(name string, o *xcontent.Object, _ int) (node, error) {
	field, p, err := readText(name, o, fuzzyParams+" query analyzer operator minimum_should_match")
	if err != nil {
		return nil, err
	}
	return p.node(field, textBoolPrefix), nil
}

// fieldBoost is a field name or pattern with its boost.
type fieldBoost struct {
	pattern string
	boost   float64
}

func parseFieldBoost(s string) (fieldBoost, error) {
	name, boost, ok := strings.Cut(s, "^")
	if !ok {
		return fieldBoost{s, 1}, nil
	}
	f, err := strconv.ParseFloat(boost, 32)
	if err != nil {
		return fieldBoost{}, numberFormat(boost)
	}
	return fieldBoost{name, f}, nil
}

func parseFieldList(query string, v any) ([]fieldBoost, error) {
	list, ok := v.([]any)
	if !ok {
		if !isScalar(v) {
			return nil, unknown(query, "fields")
		}
		list = []any{v}
	}
	var out []fieldBoost
	for _, e := range list {
		s, ok := asText(e)
		if !ok {
			return nil, unknown(query, "fields")
		}
		f, err := parseFieldBoost(s)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// expand resolves names and patterns to fields, sorted by name; names that are not mapped are left out.
func (c *Context) expand(list []fieldBoost, quoteSuffix string) ([]weighted, error) {
	boosts := map[string]float64{}
	for _, fb := range list {
		pattern := strings.Contains(fb.pattern, "*")
		names := c.matchNames(fb.pattern)
		found := map[string]float64{}
		for _, n := range names {
			if quoteSuffix != "" && c.lookup(n+quoteSuffix) != nil {
				n += quoteSuffix
			}
			r := c.lookup(n)
			if r == nil {
				continue
			}
			if pattern {
				if fb.pattern == "*" && strings.HasPrefix(r.Name(), "_") {
					continue
				}
				if c.neverSearchable(r) {
					continue
				}
			}
			if r.path == "" && contains(names, r.Name()) {
				n = r.Name()
			}
			if _, ok := found[n]; !ok {
				found[n] = 1
			}
			found[n] *= fb.boost
		}
		for n, boost := range found {
			if old, ok := boosts[n]; ok {
				boost *= old
			}
			boosts[n] = boost
		}
	}
	if len(boosts) > c.maxClauses() {
		return nil, apierr.IllegalArgument("field expansion matches too many fields, limit: %d, got: %d", c.maxClauses(), len(boosts))
	}
	out := make([]weighted, 0, len(boosts))
	for n, boost := range boosts {
		out = append(out, weighted{c.lookup(n), boost})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name() < out[j].Name() })
	return out, nil
}

func contains(sorted []string, s string) bool {
	i := sort.SearchStrings(sorted, s)
	return i < len(sorted) && sorted[i] == s
}

// neverSearchable tells whether no term can be sought in a field, so that patterns pass it over.
func (c *Context) neverSearchable(r *ref) bool {
	switch r.Kind() {
	case mapping.KindGeoPoint, mapping.KindBinary, mapping.KindOpaque:
		return true
	case mapping.KindMetadata:
		switch r.Name() {
		case "_source", "_version", "_primary_term", "_doc_count", "_nested_path":
			return true
		}
	}
	return false
}

func hasAll(list []fieldBoost) bool {
	for _, f := range list {
		if f.pattern == "*" {
			return true
		}
	}
	return false
}

// defaultFields returns those of index.query.default_field.
func (c *Context) defaultFields() ([]fieldBoost, error) {
	if len(c.DefaultFields) == 0 {
		return []fieldBoost{{"*", 1}}, nil
	}
	var out []fieldBoost
	for _, s := range c.DefaultFields {
		f, err := parseFieldBoost(s)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// multiKind is the type of a multi_match.
type multiKind struct {
	name string
	text textKind
	tie  float64
}

var multiKinds = map[string]multiKind{"best_fields": {"best_fields", textBoolean, 0}, "boolean": {"best_fields", textBoolean, 0},
	"most_fields": {"most_fields", textBoolean, 1}, "cross_fields": {"cross_fields", textBoolean, 0}, "phrase": {"phrase", textPhrase, 0},
	"phrase_prefix": {"phrase_prefix", textPhrasePrefix, 0}, "bool_prefix": {"bool_prefix", textBoolPrefix, 1}}

func parseMultiKind(v any) (multiKind, error) {
	k, ok := multiKinds[valueText(v)]
	if !ok {
		return k, apierr.New(400, "parse_exception", "failed to parse [multi_match] query type [%s]. unknown type.", valueText(v))
	}
	return k, nil
}

func parseMultiMatch(name string, o *xcontent.Object, _ int) (node, error) {
	p := newTextParams(name)
	var fields []fieldBoost
	kind := multiKinds["best_fields"]
	var tie *float64
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "fields":
			fields, err = parseFieldList(name, m.Value)
		case "type":
			kind, err = parseMultiKind(m.Value)
		case "tie_breaker":
			var f float64
			f, err = toFloat(m.Value)
			tie = &f
		default:
			err = p.take(m, fuzzyParams+" query analyzer operator slop minimum_should_match cutoff_frequency lenient zero_terms_query auto_generate_synonyms_phrase_query")
		}
		if err != nil {
			return nil, err
		}
	}
	if p.text == nil {
		return nil, apierr.Parsing("No text specified for multi_match query")
	}
	if p.fuzziness.given && (kind.name == "cross_fields" || kind.name == "phrase" || kind.name == "phrase_prefix") {
		return nil, apierr.Parsing("Fuzziness not allowed for type [%s]", kind.name)
	}
	if p.slop != 0 && kind.name == "bool_prefix" {
		return nil, apierr.Parsing("[slop] not allowed for type [bool_prefix]")
	}
	if tie != nil {
		kind.tie = *tie
	}
	return p.wrap(buildFunc(func(c *Context) (search.Query, error) {
		if err := c.checkAnalyzer(name, p.analyzer); err != nil {
			return nil, err
		}
		list := fields
		if len(list) == 0 {
			var err error
			if list, err = c.defaultFields(); err != nil {
				return nil, err
			}
		}
		opt := p.textOptions
		if !p.lenientSet && hasAll(list) {
			opt.lenient = true
		}
		ws, err := c.expand(list, "")
		if err != nil {
			return nil, err
		}
		return c.multiMatch(kind, ws, p.text, &opt, p.minShould)
	})), nil
}

// multiMatch combines the queries of a text on several fields.
func (c *Context) multiMatch(kind multiKind, fields []weighted, text any, o *textOptions, minShould string) (search.Query, error) {
	if len(fields) == 0 {
		return search.MatchNone{}, nil
	}
	var qs []search.Query
	var err error
	if kind.name == "cross_fields" {
		qs, err = c.crossFields(kind, fields, text, o, minShould)
	} else {
		qs, err = c.eachField(kind, fields, text, o, minShould)
	}
	if err != nil {
		return nil, err
	}
	switch len(qs) {
	case 0:
		return (&textBuilder{textOptions: *o}).finish(nil, nil)
	case 1:
		return qs[0], nil
	}
	return &search.DisMax{Queries: qs, TieBreaker: float32(kind.tie)}, nil
}

func (c *Context) eachField(kind multiKind, fields []weighted, text any, o *textOptions, minShould string) ([]search.Query, error) {
	var qs []search.Query
	for _, f := range fields {
		name := f.Name()
		if f.path != "" {
			name = f.path
		}
		q, err := c.textQuery(name, kind.text, text, o)
		if err != nil {
			return nil, err
		}
		if q, err = maybeMinShould(q, minShould); err != nil {
			return nil, err
		}
		if q == nil {
			continue
		}
		if _, none := q.(search.MatchNone); !none {
			q = boosted(q, f.boost)
		}
		qs = append(qs, q)
	}
	return qs, nil
}

// crossFields groups fields by their analyzer and searches each group as one field.
func (c *Context) crossFields(kind multiKind, fields []weighted, text any, o *textOptions, minShould string) ([]search.Query, error) {
	type group struct {
		b *textBuilder
	}
	groups := map[any]*group{}
	var order []*group
	for _, f := range fields {
		a, err := c.fieldAnalyzer(f.ref, o, false)
		if err != nil {
			return nil, err
		}
		g := groups[a]
		if g == nil {
			g = &group{&textBuilder{textOptions: *o, c: c, r: f.ref, analyzer: a, blend: &blend{c: c, tie: kind.tie, lenient: o.lenient}}}
			groups[a] = g
			order = append(order, g)
		}
		g.b.blend.fields = append(g.b.blend.fields, f)
	}
	var qs []search.Query
	for _, g := range order {
		boost := 1.0
		if list := g.b.blend.fields; len(list) == 1 {
			boost, g.b.blend = list[0].boost, nil
		}
		var q search.Query
		var err error
		if g.b.analyzer == nil {
			q, err = g.b.termValue(text)
		} else {
			q, err = g.b.parse(kind.text, valueText(text))
		}
		if err != nil {
			return nil, err
		}
		if q, err = maybeMinShould(q, minShould); err != nil {
			return nil, err
		}
		if q != nil {
			qs = append(qs, boosted(q, boost))
		}
	}
	return qs, nil
}
