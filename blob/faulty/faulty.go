// Package faulty wraps a blob container with injected faults: requests that fail, whose answer is
// lost although they worked, whose bytes arrive short or changed, and a process that dies between
// two requests. A [Hook] decides for each request; [CrashAfter] and [Random] are ready-made ones.
package faulty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sync"

	"github.com/varve-search/varve/blob"
)

// Op is a request about to be made. Name is the blob's path below the wrapped container; for List
// and Children the path of the container (and the prefix).
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
}

type container struct {
	in     blob.Container
	sh     *shared
	prefix string
}

// New wraps a container.
func New(c blob.Container, hook Hook) blob.Container { return container{c, &shared{hook: hook}, ""} }

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

func (f Fault) run(do func() error) error {
	if f.Before != nil {
		return f.Before
	}
	if err := do(); err != nil {
		return err
	}
	return f.After
}

func (c container) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	return c.fate("put", name).run(func() error { return c.in.Put(ctx, name, r, size, opts) })
}

func (c container) get(name string, open func() (io.ReadCloser, error)) (io.ReadCloser, error) {
	f := c.fate("get", name)
	var r io.ReadCloser
	err := f.run(func() (err error) {
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
	return c.get(name, func() (io.ReadCloser, error) { return c.in.Get(ctx, name) })
}

func (c container) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	return c.get(name, func() (io.ReadCloser, error) { return c.in.GetRange(ctx, name, off, length) })
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
	err = c.fate("stat", name).run(func() (err error) {
		i, err = c.in.Stat(ctx, name)
		return err
	})
	return i, err
}

func (c container) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	return c.fate("list", prefix).run(func() error { return c.in.List(ctx, prefix, fn) })
}

func (c container) Children(ctx context.Context, fn func(string) error) error {
	return c.fate("children", "").run(func() error { return c.in.Children(ctx, fn) })
}

func (c container) Container(path string) (blob.Container, error) {
	in, err := c.in.Container(path)
	if err != nil || path == "" {
		return c, err
	}
	return container{in, c.sh, c.prefix + path + "/"}, nil
}

func (c container) DeleteBatch(ctx context.Context, names []string) error {
	return c.fate("delete", "").run(func() error { return c.in.DeleteBatch(ctx, names) })
}

func (c container) DeleteTree(ctx context.Context) (st blob.DeleteStats, err error) {
	err = c.fate("delete-tree", "").run(func() (err error) {
		st, err = c.in.DeleteTree(ctx)
		return err
	})
	return st, err
}

func (c container) Capabilities() blob.Capabilities { return c.in.Capabilities() }

func (c container) String() string { return c.in.String() }
