package termvectors

import (
	"bytes"
	"errors"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// fields are the vectors of one document: fields from to to of a chunk.
type fields struct {
	*chunk
	from, to int
}

// FieldNames implements lucene.Fields.
func (d *fields) FieldNames() []string {
	names := make([]string, 0, d.to-d.from)
	for f := d.from; f < d.to; f++ {
		if d.fieldTerm[f+1] > d.fieldTerm[f] {
			names = append(names, d.info[f].Name)
		}
	}
	slices.Sort(names)
	return names
}

// Terms implements lucene.Fields.
func (d *fields) Terms(field string) (lucene.Terms, error) {
	for f := d.from; f < d.to; f++ {
		if d.info[f].Name == field && d.fieldTerm[f+1] > d.fieldTerm[f] {
			return &terms{c: d.chunk, f: f}, nil
		}
	}
	return nil, nil
}

// terms are the terms of a field in a document.
type terms struct {
	c *chunk
	f int
}

func (t *terms) first() int32 { return t.c.fieldTerm[t.f] }
func (t *terms) end() int32   { return t.c.fieldTerm[t.f+1] }

func (t *terms) Iterator() (lucene.TermsEnum, error) { return t.iterator(), nil }

func (t *terms) iterator() *termsEnum {
	e := &termsEnum{t: t, term: make([]byte, 0, 16)} // never nil: the empty term is one
	e.rewind()
	return e
}

func (t *terms) Intersect(a lucene.Automaton, startTerm []byte) (lucene.TermsEnum, error) {
	return &filteredEnum{termsEnum: *t.iterator(), a: a, after: startTerm}, nil
}

func (t *terms) Size() int64 { return int64(t.end() - t.first()) }

func (t *terms) SumTotalTermFreq() int64 {
	var sum int64
	for _, n := range t.c.freqs[t.first():t.end()] {
		sum += int64(n)
	}
	return sum
}

func (t *terms) SumDocFreq() int64 { return t.Size() }
func (t *terms) DocCount() int32   { return 1 }

func (t *terms) has(flag byte) bool { return t.c.flags[t.f]&flag != 0 }

func (t *terms) IndexOptions() lucene.IndexOptions {
	switch {
	case t.has(flagOffsets):
		return lucene.IndexDocsFreqsPositionsOffsets
	case t.has(flagPositions):
		return lucene.IndexDocsFreqsPositions
	}
	return lucene.IndexDocsAndFreqs
}

func (t *terms) HasPayloads() bool { return t.has(flagPayloads) }

func (t *terms) Min() ([]byte, error) { return t.iterator().Next() }

func (t *terms) Max() ([]byte, error) {
	e := t.iterator()
	for range t.Size() {
		if _, err := e.Next(); err != nil {
			return nil, err
		}
	}
	return e.Term(), nil
}

// termsEnum walks over the terms of a field in a document; seeks are scans.
type termsEnum struct {
	t     *terms
	i     int32 // the current term, as the chunk counts; one before the first, at first
	occur int32 // occurrences of the field before it
	term  []byte
}

func (e *termsEnum) rewind() { e.i, e.occur, e.term = e.t.first()-1, 0, e.term[:0] }

func (e *termsEnum) Next() ([]byte, error) {
	c := e.t.c
	if e.i >= e.t.end() {
		return nil, nil
	}
	if e.i >= e.t.first() {
		e.occur += c.freqs[e.i]
	}
	if e.i++; e.i == e.t.end() {
		return nil, nil
	}
	at := c.textAt[e.i]
	e.term = append(e.term[:c.prefix[e.i]], c.text[at:at+c.suffix[e.i]]...)
	return e.term, nil
}

func (e *termsEnum) SeekCeil(term []byte) (lucene.SeekStatus, error) {
	if e.i >= e.t.first() {
		if e.i < e.t.end() && bytes.Equal(e.term, term) {
			return lucene.SeekFound, nil
		}
		if e.i >= e.t.end() || bytes.Compare(e.term, term) > 0 {
			e.rewind()
		}
	}
	for {
		got, err := e.Next()
		if err != nil {
			return lucene.SeekEnd, err
		}
		if got == nil {
			return lucene.SeekEnd, nil
		}
		switch c := bytes.Compare(got, term); {
		case c == 0:
			return lucene.SeekFound, nil
		case c > 0:
			return lucene.SeekNotFound, nil
		}
	}
}

func (e *termsEnum) SeekExact(term []byte) (bool, error) {
	s, err := e.SeekCeil(term)
	return s == lucene.SeekFound, err
}

func (e *termsEnum) SeekState(term []byte, s lucene.TermState) error {
	found, err := e.SeekExact(term)
	if err == nil && !found {
		err = errors.New("term vectors: a state of another document")
	}
	return err
}

func (e *termsEnum) Term() []byte                  { return e.term }
func (e *termsEnum) DocFreq() (int32, error)       { return 1, nil }
func (e *termsEnum) TotalTermFreq() (int64, error) { return int64(e.t.c.freqs[e.i]), nil }

type termState struct{}

func (termState) IsTermState() {}

func (e *termsEnum) State() (lucene.TermState, error) { return termState{}, nil }

func (e *termsEnum) Postings(reuse lucene.PostingsEnum, _ int) (lucene.PostingsEnum, error) {
	p, ok := reuse.(*postings)
	if !ok {
		p = &postings{}
	}
	p.reset(e)
	return p, nil
}

func (e *termsEnum) Impacts(int) (lucene.ImpactsEnum, error) {
	p := &impacts{}
	p.reset(e)
	return p, nil
}

// filteredEnum gives the terms that an automaton accepts.
type filteredEnum struct {
	termsEnum
	a     lucene.Automaton
	after []byte
}

func (e *filteredEnum) Next() ([]byte, error) {
next:
	for {
		term, err := e.termsEnum.Next()
		if err != nil || term == nil {
			return nil, err
		}
		if e.after != nil && bytes.Compare(term, e.after) <= 0 {
			continue
		}
		s := e.a.Start()
		for _, b := range term {
			if s = e.a.Step(s, b); s < 0 {
				continue next
			}
		}
		if e.a.Accepts(s) {
			return term, nil
		}
	}
}

// postings are the occurrences of a term in the one document, 0.
type postings struct {
	c          *chunk
	doc        int32
	freq, i    int32
	pos, off   []int32 // of this term; nil if there are none
	lengths    []int32
	payS, payE []int32
}

func (p *postings) reset(e *termsEnum) {
	c, f := e.t.c, e.t.f
	*p = postings{c: c, doc: -1, freq: c.freqs[e.i], i: -1}
	if e.t.has(flagPositions) {
		p.pos = c.positions[c.posAt[f]+e.occur:][:p.freq]
	}
	if e.t.has(flagOffsets) {
		p.off = c.starts[c.offAt[f]+e.occur:][:p.freq]
		p.lengths = c.lengths[c.offAt[f]+e.occur:][:p.freq]
	}
	if e.t.has(flagPayloads) {
		p.payS = c.payStart[c.payAt[f]+e.occur:][:p.freq]
		p.payE = c.payEnds[c.payAt[f]+e.occur:][:p.freq]
	}
}

func (p *postings) DocID() int32 { return p.doc }

func (p *postings) Next() (int32, error) {
	if p.doc == -1 {
		p.doc = 0
	} else {
		p.doc = lucene.NoMoreDocs
	}
	return p.doc, nil
}

func (p *postings) Advance(target int32) (int32, error) {
	if target <= 0 {
		return p.Next()
	}
	p.doc = lucene.NoMoreDocs
	return p.doc, nil
}

func (p *postings) Cost() int64          { return 1 }
func (p *postings) Freq() (int32, error) { return p.freq, nil }

func (p *postings) NextPosition() (int32, error) {
	if p.i+1 >= p.freq {
		return 0, errors.New("term vectors: more positions are asked for than there are")
	}
	p.i++
	if p.pos == nil {
		return -1, nil
	}
	return p.pos[p.i], nil
}

func (p *postings) StartOffset() int32 {
	if p.off == nil || p.i < 0 {
		return -1
	}
	return p.off[p.i]
}

func (p *postings) EndOffset() int32 {
	if p.off == nil || p.i < 0 {
		return -1
	}
	return p.off[p.i] + p.lengths[p.i]
}

func (p *postings) Payload() []byte {
	if p.payS == nil || p.i < 0 || p.payS[p.i] == p.payE[p.i] {
		return nil
	}
	return p.c.text[p.payS[p.i]:p.payE[p.i]]
}

// impacts are postings that know nothing of scores but the frequency.
type impacts struct{ postings }

func (p *impacts) AdvanceShallow(int32) error { return nil }
func (p *impacts) NumLevels() int             { return 1 }
func (p *impacts) DocIDUpTo(int) int32        { return lucene.NoMoreDocs }
func (p *impacts) Impacts(int) ([]lucene.Impact, error) {
	return []lucene.Impact{{Freq: p.freq, Norm: 1}}, nil
}
