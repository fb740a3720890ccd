package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/codec/storedfields"
	"github.com/varve-search/varve/lucene/store"
)

// Rewritable tells whether a commit can be read, and yet not written on: Lucene 10 wrote it, or parts of it, and a commit of
// ours, of the format of 9.12, must not refer to those.
func Rewritable(infos *segments.Infos) bool {
	return infos.IndexCreatedMajor > lucene.Written.Major || slices.ContainsFunc(infos.Segments, func(s *lucene.SegmentCommitInfo) bool { return !keepable(infos, s) })
}

// keepable tells whether Lucene 9.12 reads a segment as it is: neither it nor an update of it is of Lucene 10. An update
// does not say who wrote it, so that none is kept where Lucene 10 wrote the commit.
func keepable(infos *segments.Infos, s *lucene.SegmentCommitInfo) bool {
	c, err := catalog.Lookup(s.Info.Codec)
	updated := s.FieldInfosGen != -1 || s.DocValuesGen != -1
	return err == nil && !c.Lucene10() && (!updated || infos.LuceneVersion.Major <= lucene.Written.Major)
}

// Rewrite makes an index that Lucene 10 wrote one of Lucene 9.12, in its folder: each segment that needs it is written again,
// with the same documents in the same order but for those that are deleted for good; soft-deleted ones stay, so that statistics
// do too. A new commit, as if Lucene 9 had created the index, replaces the old one, whose files are then removed.
// On an error the index is as it was. throttle, if not nil, is called before n bytes are written; it may wait.
// It returns how many segments were written, 0 if there was nothing to do.
func Rewrite(ctx context.Context, dir store.Directory, throttle func(ctx context.Context, n int) error) (written int, err error) {
	lock, err := dir.Lock(store.WriteLock)
	if err != nil {
		return 0, fmt.Errorf("rewrite the index: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	err = store.Guard(func() error {
		infos, err := segments.ReadLatest(dir)
		if err != nil || !Rewritable(infos) {
			return err
		}
		r := &rewriter{dir: dir, schema: newSchema(nil), throttle: throttle}
		written, err = r.run(ctx, infos)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("rewrite the index for Lucene %s: %w", lucene.Written, err)
	}
	return written, nil
}

type rewriter struct {
	dir      store.Directory
	schema   *schema
	throttle func(ctx context.Context, n int) error
	made     []*trackingDirectory
}

func (r *rewriter) run(ctx context.Context, old *segments.Infos) (written int, err error) {
	committed := false
	defer func() {
		for _, d := range r.made {
			if err != nil && !committed {
				err = errors.Join(err, d.abandon())
			}
		}
	}()
	for _, s := range old.Segments {
		if err := r.learn(s); err != nil {
			return 0, err
		}
	}
	next := old.Clone()
	next.Version++
	next.LuceneVersion, next.IndexCreatedMajor = lucene.Written, lucene.Written.Major
	next.Segments = nil
	for _, s := range old.Segments {
		if keepable(old, s) {
			next.Segments = append(next.Segments, s.Clone())
			continue
		}
		n, err := r.segment(ctx, s, next.NextSegmentName())
		if err != nil {
			return 0, err
		}
		if n != nil {
			next.Segments = append(next.Segments, n)
		}
		written++
	}
	if err := r.dir.Sync(segmentFiles(next)); err != nil {
		return 0, fmt.Errorf("sync the segments: %w", err)
	}
	committed = true // from here on nobody knows whether the new commit stands
	if err := next.Commit(r.dir); err != nil {
		return 0, err
	}
	return written, r.remove(old.Files(), next.Files())
}

// learn takes over the fields of a segment.
func (r *rewriter) learn(info *lucene.SegmentCommitInfo) error {
	seg, err := openSegment(r.dir, info, store.Sequential)
	if err != nil {
		return err
	}
	return errors.Join(r.schema.learn(seg.FieldInfos()), seg.Close())
}

// segment writes a segment again, under another name; nil if all its documents are deleted.
func (r *rewriter) segment(ctx context.Context, old *lucene.SegmentCommitInfo, name string) (_ *lucene.SegmentCommitInfo, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("segment %s: %w", old.Info.Name, err)
		}
	}()
	if old.Info.IndexSortFormat != nil {
		return nil, &codec.UnsupportedError{Format: "the index sort", Where: "segment " + old.Info.Name, Reason: "it is that of a plugin"}
	}
	seg, err := openSegment(r.dir, old, store.Sequential)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, seg.Close()) }()
	src := &mergeSource{name: old.Info.Name, reader: seg, fields: seg.FieldInfos(), live: seg.hard, maxDoc: seg.MaxDoc()}
	src.alive = countBits(src.live, src.maxDoc)
	if err := src.mergeable(); err != nil {
		return nil, err
	}
	info := newSegmentInfo(name, old.Info.IndexSort, "merge")
	info.HasBlocks = old.Info.HasBlocks
	info.Diagnostics["rewritten"] = old.Info.Version.String()
	if v := old.Info.MinVersion; v != nil && v.Before(*info.MinVersion) {
		info.MinVersion = v
	}
	f := &formats{mode: storedfields.BestSpeed}
	if m, err := storedfields.ModeOf(old.Info); err == nil {
		f.mode = m
	}
	j := &mergeJob{sources: []*mergeSource{src}, info: info}
	if j.fields, err = r.schema.mergedInfos([]*lucene.FieldInfos{src.fields}); err != nil {
		return nil, err
	}
	j.dir = newTrackingDirectory(r.dir, func(n int) error {
		if err := ctx.Err(); err != nil || r.throttle == nil {
			return err
		}
		return r.throttle(ctx, n)
	})
	r.made = append(r.made, j.dir)
	if err := j.write(ctx, f, r.dir, old.Info.IsCompoundFile); err != nil || j.numDocs == 0 {
		return nil, err
	}
	n := lucene.NewSegmentCommitInfo(info)
	n.SoftDelCount = src.alive - seg.NumDocs()
	return n, nil
}

// remove removes the files of the old commit that the new one does not name. They are only in the way: one that stays is
// removed when a writer opens the index.
func (r *rewriter) remove(old, kept []string) error {
	for _, name := range old {
		if slices.Contains(kept, name) {
			continue
		}
		if err := r.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what is no longer needed: %w", err)
		}
	}
	return nil
}
