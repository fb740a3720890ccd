package shard

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"

	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
)

// view is a reader of the index at one moment, counted by those who use it.
type view struct {
	r     *index.DirectoryReader
	users atomic.Int64 // starts at 1, for the shard itself
}

func newView(r *index.DirectoryReader) *view {
	v := &view{r: r}
	v.users.Store(1)
	return v
}

// retain takes part in a view that still lives.
func (v *view) retain() bool {
	for {
		n := v.users.Load()
		if n == 0 {
			return false
		}
		if v.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (v *view) release() {
	if v.users.Add(-1) == 0 {
		_ = v.r.Close() // files are unmapped; nothing can be lost
	}
}

// acquire returns the newest view; release it.
func (s *Shard) acquire() (*view, error) {
	for {
		v := s.view.Load()
		if v == nil {
			return nil, s.closedError()
		}
		if v.retain() {
			return v, nil
		}
	}
}

// found is a document in a leaf.
type found struct {
	leaf *lucene.LeafContext
	doc  int32
}

// find returns the live root document with an _id term, or nil.
func (v *view) find(term []byte) (*found, error) {
	leaves := v.r.Leaves()
	for i := len(leaves) - 1; i >= 0; i-- { // newer segments stand last
		doc, err := findInLeaf(leaves[i].Reader, term)
		if err != nil {
			return nil, err
		}
		if doc >= 0 {
			return &found{&leaves[i], doc}, nil
		}
	}
	return nil, nil
}

func findInLeaf(leaf lucene.LeafReader, term []byte) (int32, error) {
	terms, err := leaf.Terms(fieldID)
	if err != nil || terms == nil {
		return -1, err
	}
	if lo, err := terms.Min(); err != nil || bytes.Compare(term, lo) < 0 {
		return -1, err
	}
	if hi, err := terms.Max(); err != nil || bytes.Compare(term, hi) > 0 {
		return -1, err
	}
	it, err := terms.Iterator()
	if err != nil {
		return -1, err
	}
	if ok, err := it.SeekExact(term); err != nil || !ok {
		return -1, err
	}
	docs, err := it.Postings(nil, lucene.PostingsNone)
	if err != nil {
		return -1, err
	}
	live := leaf.LiveDocs()
	last := int32(-1)
	for {
		doc, err := docs.Next()
		if err != nil {
			return -1, err
		}
		if doc == lucene.NoMoreDocs {
			return last, nil
		}
		if live == nil || live.Get(doc) {
			last = doc // nested documents carry the _id of their root, which comes after them
		}
	}
}

// numeric returns a doc value of the document.
func (f *found) numeric(field string) (int64, bool, error) {
	fi := f.leaf.Reader.FieldInfos().ByName(field)
	if fi == nil {
		return 0, false, nil
	}
	dv, err := f.leaf.Reader.DocValues().Numeric(fi)
	if err != nil || dv == nil {
		return 0, false, err
	}
	ok, err := dv.AdvanceExact(f.doc)
	if err != nil || !ok {
		return 0, false, err
	}
	n, err := dv.Value()
	return n, true, err
}

func (f *found) version() (version, error) {
	var v version
	for _, part := range []struct {
		field string
		to    *int64
	}{{fieldSeqNo, &v.seqNo}, {fieldPrimaryTerm, &v.term}, {fieldVersion, &v.version}} {
		n, ok, err := f.numeric(part.field)
		if err != nil {
			return v, err
		}
		if !ok {
			return v, errors.New("a live document has no " + part.field)
		}
		*part.to = n
	}
	return v, nil
}

// Document is a document as Get returns it.
type Document struct {
	ID, Routing                 string
	Source                      []byte // nil where the index stores none
	Version, SeqNo, PrimaryTerm int64
	// Leaf and Doc say where it lies, so that stored fields can be read; nil while it is only in the translog.
	Leaf *lucene.LeafContext
	Doc  int32
}

// Get returns the newest version of a document, or nil if it does not exist. Realtime sees operations that searches do not see
// yet. Release must be called when the document is no longer used.
func (s *Shard) Get(ctx context.Context, id string, realtime bool) (doc *Document, release func(), err error) {
	none := func() {}
	if err := s.enter(); err != nil {
		return nil, none, err
	}
	defer s.leave()
	s.stats.gets.Add(1)
	if realtime {
		if v, ok := s.versions.get(id); ok {
			if v.deleted {
				return nil, none, nil
			}
			if v.location.Generation > 0 {
				if op, err := s.log.Read(v.location); err == nil {
					return &Document{ID: id, Routing: op.Routing, Source: op.Source, Version: v.version, SeqNo: v.seqNo, PrimaryTerm: v.term}, none, nil
				}
			}
			// The translog was trimmed meanwhile, or never had it: a refresh makes it visible.
			if err := s.Refresh(ctx); err != nil {
				return nil, none, err
			}
		}
	}
	r, err := s.acquire()
	if err != nil {
		return nil, none, err
	}
	f, err := r.find(uid.Encode(nil, id))
	if err != nil || f == nil {
		r.release()
		return nil, none, err
	}
	v, err := f.version()
	if err != nil {
		r.release()
		return nil, none, err
	}
	doc = &Document{ID: id, Version: v.version, SeqNo: v.seqNo, PrimaryTerm: v.term, Leaf: f.leaf, Doc: f.doc}
	var st storedDoc
	if err := f.leaf.Reader.StoredFields().Document(f.doc, &st); err != nil {
		r.release()
		return nil, none, err
	}
	doc.Source, doc.Routing = st.source, st.routing
	return doc, r.release, nil
}

// storedDoc takes _source and _routing from the stored fields.
type storedDoc struct {
	source  []byte
	routing string
}

// Needs implements lucene.StoredFieldVisitor.
func (d *storedDoc) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	if f.Name == fieldSource || f.Name == fieldRouting {
		return lucene.VisitYes, nil
	}
	return lucene.VisitNo, nil
}

// Field implements lucene.StoredFieldVisitor.
func (d *storedDoc) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	if f.Name != fieldSource {
		d.routing = string(v.Bytes)
		return nil
	}
	source, err := xcontent.Source(v.Bytes)
	d.source = bytes.Clone(source)
	return err
}

// Searcher is a view of the shard for searches. Release it when done.
type Searcher struct {
	v *view
}

// Leaves returns the segments.
func (s *Searcher) Leaves() []lucene.LeafContext { return s.v.r.Leaves() }

// Reader returns the reader of the whole index.
func (s *Searcher) Reader() *index.DirectoryReader { return s.v.r }

// Release lets go of the files.
func (s *Searcher) Release() { s.v.release() }

// Acquire returns a searcher of what was last refreshed. A shard that nobody searched for a while is refreshed first.
func (s *Shard) Acquire(ctx context.Context) (*Searcher, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	idle := s.searchIdle()
	s.lastSearch.Store(nowNanos())
	if idle && s.visible.Load() < s.ticket.Load() {
		if err := s.Refresh(ctx); err != nil {
			return nil, err
		}
	}
	v, err := s.acquire()
	if err != nil {
		return nil, err
	}
	return &Searcher{v}, nil
}
