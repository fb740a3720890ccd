package query

import (
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

// Operators of simple_query_string, as its flags switch them.
const (
	sqAnd = 1 << iota
	sqNot
	sqOr
	sqPrefix
	sqPhrase
	sqPrecedence
	sqEscape
	sqWhitespace
	sqFuzzy
	sqNear
	sqAll = 1<<iota - 1
)

var simpleFlags = map[string]int{"ALL": sqAll, "NONE": 0, "AND": sqAnd, "NOT": sqNot, "OR": sqOr, "PREFIX": sqPrefix, "PHRASE": sqPhrase,
	"PRECEDENCE": sqPrecedence, "ESCAPE": sqEscape, "WHITESPACE": sqWhitespace, "FUZZY": sqFuzzy, "NEAR": sqNear, "SLOP": sqNear}

func parseSimpleQueryString(name string, o *xcontent.Object, _ int) (node, error) {
	p := newTextParams(name)
	p.maxExpansions = search.DefaultMaxExpansions
	var fields []fieldBoost
	flags := sqAll
	s := simpleString{}
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "fields":
			fields, err = parseFieldList(name, m.Value)
		case "flags":
			if n, nerr := toInt(m.Value); nerr == nil {
				flags = n
				if n < 0 {
					flags = sqAll
				}
				break
			}
			flags = 0
			for part := range strings.SplitSeq(valueText(m.Value), "|") {
				f, ok := simpleFlags[strings.ToUpper(strings.TrimSpace(part))]
				if !ok {
					err = apierr.IllegalArgument("Unknown simple_query_string flag [%s]", part)
				}
				flags |= f
			}
		case "analyze_wildcard":
			s.analyzeWild, err = toBool(m.Value)
		case "quote_field_suffix":
			if m.Value != nil {
				s.quoteSuffix = valueText(m.Value)
			}
		default:
			err = p.take(m, stringParams)
		}
		if err != nil {
			return nil, err
		}
	}
	if p.text == nil {
		return nil, apierr.Parsing("[simple_query_string] query text missing")
	}
	text := valueText(p.text)
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
		leaf := s
		leaf.opt = p.textOptions
		leaf.opt.zero = zeroNull
		if !p.lenientSet && hasAll(list) {
			leaf.opt.lenient = true
		}
		leaf.c, leaf.flags = c, flags
		var err error
		if leaf.fields, err = c.expand(list, ""); err != nil {
			return nil, err
		}
		q, err := leaf.parse(text)
		if err != nil {
			return nil, err
		}
		return maybeMinShould(q, p.minShould)
	})), nil
}

// simpleString reads the syntax of simple_query_string, in which nothing is wrong.
type simpleString struct {
	c           *Context
	fields      []weighted
	opt         textOptions
	quoteSuffix string
	analyzeWild bool
	flags       int
}

// simpleState is where the reading of a text, or of a part in brackets, is.
type simpleState struct {
	data              []rune
	closes            []int // of each bracket in data that is closed: where; else 0
	i, end            int
	current, previous *search.Occur
	not               int
	depth             int
	top               search.Query
}

func (s *simpleString) parse(text string) (search.Query, error) {
	if strings.TrimSpace(text) == "*" {
		return search.MatchAll{}, nil
	}
	st := &simpleState{data: []rune(text)}
	st.end, st.closes = len(st.data), s.closing(st.data)
	if err := s.subquery(st); err != nil {
		return nil, err
	}
	if st.top == nil {
		return search.MatchNone{}, nil
	}
	return st.top, nil
}

func (s *simpleString) has(flag int) bool { return s.flags&flag != 0 }

func simpleSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

