package index

import (
	"bytes"
	"errors"
	"slices"
	"sort"

	"github.com/varve-search/varve/lucene"
)

// bufferFields shows the inverted fields of a finished buffer to the postings writer. newDoc is the
// permutation of an index sort (old document → new), or nil.
type bufferFields struct {
	names  []string
	fields map[string]*bufferTerms
}

func (f *bufferFields) FieldNames() []string { return f.names }

func (f *bufferFields) Terms(field string) (lucene.Terms, error) {
	if t := f.fields[field]; t != nil {
		return t, nil
	}
	return nil, nil
}

func (f *bufferFields) put(info *lucene.FieldInfo, v *inverted, newDoc []int32) {
	if f.fields == nil {
		f.fields = map[string]*bufferTerms{}
	}
	f.names = append(f.names, info.Name)
	f.fields[info.Name] = &bufferTerms{info: info, v: v, order: v.hash.sorted(), newDoc: newDoc}
}

type bufferTerms struct {
	info   *lucene.FieldInfo
	v      *inverted
	order  []uint32 // ids by term
	newDoc []int32
}

func (t *bufferTerms) Iterator() (lucene.TermsEnum, error) {
	return &bufferTermsEnum{t: t, at: -1}, nil
}

func (t *bufferTerms) Intersect(lucene.Automaton, []byte) (lucene.TermsEnum, error) {
	return nil, errors.New("terms that are being written cannot be intersected")
}

func (t *bufferTerms) Size() int64                       { return int64(len(t.order)) }
func (t *bufferTerms) SumTotalTermFreq() int64           { return t.v.sumTTF }
func (t *bufferTerms) SumDocFreq() int64                 { return t.v.sumDF }
func (t *bufferTerms) DocCount() int32                   { return t.v.docCount }
func (t *bufferTerms) IndexOptions() lucene.IndexOptions { return t.info.IndexOptions }
func (t *bufferTerms) HasPayloads() bool                 { return t.v.payloads }

func (t *bufferTerms) Min() ([]byte, error) {
	if len(t.order) == 0 {
		return nil, nil
	}
	return t.v.hash.text(t.order[0]), nil
}

func (t *bufferTerms) Max() ([]byte, error) {
	if len(t.order) == 0 {
		return nil, nil
	}
	return t.v.hash.text(t.order[len(t.order)-1]), nil
}

type bufferTermsEnum struct {
	t  *bufferTerms
	at int
}

func (e *bufferTermsEnum) Next() ([]byte, error) {
	e.at++
	return e.Term(), nil
}

func (e *bufferTermsEnum) Term() []byte {
	if e.at < 0 || e.at >= len(e.t.order) {
		return nil
	}
	return e.t.v.hash.text(e.t.order[e.at])
}

func (e *bufferTermsEnum) SeekCeil(term []byte) (lucene.SeekStatus, error) {
	e.at = sort.Search(len(e.t.order), func(i int) bool {
		return bytes.Compare(e.t.v.hash.text(e.t.order[i]), term) >= 0
	})
	switch found := e.Term(); {
	case found == nil:
		return lucene.SeekEnd, nil
	case bytes.Equal(found, term):
		return lucene.SeekFound, nil
	}
	return lucene.SeekNotFound, nil
}

func (e *bufferTermsEnum) SeekExact(term []byte) (bool, error) {
	status, err := e.SeekCeil(term)
	return status == lucene.SeekFound, err
}

func (e *bufferTermsEnum) SeekState(term []byte, _ lucene.TermState) error {
	_, err := e.SeekExact(term)
	return err
}

// count reads the term's documents to count them and its occurrences.
func (e *bufferTermsEnum) count() (docs int32, occurrences int64) {
	var r docReader
	r.reset(e.t.v, e.t.order[e.at])
	for r.next() {
		docs++
		occurrences += int64(r.freq)
	}
	return docs, occurrences
}

func (e *bufferTermsEnum) DocFreq() (int32, error) {
	n, _ := e.count()
	return n, nil
}

func (e *bufferTermsEnum) TotalTermFreq() (int64, error) {
	_, n := e.count()
	return n, nil
}

func (e *bufferTermsEnum) State() (lucene.TermState, error) {
	return nil, errors.New("terms that are being written have no state")
}

func (e *bufferTermsEnum) Impacts(int) (lucene.ImpactsEnum, error) {
	return nil, errors.New("terms that are being written have no impacts")
}

func (e *bufferTermsEnum) Postings(reuse lucene.PostingsEnum, _ int) (lucene.PostingsEnum, error) {
	if e.t.newDoc != nil {
		p, ok := reuse.(*sortedPostings)
		if !ok {
			p = &sortedPostings{}
		}
		p.reset(e.t, e.t.order[e.at])
		return p, nil
	}
	p, ok := reuse.(*bufferPostings)
	if !ok {
		p = &bufferPostings{}
	}
	p.reset(e.t, e.t.order[e.at])
	return p, nil
}

