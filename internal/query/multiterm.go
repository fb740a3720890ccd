package query

import (
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/automaton"
	"github.com/varve-search/varve/lucene/search"
)

// rewrite is how a query over many terms scores.
type rewrite struct {
	given  bool
	method search.RewriteMethod
	top    int
}

func parseRewrite(s string) (rewrite, error) {
	top := func(prefix string, m search.RewriteMethod) (rewrite, bool, error) {
		rest, ok := strings.CutPrefix(s, prefix)
		if !ok {
			return rewrite{}, false, nil
		}
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return rewrite{}, true, numberFormat(rest)
		}
		return rewrite{true, m, n}, true, nil
	}
	switch s {
	case "":
		return rewrite{}, nil
	case "constant_score":
		return rewrite{given: true, method: search.RewriteConstantScore}, nil
	case "constant_score_auto", "constant_score_filter":
		return rewrite{given: true, method: search.RewriteConstantScore}, nil
	case "scoring_boolean":
		return rewrite{given: true, method: search.RewriteScoringBoolean}, nil
	case "constant_score_boolean":
		return rewrite{given: true, method: search.RewriteConstantScoreBoolean}, nil
	}
	for _, p := range []struct {
		prefix string
		m      search.RewriteMethod
	}{{"top_terms_blended_freqs_", search.RewriteTopTermsBlended}, {"top_terms_boost_", search.RewriteTopTermsBoost}, {"top_terms_", search.RewriteTopTerms}} {
		if r, ok, err := top(p.prefix, p.m); ok {
			return r, err
		}
	}
	return rewrite{}, apierr.IllegalArgument("Failed to parse rewrite_method [%s]", s)
}

func (w rewrite) apply(q *search.MultiTerm) search.Query {
	if w.given {
		q.Method, q.Top = w.method, w.top
	}
	return q
}

// onTerms checks that the terms of a field can be sought by a pattern.
func (c *Context) onTerms(r *ref, kind string) error {
	if err := r.Usable(); err != nil {
		return err
	}
	if !r.textual() {
		return c.shardError("Can only use %s queries on keyword and text fields - not on [%s] which is of type [%s]", kind, r.Name(), typeName(r))
	}
	if c.ForbidExpensive {
		if kind == "prefix" {
			return expensive("[prefix] queries cannot be executed when 'search.allow_expensive_queries' is set to false. For optimised prefix queries on text fields please enable [index_prefixes].")
		}
		return expensive("[" + kind + "] queries cannot be executed when 'search.allow_expensive_queries' is set to false.")
	}
	if err := r.mustSearch(); err != nil {
		return err
	}
	if !r.Searchable() {
		return apierr.NotImplemented("[%s] queries on the column of [%s], which is not indexed, are not built in this server", kind, r.Name())
	}
	return nil
}

func typeName(r *ref) string {
	if r.Kind() == mapping.KindMetadata {
		return r.Name()
	}
	return r.Type()
}

// metadataName is a field whose pattern queries look at the index and not at terms.
func (r *ref) constant() bool { return r.Name() == "_index" || r.Kind() == mapping.KindConstant }

func (c *Context) constantMatches(r *ref, match func(string) bool) search.Query {
	names := append([]string{c.Index}, c.Aliases...)
	if r.Kind() == mapping.KindConstant {
		names = []string{r.ConstantValue()}
	}
	for _, n := range names {
		if match(n) {
			return search.MatchAll{}
		}
	}
	return search.MatchNone{}
}

// prefixQuery matches terms that begin with text.
func (c *Context) prefixQuery(r *ref, text string, w rewrite, fold bool) (search.Query, error) {
	if r.constant() {
		return c.constantMatches(r, func(n string) bool {
			return strings.HasPrefix(n, text) || fold && strings.HasPrefix(strings.ToLower(n), strings.ToLower(text))
		}), nil
	}
	if sub, least, most := r.PrefixField(); sub != nil && !fold {
		if n := utf16Length(text); n >= least-1 && n <= most {
			return c.indexedPrefix(sub, text, least, w), nil
		}
	}
	if err := c.onTerms(r, "prefix"); err != nil {
		return nil, err
	}
	t, err := r.term(text)
	if err != nil {
		return nil, err
	}
	return w.apply(search.NewPrefix(r.termField(), string(t), fold)), nil
}

