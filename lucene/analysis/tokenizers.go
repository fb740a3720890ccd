package analysis

import (
	"unicode"
	"unicode/utf8"
)

// charTokenizer makes a token of each run of characters that it keeps: whitespace, letter,
// lowercase, char_group.
type charTokenizer struct {
	source
	ascii256 [utf8.RuneSelf]bool
	keep     func(rune) bool
	lower    bool
	max      int // UTF-16 units
	pos      int
}

func newCharTokenizer(keep func(rune) bool, lower bool, maxLen int) func() tokenizer {
	return func() tokenizer {
		z := &charTokenizer{keep: keep, lower: lower, max: maxLen}
		for c := range z.ascii256 {
			z.ascii256[c] = keep(rune(c))
		}
		return z
	}
}

func (z *charTokenizer) Reset() { z.pos = 0 }

func (z *charTokenizer) Next() bool {
	start, units, p := -1, 0, z.pos
	for p < len(z.text) {
		c := z.text[p]
		if c < utf8.RuneSelf {
			if z.ascii256[c] {
				if start < 0 {
					start = p
				}
				units++
				p++
				if units >= z.max {
					break
				}
				continue
			}
			if start >= 0 {
				break
			}
			p++
			continue
		}
		r, w := utf8.DecodeRune(z.text[p:])
		if z.keep(r) {
			if start < 0 {
				start = p
			}
			units += unitsOf(r)
			p += w
			if units >= z.max {
				break
			}
			continue
		}
		if start >= 0 {
			break
		}
		p += w
	}
	z.pos = p
	if start < 0 {
		return false
	}
	z.emit(start, p, "word")
	if z.lower {
		lowerTerm(&z.t)
	}
	return true
}

// isJavaWhitespace is Java's Character.isWhitespace: separators without the no-break spaces, and the
// ASCII controls that separate.
func isJavaWhitespace(r rune) bool {
	switch {
	case r < 0x80:
		return r >= 9 && r <= 13 || r >= 0x1C && r <= 0x20
	case r == 0xA0 || r == 0x2007 || r == 0x202F:
		return false
	}
	return unicode.Is(unicode.Z, r)
}

func isPunctuation(r rune) bool { return unicode.Is(unicode.P, r) }

func isJavaSymbol(r rune) bool { return unicode.Is(unicode.S, r) }

func isDigit(r rune) bool { return unicode.Is(unicode.Nd, r) }

// keywordTokenizer makes one token of the whole text.
type keywordTokenizer struct {
	source
	done bool
}

func newKeywordTokenizer() tokenizer { return &keywordTokenizer{} }

func (z *keywordTokenizer) Reset() { z.done = false }

func (z *keywordTokenizer) Next() bool {
	if z.done {
		return false
	}
	z.done = true
	z.emit(0, len(z.text), "word")
	return true
}

// ngramTokenizer makes a token of each run of min to max characters, starting at every character or,
// with edges, only behind one that is no token character.
type ngramTokenizer struct {
	source
	min, max  int
	edges     bool
	tokenChar func(rune) bool // nil keeps every character

	runes    []rune
	at       []int // byte positions, one more than runes
	start    int
	size     int
	checked  int
	lastStop int
}

func newNGramTokenizer(min, max int, edges bool, tokenChar func(rune) bool) func() tokenizer {
	return func() tokenizer {
		return &ngramTokenizer{min: min, max: max, edges: edges, tokenChar: tokenChar}
	}
}

func (z *ngramTokenizer) Reset() {
	z.runes, z.at = z.runes[:0], z.at[:0]
	for p := 0; p < len(z.text); {
		r, w := z.rune(p)
		z.runes = append(z.runes, r)
		z.at = append(z.at, p)
		p += w
	}
	z.at = append(z.at, len(z.text))
	z.start, z.size = 0, z.min
	z.checked, z.lastStop = -1, -1
}

