package analysis

import (
	"regexp"
	"unicode/utf8"
)

// patternCharFilter replaces every match of a pattern in the text.
type patternCharFilter struct {
	re  *regexp.Regexp
	rep *replacement
}

func (f *patternCharFilter) filter(dst, text []byte, m *offsetMap) []byte {
	m.floor = true
	cumulative, outUnits, at := 0, 0, 0
	for _, match := range f.re.FindAllSubmatchIndex(text, -1) {
		dst = append(dst, text[at:match[0]]...)
		outUnits += utf16Len(text[at:match[0]])
		before := len(dst)
		dst = f.rep.append(dst, text, match)
		from, to := utf16Len(text[match[0]:match[1]]), utf16Len(dst[before:])
		if to < from {
			cumulative += from - to
			m.add(outUnits+to, cumulative)
		}
		for i := from; i < to; i++ {
			cumulative--
			m.add(outUnits+i, cumulative)
		}
		outUnits += to
		at = match[1]
	}
	return append(dst, text[at:]...)
}

// mappingCharFilter replaces the longest of its keys that starts at a position.
type mappingCharFilter struct {
	root *mappingNode
}

type mappingNode struct {
	next  map[byte]*mappingNode
	to    string
	final bool
}

func (f *mappingCharFilter) add(from, to string) bool {
	n := f.root
	for i := range len(from) {
		next := n.next[from[i]]
		if next == nil {
			if n.next == nil {
				n.next = map[byte]*mappingNode{}
			}
			next = &mappingNode{}
			n.next[from[i]] = next
		}
		n = next
	}
	if n.final {
		return false
	}
	n.to, n.final = to, true
	return true
}

func (f *mappingCharFilter) filter(dst, text []byte, m *offsetMap) []byte {
	inUnits := 0 // read so far
	for p := 0; p < len(text); {
		n, best, size := f.root, (*mappingNode)(nil), 0
		for i := p; i < len(text); i++ {
			if n = n.next[text[i]]; n == nil {
				break
			}
			if n.final {
				best, size = n, i+1-p
			}
		}
		if best == nil {
			_, w := utf8.DecodeRune(text[p:])
			dst = append(dst, text[p:p+w]...)
			inUnits += utf16Len(text[p : p+w])
			p += w
			continue
		}
		units := utf16Len(text[p : p+size])
		p += size
		inUnits += units
		dst = append(dst, best.to...)
		if diff := units - utf16Len([]byte(best.to)); diff > 0 {
			prev := m.last()
			m.add(inUnits-diff-prev, prev+diff)
		} else if diff < 0 {
			prev := m.last()
			start := inUnits - prev
			for i := 0; i < -diff; i++ {
				m.add(start+i, prev-i-1)
			}
		}
	}
	return dst
}
