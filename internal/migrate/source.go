package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/legacy"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// Document is a live document of a shard. Its bytes are valid during the visit only.
type Document struct {
	ID         string
	Routing    string
	HasRouting bool
	// Source is the _source as JSON, whatever form the client sent it in; nil if the index kept none.
	Source []byte
	// Segment is where it lies, Doc which document of the MaxDoc there it is.
	Segment     string
	Doc, MaxDoc int32
}

// commitOf reads the newest commit without the .si files.
func commitOf(dir store.Directory) (*segments.Infos, string, error) {
	files, err := dir.List()
	if err != nil {
		return nil, "", err
	}
	gen := segments.LastGeneration(files)
	if gen == -1 {
		return nil, "", segments.ErrNoCommit
	}
	name := segments.FileName(gen)
	infos, err := legacy.ReadCommit(dir, name)
	return infos, name, err
}

// NeedsIndexing tells whether a directory cannot be gone on with as it is: it has a segment of Lucene 8 or older, or began with one, which
// Lucene remembers for the life of an index and our writer refuses, as OpenSearch 3 does.
func NeedsIndexing(dir store.Directory) (bool, error) {
	infos, _, err := commitOf(dir)
	if err != nil {
		return false, fmt.Errorf("look for old segments: %w", err)
	}
	return began(infos), nil
}

// OldCommit is NeedsIndexing by the content of segments_N alone; name is that of the file.
func OldCommit(name string, content []byte) (bool, error) {
	infos, err := legacy.ParseCommit(store.NewBytesInput(name, content), name)
	if err != nil {
		return false, fmt.Errorf("look for old segments: %w", err)
	}
	return began(infos), nil
}

func began(infos *segments.Infos) bool { return infos.IndexCreatedMajor < 9 || old(infos) }

// HasOldSegments tells whether a directory has a segment of Lucene 8 or older, or is of such a version and has none at all, so that it
// cannot be opened.
func HasOldSegments(dir store.Directory) (bool, error) {
	infos, _, err := commitOf(dir)
	if err != nil {
		return false, fmt.Errorf("look for old segments: %w", err)
	}
	return old(infos), nil
}

func old(infos *segments.Infos) bool {
	for _, sci := range infos.Segments {
		if legacy.Reads(sci.Info.Codec) {
			return true
		}
	}
	return infos.LuceneVersion.Major < 9
}

// Documents calls fn for every live document of a directory, segment by segment, in the order in which each holds them. verify
// reads the documents of old segments against their checksums first.
func Documents(ctx context.Context, dir store.Directory, verify bool, fn func(*Document) error) error {
	infos, name, err := commitOf(dir)
	if err != nil {
		return err
	}
	for _, sci := range infos.Segments {
		if err := visitSegment(ctx, dir, sci, verify, fn); err != nil {
			if errors.Is(err, fs.ErrNotExist) && !store.IsCorrupt(err) {
				err = &store.CorruptError{File: name, Offset: -1, Problem: "a file of segment " + sci.Info.Name + " is missing", Err: err}
			}
			return err
		}
	}
	return nil
}

func visitSegment(ctx context.Context, dir store.Directory, sci *lucene.SegmentCommitInfo, verify bool, fn func(*Document) error) error {
	if legacy.Reads(sci.Info.Codec) {
		s, err := legacy.OpenSegment(dir, sci, verify)
		if err != nil {
			return err
		}
		defer s.Close()
		return visit(ctx, sci.Info.Name, s.MaxDoc(), s.Live, s.StoredFields(), fn)
	}
	info, err := segmentinfo.Read(dir, sci.Info.Name, sci.Info.ID, sci.Info.Codec)
	if err != nil {
		return err
	}
	whole := *sci
	whole.Info = info
	r, err := index.OpenSegment(dir, &whole, store.Sequential)
	if err != nil {
		return err
	}
	defer r.Close()
	live := r.LiveDocs()
	return visit(ctx, info.Name, r.MaxDoc(), func(doc int32) bool { return live == nil || live.Get(doc) }, r.StoredFields(), fn)
}

func visit(ctx context.Context, segment string, maxDoc int32, live func(int32) bool, stored lucene.StoredFields, fn func(*Document) error) error {
	var f fields
	for doc := range maxDoc {
		if doc%256 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if !live(doc) {
			continue
		}
		f.reset()
		if err := stored.Document(doc, &f); err != nil {
			return err
		}
		if !f.root() {
			continue
		}
		d, err := f.document()
		if err == nil {
			d.Segment, d.Doc, d.MaxDoc = segment, doc, maxDoc
			err = fn(d)
		}
		if err != nil {
			return fmt.Errorf("document %d of segment %s: %w", doc, segment, err)
		}
	}
	return nil
}

// fields takes from a document's stored fields what it takes to index it again.
type fields struct {
	id, uid, routing, source []byte
	has                      struct{ id, uid, routing, source bool }
	doc                      Document
}

func (f *fields) reset() {
	f.has.id, f.has.uid, f.has.routing, f.has.source = false, false, false, false
}

// Needs implements lucene.StoredFieldVisitor.
func (f *fields) Needs(i *lucene.FieldInfo) (lucene.VisitStatus, error) {
	switch i.Name {
	case "_id", "_uid", "_routing", "_source":
		return lucene.VisitYes, nil
	}
	return lucene.VisitNo, nil
}

// Field implements lucene.StoredFieldVisitor.
func (f *fields) Field(i *lucene.FieldInfo, v lucene.StoredValue) error {
	put := func(dst *[]byte, has *bool) { *dst, *has = append((*dst)[:0], v.Bytes...), true }
	switch i.Name {
	case "_id":
		put(&f.id, &f.has.id)
	case "_uid":
		put(&f.uid, &f.has.uid)
	case "_routing":
		put(&f.routing, &f.has.routing)
	case "_source":
		put(&f.source, &f.has.source)
	}
	return nil
}

// root tells a document from a nested one, which stores no id, and whose content is in its root's source.
func (f *fields) root() bool { return f.has.id || f.has.uid }

func (f *fields) document() (*Document, error) {
	f.doc = Document{HasRouting: f.has.routing, Routing: string(f.routing)}
	if !f.has.routing {
		f.doc.Routing = ""
	}
	if f.has.id {
		id, err := uid.Decode(f.id)
		if err != nil {
			return nil, err
		}
		f.doc.ID = id
	} else {
		_, id, ok := strings.Cut(string(f.uid), "#") // a type has no # in its name
		if !ok {
			return nil, fmt.Errorf("its _uid %.80q is no type and id", f.uid)
		}
		f.doc.ID = id
	}
	if f.has.source {
		var err error
		if f.doc.Source, err = xcontent.Source(f.source); err != nil {
			return nil, fmt.Errorf("document [%s]: %w", f.doc.ID, err)
		}
	}
	return &f.doc, nil
}
