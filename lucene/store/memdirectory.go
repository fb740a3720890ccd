package store

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// MemDirectory is a Directory in memory, for tests and small temporary indices.
type MemDirectory struct {
	mu    sync.Mutex
	files map[string][]byte
	locks map[string]bool
}

// NewMem returns an empty MemDirectory.
func NewMem() *MemDirectory {
	return &MemDirectory{files: map[string][]byte{}, locks: map[string]bool{}}
}

func (d *MemDirectory) get(op, name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b, ok := d.files[name]
	if !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return b, nil
}

// List implements Directory.
func (d *MemDirectory) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.files)), nil
}

// Length implements Directory.
func (d *MemDirectory) Length(name string) (int64, error) {
	b, err := d.get("stat", name)
	return int64(len(b)), err
}

// Open implements Directory.
func (d *MemDirectory) Open(name string, _ Access) (Input, error) {
	b, err := d.get("open", name)
	if err != nil {
		return nil, err
	}
	return NewBytesInput(name, b), nil
}

type memFile struct {
	d    *MemDirectory
	name string
	b    []byte
}

func (f *memFile) Write(p []byte) (int, error) {
	f.b = append(f.b, p...)
	return len(p), nil
}

func (f *memFile) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if _, ok := f.d.files[f.name]; ok {
		f.d.files[f.name] = f.b
	}
	return nil
}

// Create implements Directory. The bytes can be read once the Output is closed.
func (d *MemDirectory) Create(name string) (*Output, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.files[name]; ok {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	d.files[name] = nil
	return NewOutput(name, &memFile{d: d, name: name}), nil
}

// Put stores a file at once, replacing one of that name.
func (d *MemDirectory) Put(name string, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = b
}

// Remove implements Directory.
func (d *MemDirectory) Remove(name string) error {
	if _, err := d.get("remove", name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, name)
	return nil
}

// Rename implements Directory.
func (d *MemDirectory) Rename(from, to string) error {
	b, err := d.get("rename", from)
	if err != nil {
		return err
	}
	if err := CheckName(to); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.files[to]; ok {
		return &fs.PathError{Op: "rename to", Path: to, Err: fs.ErrExist}
	}
	delete(d.files, from)
	d.files[to] = b
	return nil
}

// Sync implements Directory.
func (d *MemDirectory) Sync(names []string) error {
	for _, name := range names {
		if _, err := d.get("sync", name); err != nil {
			return err
		}
	}
	return nil
}

// SyncMetadata implements Directory.
func (d *MemDirectory) SyncMetadata() error { return nil }

type memLock struct {
	d    *MemDirectory
	name string
	once sync.Once
}

func (l *memLock) Close() error {
	l.once.Do(func() {
		l.d.mu.Lock()
		defer l.d.mu.Unlock()
		delete(l.d.locks, l.name)
	})
	return nil
}

// Lock implements Directory.
func (d *MemDirectory) Lock(name string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] {
		return nil, fmt.Errorf("lock %s: %w", name, ErrLocked)
	}
	d.locks[name] = true
	return &memLock{d: d, name: name}, nil
}

// Close implements Directory.
func (d *MemDirectory) Close() error { return nil }
