package index

import (
	"container/heap"
	"fmt"

	"github.com/varve-search/varve/lucene"
)

// mergeSource is one of the segments that are merged, without the documents that were deleted when the merge began.
type mergeSource struct {
	seg    *segment
	name   string
	reader *SegmentReader
	fields *lucene.FieldInfos
	live   *lucene.FixedBits // nil: all
	maxDoc int32
	alive  int32
	base   int32   // new number of the first document, where newDoc is nil
	newDoc []int32 // old → new, -1 for deleted; nil: all alive and in order
}

func (s *mergeSource) isLive(doc int32) bool { return s.live == nil || s.live.Get(doc) }

// mapped returns the new number of a document, or -1.
func (s *mergeSource) mapped(doc int32) int32 {
	if s.newDoc == nil {
		return s.base + doc
	}
	return s.newDoc[doc]
}

// number returns the merged segment's document count after giving the documents of all sources their numbers: one source
// after another, or by the keys of an index sort.
func number(sources []*mergeSource, keys []*sortKeys) int32 {
	if keys == nil {
		next := int32(0)
		for _, s := range sources {
			s.base = next
			if s.live == nil {
				next += s.maxDoc
				continue
			}
			s.newDoc = make([]int32, s.maxDoc)
			for doc := range s.maxDoc {
				s.newDoc[doc] = -1
				if s.live.Get(doc) {
					s.newDoc[doc] = next
					next++
				}
			}
		}
		return next
	}
	h := &keyHeap{}
	for i, s := range sources {
		s.newDoc = make([]int32, s.maxDoc)
		for doc := range s.newDoc {
			s.newDoc[doc] = -1
		}
		c := &keyCursor{src: s, keys: keys[i], ord: i, doc: -1}
		if c.next() {
			h.items = append(h.items, c)
		}
	}
	heap.Init(h)
	next := int32(0)
	for h.Len() > 0 {
		c := h.items[0]
		c.src.newDoc[c.doc] = next
		next++
		if c.next() {
			heap.Fix(h, 0)
		} else {
			heap.Pop(h)
		}
	}
	return next
}

type keyCursor struct {
	src  *mergeSource
	keys *sortKeys
	ord  int
	doc  int32
}

func (c *keyCursor) next() bool {
	for c.doc++; c.doc < c.src.maxDoc; c.doc++ {
		if c.src.isLive(c.doc) {
			return true
		}
	}
	return false
}

type keyHeap struct{ items []*keyCursor }

func (h *keyHeap) Len() int { return len(h.items) }
func (h *keyHeap) Less(i, j int) bool {
	a, b := h.items[i], h.items[j]
	if c := a.keys.compare(a.doc, b.keys, b.doc); c != 0 {
		return c < 0
	}
	return a.ord < b.ord
}
func (h *keyHeap) Swap(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *keyHeap) Push(x any)    { h.items = append(h.items, x.(*keyCursor)) }
func (h *keyHeap) Pop() any {
	last := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	return last
}

// eachRun calls fn for runs of live documents [from, to) of a source, in the order of the merged segment.
func eachRun(sources []*mergeSource, sorted bool, fn func(s *mergeSource, from, to int32) error) error {
	if !sorted {
		for _, s := range sources {
			for doc := int32(0); doc < s.maxDoc; {
				if !s.isLive(doc) {
					doc++
					continue
				}
				end := doc + 1
				for end < s.maxDoc && s.isLive(end) {
					end++
				}
				if err := fn(s, doc, end); err != nil {
					return err
				}
				doc = end
			}
		}
		return nil
	}
	next := make([]int32, len(sources)) // next document of each
	skip := func(i int) {
		for next[i] < sources[i].maxDoc && sources[i].mapped(next[i]) < 0 {
			next[i]++
		}
	}
	for i := range sources {
		skip(i)
	}
	for doc := int32(0); ; {
		found := -1
		for i, s := range sources {
			if next[i] < s.maxDoc && s.mapped(next[i]) == doc {
				found = i
				break
			}
		}
		if found < 0 {
			return nil
		}
		s, from := sources[found], next[found]
		for next[found] < s.maxDoc && s.mapped(next[found]) == doc {
			next[found]++
			doc++
		}
		if err := fn(s, from, next[found]); err != nil {
			return err
		}
		skip(found)
	}
}

