package analysis

import "sort"

// charFilter rewrites a whole text before it is tokenized.
type charFilter interface {
	// filter appends the new text to dst and records where offsets shift. Offsets are UTF-16 units.
	filter(dst, text []byte, c *offsetMap) []byte
}

// offsetMap translates offsets of one character filter's output into offsets of its input.
type offsetMap struct {
	offsets []int
	diffs   []int
	floor   bool // a negative result becomes 0
}

func (m *offsetMap) reset() { m.offsets, m.diffs, m.floor = m.offsets[:0], m.diffs[:0], false }

// add says that from output offset off on, diff has to be added.
func (m *offsetMap) add(off, diff int) {
	if n := len(m.offsets); n > 0 && m.offsets[n-1] == off {
		m.diffs[n-1] = diff
		return
	}
	m.offsets = append(m.offsets, off)
	m.diffs = append(m.diffs, diff)
}

// last returns the difference that holds at the end of what was recorded.
func (m *offsetMap) last() int {
	if n := len(m.diffs); n > 0 {
		return m.diffs[n-1]
	}
	return 0
}

func (m *offsetMap) correct(off int) int {
	i := sort.SearchInts(m.offsets, off+1)
	if i > 0 {
		off += m.diffs[i-1]
	}
	if m.floor && off < 0 {
		return 0
	}
	return off
}

// corrections is the chain of offset maps of an analyzer's character filters, first filter first.
type corrections struct{ maps []offsetMap }

func (c *corrections) correct(off int) int {
	for i := len(c.maps) - 1; i >= 0; i-- {
		off = c.maps[i].correct(off)
	}
	return off
}
