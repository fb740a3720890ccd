package repository

import (
	"context"
	"io"
	"sync"

	"github.com/varve-search/varve/blob"
)

// RangedFile is a file of which several ranges are read side by side, on a store where that is faster. It is safe for concurrent use.
type RangedFile struct {
	s     *Shard
	f     FileInfo
	how   Resume
	size  int64
	parts []blob.Ranges // of the blobs of which a range was opened

	mu   sync.Mutex
	next int64                // where the next range begins
	sum  luceneSum            // of the bytes before the first range that was not read to its end yet
	read map[int64]*luceneSum // of ranges behind that one, by where they begin
}

// Ranged is for files that are read in ranges of at most size bytes. It returns nil where the file is not larger than that, or its store
// is not faster with ranges. How the ranges outlive failures is said as for OpenFileResuming.
func (s *Shard) Ranged(f FileInfo, size int64, how Resume) *RangedFile {
	if f.Virtual() || f.Length <= size {
		return nil
	}
	how.Attempts = max(how.Attempts, 1)
	r := &RangedFile{s: s, f: f, how: how, size: size, parts: make([]blob.Ranges, f.Parts()), sum: luceneSum{length: f.Length}, read: map[int64]*luceneSum{}}
	if r.parts[0] = blob.RangesOf(s.container(&f), f.PartName(0)); r.parts[0] == nil {
		return nil
	}
	return r
}

// Next opens the next range that was not opened yet, which begins at the byte off of the file; it returns nil after the last one. Its
// first request is sent by its first Read. It lies in one of the file's blobs, and io.EOF comes only after all of its bytes. An error of
// blob.KindUnsupported says that the file had better be opened from its begin.
func (r *RangedFile) Next(ctx context.Context) (rd io.ReadCloser, off int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off = r.next; off >= r.f.Length {
		return nil, off
	}
	part := 0
	if len(r.parts) > 1 {
		part = int(off / r.f.PartSize)
	}
	if r.parts[part] == nil {
		r.parts[part] = blob.RangesOf(r.s.container(&r.f), r.f.PartName(part))
	}
	before := int64(part) * r.f.PartSize
	at := off - before
	n := min(r.size, r.f.PartLength(part)-at)
	r.next += n
	return &rangeReader{of: r, off: off, sum: &luceneSum{length: r.f.Length, pos: off}, resumingReader: resumingReader{
		ctx: ctx, s: r.s, f: r.f, how: r.how, part: part, at: at, done: before, ranges: r.parts[part], stop: at + n}}, off
}

// Verify says whether length and checksum of the file are right, once all ranges were read to their ends.
func (r *RangedFile) Verify() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sum.pos != r.f.Length {
		return r.s.wrap(io.ErrUnexpectedEOF, "file [%s]: of %d bytes only %d were read", r.f.PhysicalName, r.f.Length, r.sum.pos)
	}
	_, err := r.sum.verify(r.f.PhysicalName, r.f.Checksum)
	return err
}

// ended takes the sum of a range that begins at a byte of the file.
func (r *RangedFile) ended(off int64, sum *luceneSum) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[off] = sum
	for {
		next, ok := r.read[r.sum.pos]
		if !ok {
			return
		}
		delete(r.read, r.sum.pos)
		r.sum.follow(next)
	}
}

// rangeReader reads one range.
type rangeReader struct {
	resumingReader
	of    *RangedFile
	sum   *luceneSum
	off   int64
	ended bool
}

func (r *rangeReader) Read(b []byte) (int, error) {
	n, err := r.resumingReader.Read(b)
	r.sum.write(b[:n])
	if err == io.EOF && !r.ended { //nolint:errorlint // the end itself
		r.ended = true
		r.of.ended(r.off, r.sum)
	}
	return n, err
}