func (s *simpleString) subquery(st *simpleState) error {
	if st.depth > maxDepth {
		return apierr.IllegalArgument("brackets are nested more than %d deep", maxDepth)
	}
	for st.i < st.end {
		var err error
		operator := func(o search.Occur) {
			if st.current == nil && st.top != nil {
				st.current = &o
			}
			st.i++
		}
		switch r := st.data[st.i]; {
		case r == '(' && s.has(sqPrecedence):
			err = s.brackets(st)
		case r == ')' && s.has(sqPrecedence):
			st.i++
		case r == '"' && s.has(sqPhrase):
			err = s.phrase(st)
		case r == '+' && s.has(sqAnd):
			operator(search.Must)
		case r == '|' && s.has(sqOr):
			operator(search.Should)
		case r == '-' && s.has(sqNot):
			st.not++
			st.i++
			continue
		case simpleSpace(r) && s.has(sqWhitespace):
			st.i++
		default:
			err = s.token(st)
		}
		if err != nil {
			return err
		}
		st.not = 0
	}
	return nil
}

// closing finds the bracket that closes each opening one.
func (s *simpleString) closing(data []rune) []int {
	if !s.has(sqPrecedence) || !slices.Contains(data, '(') {
		return nil
	}
	closes := make([]int, len(data))
	var open []int
	for i := 0; i < len(data); i++ {
		switch r := data[i]; {
		case r == '\\' && s.has(sqEscape):
			i++
		case r == '(':
			open = append(open, i)
		case r == ')' && len(open) > 0:
			closes[open[len(open)-1]] = i
			open = open[:len(open)-1]
		}
	}
	return closes
}

func (s *simpleString) brackets(st *simpleState) error {
	closed := st.closes[st.i]
	st.i++
	start := st.i
	switch {
	case closed == 0 || closed >= st.end: // no closing bracket: the opening one is ignored
	case closed == start:
		st.current = nil
		st.i++
	default:
		sub := &simpleState{data: st.data, closes: st.closes, i: start, end: closed, depth: st.depth + 1}
		if err := s.subquery(sub); err != nil {
			return err
		}
		s.attach(st, sub.top)
		st.i = closed + 1
	}
	return nil
}

func (s *simpleString) phrase(st *simpleState) error {
	st.i++
	start, escaped, near := st.i, false, false
	var text []rune
	for st.i < st.end {
		if !escaped {
			if st.data[st.i] == '\\' && s.has(sqEscape) {
				escaped = true
				st.i++
				continue
			}
			if st.data[st.i] == '"' {
				if st.i+1 < st.end && st.data[st.i+1] == '~' && s.has(sqNear) {
					st.i++
					near = st.i+1 < st.end
				}
				break
			}
		}
		escaped = false
		text = append(text, st.data[st.i])
		st.i++
	}
	switch {
	case st.i >= st.end:
		st.i = start
		return nil
	case st.i == start:
		st.current = nil
		st.i++
		return nil
	}
	slop := 0
	if near {
		slop = s.number(st)
	}
	q, err := s.quoted(string(text), slop)
	if err != nil {
		return err
	}
	s.attach(st, q)
	st.i++
	return nil
}

