package storecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

func name(i int) string { return fmt.Sprintf("blob-%d", i) }

// length is how many bytes a version of a blob has. Each version has another length.
func (r *run) length(i, version int) int64 {
	return max(0, r.size[i]-int64(version))
}

// content is that of a version of a blob.
func (r *run) content(i, version int) io.Reader {
	rnd := rand.New(rand.NewSource(r.opts.Seed + int64(i)*1000 + int64(version))) //nolint:gosec // test data
	return io.LimitReader(rnd, r.length(i, version))
}

// sameBytes compares a stream with what was written, from its beginning to its end.
func sameBytes(got, want io.Reader) (same bool, n int64, err error) {
	const step = 32 << 10
	a, b := make([]byte, step), make([]byte, step)
	for {
		na, err := io.ReadFull(got, a)
		n += int64(na)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, n, err
		}
		nb, _ := io.ReadFull(want, b) // want only ends
		if !bytes.Equal(a[:na], b[:nb]) {
			return false, n, nil
		}
		if na < step {
			return true, n, nil
		}
	}
}

// each does something with every blob, several at a time.
func (r *run) each(n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(r.ctx)
	g.SetLimit(r.opts.Concurrency)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

func (r *run) write() error {
	start := time.Now()
	var bytesOut, blobs atomic.Int64
	r.began = true
	err := r.each(r.opts.Blobs, func(ctx context.Context, i int) error {
		begun := time.Now()
		wait := r.readEarly(ctx, i)
		err := r.c.Put(ctx, name(i), r.content(i, 0), r.length(i, 0), blob.PutOptions{})
		r.blob[i].Write = time.Since(begun)
		if err == nil {
			blobs.Add(1)
			bytesOut.Add(r.length(i, 0))
		}
		wait()
		return err
	})
	r.rep.BlobsWritten, r.rep.BytesWritten, r.rep.WriteTime = int(blobs.Load()), bytesOut.Load(), time.Since(start)
	return err
}

// readEarly reads a blob that is about to be written: it may be there or not, but not in part. The function waits for it.
func (r *run) readEarly(ctx context.Context, i int) (wait func()) {
	if !r.opts.EarlyReads {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := r.same(ctx, i, 0)
		r.blob[i].EarlyRead, r.blob[i].EarlyFound = true, err == nil
		if err != nil && blob.KindOf(err) != blob.KindNotFound {
			r.early.CompareAndSwap(nil, &err)
		}
	}()
	return func() { <-done }
}

// earlyReads tells what was wrong with blobs that were read while they were written.
func (r *run) earlyReads() error {
	if err := r.early.Load(); err != nil {
		return fmt.Errorf("while it was written: %w", *err)
	}
	return nil
}

// same reads a blob and compares it with a version of it. It returns the time until the first byte.
func (r *run) same(ctx context.Context, i, version int) (time.Duration, error) {
	start := time.Now()
	rd, err := r.c.Get(ctx, name(i))
	if err != nil {
		return 0, err
	}
	defer rd.Close()
	first := &firstByte{r: rd, start: start}
	same, n, err := sameBytes(first, r.content(i, version))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", name(i), err)
	}
	if !same {
		return 0, fmt.Errorf("%s came back with other bytes: they differ before byte %d, and %d were written", name(i), n, r.length(i, version))
	}
	return first.took, nil
}

// firstByte notes when the first bytes came.
type firstByte struct {
	r     io.Reader
	start time.Time
	took  time.Duration
}

func (f *firstByte) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if f.took == 0 {
		f.took = time.Since(f.start)
	}
	return n, err
}

func (r *run) read() error {
	start := time.Now()
	var bytesIn, blobs atomic.Int64
	err := r.each(r.opts.Blobs, func(ctx context.Context, i int) error {
		begun := time.Now()
		first, err := r.same(ctx, i, 0)
		if err == nil {
			blobs.Add(1)
			bytesIn.Add(r.length(i, 0))
		}
		r.blob[i].FirstByte, r.blob[i].Read = first, time.Since(begun)
		return err
	})
	r.rep.BlobsRead, r.rep.BytesRead, r.rep.ReadTime = int(blobs.Load()), bytesIn.Load(), time.Since(start)
	return err
}

