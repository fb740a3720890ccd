package check

import (
	"bytes"
	"fmt"

	"github.com/varve-search/varve/lucene"
)

// maxPosition is the highest position that Lucene allows.
const maxPosition = 1<<31 - 1 - 128

// sampleTerms is how many terms of a field are sought again, spread over all of them.
const sampleTerms = 512

// postings checks all inverted fields.
func (s *segment) postings() error {
	fields := s.r.Fields()
	if fields == nil {
		return nil
	}
	last := ""
	for i, name := range fields.FieldNames() {
		if i > 0 && name <= last {
			return problemf("field %q comes after %q", name, last)
		}
		last = name
		s.runField(PartPostings, name, func() error {
			f := s.r.FieldInfos().ByName(name)
			if f == nil || f.IndexOptions == lucene.IndexNone {
				return problemf("it has postings, but is not indexed")
			}
			terms, err := fields.Terms(name)
			if err != nil || terms == nil {
				return err
			}
			c := fieldCheck{s: s, f: f, terms: terms, maxDoc: s.r.MaxDoc()}
			if err := c.check(); err != nil {
				return err
			}
			s.report.Terms += c.termCount
			s.report.Postings += c.sumDocFreq
			s.report.Tokens += c.sumTotal
			return nil
		})
	}
	return nil
}

// fieldCheck checks an inverted field: of a segment, or of a document's term vectors.
type fieldCheck struct {
	s       *segment
	f       *lucene.FieldInfo
	terms   lucene.Terms
	maxDoc  int32
	vectors bool

	freqs, positions, offsets bool

	termCount, sumDocFreq, sumTotal int64
	visited                         *lucene.FixedBits // documents with a term
	last                            []byte
	samples                         [][]byte
	every                           int64
	it                              lucene.TermsEnum
	reuse                           lucene.PostingsEnum
}

func (c *fieldCheck) check() error {
	if err := c.declared(); err != nil {
		return err
	}
	c.visited = lucene.NewFixedBits(c.maxDoc)
	c.every = 1
	var err error
	if c.it, err = c.terms.Iterator(); err != nil {
		return err
	}
	var lowest, highest []byte
	if !c.vectors {
		if lowest, err = c.terms.Min(); err != nil {
			return err
		}
		if highest, err = c.terms.Max(); err != nil {
			return err
		}
		lowest, highest = bytes.Clone(lowest), bytes.Clone(highest)
		if (lowest == nil) != (highest == nil) {
			return problemf("it has a smallest term, %q, and a largest, %q", lowest, highest)
		}
	}
	for {
		term, err := c.it.Next()
		if err != nil {
			return err
		}
		if term == nil {
			break
		}
		if err := c.s.tick(); err != nil {
			return err
		}
		if c.termCount > 0 && bytes.Compare(c.last, term) >= 0 {
			return problemf("term %x comes after %x", term, c.last)
		}
		if !c.vectors && (lowest == nil || bytes.Compare(term, lowest) < 0 || bytes.Compare(term, highest) > 0) {
			return problemf("term %x is not between the smallest, %x, and the largest, %x", term, lowest, highest)
		}
		c.last = append(c.last[:0], term...)
		if err := c.term(); err != nil {
			return fmt.Errorf("term %x: %w", c.last, err)
		}
		c.sample(c.last)
		c.termCount++
	}
	if lowest != nil && c.termCount == 0 {
		return problemf("its smallest term is %x, but it has none", lowest)
	}
	if err := c.statistics(); err != nil {
		return err
	}
	if !c.vectors && c.f.HasNorms() {
		if err := c.norms(); err != nil {
			return err
		}
	}
	if c.vectors {
		return nil
	}
	if err := c.seeks(); err != nil {
		return err
	}
	return c.intersections()
}

// declared checks what the field says it has against its FieldInfo.
func (c *fieldCheck) declared() error {
	o := c.terms.IndexOptions()
	c.freqs = o >= lucene.IndexDocsAndFreqs
	c.positions = o >= lucene.IndexDocsFreqsPositions
	c.offsets = o >= lucene.IndexDocsFreqsPositionsOffsets
	if n := c.terms.DocCount(); n > c.maxDoc {
		return problemf("%d of %d documents have it", n, c.maxDoc)
	}
	if c.vectors {
		return nil
	}
	if o != c.f.IndexOptions {
		return problemf("its postings are of %s, it is indexed with %s", o, c.f.IndexOptions)
	}
	if c.terms.HasPayloads() != c.f.HasPayloads {
		return problemf("its postings have payloads: %v, its description says %v", c.terms.HasPayloads(), c.f.HasPayloads)
	}
	return nil
}