func (z *ngramTokenizer) Next() bool {
	for {
		if z.size > z.max || z.start+z.size > len(z.runes) {
			if z.start+1+z.min > len(z.runes) {
				return false
			}
			z.start++
			z.size = z.min
		}
		if last := z.start + z.size - 1; last > z.checked {
			for i := last; i > z.checked && z.tokenChar != nil; i-- {
				if !z.tokenChar(z.runes[i]) {
					z.lastStop = i
					break
				}
			}
			z.checked = last
		}
		if z.lastStop >= z.start && z.lastStop < z.start+z.size || z.edges && z.lastStop != z.start-1 {
			z.start++
			z.size = z.min
			continue
		}
		z.emit(z.at[z.start], z.at[z.start+z.size], "word")
		z.size++
		return true
	}
}

// pathTokenizer makes a token of each path of a hierarchy: /a, /a/b, /a/b/c.
type pathTokenizer struct {
	source
	delimiter, replacement rune
	skip                   int

	path     []byte
	pos      int
	startU   int
	skipped  int
	pending  bool // a delimiter was read that opens the next token
	pathUnit int
}

func newPathTokenizer(delimiter, replacement rune, skip int) func() tokenizer {
	return func() tokenizer {
		return &pathTokenizer{delimiter: delimiter, replacement: replacement, skip: skip}
	}
}

func (z *pathTokenizer) Reset() {
	z.path = z.path[:0]
	z.pos, z.startU, z.skipped, z.pathUnit = 0, 0, 0, 0
	z.pending = false
}

func (z *pathTokenizer) corrected(u int) int {
	if z.corr == nil {
		return u
	}
	return z.corr.correct(u)
}

func (z *pathTokenizer) finish(units int) {
	z.pathUnit += units
	t := &z.t
	t.setTerm(z.path)
	t.Start, t.End = z.corrected(z.startU), z.corrected(z.startU+z.pathUnit)
}

func (z *pathTokenizer) Next() bool {
	z.t.clear()
	if len(z.path) > 0 {
		z.t.PosInc = 0
	}
	units, added := 0, false
	if z.pending {
		z.path = utf8.AppendRune(z.path, z.replacement)
		units += unitsOf(z.replacement)
		z.pending = false
		added = true
	}
	for z.pos < len(z.text) {
		r, w := z.rune(z.pos)
		z.pos += w
		isDelimiter := r == z.delimiter
		if !added {
			added = true
			z.skipped++
		} else if isDelimiter {
			if z.skipped > z.skip {
				z.pending = true
				z.finish(units)
				return true
			}
			z.skipped++
		}
		if z.skipped <= z.skip {
			z.startU += unitsOf(r)
			continue
		}
		if isDelimiter {
			r = z.replacement
		}
		z.path = utf8.AppendRune(z.path, r)
		units += unitsOf(r)
	}
	if z.skipped <= z.skip {
		return false
	}
	z.finish(units)
	return added
}

// reversePathTokenizer makes a token of each end of a hierarchy: a.b.c, b.c, c.
type reversePathTokenizer struct {
	source
	delimiter, replacement rune
	skip                   int

	path    []byte
	starts  []int // byte positions in the text behind each delimiter
	mapped  []int // the same in path
	skipped int
}

func newReversePathTokenizer(delimiter, replacement rune, skip int) func() tokenizer {
	return func() tokenizer {
		return &reversePathTokenizer{delimiter: delimiter, replacement: replacement, skip: skip}
	}
}

func (z *reversePathTokenizer) Reset() {
	z.path, z.starts, z.mapped = z.path[:0], append(z.starts[:0], 0), append(z.mapped[:0], 0)
	for p := 0; p < len(z.text); {
		r, w := z.rune(p)
		p += w
		if r != z.delimiter {
			z.path = utf8.AppendRune(z.path, r)
			continue
		}
		z.path = utf8.AppendRune(z.path, z.replacement)
		z.starts = append(z.starts, p)
		z.mapped = append(z.mapped, len(z.path))
	}
	if z.starts[len(z.starts)-1] < len(z.text) {
		z.starts = append(z.starts, len(z.text))
		z.mapped = append(z.mapped, len(z.path))
	}
	z.skipped = 0
}

func (z *reversePathTokenizer) Next() bool {
	last := len(z.starts) - 1 - z.skip
	if z.skipped >= last {
		return false
	}
	z.emit(z.starts[z.skipped], z.starts[last], "word")
	z.t.setTerm(z.path[z.mapped[z.skipped]:z.mapped[last]])
	if z.skipped > 0 {
		z.t.PosInc = 0
	}
	z.skipped++
	return true
}
