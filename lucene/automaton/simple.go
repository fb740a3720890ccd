package automaton

import (
	"bytes"
	"unicode/utf8"
)

// String accepts exactly s; with fold, letters of ASCII in either case.
func String(s string, fold bool) *DFA {
	t := byteTable()
	t.start = t.chain(s, fold)
	t.accept[len(t.accept)-1] = true
	return t.finish()
}

// chain adds states that accept s and returns the first; the last one added is the end, and does not accept yet.
func (t *table) chain(s string, fold bool) int32 {
	first := t.add(false)
	at := first
	for i := 0; i < len(s); i++ {
		to := t.add(false)
		t.set(at, t.class[s[i]], to)
		if fold {
			t.set(at, t.class[swapCase(s[i])], to)
		}
		at = to
	}
	return first
}

// Prefix accepts the byte strings that begin with s; with fold, letters of ASCII in either case.
func Prefix(s string, fold bool) *DFA {
	t := byteTable()
	t.start = t.chain(s, fold)
	end := int32(len(t.accept) - 1)
	t.accept[end] = true
	t.setRange(end, 0, 255, end)
	return t.finish()
}

// Wildcard accepts what the pattern describes: * any characters, ? one, \ takes the next one literally. limit is the
// determinize work limit (0: default).
func Wildcard(pattern string, fold bool, limit int) (*DFA, error) {
	n := NewNfa(limit)
	f := n.Empty()
	for i := 0; i < len(pattern); {
		r, w := utf8.DecodeRuneInString(pattern[i:])
		switch r {
		case '*':
			f = n.Concat(f, n.AnyString())
		case '?':
			f = n.Concat(f, n.AnyChar())
		default:
			if r == '\\' && i+w < len(pattern) {
				i += w
				_, w = utf8.DecodeRuneInString(pattern[i:])
			}
			f = n.Concat(f, n.String(pattern[i:i+w], fold))
		}
		i += w
	}
	return n.Determinize(f)
}

// Range accepts the byte strings between lower and upper; a nil bound is open. It is for terms of any bytes.
func Range(lower, upper []byte, includeLower, includeUpper bool) *DFA {
	t := byteTable()
	all := t.add(true)
	t.setRange(all, 0, 255, all)
	if lower != nil && upper != nil {
		if c := bytes.Compare(lower, upper); c > 0 || c == 0 && !(includeLower && includeUpper) {
			t.start = t.add(false)
			return t.finish()
		}
	}
	// Strings at the state reached by a common prefix with lower (upper) of i bytes are bounded by the rest of it.
	var above func(rest []byte) int32 // >= rest
	above = func(rest []byte) int32 {
		if len(rest) == 0 {
			if includeLower {
				return all
			}
			s := t.add(false)
			t.setRange(s, 0, 255, all)
			return s
		}
		s := t.add(false)
		t.set(s, rest[0], above(rest[1:]))
		t.setRange(s, int(rest[0])+1, 255, all)
		return s
	}
	var below func(rest []byte) int32 // <= rest
	below = func(rest []byte) int32 {
		if len(rest) == 0 {
			return t.add(includeUpper)
		}
		s := t.add(true)
		t.set(s, rest[0], below(rest[1:]))
		t.setRange(s, 0, int(rest[0])-1, all)
		return s
	}
	var between func(lo, hi []byte) int32
	between = func(lo, hi []byte) int32 {
		switch {
		case len(lo) == 0 && len(hi) == 0:
			return t.add(includeLower && includeUpper)
		case len(lo) == 0:
			s := below(hi)
			if !includeLower {
				t.accept[s] = false
			}
			return s
		}
		s := t.add(false)
		if lo[0] == hi[0] {
			t.set(s, lo[0], between(lo[1:], hi[1:]))
			return s
		}
		t.set(s, lo[0], above(lo[1:]))
		t.set(s, hi[0], below(hi[1:]))
		t.setRange(s, int(lo[0])+1, int(hi[0])-1, all)
		return s
	}
	switch {
	case lower == nil && upper == nil:
		t.start = all
	case lower == nil:
		t.start = below(upper)
	case upper == nil:
		t.start = above(lower)
	default:
		t.start = between(lower, upper)
	}
	return t.finish()
}
