package fs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/varve-search/varve/blob"
)

// Put implements blob.Container.
func (c *Container) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if err := c.check(ctx, "put", name); err != nil {
		return err
	}
	if size < 0 {
		return &blob.Error{Op: "put", Location: c.String(), Name: name, Kind: blob.KindInvalid, Err: fmt.Errorf("size %d", size)}
	}
	target := filepath.Join(c.dir, name)
	if opts.IfAbsent {
		// Saves writing the bytes; link decides when two race.
		if _, err := os.Lstat(target); err == nil {
			return c.fail("put", name, iofs.ErrExist)
		}
	}
	awaitRoom(ctx, c.dir, size)
	temp, f, err := c.createTemp(name)
	if err != nil {
		return c.fail("put", name, err)
	}
	lazy := opts.Batch != nil && deferred(opts.Batch, c.dir, f)
	if err := c.fill(ctx, f, name, r, size, lazy); err != nil {
		os.Remove(temp)
		return err
	}
	if opts.IfAbsent {
		err = os.Link(temp, target)
		if rmErr := os.Remove(temp); err == nil && rmErr != nil && !errors.Is(rmErr, iofs.ErrNotExist) {
			err = rmErr
		}
	} else if err = rename(temp, target); err != nil {
		os.Remove(temp)
	}
	if err == nil && !lazy {
		err = syncDir(c.dir)
	}
	if err != nil {
		return c.fail("put", name, err)
	}
	return nil
}

// createTemp opens a new temporary file, and makes the folder where there is none.
func (c *Container) createTemp(name string) (string, *os.File, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", nil, err
	}
	temp := filepath.Join(c.dir, tempPrefix+name[:min(len(name), 200)]+"-"+hex.EncodeToString(id[:]))
	f, err := openFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, iofs.ErrNotExist) {
		if err = c.makeDir(); err == nil {
			f, err = openFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		}
	}
	return temp, f, err
}

// fill writes and closes a file, and syncs it unless a batch does that later.
func (c *Container) fill(ctx context.Context, f *os.File, name string, r io.Reader, size int64, lazy bool) error {
	abandon := func(err error) error {
		f.Close()
		return err
	}
	src := &source{ctx: ctx, r: r}
	n, err := io.Copy(f, io.LimitReader(src, size))
	if src.err != nil {
		return abandon(fmt.Errorf("put [%s] of %s: read the content: %w", name, c, src.err))
	}
	if err != nil {
		return abandon(c.fail("put", name, err))
	}
	var more [1]byte
	if m, _ := io.ReadFull(r, more[:]); n != size || m != 0 {
		return abandon(&blob.Error{Op: "put", Location: c.String(), Name: name, Kind: blob.KindInvalid,
			Err: fmt.Errorf("the reader did not give the %d bytes announced", size)})
	}
	if !lazy {
		if err := f.Sync(); err != nil {
			return abandon(c.fail("put", name, err))
		}
	}
	if err := f.Close(); err != nil {
		return c.fail("put", name, err)
	}
	return nil
}

// source keeps apart errors of the reader from those of the file, and ends with the context.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// makeDir creates the folder and syncs each parent that got a new entry.
func (c *Container) makeDir() error {
	var created []string
	for dir := c.dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		created = append(created, filepath.Dir(dir))
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	for _, parent := range created {
		if err := syncDir(parent); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := openFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// DeleteBatch implements blob.Container.
func (c *Container) DeleteBatch(ctx context.Context, names []string) error {
	return c.remove(ctx, names, func(path string) error {
		if err := blob.CheckBlobPath(path); err != nil {
			return err
		}
		return checkName(path[strings.LastIndexByte(path, '/')+1:])
	})
}

// DeleteTemp implements blob.TempCleaner.
func (c *Container) DeleteTemp(ctx context.Context, names []string) error {
	return c.remove(ctx, names, func(name string) error {
		if !strings.HasPrefix(name, tempPrefix) {
			return &blob.Error{Op: "delete", Name: name, Kind: blob.KindInvalidName, Err: errors.New("not an unfinished file")}
		}
		return blob.CheckName(name)
	})
}

// A removal waits for the disk in some file systems (ext4 with the option discard tells the disk of each file's blocks, one after the
// other), so several goroutines share a long list; but all of this process have at most so many beside those that called them.
const (
	removalsAtOnce  = 16
	removalsPerTurn = 32
)

var removals = semaphore.NewWeighted(removalsAtOnce)

func (c *Container) remove(ctx context.Context, names []string, check func(string) error) error {
	var (
		mu     sync.Mutex
		failed = map[string]error{}
		next   atomic.Int64 // of the names
		wg     sync.WaitGroup
	)
	work := func() {
		for {
			end := int(next.Add(removalsPerTurn))
			if end-removalsPerTurn >= len(names) {
				return
			}
			for _, n := range names[end-removalsPerTurn : min(end, len(names))] {
				if err := c.removeOne(ctx, n, check); err != nil {
					mu.Lock()
					failed[n] = err
					mu.Unlock()
				}
			}
		}
	}
	for helpers := blob.DeletesAtOnce(ctx, (len(names)-1)/removalsPerTurn+1) - 1; helpers > 0 && removals.TryAcquire(1); helpers-- {
		wg.Go(func() {
			defer removals.Release(1)
			work()
		})
	}
	work()
	wg.Wait()
	if len(failed) > 0 {
		return &blob.BatchError{Failed: failed}
	}
	return nil
}

// removeOne removes a file; that there is none is no error.
func (c *Container) removeOne(ctx context.Context, name string, check func(string) error) error {
	if err := check(name); err != nil {
		return err
	}
	err := ctx.Err()
	if err == nil {
		err = removeFile(filepath.Join(c.dir, filepath.FromSlash(name)))
	}
	if err == nil || kindOf(err) == blob.KindNotFound {
		return nil
	}
	return c.fail("delete", name, err)
}

// DeleteTree implements blob.Container. The folder itself goes too.
func (c *Container) DeleteTree(ctx context.Context) (blob.DeleteStats, error) {
	var st blob.DeleteStats
	err := filepath.WalkDir(c.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, iofs.ErrNotExist) {
				return nil
			}
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, iofs.ErrNotExist) {
			return nil
		}
		if err == nil {
			err = removeFile(path)
		}
		if err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return err
		}
		st.Blobs++
		st.Bytes += info.Size()
		return nil
	})
	if err == nil {
		err = os.RemoveAll(c.dir)
	}
	if err != nil {
		return st, c.fail("delete tree", "", err)
	}
	return st, nil
}
