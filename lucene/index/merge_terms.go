package index

import (
	"bytes"
	"container/heap"
	"errors"
	"maps"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// termCursor stands at a term of one source's dictionary.
type termCursor struct {
	it   lucene.TermsEnum
	term []byte
	ord  int      // which source
	at   int64    // ordinal of the term, for dictionaries of doc values
	used *ordBits // terms that live documents have; nil: all
}

func (c *termCursor) next() error {
	for {
		var err error
		if c.term, err = c.it.Next(); err != nil || c.term == nil {
			return err
		}
		c.at++
		if c.used == nil || c.used.Get(c.at) {
			return nil
		}
	}
}

// termMerge walks over the union of sorted terms.
type termMerge struct {
	queue []*termCursor // heap by term and source
	top   []*termCursor // those at the current term, by source
	term  []byte
}

func (m *termMerge) Len() int { return len(m.queue) }
func (m *termMerge) Less(i, j int) bool {
	if c := bytes.Compare(m.queue[i].term, m.queue[j].term); c != 0 {
		return c < 0
	}
	return m.queue[i].ord < m.queue[j].ord
}
func (m *termMerge) Swap(i, j int) { m.queue[i], m.queue[j] = m.queue[j], m.queue[i] }
func (m *termMerge) Push(x any)    { m.queue = append(m.queue, x.(*termCursor)) }
func (m *termMerge) Pop() any {
	last := m.queue[len(m.queue)-1]
	m.queue = m.queue[:len(m.queue)-1]
	return last
}

func (m *termMerge) add(c *termCursor) error {
	if err := c.next(); err != nil {
		return err
	}
	if c.term != nil {
		heap.Push(m, c)
	}
	return nil
}

// next moves to the next term, or returns nil.
func (m *termMerge) next() ([]byte, error) {
	for _, c := range m.top {
		if err := m.add(c); err != nil {
			return nil, err
		}
	}
	m.top = m.top[:0]
	if len(m.queue) == 0 {
		m.term = nil
		return nil, nil
	}
	m.term = append(m.term[:0], m.queue[0].term...)
	if m.term == nil {
		m.term = []byte{}
	}
	for len(m.queue) > 0 && bytes.Equal(m.queue[0].term, m.term) {
		m.top = append(m.top, heap.Pop(m).(*termCursor))
	}
	return m.term, nil
}

// mergedFields shows the inverted fields of a merge to the postings writer.
type mergedFields struct {
	sources []*mergeSource
	infos   *lucene.FieldInfos
}

func (f *mergedFields) FieldNames() []string {
	names := map[string]bool{}
	for _, info := range f.infos.All() {
		if info.IndexOptions != lucene.IndexNone {
			names[info.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (f *mergedFields) Terms(field string) (lucene.Terms, error) {
	t := &mergedTerms{info: f.infos.ByName(field)}
	for _, s := range f.sources {
		if s.fields.ByName(field) == nil {
			continue
		}
		terms, err := s.reader.Terms(field)
		if err != nil {
			return nil, err
		}
		if terms != nil {
			t.sources = append(t.sources, s)
			t.terms = append(t.terms, terms)
		}
	}
	if len(t.terms) == 0 {
		return nil, nil
	}
	return t, nil
}

// mergedTerms is the terms of a field in all sources. Its statistics are upper bounds: deleted documents are in them.
type mergedTerms struct {
	info    *lucene.FieldInfo
	sources []*mergeSource
	terms   []lucene.Terms
}

func (t *mergedTerms) sum(fn func(lucene.Terms) int64) int64 {
	var n int64
	for _, x := range t.terms {
		n += fn(x)
	}
	return n
}

func (t *mergedTerms) Size() int64                       { return -1 }
func (t *mergedTerms) SumTotalTermFreq() int64           { return t.sum(lucene.Terms.SumTotalTermFreq) }
func (t *mergedTerms) SumDocFreq() int64                 { return t.sum(lucene.Terms.SumDocFreq) }
func (t *mergedTerms) IndexOptions() lucene.IndexOptions { return t.info.IndexOptions }
func (t *mergedTerms) HasPayloads() bool                 { return t.info.HasPayloads }

func (t *mergedTerms) DocCount() int32 {
	return int32(t.sum(func(x lucene.Terms) int64 { return int64(x.DocCount()) }))
}

func (t *mergedTerms) Min() ([]byte, error) {
	it, err := t.Iterator()
	if err != nil {
		return nil, err
	}
	return it.Next()
}

var errMerging = errors.New("terms that are being merged can only be walked over")

func (t *mergedTerms) Max() ([]byte, error) {
	var last []byte
	for _, x := range t.terms {
		m, err := x.Max()
		if err != nil {
			return nil, err
		}
		if bytes.Compare(m, last) > 0 {
			last = m
		}
	}
	return last, nil
}

func (t *mergedTerms) Intersect(lucene.Automaton, []byte) (lucene.TermsEnum, error) {
	return nil, errMerging
}

func (t *mergedTerms) Iterator() (lucene.TermsEnum, error) {
	e := &mergedTermsEnum{t: t, reuse: make([]lucene.PostingsEnum, len(t.terms)), subs: make([]docSub, len(t.terms))}
	for i, x := range t.terms {
		it, err := x.Iterator()
		if err != nil {
			return nil, err
		}
		if err := e.m.add(&termCursor{it: it, ord: i, at: -1}); err != nil {
			return nil, err
		}
	}
	return e, nil
}

type mergedTermsEnum struct {
	t     *mergedTerms
	m     termMerge
	reuse []lucene.PostingsEnum
	subs  []docSub
	ptrs  []*docSub
	post  mergedPostings
}

func (e *mergedTermsEnum) Next() ([]byte, error) { return e.m.next() }
func (e *mergedTermsEnum) Term() []byte          { return e.m.term }

func (e *mergedTermsEnum) SeekCeil([]byte) (lucene.SeekStatus, error) {
	return lucene.SeekEnd, errMerging
}
func (e *mergedTermsEnum) SeekExact([]byte) (bool, error)           { return false, errMerging }
func (e *mergedTermsEnum) SeekState([]byte, lucene.TermState) error { return errMerging }
func (e *mergedTermsEnum) State() (lucene.TermState, error)         { return nil, errMerging }
func (e *mergedTermsEnum) Impacts(int) (lucene.ImpactsEnum, error)  { return nil, errMerging }

// DocFreq is an upper bound: deleted documents count.
func (e *mergedTermsEnum) DocFreq() (int32, error) {
	var sum int32
	for _, c := range e.m.top {
		n, err := c.it.DocFreq()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// TotalTermFreq is an upper bound as well.
func (e *mergedTermsEnum) TotalTermFreq() (int64, error) {
	var sum int64
	for _, c := range e.m.top {
		n, err := c.it.TotalTermFreq()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// Postings returns the same object for each term.
func (e *mergedTermsEnum) Postings(_ lucene.PostingsEnum, flags int) (lucene.PostingsEnum, error) {
	e.ptrs = e.ptrs[:0]
	for _, c := range e.m.top {
		p, err := c.it.Postings(e.reuse[c.ord], flags)
		if err != nil {
			return nil, err
		}
		e.reuse[c.ord] = p
		sub := &e.subs[c.ord]
		*sub = docSub{src: e.t.sources[c.ord], it: p, pos: p, ord: c.ord}
		e.ptrs = append(e.ptrs, sub)
	}
	e.post.reset(e.ptrs)
	return &e.post, nil
}

// mergedPostings walks over the live documents of a term in all sources.
type mergedPostings struct{ mergedDocs }

func (p *mergedPostings) Freq() (int32, error)         { return p.cur.pos.Freq() }
func (p *mergedPostings) NextPosition() (int32, error) { return p.cur.pos.NextPosition() }
func (p *mergedPostings) StartOffset() int32           { return p.cur.pos.StartOffset() }
func (p *mergedPostings) EndOffset() int32             { return p.cur.pos.EndOffset() }
func (p *mergedPostings) Payload() []byte              { return p.cur.pos.Payload() }
