package automaton

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// DefaultWorkLimit is the determinize work limit that OpenSearch uses unless a query says otherwise.
const DefaultWorkLimit = 10000

// ErrTooComplex says that determinizing an expression needs more work than its limit allows.
var ErrTooComplex = errors.New("determinizing the automaton needs more work than the limit allows")

// maxStates bounds what a builder may hold, whatever the work limit says.
const maxStates = 1 << 20

type edge struct {
	lo, hi byte
	to     int32
}

// Nfa is a non-deterministic automaton over bytes under construction. States are numbers; a Fragment has one entry
// and one exit. The zero value is ready for use. It is for one goroutine.
type Nfa struct {
	edges [][]edge
	eps   [][]int32
	limit int // work limit, 0: the default
	err   error
}

// Fragment is a part of an Nfa with one entry and one exit state.
type Fragment struct{ in, out int32 }

// NewNfa returns a builder whose determinizations may do at most limit units of work (0: DefaultWorkLimit). A unit is
// one state of one subset. Byte automata have up to four states where one over characters has one, so
// that four times the limit is allowed.
func NewNfa(limit int) *Nfa { return &Nfa{limit: limit} }

func (n *Nfa) work() int {
	l := n.limit
	if l <= 0 {
		l = DefaultWorkLimit
	}
	if l > maxStates {
		l = maxStates
	}
	return 4 * l
}

func (n *Nfa) state() int32 {
	if len(n.edges) >= 4*n.work()+1024 && n.err == nil {
		n.err = fmt.Errorf("%w: it has more than %d states", ErrTooComplex, len(n.edges))
	}
	if n.err != nil && len(n.edges) > 0 {
		return 0
	}
	n.edges = append(n.edges, nil)
	n.eps = append(n.eps, nil)
	return int32(len(n.edges) - 1)
}

func (n *Nfa) edge(from int32, lo, hi byte, to int32) {
	if n.err == nil {
		n.edges[from] = append(n.edges[from], edge{lo, hi, to})
	}
}

func (n *Nfa) epsilon(from, to int32) {
	if n.err == nil {
		n.eps[from] = append(n.eps[from], to)
	}
}

// Nothing accepts no string at all.
func (n *Nfa) Nothing() Fragment { return Fragment{n.state(), n.state()} }

// Empty accepts the empty string.
func (n *Nfa) Empty() Fragment {
	s := n.state()
	return Fragment{s, s}
}

// String accepts exactly s; with fold, letters of ASCII in either case.
func (n *Nfa) String(s string, fold bool) Fragment {
	f := n.Empty()
	for i := 0; i < len(s); i++ {
		to := n.state()
		n.edge(f.out, s[i], s[i], to)
		if alt := swapCase(s[i]); fold && alt != s[i] {
			n.edge(f.out, alt, alt, to)
		}
		f.out = to
	}
	return f
}

func swapCase(c byte) byte {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
		return c ^ 0x20
	}
	return c
}

// Range accepts one character from lo to hi.
func (n *Nfa) Range(lo, hi rune) Fragment {
	f := Fragment{n.state(), n.state()}
	n.addRange(f.in, f.out, lo, hi)
	return f
}

// AnyChar accepts one character.
func (n *Nfa) AnyChar() Fragment {
	f := Fragment{n.state(), n.state()}
	n.edge(f.in, 0, 0x7f, f.out)
	c1, c2, c3 := n.state(), n.state(), n.state()
	n.edge(f.in, 0xc0, 0xdf, c1)
	n.edge(f.in, 0xe0, 0xef, c2)
	n.edge(f.in, 0xf0, 0xf7, c3)
	n.edge(c3, 0x80, 0xbf, c2)
	n.edge(c2, 0x80, 0xbf, c1)
	n.edge(c1, 0x80, 0xbf, f.out)
	return f
}

