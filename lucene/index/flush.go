package index

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/compound"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/store"
)

// flushed is a buffer that became a segment.
type flushed struct {
	info *lucene.SegmentCommitInfo
	live *lucene.FixedBits // nil: no document is deleted
	dead int32
	seq  int64 // all deletes up to here are applied
}

// flush writes the buffer as a segment; deletes are those of its generation up to seq. A buffer
// whose documents are all deleted is nil and leaves no file. On an error nothing is left either.
func (b *buffer) flush(seq int64, deletes *deleteLog, f *formats, compoundFile bool) (_ *flushed, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("flush segment %s: %w", b.seg.Name, err), b.abandon())
		}
	}()
	if b.err != nil {
		return nil, b.err
	}
	b.seal(math.MaxInt64) // refused documents at the end have no number
	b.applyDeletes(deletes)
	if b.numDeleted == b.numDocs {
		return nil, b.abandon()
	}
	for _, pf := range b.list {
		if pf.col != nil {
			pf.col.finish()
		}
		if pf.inv != nil {
			pf.info.HasPayloads = pf.inv.payloads
		}
	}
	src := &bufferSource{b: b, byName: b.fields}
	var oldDoc []int32
	if b.sorting() {
		keys, err := readSortKeys(b.sort, columns{maxDoc: b.numDocs, fields: src.fieldInfo, values: src})
		if err != nil {
			return nil, err
		}
		oldDoc, src.newDoc = sortDocs(keys, b.numDocs)
	}
	infos := make([]*lucene.FieldInfo, 0, len(b.list))
	for _, pf := range b.list {
		infos = append(infos, pf.info)
	}
	fields, err := lucene.NewFieldInfos(infos)
	if err != nil {
		return nil, err
	}
	b.seg.MaxDoc = b.numDocs
	b.seg.HasBlocks = b.blocks
	state := &codec.WriteState{Dir: b.dir, Info: b.seg, Fields: fields}
	if err := b.flushStored(oldDoc); err != nil {
		return nil, err
	}
	if err := b.flushVectors(oldDoc); err != nil {
		return nil, err
	}
	if err := writeColumns(state, f, src, src, src.addPoints); err != nil {
		return nil, err
	}
	if fields.HasPostings() {
		if err := writePostings(state, f, src.invertedFields(), src); err != nil {
			return nil, err
		}
	}
	if err := finishSegment(state, b.dir, b.dir.Directory, compoundFile); err != nil {
		return nil, err
	}
	out := &flushed{info: lucene.NewSegmentCommitInfo(b.seg), seq: seq}
	if b.numDeleted > 0 {
		out.dead = b.numDeleted
		out.live = allLive(b.numDocs)
		for doc := range b.numDocs {
			if b.isDeleted(doc) {
				if src.newDoc != nil {
					out.live.Clear(src.newDoc[doc])
				} else {
					out.live.Clear(doc)
				}
			}
		}
	}
	return out, nil
}

// abandon drops the buffer and its files.
func (b *buffer) abandon() error {
	if b.stored != nil {
		_ = b.stored.Close() // what it writes goes away
		b.stored = nil
	}
	if b.vectors != nil {
		_ = b.vectors.Close()
		b.vectors = nil
	}
	return b.dir.abandon()
}

// addPoints writes the points of a field, if it has any.
func (s *bufferSource) addPoints(w *points.Consumer, f *lucene.FieldInfo) error {
	src, err := s.pointSource(f)
	if err != nil || src == nil {
		return err
	}
	return w.AddPoints(f, src)
}

// writeColumns writes norms, doc values and points.
func writeColumns(state *codec.WriteState, f *formats, values lucene.DocValuesProducer, norms lucene.NormsProducer,
	addPoints func(w *points.Consumer, f *lucene.FieldInfo) error) error {
	if state.Fields.HasNorms() {
		w, err := f.norms(state)
		if err != nil {
			return err
		}
		err = eachField(state.Fields, (*lucene.FieldInfo).HasNorms, func(fi *lucene.FieldInfo) error { return w.AddNorms(fi, norms) })
		if err := errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("write norms: %w", err)
		}
	}
	if state.Fields.HasDocValues() {
		w, err := f.docValues(state)
		if err != nil {
			return err
		}
		err = eachField(state.Fields, hasColumn, func(fi *lucene.FieldInfo) error { return addColumn(w, fi, values) })
		if err := errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("write doc values: %w", err)
		}
	}
	if state.Fields.HasPoints() {
		w, err := f.points(state)
		if err != nil {
			return err
		}
		err = eachField(state.Fields, hasPoints, func(fi *lucene.FieldInfo) error { return addPoints(w, fi) })
		if err := errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("write points: %w", err)
		}
	}
	return nil
}

func hasColumn(f *lucene.FieldInfo) bool { return f.DocValuesType != lucene.DocValuesNone }
func hasPoints(f *lucene.FieldInfo) bool { return f.PointDims > 0 }

func eachField(fields *lucene.FieldInfos, has func(*lucene.FieldInfo) bool, fn func(*lucene.FieldInfo) error) error {
	for _, f := range fields.All() {
		if !has(f) {
			continue
		}
		if err := fn(f); err != nil {
			return fmt.Errorf("field %q: %w", f.Name, err)
		}
	}
	return nil
}

