package legacy

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// softDeletesField is how Elasticsearch and OpenSearch name it; segments mark it from Lucene 7.4 on.
const softDeletesField = "__soft_deletes"

// Segment is an open segment of an old codec: its documents and which of them are alive. It is for one goroutine.
type Segment struct {
	Info   *lucene.SegmentInfo
	Fields *lucene.FieldInfos

	live   *lucene.FixedBits
	stored *documents
	cfs    *compoundDir
}

// OpenSegment opens a segment of a commit that ReadCommit read. verify reads the file of its documents against its
// checksum first; all else is verified anyway.
func OpenSegment(dir store.Directory, sci *lucene.SegmentCommitInfo, verify bool) (_ *Segment, err error) {
	s := &Segment{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open segment %s (%s): %w", sci.Info.Name, clip(sci.Info.Codec), err), s.Close())
		}
	}()
	if s.Info, err = readSegmentInfo(dir, sci.Info); err != nil {
		return nil, err
	}
	commit := *sci
	commit.Info = s.Info
	inner := dir
	if s.Info.IsCompoundFile {
		if s.cfs, err = openCompound(dir, s.Info); err != nil {
			return nil, err
		}
		inner = s.cfs
	}
	base, err := readFieldInfos(inner, s.Info, "")
	if err != nil {
		return nil, err
	}
	s.Fields = base
	if commit.FieldInfosGen != -1 {
		if s.Fields, err = readFieldInfos(dir, s.Info, strconv.FormatInt(commit.FieldInfosGen, 36)); err != nil {
			return nil, err
		}
	}
	if s.stored, err = openDocuments(inner, s.Info, s.Fields); err != nil {
		return nil, err
	}
	if s.live, err = readLiveDocs(dir, &commit); err != nil {
		return nil, err
	}
	if err = s.dropSoftDeleted(dir, inner); err != nil {
		return nil, err
	}
	if verify {
		if err = s.stored.checkIntegrity(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// dropSoftDeleted takes the documents that have a value in the column of soft deletes from the live ones. Its newest generation
// stands for the whole column.
func (s *Segment) dropSoftDeleted(dir, inner store.Directory) error {
	name := s.Fields.SoftDeletesField()
	if name == "" {
		name = softDeletesField
	}
	f := s.Fields.ByName(name)
	if f == nil || f.DocValuesType == lucene.DocValuesNone {
		return nil
	}
	suffix := f.Attributes[lucene.AttrDocValuesFormat] + "_" + f.Attributes[lucene.AttrDocValuesSuffix]
	if f.DocValuesGen != -1 {
		suffix, inner = strconv.FormatInt(f.DocValuesGen, 36)+"_"+suffix, dir
	}
	deleted, err := withValue(inner, s.Info, s.Fields, f, suffix)
	if err != nil {
		return err
	}
	for i := range s.live.Words {
		s.live.Words[i] &^= deleted.Words[i]
	}
	return nil
}

// MaxDoc returns the number of documents, deleted ones included.
func (s *Segment) MaxDoc() int32 { return s.Info.MaxDoc }

// Live tells whether a document is neither hard- nor soft-deleted.
func (s *Segment) Live(doc int32) bool { return s.live.Get(doc) }

// StoredFields returns the reader of documents; they must be asked for in ascending order.
func (s *Segment) StoredFields() lucene.StoredFields { return s.stored }

// Close releases the files.
func (s *Segment) Close() error {
	var errs []error
	if s.stored != nil {
		errs = append(errs, s.stored.Close())
	}
	if s.cfs != nil {
		errs = append(errs, s.cfs.Close())
	}
	return errors.Join(errs...)
}

// Check reads all documents, deleted ones included, and finds what cannot be read. It counts as a use of StoredFields.
func (s *Segment) Check(ctx context.Context) error {
	for doc := range s.Info.MaxDoc {
		if doc%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := s.stored.Document(doc, skipAll{}); err != nil {
			return err
		}
	}
	return nil
}

// skipAll wants no value, so that all are read past.
type skipAll struct{}

func (skipAll) Needs(*lucene.FieldInfo) (lucene.VisitStatus, error) { return lucene.VisitNo, nil }

func (skipAll) Field(*lucene.FieldInfo, lucene.StoredValue) error { return nil }
