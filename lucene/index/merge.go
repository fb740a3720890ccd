package index

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/bkd"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/codec/storedfields"
	"github.com/varve-search/varve/lucene/codec/termvectors"
	"github.com/varve-search/varve/lucene/store"
)

// mergeJob is one merge, from when its segments are chosen until they are swapped for the merged one.
type mergeJob struct {
	segs    []*segment
	bytes   int64
	index   int64 // bytes of the whole index, for the choice of a compound file
	sources []*mergeSource
	keys    []*sortKeys
	info    *lucene.SegmentInfo
	dir     *trackingDirectory
	fields  *lucene.FieldInfos
	numDocs int32
}

// prepareMerge marks segments as merging, and gives the merged one its name. Writer.mu is held.
func (w *Writer) prepareMerge(segs []*segment) *mergeJob {
	j := &mergeJob{segs: segs, info: newSegmentInfo(w.newSegmentName(), w.cfg.Sort, "merge")}
	for _, s := range segs {
		s.merging = true
		j.bytes += newCandidate(s).bytes
		j.info.HasBlocks = j.info.HasBlocks || s.info.Info.HasBlocks
		if v := s.info.Info.MinVersion; v == nil {
			j.info.MinVersion = nil
		} else if j.info.MinVersion != nil && v.Before(*j.info.MinVersion) {
			j.info.MinVersion = v
		}
	}
	for _, s := range w.segs {
		j.index += s.bytes
	}
	j.info.Diagnostics["mergeFactor"] = fmt.Sprint(len(segs))
	return j
}

// runMerge merges and swaps the segments. On an error the index is as before.
func (w *Writer) runMerge(ctx context.Context, j *mergeJob) error {
	merged, err := w.buildMerge(ctx, j)
	if err == nil {
		err = w.commitMerge(j, merged)
	}
	w.mu.Lock()
	for _, s := range j.segs {
		s.merging = false
	}
	w.cond.Broadcast()
	w.mu.Unlock()
	if err != nil {
		names := ""
		for _, s := range j.segs {
			names += " " + s.name
		}
		return fmt.Errorf("merge segments%s into %s: %w", names, j.info.Name, err)
	}
	return nil
}

// buildMerge writes the merged segment; nil if no document is left.
func (w *Writer) buildMerge(ctx context.Context, j *mergeJob) (_ *segment, err error) {
	j.dir = newTrackingDirectory(w.dir, func(n int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.cfg.MergeThrottle != nil {
			return w.cfg.MergeThrottle(ctx, n)
		}
		return nil
	})
	defer func() {
		for _, s := range j.sources {
			err = errors.Join(err, s.reader.Close())
		}
		if err != nil {
			err = errors.Join(err, j.dir.abandon())
		}
	}()
	if err := w.openSources(j); err != nil {
		return nil, err
	}
	if err := j.write(ctx, w.fmt, w.dir, w.cfg.Merge.compound(j.bytes, j.index)); err != nil || j.numDocs == 0 {
		return nil, err
	}
	size, err := sizeOf(w.dir, j.info.Files)
	if err != nil {
		return nil, err
	}
	merged := newSegment(lucene.NewSegmentCommitInfo(j.info))
	merged.bytes, merged.settled = size, true
	return merged, nil
}

// write writes the files of the merged segment, unless no document is left. The sources are open; dir is the folder
// of the index, which j.dir writes to.
func (j *mergeJob) write(ctx context.Context, f *formats, dir store.Directory, compound bool) error {
	if j.numDocs = number(j.sources, j.keys); j.numDocs == 0 {
		return nil
	}
	j.info.MaxDoc = j.numDocs
	state := &codec.WriteState{Dir: j.dir, Info: j.info, Fields: j.fields}
	if err := j.mergeStored(ctx, f, state); err != nil {
		return fmt.Errorf("stored fields: %w", err)
	}
	if err := j.mergeVectors(ctx, f, state); err != nil {
		return fmt.Errorf("term vectors: %w", err)
	}
	cols := &mergedColumns{sources: j.sources}
	if err := writeColumns(state, f, cols, cols, j.mergePoints); err != nil {
		return err
	}
	if j.fields.HasPostings() {
		if err := j.mergePostings(f, state); err != nil {
			return err
		}
	}
	if err := finishSegment(state, j.dir, dir, compound); err != nil {
		return err
	}
	return ctx.Err()
}

