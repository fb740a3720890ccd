package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/lucene/store"
)

// Resume says how a file's stream outlives failures of its store.
type Resume struct {
	// Attempts is how many requests in a row may bring nothing; at least 1.
	Attempts int
	// Pause is the time before the second request of such a row; it doubles with each, up to MaxPause.
	Pause, MaxPause time.Duration
	// Retried, if set, is told of each failure that is outlived, and at which byte of the file.
	Retried func(off int64, err error)
}

// Transient says whether the same request may succeed when it is sent again: the store was not there, asks to slow down,
// or a stream broke off.
func Transient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || store.IsCorrupt(err) {
		return false
	}
	return blob.KindOf(err).Retryable() || errors.Is(err, io.ErrUnexpectedEOF)
}

// OpenFileResuming is OpenFile for stores that fail now and then: the stream goes on at the byte that it had reached.
// Length and checksum are verified over the whole file, as OpenFile does. The first request is sent by the first Read.
func (s *Shard) OpenFileResuming(ctx context.Context, f FileInfo, how Resume) io.ReadCloser {
	if f.Virtual() {
		rc, _ := s.OpenFile(ctx, f) // from memory: it cannot fail
		return rc
	}
	how.Attempts = max(how.Attempts, 1)
	r := &resumingReader{ctx: ctx, s: s, f: f, how: how}
	return &resumingFile{newSumReader(r, f.PhysicalName, f.Length, f.Checksum), r}
}

type resumingFile struct {
	*sumReader
	r *resumingReader
}

func (f *resumingFile) Close() error { return f.r.Close() }

// resumingReader reads a file's blobs one after another, opening the one that failed again where it broke off.
type resumingReader struct {
	ctx    context.Context //nolint:containedctx // an io.Reader carries none
	s      *Shard
	f      FileInfo
	how    Resume
	part   int
	at     int64 // in the part
	done   int64 // of the parts before
	cur    io.ReadCloser
	failed int // requests in a row that brought nothing

	// Of a reader of one range:
	ranges blob.Ranges
	stop   int64 // where it ends in its part
}

// end is where the reader's bytes of a part end.
func (r *resumingReader) end() int64 {
	if r.ranges != nil {
		return r.stop
	}
	return r.f.PartLength(r.part)
}

func (r *resumingReader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for r.part < r.f.Parts() {
		left := r.end() - r.at
		if left == 0 && (r.f.Length > 0 || r.cur != nil) {
			if err := r.finish(); err != nil {
				return 0, err
			}
			if r.ranges != nil {
				return 0, io.EOF
			}
			r.done += r.at
			r.part, r.at = r.part+1, 0
			continue
		}
		n, err := r.step(b[:min(int64(len(b)), max(left, 1))])
		if n > 0 {
			r.at += int64(n)
			r.failed = 0
			return n, nil // an error with it comes again with the next read, or is outlived
		}
		if r.f.Length == 0 && errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err := r.outlive(err); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// finish closes the stream of a blob that was read to its end; being at the end also lets a connection be used again.
func (r *resumingReader) finish() error {
	if r.cur == nil {
		return nil
	}
	var more [1]byte
	if n, _ := r.cur.Read(more[:]); n > 0 {
		return store.Corruptf(r.f.PhysicalName, r.done+r.at, "blob [%s] has more than its %d bytes", r.f.PartName(r.part), r.f.PartLength(r.part))
	}
	_ = r.Close() // everything was read and is verified
	return nil
}

// step reads from the stream, opening it if need be.
func (r *resumingReader) step(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	if r.cur == nil {
		var err error
		if r.cur, err = r.open(); err != nil {
			return 0, err
		}
	}
	for {
		n, err := r.cur.Read(b)
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (r *resumingReader) open() (io.ReadCloser, error) {
	name, left := r.f.PartName(r.part), r.end()-r.at
	switch {
	case r.ranges != nil && r.stop == r.f.PartLength(r.part):
		return r.ranges.GetRange(r.ctx, r.at, left+1) // of which the last byte must not be there
	case r.ranges != nil:
		return r.ranges.GetRange(r.ctx, r.at, left)
	case r.at == 0:
		return r.s.container(&r.f).Get(r.ctx, name)
	}
	return r.s.container(&r.f).GetRange(r.ctx, name, r.at, left)
}

// outlive returns nil if the request may be sent again, after a pause.
func (r *resumingReader) outlive(err error) error {
	_ = r.Close() // the stream failed already
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	name := r.f.PartName(r.part)
	short := errors.Is(err, io.EOF)
	if !short && !Transient(err) {
		return r.s.wrap(err, "file [%s]", r.f.PhysicalName)
	}
	if short { // cut by the way, or a blob that is too short: asked once more it tells
		err = fmt.Errorf("the stream of blob [%s] ended after %d of %d bytes: %w", name, r.at, r.f.PartLength(r.part), io.ErrUnexpectedEOF)
	}
	r.failed++
	switch {
	case short && r.failed > 1:
		return store.Corruptf(r.f.PhysicalName, r.done+r.at, "blob [%s] has only %d of its %d bytes", name, r.at, r.f.PartLength(r.part))
	case r.failed >= r.how.Attempts:
		return r.s.wrap(err, "file [%s], from byte %d on, %d requests in a row", r.f.PhysicalName, r.done+r.at, r.failed)
	}
	if r.how.Retried != nil {
		r.how.Retried(r.done+r.at, err)
	}
	pause := r.how.Pause << min(r.failed-1, 20)
	if r.how.MaxPause > 0 {
		pause = min(pause, r.how.MaxPause)
	}
	if pause <= 0 {
		return nil
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// Close ends the stream that is open.
func (r *resumingReader) Close() error {
	if r.cur == nil {
		return nil
	}
	c := r.cur
	r.cur = nil
	return c.Close()
}
