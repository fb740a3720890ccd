package index

import (
	"context"
	"errors"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// mergeReader is what a merge and the application of deletes need of a segment.
type mergeReader interface {
	lucene.LeafReader
	StoredFieldsReader() codec.StoredFieldsReader
	TermVectorsReader() codec.TermVectorsReader
	Close() error
}

// coreHolder keeps a reader of a segment open for the writer; the readers handed out share its core.
type coreHolder struct {
	mu sync.Mutex
	r  *SegmentReader
}

// open returns the reader, which the holder keeps, opening it when it is first asked for.
func (c *coreHolder) open(dir store.Directory, info *lucene.SegmentCommitInfo) (*SegmentReader, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.r == nil {
		r, err := openSegment(dir, info, store.Random)
		if err != nil {
			return nil, err
		}
		c.r = r
	}
	return c.r, nil
}

func (c *coreHolder) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.r == nil {
		return nil
	}
	r := c.r
	c.r = nil
	return r.Close()
}

func openMergeReader(dir store.Directory, info *lucene.SegmentCommitInfo) (mergeReader, error) {
	return openSegment(dir, info, store.Sequential)
}

// liveOf returns which documents of a segment of a commit are neither hard- nor soft-deleted, and which are not hard-deleted.
func liveOf(_ store.Directory, _ *lucene.SegmentCommitInfo, r *SegmentReader) (live, hard *lucene.FixedBits, err error) {
	return r.live, r.hard, nil
}

// leafOf returns a reader of a segment as it is now. It is called with segMu held.
func (w *Writer) leafOf(s *segment) (*SegmentReader, error) {
	r, err := s.core.open(w.dir, s.info)
	if err != nil {
		return nil, err
	}
	info := s.info.Clone()
	info.DelCount = s.dead
	return r.withLive(info, s.live, s.hard)
}

// Reader returns a reader of all operations that returned before, without a commit. It must be closed.
func (w *Writer) Reader(ctx context.Context) (*DirectoryReader, error) {
	var readers []*SegmentReader
	err := w.endGeneration(ctx, func() error {
		for _, s := range w.segs {
			r, err := w.leafOf(s)
			if err != nil {
				return err
			}
			readers = append(readers, r)
		}
		return nil
	})
	if err != nil {
		for _, r := range readers {
			err = errors.Join(err, r.Close())
		}
		return nil, err
	}
	return newDirectoryReader(w.dir, nil, readers), nil
}

func leavesOf(d *DirectoryReader) []lucene.LeafReader {
	var leaves []lucene.LeafReader
	for _, l := range d.Leaves() {
		leaves = append(leaves, l.Reader)
	}
	return leaves
}
