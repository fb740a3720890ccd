package index

import (
	"fmt"
	"math/bits"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/store"
)

// SegmentReader is a segment at one moment: its core, which all readers of it share, with the live
// documents and the doc-values updates of that moment. It is immutable and safe for concurrent use.
//
// It counts its users: each Acquire needs a Close, as does the opening. After the last Close the
// files are gone, and using anything that came from it is an error at best.
type SegmentReader struct {
	refs
	core    *segmentCore
	info    *lucene.SegmentCommitInfo
	fields  *lucene.FieldInfos
	columns *segmentColumns
	live    *lucene.FixedBits // neither hard- nor soft-deleted; nil: all
	hard    *lucene.FixedBits // not hard-deleted; nil: all
	numDocs int32
}

var _ lucene.LeafReader = (*SegmentReader)(nil)

// segmentColumns are the doc values of a segment in one generation, shared by the readers that agree in it.
type segmentColumns struct {
	refs
	codec.DocValuesProducer
	unsupported func(field string) error
}

// openSegment opens a segment as a commit has it.
func openSegment(dir store.Directory, info *lucene.SegmentCommitInfo, access store.Access) (*SegmentReader, error) {
	core, err := openCore(dir, info.Info, access)
	if err != nil {
		return nil, err
	}
	r, err := core.reader(info, nil)
	if err != nil {
		_ = core.release() // a reader: nothing can be lost
		return nil, err
	}
	return r, core.release()
}

// reader opens the segment as it is in a commit. sibling is another reader of it, or nil, with which it
// shares what is the same.
func (c *segmentCore) reader(info *lucene.SegmentCommitInfo, sibling *SegmentReader) (*SegmentReader, error) {
	fail := func(err error) (*SegmentReader, error) {
		return nil, fmt.Errorf("open segment %s: %w", info.Info.Name, err)
	}
	hard, err := livedocs.Read(c.dir, info)
	if err != nil {
		return fail(err)
	}
	fields, cols, err := c.columnsOf(info, sibling)
	if err != nil {
		return fail(err)
	}
	r := c.view(info, fields, cols)
	if r == nil {
		_ = cols.release()
		return fail(store.ErrClosed)
	}
	if _, err := r.setLive(hard); err != nil {
		_ = r.Close()
		return fail(err)
	}
	return r, nil
}

// columnsOf returns the fields and doc values of a segment in a generation, one more user counted.
func (c *segmentCore) columnsOf(info *lucene.SegmentCommitInfo, sibling *SegmentReader) (*lucene.FieldInfos, *segmentColumns, error) {
	if sibling != nil && sibling.info.FieldInfosGen == info.FieldInfosGen && sibling.info.DocValuesGen == info.DocValuesGen && sibling.columns.acquire() {
		return sibling.fields, sibling.columns, nil
	}
	fields := c.fields
	if info.FieldInfosGen != -1 {
		var err error
		if fields, err = fieldinfo.Read(c.dir, c.info, strconv.FormatInt(info.FieldInfosGen, 36)); err != nil {
			return nil, nil, err
		}
	}
	cols := &segmentColumns{unsupported: func(string) error { return nil }}
	cols.refs.init(func() error {
		if cols.DocValuesProducer == nil {
			return nil
		}
		return cols.DocValuesProducer.Close()
	})
	if fields.HasDocValues() {
		if err := cols.open(c, fields); err != nil {
			return nil, nil, err
		}
	}
	return fields, cols, nil
}

// view makes a reader of the segment with all documents live. cols comes with a user counted.
func (c *segmentCore) view(info *lucene.SegmentCommitInfo, fields *lucene.FieldInfos, cols *segmentColumns) *SegmentReader {
	if !c.acquire() {
		return nil
	}
	r := &SegmentReader{core: c, info: info, fields: fields, columns: cols, numDocs: c.info.MaxDoc}
	r.refs.init(func() error {
		err := cols.release()
		if cerr := c.release(); err == nil {
			err = cerr
		}
		return err
	})
	return r
}

// setLive sets the documents that are not hard-deleted, and takes those off that are soft-deleted, whose
// number it returns.
func (r *SegmentReader) setLive(hard *lucene.FixedBits) (soft int32, err error) {
	r.hard, r.live = hard, hard
	field := r.fields.ByName(r.fields.SoftDeletesField())
	if field != nil && r.columns.DocValuesProducer != nil {
		if r.live, soft, err = withoutSoftDeletes(r.columns, field, hard, r.MaxDoc()); err != nil {
			return 0, fmt.Errorf("soft deletes in field %s: %w", field.Name, err)
		}
	}
	r.numDocs = countBits(r.live, r.MaxDoc())
	return soft, nil
}

