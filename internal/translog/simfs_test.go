package translog

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// simFS is a disk in memory that keeps apart what was written and what was synced, so that a test
// can cut the power: of what was not synced, any sectors may survive.
type simFS struct {
	mu      sync.Mutex
	live    map[string]*simFile // what a running process sees
	durable map[string]*simFile // entries that a SyncDir made durable
	// fault, when set, is asked before each operation ("create", "write", "sync", "rename", "remove",
	// "syncdir"); the number is how many bytes of a write still fit.
	fault func(op, path string, n int) (int, error)
}

type simFile struct {
	fs     *simFS
	path   string
	data   []byte
	synced []byte
}

func newSimFS() *simFS {
	return &simFS{live: map[string]*simFile{}, durable: map[string]*simFile{}}
}

func (s *simFS) ask(op, path string, n int) (int, error) {
	if s.fault == nil {
		return n, nil
	}
	return s.fault(op, path, n)
}

func (s *simFS) Create(path string) (file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.ask("create", path, 0); err != nil {
		return nil, err
	}
	if s.live[path] != nil {
		return nil, fmt.Errorf("create %s: %w", path, os.ErrExist)
	}
	f := &simFile{fs: s, path: path}
	s.live[path] = f
	return f, nil
}

func (s *simFS) Open(path string, _ bool) (file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.live[path]
	if f == nil {
		return nil, fmt.Errorf("open %s: %w", path, os.ErrNotExist)
	}
	return f, nil
}

func (s *simFS) Remove(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.ask("remove", path, 0); err != nil {
		return err
	}
	if s.live[path] == nil {
		return fmt.Errorf("remove %s: %w", path, os.ErrNotExist)
	}
	delete(s.live, path)
	return nil
}

func (s *simFS) Rename(from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.ask("rename", from, 0); err != nil {
		return err
	}
	s.live[to] = s.live[from]
	delete(s.live, from)
	return nil
}

func (s *simFS) List(dir string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for path := range s.live {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	return names, nil
}

func (s *simFS) SyncDir(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.ask("syncdir", dir, 0); err != nil {
		return err
	}
	s.durable = map[string]*simFile{}
	for path, f := range s.live {
		s.durable[path] = f
	}
	return nil
}

func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *simFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	n, err := f.fs.ask("write", f.path, len(p))
	if end := int(off) + n; end > len(f.data) {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	copy(f.data[off:], p[:n])
	return n, err
}

func (f *simFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.data = f.data[:size:size]
	return nil
}

func (f *simFile) Datasync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if _, err := f.fs.ask("sync", f.path, 0); err != nil {
		return err
	}
	f.synced = append([]byte(nil), f.data...)
	return nil
}

func (f *simFile) Info() (int64, time.Time, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.data)), time.Time{}, nil
}

func (f *simFile) Close() error { return nil }

// crash returns the disk as it may be found after the power was cut now.
func (s *simFS) crash(rnd *rand.Rand) *simFS {
	s.mu.Lock()
	defer s.mu.Unlock()
	after := newSimFS()
	entries := s.durable
	if rnd.IntN(2) == 0 {
		entries = s.live // the directory happened to be written
	}
	const sector = 64
	for path, f := range entries {
		data := append([]byte(nil), f.synced...)
		if n := len(f.data); n > len(data) {
			n = len(data) + rnd.IntN(n-len(data)+1)
			data = append(data, make([]byte, n-len(data))...)
		} else if n < len(data) && rnd.IntN(2) == 0 {
			data = data[:n]
		}
		for at := 0; at < len(data); at += sector {
			if end := min(at+sector, len(data), len(f.data)); at < end && rnd.IntN(2) == 0 {
				copy(data[at:end], f.data[at:end])
			}
		}
		after.live[path] = &simFile{fs: after, path: path, data: data, synced: append([]byte(nil), data...)}
		after.durable[path] = after.live[path]
	}
	return after
}
