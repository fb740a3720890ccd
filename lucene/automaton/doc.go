// Package automaton makes the deterministic byte automata that multi-term queries run over a terms dictionary:
// prefixes, wildcards, Lucene's regular expressions, term ranges and Levenshtein neighbourhoods.
//
// Nfa is a builder: fragments with epsilon edges, put together by concatenation, union and repetition.
// Determinize turns it into a DFA, minimised and without dead states; the work it may do is limited, because a short
// expression can need exponentially many states (ErrTooComplex). DFA implements lucene.Automaton and is immutable.
//
// Terms are UTF-8. A DFA reads bytes, so "any character" is a lead byte and its continuation bytes; complements are
// taken within the strings that look like UTF-8. Case-insensitive matching folds ASCII letters only, as Lucene does.
package automaton