func addColumn(w codec.DocValuesConsumer, f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	switch f.DocValuesType {
	case lucene.DocValuesNumeric:
		return w.AddNumeric(f, values)
	case lucene.DocValuesBinary:
		return w.AddBinary(f, values)
	case lucene.DocValuesSorted:
		return w.AddSorted(f, values)
	case lucene.DocValuesSortedNumeric:
		return w.AddSortedNumeric(f, values)
	case lucene.DocValuesSortedSet:
		return w.AddSortedSet(f, values)
	}
	return fmt.Errorf("unknown doc-values type %s", f.DocValuesType)
}

func writePostings(state *codec.WriteState, f *formats, fields lucene.Fields, norms lucene.NormsProducer) error {
	w, err := f.postings(state)
	if err != nil {
		return err
	}
	if !state.Fields.HasNorms() {
		norms = nil
	}
	err = w.Write(fields, norms)
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("write postings: %w", err)
	}
	return nil
}

// finishSegment writes the field infos, packs the files into a compound file if asked to, and writes the .si.
func finishSegment(state *codec.WriteState, tracked *trackingDirectory, dir store.Directory, compoundFile bool) error {
	si := state.Info
	if err := fieldinfo.Write(state.Dir, si, "", state.Fields); err != nil {
		return fmt.Errorf("write field infos: %w", err)
	}
	if compoundFile {
		single := tracked.created()
		if _, err := compound.Write(tracked, si, single); err != nil {
			return err
		}
		for _, name := range single {
			if err := tracked.Remove(name); err != nil {
				return err
			}
		}
		si.IsCompoundFile = true
	}
	si.Files = append(tracked.created(), segmentinfo.FileName(si.Name))
	slices.Sort(si.Files)
	if err := segmentinfo.Write(tracked, si); err != nil {
		return fmt.Errorf("write segment info: %w", err)
	}
	return nil
}

// bufferSource shows a finished buffer's columns, norms and points to the writers.
type bufferSource struct {
	b      *buffer
	byName map[string]*bufferField
	newDoc []int32 // permutation of an index sort, or nil
	cached map[*column]*permuted
	flat   *flatNorms // the norms that were asked for last
	flatOf *bufferField
}

func (s *bufferSource) fieldInfo(name string) *lucene.FieldInfo {
	if pf := s.byName[name]; pf != nil {
		return pf.info
	}
	return nil
}

func (s *bufferSource) column(f *lucene.FieldInfo, kind lucene.DocValuesType) *column {
	if pf := s.byName[f.Name]; pf != nil && pf.col != nil && pf.col.kind == kind {
		return pf.col
	}
	return nil
}

// sorted returns a column in the order of the index sort. Only the last one is kept: writers go field by field.
func (s *bufferSource) sorted(c *column) *permuted {
	p := s.cached[c]
	if p == nil {
		p = permute(c, s.newDoc)
		s.cached = map[*column]*permuted{c: p}
	}
	return p.fresh()
}

func (s *bufferSource) Numeric(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	c := s.column(f, lucene.DocValuesNumeric)
	switch {
	case c == nil:
		return nil, nil
	case s.newDoc != nil:
		return permutedNumeric{s.sorted(c)}, nil
	}
	return numericColumn{c.iterator()}, nil
}

func (s *bufferSource) Binary(f *lucene.FieldInfo) (lucene.BinaryDocValues, error) {
	c := s.column(f, lucene.DocValuesBinary)
	switch {
	case c == nil:
		return nil, nil
	case s.newDoc != nil:
		return permutedBinary{s.sorted(c)}, nil
	}
	return binaryColumn{c.iterator()}, nil
}

func (s *bufferSource) Sorted(f *lucene.FieldInfo) (lucene.SortedDocValues, error) {
	c := s.column(f, lucene.DocValuesSorted)
	switch {
	case c == nil:
		return nil, nil
	case s.newDoc != nil:
		return s.sorted(c), nil
	}
	return c.iterator(), nil
}

func (s *bufferSource) SortedNumeric(f *lucene.FieldInfo) (lucene.SortedNumericDocValues, error) {
	c := s.column(f, lucene.DocValuesSortedNumeric)
	switch {
	case c == nil:
		return nil, nil
	case s.newDoc != nil:
		return s.sorted(c), nil
	}
	return c.iterator(), nil
}

func (s *bufferSource) SortedSet(f *lucene.FieldInfo) (lucene.SortedSetDocValues, error) {
	c := s.column(f, lucene.DocValuesSortedSet)
	switch {
	case c == nil:
		return nil, nil
	case s.newDoc != nil:
		return s.sorted(c), nil
	}
	return c.iterator(), nil
}

func (s *bufferSource) Norms(f *lucene.FieldInfo) (lucene.NumericDocValues, error) {
	pf := s.byName[f.Name]
	if pf == nil || pf.norms == nil {
		return nil, nil
	}
	if s.flat == nil || s.flatOf != pf {
		s.flat, s.flatOf = pf.norms.flat(s.b.numDocs, s.newDoc), pf
	}
	return s.flat.iterator(), nil
}

func (s *bufferSource) pointSource(f *lucene.FieldInfo) (codec.PointSource, error) {
	pf := s.byName[f.Name]
	switch {
	case pf == nil || pf.pts == nil || pf.pts.n == 0:
		return nil, nil
	case s.newDoc != nil:
		return permutePoints(pf.pts, s.newDoc), nil
	}
	return pf.pts, nil
}

func (s *bufferSource) invertedFields() *bufferFields {
	fields := &bufferFields{}
	for _, pf := range s.b.list {
		if pf.inv != nil && pf.inv.hash.len() > 0 {
			fields.put(pf.info, pf.inv, s.newDoc)
		}
	}
	slices.Sort(fields.names)
	return fields
}
