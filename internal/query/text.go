package query

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
	"github.com/varve-search/varve/lucene/search"
)

// maxPaths bounds how many ways through a graph of tokens are followed.
const maxPaths = 1024

// token is one token of a query's text.
type token struct {
	term   []byte
	inc    int // positions since the token before
	length int // positions that it spans
	end    int // offset of its end
}

// analyze returns the tokens of a text and the offset of its end.
func analyze(a *analysis.Analyzer, text string) (tokens []token, end int, err error) {
	s := a.StreamString(strings.ToValidUTF8(text, "\uFFFD"))
	defer s.Close()
	for {
		ok, err := s.Next()
		if err != nil {
			return nil, 0, err
		}
		if !ok {
			final, _ := s.End()
			return tokens, int(final), nil
		}
		t := s.Token()
		tokens = append(tokens, token{term: bytes.Clone(t.Term), inc: int(t.PositionIncrement), length: max(1, int(t.PositionLength)), end: int(t.EndOffset)})
	}
}

// textKind is what kind of query text becomes.
type textKind uint8

const (
	textBoolean textKind = iota
	textBoolPrefix
	textPhrase
	textPhrasePrefix
)

// zeroTerms is what a text without words matches.
type zeroTerms uint8

const (
	zeroNone zeroTerms = iota
	zeroAll
	zeroNull // the part of the query vanishes
)

// textOptions are the parameters of full text queries.
type textOptions struct {
	analyzer       string
	operator       search.Occur // Should or Must
	slop           int
	fuzziness      fuzziness
	prefixLength   int
	maxExpansions  int
	transpositions bool
	rewrite        rewrite
	lenient        bool
	zero           zeroTerms
	autoPhrases    bool // auto_generate_synonyms_phrase_query
	noIncrements   bool // holes in phrases are closed
}

func defaultText() textOptions {
	return textOptions{operator: search.Should, maxExpansions: search.DefaultMaxExpansions, transpositions: true, autoPhrases: true}
}

// textBuilder makes queries of text on one field, or on several of one analyzer at once.
type textBuilder struct {
	textOptions
	c        *Context
	r        *ref
	analyzer *analysis.Analyzer // nil: the text is one term
	blend    *blend             // cross_fields
}

// fieldAnalyzer returns the analyzer of query text on a field; nil where values are not analyzed.
func (c *Context) fieldAnalyzer(r *ref, o *textOptions, quoted bool) (*analysis.Analyzer, error) {
	if o.analyzer != "" {
		return c.analyzerNamed(o.analyzer)
	}
	switch r.Kind() {
	case mapping.KindText:
		if quoted {
			return r.SearchQuoteAnalyzer(), nil
		}
		return r.SearchAnalyzer(), nil
	case mapping.KindKeyword:
		if a := r.SearchAnalyzer(); a != nil && (r.Normalizer() != nil || a.Name() != "keyword") {
			return a, nil
		}
	}
	return nil, nil
}

