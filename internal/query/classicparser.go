package query

import (
	"fmt"
	"strconv"

	"github.com/varve-search/varve/lucene/search"
)

// classicParser turns the tokens of a query string into a query. What the parts mean is the leaves' business.
type classicParser struct {
	tokens   []classicToken
	i        int
	depth    int
	operator search.Occur // of words beside each other
	leaf     *stringLeaves
}

func (p *classicParser) peek(n int) classicKind {
	if p.i+n < len(p.tokens) {
		return p.tokens[p.i+n].kind
	}
	return ckEnd
}

func (p *classicParser) accept(k classicKind) (classicToken, bool) {
	if p.peek(0) != k {
		return classicToken{}, false
	}
	p.i++
	return p.tokens[p.i-1], true
}

func (p *classicParser) unexpected() error {
	t := p.tokens[min(p.i, len(p.tokens)-1)]
	if t.kind == ckEnd {
		return fmt.Errorf("Encountered \"<EOF>\" at line 1, column %d.", t.at)
	}
	return fmt.Errorf("Encountered \" %s \" at line 1, column %d.", t.text, t.at)
}

// parse reads all tokens; nil where nothing is left of the text.
func (p *classicParser) parse() (search.Query, error) {
	q, err := p.query(nil)
	if err != nil {
		return nil, err
	}
	if p.peek(0) != ckEnd {
		return nil, p.unexpected()
	}
	return q, nil
}

// startsClause tells whether a clause may begin with a token.
func startsClause(k classicKind) bool {
	switch k {
	case ckNot, ckPlus, ckMinus, ckBareOperator, ckLeft, ckStar, ckQuoted, ckTerm, ckPrefix, ckWildcard, ckRegexp, ckRangeIn, ckRangeEx, ckNumber:
		return true
	}
	return false
}

