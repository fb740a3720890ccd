package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// classicKind is a kind of token of Lucene's query syntax.
type classicKind uint8

const (
	ckEnd classicKind = iota
	ckAnd
	ckOr
	ckNot
	ckPlus
	ckMinus
	ckBareOperator // + - ! before a space
	ckLeft
	ckRight
	ckColon
	ckStar
	ckCaret
	ckQuoted
	ckTerm
	ckFuzzy
	ckPrefix
	ckWildcard
	ckRegexp
	ckRangeIn
	ckRangeEx
	ckNumber // after ^
	ckTo
	ckRangeQuoted
	ckRangeWord
	ckRangeEndIn
	ckRangeEndEx
)

type classicToken struct {
	kind classicKind
	text string
	at   int
}

// classicLex splits a query string into tokens; the last one is ckEnd.
func classicLex(s string) ([]classicToken, error) {
	l := &classicLexer{s: s}
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		l.out = append(l.out, t)
		if t.kind == ckEnd {
			return l.out, nil
		}
	}
}

type classicLexer struct {
	s   string
	i   int
	out []classicToken
	// state: within a range, or after ^
	inRange, boost bool
}

const classicSpace = " \t\n\r\u3000"

func (l *classicLexer) next() (classicToken, error) {
	for l.i < len(l.s) {
		r, n := utf8.DecodeRuneInString(l.s[l.i:])
		if !strings.ContainsRune(classicSpace, r) {
			break
		}
		l.i += n
	}
	if l.i == len(l.s) {
		return classicToken{kind: ckEnd, at: l.i}, nil
	}
	switch {
	case l.inRange:
		return l.rangePart()
	case l.boost:
		l.boost = false
		end := digits(l.s, l.i)
		if end == l.i {
			return classicToken{}, l.lexical()
		}
		return l.take(ckNumber, end), nil
	}
	return l.main()
}

func (l *classicLexer) lexical() error {
	r, _ := utf8.DecodeRuneInString(l.s[l.i:])
	return fmt.Errorf("Lexical error at line 1, column %d.  Encountered: %q", l.i+1, string(r))
}

func (l *classicLexer) take(k classicKind, end int) classicToken {
	t := classicToken{k, l.s[l.i:end], l.i}
	l.i = end
	return t
}

// digits returns the end of a number such as 12 or 0.5, which is i where there is none.
func digits(s string, i int) int {
	end := i
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == i || end == len(s) || s[end] != '.' {
		return end
	}
	frac := end + 1
	for frac < len(s) && s[frac] >= '0' && s[frac] <= '9' {
		frac++
	}
	if frac > end+1 {
		return frac
	}
	return end
}

func (l *classicLexer) rangePart() (classicToken, error) {
	switch c := l.s[l.i]; c {
	case ']':
		l.inRange = false
		return l.take(ckRangeEndIn, l.i+1), nil
	case '}':
		l.inRange = false
		return l.take(ckRangeEndEx, l.i+1), nil
	case '"':
		for end := l.i + 1; end < len(l.s); end++ {
			if l.s[end] == '\\' && end+1 < len(l.s) && l.s[end+1] == '"' {
				end++
			} else if l.s[end] == '"' {
				return l.take(ckRangeQuoted, end+1), nil
			}
		}
	}
	end := l.i
	for end < len(l.s) && l.s[end] != ' ' && l.s[end] != ']' && l.s[end] != '}' {
		end++
	}
	if l.s[l.i:end] == "TO" {
		return l.take(ckTo, end), nil
	}
	return l.take(ckRangeWord, end), nil
}

const classicSpecial = " \t\n\r\u3000+-!():^[]\"{}~*?\\/"

// termChar returns the end of a character of a term at i, or i if there is none. An escaped character is one.
func (l *classicLexer) termChar(i int, first bool) int {
	if i == len(l.s) {
		return i
	}
	r, n := utf8.DecodeRuneInString(l.s[i:])
	if r == '\\' {
		if i+1 == len(l.s) {
			return i
		}
		_, m := utf8.DecodeRuneInString(l.s[i+1:])
		return i + 1 + m
	}
	if strings.ContainsRune(classicSpecial, r) && (first || r != '-' && r != '+') {
		return i
	}
	return i + n
}

