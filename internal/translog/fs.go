package translog

import (
	"io"
	"os"
	"time"
)

// file and fileSystem are what the log needs of the operating system. Tests put in their own to make
// disks full and syncs fail.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Datasync returns when the file's content and size are on disk.
	Datasync() error
	// Info returns size in bytes and time of the last change.
	Info() (int64, time.Time, error)
}

type fileSystem interface {
	// Create makes a file that must not exist, for reading and writing.
	Create(path string) (file, error)
	// Open opens an existing file, for writing too where write is set.
	Open(path string, write bool) (file, error)
	Remove(path string) error
	Rename(from, to string) error
	// List returns the names in dir.
	List(dir string) ([]string, error)
	// SyncDir makes creations and removals in dir durable.
	SyncDir(dir string) error
}

type osFS struct{}

type osFile struct{ *os.File }

func (osFS) Create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Open(path string, write bool) (file, error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Remove(path string) error { return os.Remove(path) }

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (f osFile) Datasync() error { return datasync(f.File) }

func (f osFile) Info() (int64, time.Time, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, time.Time{}, err
	}
	return st.Size(), st.ModTime(), nil
}
