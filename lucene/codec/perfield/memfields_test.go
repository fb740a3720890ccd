package perfield_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/varve-search/varve/lucene"
)

// memDoc is a document of a term.
type memDoc struct {
	doc  int32
	freq int32
	pos  []memPos
}

type memPos struct {
	pos, start, end int32
	payload         []byte
}

type memTerm struct {
	term []byte
	docs []memDoc
}

// memField is a field as plain values: what is written, and what must be read.
type memField struct {
	info  *lucene.FieldInfo
	terms []memTerm
	norms []int64 // by document, 0 for none
}

func (f *memField) has(o lucene.IndexOptions) bool { return f.info.IndexOptions >= o }

func (f *memField) stats() (ttf, df int64, docs int32) {
	seen := map[int32]bool{}
	for _, t := range f.terms {
		df += int64(len(t.docs))
		for _, d := range t.docs {
			ttf += int64(d.freq)
			seen[d.doc] = true
		}
	}
	return ttf, df, int32(len(seen))
}

// memFields implements lucene.Fields and lucene.NormsProducer.
type memFields map[string]*memField

func (m memFields) FieldNames() []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (m memFields) Terms(field string) (lucene.Terms, error) { return memTerms{m[field]}, nil }

func (m memFields) Norms(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	return &memNorms{norms: m[f.Name].norms, doc: -1}, nil
}

type memNorms struct {
	lucene.NumericDocValues
	norms []int64
	doc   int32
}

func (n *memNorms) AdvanceExact(doc int32) (bool, error) {
	if doc < n.doc {
		return false, fmt.Errorf("norms go back from %d to %d", n.doc, doc)
	}
	n.doc = doc
	return n.norms[doc] != 0, nil
}

func (n *memNorms) Value() (int64, error) { return n.norms[n.doc], nil }

type memTerms struct{ f *memField }

func (t memTerms) Iterator() (lucene.TermsEnum, error) { return &memEnum{f: t.f, i: -1}, nil }
func (t memTerms) Intersect(lucene.Automaton, []byte) (lucene.TermsEnum, error) {
	return nil, errors.ErrUnsupported
}
func (t memTerms) Size() int64                       { return int64(len(t.f.terms)) }
func (t memTerms) SumTotalTermFreq() int64           { n, _, _ := t.f.stats(); return n }
func (t memTerms) SumDocFreq() int64                 { _, n, _ := t.f.stats(); return n }
func (t memTerms) DocCount() int32                   { _, _, n := t.f.stats(); return n }
func (t memTerms) IndexOptions() lucene.IndexOptions { return t.f.info.IndexOptions }
func (t memTerms) HasPayloads() bool                 { return t.f.info.HasPayloads }
func (t memTerms) Min() ([]byte, error)              { return t.f.terms[0].term, nil }
func (t memTerms) Max() ([]byte, error)              { return t.f.terms[len(t.f.terms)-1].term, nil }

type memEnum struct {
	lucene.TermsEnum
	f *memField
	i int
}

func (e *memEnum) Next() ([]byte, error) {
	if e.i++; e.i >= len(e.f.terms) {
		return nil, nil
	}
	return e.f.terms[e.i].term, nil
}

func (e *memEnum) Term() []byte            { return e.f.terms[e.i].term }
func (e *memEnum) DocFreq() (int32, error) { return int32(len(e.f.terms[e.i].docs)), nil }
func (e *memEnum) TotalTermFreq() (n int64, err error) {
	for _, d := range e.f.terms[e.i].docs {
		n += int64(d.freq)
	}
	return n, nil
}

func (e *memEnum) Postings(lucene.PostingsEnum, int) (lucene.PostingsEnum, error) {
	return &memPostings{docs: e.f.terms[e.i].docs, i: -1}, nil
}

type memPostings struct {
	docs []memDoc
	i, p int
}

func (e *memPostings) DocID() int32 {
	switch {
	case e.i < 0:
		return -1
	case e.i >= len(e.docs):
		return lucene.NoMoreDocs
	}
	return e.docs[e.i].doc
}
func (e *memPostings) Next() (int32, error) { e.i++; e.p = -1; return e.DocID(), nil }
func (e *memPostings) Advance(target int32) (int32, error) {
	for d, _ := e.Next(); d < target; d, _ = e.Next() {
	}
	return e.DocID(), nil
}
func (e *memPostings) Cost() int64          { return int64(len(e.docs)) }
func (e *memPostings) Freq() (int32, error) { return e.docs[e.i].freq, nil }
func (e *memPostings) NextPosition() (int32, error) {
	e.p++
	return e.docs[e.i].pos[e.p].pos, nil
}
func (e *memPostings) StartOffset() int32 { return e.docs[e.i].pos[e.p].start }
func (e *memPostings) EndOffset() int32   { return e.docs[e.i].pos[e.p].end }
func (e *memPostings) Payload() []byte    { return e.docs[e.i].pos[e.p].payload }

