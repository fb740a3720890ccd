package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/varve-search/varve/lucene/store"
)

// trackingDirectory knows the files that were made through it, so that a flush or merge that fails can remove
// them. gate, if set, is asked before each write: it may wait (to limit the rate) or end the work.
type trackingDirectory struct {
	store.Directory
	gate func(n int) error

	mu    sync.Mutex
	names map[string]bool
	open  map[string]*store.Output
}

func newTrackingDirectory(d store.Directory, gate func(n int) error) *trackingDirectory {
	return &trackingDirectory{Directory: d, gate: gate, names: map[string]bool{}, open: map[string]*store.Output{}}
}

func (d *trackingDirectory) Create(name string) (*store.Output, error) {
	out, err := d.Directory.Create(name)
	if err != nil {
		return nil, err
	}
	if d.gate != nil {
		out = store.NewOutput(name, gatedSink{out, d.gate})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[name] = true
	d.open[name] = out
	return out, nil
}

func (d *trackingDirectory) Remove(name string) error {
	d.mu.Lock()
	delete(d.names, name)
	delete(d.open, name)
	d.mu.Unlock()
	return d.Directory.Remove(name)
}

// created returns the files that were made and not removed, sorted.
func (d *trackingDirectory) created() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names))
}

// abandon closes and removes all files that were made.
func (d *trackingDirectory) abandon() error {
	d.mu.Lock()
	for _, out := range d.open {
		_ = out.Close() // the file goes away
	}
	d.mu.Unlock()
	var errs []error
	for _, name := range d.created() {
		if err := d.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

type gatedSink struct {
	out  *store.Output
	gate func(n int) error
}

func (s gatedSink) Write(p []byte) (int, error) {
	if err := s.gate(len(p)); err != nil {
		return 0, err
	}
	return s.out.Write(p)
}

func (s gatedSink) Close() error { return s.out.Close() }

var _ io.WriteCloser = gatedSink{}

// fileRefs counts what holds each file of an index: the list of segments, commits, pins. A file that nothing holds any
// more is removed.
type fileRefs struct {
	dir store.Directory

	mu      sync.Mutex
	counts  map[string]int
	synced  map[string]bool // durable
	pending map[string]bool // could not be removed yet
}

func newFileRefs(dir store.Directory) *fileRefs {
	return &fileRefs{dir: dir, counts: map[string]int{}, synced: map[string]bool{}, pending: map[string]bool{}}
}

func (r *fileRefs) hold(files []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range files {
		r.counts[f]++
	}
}

// release gives files up and removes those that nothing holds. That one cannot be removed is no error: it is tried again
// with the next release, and when a writer opens the index.
func (r *fileRefs) release(files []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range files {
		r.counts[f]--
		if r.counts[f] > 0 {
			continue
		}
		delete(r.counts, f)
		delete(r.synced, f)
		r.pending[f] = true
	}
	for f := range r.pending {
		if err := r.dir.Remove(f); err == nil || errors.Is(err, fs.ErrNotExist) {
			delete(r.pending, f)
		}
	}
}

// sync makes files durable, those that are not known to be.
func (r *fileRefs) sync(files []string) error {
	r.mu.Lock()
	var todo []string
	for _, f := range files {
		if !r.synced[f] {
			todo = append(todo, f)
		}
	}
	r.mu.Unlock()
	if len(todo) == 0 {
		return nil
	}
	if err := r.dir.Sync(todo); err != nil {
		return fmt.Errorf("sync the files of a commit: %w", err)
	}
	r.markSynced(todo)
	return nil
}

func (r *fileRefs) markSynced(files []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range files {
		r.synced[f] = true
	}
}