// docSub is an iterator over a source's documents within a merge.
type docSub struct {
	src *mergeSource
	it  lucene.DocIDSetIterator
	doc int32 // merged number of the current document
	ord int
	num lucene.NumericDocValues
	bin lucene.BinaryDocValues
	one lucene.SortedDocValues
	nms lucene.SortedNumericDocValues
	set lucene.SortedSetDocValues
	pos lucene.PostingsEnum
	gl  []int32 // ordinals of the source → merged
}

// next moves to the next live document.
func (s *docSub) next() error {
	for {
		doc, err := s.it.Next()
		if err != nil {
			return err
		}
		if doc == lucene.NoMoreDocs {
			s.doc = doc
			return nil
		}
		if doc < 0 || doc >= s.src.maxDoc {
			return fmt.Errorf("segment %s: document %d where there are %d", s.src.name, doc, s.src.maxDoc)
		}
		if s.doc = s.src.mapped(doc); s.doc >= 0 {
			return nil
		}
	}
}

// mergedDocs walks over the documents of several sources in merged order. The numbers of each source ascend.
type mergedDocs struct {
	subs  []*docSub // those that are not exhausted, as a heap by document once begun
	cur   *docSub
	begun bool
	doc   int32
}

func (m *mergedDocs) reset(subs []*docSub) { *m = mergedDocs{subs: subs, doc: -1} }

func (m *mergedDocs) Len() int           { return len(m.subs) }
func (m *mergedDocs) Less(i, j int) bool { return m.subs[i].doc < m.subs[j].doc }
func (m *mergedDocs) Swap(i, j int)      { m.subs[i], m.subs[j] = m.subs[j], m.subs[i] }
func (m *mergedDocs) Push(x any)         { m.subs = append(m.subs, x.(*docSub)) }
func (m *mergedDocs) Pop() any {
	last := m.subs[len(m.subs)-1]
	m.subs = m.subs[:len(m.subs)-1]
	return last
}

func (m *mergedDocs) DocID() int32 { return m.doc }

func (m *mergedDocs) Cost() int64 {
	var sum int64
	for _, s := range m.subs {
		sum += s.it.Cost()
	}
	return sum
}

func (m *mergedDocs) Next() (int32, error) {
	if !m.begun {
		m.begun = true
		all := m.subs
		m.subs = make([]*docSub, 0, len(all))
		for _, s := range all {
			if err := s.next(); err != nil {
				return 0, err
			}
			if s.doc != lucene.NoMoreDocs {
				m.subs = append(m.subs, s)
			}
		}
		heap.Init(m)
	} else if len(m.subs) > 0 {
		s := m.subs[0]
		if err := s.next(); err != nil {
			return 0, err
		}
		switch {
		case s.doc == lucene.NoMoreDocs:
			heap.Pop(m)
		case len(m.subs) > 1 && (s.doc > m.subs[1].doc || len(m.subs) > 2 && s.doc > m.subs[2].doc):
			heap.Fix(m, 0)
		}
	}
	if len(m.subs) == 0 {
		m.doc, m.cur = lucene.NoMoreDocs, nil
		return m.doc, nil
	}
	m.cur = m.subs[0]
	m.doc = m.cur.doc
	return m.doc, nil
}

func (m *mergedDocs) Advance(target int32) (int32, error) {
	for m.doc < target {
		if _, err := m.Next(); err != nil {
			return 0, err
		}
	}
	return m.doc, nil
}

func (m *mergedDocs) AdvanceExact(target int32) (bool, error) {
	doc, err := m.Advance(target)
	return doc == target, err
}
