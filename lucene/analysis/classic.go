package analysis

import (
	"bytes"
	"sync"
)

// The order is that of classicRuns.
const (
	ccOther = iota
	ccAmpersand
	ccApostrophe
	ccComma // and /
	ccHyphen
	ccDot
	ccDigit
	ccAt
	ccLetter
	ccUnderscore
	ccThai
	ccCJ
	classicClassCount
)

var loadClassicClasses = sync.OnceValue(func() *charClasses { return newCharClasses(classicRuns[:]) })

var classicTypes = [...]string{TypeAlphanum, "<APOSTROPHE>", "<ACRONYM>", "<COMPANY>", "<EMAIL>", "<HOST>", TypeNum, "<CJ>", "<ACRONYM_DEP>"}

const classicAcronymDep = 8

// loadClassicLexer compiles the grammar of Lucene's first StandardTokenizer: words, O'Reilly, U.S.A.,
// AT&T, mail addresses, host names, serial numbers, single CJ characters.
var loadClassicLexer = sync.OnceValue(func() *lexer {
	letter := set(ccLetter)
	digit := set(ccDigit)
	alpha := plus(one(letter))
	alnum := plus(one(letter | digit | set(ccThai)))
	dot := one(set(ccDot))
	withDigit := seq(star(one(letter|digit)), one(digit), star(one(letter|digit)))
	p := one(set(ccUnderscore, ccHyphen, ccDot, ccComma))
	return newLexer(classicClassCount,
		alnum,
		seq(alpha, plus(seq(one(set(ccApostrophe)), alpha))),
		seq(one(letter), dot, plus(seq(one(letter), dot))),
		seq(alpha, one(set(ccAmpersand, ccAt)), alpha),
		seq(alnum, star(seq(one(set(ccDot, ccHyphen, ccUnderscore)), alnum)), one(set(ccAt)),
			alnum, plus(seq(one(set(ccDot, ccHyphen)), alnum))),
		seq(alnum, plus(seq(dot, alnum))),
		alt(seq(alnum, p, withDigit),
			seq(withDigit, p, alnum),
			seq(alnum, plus(seq(p, withDigit, p, alnum))),
			seq(withDigit, plus(seq(p, alnum, p, withDigit))),
			seq(alnum, p, withDigit, plus(seq(p, alnum, p, withDigit))),
			seq(withDigit, p, alnum, plus(seq(p, withDigit, p, alnum)))),
		one(set(ccCJ)),
		seq(alnum, dot, plus(seq(alnum, dot))))
})

// classicTokenizer is Lucene's tokenizer of before UAX #29. Longer tokens than max are dropped.
type classicTokenizer struct {
	source
	lex *lexer
	cc  *charClasses
	max int
	pos int
}

func newClassicTokenizer(maxTokenLength int) func() tokenizer {
	return func() tokenizer {
		return &classicTokenizer{lex: loadClassicLexer(), cc: loadClassicClasses(), max: maxTokenLength}
	}
}

func (z *classicTokenizer) Reset() { z.pos = 0 }

func (z *classicTokenizer) Next() bool {
	skipped := 0
	for z.pos < len(z.text) {
		start := z.pos
		state, rule, end := 0, int8(-1), start
		for p := start; p < len(z.text); {
			r, w := z.rune(p)
			p += w
			state = int(z.lex.next[state*classicClassCount+int(z.cc.of(r))])
			if state < 0 {
				break
			}
			if a := z.lex.accept[state]; a >= 0 {
				rule, end = a, p
			}
		}
		if rule < 0 {
			_, w := z.rune(start)
			z.pos = start + w
			continue
		}
		z.pos = end
		if utf16Len(z.text[start:end]) > z.max {
			skipped++
			continue
		}
		typ := classicTypes[rule]
		if rule == classicAcronymDep {
			typ = "<HOST>"
		}
		z.emit(start, end, typ)
		if rule == classicAcronymDep {
			z.t.Term = z.t.Term[:len(z.t.Term)-1] // without the last dot, which the offsets include
		}
		z.t.PosInc += skipped
		return true
	}
	z.t.PosInc = skipped
	return false
}

// classicFilter removes possessives from <APOSTROPHE> tokens and dots from <ACRONYM> tokens.
type classicFilter struct{ filter }

func (f *classicFilter) Next() bool {
	if !f.in.Next() {
		return false
	}
	t := f.t
	switch t.Type {
	case "<APOSTROPHE>":
		if n := len(t.Term); n >= 2 && t.Term[n-2] == '\'' && t.Term[n-1]|0x20 == 's' {
			t.Term = t.Term[:n-2]
		}
	case "<ACRONYM>":
		out := t.Term[:0]
		for len(t.Term) > 0 {
			i := bytes.IndexByte(t.Term, '.')
			if i < 0 {
				out = append(out, t.Term...)
				break
			}
			out = append(out, t.Term[:i]...)
			t.Term = t.Term[i+1:]
		}
		t.Term = out
	}
	return true
}
