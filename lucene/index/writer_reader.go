package index

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// coreHolder keeps a segment open for as long as the writer has it. It is opened when it is first asked for.
type coreHolder struct {
	mu   sync.Mutex
	base *SegmentReader // of the state at which it was opened: its live documents do not count
	view *SegmentReader // the last one handed out with the live documents of a later moment
}

// open returns the segment's reader, valid until close: for that, Writer.segMu must be held or the segment be in no list.
func (c *coreHolder) open(dir store.Directory, info *lucene.SegmentCommitInfo) (*SegmentReader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base == nil {
		r, err := openSegment(dir, info, store.Random)
		if err != nil {
			return nil, err
		}
		c.base = r
	}
	return c.base, nil
}

func (c *coreHolder) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, r := range []*SegmentReader{c.view, c.base} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	c.base, c.view = nil, nil
	return errors.Join(errs...)
}

// leafOf returns a reader of a segment with its documents that are alive now; the caller closes it. segMu is held.
func (w *Writer) leafOf(s *segment) (*SegmentReader, error) {
	w.mu.Lock()
	info, live, hard := s.info, s.live, s.hard
	w.mu.Unlock()
	base, err := s.core.open(w.dir, info)
	if err != nil {
		return nil, err
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	if v := s.core.view; v != nil && v.live == live && v.hard == hard && v.info == info && v.Acquire() {
		return v, nil
	}
	v, err := base.withLive(info, live, hard)
	if err != nil {
		return nil, err
	}
	if old := s.core.view; old != nil {
		if err := old.Close(); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	v.Acquire() // for the holder
	s.core.view = v
	return v, nil
}

// Reader returns the index with all operations that returned before the call. It shares with earlier readers what has not
// changed, and is the same one when nothing has. The caller closes it; it outlives the writer.
func (w *Writer) Reader(ctx context.Context) (*DirectoryReader, error) {
	var out *DirectoryReader
	err := w.endGeneration(ctx, func() error {
		w.mu.Lock()
		segs, at := slices.Clone(w.segs), w.changes
		last := w.reader
		same := last != nil && w.readerAt == at
		w.mu.Unlock()
		if same && last.Acquire() {
			out = last
			return nil
		}
		var readers []*SegmentReader
		for _, s := range segs {
			r, err := w.leafOf(s)
			if err != nil {
				for _, r := range readers {
					err = errors.Join(err, r.Close())
				}
				return err
			}
			readers = append(readers, r)
		}
		out = newDirectoryReader(w.dir, nil, readers)
		out.Acquire() // for the writer
		w.mu.Lock()
		w.reader, w.readerAt = out, at
		w.mu.Unlock()
		if last != nil {
			return last.Close()
		}
		return nil
	})
	if err != nil && out != nil {
		err = errors.Join(err, out.Close())
		out = nil
	}
	return out, err
}