// query reads clauses up to a closing bracket or the end. field is nil where the text names none.
func (p *classicParser) query(field *string) (search.Query, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("brackets are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	var clauses []search.Clause
	var first search.Query
	if p.words() {
		q, err := p.multiTerm(field, &clauses)
		if err != nil {
			return nil, err
		}
		first = q
	} else {
		plain := p.peek(0) != ckPlus && p.peek(0) != ckMinus && p.peek(0) != ckNot
		q, err := p.clauseInto(field, &clauses, ckEnd)
		if err != nil {
			return nil, err
		}
		if plain {
			first = q
		}
	}
	for {
		if k := p.peek(0); !startsClause(k) && k != ckAnd && k != ckOr {
			break
		}
		if p.words() {
			if _, err := p.multiTerm(field, &clauses); err != nil {
				return nil, err
			}
			continue
		}
		conjunction := ckEnd
		if k := p.peek(0); k == ckAnd || k == ckOr {
			conjunction = k
			p.i++
		}
		if _, err := p.clauseInto(field, &clauses, conjunction); err != nil {
			return nil, err
		}
	}
	if len(clauses) == 1 && first != nil {
		return first, nil
	}
	return p.boolean(clauses)
}

func (p *classicParser) boolean(clauses []search.Clause) (search.Query, error) {
	if len(clauses) == 0 {
		return nil, nil
	}
	if len(clauses) > p.leaf.c.maxClauses() {
		return nil, search.ErrTooManyClauses
	}
	return fixNegative(&search.Boolean{Clauses: clauses}), nil
}

// words tells whether two words stand beside each other that are analyzed as one text.
func (p *classicParser) words() bool {
	return p.peek(0) == ckTerm && p.followed(1)
}

// followed tells whether the token at n is a word that nothing is attached to.
func (p *classicParser) followed(n int) bool {
	if p.peek(n) != ckTerm {
		return false
	}
	switch p.peek(n + 1) {
	case ckColon, ckStar, ckFuzzy, ckCaret, ckAnd, ckOr:
		return false
	}
	return true
}

func (p *classicParser) multiTerm(field *string, clauses *[]search.Clause) (search.Query, error) {
	text := p.tokens[p.i].text
	p.i++
	for p.followed(0) {
		text += " " + p.tokens[p.i].text
		p.i++
	}
	text, err := unescape(text)
	if err != nil {
		return nil, err
	}
	q, err := p.leaf.text(field, text)
	if err != nil || q == nil {
		return nil, err
	}
	b, ok := q.(*search.Boolean)
	if !ok {
		*clauses = append(*clauses, search.Clause{Query: q, Occur: p.operator})
		return q, nil
	}
	plain := true
	for _, cl := range b.Clauses {
		if _, term := cl.Query.(*search.Term); !term {
			plain = false
		}
	}
	for _, cl := range b.Clauses {
		if !plain {
			cl.Occur = p.operator
		}
		*clauses = append(*clauses, cl)
	}
	return q, nil
}

// clauseInto reads a clause with its operator and adds it.
func (p *classicParser) clauseInto(field *string, clauses *[]search.Clause, conjunction classicKind) (search.Query, error) {
	mod := p.peek(0)
	switch mod {
	case ckPlus, ckMinus, ckNot:
		p.i++
	default:
		mod = ckEnd
	}
	q, err := p.clause(field)
	if err != nil {
		return nil, err
	}
	p.add(clauses, conjunction, mod, q)
	return q, nil
}

// add adds a clause; AND and OR reach back to the clause before.
func (p *classicParser) add(clauses *[]search.Clause, conjunction, mod classicKind, q search.Query) {
	list := *clauses
	if n := len(list); n > 0 && list[n-1].Occur != search.MustNot {
		if conjunction == ckAnd {
			list[n-1].Occur = search.Must
		}
		if p.operator == search.Must && conjunction == ckOr {
			list[n-1].Occur = search.Should
		}
	}
	if q == nil {
		return
	}
	prohibited := mod == ckMinus || mod == ckNot
	required := mod == ckPlus || conjunction == ckAnd
	if p.operator == search.Must {
		required = conjunction != ckOr
	}
	occur := search.Should
	switch {
	case prohibited:
		occur = search.MustNot
	case required:
		occur = search.Must
	}
	*clauses = append(list, search.Clause{Query: q, Occur: occur})
}

func (p *classicParser) clause(field *string) (search.Query, error) {
	if k := p.peek(0); (k == ckTerm || k == ckStar) && p.peek(1) == ckColon {
		name := "*"
		if k == ckTerm {
			var err error
			if name, err = unescape(p.tokens[p.i].text); err != nil {
				return nil, err
			}
		}
		field = &name
		p.i += 2
	}
	if _, ok := p.accept(ckLeft); !ok {
		return p.term(field)
	}
	q, err := p.query(field)
	if err != nil {
		return nil, err
	}
	if _, ok := p.accept(ckRight); !ok {
		return nil, p.unexpected()
	}
	boost, err := p.boost()
	return withFactor(q, boost), err
}

func withFactor(q search.Query, boost *float64) search.Query {
	if q == nil || boost == nil {
		return q
	}
	return &search.Boost{Query: q, Boost: float32(*boost)}
}

// boost reads ^2, if it is there.
func (p *classicParser) boost() (*float64, error) {
	if _, ok := p.accept(ckCaret); !ok {
		return nil, nil
	}
	t, ok := p.accept(ckNumber)
	if !ok {
		return nil, p.unexpected()
	}
	f, err := strconv.ParseFloat(t.text, 32)
	return &f, err
}

// term reads a word, a pattern, a phrase or a range with what is attached to it.
func (p *classicParser) term(field *string) (search.Query, error) {
	t := p.tokens[min(p.i, len(p.tokens)-1)]
	switch t.kind {
	case ckRangeIn, ckRangeEx:
		return p.rangeTerm(field)
	case ckTerm, ckStar, ckPrefix, ckWildcard, ckRegexp, ckNumber, ckBareOperator, ckQuoted:
	default:
		return nil, p.unexpected()
	}
	p.i++
	var boost *float64
	var err error
	fuzzy, isFuzzy := classicToken{}, false
	if p.peek(0) == ckCaret {
		if boost, err = p.boost(); err != nil {
			return nil, err
		}
		fuzzy, isFuzzy = p.accept(ckFuzzy)
	} else if fuzzy, isFuzzy = p.accept(ckFuzzy); isFuzzy {
		if boost, err = p.boost(); err != nil {
			return nil, err
		}
	}
	q, err := p.word(field, t, fuzzy.text, isFuzzy)
	return withFactor(q, boost), err
}

func (p *classicParser) word(field *string, t classicToken, fuzzy string, isFuzzy bool) (search.Query, error) {
	if t.kind == ckQuoted {
		text, err := unescape(t.text[1 : len(t.text)-1])
		if err != nil {
			return nil, err
		}
		slop := p.leaf.opt.slop
		if isFuzzy {
			if f, err := strconv.ParseFloat(fuzzy[1:], 32); err == nil {
				slop = int(f)
			}
		}
		return p.leaf.phrase(field, text, slop)
	}
	text, err := unescape(t.text)
	if err != nil {
		return nil, err
	}
	switch {
	case t.kind == ckStar || t.kind == ckWildcard:
		return p.leaf.wildcard(field, t.text)
	case t.kind == ckPrefix:
		if text, err = unescape(t.text[:len(t.text)-1]); err != nil {
			return nil, err
		}
		return p.leaf.prefix(field, text)
	case t.kind == ckRegexp:
		return p.leaf.regexp(field, t.text[1:len(t.text)-1])
	case isFuzzy:
		return p.leaf.fuzzy(field, text, fuzzy[1:])
	}
	return p.leaf.text(field, text)
}

func (p *classicParser) rangeTerm(field *string) (search.Query, error) {
	lower := p.tokens[p.i].kind == ckRangeIn
	p.i++
	from, err := p.rangeSide()
	if err != nil {
		return nil, err
	}
	if _, ok := p.accept(ckTo); !ok {
		return nil, p.unexpected()
	}
	to, err := p.rangeSide()
	if err != nil {
		return nil, err
	}
	upper := false
	if _, ok := p.accept(ckRangeEndIn); ok {
		upper = true
	} else if _, ok := p.accept(ckRangeEndEx); !ok {
		return nil, p.unexpected()
	}
	boost, err := p.boost()
	if err != nil {
		return nil, err
	}
	q, err := p.leaf.between(field, from, to, lower, upper)
	return withFactor(q, boost), err
}

// rangeSide reads a bound; * is none.
func (p *classicParser) rangeSide() (any, error) {
	t := p.tokens[min(p.i, len(p.tokens)-1)]
	switch t.kind {
	case ckRangeQuoted:
		t.text = t.text[1 : len(t.text)-1]
	case ckRangeWord, ckTo:
	default:
		return nil, p.unexpected()
	}
	p.i++
	s, err := unescape(t.text)
	if s == "*" && err == nil {
		return nil, nil
	}
	return s, err
}