// indexedPrefix seeks a prefix among the prefixes that the field keeps as terms. One character less than the shortest
// of them is tried with every possible last one.
func (c *Context) indexedPrefix(sub *mapping.Field, text string, least int, w rewrite) search.Query {
	if utf16Length(text) >= least {
		return &search.ConstantScore{Query: search.NewTerm(sub.Name(), text)}
	}
	n := automaton.NewNfa(0)
	parts := n.String(text, false)
	for i := utf16Length(text); i < least; i++ {
		parts = n.Concat(parts, n.AnyChar())
	}
	if text == "" {
		parts = n.AnyChar()
		for i := 1; i < least; i++ {
			parts = n.Concat(parts, n.AnyChar())
		}
	}
	d, err := n.Determinize(parts)
	if err != nil {
		return search.NewPrefix(sub.Name(), text, false)
	}
	return &search.ConstantScore{Query: search.NewDisjunction(
		&search.MultiTerm{Field: sub.Name(), Automaton: d, Label: "prefix+" + strconv.Itoa(least) + "(" + text + ")"}, search.NewTerm(sub.Name(), text))}
}

// wildcardQuery matches terms by a pattern of * and ?. normal asks for the parts between them to be normalized.
func (c *Context) wildcardQuery(r *ref, pattern string, w rewrite, fold, normal bool) (search.Query, error) {
	if r.constant() {
		d, err := automaton.Wildcard(pattern, fold, 0)
		if err != nil {
			return nil, err
		}
		return c.constantMatches(r, func(n string) bool { return d.Match([]byte(n)) }), nil
	}
	if err := c.onTerms(r, "wildcard"); err != nil {
		return nil, err
	}
	if r.Kind() == mapping.KindKeyword && r.Normalizer() != nil || r.Kind() == mapping.KindText && normal {
		var err error
		if pattern, err = normalizePattern(r, pattern); err != nil {
			return nil, err
		}
	}
	if r.path != "" {
		pattern = escapePattern(r.path+"=") + pattern
	}
	q, err := search.NewWildcard(r.termField(), pattern, fold)
	if err != nil {
		return nil, err
	}
	return w.apply(q), nil
}

func escapePattern(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
}

// normalizePattern normalizes what lies between the wildcards, and the escaped characters stay as they are.
func normalizePattern(r *ref, pattern string) (string, error) {
	a := r.SearchAnalyzer()
	if r.Normalizer() != nil {
		a = r.Normalizer()
	}
	if a == nil {
		return pattern, nil
	}
	var out, chunk strings.Builder
	flush := func() error {
		if chunk.Len() == 0 {
			return nil
		}
		s, err := a.Normalize(chunk.String())
		out.WriteString(s)
		chunk.Reset()
		return err
	}
	for i := 0; i < len(pattern); i++ {
		switch b := pattern[i]; b {
		case '*', '?', '\\':
			if err := flush(); err != nil {
				return "", err
			}
			out.WriteByte(b)
			if b == '\\' && i+1 < len(pattern) {
				i++
				out.WriteByte(pattern[i])
			}
		default:
			chunk.WriteByte(b)
		}
	}
	err := flush()
	return out.String(), err
}

// regexpQuery matches terms by a regular expression.
func (c *Context) regexpQuery(r *ref, expr string, flags automaton.Flags, limit int, w rewrite) (search.Query, error) {
	if err := c.onTerms(r, "regexp"); err != nil {
		return nil, err
	}
	if r.path != "" {
		var b strings.Builder
		for _, ch := range r.path + "=" {
			if strings.ContainsRune(`.?+*|{}[]()"\#@&<>~`, ch) {
				b.WriteByte('\\')
			}
			b.WriteRune(ch)
		}
		expr = b.String() + "(" + expr + ")"
	} else if r.Kind() == mapping.KindKeyword && r.Normalizer() != nil {
		t, err := r.term(expr)
		if err != nil {
			return nil, err
		}
		expr = string(t)
	}
	q, err := search.NewRegExp(r.termField(), expr, flags, limit)
	if err != nil {
		return nil, apierr.IllegalArgument("%s", err).Because(nil)
	}
	return w.apply(q), nil
}

