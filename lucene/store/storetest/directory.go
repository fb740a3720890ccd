package storetest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/varve-search/varve/lucene/store"
)

// ErrInjected is wrapped by every error that a Directory injects.
var ErrInjected = errors.New("injected fault")

// Directory is a store.Directory in memory that can fail and crash. It is safe for concurrent use.
type Directory struct {
	mu      sync.Mutex
	names   map[string]*inode // as the process sees them
	durable map[string]*inode // as of the last SyncMetadata
	journal []change          // since then
	locks   map[string]bool
	dead    bool // the process that used it is gone: nothing works any more

	ops    int64
	failAt int64
	sticky bool
	fail   error
}

type inode struct {
	data   []byte
	synced []byte // what is surely on the disk
}

// change is a creation or replacement of a name (to with its inode), and a removal of another.
type change struct {
	remove, add string
	node        *inode
}

// New returns an empty Directory.
func New() *Directory {
	return &Directory{names: map[string]*inode{}, durable: map[string]*inode{}, locks: map[string]bool{}}
}

// FailAt makes the nth change from now on fail (1: the next one), and with sticky all after it as well. Changes are creations,
// writes, closes, renames, removals and syncs. A failing write writes half of its bytes.
func (d *Directory) FailAt(n int64, sticky bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt, d.sticky, d.fail = d.ops+n, sticky, ErrInjected
}

// Heal lets all changes succeed again.
func (d *Directory) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = nil
}

// Ops returns how many changes there were.
func (d *Directory) Ops() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// step counts a change and returns its fault. d.mu is held.
func (d *Directory) step(op, name string) error {
	if d.dead {
		return fmt.Errorf("%s %s: the process is gone: %w", op, name, ErrInjected)
	}
	d.ops++
	if d.fail != nil && (d.ops == d.failAt || d.sticky && d.ops > d.failAt) {
		return fmt.Errorf("%s %s: %w", op, name, d.fail)
	}
	return nil
}

// Kill returns the directory as the next process finds it after this one was killed: with all that was written. The old
// one does not work any more.
func (d *Directory) Kill() *Directory {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	n := New()
	for name, node := range d.names {
		n.put(name, slices.Clone(node.data), node.synced)
	}
	n.durable, n.journal = d.durable, d.journal
	return n
}

// Crash returns the directory as it is found after power failed: synced bytes are there, others as r has it. The old one
// does not work any more.
func (d *Directory) Crash(r *rand.Rand) *Directory {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	names := maps.Clone(d.durable)
	applied := r.IntN(len(d.journal) + 1)
	if r.IntN(4) == 0 {
		applied = len(d.journal)
	}
	for _, c := range d.journal[:applied] {
		if c.remove != "" {
			delete(names, c.remove)
		}
		if c.add != "" {
			names[c.add] = c.node
		}
	}
	n := New()
	for name, node := range names {
		data := slices.Clone(node.synced)
		if rest := len(node.data) - len(data); rest > 0 && r.IntN(3) > 0 {
			more := slices.Clone(node.data[len(data) : len(data)+r.IntN(rest+1)])
			if r.IntN(3) == 0 {
				clear(more) // the size reached the disk, the bytes did not
			}
			data = append(data, more...)
		}
		n.put(name, data, data)
	}
	n.durable = maps.Clone(n.names)
	return n
}

func (d *Directory) put(name string, data, synced []byte) {
	d.names[name] = &inode{data: data, synced: synced}
}

// CopyTo writes all files to another directory.
func (d *Directory) CopyTo(to store.Directory) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		out, err := to.Create(name)
		if err != nil {
			return err
		}
		out.PutBytes(d.names[name].data)
		if err := out.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) get(op, name string) (*inode, error) {
	if node := d.names[name]; node != nil {
		return node, nil
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// List implements store.Directory.
func (d *Directory) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.names)), nil
}

// Length implements store.Directory.
func (d *Directory) Length(name string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node, err := d.get("stat", name)
	if err != nil {
		return 0, err
	}
	return int64(len(node.data)), nil
}

// Open implements store.Directory.
func (d *Directory) Open(name string, _ store.Access) (store.Input, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node, err := d.get("open", name)
	if err != nil {
		return nil, err
	}
	return store.NewBytesInput(name, slices.Clip(node.data)), nil
}

// Create implements store.Directory.
func (d *Directory) Create(name string) (*store.Output, error) {
	if err := store.CheckName(name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("create", name); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	node := &inode{}
	d.names[name] = node
	d.journal = append(d.journal, change{add: name, node: node})
	return store.NewOutput(name, &sink{d, name, node}), nil
}

type sink struct {
	d    *Directory
	name string
	node *inode
}

func (s *sink) Write(p []byte) (int, error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if err := s.d.step("write", s.name); err != nil {
		if !s.d.dead {
			s.node.data = append(s.node.data, p[:len(p)/2]...)
		}
		return len(p) / 2, err
	}
	s.node.data = append(s.node.data, p...)
	return len(p), nil
}

func (s *sink) Close() error {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.step("close", s.name)
}

// Remove implements store.Directory.
func (d *Directory) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("remove", name); err != nil {
		return err
	}
	if _, err := d.get("remove", name); err != nil {
		return err
	}
	delete(d.names, name)
	d.journal = append(d.journal, change{remove: name})
	return nil
}

// Rename implements store.Directory.
func (d *Directory) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("rename", from); err != nil {
		return err
	}
	node, err := d.get("rename", from)
	if err != nil {
		return err
	}
	if d.names[to] != nil {
		return &fs.PathError{Op: "rename to", Path: to, Err: fs.ErrExist}
	}
	delete(d.names, from)
	d.names[to] = node
	d.journal = append(d.journal, change{remove: from, add: to, node: node})
	return nil
}

// Sync implements store.Directory. After an error the bytes are not on the disk and never will be.
func (d *Directory) Sync(names []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		node, err := d.get("sync", name)
		if err != nil {
			return err
		}
		if err := d.step("sync", name); err != nil {
			return err
		}
		node.synced = slices.Clone(node.data)
	}
	return nil
}

// SyncMetadata implements store.Directory.
func (d *Directory) SyncMetadata() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step("sync", "the folder"); err != nil {
		return err
	}
	d.durable, d.journal = maps.Clone(d.names), nil
	return nil
}

type lock struct {
	d    *Directory
	name string
}

func (l lock) Close() error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	delete(l.d.locks, l.name)
	return nil
}

// Lock implements store.Directory.
func (d *Directory) Lock(name string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[name] {
		return nil, fmt.Errorf("lock %s: %w", name, store.ErrLocked)
	}
	d.locks[name] = true
	return lock{d, name}, nil
}

// Close implements store.Directory.
func (d *Directory) Close() error { return nil }
