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
	path     string // below the container that Count was given: empty, or ending with a slash
}

// countingTemp is counting for a TempCleaner.
type countingTemp struct {
	counting
	TempCleaner
}

// Count wraps a container so that each call counts as one request, of a kind such as "put". Containers that are [Counted] need it not.
func Count(c Container, counters *Counters) Container { return count(c, counters, "") }

func count(c Container, counters *Counters, path string) Container {
	n := counting{c, counters, path}
	if t, ok := c.(TempCleaner); ok {
		return countingTemp{n, t}
	}
	return n
}

// Unwrap returns the container whose calls are counted.
func (c counting) Unwrap() Container { return c.inner }

func (c counting) done(ctx context.Context, kind, name string, start time.Time, out int64, err error) {
	c.counters.Sent(ctx, Attempt{Kind: kind, Blob: c.path + name, BytesOut: out, Failed: err != nil, Time: time.Since(start)}, nil)
}

func (c counting) Put(ctx context.Context, name string, r io.Reader, size int64, opts PutOptions) error {
	start := time.Now()
	err := c.inner.Put(ctx, name, r, size, opts)
	if err != nil {
		size = 0 // how much of it was sent is not known
	}
	c.done(ctx, "put", name, start, size, err)
	return err
}

func (c counting) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	start := time.Now()
	r, err := c.inner.Get(ctx, name)
	return c.reader(ctx, "get", name, start, r, err)
}

func (c counting) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	start := time.Now()
	r, err := c.inner.GetRange(ctx, name, off, length)
	return c.reader(ctx, "get_range", name, start, r, err)
}

func (c counting) reader(ctx context.Context, kind, name string, start time.Time, r io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		c.done(ctx, kind, name, start, 0, err)
		return nil, err
	}
	return c.counters.Sent(ctx, Attempt{Kind: kind, Blob: c.path + name, Time: time.Since(start)}, r), nil
}

func (c counting) Stat(ctx context.Context, name string) (Info, error) {
	start := time.Now()
	i, err := c.inner.Stat(ctx, name)
	c.done(ctx, "stat", name, start, 0, err)
	return i, err
}

func (c counting) List(ctx context.Context, prefix string, fn func(Info) error) error {
	start := time.Now()
	err := c.inner.List(ctx, prefix, fn)
	c.done(ctx, "list", prefix, start, 0, err)
	return err
}

func (c counting) Children(ctx context.Context, fn func(string) error) error {
	start := time.Now()
	err := c.inner.Children(ctx, fn)
	c.done(ctx, "children", "", start, 0, err)
	return err
}

func (c counting) Container(path string) (Container, error) {
	in, err := c.inner.Container(path)
	if err != nil {
		return nil, err
	}
	if path != "" {
		path += "/"
	}
	return count(in, c.counters, c.path+path), nil
}

func (c counting) DeleteBatch(ctx context.Context, names []string) error {
	start := time.Now()
	err := c.inner.DeleteBatch(ctx, names)
	only := ""
	if len(names) == 1 {
		only = names[0]
	}
	c.done(ctx, "delete", only, start, 0, err)
	return err
}

func (c counting) DeleteTree(ctx context.Context) (DeleteStats, error) {
	start := time.Now()
	s, err := c.inner.DeleteTree(ctx)
	c.done(ctx, "delete_tree", "", start, 0, err)
	return s, err
}