// fuzzyQuery matches terms that are nearly a value.
func (c *Context) fuzzyQuery(r *ref, v any, f fuzziness, prefix, expansions int, transpositions bool, w rewrite) (search.Query, error) {
	if err := r.Usable(); err != nil {
		return nil, err
	}
	if !r.textual() {
		return nil, apierr.IllegalArgument("Can only use fuzzy queries on keyword and text fields - not on [%s] which is of type [%s]", r.Name(), typeName(r))
	}
	if err := c.onTerms(r, "fuzzy"); err != nil {
		return nil, err
	}
	text := valueText(v)
	t, err := r.term(text)
	if err != nil {
		return nil, err
	}
	if r.path != "" {
		prefix += codePoints(r.path) + 1
	}
	q := &search.Fuzzy{Field: r.termField(), Term: string(t), Edits: f.distance(text), Prefix: prefix, MaxExpansions: expansions, Transpositions: transpositions}
	if w.given {
		q.Method, q.Constant, q.Top = w.method, true, w.top
	}
	return q, nil
}

// fuzziness is a number of edits, or a rule for it by the length of the text.
type fuzziness struct {
	given     bool
	auto      bool
	low, high int
	edits     float64
}

var fuzzyAuto = fuzziness{given: true, auto: true, low: 3, high: 6}

func parseFuzziness(v any) (fuzziness, error) {
	s, ok := asText(v)
	if !ok {
		return fuzziness{}, apierr.IllegalArgument("Can't parse fuzziness on token: [%s]", describe(v))
	}
	upper := strings.ToUpper(s)
	if upper == "AUTO" {
		return fuzzyAuto, nil
	}
	if rest, ok := strings.CutPrefix(upper, "AUTO:"); ok {
		lo, hi, ok := strings.Cut(rest, ",")
		low, err1 := strconv.Atoi(lo)
		high, err2 := strconv.Atoi(hi)
		if !ok || err1 != nil || err2 != nil {
			return fuzziness{}, apierr.New(400, "parse_exception", "failed to find low and high distance values")
		}
		if low < 0 || high < 0 || low > high {
			return fuzziness{}, apierr.IllegalArgument("fuzziness wrongly configured, must be: lowDistance > 0, highDistance > 0 and lowDistance <= highDistance ")
		}
		return fuzziness{given: true, auto: true, low: low, high: high}, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fuzziness{}, numberFormat(s)
	}
	return fuzziness{given: true, edits: f}, nil
}

// distance is the number of edits that a text may differ by.
func (f fuzziness) distance(text string) int {
	if f.auto {
		switch n := codePoints(text); {
		case n < f.low:
			return 0
		case n < f.high:
			return 1
		}
		return 2
	}
	return min(2, max(0, int(f.edits)))
}

// termsPattern are the parameters of prefix, wildcard, regexp and fuzzy queries.
type termsPattern struct {
	*fieldBody
	text           string
	rewrite        rewrite
	fold           bool
	flags          automaton.Flags
	states         int
	fuzziness      fuzziness
	prefix         int
	expansions     int
	transpositions bool
}

