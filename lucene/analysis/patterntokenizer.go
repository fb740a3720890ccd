package analysis

import (
	"fmt"
	"regexp"
	"strings"
)

// patternTokenizer splits at matches of a pattern (group -1), or makes tokens of a group's matches.
type patternTokenizer struct {
	source
	re      *regexp.Regexp
	group   int
	matches [][]int
	next    int
	index   int
	done    bool
}

func newPatternTokenizer(re *regexp.Regexp, group int) func() tokenizer {
	return func() tokenizer { return &patternTokenizer{re: re, group: group} }
}

func (z *patternTokenizer) Reset() {
	z.matches = z.re.FindAllSubmatchIndex(z.text, -1)
	z.next, z.index = 0, 0
	z.done = len(z.text) == 0
}

func (z *patternTokenizer) Next() bool {
	if z.done || z.index >= len(z.text) {
		return false
	}
	for z.next < len(z.matches) {
		m := z.matches[z.next]
		z.next++
		if z.group >= 0 {
			start, end := m[2*z.group], m[2*z.group+1]
			z.index = start
			if start == end {
				continue
			}
			z.emit(start, end, "word")
			return true
		}
		start := z.index
		z.index = m[1]
		if m[0] > start {
			z.emit(start, m[0], "word")
			return true
		}
	}
	z.done = true
	if z.group >= 0 || z.index >= len(z.text) {
		return false
	}
	z.emit(z.index, len(z.text), "word")
	return true
}

// simplePatternTokenizer makes tokens of the longest matches of a Lucene regular expression or, with
// split, of what is between them.
type simplePatternTokenizer struct {
	source
	re    *regexp.Regexp
	split bool
	pos   int
}

func newSimplePatternTokenizer(re *regexp.Regexp, split bool) func() tokenizer {
	return func() tokenizer { return &simplePatternTokenizer{re: re, split: split} }
}

func (z *simplePatternTokenizer) Reset() { z.pos = 0 }

// find returns the first match at or behind p that is not empty; the expression has no anchors, so
// what stands before p does not matter.
func (z *simplePatternTokenizer) find(p int) (start, end int, ok bool) {
	for p < len(z.text) {
		m := z.re.FindIndex(z.text[p:])
		if m == nil {
			return 0, 0, false
		}
		if m[0] < m[1] {
			return p + m[0], p + m[1], true
		}
		p += m[0]
		if p < len(z.text) {
			_, w := z.rune(p)
			p += w
		}
	}
	return 0, 0, false
}

func (z *simplePatternTokenizer) Next() bool {
	for z.pos < len(z.text) {
		start, end, ok := z.find(z.pos)
		if !z.split {
			if !ok {
				return false
			}
			z.pos = end
			z.emit(start, end, "word")
			return true
		}
		from := z.pos
		if !ok {
			start, end = len(z.text), len(z.text)
		}
		z.pos = end
		if start > from {
			z.emit(from, start, "word")
			return true
		}
	}
	return false
}

// compileLuceneRegex translates Lucene's regular expression syntax, as far as it is regular in Go's
// sense: no complement, intersection or numeric interval.
func compileLuceneRegex(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a regular expression of %d bytes, more than %d", len(pattern), maxPattern)
	}
	var out strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			switch e := pattern[i]; e {
			case 'd', 'D', 'w', 'W':
				out.WriteString(`\` + string(e))
			case 's':
				if inClass {
					out.WriteString(` \t\n\r`)
				} else {
					out.WriteString(`[ \t\n\r]`)
				}
			case 'S':
				if inClass {
					return nil, fmt.Errorf("regular expression [%s] uses \\S within a class, which is not supported by Varve", pattern)
				}
				out.WriteString(`[^ \t\n\r]`)
			default:
				out.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
			}
		case inClass:
			if c == ']' {
				inClass = false
			}
			if c == '[' {
				out.WriteByte('\\')
			}
			out.WriteByte(c)
		case c == '[':
			inClass = true
			out.WriteByte(c)
		case c == '"':
			end := strings.IndexByte(pattern[i+1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("expected '\"' at position %d", len(pattern))
			}
			out.WriteString(regexp.QuoteMeta(pattern[i+1 : i+1+end]))
			i += end + 1
		case c == '.':
			out.WriteString(`(?s:.)`)
		case c == '@':
			out.WriteString(`(?s:.*)`)
		case c == '~' || c == '&' || c == '<' || c == '#':
			return nil, fmt.Errorf("regular expression [%s] uses the operator %c, which is not supported by Varve in a tokenizer", pattern, c)
		case c == '^' || c == '$':
			out.WriteByte('\\')
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	re, err := regexp.Compile("(?:" + out.String() + ")")
	if err != nil {
		return nil, fmt.Errorf("regular expression [%s]: %w", pattern, err)
	}
	re.Longest()
	return re, nil
}
