package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/varve-search/varve/blob"
)

// tempPrefix marks files that are being written.
const tempPrefix = "pending-"

// Container is a folder. Its blobs are the regular files in it.
type Container struct {
	dir string
}

var (
	_ blob.Container   = (*Container)(nil)
	_ blob.TempCleaner = (*Container)(nil)
)

func init() {
	blob.Register("fs", func(_ context.Context, rest string) (blob.Container, error) { return New(rest) })
}

// New returns the container at a folder, which need not exist.
func New(dir string) (*Container, error) {
	if dir == "" {
		return nil, &blob.Error{Op: "open", Location: "fs:", Kind: blob.KindInvalid, Err: errors.New("the path is empty")}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &blob.Error{Op: "open", Location: "fs:" + dir, Kind: blob.KindInvalid, Err: err}
	}
	return &Container{abs}, nil
}

// Dir returns the folder's absolute path.
func (c *Container) Dir() string { return c.dir }

func (c *Container) String() string { return "fs:" + c.dir }

// Capabilities implements blob.Container.
func (c *Container) Capabilities() blob.Capabilities {
	return blob.CanWrite | blob.CanDelete | blob.CanList | blob.AtomicIfAbsent
}

// Container implements blob.Container.
func (c *Container) Container(path string) (blob.Container, error) {
	if err := blob.CheckPath(path); err != nil {
		return nil, err
	}
	if path == "" {
		return c, nil
	}
	return &Container{filepath.Join(c.dir, filepath.FromSlash(path))}, nil
}

func kindOf(err error) blob.Kind {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return blob.KindCanceled
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, iofs.ErrNotExist):
		return blob.KindNotFound
	case errors.Is(err, iofs.ErrExist):
		return blob.KindAlreadyExists
	case errors.Is(err, syscall.EROFS):
		return blob.KindReadOnly
	case errors.Is(err, iofs.ErrPermission):
		return blob.KindPermission
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return blob.KindNoSpace
	case errors.Is(err, syscall.ENAMETOOLONG):
		return blob.KindInvalidName
	case errors.Is(err, syscall.EIO):
		return blob.KindCorrupt
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ESTALE),
		errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EAGAIN):
		return blob.KindUnavailable
	}
	return blob.KindOther
}

func (c *Container) fail(op, name string, err error) error {
	return &blob.Error{Op: op, Location: c.String(), Name: name, Kind: kindOf(err), Err: err}
}

func (c *Container) check(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return c.fail(op, name, err)
	}
	return checkName(name)
}

func checkName(name string) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, tempPrefix) {
		return &blob.Error{Op: "check name", Name: name, Kind: blob.KindInvalidName, Err: errors.New("the prefix pending- marks unfinished files")}
	}
	return nil
}

func (c *Container) open(op, name string) (*os.File, int64, error) {
	f, err := openFile(filepath.Join(c.dir, name), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe of this name would wait for a writer
	if err != nil {
		return nil, 0, c.fail(op, name, err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, c.fail(op, name, err)
	}
	if !st.Mode().IsRegular() {
		f.Close()
		return nil, 0, c.fail(op, name, fmt.Errorf("not a regular file: %w", iofs.ErrNotExist))
	}
	return f, st.Size(), nil
}

// Get implements blob.Container.
func (c *Container) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := c.check(ctx, "get", name); err != nil {
		return nil, err
	}
	f, _, err := c.open("get", name)
	if err != nil {
		return nil, err
	}
	return &reader{ctx: ctx, c: c, name: name, r: f, f: f}, nil
}

// GetRange implements blob.Container.
func (c *Container) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if err := c.check(ctx, "get", name); err != nil {
		return nil, err
	}
	if off < 0 || length < 0 {
		return nil, &blob.Error{Op: "get", Location: c.String(), Name: name, Kind: blob.KindInvalid, Err: fmt.Errorf("range %d+%d", off, length)}
	}
	f, size, err := c.open("get", name)
	if err != nil {
		return nil, err
	}
	off = min(off, size)
	return &reader{ctx: ctx, c: c, name: name, r: io.NewSectionReader(f, off, min(length, size-off)), f: f}, nil
}

// reader gives read errors a kind and stops when the context ends.
type reader struct {
	ctx  context.Context
	c    *Container
	name string
	r    io.Reader
	f    *os.File
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, r.c.fail("get", r.name, err)
	}
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.c.fail("get", r.name, err)
	}
	return n, err
}

func (r *reader) Close() error { return r.f.Close() }

// Stat implements blob.Container.
func (c *Container) Stat(ctx context.Context, name string) (blob.Info, error) {
	if err := c.check(ctx, "stat", name); err != nil {
		return blob.Info{}, err
	}
	st, err := os.Stat(filepath.Join(c.dir, name))
	if err == nil && !st.Mode().IsRegular() {
		err = iofs.ErrNotExist
	}
	if err != nil {
		return blob.Info{}, c.fail("stat", name, err)
	}
	return blob.Info{Name: name, Size: st.Size()}, nil
}

// entries calls fn for each entry of the folder, some hundred at a time.
func (c *Container) entries(ctx context.Context, op string, fn func(os.DirEntry) error) error {
	d, err := openFile(c.dir, os.O_RDONLY, 0)
	if err != nil {
		if kindOf(err) == blob.KindNotFound {
			return nil
		}
		return c.fail(op, "", err)
	}
	defer d.Close()
	for {
		if err := ctx.Err(); err != nil {
			return c.fail(op, "", err)
		}
		batch, err := d.ReadDir(512)
		for _, e := range batch {
			if err := fn(e); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return c.fail(op, "", err)
		}
	}
}

// List implements blob.Container.
func (c *Container) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	return c.files(ctx, "list", func(name string) bool {
		return strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, tempPrefix)
	}, func(st os.FileInfo) error { return fn(blob.Info{Name: st.Name(), Size: st.Size()}) })
}

// files calls fn for each regular file of a wanted name, following links; one that vanishes meanwhile is skipped. Others are not looked at,
// which takes longer than reading their names.
func (c *Container) files(ctx context.Context, op string, wanted func(name string) bool, fn func(os.FileInfo) error) error {
	return c.entries(ctx, op, func(e os.DirEntry) error {
		if e.IsDir() || !wanted(e.Name()) {
			return nil
		}
		st, err := os.Stat(filepath.Join(c.dir, e.Name()))
		if err != nil {
			if errors.Is(err, iofs.ErrNotExist) {
				return nil
			}
			return c.fail(op, e.Name(), err)
		}
		if !st.Mode().IsRegular() {
			return nil
		}
		return fn(st)
	})
}

// Children implements blob.Container.
func (c *Container) Children(ctx context.Context, fn func(string) error) error {
	return c.entries(ctx, "children", func(e os.DirEntry) error {
		if !e.IsDir() {
			return nil
		}
		return fn(e.Name())
	})
}

// ListTemp implements blob.TempCleaner.
func (c *Container) ListTemp(ctx context.Context, olderThan int64) ([]blob.Info, error) {
	var out []blob.Info
	before := time.Now().Add(-time.Duration(olderThan) * time.Second)
	unfinished := func(name string) bool { return strings.HasPrefix(name, tempPrefix) }
	err := c.files(ctx, "list", unfinished, func(st os.FileInfo) error {
		if !st.ModTime().After(before) {
			out = append(out, blob.Info{Name: st.Name(), Size: st.Size()})
		}
		return nil
	})
	return out, err
}