// number reads what follows a ~; without a number it is 2.
func (s *simpleString) number(st *simpleState) int {
	var text []rune
	for st.i++; st.i < st.end && !s.finished(st); st.i++ {
		text = append(text, st.data[st.i])
	}
	if len(text) == 0 {
		return 2
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (s *simpleString) finished(st *simpleState) bool {
	switch r := st.data[st.i]; {
	case r == '"':
		return s.has(sqPhrase)
	case r == '|':
		return s.has(sqOr)
	case r == '+':
		return s.has(sqAnd)
	case r == '(' || r == ')':
		return s.has(sqPrecedence)
	case simpleSpace(r):
		return s.has(sqWhitespace)
	}
	return false
}

func (s *simpleString) token(st *simpleState) error {
	var text []rune
	escaped, prefix, fuzzy := false, false, false
	for st.i < st.end {
		if !escaped {
			if st.data[st.i] == '\\' && s.has(sqEscape) {
				escaped, prefix = true, false
				st.i++
				continue
			}
			if s.finished(st) {
				break
			}
			if len(text) > 0 && st.data[st.i] == '~' && s.has(sqFuzzy) {
				fuzzy = true
				break
			}
			prefix = len(text) > 0 && st.data[st.i] == '*' && s.has(sqPrefix)
		}
		escaped = false
		text = append(text, st.data[st.i])
		st.i++
	}
	if len(text) == 0 {
		return nil
	}
	var q search.Query
	var err error
	switch {
	case fuzzy:
		if edits := min(2, s.number(st)); edits > 0 {
			q, err = s.fuzzy(string(text), edits)
		} else {
			q, err = s.plain(string(text))
		}
	case prefix:
		q, err = s.prefix(string(text[:len(text)-1]))
	default:
		q, err = s.plain(string(text))
	}
	if err != nil {
		return err
	}
	s.attach(st, q)
	return nil
}

// attach adds a branch to the tree: a change of the operator puts what stands so far below a new node.
func (s *simpleString) attach(st *simpleState, q search.Query) {
	if q == nil {
		return
	}
	if st.not%2 == 1 {
		q = &search.Boolean{Clauses: []search.Clause{{Query: q, Occur: search.MustNot}, {Query: search.MatchAll{}, Occur: search.Should}}}
	}
	if st.top == nil {
		st.top = q
		st.current = nil
		return
	}
	op := s.opt.operator
	if st.current != nil {
		op = *st.current
	}
	if st.previous == nil || *st.previous != op {
		st.top = &search.Boolean{Clauses: []search.Clause{{Query: st.top, Occur: op}}}
	}
	b := st.top.(*search.Boolean)
	st.top = &search.Boolean{Clauses: append(append([]search.Clause(nil), b.Clauses...), search.Clause{Query: q, Occur: op})}
	st.previous = &op
	st.current = nil
}

func (s *simpleString) plain(text string) (search.Query, error) {
	return s.c.multiMatch(multiKinds["most_fields"], s.fields, text, &s.opt, "")
}

func (s *simpleString) quoted(text string, slop int) (search.Query, error) {
	fields := s.fields
	if s.quoteSuffix != "" {
		var list []fieldBoost
		for _, f := range s.fields {
			list = append(list, fieldBoost{f.Name(), f.boost})
		}
		var err error
		if fields, err = s.c.expand(list, s.quoteSuffix); err != nil {
			return nil, err
		}
	}
	opt := s.opt
	opt.slop = slop
	return s.c.multiMatch(multiKinds["phrase"], fields, text, &opt, "")
}

// each takes the sum of the queries on all fields.
func (s *simpleString) each(f func(r *ref) (search.Query, error)) (search.Query, error) {
	q := &search.DisMax{TieBreaker: 1}
	for _, w := range s.fields {
		one, err := f(w.ref)
		if err != nil {
			if !s.opt.lenient {
				return nil, err
			}
			one = search.MatchNone{}
		}
		if one == nil {
			continue
		}
		if _, none := one.(search.MatchNone); !none {
			one = boosted(one, w.boost)
		}
		q.Queries = append(q.Queries, one)
	}
	switch len(q.Queries) {
	case 0:
		return search.MatchNone{}, nil
	case 1:
		return q.Queries[0], nil
	}
	return q, nil
}

func (s *simpleString) leaves() *stringLeaves { return &stringLeaves{c: s.c, opt: s.opt} }

func (s *simpleString) fuzzy(text string, edits int) (search.Query, error) {
	return s.each(func(r *ref) (search.Query, error) {
		t, err := s.leaves().normalize(r, text)
		if err != nil {
			return nil, err
		}
		return s.c.fuzzyQuery(r, t, fuzziness{given: true, edits: float64(edits)}, s.opt.prefixLength, s.opt.maxExpansions, s.opt.transpositions, rewrite{})
	})
}

func (s *simpleString) prefix(text string) (search.Query, error) {
	return s.each(func(r *ref) (search.Query, error) {
		if s.analyzeWild && r.Kind() == mapping.KindText {
			return s.leaves().analyzedPrefix(r, text)
		}
		t, err := s.leaves().normalize(r, text)
		if err != nil {
			return nil, err
		}
		return s.c.prefixQuery(r, t, rewrite{}, false)
	})
}