// AnyString accepts every string.
func (n *Nfa) AnyString() Fragment { return n.Star(n.AnyChar()) }

// addRange adds the paths of the UTF-8 encodings of lo to hi.
func (n *Nfa) addRange(from, to int32, lo, hi rune) {
	for _, lim := range []rune{0x7f, 0x7ff, 0xffff, utf8.MaxRune} {
		if lo > hi {
			return
		}
		if lo <= lim {
			n.addSameLength(from, to, encodeRune(lo), encodeRune(min(hi, lim)))
			lo = lim + 1
		}
	}
}

// encodeRune is UTF-8, for surrogates too, which may be the bounds of a range.
func encodeRune(r rune) []byte {
	if r >= 0xd800 && r <= 0xdfff {
		return []byte{0xe0 | byte(r>>12), 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f}
	}
	return utf8.AppendRune(nil, r)
}

// addSameLength adds the byte strings between lo and hi, of one length, whose continuation bytes are 80 to bf.
func (n *Nfa) addSameLength(from, to int32, lo, hi []byte) {
	if len(lo) == 1 {
		n.edge(from, lo[0], hi[0], to)
		return
	}
	if lo[0] == hi[0] {
		mid := n.state()
		n.edge(from, lo[0], lo[0], mid)
		n.addSameLength(mid, to, lo[1:], hi[1:])
		return
	}
	rest := len(lo) - 1
	l, h := lo[0], hi[0]
	if !allBytes(lo[1:], 0x80) {
		mid := n.state()
		n.edge(from, l, l, mid)
		n.addSameLength(mid, to, lo[1:], repeatByte(0xbf, rest))
		l++
	}
	if !allBytes(hi[1:], 0xbf) {
		mid := n.state()
		n.edge(from, h, h, mid)
		n.addSameLength(mid, to, repeatByte(0x80, rest), hi[1:])
		h--
	}
	if l <= h {
		mid := n.state()
		n.edge(from, l, h, mid)
		n.addSameLength(mid, to, repeatByte(0x80, rest), repeatByte(0xbf, rest))
	}
}

func allBytes(b []byte, c byte) bool {
	for _, x := range b {
		if x != c {
			return false
		}
	}
	return true
}

func repeatByte(c byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = c
	}
	return b
}

// Concat accepts a string of a followed by one of b.
func (n *Nfa) Concat(a, b Fragment) Fragment {
	n.epsilon(a.out, b.in)
	return Fragment{a.in, b.out}
}

// Union accepts what any of them does.
func (n *Nfa) Union(fs ...Fragment) Fragment {
	u := Fragment{n.state(), n.state()}
	for _, f := range fs {
		n.epsilon(u.in, f.in)
		n.epsilon(f.out, u.out)
	}
	return u
}

// Star accepts any number of strings of f, none included.
func (n *Nfa) Star(f Fragment) Fragment {
	s := Fragment{n.state(), n.state()}
	n.epsilon(s.in, f.in)
	n.epsilon(s.in, s.out)
	n.epsilon(f.out, f.in)
	n.epsilon(f.out, s.out)
	return s
}

// DFA adds the states of d as a fragment.
func (n *Nfa) DFA(d *DFA) Fragment {
	f := Fragment{n.state(), n.state()}
	base := int32(len(n.edges))
	for s := int32(0); s < d.n; s++ {
		n.state()
	}
	if n.err != nil {
		return f
	}
	for s := int32(0); s < d.n; s++ {
		for b := 0; b < 256; {
			to := d.Step(s, byte(b))
			e := b
			for e+1 < 256 && d.Step(s, byte(e+1)) == to {
				e++
			}
			if to >= 0 {
				n.edge(base+s, byte(b), byte(e), base+to)
			}
			b = e + 1
		}
		if d.accept[s] {
			n.epsilon(base+s, f.out)
		}
	}
	if d.n > 0 {
		n.epsilon(f.in, base+d.start)
	}
	return f
}
