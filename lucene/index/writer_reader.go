package index

import (
	"context"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

type DirectoryReader struct{}

func (d *DirectoryReader) Close() error { return nil }

type mergeReader interface {
	lucene.LeafReader
	StoredFieldsReader() codec.StoredFieldsReader
	Close() error
}

type coreHolder struct{ mu sync.Mutex }

func (c *coreHolder) open(dir store.Directory, info *lucene.SegmentCommitInfo) (mergeReader, error) {
	return nil, errMissing
}
func (c *coreHolder) close() error { return nil }

func openMergeReader(dir store.Directory, info *lucene.SegmentCommitInfo) (mergeReader, error) {
	return nil, errMissing
}

func liveOf(dir store.Directory, sci *lucene.SegmentCommitInfo, r lucene.LeafReader) (live, hard *lucene.FixedBits, err error) {
	return nil, nil, nil
}
func (w *Writer) leafOf(s *segment) (mergeReader, error)               { return nil, errMissing }
func (w *Writer) Reader(ctx context.Context) (*DirectoryReader, error) { return nil, errMissing }
func (w *Writer) mergeVectors(ctx context.Context, state *codec.WriteState, j *mergeJob) error {
	return nil
}
func (j *mergeJob) pointSource(f *lucene.FieldInfo) (codec.PointSource, error) {
	return nil, errMissing
}