func (l *classicLexer) main() (classicToken, error) {
	// The longest token wins; of equally long ones that which the syntax names first.
	term := l.i
	for e := l.termChar(term, true); e > term; e = l.termChar(term, false) {
		term = e
	}
	wild, stars, ends := l.i, 0, false
	for wild < len(l.s) {
		if c := l.s[wild]; c == '*' || c == '?' {
			stars++
			ends = c == '*'
			wild++
			continue
		}
		e := l.termChar(wild, wild == l.i)
		if e == wild {
			break
		}
		wild, ends = e, false
	}
	if stars > 0 {
		switch {
		case wild == l.i+1 && l.s[l.i] == '*':
			return l.take(ckStar, wild), nil
		case stars == 1 && ends:
			return l.take(ckPrefix, wild), nil
		}
		return l.take(ckWildcard, wild), nil
	}
	if term > l.i {
		switch l.s[l.i:term] {
		case "AND", "&&":
			return l.take(ckAnd, term), nil
		case "OR", "||":
			return l.take(ckOr, term), nil
		case "NOT":
			return l.take(ckNot, term), nil
		}
		return l.take(ckTerm, term), nil
	}
	switch c := l.s[l.i]; c {
	case '+', '-', '!':
		if r, n := utf8.DecodeRuneInString(l.s[l.i+1:]); n > 0 && strings.ContainsRune(classicSpace, r) {
			t := l.take(ckBareOperator, l.i+1+n)
			t.text = t.text[:1]
			return t, nil
		}
		return l.take(map[byte]classicKind{'+': ckPlus, '-': ckMinus, '!': ckNot}[c], l.i+1), nil
	case '(':
		return l.take(ckLeft, l.i+1), nil
	case ')':
		return l.take(ckRight, l.i+1), nil
	case ':':
		return l.take(ckColon, l.i+1), nil
	case '^':
		l.boost = true
		return l.take(ckCaret, l.i+1), nil
	case '[', '{':
		l.inRange = true
		k := ckRangeIn
		if c == '{' {
			k = ckRangeEx
		}
		return l.take(k, l.i+1), nil
	case '~':
		return l.take(ckFuzzy, digits(l.s, l.i+1)), nil
	case '"':
		for end := l.i + 1; end < len(l.s); end++ {
			if l.s[end] == '\\' {
				end++
			} else if l.s[end] == '"' {
				return l.take(ckQuoted, end+1), nil
			}
		}
	case '/':
		for end := l.i + 1; end < len(l.s); end++ {
			if l.s[end] == '\\' && end+1 < len(l.s) && l.s[end+1] == '/' {
				end++
			} else if l.s[end] == '/' {
				return l.take(ckRegexp, end+1), nil
			}
		}
	}
	return classicToken{}, l.lexical()
}

// unescape removes the backslashes before characters, and reads \uXXXX.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", fmt.Errorf("Term can not end with escape character.")
		}
		if s[i] != 'u' {
			b.WriteByte(s[i])
			continue
		}
		if i+4 >= len(s) {
			return "", fmt.Errorf("Truncated unicode escape sequence.")
		}
		var r rune
		for _, c := range []byte(s[i+1 : i+5]) {
			d := strings.IndexByte("0123456789abcdef", c|0x20)
			if c >= '0' && c <= '9' {
				d = int(c - '0')
			}
			if d < 0 {
				return "", fmt.Errorf("Non-hex character in Unicode escape sequence: %c", c)
			}
			r = r<<4 | rune(d)
		}
		b.WriteRune(r)
		i += 4
	}
	return b.String(), nil
}

// escapeClassic puts backslashes before what means something in the syntax.
func escapeClassic(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\+-!():^[]"{}~*?|&/`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
