// Package stem holds the stemmers that Lucene 9.12's analyzers use: Porter's algorithm, the light and
// minimal stemmers of J. Savoy for several European languages, and those of the Snowball project.
//
// A [Func] takes a lower-case word as UTF-16 units (in runes), may change them in place, and returns the stem.
package stem

// Func stems a word. The result shares or replaces the memory of the argument.
type Func func(word []rune) []rune
