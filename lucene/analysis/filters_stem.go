package analysis

import (
	"unicode/utf16"
	"unicode/utf8"

	"github.com/varve-search/varve/lucene/analysis/stem"
)

// runeStemFilter applies a stemmer that works on characters.
type runeStemFilter struct {
	filter
	f       stem.Func
	scratch []rune
	always  bool // keywords are stemmed too
}

func newRuneStem(f stem.Func) func(tokenStream) tokenStream {
	return func(in tokenStream) tokenStream { return &runeStemFilter{filter: newFilter(in), f: f} }
}

func (f *runeStemFilter) Next() bool {
	if !f.in.Next() {
		return false
	}
	t := f.t
	if t.Keyword && !f.always {
		return true
	}
	f.scratch = f.scratch[:0]
	for p := 0; p < len(t.Term); {
		if c := t.Term[p]; c < utf8.RuneSelf {
			f.scratch = append(f.scratch, rune(c))
			p++
			continue
		}
		// Lucene's stemmers see UTF-16 units, and count them.
		r, w := utf8.DecodeRune(t.Term[p:])
		if hi, lo := utf16.EncodeRune(r); r >= 0x10000 {
			f.scratch = append(f.scratch, hi, lo)
		} else {
			f.scratch = append(f.scratch, r)
		}
		p += w
	}
	out := f.f(f.scratch)
	t.Term = t.Term[:0]
	for i := 0; i < len(out); i++ {
		r := out[i]
		if i+1 < len(out) && utf16.IsSurrogate(r) {
			if both := utf16.DecodeRune(r, out[i+1]); both != utf8.RuneError {
				r = both
				i++
			}
		}
		t.Term = utf8.AppendRune(t.Term, r)
	}
	return true
}

// snowballFilter applies a stemmer of the Snowball project.
type snowballFilter struct {
	filter
	f func(string) string
}

func newSnowball(f func(string) string) func(tokenStream) tokenStream {
	return func(in tokenStream) tokenStream { return &snowballFilter{filter: newFilter(in), f: f} }
}

func (f *snowballFilter) Next() bool {
	if !f.in.Next() {
		return false
	}
	if !f.t.Keyword && len(f.t.Term) > 0 {
		f.t.setString(f.f(string(f.t.Term)))
	}
	return true
}