// mergePostings writes the postings, for which the writer reads the norms that were just written.
func (j *mergeJob) mergePostings(f *formats, state *codec.WriteState) (err error) {
	var norms lucene.NormsProducer
	if state.Fields.HasNorms() {
		r, err := f.openNorms(state)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.Close()) }()
		norms = r
	}
	return writePostings(state, f, &mergedFields{sources: j.sources, infos: state.Fields}, norms)
}

// mergePoints merges the trees of a field.
func (j *mergeJob) mergePoints(w *points.Consumer, f *lucene.FieldInfo) error {
	var sources []bkd.MergeSource
	for _, s := range j.sources {
		if s.fields.ByName(f.Name) == nil {
			continue
		}
		p, err := s.reader.Points(f.Name)
		if err != nil {
			return fmt.Errorf("segment %s: %w", s.name, err)
		}
		if p != nil {
			sources = append(sources, bkd.MergeSource{Points: p, MaxDoc: s.maxDoc, Map: s.mapped})
		}
	}
	if len(sources) == 0 {
		return nil
	}
	return w.MergePoints(f, sources)
}

// openSources opens the segments for reading from front to back.
func (w *Writer) openSources(j *mergeJob) error {
	var fields []*lucene.FieldInfos
	for _, s := range j.segs {
		w.mu.Lock()
		info, live := s.info.Clone(), s.live
		w.mu.Unlock()
		info.DelGen, info.DelCount = -1, 0 // live says it; the file may be replaced meanwhile
		r, err := openSegment(w.dir, info, store.Sequential)
		if err != nil {
			return err
		}
		src := &mergeSource{seg: s, name: s.name, reader: r, fields: r.FieldInfos(), live: live, maxDoc: s.maxDoc()}
		src.alive = countBits(src.live, src.maxDoc)
		j.sources = append(j.sources, src)
		fields = append(fields, src.fields)
		if err := src.mergeable(); err != nil {
			return err
		}
	}
	var err error
	if j.fields, err = w.schema.mergedInfos(fields); err != nil {
		return err
	}
	if len(w.cfg.Sort) > 0 {
		return j.readKeys(w.cfg.Sort)
	}
	return nil
}

// mergeable returns why a segment cannot be written again, or nil.
func (s *mergeSource) mergeable() error {
	for _, f := range s.fields.All() {
		if err := s.reader.Unsupported(f.Name); err != nil {
			return fmt.Errorf("segment %s cannot be merged: field %q: %w", s.name, f.Name, err)
		}
		if f.VectorDims > 0 {
			return fmt.Errorf("segment %s cannot be merged: field %q has vectors, which are not written", s.name, f.Name)
		}
	}
	return nil
}

// readKeys reads the keys of the index sort, with ordinals that can be compared between segments.
func (j *mergeJob) readKeys(sort []lucene.SortField) error {
	cols := &mergedColumns{sources: j.sources}
	maps := map[string]map[int][]int32{} // field → source → ordinals
	for _, f := range sort {
		if f.Type != lucene.SortString {
			continue
		}
		info := j.fields.ByName(f.Field)
		if info == nil {
			continue
		}
		var err error
		if info.DocValuesType == lucene.DocValuesSorted {
			_, err = cols.Sorted(info)
		} else {
			_, err = cols.SortedSet(info)
		}
		if err != nil {
			return err
		}
		perSource := map[int][]int32{}
		for i, src := range cols.subOrds {
			perSource[src] = cols.ords.maps[i]
		}
		maps[f.Field] = perSource
	}
	for i, s := range j.sources {
		keys, err := readSortKeys(sort, columns{
			maxDoc: s.maxDoc, fields: s.fields.ByName, values: s.reader.DocValues(),
			ordinals: func(field string) func(int64) int64 {
				m := maps[field][i]
				return func(ord int64) int64 { return int64(m[ord]) }
			},
		})
		if err != nil {
			return fmt.Errorf("segment %s: %w", s.name, err)
		}
		j.keys = append(j.keys, keys)
	}
	return nil
}

// copier moves documents of one source into a merged file.
type copier interface {
	Copy(from, to int32) error
}

