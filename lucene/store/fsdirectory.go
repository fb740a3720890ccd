package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

type checksummer struct{ crc uint32 }

func (c *checksummer) add(b []byte) { c.crc = crc32.Update(c.crc, crc32.IEEETable, b) }

// FSDirectory is a Directory on the file system.
type FSDirectory struct {
	path string
}

// OpenFS opens the folder at path, making it if it is missing.
func OpenFS(path string) (*FSDirectory, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("open index folder: %w", err)
	}
	return &FSDirectory{path: path}, nil
}

// Path returns the folder.
func (d *FSDirectory) Path() string { return d.path }

func (d *FSDirectory) file(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	return filepath.Join(d.path, name), nil
}

// CheckName refuses names that are not plain file names.
func CheckName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("invalid index file name %q", name)
	}
	return nil
}

// List implements Directory.
func (d *FSDirectory) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("list index folder: %w", err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Length implements Directory.
func (d *FSDirectory) Length(name string) (int64, error) {
	path, err := d.file(name)
	if err != nil {
		return 0, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Open implements Directory.
func (d *FSDirectory) Open(name string, access Access) (Input, error) {
	path, err := d.file(name)
	if err != nil {
		return nil, err
	}
	if access == Random {
		return openMmap(path, name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return NewPreadInput(name, f, st.Size()), nil
}

// Create implements Directory.
func (d *FSDirectory) Create(name string) (*Output, error) {
	f, err := d.create(name)
	if err != nil {
		return nil, err
	}
	return NewOutput(name, f), nil
}

func (d *FSDirectory) create(name string) (*os.File, error) {
	path, err := d.file(name)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// Remove implements Directory.
func (d *FSDirectory) Remove(name string) error {
	path, err := d.file(name)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// Rename implements Directory.
func (d *FSDirectory) Rename(from, to string) error {
	src, err := d.file(from)
	if err != nil {
		return err
	}
	dst, err := d.file(to)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dst); err == nil {
		return &fs.PathError{Op: "rename to", Path: dst, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(src, dst)
}

// Sync implements Directory.
func (d *FSDirectory) Sync(names []string) error {
	for _, name := range names {
		path, err := d.file(name)
		if err != nil {
			return err
		}
		if err := syncPath(path); err != nil {
			return fmt.Errorf("sync %s: %w", name, err)
		}
	}
	return nil
}

// SyncMetadata implements Directory.
func (d *FSDirectory) SyncMetadata() error {
	if err := syncPath(d.path); err != nil {
		return fmt.Errorf("sync index folder: %w", err)
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// heldLocks keeps the locks of this process: a lock of the file system does not keep out a second
// opener within the process that holds it on every system.
var heldLocks struct {
	sync.Mutex
	paths map[string]bool
}

type fsLock struct {
	path string
	f    *os.File
	once sync.Once
}

// Lock implements Directory.
func (d *FSDirectory) Lock(name string) (io.Closer, error) {
	path, err := d.file(name)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	heldLocks.Lock()
	defer heldLocks.Unlock()
	if heldLocks.paths[path] {
		return nil, fmt.Errorf("lock %s: %w", path, ErrLocked)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if heldLocks.paths == nil {
		heldLocks.paths = map[string]bool{}
	}
	heldLocks.paths[path] = true
	return &fsLock{path: path, f: f}, nil
}

// Close gives the lock back. The file stays, as Lucene leaves it.
func (l *fsLock) Close() error {
	var err error
	l.once.Do(func() {
		heldLocks.Lock()
		delete(heldLocks.paths, l.path)
		heldLocks.Unlock()
		err = l.f.Close()
	})
	return err
}

// Close implements Directory.
func (d *FSDirectory) Close() error { return nil }
