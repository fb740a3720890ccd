package analysis

import (
	_ "embed" // the stop word lists
	"strings"
	"sync"
	"unicode"
)

//go:embed stopwords.txt
var stopWordText string

// namedStopWords maps names such as _english_ to the lists of the Snowball project and of J. Savoy
// that Lucene's analyzers use.
var namedStopWords = sync.OnceValue(func() map[string][]string {
	m := map[string][]string{}
	for _, section := range strings.Split(strings.TrimSpace(stopWordText), "\n\n") {
		lines := strings.Split(section, "\n")
		m[lines[0]] = lines[1:]
	}
	return m
})

// wordSet is an immutable set of terms, with or without regard to case.
type wordSet struct {
	words      map[string]struct{}
	ignoreCase bool
}

func newWordSet(words []string, ignoreCase bool) *wordSet {
	s := &wordSet{words: make(map[string]struct{}, len(words)), ignoreCase: ignoreCase}
	for _, w := range words {
		s.words[s.fold(w)] = struct{}{}
	}
	return s
}

func (s *wordSet) fold(w string) string {
	if !s.ignoreCase {
		return w
	}
	return strings.Map(unicode.ToLower, w)
}

func (s *wordSet) contains(term []byte) bool {
	if s.ignoreCase {
		for _, c := range term {
			if c >= 'A' && c <= 'Z' || c >= 0x80 {
				_, ok := s.words[s.fold(string(term))]
				return ok
			}
		}
	}
	_, ok := s.words[string(term)]
	return ok
}

// resolveWords replaces the names of stop word lists by the lists.
func resolveWords(words []string, ignoreCase bool) *wordSet {
	var all []string
	for _, w := range words {
		if list, ok := namedStopWords()[w]; ok && w != "_cjk_" {
			all = append(all, list...)
		} else {
			all = append(all, w)
		}
	}
	return newWordSet(all, ignoreCase)
}