func countBits(b *lucene.FixedBits, maxDoc int32) int32 {
	if b == nil {
		return maxDoc
	}
	n := 0
	for _, w := range b.Words {
		n += bits.OnesCount64(w)
	}
	return int32(n)
}

// withoutSoftDeletes returns the documents of hard that have no value in the field of soft deletes, and how
// many have one. The result is hard itself if none has.
func withoutSoftDeletes(dv lucene.DocValuesProducer, f *lucene.FieldInfo, hard *lucene.FixedBits, maxDoc int32) (*lucene.FixedBits, int32, error) {
	it, err := valuesOf(dv, f)
	if err != nil || it == nil {
		return hard, 0, err
	}
	live, soft := hard, int32(0)
	for {
		doc, err := it.Next()
		if err != nil {
			return nil, 0, err
		}
		if doc == lucene.NoMoreDocs {
			return live, soft, nil
		}
		if doc < 0 || doc >= maxDoc {
			return nil, 0, fmt.Errorf("document %d of %d has a value", doc, maxDoc)
		}
		if hard != nil && !hard.Get(doc) {
			continue
		}
		if soft++; soft == 1 {
			live = lucene.NewFixedBits(maxDoc)
			if hard != nil {
				copy(live.Words, hard.Words)
			} else {
				setAll(live)
			}
		}
		live.Clear(doc)
	}
}

func setAll(b *lucene.FixedBits) {
	for i := range b.Words {
		b.Words[i] = ^uint64(0)
	}
	if rest := uint32(b.N) & 63; rest != 0 {
		b.Words[len(b.Words)-1] = 1<<rest - 1
	}
}

// valuesOf returns the column of a field whatever its type, or nil.
func valuesOf(dv lucene.DocValuesProducer, f *lucene.FieldInfo) (lucene.DocValuesIterator, error) {
	var it lucene.DocValuesIterator
	var none bool
	var err error
	switch f.DocValuesType {
	case lucene.DocValuesNumeric:
		v, e := dv.Numeric(f)
		it, none, err = v, v == nil, e
	case lucene.DocValuesBinary:
		v, e := dv.Binary(f)
		it, none, err = v, v == nil, e
	case lucene.DocValuesSorted:
		v, e := dv.Sorted(f)
		it, none, err = v, v == nil, e
	case lucene.DocValuesSortedNumeric:
		v, e := dv.SortedNumeric(f)
		it, none, err = v, v == nil, e
	case lucene.DocValuesSortedSet:
		v, e := dv.SortedSet(f)
		it, none, err = v, v == nil, e
	default:
		return nil, nil
	}
	if err != nil || none {
		return nil, err
	}
	return it, nil
}

// withLive returns a reader of the same segment with other live documents, which are those that hard and
// soft deletes leave. live and hard must not change afterwards.
func (r *SegmentReader) withLive(info *lucene.SegmentCommitInfo, live, hard *lucene.FixedBits) (*SegmentReader, error) {
	if !r.columns.acquire() {
		return nil, store.ErrClosed
	}
	n := r.core.view(info, r.fields, r.columns)
	if n == nil {
		_ = r.columns.release()
		return nil, store.ErrClosed
	}
	n.live, n.hard = live, hard
	n.numDocs = countBits(live, r.MaxDoc())
	return n, nil
}

// Acquire counts one more user. It returns false if the reader is closed already.
func (r *SegmentReader) Acquire() bool { return r.acquire() }

// Close ends one use of the reader.
func (r *SegmentReader) Close() error { return r.release() }

// MaxDoc implements lucene.LeafReader.
func (r *SegmentReader) MaxDoc() int32 { return r.core.info.MaxDoc }

// NumDocs implements lucene.LeafReader.
func (r *SegmentReader) NumDocs() int32 { return r.numDocs }

// LiveDocs implements lucene.LeafReader.
func (r *SegmentReader) LiveDocs() lucene.Bits { return bitsOf(r.live) }

// HardLiveDocs returns the documents that are not hard-deleted: those and the soft-deleted ones; nil: all.
func (r *SegmentReader) HardLiveDocs() lucene.Bits { return bitsOf(r.hard) }

func bitsOf(b *lucene.FixedBits) lucene.Bits {
	if b == nil {
		return nil
	}
	return b
}

// FieldInfos implements lucene.LeafReader.
func (r *SegmentReader) FieldInfos() *lucene.FieldInfos { return r.fields }

// Segment implements lucene.LeafReader.
func (r *SegmentReader) Segment() *lucene.SegmentCommitInfo { return r.info }

// Fields returns all inverted fields, those that are not supported included; nil if there are none.
func (r *SegmentReader) Fields() lucene.Fields {
	if r.core.postings == nil {
		return nil
	}
	return r.core.postings
}

