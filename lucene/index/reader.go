package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// DirectoryReader is an index at one moment: of a commit, or as a writer had it. It is immutable and safe
// for concurrent use.
//
// It counts its users: each Acquire needs a Close, as does the opening. Queries that run take one, so
// that no file goes away under them.
type DirectoryReader struct {
	refs
	dir     store.Directory
	infos   *segments.Infos // the commit; nil for a reader that a writer made
	readers []*SegmentReader
	leaves  []lucene.LeafContext
	maxDoc  int32
	numDocs int32
}

// OpenDirectory opens a commit of the index in dir: that whose file is named, such as segments_4, or the
// last one for "". While a writer goes on, files may vanish under the opening; as long as there is a newer
// commit then, it is tried instead.
func OpenDirectory(ctx context.Context, dir store.Directory, commit string) (*DirectoryReader, error) {
	return openDirectory(ctx, dir, commit, nil)
}

// OpenIfChanged returns a reader of the last commit that shares with r what has not changed, or r itself,
// with one more user, and false if there is no other commit.
func (r *DirectoryReader) OpenIfChanged(ctx context.Context) (*DirectoryReader, bool, error) {
	if !r.acquire() {
		return nil, false, fmt.Errorf("reopen index: %w", store.ErrClosed)
	}
	n, err := openDirectory(ctx, r.dir, "", r)
	if err == nil && n == nil {
		return r, false, nil
	}
	if rerr := r.release(); err == nil {
		err = rerr
	}
	return n, n != nil, err
}

// openDirectory returns nil if old is the commit already.
func openDirectory(ctx context.Context, dir store.Directory, commit string, old *DirectoryReader) (*DirectoryReader, error) {
	tried := int64(-1)
	var firstErr error
	for {
		name := commit
		if name == "" {
			files, err := dir.List()
			if err != nil {
				return nil, fmt.Errorf("open index: %w", err)
			}
			gen := segments.LastGeneration(files)
			switch {
			case gen == -1:
				return nil, fmt.Errorf("open index: %w", segments.ErrNoCommit)
			case gen <= tried:
				return nil, fmt.Errorf("open index: %w", firstErr)
			}
			tried, name = gen, segments.FileName(gen)
		}
		r, err := openCommit(ctx, dir, name, old)
		if err == nil {
			return r, nil
		}
		if commit != "" || ctx.Err() != nil {
			return nil, fmt.Errorf("open index: %w", err)
		}
		if firstErr == nil {
			firstErr = err
		}
	}
}

func openCommit(ctx context.Context, dir store.Directory, name string, old *DirectoryReader) (*DirectoryReader, error) {
	infos, err := segments.Read(dir, name)
	if err != nil {
		return nil, err
	}
	if old != nil && old.infos != nil && old.infos.ID == infos.ID && old.infos.Generation == infos.Generation {
		return nil, nil
	}
	known := map[lucene.ID]*SegmentReader{}
	if old != nil {
		for _, r := range old.readers {
			known[r.core.info.ID] = r
		}
	}
	readers := make([]*SegmentReader, len(infos.Segments))
	errs := make([]error, len(infos.Segments))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, sci := range infos.Segments {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			errs[i] = store.Guard(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				var err error
				readers[i], err = openOrShare(dir, sci, known[sci.Info.ID])
				return err
			})
		}()
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		for _, r := range readers {
			if r != nil {
				_ = r.Close() // the error that counts is the first
			}
		}
		if errors.Is(err, fs.ErrNotExist) && !store.IsCorrupt(err) {
			err = &store.CorruptError{File: name, Offset: -1, Problem: "a file of the commit is missing", Err: err}
		}
		return nil, err
	}
	return newDirectoryReader(dir, infos, readers), nil
}

// openOrShare opens a segment, sharing with known, another reader of it, what is the same.
func openOrShare(dir store.Directory, sci *lucene.SegmentCommitInfo, known *SegmentReader) (*SegmentReader, error) {
	if known == nil {
		return openSegment(dir, sci, store.Random)
	}
	o := known.info
	if o.DelGen == sci.DelGen && o.FieldInfosGen == sci.FieldInfosGen && o.DocValuesGen == sci.DocValuesGen && known.acquire() {
		return known, nil
	}
	return known.core.reader(sci, known)
}

// newDirectoryReader puts readers together; it closes them when it is closed. infos may be nil.
func newDirectoryReader(dir store.Directory, infos *segments.Infos, readers []*SegmentReader) *DirectoryReader {
	d := &DirectoryReader{dir: dir, infos: infos, readers: readers}
	for i, r := range readers {
		d.leaves = append(d.leaves, lucene.LeafContext{Reader: r, Ord: i, DocBase: d.maxDoc})
		d.maxDoc += r.MaxDoc()
		d.numDocs += r.NumDocs()
	}
	d.refs.init(func() error {
		var errs []error
		for _, r := range d.readers {
			errs = append(errs, r.Close())
		}
		return errors.Join(errs...)
	})
	return d
}

// Acquire counts one more user. It returns false if the reader is closed already.
func (r *DirectoryReader) Acquire() bool { return r.acquire() }

// Close ends one use of the reader.
func (r *DirectoryReader) Close() error { return r.release() }

// Leaves returns the segments; the slice must not be changed.
func (r *DirectoryReader) Leaves() []lucene.LeafContext { return r.leaves }

// Segments returns the segments as what they are; the slice must not be changed.
func (r *DirectoryReader) Segments() []*SegmentReader { return r.readers }

// MaxDoc returns the number of documents, deleted ones included.
func (r *DirectoryReader) MaxDoc() int32 { return r.maxDoc }

// NumDocs returns the number of live documents.
func (r *DirectoryReader) NumDocs() int32 { return r.numDocs }

// Infos returns the commit that was opened, or nil for a reader that a writer made. It must not be changed.
func (r *DirectoryReader) Infos() *segments.Infos { return r.infos }
