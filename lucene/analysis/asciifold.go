package analysis

import (
	"sync"
	"unicode/utf8"
)

var loadFold = sync.OnceValue(func() map[rune]string {
	m := make(map[rune]string, 1300)
	for _, g := range foldGroups {
		for _, r := range g.from {
			m[r] = g.to
		}
	}
	return m
})

// asciiFoldFilter replaces letters with their nearest ASCII spelling and, where asked, keeps the
// original at the same position.
type asciiFoldFilter struct {
	filter
	table    map[rune]string
	preserve bool
	original savedToken
	pending  bool
	buf      []byte
}

func newASCIIFoldFilter(in tokenStream, preserve bool) tokenStream {
	return &asciiFoldFilter{filter: newFilter(in), table: loadFold(), preserve: preserve}
}

func (f *asciiFoldFilter) Reset() {
	f.pending = false
	f.in.Reset()
}

func (f *asciiFoldFilter) Next() bool {
	if f.pending {
		f.t.restore(&f.original)
		f.t.PosInc = 0
		f.pending = false
		return true
	}
	if !f.in.Next() {
		return false
	}
	t := f.t
	if isASCII(t.Term) {
		return true
	}
	f.buf = f.buf[:0]
	changed := false
	for p := 0; p < len(t.Term); {
		r, w := utf8.DecodeRune(t.Term[p:])
		if to, ok := f.table[r]; ok && w > 1 {
			f.buf = append(f.buf, to...)
			changed = true
		} else {
			f.buf = append(f.buf, t.Term[p:p+w]...)
		}
		p += w
	}
	if !changed {
		return true
	}
	if f.preserve {
		t.save(&f.original)
		f.pending = true
	}
	t.setTerm(f.buf)
	return true
}