// randomField makes a field; budget bounds its postings.
func randomField(rnd *rand.Rand, info *lucene.FieldInfo, maxDoc int32, budget int) *memField {
	f := &memField{info: info}
	f.norms = make([]int64, maxDoc)
	for i := range f.norms {
		switch rnd.IntN(10) {
		case 0:
		case 1:
			f.norms[i] = int64(int8(rnd.IntN(256)))
		case 2:
			f.norms[i] = rnd.Int64() >> rnd.IntN(60)
		default:
			f.norms[i] = 1 + rnd.Int64N(20)
		}
	}
	keys := map[string]bool{}
	style := rnd.IntN(5)
	for n := 1 + rnd.IntN(1<<rnd.IntN(12)); n > 0; n-- {
		keys[randomTerm(rnd, style)] = true
	}
	for k := range keys {
		f.terms = append(f.terms, memTerm{term: []byte(k)})
	}
	sortTerms(f)
	for i := range f.terms {
		df := 1
		switch rnd.IntN(8) {
		case 0:
			df = min(int(maxDoc), budget, 1+rnd.IntN(1<<rnd.IntN(15)))
		case 1:
			df = min(int(maxDoc), budget, []int{127, 128, 129, 256, 4095, 4096, 4097, 8192, 12289}[rnd.IntN(9)])
		case 2:
			df = min(int(maxDoc), 1+rnd.IntN(20))
		}
		df = max(df, 1)
		budget -= df
		f.terms[i].docs = f.randomDocs(rnd, maxDoc, df)
		for _, d := range f.terms[i].docs {
			budget -= int(d.freq) / 4
		}
	}
	return f
}

func sortTerms(f *memField) {
	slices.SortFunc(f.terms, func(a, b memTerm) int { return bytes.Compare(a.term, b.term) })
}

func randomTerm(rnd *rand.Rand, style int) string {
	switch style {
	case 0:
		return fmt.Sprint(rnd.IntN(100000))
	case 1:
		return fmt.Sprintf("a-prefix-in-common/%x/and-a-tail", rnd.IntN(5000))
	case 2:
		b := make([]byte, rnd.IntN(8))
		for i := range b {
			b[i] = byte(rnd.IntN(256))
		}
		return string(b)
	case 3:
		b := make([]byte, rnd.IntN(12))
		for i := range b {
			b[i] = 'a' + byte(rnd.IntN(2))
		}
		return string(b)
	}
	return fmt.Sprintf("PRE%X%s", rnd.IntN(3000), []string{"", "é", "~~~"}[rnd.IntN(3)])
}

func (f *memField) randomDocs(rnd *rand.Rand, maxDoc int32, df int) []memDoc {
	var ids []int32
	if df > int(maxDoc)/2 { // dense: all but some
		drop := map[int32]bool{}
		for len(drop) < int(maxDoc)-df {
			drop[rnd.Int32N(maxDoc)] = true
		}
		for i := range maxDoc {
			if !drop[i] {
				ids = append(ids, i)
			}
		}
	} else {
		seen := map[int32]bool{}
		span := max(int32(df)*2, maxDoc>>rnd.IntN(8)) // clustered or not
		span = min(span, maxDoc)
		base := int32(0)
		if span < maxDoc {
			base = rnd.Int32N(maxDoc - span)
		}
		for len(seen) < df {
			seen[base+rnd.Int32N(span)] = true
		}
		for i := range seen {
			ids = append(ids, i)
		}
		slices.Sort(ids)
	}
	docs := make([]memDoc, len(ids))
	many := rnd.IntN(4)
	for i, id := range ids {
		d := memDoc{doc: id, freq: 1}
		if f.has(lucene.IndexDocsAndFreqs) {
			switch {
			case many == 0 && rnd.IntN(100) == 0:
				d.freq = 1 + rnd.Int32N(1000)
			case many < 3:
				d.freq = 1 + rnd.Int32N(4)
			}
		}
		if f.has(lucene.IndexDocsFreqsPositions) {
			d.pos = make([]memPos, d.freq)
			p, start := int32(0), int32(0)
			for j := range d.pos {
				p += rnd.Int32N(1 << rnd.IntN(10))
				m := memPos{pos: p, start: -1, end: -1}
				if f.has(lucene.IndexDocsFreqsPositionsOffsets) {
					start += rnd.Int32N(1 << rnd.IntN(9))
					m.start, m.end = start, start+rnd.Int32N(20)
				}
				if f.info.HasPayloads && rnd.IntN(3) > 0 {
					m.payload = make([]byte, 1+rnd.IntN(10))
					for k := range m.payload {
						m.payload[k] = byte(rnd.IntN(256))
					}
				}
				d.pos[j] = m
			}
		}
		docs[i] = d
	}
	return docs
}
