package check

import (
	"bytes"
	"fmt"

	"github.com/varve-search/varve/lucene"
)

// vectors checks the term vectors of all documents, deleted ones too, and compares them to the postings.
func (s *segment) vectors() error {
	if s.r.TermVectorsReader() == nil {
		return nil
	}
	tv := s.r.TermVectors()
	c := vectorCheck{s: s, terms: map[string]lucene.TermsEnum{}}
	for doc := range s.r.MaxDoc() {
		if err := s.tick(); err != nil {
			return err
		}
		fields, err := tv.Get(doc)
		if err != nil {
			return err
		}
		if fields == nil {
			continue
		}
		for _, name := range fields.FieldNames() {
			if err := c.field(fields, name, doc); err != nil {
				return fmt.Errorf("document %d, field %q: %w", doc, name, err)
			}
			s.report.TermVectors++
		}
	}
	return nil
}

type vectorCheck struct {
	s       *segment
	terms   map[string]lucene.TermsEnum // over the postings, by field; nil: they cannot be read
	vectors lucene.PostingsEnum
	reuse   map[string]lucene.PostingsEnum
}

func (c *vectorCheck) field(fields lucene.Fields, name string, doc int32) error {
	f := c.s.r.FieldInfos().ByName(name)
	if f == nil || !f.HasVectors {
		return problemf("there are term vectors, its description says there are none")
	}
	terms, err := fields.Terms(name)
	if err != nil || terms == nil {
		return err
	}
	fc := fieldCheck{s: c.s, f: f, terms: terms, maxDoc: 1, vectors: true}
	if err := fc.check(); err != nil {
		return err
	}
	if c.s.r.Unsupported(name) != nil {
		return nil
	}
	inverted, ok := c.terms[name]
	if !ok {
		t, err := c.s.r.Terms(name)
		if err != nil {
			return err
		}
		if t == nil {
			return problemf("it has no postings")
		}
		if inverted, err = t.Iterator(); err != nil {
			return err
		}
		c.terms[name] = inverted
	}
	it, err := terms.Iterator()
	if err != nil {
		return err
	}
	for {
		term, err := it.Next()
		if err != nil || term == nil {
			return err
		}
		if err := c.term(f, terms, it, inverted, doc); err != nil {
			return fmt.Errorf("term %x: %w", term, err)
		}
	}
}

// term compares the occurrences of a term in a document to its postings.
func (c *vectorCheck) term(f *lucene.FieldInfo, terms lucene.Terms, it, inverted lucene.TermsEnum, doc int32) error {
	if err := c.s.tick(); err != nil {
		return err
	}
	found, err := inverted.SeekExact(it.Term())
	if err != nil {
		return err
	}
	if !found {
		return problemf("it has no postings")
	}
	if c.reuse == nil {
		c.reuse = map[string]lucene.PostingsEnum{}
	}
	p, err := inverted.Postings(c.reuse[f.Name], lucene.PostingsAll)
	if err != nil {
		return err
	}
	c.reuse[f.Name] = p
	if got, err := p.Advance(doc); err != nil {
		return err
	} else if got != doc {
		return problemf("the document is not in its postings")
	}
	if c.vectors, err = it.Postings(c.vectors, lucene.PostingsAll); err != nil {
		return err
	}
	v := c.vectors
	if d, err := v.Next(); err != nil {
		return err
	} else if d != 0 {
		return problemf("its vector is of document %d instead of 0", d)
	}
	if f.IndexOptions < lucene.IndexDocsAndFreqs {
		return nil
	}
	freq, err := v.Freq()
	if err != nil {
		return err
	}
	if want, err := p.Freq(); err != nil {
		return err
	} else if freq != want {
		return problemf("it occurs %d times, in the postings %d times", freq, want)
	}
	if f.IndexOptions < lucene.IndexDocsFreqsPositions || terms.IndexOptions() < lucene.IndexDocsFreqsPositions {
		return nil
	}
	for range freq {
		pos, err := v.NextPosition()
		if err != nil {
			return err
		}
		want, err := p.NextPosition()
		if err != nil {
			return err
		}
		if pos != -1 && pos != want {
			return problemf("it is at position %d, in the postings at %d", pos, want)
		}
		if f.IndexOptions == lucene.IndexDocsFreqsPositionsOffsets && v.StartOffset() != -1 && v.EndOffset() != -1 &&
			(v.StartOffset() != p.StartOffset() || v.EndOffset() != p.EndOffset()) {
			return problemf("it is at offsets %d to %d, in the postings at %d to %d", v.StartOffset(), v.EndOffset(), p.StartOffset(), p.EndOffset())
		}
		if f.HasPayloads && terms.HasPayloads() && !bytes.Equal(v.Payload(), p.Payload()) {
			return problemf("it has the payload %x, in the postings %x", v.Payload(), p.Payload())
		}
	}
	return nil
}
