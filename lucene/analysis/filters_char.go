package analysis

import (
	"bytes"
	"regexp"
	"unicode"
	"unicode/utf8"
)

// lowerShort holds the lower case of the characters that take two bytes and begin Unicode: Latin,
// Greek, Cyrillic, Armenian.
var lowerShort = func() (table [0x590]uint16) {
	for r := range table {
		table[r] = uint16(unicode.ToLower(rune(r)))
	}
	return table
}()

// lowerTerm lowercases the term, character by character as Java does.
func lowerTerm(t *token) {
	b := t.Term
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				b[i] = c | 0x20
			}
			continue
		}
		if c < 0xE0 && i+1 < len(b) {
			if r := int(c&0x1F)<<6 | int(b[i+1]&0x3F); r < len(lowerShort) {
				if l := lowerShort[r]; l >= 0x80 && l < 0x800 {
					b[i], b[i+1] = 0xC0|byte(l>>6), 0x80|byte(l&0x3F)
					i++
					continue
				}
			}
		}
		t.Term = mapTail(b, i, unicode.ToLower)
		return
	}
}

// mapTail applies f to every character of b from byte position i on.
func mapTail(b []byte, i int, f func(rune) rune) []byte {
	var scratch [64]byte
	tail := append(scratch[:0], b[i:]...)
	b = b[:i]
	for p := 0; p < len(tail); {
		r, w := utf8.DecodeRune(tail[p:])
		p += w
		b = utf8.AppendRune(b, f(r))
	}
	return b
}

type lowercaseFilter struct{ filter }

func (f *lowercaseFilter) Next() bool {
	if !f.in.Next() {
		return false
	}
	lowerTerm(f.t)
	return true
}

// mapFilter applies a function to each character of terms that are not plain ASCII, or to all.
type mapFilter struct {
	filter
	f     func(rune) rune
	ascii bool // ASCII is affected too
}

func (f *mapFilter) Next() bool {
	if !f.in.Next() {
		return false
	}
	if f.ascii || !isASCII(f.t.Term) {
		f.t.Term = mapTail(f.t.Term, 0, f.f)
	}
	return true
}

func turkishLower(b []byte) []byte {
	in := bytes.Runes(b)
	out := b[:0]
	for i := 0; i < len(in); i++ {
		switch r := in[i]; {
		case r == 'I':
			// I with a dot above behind it (other marks of other classes between) is i.
			dot := false
			for j := i + 1; j < len(in) && unicode.Is(unicode.Mn, in[j]); j++ {
				if in[j] == 0x307 {
					in = append(in[:j], in[j+1:]...)
					dot = true
					break
				}
			}
			if dot {
				out = append(out, 'i')
			} else {
				out = append(out, "ı"...)
			}
		default:
			out = utf8.AppendRune(out, unicode.ToLower(r))
		}
	}
	return out
}

