package search

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/automaton"
)

// RewriteMethod says how a query over many terms scores.
type RewriteMethod uint8

// The rewrite methods, by OpenSearch's names.
const (
	RewriteConstantScore        RewriteMethod = iota // constant_score
	RewriteConstantScoreBoolean                      // constant_score_boolean: an error over the clause limit
	RewriteScoringBoolean                            // scoring_boolean
	RewriteTopTerms                                  // top_terms_N
	RewriteTopTermsBoost                             // top_terms_boost_N
	RewriteTopTermsBlended                           // top_terms_blended_freqs_N
)

func (m RewriteMethod) String() string {
	return [...]string{"constant_score", "constant_score_boolean", "scoring_boolean", "top_terms", "top_terms_boost", "top_terms_blended_freqs"}[m]
}

// MultiTerm matches documents with any term that an automaton accepts.
type MultiTerm struct {
	Field     string
	Automaton lucene.Automaton
	// Label describes the automaton completely, such as prefix("foo").
	Label  string
	Method RewriteMethod
	Top    int // how many terms the top-terms methods keep
	// boost of a term for the top-terms methods; nil: 1 for all
	boost func(term []byte) float32
}

// NewPrefix matches terms that begin with text.
func NewPrefix(field, text string, fold bool) *MultiTerm {
	return &MultiTerm{Field: field, Automaton: automaton.Prefix(text, fold), Label: fmt.Sprintf("prefix(%q,%v)", text, fold)}
}

// NewWildcard matches terms by a pattern of * and ?.
func NewWildcard(field, pattern string, fold bool) (*MultiTerm, error) {
	a, err := automaton.Wildcard(pattern, fold, 0)
	if err != nil {
		return nil, fmt.Errorf("wildcard %.200q: %w", pattern, err)
	}
	return &MultiTerm{Field: field, Automaton: a, Label: fmt.Sprintf("wildcard(%q,%v)", pattern, fold)}, nil
}

// NewRegExp matches terms by a regular expression in Lucene's syntax. limit is the determinize work limit (0: default).
func NewRegExp(field, expr string, flags automaton.Flags, limit int) (*MultiTerm, error) {
	a, err := automaton.RegExp(expr, flags, limit)
	if err != nil {
		return nil, err
	}
	return &MultiTerm{Field: field, Automaton: a, Label: fmt.Sprintf("regexp(%q,%#x)", expr, int(flags))}, nil
}

// NewTermRange matches terms between bounds; a nil bound is open.
func NewTermRange(field string, lower, upper []byte, includeLower, includeUpper bool) *MultiTerm {
	return &MultiTerm{Field: field, Automaton: automaton.Range(lower, upper, includeLower, includeUpper),
		Label: fmt.Sprintf("terms(%q,%v,%v,%q,%v,%v)", lower, lower == nil, includeLower, upper, upper == nil, includeUpper)}
}

// NewTermFolded matches a term, letters of ASCII in either case.
func NewTermFolded(field, text string) *MultiTerm {
	return &MultiTerm{Field: field, Automaton: automaton.String(text, true), Label: fmt.Sprintf("folded(%q)", text)}
}

func (q *MultiTerm) String() string {
	return fmt.Sprintf("multi(%q,%s,%s,%d)", q.Field, q.Label, q.Method, q.Top)
}

// matchedTerm is a term of the index that a query accepts.
type matchedTerm struct {
	bytes  []byte
	boost  float32
	states *termStates
}

