package search

import (
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// sloppyMatcher finds the terms near their places. It always moves the part that lags most, and takes the narrowest
// stretch before it overtakes the next; the distances that score are those of Lucene, which does not look
// at all combinations either.
//
// Where a term stands twice in the phrase, two parts must not use one position of the document: parts that share terms
// form a group, and of two that collide the lesser moves on.
type sloppyMatcher struct {
	parts  []*sloppyPart
	slop   int32
	queue  sloppyQueue
	end    int32 // the greatest position of any part
	length int32 // of the current match
	placed bool

	groups     [][]*sloppyPart
	multi      bool // a part of a group has several terms
	grouped    bool // groups were looked for
	requeueBuf []*sloppyPart
}

type sloppyPart struct {
	postings lucene.PostingsEnum
	pos      int32 // position in the document less offset
	left     int32 // positions not read yet
	offset   int32 // position in the phrase
	ord      int
	group    int // -1: none
	index    int // within the group
	terms    [][]byte
}

func newSloppyMatcher(parts []phrasePart, slop int32) *sloppyMatcher {
	m := &sloppyMatcher{slop: slop}
	for i, p := range parts {
		m.parts = append(m.parts, &sloppyPart{postings: p.postings, offset: p.offset, ord: i, group: -1, terms: p.terms})
	}
	return m
}

func (m *sloppyMatcher) weight() float32 { return 1 / (1 + float32(m.length)) }

// first reads the first position.
func (p *sloppyPart) first() error {
	f, err := p.postings.Freq()
	if err != nil {
		return err
	}
	p.left = f
	_, err = p.step()
	return err
}

// step moves to the next position and tells whether there is one.
func (p *sloppyPart) step() (bool, error) {
	if p.left <= 0 {
		return false, nil
	}
	p.left--
	pos, err := p.postings.NextPosition()
	p.pos = pos - p.offset
	return true, err
}

func (p *sloppyPart) docPosition() int32 { return p.pos + p.offset }

func (p *sloppyPart) less(o *sloppyPart) bool {
	if p.pos != o.pos {
		return p.pos < o.pos
	}
	if p.offset != o.offset {
		return p.offset < o.offset
	}
	return p.ord < o.ord
}

// advance moves a part and keeps the end.
func (m *sloppyMatcher) advance(p *sloppyPart) (bool, error) {
	ok, err := p.step()
	if ok {
		m.end = max(m.end, p.pos)
	}
	return ok, err
}

func (m *sloppyMatcher) reset() error {
	m.end, m.length = math.MinInt32, math.MaxInt32
	var err error
	m.placed, err = m.place()
	return err
}

// place puts all parts at the start of the document, without collisions.
func (m *sloppyMatcher) place() (bool, error) {
	for _, p := range m.parts {
		if err := p.first(); err != nil {
			return false, err
		}
	}
	if !m.grouped {
		m.grouped = true
		m.findGroups()
	}
	if len(m.groups) > 0 {
		if ok, err := m.spread(); !ok || err != nil {
			return false, err
		}
	}
	m.queue = m.queue[:0]
	for _, p := range m.parts {
		m.end = max(m.end, p.pos)
		m.queue.push(p)
	}
	return true, nil
}

func (m *sloppyMatcher) next() (bool, error) {
	if !m.placed {
		return false, nil
	}
	p := m.queue.pop()
	m.length = m.end - p.pos
	limit := m.queue[0].pos
	for {
		ok, err := m.advance(p)
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
		if len(m.groups) > 0 {
			if ok, err = m.resolve(p); err != nil {
				return false, err
			}
			if !ok {
				break
			}
		}
		if p.pos > limit { // the stretch that begins with p is as narrow as it gets
			m.queue.push(p)
			if m.length <= m.slop {
				return true, nil
			}
			p = m.queue.pop()
			limit = m.queue[0].pos
			m.length = m.end - p.pos
		} else {
			m.length = min(m.length, m.end-p.pos)
		}
	}
	m.placed = false
	return m.length <= m.slop, nil
}

// collision returns the part of p's group that uses its position, or nil.
func (m *sloppyMatcher) collision(p *sloppyPart) *sloppyPart {
	at := p.docPosition()
	for _, o := range m.groups[p.group] {
		if o != p && o.docPosition() == at {
			return o
		}
	}
	return nil
}

func lesserPart(a, b *sloppyPart) *sloppyPart {
	if a.pos < b.pos || a.pos == b.pos && a.offset < b.offset {
		return a
	}
	return b
}

// resolve moves parts on until p, which has just moved, collides with none. Others that moved are put
// into the queue anew. It tells whether positions were left.
func (m *sloppyMatcher) resolve(p *sloppyPart) (bool, error) {
	if p.group < 0 {
		return true, nil
	}
	own := p.index
	moved := make([]bool, len(m.groups[p.group]))
	n := 0
	for {
		o := m.collision(p)
		if o == nil {
			break
		}
		k := o.index
		p = lesserPart(p, o)
		ok, err := m.advance(p)
		if !ok || err != nil {
			return false, err
		}
		if k != own && !moved[k] {
			moved[k] = true
			n++
		}
	}
	m.requeueBuf = m.requeueBuf[:0]
	for n > 0 && len(m.queue) > 0 {
		o := m.queue.pop()
		m.requeueBuf = append(m.requeueBuf, o)
		if o.group >= 0 && o.index < len(moved) && moved[o.index] {
			moved[o.index] = false
			n--
		}
	}
	for i := len(m.requeueBuf) - 1; i >= 0; i-- {
		m.queue.push(m.requeueBuf[i])
	}
	return true, nil
}

// spread moves the parts of each group apart at the start of a document.
func (m *sloppyMatcher) spread() (bool, error) {
	for _, g := range m.groups {
		if !m.multi {
			// all stand at the term's first position: the second moves once, the third twice
			for j := 1; j < len(g); j++ {
				for range j {
					if ok, err := g[j].step(); !ok || err != nil {
						return false, err
					}
				}
			}
			continue
		}
		for i := 0; i < len(g); {
			again := false
			for o := m.collision(g[i]); o != nil; o = m.collision(g[i]) {
				l := lesserPart(g[i], o)
				if ok, err := m.advance(l); !ok || err != nil {
					return false, err
				}
				if l.index < i {
					again = true
					break
				}
			}
			if !again {
				i++
			}
		}
	}
	return true, nil
}

// findGroups looks for parts with terms in common, once, at the first document.
func (m *sloppyMatcher) findGroups() {
	count := map[string]int{}
	for _, p := range m.parts {
		for _, t := range p.terms {
			count[string(t)]++
		}
	}
	var repeating []*sloppyPart
	for _, p := range m.parts {
		if slices.ContainsFunc(p.terms, func(t []byte) bool { return count[string(t)] > 1 }) {
			repeating = append(repeating, p)
			m.multi = m.multi || len(p.terms) > 1
		}
	}
	if m.multi {
		m.groupByTerms(repeating, count)
	} else {
		m.groupByPosition(repeating)
	}
	for _, g := range m.groups {
		slices.SortStableFunc(g, func(a, b *sloppyPart) int { return int(a.offset - b.offset) })
		for i, p := range g {
			p.index = i
		}
	}
}

// groupByPosition: parts of one term stand at the same position of the first document.
func (m *sloppyMatcher) groupByPosition(parts []*sloppyPart) {
	for i, p := range parts {
		if p.group >= 0 {
			continue
		}
		for _, o := range parts[i+1:] {
			if o.group >= 0 || o.offset == p.offset || o.docPosition() != p.docPosition() {
				continue
			}
			if p.group < 0 {
				p.group = len(m.groups)
				m.groups = append(m.groups, []*sloppyPart{p})
			}
			o.group = p.group
			m.groups[p.group] = append(m.groups[p.group], o)
		}
	}
}

// groupByTerms: parts belong together that are linked by repeating terms, directly or through others.
func (m *sloppyMatcher) groupByTerms(parts []*sloppyPart, count map[string]int) {
	byTerm := map[string]int{}
	for _, p := range parts {
		for _, t := range p.terms {
			if count[string(t)] < 2 {
				continue
			}
			g, ok := byTerm[string(t)]
			switch {
			case !ok && p.group < 0:
				p.group = len(m.groups)
				m.groups = append(m.groups, []*sloppyPart{p})
			case ok && p.group < 0:
				p.group = g
				m.groups[g] = append(m.groups[g], p)
			case ok && g != p.group: // p links two groups
				for _, o := range m.groups[g] {
					o.group = p.group
				}
				m.groups[p.group] = append(m.groups[p.group], m.groups[g]...)
				m.groups[g] = nil
				for t2, g2 := range byTerm {
					if g2 == g {
						byTerm[t2] = p.group
					}
				}
			}
			byTerm[string(t)] = p.group
		}
	}
}

// sloppyQueue is a binary heap of parts, the least first.
type sloppyQueue []*sloppyPart

func (q *sloppyQueue) push(p *sloppyPart) {
	*q = append(*q, p)
	s := *q
	i := len(s) - 1
	for i > 0 && p.less(s[(i-1)/2]) {
		s[i] = s[(i-1)/2]
		i = (i - 1) / 2
	}
	s[i] = p
}

func (q *sloppyQueue) pop() *sloppyPart {
	s := *q
	top := s[0]
	last := s[len(s)-1]
	s = s[:len(s)-1]
	*q = s
	if len(s) == 0 {
		return top
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(s) {
			break
		}
		if c+1 < len(s) && s[c+1].less(s[c]) {
			c++
		}
		if !s[c].less(last) {
			break
		}
		s[i] = s[c]
		i = c
	}
	s[i] = last
	return top
}