// bufferPostings reads the postings of a term as they were added.
type bufferPostings struct {
	docs docReader
	pos  posReader
	doc  int32
	left int32 // positions of this document not yet read
}

func (p *bufferPostings) reset(t *bufferTerms, id uint32) {
	p.docs.reset(t.v, id)
	if t.v.hasPos {
		p.pos.reset(t.v, id)
	}
	p.doc, p.left = -1, 0
}

func (p *bufferPostings) DocID() int32 { return p.doc }

func (p *bufferPostings) Next() (int32, error) {
	for p.docs.v.hasPos && p.left > 0 {
		p.pos.next()
		p.left--
	}
	if !p.docs.next() {
		p.doc = lucene.NoMoreDocs
		return p.doc, nil
	}
	p.doc = p.docs.doc
	if p.docs.v.hasPos {
		p.pos.startDoc()
		p.left = p.docs.freq
	}
	return p.doc, nil
}

func (p *bufferPostings) Advance(target int32) (int32, error) {
	for p.doc < target {
		_, _ = p.Next() // never fails
	}
	return p.doc, nil
}

func (p *bufferPostings) Cost() int64          { return 0 }
func (p *bufferPostings) Freq() (int32, error) { return p.docs.freq, nil }

func (p *bufferPostings) NextPosition() (int32, error) {
	if !p.docs.v.hasPos {
		return -1, nil
	}
	p.left--
	p.pos.next()
	return p.pos.cur.pos, nil
}

func (p *bufferPostings) StartOffset() int32 { return p.pos.cur.start }
func (p *bufferPostings) EndOffset() int32   { return p.pos.cur.end }
func (p *bufferPostings) Payload() []byte    { return p.pos.cur.payload }

// sortedPostings reads the postings of a term in the order of an index sort.
type sortedPostings struct {
	in      bufferPostings
	hasPos  bool
	docs    []sortedDoc
	all     []position
	payload []byte // of all positions
	at      int
	pos     int32
}

type sortedDoc struct{ doc, freq, first int32 }

func (p *sortedPostings) reset(t *bufferTerms, id uint32) {
	p.in.reset(t, id)
	p.hasPos = t.v.hasPos
	p.docs, p.all, p.payload, p.at = p.docs[:0], p.all[:0], p.payload[:0], -1
	for {
		doc, _ := p.in.Next()
		if doc == lucene.NoMoreDocs {
			break
		}
		freq := p.in.docs.freq
		p.docs = append(p.docs, sortedDoc{t.newDoc[doc], freq, int32(len(p.all))})
		if !p.hasPos {
			continue
		}
		for range freq {
			_, _ = p.in.NextPosition()
			cur := p.in.pos.cur
			if cur.payload != nil {
				n := len(p.payload)
				p.payload = append(p.payload, cur.payload...)
				cur.payload = p.payload[n:len(p.payload):len(p.payload)]
			}
			p.all = append(p.all, cur)
		}
	}
	slices.SortFunc(p.docs, func(a, b sortedDoc) int { return int(a.doc - b.doc) })
}

func (p *sortedPostings) DocID() int32 {
	switch {
	case p.at < 0:
		return -1
	case p.at >= len(p.docs):
		return lucene.NoMoreDocs
	}
	return p.docs[p.at].doc
}

func (p *sortedPostings) Next() (int32, error) {
	p.at++
	p.pos = -1
	return p.DocID(), nil
}

func (p *sortedPostings) Advance(target int32) (int32, error) {
	for p.DocID() < target {
		_, _ = p.Next() // never fails
	}
	return p.DocID(), nil
}

func (p *sortedPostings) Cost() int64          { return int64(len(p.docs)) }
func (p *sortedPostings) Freq() (int32, error) { return p.docs[p.at].freq, nil }

func (p *sortedPostings) NextPosition() (int32, error) {
	if !p.hasPos {
		return -1, nil
	}
	p.pos++
	return p.current().pos, nil
}

func (p *sortedPostings) current() *position { return &p.all[p.docs[p.at].first+p.pos] }

func (p *sortedPostings) StartOffset() int32 {
	if !p.hasPos {
		return -1
	}
	return p.current().start
}

func (p *sortedPostings) EndOffset() int32 {
	if !p.hasPos {
		return -1
	}
	return p.current().end
}

func (p *sortedPostings) Payload() []byte {
	if !p.hasPos {
		return nil
	}
	return p.current().payload
}
