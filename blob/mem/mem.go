package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"

	"github.com/varve-search/varve/blob"
)

// Store is a container with direct access to its blobs, by path from the root.
type Store struct {
	shared *shared
	prefix string // "" or "a/b/"
}

type shared struct {
	mu    sync.RWMutex
	blobs map[string][]byte
}

// New returns an empty container.
func New() *Store { return &Store{shared: &shared{blobs: map[string][]byte{}}} }

var _ blob.Container = (*Store)(nil)

func (s *Store) fail(op, name string, k blob.Kind, err error) error {
	return &blob.Error{Op: op, Location: s.String(), Name: name, Kind: k, Err: err}
}

func (s *Store) check(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return s.fail(op, name, blob.KindCanceled, err)
	}
	return blob.CheckName(name)
}

// Put implements blob.Container.
func (s *Store) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if err := s.check(ctx, "put", name); err != nil {
		return err
	}
	if size < 0 {
		return s.fail("put", name, blob.KindInvalid, fmt.Errorf("size %d", size))
	}
	b, err := io.ReadAll(io.LimitReader(r, size+1))
	if err != nil {
		return s.fail("put", name, blob.KindOther, err)
	}
	if int64(len(b)) != size {
		return s.fail("put", name, blob.KindInvalid, fmt.Errorf("the reader did not give the %d bytes announced", size))
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	if _, there := s.shared.blobs[s.prefix+name]; there && opts.IfAbsent {
		return s.fail("put", name, blob.KindAlreadyExists, nil)
	}
	s.shared.blobs[s.prefix+name] = b
	return nil
}

// Get implements blob.Container.
func (s *Store) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := s.check(ctx, "get", name); err != nil {
		return nil, err
	}
	s.shared.mu.RLock()
	b, there := s.shared.blobs[s.prefix+name]
	s.shared.mu.RUnlock()
	if !there {
		return nil, s.fail("get", name, blob.KindNotFound, nil)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// GetRange implements blob.Container.
func (s *Store) GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error) {
	if err := s.check(ctx, "get", name); err != nil {
		return nil, err
	}
	if off < 0 || length < 0 {
		return nil, s.fail("get", name, blob.KindInvalid, fmt.Errorf("range %d+%d", off, length))
	}
	s.shared.mu.RLock()
	b, there := s.shared.blobs[s.prefix+name]
	s.shared.mu.RUnlock()
	if !there {
		return nil, s.fail("get", name, blob.KindNotFound, nil)
	}
	b = b[min(off, int64(len(b))):]
	return io.NopCloser(bytes.NewReader(b[:min(length, int64(len(b)))])), nil
}

// Stat implements blob.Container.
func (s *Store) Stat(ctx context.Context, name string) (blob.Info, error) {
	if err := s.check(ctx, "stat", name); err != nil {
		return blob.Info{}, err
	}
	s.shared.mu.RLock()
	defer s.shared.mu.RUnlock()
	b, there := s.shared.blobs[s.prefix+name]
	if !there {
		return blob.Info{}, s.fail("stat", name, blob.KindNotFound, nil)
	}
	return blob.Info{Name: name, Size: int64(len(b))}, nil
}

// below returns the sorted names under this container, relative to it.
func (s *Store) below() []blob.Info {
	s.shared.mu.RLock()
	defer s.shared.mu.RUnlock()
	var out []blob.Info
	for n, b := range s.shared.blobs {
		if rest, ok := strings.CutPrefix(n, s.prefix); ok {
			out = append(out, blob.Info{Name: rest, Size: int64(len(b))})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// List implements blob.Container; the order is that of the names.
func (s *Store) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	for _, i := range s.below() {
		if err := ctx.Err(); err != nil {
			return s.fail("list", prefix, blob.KindCanceled, err)
		}
		if !strings.Contains(i.Name, "/") && strings.HasPrefix(i.Name, prefix) {
			if err := fn(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// Children implements blob.Container.
func (s *Store) Children(ctx context.Context, fn func(string) error) error {
	last := ""
	for _, i := range s.below() {
		if err := ctx.Err(); err != nil {
			return s.fail("children", "", blob.KindCanceled, err)
		}
		if dir, _, deeper := strings.Cut(i.Name, "/"); deeper && dir != last {
			last = dir
			if err := fn(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// Container implements blob.Container.
func (s *Store) Container(path string) (blob.Container, error) {
	if err := blob.CheckPath(path); err != nil {
		return nil, err
	}
	if path == "" {
		return s, nil
	}
	return &Store{s.shared, s.prefix + path + "/"}, nil
}

// DeleteBatch implements blob.Container.
func (s *Store) DeleteBatch(ctx context.Context, names []string) error {
	failed := map[string]error{}
	for _, n := range names {
		err := blob.CheckBlobPath(n)
		if cerr := ctx.Err(); cerr != nil {
			err = s.fail("delete", n, blob.KindCanceled, cerr)
		}
		if err != nil {
			failed[n] = err
			continue
		}
		s.shared.mu.Lock()
		delete(s.shared.blobs, s.prefix+n)
		s.shared.mu.Unlock()
	}
	if len(failed) > 0 {
		return &blob.BatchError{Failed: failed}
	}
	return nil
}

// DeleteTree implements blob.Container.
func (s *Store) DeleteTree(ctx context.Context) (blob.DeleteStats, error) {
	var st blob.DeleteStats
	if err := ctx.Err(); err != nil {
		return st, s.fail("delete tree", "", blob.KindCanceled, err)
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	for n, b := range s.shared.blobs {
		if strings.HasPrefix(n, s.prefix) {
			st.Blobs++
			st.Bytes += int64(len(b))
			delete(s.shared.blobs, n)
		}
	}
	return st, nil
}

// Capabilities implements blob.Container.
func (s *Store) Capabilities() blob.Capabilities {
	return blob.CanWrite | blob.CanDelete | blob.CanList | blob.AtomicIfAbsent
}

func (s *Store) String() string { return "mem:" + strings.TrimSuffix(s.prefix, "/") }

// Snapshot copies the map of all blobs below this container, by path.
func (s *Store) Snapshot() map[string][]byte {
	s.shared.mu.RLock()
	defer s.shared.mu.RUnlock()
	out := make(map[string][]byte)
	for n, b := range s.shared.blobs {
		if rest, ok := strings.CutPrefix(n, s.prefix); ok {
			out[rest] = b
		}
	}
	return out
}

// Set stores a copy of content under a path, without any check: tests damage stores with it.
func (s *Store) Set(path string, content []byte) {
	s.shared.mu.Lock()
	s.shared.blobs[s.prefix+path] = bytes.Clone(content)
	s.shared.mu.Unlock()
}

// Remove drops the blob at a path.
func (s *Store) Remove(path string) {
	s.shared.mu.Lock()
	delete(s.shared.blobs, s.prefix+path)
	s.shared.mu.Unlock()
}
