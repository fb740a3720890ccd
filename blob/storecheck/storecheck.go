// Package storecheck tries out whether a store does what a snapshot repository needs of it: whole writes, reads of ranges,
// lists that show what was written, atomic creation of what is absent, deletes. It works in a folder of its own, whose name
// starts with "tests-" as that of OpenSearch's probes does, and removes it.
package storecheck

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sort"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

// Options bound a check.
type Options struct {
	Blobs       int   // how many are written; 100 where it is 0
	Concurrency int   // requests at a time; 10 where it is 0
	MaxSize     int64 // of a blob in bytes; 10 MiB where it is 0
	Seed        int64 // of sizes, contents and order
}

// Issue is something that a repository could not live with.
type Issue struct {
	Check   string `json:"check"`   // such as "conditional creation"
	Problem string `json:"problem"` // what happened
	Advice  string `json:"advice"`  // what helps
}

// Report is the outcome.
type Report struct {
	Issues       []Issue       `json:"issues"`
	Checks       []string      `json:"checks"` // those that were made, in order
	BlobsWritten int           `json:"blobs_written"`
	BytesWritten int64         `json:"bytes_written"`
	BytesRead    int64         `json:"bytes_read"`
	WriteTime    time.Duration `json:"write_nanos"`
	ReadTime     time.Duration `json:"read_nanos"`
}

type run struct {
	ctx  context.Context //nolint:containedctx // of one call of Run
	c    blob.Container
	opts Options
	rep  *Report
	size map[string]int64
}

// Run checks a store. The error is one of the context; everything else is an issue in the report.
func Run(ctx context.Context, store blob.Container, opts Options) (*Report, error) {
	if opts.MaxSize <= 0 {
		opts.MaxSize = 10 << 20
	}
	if opts.Blobs <= 0 {
		opts.Blobs = 100
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = 10
	}
	var id [8]byte
	if _, err := crand.Read(id[:]); err != nil {
		return nil, err
	}
	c, err := store.Container(fmt.Sprintf("tests-%x", id))
	if err != nil {
		return nil, err
	}
	r := &run{ctx: ctx, c: c, opts: opts, rep: &Report{}, size: map[string]int64{}}
	steps := []struct {
		name, advice string
		do           func() error
	}{
		{"access", "correct the setting that the message names", func() error { return blob.Check(ctx, store) }},
		{"parallel writes", "look at the rights to write, and at proxies between", r.write},
		{"reads", "the store or something between returns other bytes than were written: do not use it", r.read},
		{"ranges", "the store must answer requests for ranges", r.ranges},
		{"list after write", "the store must list what was written at once", r.list},
		{"overwrite", "the store must show the new content at once", r.overwrite},
		{"conditional creation", "the store must support If-None-Match: * atomically; without it two writers can destroy a repository", r.contend},
		{"aborted write", "the store must not show a blob that was not written to its end", r.aborted},
		{"delete", "give the right to delete (s3:DeleteObject); without it repositories grow for ever", r.remove},
	}
	for _, s := range steps {
		r.rep.Checks = append(r.rep.Checks, s.name)
		err := s.do()
		if ctx.Err() != nil {
			r.cleanUp()
			return r.rep, ctx.Err()
		}
		if err != nil {
			r.rep.Issues = append(r.rep.Issues, Issue{s.name, err.Error(), s.advice})
			if s.name == "access" || s.name == "parallel writes" {
				break // nothing that follows can work
			}
		}
	}
	r.cleanUp()
	return r.rep, nil
}

// cleanUp removes what is left, also when the caller has gone.
func (r *run) cleanUp() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 30*time.Second)
	defer cancel()
	if r.rep.BlobsWritten > 0 {
		if _, err := r.c.DeleteTree(ctx); err != nil {
			r.rep.Issues = append(r.rep.Issues, Issue{"clean-up", err.Error(), fmt.Sprintf("remove %s by hand", r.c)})
		}
	}
}

// content is that of a blob, from its number and version.
func (r *run) content(i, version int) []byte {
	rnd := rand.New(rand.NewSource(r.opts.Seed + int64(i)*1000 + int64(version))) //nolint:gosec // test data
	n := rnd.Int63n(64 << 10)
	if i%10 == 0 {
		n = rnd.Int63n(r.opts.MaxSize + 1)
	}
	b := make([]byte, n)
	rnd.Read(b)
	return b
}

