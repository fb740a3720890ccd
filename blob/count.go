package blob

import (
	"context"
	"io"
	"time"
)

// counting counts the calls of a container whose store does not count requests itself.
type counting struct {
	inner
	counters *Counters
}

// countingTemp is counting for a TempCleaner.
type countingTemp struct {
	counting
	TempCleaner
}

// Count wraps a container so that each call counts as one request, of a kind such as "put". Containers that are [Counted] need it not.
func Count(c Container, counters *Counters) Container {
	n := counting{c, counters}
	if t, ok := c.(TempCleaner); ok {
		return countingTemp{n, t}
	}
	return n
}

// Unwrap returns the container whose calls are counted.
func (c counting) Unwrap() Container { return c.inner }

func (c counting) done(kind string, start time.Time, out int64, err error) {
	c.counters.Add(Attempt{Kind: kind, BytesOut: out, Failed: err != nil, Time: time.Since(start)})
}

func (c counting) Put(ctx context.Context, name string, r io.Reader, size int64, opts PutOptions) error {
	start := time.Now()
	err := c.inner.Put(ctx, name, r, size, opts)
	if err != nil {
		size = 0 // how much of it was sent is not known
	}
	c.done("put", start, size, err)
	return err
}

func (c counting) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	start := time.Now()
	r, err := c.inner.Get(ctx, name)
	return c.reader("get", start, r, err)
}

func (c counting) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	start := time.Now()
	r, err := c.inner.GetRange(ctx, name, off, length)
	return c.reader("get_range", start, r, err)
}

func (c counting) reader(kind string, start time.Time, r io.ReadCloser, err error) (io.ReadCloser, error) {
	c.done(kind, start, 0, err)
	if err != nil {
		return nil, err
	}
	return &countingReader{r, c.counters}, nil
}

type countingReader struct {
	io.ReadCloser
	counters *Counters
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		r.counters.AddBytesIn(int64(n))
	}
	return n, err
}

func (c counting) Stat(ctx context.Context, name string) (Info, error) {
	start := time.Now()
	i, err := c.inner.Stat(ctx, name)
	c.done("stat", start, 0, err)
	return i, err
}

func (c counting) List(ctx context.Context, prefix string, fn func(Info) error) error {
	start := time.Now()
	err := c.inner.List(ctx, prefix, fn)
	c.done("list", start, 0, err)
	return err
}

func (c counting) Children(ctx context.Context, fn func(string) error) error {
	start := time.Now()
	err := c.inner.Children(ctx, fn)
	c.done("children", start, 0, err)
	return err
}

func (c counting) Container(path string) (Container, error) {
	in, err := c.inner.Container(path)
	if err != nil {
		return nil, err
	}
	return Count(in, c.counters), nil
}

func (c counting) DeleteBatch(ctx context.Context, names []string) error {
	start := time.Now()
	err := c.inner.DeleteBatch(ctx, names)
	c.done("delete", start, 0, err)
	return err
}

func (c counting) DeleteTree(ctx context.Context) (DeleteStats, error) {
	start := time.Now()
	s, err := c.inner.DeleteTree(ctx)
	c.done("delete_tree", start, 0, err)
	return s, err
}