// Rewrite implements Query.
func (q *MultiTerm) Rewrite(s *Searcher) (Query, error) {
	if q.Method == RewriteConstantScore {
		return q, nil
	}
	limit, top := s.maxClauses(), false
	switch q.Method {
	case RewriteTopTerms, RewriteTopTermsBoost, RewriteTopTermsBlended:
		limit, top = min(limit, q.Top), true
	}
	if limit <= 0 {
		return MatchNone{}, nil
	}
	terms, err := q.collect(s, limit, top)
	if err != nil {
		return nil, err
	}
	var blended TermStatistics
	for _, t := range terms {
		blended.DocFreq = max(blended.DocFreq, t.states.sum.DocFreq)
		blended.TotalTermFreq += t.states.sum.TotalTermFreq
	}
	out := &Boolean{}
	for _, t := range terms {
		term := &Term{Field: q.Field, Bytes: t.bytes}
		if q.Method == RewriteTopTermsBlended {
			term.Stats = &blended
		}
		var c Query = term
		if q.Method == RewriteTopTermsBoost || q.Method == RewriteConstantScoreBoolean {
			c = &ConstantScore{c}
		}
		if t.boost != 1 {
			c = &Boost{c, max(t.boost, 0)}
		}
		out.Clauses = append(out.Clauses, Clause{c, Should})
	}
	if q.Method == RewriteConstantScoreBoolean {
		return &ConstantScore{out}, nil
	}
	return out, nil
}