func irishLower(b []byte) []byte {
	in := bytes.Runes(b)
	if len(in) > 1 && (in[0] == 'n' || in[0] == 't') {
		switch in[1] {
		case 'A', 'E', 'I', 'O', 'U', 'Á', 'É', 'Í', 'Ó', 'Ú':
			in = append([]rune{in[0], '-'}, in[1:]...)
		}
	}
	out := b[:0]
	for _, r := range in {
		if r < 0x10000 { // surrogates have no case
			r = unicode.ToLower(r)
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

var greekLowerTable = map[rune]rune{'ς': 'σ', 0x3A2: 'ς', 'Ά': 'α', 'ά': 'α', 'Έ': 'ε', 'έ': 'ε', 'Ή': 'η', 'ή': 'η', 'Ί': 'ι', 'Ϊ': 'ι', 'ί': 'ι', 'ϊ': 'ι', 'ΐ': 'ι',
	'Ύ': 'υ', 'Ϋ': 'υ', 'ύ': 'υ', 'ϋ': 'υ', 'ΰ': 'υ', 'Ό': 'ο', 'ό': 'ο', 'Ώ': 'ω', 'ώ': 'ω', 'Ϣ': 'ϣ'}

func greekLower(r rune) rune {
	if to, ok := greekLowerTable[r]; ok {
		return to
	}
	return unicode.ToLower(r)
}

// termFilter rewrites each term as a whole.
type termFilter struct {
	filter
	f func([]byte) []byte
}

func (f *termFilter) Next() bool {
	if !f.in.Next() {
		return false
	}
	f.t.Term = f.f(f.t.Term)
	return true
}

func trimTerm(b []byte) []byte {
	start, end := 0, len(b)
	for start < end {
		r, w := utf8.DecodeRune(b[start:])
		if !isJavaWhitespace(r) {
			break
		}
		start += w
	}
	for end > start {
		r, w := utf8.DecodeLastRune(b[start:end])
		if !isJavaWhitespace(r) {
			break
		}
		end -= w
	}
	return append(b[:0], b[start:end]...)
}

func reverseTerm(b []byte) []byte {
	if isASCII(b) {
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		return b
	}
	rs := bytes.Runes(b)
	b = b[:0]
	for i := len(rs) - 1; i >= 0; i-- {
		b = utf8.AppendRune(b, rs[i])
	}
	return b
}

// truncateTerm cuts terms after n UTF-16 units. A cut through a surrogate pair leaves half a
// character, which UTF-8 cannot say: it becomes the replacement character, as in Lucene's index.
func truncateTerm(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		if len(b) <= n {
			return b
		}
		size, split := prefixUnits(b, n)
		if split {
			return append(b[:size], "\uFFFD"...)
		}
		return b[:size]
	}
}

func apostropheTerm(b []byte) []byte {
	for i, c := range b {
		if c == '\'' || c == 0xE2 && bytes.HasPrefix(b[i:], []byte("\u2019")) {
			return b[:i]
		}
	}
	return b
}

// elisionTerm removes an article in front of the first apostrophe.
func elisionTerm(articles *wordSet) func([]byte) []byte {
	return func(b []byte) []byte {
		for i, c := range b {
			w := 0
			if c == '\'' {
				w = 1
			} else if c == 0xE2 && bytes.HasPrefix(b[i:], []byte("\u2019")) {
				w = 3
			}
			if w > 0 {
				if articles.contains(b[:i]) {
					return append(b[:0], b[i+w:]...)
				}
				return b
			}
		}
		return b
	}
}

func decimalDigit(r rune) rune {
	if r > 0x7F && isDigit(r) {
		return '0' + digitValue(r)
	}
	return r
}

// digitValue returns the value of a decimal digit: its distance from the start of its run modulo ten.
func digitValue(r rune) rune {
	for _, rg := range unicode.Nd.R16 {
		if r >= rune(rg.Lo) && r <= rune(rg.Hi) {
			return (r - rune(rg.Lo)) % 10
		}
	}
	for _, rg := range unicode.Nd.R32 {
		if r >= rune(rg.Lo) && r <= rune(rg.Hi) {
			return (r - rune(rg.Lo)) % 10
		}
	}
	return 0
}

func germanNormalize(b []byte) []byte {
	const (
		ordinary = iota // nothing special before
		noUmlaut        // a u here does not open an umlaut
		umlaut          // an e here is part of an umlaut and goes
	)
	state := ordinary
	in := bytes.Runes(b)
	b = b[:0]
	for _, r := range in {
		switch r {
		case 'a', 'o':
			state = umlaut
		case 'u':
			if state == ordinary {
				state = umlaut
			} else {
				state = noUmlaut
			}
		case 'e':
			drop := state == umlaut
			state = noUmlaut
			if drop {
				continue
			}
		case 'i', 'q', 'y':
			state = noUmlaut
		case 'ä':
			r, state = 'a', noUmlaut
		case 'ö':
			r, state = 'o', noUmlaut
		case 'ü':
			r, state = 'u', noUmlaut
		case 'ß':
			b = append(b, 's')
			r, state = 's', ordinary
		default:
			state = ordinary
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// halfwidthKana holds the full-width forms of U+FF65 to U+FF9F, in order.
var halfwidthKana = []rune("・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u3099\u309A")

// voicedKana maps a kana to its voiced form, semiVoicedKana to its half-voiced one.
var (
	voicedKana = map[rune]rune{'ウ': 'ヴ', 'カ': 'ガ', 'キ': 'ギ', 'ク': 'グ', 'ケ': 'ゲ', 'コ': 'ゴ', 'サ': 'ザ', 'シ': 'ジ', 'ス': 'ズ', 'セ': 'ゼ',
		'ソ': 'ゾ', 'タ': 'ダ', 'チ': 'ヂ', 'ツ': 'ヅ', 'テ': 'デ', 'ト': 'ド', 'ハ': 'バ', 'ヒ': 'ビ', 'フ': 'ブ', 'ヘ': 'ベ', 'ホ': 'ボ',
		'ワ': 'ヷ', 'ヰ': 'ヸ', 'ヱ': 'ヹ', 'ヲ': 'ヺ', 'ヽ': 'ヾ'}
	semiVoicedKana = map[rune]rune{'ハ': 'パ', 'ヒ': 'ピ', 'フ': 'プ', 'ヘ': 'ペ', 'ホ': 'ポ'}
)

func cjkWidthTerm(b []byte) []byte {
	if isASCII(b) {
		return b
	}
	in := bytes.Runes(b)
	out := in[:0]
	for i, r := range in {
		switch {
		case r >= 0xFF01 && r <= 0xFF5E:
			r -= 0xFEE0
		case r >= 0xFF65 && r <= 0xFF9F:
			table := voicedKana
			if r == 0xFF9F {
				table = semiVoicedKana
			}
			if n := len(out); r >= 0xFF9E && i > 0 && n > 0 {
				if v, ok := table[out[n-1]]; ok {
					out[n-1] = v
					continue
				}
			}
			r = halfwidthKana[r-0xFF65]
		}
		out = append(out, r)
	}
	b = b[:0]
	for _, r := range out {
		b = utf8.AppendRune(b, r)
	}
	return b
}

// patternReplaceFilter replaces the matches, or the first match, of a pattern in each term.
type patternReplaceFilter struct {
	filter
	re  *regexp.Regexp
	rep *replacement
	all bool
	buf []byte
}

func (f *patternReplaceFilter) Next() bool {
	if !f.in.Next() {
		return false
	}
	n := 1
	if f.all {
		n = -1
	}
	matches := f.re.FindAllSubmatchIndex(f.t.Term, n)
	if matches == nil {
		return true
	}
	f.buf = f.buf[:0]
	at := 0
	for _, m := range matches {
		f.buf = append(f.buf, f.t.Term[at:m[0]]...)
		f.buf = f.rep.append(f.buf, f.t.Term, m)
		at = m[1]
	}
	f.buf = append(f.buf, f.t.Term[at:]...)
	f.t.setTerm(f.buf)
	return true
}
