package search

import (
	"fmt"
	"slices"
	"strings"
)

// Occur says how a clause takes part in a Boolean query.
type Occur uint8

// The roles of clauses.
const (
	Must    Occur = iota // has to match, and scores
	Filter               // has to match, and does not score
	Should               // may match, and scores
	MustNot              // must not match
)

func (o Occur) String() string { return [...]string{"must", "filter", "should", "must_not"}[o] }

// Clause is a part of a Boolean query.
type Clause struct {
	Query Query
	Occur Occur
}

// Boolean combines queries. Its score is the sum of those of its matching scoring clauses.
type Boolean struct {
	Clauses   []Clause
	MinShould int // how many Should clauses have to match; with 0, one if there is no Must or Filter clause
}

// NewDisjunction returns a query that matches what any of qs does.
func NewDisjunction(qs ...Query) *Boolean {
	b := &Boolean{}
	for _, q := range qs {
		b.Clauses = append(b.Clauses, Clause{q, Should})
	}
	return b
}

func (q *Boolean) String() string {
	var b strings.Builder
	b.WriteString("bool(")
	for i, c := range q.Clauses {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%s", c.Occur, c.Query)
	}
	fmt.Fprintf(&b, ";%d)", q.MinShould)
	return b.String()
}

func (q *Boolean) with(o Occur) []Query {
	var out []Query
	for _, c := range q.Clauses {
		if c.Occur == o {
			out = append(out, c.Query)
		}
	}
	return out
}

func (q *Boolean) has(o Occur) bool {
	return slices.ContainsFunc(q.Clauses, func(c Clause) bool { return c.Occur == o })
}

func (q *Boolean) pureDisjunction() bool {
	return q.MinShould <= 1 && len(q.Clauses) > 0 && !slices.ContainsFunc(q.Clauses, func(c Clause) bool { return c.Occur != Should })
}

// withoutScores simplifies for a caller that needs no scores.
func (q *Boolean) withoutScores() Query {
	keepShould := q.MinShould > 0 || !q.has(Must) && !q.has(Filter)
	out := &Boolean{MinShould: q.MinShould}
	changed := false
	for _, c := range q.Clauses {
		in := c.Query
		if b, ok := in.(*Boost); ok {
			in = b.Query
		}
		if cs, ok := in.(*ConstantScore); ok {
			in = cs.Query
		}
		if b, ok := in.(*Boolean); ok {
			in = b.withoutScores()
		}
		switch {
		case c.Occur == Should && !keepShould:
			changed = true
			continue
		case c.Occur == Must:
			c.Occur = Filter
			changed = true
		}
		if in != c.Query {
			c.Query = in
			changed = true
		}
		out.Clauses = append(out.Clauses, c)
	}
	if !changed {
		return q
	}
	return out
}

// Rewrite implements Query. The steps that change how scores are added up are those of Lucene, so that sums round alike.
func (q *Boolean) Rewrite(s *Searcher) (Query, error) {
	if n := len(q.Clauses); n > s.maxClauses() {
		return nil, fmt.Errorf("%w: a boolean query has %d, at most %d are allowed", ErrTooManyClauses, n, s.maxClauses())
	}
	if len(q.Clauses) == 0 {
		return MatchNone{}, nil
	}
	if len(q.Clauses) == 1 {
		c := q.Clauses[0]
		switch {
		case q.MinShould == 1 && c.Occur == Should, q.MinShould == 0 && (c.Occur == Should || c.Occur == Must):
			return c.Query, nil
		case q.MinShould == 0 && c.Occur == Filter:
			return &Boost{&ConstantScore{c.Query}, 0}, nil
		case q.MinShould == 0 && c.Occur == MustNot:
			return MatchNone{}, nil
		}
	}
	if out, err := q.rewriteClauses(s); out != nil || err != nil {
		return out, err
	}
	for _, step := range []func() Query{q.dropDuplicates, q.findContradictions, q.dropNeedlessFilters, q.filterAndShould,
		func() Query { return q.addBoosts(Should) }, func() Query { return q.addBoosts(Must) },
		q.constantMust, q.flatten, q.tooFewShould} {
		if out := step(); out != nil {
			return out, nil
		}
	}
	return q, nil
}

func (q *Boolean) rewriteClauses(s *Searcher) (Query, error) {
	out := &Boolean{MinShould: q.MinShould}
	changed := false
	for _, c := range q.Clauses {
		var in Query
		var err error
		if c.Occur == Filter || c.Occur == MustNot {
			if in, err = (&ConstantScore{c.Query}).Rewrite(s); err != nil {
				return nil, err
			}
			if cs, ok := in.(*ConstantScore); ok {
				in = cs.Query
			}
		} else if in, err = c.Query.Rewrite(s); err != nil {
			return nil, err
		}
		if in != c.Query {
			changed = true
			c.Query = in
		}
		if _, none := in.(MatchNone); none {
			if c.Occur == Must || c.Occur == Filter {
				return in, nil
			}
			changed = true
			continue
		}
		out.Clauses = append(out.Clauses, c)
	}
	if !changed {
		return nil, nil
	}
	return out, nil
}

// dropDuplicates keeps each Filter and MustNot clause once.
func (q *Boolean) dropDuplicates() Query {
	seen := map[string]bool{}
	out := &Boolean{MinShould: q.MinShould}
	for _, c := range q.Clauses {
		if c.Occur == Filter || c.Occur == MustNot {
			k := c.Occur.String() + c.Query.String()
			if seen[k] {
				continue
			}
			seen[k] = true
		}
		out.Clauses = append(out.Clauses, c)
	}
	if len(out.Clauses) == len(q.Clauses) {
		return nil
	}
	return out
}