// collect finds the terms of all segments; with top, the limit best by boost, ties by term.
func (q *MultiTerm) collect(s *Searcher, limit int, top bool) ([]*matchedTerm, error) {
	found := map[string]*matchedTerm{}
	var best []*matchedTerm // a heap with the worst on top
	worse := func(a, b *matchedTerm) bool {
		return a.boost < b.boost || a.boost == b.boost && bytes.Compare(a.bytes, b.bytes) > 0
	}
	for i := range s.leaves {
		te, err := q.terms(s.leaves[i].Reader)
		if te == nil || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		for {
			b, err := te.Next()
			if err != nil {
				return nil, err
			}
			if b == nil {
				break
			}
			t := found[string(b)]
			if t == nil {
				t = &matchedTerm{boost: 1}
				if q.boost != nil {
					t.boost = q.boost(b)
				}
				if len(best) >= limit {
					if !top {
						return nil, fmt.Errorf("%w: %s expands to more than %d terms", ErrTooManyClauses, q, limit)
					}
					t.bytes = b
					if !worse(best[0], t) {
						continue
					}
					delete(found, string(best[0].bytes))
					best = popWorst(best, worse)
				}
				t.bytes = slices.Clone(b)
				t.states = &termStates{leaf: make([]termLeafState, len(s.leaves))}
				found[string(t.bytes)] = t
				best = pushWorst(best, t, worse)
			}
			if err := t.states.register(i, te); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(best, func(a, b *matchedTerm) int { return bytes.Compare(a.bytes, b.bytes) })
	return best, nil
}

func pushWorst(h []*matchedTerm, t *matchedTerm, less func(a, b *matchedTerm) bool) []*matchedTerm {
	h = append(h, t)
	for i := len(h) - 1; i > 0 && less(h[i], h[(i-1)/2]); i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
	return h
}

func popWorst(h []*matchedTerm, less func(a, b *matchedTerm) bool) []*matchedTerm {
	n := len(h) - 1
	h[0] = h[n]
	h = h[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return h
		}
		if c+1 < n && less(h[c+1], h[c]) {
			c++
		}
		if !less(h[c], h[i]) {
			return h
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// terms returns an iterator over the accepted terms of a segment, or nil.
func (q *MultiTerm) terms(r lucene.LeafReader) (lucene.TermsEnum, error) {
	t, err := r.Terms(q.Field)
	if t == nil || err != nil {
		return nil, err
	}
	return t.Intersect(q.Automaton, nil)
}

// Weight implements Query.
func (q *MultiTerm) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return &constantWeight{q: q, score: boost, supply: func(leaf *lucene.LeafContext) (int64, opener, error) {
		return multiTermSupply(leaf, q.Field, func() (lucene.TermsEnum, error) { return q.terms(leaf.Reader) })
	}}, nil
}

// fewTerms is up to how many terms are merged as they are; more become a set at once.
const fewTerms = 16

// multiTermSupply matches what any of an iterator's terms does.
func multiTermSupply(leaf *lucene.LeafContext, field string, enum func() (lucene.TermsEnum, error)) (int64, opener, error) {
	terms, err := leaf.Reader.Terms(field)
	if terms == nil || err != nil {
		return 0, nil, err
	}
	te, err := enum()
	if te == nil || err != nil {
		return 0, nil, err
	}
	var few []lucene.PostingsEnum
	var cost int64
	done := false
	for len(few) < fewTerms {
		t, err := te.Next()
		if err != nil {
			return 0, nil, err
		}
		if t == nil {
			done = true
			break
		}
		df, err := te.DocFreq()
		if err != nil {
			return 0, nil, err
		}
		p, err := te.Postings(nil, lucene.PostingsNone)
		if err != nil {
			return 0, nil, err
		}
		if df == terms.DocCount() { // nothing else can add a document
			few, cost, done = []lucene.PostingsEnum{p}, int64(df), true
			break
		}
		few, cost = append(few, p), cost+int64(df)
	}
	if len(few) == 0 {
		return 0, nil, nil
	}
	if !done {
		cost = min(terms.SumDocFreq(), int64(terms.DocCount())*2)
	}
	return cost, func(int64) (lucene.DocIDSetIterator, TwoPhase, error) {
		if done && len(few) == 1 {
			return few[0], nil, nil
		}
		maxDoc := leaf.Reader.MaxDoc()
		if done && cost < int64(maxDoc>>4) {
			scs := make([]Scorer, len(few))
			for i, p := range few {
				scs[i] = newConstantScorer(p, 1)
			}
			return disjunctionIterator{newDisjunctionScorer(scs, sumScores)}, nil, nil
		}
		b := NewDocIDSetBuilder(maxDoc)
		for _, p := range few {
			if err := b.AddIterator(p); err != nil {
				return nil, nil, err
			}
		}
		var reuse lucene.PostingsEnum
		for !done {
			t, err := te.Next()
			if err != nil {
				return nil, nil, err
			}
			if t == nil {
				break
			}
			if reuse, err = te.Postings(reuse, lucene.PostingsNone); err != nil {
				return nil, nil, err
			}
			if err := b.AddIterator(reuse); err != nil {
				return nil, nil, err
			}
		}
		return b.Build().Iterator(), nil, nil
	}, nil
}

// Terms matches documents with any of several terms, all with the same score.
type Terms struct {
	Field  string
	Values [][]byte
}

func (q *Terms) String() string { return fmt.Sprintf("in(%q,%q)", q.Field, q.Values) }

// Rewrite implements Query.
func (q *Terms) Rewrite(*Searcher) (Query, error) {
	if len(q.Values) == 0 {
		return MatchNone{}, nil
	}
	if !slices.IsSortedFunc(q.Values, bytes.Compare) {
		out := &Terms{q.Field, slices.Clone(q.Values)}
		slices.SortFunc(out.Values, bytes.Compare)
		out.Values = slices.CompactFunc(out.Values, bytes.Equal)
		return out, nil
	}
	if len(q.Values) == 1 {
		return &ConstantScore{&Term{Field: q.Field, Bytes: q.Values[0]}}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *Terms) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return &constantWeight{q: q, score: boost, supply: func(leaf *lucene.LeafContext) (int64, opener, error) {
		return multiTermSupply(leaf, q.Field, func() (lucene.TermsEnum, error) {
			t, err := leaf.Reader.Terms(q.Field)
			if t == nil || err != nil {
				return nil, err
			}
			te, err := t.Iterator()
			if err != nil {
				return nil, err
			}
			return &listedTerms{TermsEnum: te, list: q.Values}, nil
		})
	}}, nil
}

// listedTerms visits the terms of a sorted list that are there.
type listedTerms struct {
	lucene.TermsEnum
	list [][]byte
}

func (l *listedTerms) Next() ([]byte, error) {
	for len(l.list) > 0 {
		t := l.list[0]
		l.list = l.list[1:]
		if ok, err := l.SeekExact(t); ok || err != nil {
			return t, err
		}
	}
	return nil, nil
}