// Terms implements lucene.LeafReader.
func (r *SegmentReader) Terms(field string) (lucene.Terms, error) {
	if r.core.postings == nil {
		return nil, nil
	}
	return r.core.postings.Terms(field)
}

// DocValues implements lucene.LeafReader.
func (r *SegmentReader) DocValues() lucene.DocValuesProducer {
	if r.columns.DocValuesProducer == nil {
		return noColumns{}
	}
	return r.columns.DocValuesProducer
}

// Norms implements lucene.LeafReader.
func (r *SegmentReader) Norms(field string) (lucene.NumericDocValues, error) {
	f := r.core.fields.ByName(field)
	if r.core.norms == nil || f == nil || !f.HasNorms() {
		return nil, nil
	}
	return r.core.norms.Norms(f)
}

// NormsProducer returns the norms of all fields, or nil if there are none.
func (r *SegmentReader) NormsProducer() codec.NormsProducer { return r.core.norms }

// Points implements lucene.LeafReader.
func (r *SegmentReader) Points(field string) (lucene.PointValues, error) {
	f := r.core.fields.ByName(field)
	if r.core.points == nil || f == nil || f.PointDims == 0 {
		return nil, nil
	}
	return r.core.points.Points(field)
}

// StoredFields implements lucene.LeafReader.
func (r *SegmentReader) StoredFields() lucene.StoredFields {
	if r.core.stored == nil {
		return failedStoredFields{r.core.storedErr}
	}
	return r.core.stored.Fields()
}

// StoredFieldsReader returns the reader of the stored fields. Where they cannot be read, each document is
// the error that says why.
func (r *SegmentReader) StoredFieldsReader() codec.StoredFieldsReader {
	if r.core.stored == nil {
		return failedStoredFields{r.core.storedErr}
	}
	return r.core.stored
}

// TermVectorsReader returns the reader of the term vectors, or nil if the segment has none.
func (r *SegmentReader) TermVectorsReader() codec.TermVectorsReader { return r.core.vectors }

// TermVectors implements lucene.LeafReader.
func (r *SegmentReader) TermVectors() lucene.TermVectors {
	if r.core.vectors == nil {
		return noTermVectors{}
	}
	return r.core.vectors.Vectors()
}

// Unsupported implements lucene.LeafReader.
func (r *SegmentReader) Unsupported(field string) error {
	f := r.fields.ByName(field)
	if f == nil {
		return nil
	}
	if r.core.postings != nil {
		if err := r.core.postings.Unsupported(field); err != nil {
			return err
		}
	}
	if err := r.columns.unsupported(field); err != nil {
		return err
	}
	if f.VectorDims > 0 {
		format := f.Attributes[lucene.AttrVectorsFormat]
		if format == "" {
			format = "k-NN vectors"
		}
		return &codec.UnsupportedError{Format: format, Where: "field " + field, Reason: "its k-NN vectors cannot be read"}
	}
	return nil
}

// CheckIntegrity verifies the checksums of all files of the segment that are open, doc-values updates included.
func (r *SegmentReader) CheckIntegrity() error {
	for _, p := range r.core.parts() {
		if err := p.CheckIntegrity(); err != nil {
			return err
		}
	}
	if r.columns.DocValuesProducer != nil {
		return r.columns.CheckIntegrity()
	}
	return nil
}

type failedStoredFields struct{ err error }

func (f failedStoredFields) Document(int32, lucene.StoredFieldVisitor) error { return f.err }
func (f failedStoredFields) Fields() lucene.StoredFields                     { return f }
func (f failedStoredFields) CheckIntegrity() error                           { return nil }
func (f failedStoredFields) Close() error                                    { return nil }

type noTermVectors struct{}

func (noTermVectors) Get(int32) (lucene.Fields, error) { return nil, nil }

type noColumns struct{}

func (noColumns) Numeric(*lucene.FieldInfo) (lucene.NumericDocValues, error) { return nil, nil }
func (noColumns) Binary(*lucene.FieldInfo) (lucene.BinaryDocValues, error)   { return nil, nil }
func (noColumns) Sorted(*lucene.FieldInfo) (lucene.SortedDocValues, error)   { return nil, nil }
func (noColumns) SortedNumeric(*lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	return nil, nil
}
func (noColumns) SortedSet(*lucene.FieldInfo) (lucene.SortedSetDocValues, error) { return nil, nil }

// OpenSegment opens one segment of a commit by itself. Most callers want OpenDirectory.
func OpenSegment(dir store.Directory, info *lucene.SegmentCommitInfo, access store.Access) (*SegmentReader, error) {
	return openSegment(dir, info, access)
}