// keys returns the descriptions of the clauses of some roles.
func (q *Boolean) keys(occurs ...Occur) map[string]bool {
	m := map[string]bool{}
	for _, c := range q.Clauses {
		if slices.Contains(occurs, c.Occur) {
			m[c.Query.String()] = true
		}
	}
	return m
}

func (q *Boolean) findContradictions() Query {
	if !q.has(MustNot) {
		return nil
	}
	required := q.keys(Must, Filter)
	for k := range q.keys(MustNot) {
		if required[k] || k == (MatchAll{}).String() {
			return MatchNone{}
		}
	}
	return nil
}

// dropNeedlessFilters removes filters that are Must clauses too, or match everything beside another required clause.
func (q *Boolean) dropNeedlessFilters() Query {
	if !q.has(Filter) {
		return nil
	}
	must := q.keys(Must)
	others := len(q.with(Filter)) > 1 || len(must) > 0
	out := &Boolean{MinShould: q.MinShould}
	for _, c := range q.Clauses {
		if c.Occur == Filter {
			if _, all := c.Query.(MatchAll); all && others || must[c.Query.String()] {
				continue
			}
		}
		out.Clauses = append(out.Clauses, c)
	}
	if len(out.Clauses) == len(q.Clauses) {
		return nil
	}
	if !out.has(Must) && !out.has(Filter) {
		out.Clauses = append(out.Clauses, Clause{MatchAll{}, Filter})
	}
	return out
}

// filterAndShould makes a clause that filters and scores a Must clause.
func (q *Boolean) filterAndShould() Query {
	if !q.has(Should) || !q.has(Filter) {
		return nil
	}
	filters, shoulds := q.keys(Filter), q.keys(Should)
	out := &Boolean{MinShould: q.MinShould}
	changed := false
	for _, c := range q.Clauses {
		k := c.Query.String()
		if filters[k] && shoulds[k] {
			changed = true
			if c.Occur == Should {
				out.Clauses = append(out.Clauses, Clause{c.Query, Must})
				out.MinShould--
			} else if c.Occur != Filter {
				out.Clauses = append(out.Clauses, c)
			}
			continue
		}
		out.Clauses = append(out.Clauses, c)
	}
	if !changed {
		return nil
	}
	out.MinShould = max(0, out.MinShould)
	return out
}

// addBoosts merges equal scoring clauses into one of the summed boost.
func (q *Boolean) addBoosts(o Occur) Query {
	if o == Should && q.MinShould > 1 {
		return nil
	}
	type sum struct {
		q     Query
		boost float64
	}
	var sums []*sum
	at := map[string]*sum{}
	n := 0
	out := &Boolean{MinShould: q.MinShould}
	for _, c := range q.Clauses {
		if c.Occur != o {
			continue
		}
		n++
		in, boost := c.Query, 1.0
		for b, ok := in.(*Boost); ok; b, ok = in.(*Boost) {
			boost *= float64(b.Boost)
			in = b.Query
		}
		k := in.String()
		if at[k] == nil {
			at[k] = &sum{q: in}
			sums = append(sums, at[k])
		}
		at[k].boost += boost
	}
	if len(sums) == n {
		return nil
	}
	for _, s := range sums {
		in := s.q
		if b := float32(s.boost); b != 1 {
			in = &Boost{in, b}
		}
		out.Clauses = append(out.Clauses, Clause{in, o})
	}
	for _, c := range q.Clauses {
		if c.Occur != o {
			out.Clauses = append(out.Clauses, c)
		}
	}
	return out
}

// constantMust makes a filtered match-all the constant score of the filter.
func (q *Boolean) constantMust() Query {
	must := q.with(Must)
	if len(must) != 1 || !q.has(Filter) {
		return nil
	}
	in, boost := must[0], float32(1)
	if b, ok := in.(*Boost); ok {
		in, boost = b.Query, b.Boost
	}
	if _, ok := in.(MatchAll); !ok {
		return nil
	}
	inner := &Boolean{}
	out := &Boolean{MinShould: q.MinShould}
	for _, c := range q.Clauses {
		if c.Occur == Filter || c.Occur == MustNot {
			inner.Clauses = append(inner.Clauses, c)
		}
	}
	var rewritten Query = &ConstantScore{inner}
	if boost != 1 {
		rewritten = &Boost{rewritten, boost}
	}
	out.Clauses = append(out.Clauses, Clause{rewritten, Must})
	for _, c := range q.Clauses {
		if c.Occur == Should {
			out.Clauses = append(out.Clauses, c)
		}
	}
	return out
}

// flatten inlines disjunctions into a disjunction.
func (q *Boolean) flatten() Query {
	if q.MinShould > 1 {
		return nil
	}
	out := &Boolean{MinShould: q.MinShould}
	changed := false
	for _, c := range q.Clauses {
		if in, ok := c.Query.(*Boolean); ok && c.Occur == Should && in.pureDisjunction() {
			changed = true
			out.Clauses = append(out.Clauses, in.Clauses...)
			continue
		}
		out.Clauses = append(out.Clauses, c)
	}
	if !changed {
		return nil
	}
	return out
}

func (q *Boolean) tooFewShould() Query {
	n := len(q.with(Should))
	switch {
	case n < q.MinShould:
		return MatchNone{}
	case n > 0 && n == q.MinShould:
		out := &Boolean{}
		for _, c := range q.Clauses {
			if c.Occur == Should {
				c.Occur = Must
			}
			out.Clauses = append(out.Clauses, c)
		}
		return out
	}
	return nil
}