func (r *run) ranges() error {
	return r.each(min(r.opts.Blobs, 20), func(ctx context.Context, i int) error {
		off, n := r.length(i, 0)/3, r.length(i, 0)/2
		want := r.content(i, 0)
		if _, err := io.CopyN(io.Discard, want, off); err != nil {
			return err
		}
		rd, err := r.c.GetRange(ctx, name(i), off, n)
		if err != nil {
			return err
		}
		defer rd.Close()
		same, _, err := sameBytes(rd, io.LimitReader(want, n))
		if err == nil && !same {
			err = fmt.Errorf("the bytes %d to %d of %s are others than were written", off, off+n, name(i))
		}
		return err
	})
}

func (r *run) list() error {
	start := time.Now()
	have, err := blob.Names(r.ctx, r.c, "blob-")
	r.rep.ListTime = time.Since(start)
	if err != nil {
		return err
	}
	var wrong []string
	for i, size := range r.size {
		if got, ok := have[name(i)]; !ok || got != size {
			wrong = append(wrong, name(i))
		}
	}
	if len(wrong) > 0 || len(have) != len(r.size) {
		return fmt.Errorf("%d blobs were written and %d are listed; missing or of another size: %.200v", len(r.size), len(have), wrong)
	}
	return nil
}

func (r *run) overwrite() error {
	return r.each(r.opts.Blobs, func(ctx context.Context, i int) error {
		if !r.blob[i].Overwritten {
			return nil
		}
		start := time.Now()
		if err := r.c.Put(ctx, name(i), r.content(i, 1), r.length(i, 1), blob.PutOptions{}); err != nil {
			return err
		}
		r.blob[i].Overwrite = time.Since(start)
		_, err := r.same(ctx, i, 1)
		return err
	})
}

// contend lets several writers create one blob: exactly one may succeed.
func (r *run) contend() error {
	if !r.c.Capabilities().Has(blob.AtomicIfAbsent) {
		return errors.New("the store cannot create only what is absent")
	}
	for round := range r.opts.Contests {
		var won atomic.Int64
		key := fmt.Sprintf("race-%d", round)
		err := r.each(max(r.opts.Concurrency, 2), func(ctx context.Context, i int) error {
			b := fmt.Appendf(nil, "writer %d of round %d", i, round)
			err := r.c.Put(ctx, key, bytes.NewReader(b), int64(len(b)), blob.PutOptions{IfAbsent: true})
			switch {
			case err == nil:
				won.Add(1)
			case blob.KindOf(err) == blob.KindAlreadyExists:
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if n := won.Load(); n != 1 {
			return fmt.Errorf("%d of %d writers were told that they had created one blob", n, max(r.opts.Concurrency, 2))
		}
	}
	return nil
}

var errAborted = errors.New("aborted on purpose")

type brokenReader struct{ r io.Reader }

func (b brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = errAborted
	}
	return n, err
}

func (r *run) aborted() error {
	return r.each(r.opts.Blobs, func(ctx context.Context, i int) error {
		if !r.blob[i].Overwritten {
			return nil
		}
		key := fmt.Sprintf("aborted-%d", i)
		err := r.c.Put(ctx, key, brokenReader{r.content(i, 3)}, r.length(i, 3)+1, blob.PutOptions{})
		if !errors.Is(err, errAborted) {
			return fmt.Errorf("a write whose content broke off ended with: %w", err)
		}
		if there, err := blob.Exists(ctx, r.c, key); err != nil || there {
			return errors.Join(errors.New("a write whose content broke off left a blob"), err)
		}
		return nil
	})
}

func (r *run) remove() error {
	names := make([]string, 0, len(r.size))
	for i := range r.size {
		names = append(names, name(i))
	}
	start := time.Now()
	err := r.c.DeleteBatch(r.ctx, names)
	r.rep.DeleteTime = time.Since(start)
	if err != nil {
		return err
	}
	have, err := blob.Names(r.ctx, r.c, "blob-")
	if err == nil && len(have) > 0 {
		err = fmt.Errorf("%d blobs are still listed after they were deleted", len(have))
	}
	return err
}