func name(i int) string { return fmt.Sprintf("blob-%d", i) }

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
	for i := range r.opts.Blobs {
		r.size[name(i)] = int64(len(r.content(i, 0)))
	}
	err := r.each(r.opts.Blobs, func(ctx context.Context, i int) error {
		b := r.content(i, 0)
		blobs.Add(1)
		bytesOut.Add(int64(len(b)))
		return r.c.Put(ctx, name(i), bytes.NewReader(b), int64(len(b)), blob.PutOptions{})
	})
	r.rep.BlobsWritten, r.rep.BytesWritten, r.rep.WriteTime = int(blobs.Load()), bytesOut.Load(), time.Since(start)
	return err
}

func (r *run) same(ctx context.Context, i, version int) error {
	want := r.content(i, version)
	got, err := blob.ReadAll(ctx, r.c, name(i), r.opts.MaxSize+64<<10)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s came back with other bytes (%d, and %d were written)", name(i), len(got), len(want))
	}
	return err
}

func (r *run) read() error {
	start := time.Now()
	err := r.each(r.opts.Blobs, func(ctx context.Context, i int) error { return r.same(ctx, i, 0) })
	r.rep.BytesRead, r.rep.ReadTime = r.rep.BytesWritten, time.Since(start)
	return err
}

func (r *run) ranges() error {
	return r.each(min(r.opts.Blobs, 20), func(ctx context.Context, i int) error {
		want := r.content(i, 0)
		off := int64(len(want) / 3)
		n := int64(len(want) / 2)
		rd, err := r.c.GetRange(ctx, name(i), off, n)
		if err != nil {
			return err
		}
		defer rd.Close()
		got, err := io.ReadAll(io.LimitReader(rd, n+1))
		if err == nil && !bytes.Equal(got, want[off:min(off+n, int64(len(want)))]) {
			err = fmt.Errorf("the bytes %d to %d of %s are others than were written", off, off+n, name(i))
		}
		return err
	})
}

func (r *run) list() error {
	have, err := blob.Names(r.ctx, r.c, "blob-")
	if err != nil {
		return err
	}
	var wrong []string
	for n, size := range r.size {
		if got, ok := have[n]; !ok || got != size {
			wrong = append(wrong, n)
		}
	}
	sort.Strings(wrong)
	if len(wrong) > 0 || len(have) != len(r.size) {
		return fmt.Errorf("%d blobs were written and %d are listed; missing or of another size: %.200v", len(r.size), len(have), wrong)
	}
	return nil
}

func (r *run) overwrite() error {
	return r.each(min(r.opts.Blobs, 20), func(ctx context.Context, i int) error {
		b := r.content(i, 1)
		if err := r.c.Put(ctx, name(i), bytes.NewReader(b), int64(len(b)), blob.PutOptions{}); err != nil {
			return err
		}
		return r.same(ctx, i, 1)
	})
}

// contend lets several writers create one blob: exactly one may succeed.
func (r *run) contend() error {
	if !r.c.Capabilities().Has(blob.AtomicIfAbsent) {
		return errors.New("the store cannot create only what is absent")
	}
	for round := range 10 {
		var won atomic.Int64
		key := fmt.Sprintf("race-%d", round)
		err := r.each(max(r.opts.Concurrency, 2), func(ctx context.Context, i int) error {
			b := r.content(i, 2)
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
	half := make([]byte, r.opts.MaxSize/2)
	err := r.c.Put(r.ctx, "aborted", brokenReader{bytes.NewReader(half)}, int64(len(half))+1, blob.PutOptions{})
	if !errors.Is(err, errAborted) {
		return fmt.Errorf("a write whose content broke off ended with: %w", err)
	}
	if there, err := blob.Exists(r.ctx, r.c, "aborted"); err != nil || there {
		return errors.Join(errors.New("a write whose content broke off left a blob"), err)
	}
	return nil
}

func (r *run) remove() error {
	names := make([]string, 0, len(r.size))
	for n := range r.size {
		names = append(names, n)
	}
	if err := r.c.DeleteBatch(r.ctx, names); err != nil {
		return err
	}
	have, err := blob.Names(r.ctx, r.c, "blob-")
	if err == nil && len(have) > 0 {
		err = fmt.Errorf("%d blobs are still listed after they were deleted", len(have))
	}
	return err
}