func (c *Context) analyzerNamed(name string) (*analysis.Analyzer, error) {
	a, err := c.Mapping.Index().Analysis.Analyzer(name)
	if name == "default" && c.Mapping.DefaultAnalyzer() != nil {
		return c.Mapping.DefaultAnalyzer(), nil
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// hasAnalyzer tells whether the index knows an analyzer.
func (c *Context) hasAnalyzer(name string) bool {
	return name == "default" || c.Mapping.Index().Analysis.Has(name)
}

// textQuery makes the query of a text on a field; nil with zeroNull where no word is left.
func (c *Context) textQuery(field string, kind textKind, value any, o *textOptions) (search.Query, error) {
	r := c.lookup(field)
	if r == nil {
		return search.MatchNone{}, nil
	}
	a, err := c.fieldAnalyzer(r, o, kind == textPhrase || kind == textPhrasePrefix)
	if err != nil {
		return nil, err
	}
	b := &textBuilder{textOptions: *o, c: c, r: r, analyzer: a}
	if a == nil {
		if kind == textPhrasePrefix {
			return b.finish(b.fromTokens([]token{{term: []byte(valueText(value)), inc: 1, length: 1}}, 0, kind))
		}
		if kind == textBoolPrefix && (r.Kind() == mapping.KindText || r.Kind() == mapping.KindKeyword) {
			return b.prefixOf(valueText(value))
		}
		return b.termValue(value)
	}
	return b.parse(kind, valueText(value))
}

// parse analyzes a text.
func (b *textBuilder) parse(kind textKind, text string) (search.Query, error) {
	tokens, end, err := analyze(b.analyzer, text)
	if err != nil {
		return nil, err
	}
	return b.finish(b.fromTokens(tokens, end, kind))
}

func (b *textBuilder) finish(q search.Query, err error) (search.Query, error) {
	if q != nil || err != nil {
		return q, err
	}
	switch b.zero {
	case zeroAll:
		return search.MatchAll{}, nil
	case zeroNull:
		return nil, nil
	}
	return search.MatchNone{}, nil
}

// fromTokens chooses the query by how many tokens there are and how they lie.
func (b *textBuilder) fromTokens(tokens []token, end int, kind textKind) (search.Query, error) {
	positions, synonyms, graph := 0, false, false
	for _, t := range tokens {
		positions += t.inc
		synonyms = synonyms || t.inc == 0
		graph = graph || t.length > 1
	}
	switch {
	case len(tokens) == 0:
		return nil, nil
	case len(tokens) == 1:
		if kind == textPhrasePrefix {
			return b.phrasePrefix(tokens, positions)
		}
		return b.term(tokens[0], kind == textBoolPrefix && tokens[0].end == end)
	case graph:
		if kind == textPhrase || kind == textPhrasePrefix {
			return b.graphPhrase(tokens, kind)
		}
		return b.graphBoolean(tokens, kind == textBoolPrefix)
	case kind == textPhrase && positions > 1:
		return b.phrase(tokens)
	case kind == textPhrasePrefix:
		return b.phrasePrefix(tokens, positions)
	case positions == 1:
		return b.synonyms(tokens)
	}
	return b.words(tokens, kind == textBoolPrefix && tokens[len(tokens)-1].end == end)
}

// lenientOr turns an error into a query that matches nothing, where the request asks for it.
func (b *textBuilder) lenientOr(q search.Query, err error) (search.Query, error) {
	if err != nil && b.lenient {
		return search.MatchNone{}, nil
	}
	return q, err
}

func (b *textBuilder) term(t token, prefix bool) (search.Query, error) {
	if prefix {
		return b.prefixOf(string(t.term))
	}
	return b.termValue(string(t.term))
}

func (b *textBuilder) termValue(v any) (search.Query, error) {
	if b.blend != nil {
		return b.blend.terms([][]byte{[]byte(valueText(v))})
	}
	if b.fuzziness.given {
		return b.lenientOr(b.c.fuzzyQuery(b.r, v, b.fuzziness, b.prefixLength, b.maxExpansions, b.transpositions, b.rewrite))
	}
	return b.lenientOr(b.c.termQuery(b.r, v))
}

func (b *textBuilder) prefixOf(text string) (search.Query, error) {
	if b.blend != nil {
		return b.blend.each(func(r *ref) (search.Query, error) { return b.c.prefixQuery(r, text, rewrite{}, false) })
	}
	return b.lenientOr(b.c.prefixQuery(b.r, text, rewrite{}, false))
}

// synonyms scores several tokens of one position as one.
func (b *textBuilder) synonyms(tokens []token) (search.Query, error) {
	if b.blend != nil {
		terms := make([][]byte, len(tokens))
		for i, t := range tokens {
			terms[i] = t.term
		}
		return b.blend.terms(terms)
	}
	q := &search.Synonym{Field: b.r.termField()}
	for _, t := range tokens {
		q.Terms = append(q.Terms, search.SynonymTerm{Bytes: t.term, Boost: 1})
	}
	return q, nil
}

// words makes a boolean query of the words at each position.
func (b *textBuilder) words(tokens []token, prefix bool) (search.Query, error) {
	q := &search.Boolean{}
	for i := 0; i < len(tokens); {
		j := i + 1
		for j < len(tokens) && tokens[j].inc == 0 {
			j++
		}
		var one search.Query
		var err error
		if j-i == 1 {
			one, err = b.term(tokens[i], prefix && j == len(tokens))
		} else {
			one, err = b.synonyms(tokens[i:j])
		}
		if err != nil {
			return nil, err
		}
		if len(q.Clauses) >= b.c.maxClauses() {
			return nil, search.ErrTooManyClauses
		}
		q.Clauses = append(q.Clauses, search.Clause{Query: one, Occur: b.operator})
		i = j
	}
	return q, nil
}

// positioned groups tokens by position.
func (b *textBuilder) positioned(tokens []token) (terms [][][]byte, positions []int32, gaps bool) {
	pos := int32(-1)
	for i, t := range tokens {
		gaps = gaps || t.inc > 1
		if i > 0 && t.inc == 0 {
			terms[len(terms)-1] = append(terms[len(terms)-1], t.term)
			continue
		}
		if b.noIncrements {
			pos++
		} else {
			pos += int32(t.inc)
		}
		terms, positions = append(terms, [][]byte{t.term}), append(positions, pos)
	}
	return terms, positions, gaps
}

func (b *textBuilder) phrase(tokens []token) (search.Query, error) {
	if b.blend != nil {
		return b.blend.each(func(r *ref) (search.Query, error) { return b.phraseOn(r, tokens) })
	}
	return b.lenientOr(b.phraseOn(b.r, tokens))
}

func (b *textBuilder) phraseOn(r *ref, tokens []token) (search.Query, error) {
	if r.Kind() != mapping.KindText && r.Kind() != mapping.KindKeyword {
		return nil, apierr.IllegalArgument("Can only use phrase queries on text fields - not on [%s] which is of type [%s]", r.Name(), typeName(r))
	}
	terms, positions, gaps := b.positioned(tokens)
	if r.Type() == "match_only_text" {
		return b.sourcePhrase(r)
	}
	if !r.HasPositions() {
		return nil, apierr.New(400, "illegal_state_exception", "field:[%s] was indexed without position data; cannot run PhraseQuery", r.Name())
	}
	if r.Kind() == mapping.KindKeyword {
		return nil, apierr.IllegalArgument("Can only use phrase queries on text fields - not on [%s] which is of type [%s]", r.Name(), typeName(r))
	}
	if pairs := r.PhraseField(); pairs != nil && b.slop == 0 && !gaps && len(terms) > 1 {
		return shingled(pairs.Name(), terms), nil
	}
	return &search.Phrase{Field: r.Name(), Terms: terms, Positions: positions, Slop: int32(b.slop)}, nil
}

func (b *textBuilder) sourcePhrase(r *ref) (search.Query, error) {
	return nil, apierr.NotImplemented("phrases in the field [%s] of type [match_only_text] are not built in this server", r.Name())
}

// shingled seeks a phrase among the pairs of words that the field keeps as terms.
func shingled(field string, terms [][][]byte) search.Query {
	var pairs [][][]byte
	for i := 1; i < len(terms); i++ {
		var at [][]byte
		for _, x := range terms[i-1] {
			for _, y := range terms[i] {
				at = append(at, []byte(string(x)+" "+string(y)))
			}
		}
		pairs = append(pairs, at)
	}
	return &search.Phrase{Field: field, Terms: pairs}
}

func (b *textBuilder) phrasePrefix(tokens []token, positions int) (search.Query, error) {
	if b.blend != nil {
		return b.blend.each(func(r *ref) (search.Query, error) { return b.phrasePrefixOn(r, tokens, positions) })
	}
	return b.lenientOr(b.phrasePrefixOn(b.r, tokens, positions))
}

func (b *textBuilder) phrasePrefixOn(r *ref, tokens []token, count int) (search.Query, error) {
	if count > 1 && !r.HasPositions() && r.Type() != "match_only_text" {
		return nil, apierr.New(400, "illegal_state_exception", "field:[%s] was indexed without position data; cannot run PhraseQuery", r.Name())
	}
	if r.Kind() != mapping.KindText {
		return nil, apierr.IllegalArgument("Can only use phrase prefix queries on text fields - not on [%s] which is of type [%s]", r.Name(), typeName(r))
	}
	if r.Type() == "match_only_text" {
		return b.sourcePhrase(r)
	}
	terms, positions, _ := b.positioned(tokens)
	if sub, least, most := r.PrefixField(); sub != nil && b.slop == 0 && len(terms) == 1 {
		fits := true
		q := &search.Synonym{Field: sub.Name()}
		for _, t := range terms[0] {
			n := utf16Length(string(t))
			fits = fits && n >= least && n <= most
			q.Terms = append(q.Terms, search.SynonymTerm{Bytes: t, Boost: 1})
		}
		if fits {
			return q, nil
		}
	}
	return &phrasePrefix{field: r.Name(), terms: terms, positions: positions, slop: int32(b.slop), max: b.maxExpansions}, nil
}

// phrasePrefix is a phrase whose last word is the beginning of one.
type phrasePrefix struct {
	field     string
	terms     [][][]byte
	positions []int32
	slop      int32
	max       int
}

// String implements search.Query.
func (q *phrasePrefix) String() string {
	return fmt.Sprintf("phrasePrefix(%q %q %v ~%d %d)", q.field, q.terms, q.positions, q.slop, q.max)
}

// Rewrite implements search.Query: it looks up the words that begin so.
func (q *phrasePrefix) Rewrite(s *search.Searcher) (search.Query, error) {
	last := len(q.terms) - 1
	seen := map[string]bool{}
	var words [][]byte
	for _, prefix := range q.terms[last] {
		if err := q.expand(s, prefix, seen, &words); err != nil {
			return nil, err
		}
		if len(words) > q.max {
			break
		}
	}
	if len(words) == 0 {
		return search.MatchNone{}, nil
	}
	terms := append(append([][][]byte(nil), q.terms[:last]...), words)
	return &search.Phrase{Field: q.field, Terms: terms, Positions: q.positions, Slop: q.slop}, nil
}

func (q *phrasePrefix) expand(s *search.Searcher, prefix []byte, seen map[string]bool, words *[][]byte) error {
	for _, leaf := range s.Leaves() {
		terms, err := leaf.Reader.Terms(q.field)
		if err != nil {
			return err
		}
		if terms == nil {
			continue
		}
		it, err := terms.Iterator()
		if err != nil {
			return err
		}
		status, err := it.SeekCeil(prefix)
		if err != nil {
			return err
		}
		if status == lucene.SeekEnd {
			continue
		}
		for t := it.Term(); t != nil && bytes.HasPrefix(t, prefix); {
			if !seen[string(t)] {
				seen[string(t)] = true
				*words = append(*words, bytes.Clone(t))
			}
			if len(*words) >= q.max {
				return nil
			}
			if t, err = it.Next(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Weight implements search.Query; a phrasePrefix is always rewritten.
func (q *phrasePrefix) Weight(*search.Searcher, search.ScoreMode, float32) (search.Weight, error) {
	return nil, fmt.Errorf("%s was not rewritten", q)
}

// tokenGraph is tokens as edges between positions.
type tokenGraph struct {
	tokens []token
	from   []int
	to     []int
	end    int
}

func newTokenGraph(tokens []token) (*tokenGraph, error) {
	g := &tokenGraph{}
	pos, gap, previous := -1, 0, 1
	for _, t := range tokens {
		if pos == -1 && t.inc < 1 {
			return nil, apierr.New(400, "illegal_state_exception", "Malformed TokenStream, start token can't have increment less than 1")
		}
		inc := t.inc
		if inc == 0 {
			pos -= gap
			inc = previous // a token at the place of another has its increment
		} else {
			pos++
			gap = inc - 1
			previous = inc
		}
		end := pos + t.length + gap
		g.tokens = append(g.tokens, token{term: t.term, inc: inc, length: 1, end: t.end})
		g.from, g.to = append(g.from, pos), append(g.to, end)
		g.end = max(g.end, end)
		pos += gap
	}
	return g, nil
}

// cuts returns the positions that no token reaches over, without first and last.
func (g *tokenGraph) cuts() []int {
	var out []int
	for p := 1; p < g.end; p++ {
		starts, over := false, false
		for i := range g.tokens {
			starts = starts || g.from[i] == p
			over = over || g.from[i] < p && g.to[i] > p
		}
		if starts && !over {
			out = append(out, p)
		}
	}
	return out
}

// side tells whether tokens that start at p end at different places.
func (g *tokenGraph) side(p int) bool {
	to := -1
	for i := range g.tokens {
		if g.from[i] == p {
			if to >= 0 && g.to[i] != to {
				return true
			}
			to = g.to[i]
		}
	}
	return false
}

func (g *tokenGraph) at(p int) []token {
	var out []token
	for i, t := range g.tokens {
		if g.from[i] == p {
			out = append(out, t)
		}
	}
	return out
}

// paths returns the ways from one position to another.
func (g *tokenGraph) paths(from, to int) ([][]token, error) {
	var out [][]token
	var walk func(p int, so []token) error
	walk = func(p int, so []token) error {
		if p == to {
			if len(out) >= maxPaths {
				return search.ErrTooManyClauses
			}
			out = append(out, append([]token(nil), so...))
			return nil
		}
		for i, t := range g.tokens {
			if g.from[i] == p && g.to[i] <= to {
				if err := walk(g.to[i], append(so, t)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := walk(from, nil)
	return out, err
}

// graphBoolean makes a clause for each stretch of the graph between its cuts.
func (b *textBuilder) graphBoolean(tokens []token, prefix bool) (search.Query, error) {
	g, err := newTokenGraph(tokens)
	if err != nil {
		return nil, err
	}
	stops := append(append([]int{0}, g.cuts()...), g.end)
	q := &search.Boolean{}
	for i := 1; i < len(stops); i++ {
		from, to := stops[i-1], stops[i]
		last := prefix && to == g.end
		var one search.Query
		if g.side(from) {
			one, err = b.sidePaths(g, from, to, last)
		} else if at := g.at(from); len(at) == 1 {
			one, err = b.term(at[0], last)
		} else {
			one, err = b.synonyms(at)
		}
		if err != nil {
			return nil, err
		}
		if one != nil {
			q.Clauses = append(q.Clauses, search.Clause{Query: one, Occur: b.operator})
		}
	}
	return q, nil
}

func (b *textBuilder) sidePaths(g *tokenGraph, from, to int, prefix bool) (search.Query, error) {
	paths, err := g.paths(from, to)
	if err != nil {
		return nil, err
	}
	inner := *b
	inner.operator, inner.slop = search.Must, 0
	kind := textBoolean
	if b.autoPhrases && (b.blend != nil || b.r.HasPositions()) {
		kind = textPhrase
		if prefix {
			kind = textPhrasePrefix
		}
	}
	q := &search.Boolean{}
	for _, p := range paths {
		one, err := inner.fromTokens(p, -1, kind)
		if err != nil {
			return nil, err
		}
		if one != nil {
			q.Clauses = append(q.Clauses, search.Clause{Query: one, Occur: search.Should})
		}
	}
	if len(q.Clauses) == 1 {
		return q.Clauses[0].Query, nil
	}
	return q, nil
}

// graphPhrase makes a phrase of each way through the graph.
func (b *textBuilder) graphPhrase(tokens []token, kind textKind) (search.Query, error) {
	g, err := newTokenGraph(tokens)
	if err != nil {
		return nil, err
	}
	paths, err := g.paths(0, g.end)
	if err != nil {
		return nil, err
	}
	q := &search.Boolean{}
	for _, p := range paths {
		one, err := b.fromTokens(p, -1, kind)
		if err != nil {
			return nil, err
		}
		if one != nil {
			q.Clauses = append(q.Clauses, search.Clause{Query: one, Occur: search.Should})
		}
	}
	return q, nil
}
