package analysis

import (
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
		r, w := utf8.DecodeRune(t.Term[p:])
		f.scratch = append(f.scratch, r)
		p += w
	}
	out := f.f(f.scratch)
	t.Term = t.Term[:0]
	for _, r := range out {
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
