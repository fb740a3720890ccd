package blob

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
)

// Request is one call that went through a traced container.
type Request struct {
	// Op is put, put-if-absent, get, get-range, stat, list, children, delete or delete-tree.
	Op string
	// Path is the blob's name, or the prefix listed, below the container that Trace was given.
	Path string
	// Bytes is the size of a Put, and the length asked for by a GetRange.
	Bytes int64
	// Err is what the store answered.
	Err error
}

// String renders a request as one line of a golden trace. Sizes are left out: they differ from run
// to run.
func (r Request) String() string {
	if r.Err != nil {
		return fmt.Sprintf("%s %s -> %s", r.Op, r.Path, KindOf(r.Err))
	}
	return r.Op + " " + r.Path
}

// Recorder collects requests in order. Its zero value is ready.
type Recorder struct {
	mu   sync.Mutex
	reqs []Request
}

// Record adds a request.
func (r *Recorder) Record(q Request) {
	r.mu.Lock()
	r.reqs = append(r.reqs, q)
	r.mu.Unlock()
}

// Requests returns a copy of what was recorded.
func (r *Recorder) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.reqs...)
}

// Reset forgets what was recorded.
func (r *Recorder) Reset() {
	r.mu.Lock()
	r.reqs = nil
	r.mu.Unlock()
}

// Counts returns the number of requests by Op.
func (r *Recorder) Counts() map[string]int {
	counts := map[string]int{}
	for _, q := range r.Requests() {
		counts[q.Op]++
	}
	return counts
}

type traced struct {
	inner
	prefix string
	report func(Request)
}

// Trace wraps a container and calls report after each request, from the goroutine that made it.
func Trace(c Container, report func(Request)) Container { return traced{c, "", report} }

// Unwrap returns the container whose requests are traced.
func (t traced) Unwrap() Container { return t.inner }

func (t traced) note(op, name string, n int64, err error) {
	t.report(Request{Op: op, Path: t.prefix + name, Bytes: n, Err: err})
}

func (t traced) Put(ctx context.Context, name string, r io.Reader, size int64, opts PutOptions) error {
	err := t.inner.Put(ctx, name, r, size, opts)
	op := "put"
	if opts.IfAbsent {
		op = "put-if-absent"
	}
	t.note(op, name, size, err)
	return err
}

func (t traced) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := t.inner.Get(ctx, name)
	t.note("get", name, 0, err)
	return r, err
}

func (t traced) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	r, err := t.inner.GetRange(ctx, name, off, length)
	t.note("get-range", name, length, err)
	return r, err
}

func (t traced) Stat(ctx context.Context, name string) (Info, error) {
	i, err := t.inner.Stat(ctx, name)
	t.note("stat", name, 0, err)
	return i, err
}

func (t traced) List(ctx context.Context, prefix string, fn func(Info) error) error {
	err := t.inner.List(ctx, prefix, fn)
	t.note("list", prefix, 0, err)
	return err
}

func (t traced) Children(ctx context.Context, fn func(string) error) error {
	err := t.inner.Children(ctx, fn)
	t.note("children", "", 0, err)
	return err
}

func (t traced) Container(path string) (Container, error) {
	c, err := t.inner.Container(path)
	if err != nil || path == "" {
		return t, err
	}
	return traced{c, t.prefix + path + "/", t.report}, nil
}

func (t traced) DeleteBatch(ctx context.Context, names []string) error {
	err := t.inner.DeleteBatch(ctx, names)
	sorted := append([]string(nil), names...)
	sort.Strings(sorted)
	t.note("delete", strings.Join(sorted, " "), int64(len(names)), err)
	return err
}

func (t traced) DeleteTree(ctx context.Context) (DeleteStats, error) {
	s, err := t.inner.DeleteTree(ctx)
	t.note("delete-tree", "", s.Bytes, err)
	return s, err
}