func readPattern(name string, o *xcontent.Object) (*termsPattern, error) {
	b, err := readField(name, o, false)
	if err != nil {
		return nil, err
	}
	p := &termsPattern{fieldBody: b, flags: automaton.All, fuzziness: fuzzyAuto, expansions: search.DefaultMaxExpansions, transpositions: true}
	v := b.value
	if b.params != nil {
		v = nil
		for _, m := range b.params.Members {
			if known, err := b.take(name, m); known {
				if err != nil {
					return nil, err
				}
				continue
			}
			if !isScalar(m.Value) {
				return nil, badToken(name, m.Key, m.Value)
			}
			known := true
			switch m.Key {
			case "value", name:
				v = m.Value
			case "term":
				known = name == "fuzzy"
				v = m.Value
			case "rewrite":
				p.rewrite, err = parseRewrite(valueText(m.Value))
			case "case_insensitive":
				known = name != "fuzzy"
				p.fold, err = toBool(m.Value)
			case "flags":
				known = name == "regexp"
				p.flags, err = parseFlags(valueText(m.Value))
			case "flags_value":
				known = name == "regexp"
				var n int
				n, err = toInt(m.Value)
				p.flags = automaton.Flags(n)
			case "max_determinized_states":
				known = name == "regexp"
				p.states, err = toInt(m.Value)
			case "fuzziness":
				known = name == "fuzzy"
				p.fuzziness, err = parseFuzziness(m.Value)
			case "prefix_length":
				known = name == "fuzzy"
				p.prefix, err = toInt(m.Value)
			case "max_expansions":
				known = name == "fuzzy"
				p.expansions, err = toInt(m.Value)
			case "transpositions":
				known = name == "fuzzy"
				p.transpositions, err = toBool(m.Value)
			default:
				known = false
			}
			if !known {
				return nil, unknown(name, m.Key)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if v == nil {
		if name == "fuzzy" {
			return nil, apierr.IllegalArgument("query value cannot be null")
		}
		return nil, apierr.IllegalArgument("value cannot be null")
	}
	p.value, p.text = v, valueText(v)
	return p, nil
}

// on makes a node that is bound to the field.
func (p *termsPattern) on(f func(c *Context, r *ref) (search.Query, error)) node {
	return p.wrap(buildFunc(func(c *Context) (search.Query, error) {
		r := c.lookup(p.field)
		if r == nil {
			return search.MatchNone{}, nil
		}
		return f(c, r)
	}))
}

func parsePrefix(name string, o *xcontent.Object, _ int) (node, error) {
	p, err := readPattern(name, o)
	if err != nil {
		return nil, err
	}
	return p.on(func(c *Context, r *ref) (search.Query, error) { return c.prefixQuery(r, p.text, p.rewrite, p.fold) }), nil
}

func parseWildcard(name string, o *xcontent.Object, _ int) (node, error) {
	p, err := readPattern(name, o)
	if err != nil {
		return nil, err
	}
	return p.on(func(c *Context, r *ref) (search.Query, error) {
		return c.wildcardQuery(r, p.text, p.rewrite, p.fold, false)
	}), nil
}

func parseRegexp(name string, o *xcontent.Object, _ int) (node, error) {
	p, err := readPattern(name, o)
	if err != nil {
		return nil, err
	}
	if p.fold {
		p.flags |= automaton.FoldASCII
	}
	return p.on(func(c *Context, r *ref) (search.Query, error) {
		if err := c.checkRegex(p.text, "Regexp Query request"); err != nil {
			return nil, err
		}
		return c.regexpQuery(r, p.text, p.flags, p.states, p.rewrite)
	}), nil
}

func parseFuzzy(name string, o *xcontent.Object, _ int) (node, error) {
	p, err := readPattern(name, o)
	if err != nil {
		return nil, err
	}
	return p.on(func(c *Context, r *ref) (search.Query, error) {
		return c.fuzzyQuery(r, p.value, p.fuzziness, p.prefix, p.expansions, p.transpositions, p.rewrite)
	}), nil
}

var regexpFlags = map[string]automaton.Flags{"INTERSECTION": automaton.Intersection, "COMPLEMENT": automaton.ComplementOp, "EMPTY": automaton.EmptyOp,
	"ANYSTRING": automaton.AnyStringOp, "INTERVAL": automaton.Interval, "NONE": automaton.None, "ALL": automaton.All}

func parseFlags(s string) (automaton.Flags, error) {
	if s == "" {
		return automaton.All, nil
	}
	var flags automaton.Flags
	for part := range strings.SplitSeq(s, "|") {
		f, ok := regexpFlags[strings.ToUpper(part)]
		if !ok {
			return 0, apierr.IllegalArgument("No enum constant org.opensearch.index.query.RegexpFlag.%s", strings.ToUpper(part))
		}
		if strings.EqualFold(part, "ALL") {
			return automaton.All, nil
		}
		flags |= f
	}
	return flags, nil
}