// sample keeps up to sampleTerms terms, evenly spread.
func (c *fieldCheck) sample(term []byte) {
	if c.vectors || c.termCount%c.every != 0 {
		return
	}
	if len(c.samples) == sampleTerms {
		half := c.samples[:0]
		for i := 0; i < sampleTerms; i += 2 {
			half = append(half, c.samples[i])
		}
		c.samples = half
		c.every *= 2
		if c.termCount%c.every != 0 {
			return
		}
	}
	c.samples = append(c.samples, bytes.Clone(term))
}

// term checks the postings of the current term.
func (c *fieldCheck) term() error {
	docFreq, err := c.it.DocFreq()
	if err != nil {
		return err
	}
	total, err := c.it.TotalTermFreq()
	if err != nil {
		return err
	}
	if docFreq <= 0 || docFreq > c.maxDoc || total < int64(docFreq) || !c.freqs && total != int64(docFreq) {
		return problemf("it is in %d of %d documents, and occurs %d times", docFreq, c.maxDoc, total)
	}
	if c.reuse, err = c.it.Postings(c.reuse, lucene.PostingsAll); err != nil {
		return err
	}
	p := c.reuse
	if d := p.DocID(); d != -1 {
		return problemf("its postings begin at document %d", d)
	}
	docs, occurrences := int32(0), int64(0)
	for last := int32(-1); ; docs++ {
		doc, err := p.Next()
		if err != nil {
			return err
		}
		if doc == lucene.NoMoreDocs {
			break
		}
		if err := c.s.tick(); err != nil {
			return err
		}
		if doc <= last || doc >= c.maxDoc {
			return problemf("document %d of %d follows %d", doc, c.maxDoc, last)
		}
		last = doc
		freq, err := p.Freq()
		if err != nil {
			return err
		}
		if freq <= 0 || !c.freqs && freq != 1 {
			return problemf("it occurs %d times in document %d", freq, doc)
		}
		occurrences += int64(freq)
		c.visited.Set(doc)
		if c.positions || c.vectors {
			if err := c.occurrences(p, doc, freq); err != nil {
				return err
			}
		}
	}
	if docs != docFreq {
		return problemf("it is in %d documents, its statistics say %d", docs, docFreq)
	}
	if occurrences != total {
		return problemf("it occurs %d times, its statistics say %d", occurrences, total)
	}
	c.sumDocFreq += int64(docs)
	c.sumTotal += occurrences
	if c.vectors {
		return nil
	}
	if err := c.skips(); err != nil {
		return fmt.Errorf("skipping: %w", err)
	}
	if err := c.impacts(); err != nil {
		return fmt.Errorf("impacts: %w", err)
	}
	return nil
}

// occurrences checks the positions and offsets of the current document.
func (c *fieldCheck) occurrences(p lucene.PostingsEnum, doc, freq int32) error {
	lastPos, lastStart := int32(-1), int32(0)
	for i := range freq {
		if i&1023 == 1023 {
			if err := c.s.tick(); err != nil {
				return err
			}
		}
		pos, err := p.NextPosition()
		if err != nil {
			return err
		}
		if c.vectors && pos == -1 {
			continue // vectors may have offsets alone
		}
		if pos < 0 || pos > maxPosition || pos < lastPos {
			return problemf("position %d follows %d in document %d", pos, lastPos, doc)
		}
		lastPos = pos
		if b := p.Payload(); b != nil && len(b) == 0 {
			return problemf("an empty payload at position %d of document %d", pos, doc)
		}
		if !c.offsets || c.vectors {
			continue // analyzers may make vectors with offsets that go back
		}
		start, end := p.StartOffset(), p.EndOffset()
		if start < lastStart || end < start {
			return problemf("offsets %d to %d follow %d in document %d", start, end, lastStart, doc)
		}
		lastStart = start
	}
	return nil
}

