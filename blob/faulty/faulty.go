package faulty

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sync"
	"time"

	"github.com/varve-search/varve/blob"
)

// Op is a request about to be made. Name is the blob's path below the wrapped container; for List
// and Children the path of the container (and the prefix), for a batch of deletions the path of the first blob.
type Op struct {
	Kind  string // put, get, stat, list, children, delete, delete-tree
	Name  string
	Count int64 // number of this request, from 1
}

// Write says whether the request changes the store.
func (o Op) Write() bool { return o.Kind == "put" || o.Kind == "delete" || o.Kind == "delete-tree" }

// Fault is what happens to a request. The zero value lets it through.
type Fault struct {
	// Before fails the request without sending it.
	Before error
	// After sends the request and then returns this error in place of success.
	After error
	// Cut ends the stream of a Get after Truncate bytes with an unexpected end.
	Cut      bool
	Truncate int64
	// Flip changes one bit of the byte at FlipAt of a Get, when the stream reaches it.
	Flip   bool
	FlipAt int64
	// Delay is waited before the request, or until its context ends.
	Delay time.Duration
	// Forget makes a Put succeed that is never sent.
	Forget bool
	// Twice sends a Put a second time after it worked, as a proxy does that tries again. The answer is the second one's.
	Twice bool
	// Lag hides from a List what the last so many requests put.
	Lag int64
}

// Hook decides the fate of a request. It is called from many goroutines.
type Hook func(Op) Fault

// ErrInjected is wrapped by all errors that the ready-made hooks inject.
var ErrInjected = errors.New("injected fault")

// Fail returns an injected error of a kind.
func Fail(kind blob.Kind) error { return &blob.Error{Op: "faulty", Kind: kind, Err: ErrInjected} }

type shared struct {
	mu    sync.Mutex
	count int64
	hook  Hook
	put   map[string]int64 // number of the request that last put a blob, by path
}

type container struct {
	in     blob.Container
	sh     *shared
	prefix string
}

// New wraps a container.
func New(c blob.Container, hook Hook) blob.Container {
	return container{c, &shared{hook: hook, put: map[string]int64{}}, ""}
}

// CrashAfter lets n writing requests through and then fails everything, as for a process that was
// killed: nothing further reaches the store.
func CrashAfter(n int64) Hook {
	var mu sync.Mutex
	writes := int64(0)
	return func(o Op) Fault {
		mu.Lock()
		defer mu.Unlock()
		if o.Write() {
			writes++
		}
		if writes > n {
			return Fault{Before: Fail(blob.KindUnavailable)}
		}
		return Fault{}
	}
}

// Random fails each request with probability p, half of the failing writes after they worked.
func Random(seed int64, p float64) Hook {
	var mu sync.Mutex
	rnd := rand.New(rand.NewSource(seed))
	return func(o Op) Fault {
		mu.Lock()
		defer mu.Unlock()
		if rnd.Float64() >= p {
			return Fault{}
		}
		if o.Write() && rnd.Intn(2) == 0 {
			return Fault{After: Fail(blob.KindUnavailable)}
		}
		return Fault{Before: Fail(blob.KindUnavailable)}
	}
}

func (c container) fate(kind, name string) Fault {
	c.sh.mu.Lock()
	c.sh.count++
	n := c.sh.count
	c.sh.mu.Unlock()
	return c.sh.hook(Op{Kind: kind, Name: c.prefix + name, Count: n})
}

func (f Fault) run(ctx context.Context, do func() error) error {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-ctx.Done():
		}
	}
	if f.Before != nil {
		return f.Before
	}
	if err := do(); err != nil {
		return err
	}
	return f.After
}

func (c container) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	f := c.fate("put", name)
	return f.run(ctx, func() error {
		switch {
		case f.Forget:
			_, err := io.Copy(io.Discard, r)
			return err
		case f.Twice:
			b, err := io.ReadAll(r)
			if err == nil {
				err = c.in.Put(ctx, name, bytes.NewReader(b), size, opts)
			}
			if err != nil {
				return err
			}
			r = bytes.NewReader(b)
		}
		err := c.in.Put(ctx, name, r, size, opts)
		c.sh.mu.Lock()
		c.sh.put[c.prefix+name] = c.sh.count
		c.sh.mu.Unlock()
		return err
	})
}

func (c container) get(ctx context.Context, name string, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	f := c.fate("get", name)
	var r io.ReadCloser
	err := f.run(ctx, func() (err error) {
		r, err = open()
		return err
	})
	if err != nil {
		if r != nil {
			r.Close()
		}
		return nil, err
	}
	return &stream{ReadCloser: r, f: f}, nil
}

func (c container) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return c.get(ctx, name, func() (io.ReadCloser, error) { return c.in.Get(ctx, name) })
}

func (c container) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	return c.get(ctx, name, func() (io.ReadCloser, error) { return c.in.GetRange(ctx, name, off, length) })
}

type stream struct {
	io.ReadCloser
	f   Fault
	pos int64
}

func (s *stream) Read(p []byte) (int, error) {
	if s.f.Cut {
		left := s.f.Truncate - s.pos
		if left <= 0 {
			return 0, fmt.Errorf("%w: %w", ErrInjected, io.ErrUnexpectedEOF)
		}
		p = p[:min(int64(len(p)), left)]
	}
	n, err := s.ReadCloser.Read(p)
	if i := s.f.FlipAt - s.pos; s.f.Flip && i >= 0 && i < int64(n) {
		p[i] ^= 1
	}
	s.pos += int64(n)
	return n, err
}

func (c container) Stat(ctx context.Context, name string) (i blob.Info, err error) {
	err = c.fate("stat", name).run(ctx, func() (err error) {
		i, err = c.in.Stat(ctx, name)
		return err
	})
	return i, err
}

func (c container) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	f := c.fate("list", prefix)
	return f.run(ctx, func() error {
		return c.in.List(ctx, prefix, func(i blob.Info) error {
			c.sh.mu.Lock()
			at, known := c.sh.put[c.prefix+i.Name]
			hidden := f.Lag > 0 && known && at > c.sh.count-f.Lag
			c.sh.mu.Unlock()
			if hidden {
				return nil
			}
			return fn(i)
		})
	})
}

func (c container) Children(ctx context.Context, fn func(string) error) error {
	return c.fate("children", "").run(ctx, func() error { return c.in.Children(ctx, fn) })
}

func (c container) Container(path string) (blob.Container, error) {
	in, err := c.in.Container(path)
	if err != nil || path == "" {
		return c, err
	}
	return container{in, c.sh, c.prefix + path + "/"}, nil
}

func (c container) DeleteBatch(ctx context.Context, names []string) error {
	first := ""
	if len(names) > 0 {
		first = names[0]
	}
	return c.fate("delete", first).run(ctx, func() error { return c.in.DeleteBatch(ctx, names) })
}

func (c container) DeleteTree(ctx context.Context) (st blob.DeleteStats, err error) {
	err = c.fate("delete-tree", "").run(ctx, func() (err error) {
		st, err = c.in.DeleteTree(ctx)
		return err
	})
	return st, err
}

func (c container) Capabilities() blob.Capabilities { return c.in.Capabilities() }

func (c container) String() string { return c.in.String() }
