package check

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/index"
)

// segment is the check of one segment.
type segment struct {
	c       *checker
	ctx     context.Context
	info    *lucene.SegmentCommitInfo
	r       *index.SegmentReader
	hard    lucene.Bits // documents that are not hard-deleted; nil: all
	report  SegmentReport
	damaged bool
	ticks   int
}

// problemf is a contradiction in an index whose bytes may be whole.
func problemf(format string, args ...any) error { return fmt.Errorf(format, args...) }

func (s *segment) found(part Part, field string, err error) {
	s.report.FindingsCount++
	s.c.add(found(part, s.report.Name, field, err))
}

// tick is called in loops: it ends them with the context.
func (s *segment) tick() error {
	if s.ticks++; s.ticks&1023 != 0 {
		return nil
	}
	return s.ctx.Err()
}

// run runs a part and notes its error, unless the context ended it.
func (s *segment) run(part Part, fn func() error) {
	s.runField(part, "", fn)
	s.c.progress(s.report.Name, part)
}

func (s *segment) runField(part Part, field string, fn func() error) {
	if s.ctx.Err() != nil {
		return
	}
	err := safely(fn)
	switch {
	case err == nil, s.ctx.Err() != nil && errors.Is(err, s.ctx.Err()):
	case codec.IsUnsupported(err):
		s.report.Unsupported = append(s.report.Unsupported, err)
	default:
		s.found(part, field, err)
	}
}

func (s *segment) check() {
	if s.info.Info.MaxDoc <= 0 {
		s.found(PartCommit, "", problemf("a segment of %d documents", s.info.Info.MaxDoc))
		return
	}
	if !s.c.o.NoChecksums {
		s.run(PartFiles, s.files)
	}
	if s.c.o.ChecksumsOnly {
		return
	}
	s.run(PartOpen, func() (err error) {
		s.r, err = index.OpenSegment(s.c.dir, s.info, s.c.o.Access)
		return err
	})
	if s.r == nil {
		return
	}
	defer s.r.Close()
	s.hard = s.r.HardLiveDocs()
	s.report.Fields = s.r.FieldInfos().Len()
	for _, f := range s.r.FieldInfos().All() {
		if f.VectorDims > 0 {
			s.report.Unsupported = append(s.report.Unsupported, s.r.Unsupported(f.Name))
		}
	}
	if c, err := catalog.Lookup(s.info.Info.Codec); err == nil && c.Name != c.Base && c.StoredFields == nil {
		s.report.Unsupported = append(s.report.Unsupported, &codec.UnsupportedError{
			Format: c.Name, Where: "segment " + s.report.Name, Reason: "what the plugin adds to " + c.Base + ", such as star trees, is left aside",
		})
	}
	s.run(PartLiveDocs, s.liveDocs)
	s.run(PartFieldInfos, s.fieldInfos)
	s.run(PartNorms, s.norms)
	s.run(PartPostings, s.postings)
	s.run(PartStored, s.stored)
	s.run(PartVectors, s.vectors)
	s.run(PartDocValues, s.docValues)
	s.run(PartPoints, s.points)
	if len(s.info.Info.IndexSort) > 0 {
		s.run(PartSort, s.sorted)
	}
	if s.r.FieldInfos().SoftDeletesField() != "" || s.info.SoftDelCount != 0 {
		s.run(PartSoftDeletes, s.softDeletes)
	}
}

func count(b lucene.Bits, maxDoc int32) int32 {
	if b == nil {
		return maxDoc
	}
	var n int32
	for i := range maxDoc {
		if b.Get(i) {
			n++
		}
	}
	return n
}

func (s *segment) liveDocs() error {
	maxDoc := s.info.Info.MaxDoc
	if s.r.MaxDoc() != maxDoc || s.hard != nil && s.hard.Len() != maxDoc {
		return problemf("the reader has %d documents, the segment %d", s.r.MaxDoc(), maxDoc)
	}
	if n := maxDoc - count(s.hard, maxDoc); n != s.info.DelCount {
		return problemf("%d documents are deleted, the commit says %d", n, s.info.DelCount)
	}
	if n := count(s.r.LiveDocs(), maxDoc); n != s.r.NumDocs() {
		return problemf("%d documents are live, the reader says %d", n, s.r.NumDocs())
	}
	return nil
}

func (s *segment) fieldInfos() error {
	for _, f := range s.r.FieldInfos().All() {
		s.runField(PartFieldInfos, f.Name, func() error { return fieldinfo.Validate(f) })
	}
	return nil
}

func (s *segment) softDeletes() error {
	if s.r.FieldInfos().SoftDeletesField() == "" {
		return problemf("the commit says %d documents are soft-deleted, but no field marks them", s.info.SoftDelCount)
	}
	if n := count(s.hard, s.r.MaxDoc()) - s.r.NumDocs(); n != s.info.SoftDelCount {
		return problemf("%d documents are soft-deleted, the commit says %d", n, s.info.SoftDelCount)
	}
	return nil
}

// stored reads every stored value, those of deleted documents too.
func (s *segment) stored() error {
	sf := s.r.StoredFields()
	v := storedCounter{}
	for doc := range s.r.MaxDoc() {
		if err := s.tick(); err != nil {
			return err
		}
		if err := sf.Document(doc, &v); err != nil {
			return err
		}
	}
	s.report.StoredValues = v.n
	return nil
}

type storedCounter struct{ n int64 }

func (v *storedCounter) Needs(*lucene.FieldInfo) (lucene.VisitStatus, error) {
	return lucene.VisitYes, nil
}

func (v *storedCounter) Field(*lucene.FieldInfo, lucene.StoredValue) error { v.n++; return nil }
