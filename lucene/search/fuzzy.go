package search

import (
	"fmt"
	"unicode/utf8"

	"github.com/varve-search/varve/lucene/automaton"
)

// DefaultMaxExpansions is how many terms a Fuzzy expands to unless it says otherwise.
const DefaultMaxExpansions = 50

// Fuzzy matches terms within an edit distance. The nearer score better.
type Fuzzy struct {
	Field          string
	Term           string
	Edits          int // 0 to 2
	Prefix         int // characters at the start that have to be equal
	MaxExpansions  int // terms at most; 0: DefaultMaxExpansions
	Transpositions bool
	Method         RewriteMethod // RewriteConstantScore stands for the default, top_terms_blended_freqs of MaxExpansions, unless Constant
	Constant       bool          // Method is meant as it stands
	Top            int           // for the top-terms methods
}

func (q *Fuzzy) String() string { return fmt.Sprintf("fuzzy(%+v)", *q) }

// Rewrite implements Query.
func (q *Fuzzy) Rewrite(*Searcher) (Query, error) {
	word := []rune(q.Term)
	var dfas []*automaton.DFA
	for e := 0; e <= q.Edits; e++ {
		d, err := automaton.Levenshtein(q.Term, e, q.Prefix, q.Transpositions)
		if err != nil {
			return nil, fmt.Errorf("fuzzy query for %.100q on %q: %w", q.Term, q.Field, err)
		}
		dfas = append(dfas, d)
	}
	m := &MultiTerm{Field: q.Field, Automaton: dfas[len(dfas)-1], Label: q.String(), Method: q.Method, Top: q.Top}
	if m.Method == RewriteConstantScore && !q.Constant {
		m.Method = RewriteTopTermsBlended
		if m.Top = q.MaxExpansions; m.Top <= 0 {
			m.Top = DefaultMaxExpansions
		}
	}
	m.boost = func(term []byte) float32 {
		e := len(dfas) - 1
		for e > 0 && dfas[e-1].Match(term) {
			e--
		}
		if e == 0 {
			return 1
		}
		n := min(utf8.RuneCount(term), len(word))
		return 1 - float32(e)/float32(n)
	}
	return m, nil
}

// Weight implements Query; a Fuzzy is always rewritten.
func (q *Fuzzy) Weight(*Searcher, ScoreMode, float32) (Weight, error) {
	return nil, fmt.Errorf("%s was not rewritten", q)
}