// skips checks that Advance finds the documents that Next finds.
func (c *fieldCheck) skips() error {
	flags := lucene.PostingsNone
	if c.positions {
		flags = lucene.PostingsAll
	}
	var err error
	for i := range int64(7) {
		target := int32((i + 1) * int64(c.maxDoc) / 8)
		if c.reuse, err = c.it.Postings(c.reuse, flags); err != nil {
			return err
		}
		p := c.reuse
		doc, err := p.Advance(target)
		if err != nil {
			return err
		}
		if doc == lucene.NoMoreDocs {
			return nil
		}
		if doc < target || doc >= c.maxDoc || !c.visited.Get(doc) {
			return problemf("the first document from %d on is said to be %d", target, doc)
		}
		if c.positions {
			freq, err := p.Freq()
			if err != nil {
				return err
			}
			if freq <= 0 {
				return problemf("it occurs %d times in document %d after a skip", freq, doc)
			}
			if err := c.occurrences(p, doc, freq); err != nil {
				return err
			}
		}
		next, err := p.Next()
		if err != nil {
			return err
		}
		if next == lucene.NoMoreDocs {
			return nil
		}
		if next <= doc || next >= c.maxDoc {
			return problemf("document %d follows %d after a skip", next, doc)
		}
	}
	return nil
}

// statistics compares what was counted to what the field says.
func (c *fieldCheck) statistics() error {
	if n := c.terms.SumDocFreq(); n != c.sumDocFreq {
		return problemf("it has %d postings, its statistics say %d", c.sumDocFreq, n)
	}
	if n := c.terms.SumTotalTermFreq(); n != c.sumTotal {
		return problemf("it has %d tokens, its statistics say %d", c.sumTotal, n)
	}
	if n, docs := c.terms.DocCount(), count(c.visited, c.maxDoc); n != docs {
		return problemf("%d documents have it, its statistics say %d", docs, n)
	}
	if n := c.terms.Size(); n != -1 && n != c.termCount {
		return problemf("it has %d terms, its statistics say %d", c.termCount, n)
	}
	return nil
}

// norms checks that the documents with a norm other than 0 are those with a term. Deleted documents may differ: one
// whose indexing failed is deleted at once.
func (c *fieldCheck) norms() error {
	norms, err := c.s.r.Norms(c.f.Name)
	if err != nil {
		return err
	}
	if norms == nil {
		return problemf("it has no norms, its description says it has")
	}
	for doc := range c.maxDoc {
		if err := c.s.tick(); err != nil {
			return err
		}
		if c.s.hard != nil && !c.s.hard.Get(doc) {
			continue
		}
		has, err := norms.AdvanceExact(doc)
		if err != nil {
			return err
		}
		norm := int64(0)
		if has {
			if norm, err = norms.Value(); err != nil {
				return err
			}
		}
		if (norm != 0) != c.visited.Get(doc) {
			return problemf("document %d has the norm %d, and terms: %v", doc, norm, c.visited.Get(doc))
		}
	}
	return nil
}

// seeks looks terms up again.
func (c *fieldCheck) seeks() error {
	terms := c.samples
	if c.termCount > 0 {
		terms = append(terms, bytes.Clone(c.last))
	}
	for i := len(terms) - 1; i >= 0; i-- {
		term := terms[i]
		if err := c.s.tick(); err != nil {
			return err
		}
		status, err := c.it.SeekCeil(term)
		if err != nil {
			return err
		}
		if status != lucene.SeekFound || !bytes.Equal(c.it.Term(), term) {
			return problemf("term %x is not found, but %x", term, c.it.Term())
		}
		want, err := c.it.DocFreq()
		if err != nil {
			return err
		}
		if c.reuse, err = c.it.Postings(c.reuse, lucene.PostingsNone); err != nil {
			return err
		}
		if i != len(terms)-1 {
			continue
		}
		docs := int32(0)
		for {
			doc, err := c.reuse.Next()
			if err != nil {
				return err
			}
			if doc == lucene.NoMoreDocs {
				break
			}
			docs++
		}
		if docs != want {
			return problemf("term %x is in %d documents, its statistics say %d", term, docs, want)
		}
	}
	return nil
}

// norms checks each column of norms.
func (s *segment) norms() error {
	for _, f := range s.r.FieldInfos().All() {
		if !f.HasNorms() {
			continue
		}
		s.runField(PartNorms, f.Name, func() error {
			return s.numeric(func() (lucene.NumericDocValues, error) { return s.r.Norms(f.Name) })
		})
	}
	return nil
}