// copyDocs moves the live documents of all sources, whole chunks where that is possible.
func (j *mergeJob) copyDocs(ctx context.Context, open func(s *mergeSource) (copier, error)) error {
	copiers := map[*mergeSource]copier{}
	for _, s := range j.sources {
		c, err := open(s)
		if err != nil {
			return fmt.Errorf("segment %s: %w", s.name, err)
		}
		copiers[s] = c
	}
	return eachRun(j.sources, j.keys != nil, func(s *mergeSource, from, to int32) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return copiers[s].Copy(from, to)
	})
}

func (j *mergeJob) mergeStored(ctx context.Context, f *formats, state *codec.WriteState) error {
	out, err := f.storedFields(state)
	if err != nil {
		return err
	}
	err = j.copyDocs(ctx, func(s *mergeSource) (copier, error) {
		return storedfields.NewCopier(out, s.reader.StoredFieldsReader(), s.fields, state.Fields)
	})
	if err == nil {
		err = out.Finish(j.numDocs)
	}
	return errors.Join(err, out.Close())
}

func (j *mergeJob) mergeVectors(ctx context.Context, f *formats, state *codec.WriteState) error {
	if !state.Fields.HasTermVectors() {
		return nil
	}
	out, err := f.termVectors(state)
	if err != nil {
		return err
	}
	err = j.copyDocs(ctx, func(s *mergeSource) (copier, error) {
		if !s.fields.HasTermVectors() {
			return noVectors{out}, nil
		}
		return termvectors.NewCopier(out, s.reader.TermVectorsReader(), s.fields, state.Fields)
	})
	if err == nil {
		err = out.Finish(j.numDocs)
	}
	return errors.Join(err, out.Close())
}

// noVectors stands for a segment without term vectors.
type noVectors struct{ out codec.TermVectorsWriter }

func (n noVectors) Copy(from, to int32) error {
	for ; from < to; from++ {
		if err := n.out.StartDocument(0); err != nil {
			return err
		}
		if err := n.out.FinishDocument(); err != nil {
			return err
		}
	}
	return nil
}

// commitMerge swaps the segments for the merged one, carrying over the deletes that came while it was written.
func (w *Writer) commitMerge(j *mergeJob, merged *segment) (err error) {
	w.segMu.Lock()
	defer w.segMu.Unlock()
	if merged != nil {
		if err := carryDeletes(j, merged); err != nil {
			return errors.Join(err, j.dir.abandon())
		}
		if merged.alive == 0 {
			if err := j.dir.abandon(); err != nil {
				return err
			}
			merged = nil
		}
	}
	w.mu.Lock()
	if err := w.usableLocked(); err != nil {
		w.mu.Unlock()
		return errors.Join(err, j.dir.abandon())
	}
	var segs []*segment
	for _, s := range w.segs {
		switch {
		case !contains(j.segs, s):
			segs = append(segs, s)
		case s == j.segs[0] && merged != nil:
			segs = append(segs, merged)
		}
	}
	w.segs = segs
	w.changes++
	if merged != nil {
		merged.seq = j.segs[0].seq
		w.docs += int64(merged.maxDoc())
		w.files.hold(merged.info.Files())
	}
	for _, s := range j.segs {
		w.docs -= int64(s.maxDoc())
	}
	w.mu.Unlock()
	w.discard(j.segs)
	return nil
}

func contains(segs []*segment, s *segment) bool {
	for _, o := range segs {
		if o == s {
			return true
		}
	}
	return false
}

// carryDeletes deletes in the merged segment what was deleted in its sources since the merge began.
func carryDeletes(j *mergeJob, merged *segment) error {
	d := &deleter{seg: merged}
	for i, src := range j.sources {
		now := j.segs[i].live
		if now == src.live {
			continue
		}
		for doc := range src.maxDoc {
			if src.isLive(doc) && !now.Get(doc) {
				if err := d.delete(src.mapped(doc)); err != nil {
					return err
				}
			}
		}
	}
	if d.n > 0 {
		merged.live, merged.hard = d.live, d.hard
		merged.dead, merged.alive, merged.dirty = d.n, merged.alive-d.n, true
	}
	return nil
}

// merging runs a job of this goroutine under the guard against faults of memory maps.
func (w *Writer) merging(ctx context.Context, j *mergeJob) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(w.ctx, cancel)
	defer stop()
	return store.Guard(func() error { return w.runMerge(ctx, j) })
}
