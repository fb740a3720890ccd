package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
)

// Config describes a node.
type Config struct {
	DataPath string // path.data of this node
	Store    *state.Store
	Tasks    *task.Registry
	Restorer Restorer // may be set until Start
	Settings settings.Settings
	Log      *slog.Logger
	// DiskSpace, if set, tells size and free bytes of the file system of a folder in place of DiskSpace of this package.
	DiskSpace func(path string) (total, available int64)
	// IndexBuffer is the memory, in bytes, that the buffers of all shards may take together.
	IndexBuffer int64
}

// Node holds this node's shards. Its methods are safe for concurrent use.
type Node struct {
	cfg   Config
	store *state.Store
	log   *slog.Logger

	mu      sync.RWMutex
	indices map[string]*Index // by UUID: those that have an open shard here, or are open at all

	remote remote

	ctx    context.Context //nolint:containedctx // of the node's own goroutines
	cancel context.CancelFunc
	work   sync.WaitGroup
	kick   chan struct{} // wakes the manager's loop
}

// NewNode returns a node; Start makes it work.
func NewNode(cfg Config) *Node {
	ctx, cancel := context.WithCancel(context.Background())
	return &Node{cfg: cfg, store: cfg.Store, log: cfg.Log, indices: map[string]*Index{}, ctx: ctx, cancel: cancel, kick: make(chan struct{}, 1),
		remote: remote{slots: make(chan struct{}, restoresAtOnce)}}
}

// SetRestorer says who restores shards from snapshots. Call it before Start.
func (n *Node) SetRestorer(r Restorer) { n.cfg.Restorer = r }

// DataPath returns the folder of this node's data.
func (n *Node) DataPath() string { return n.cfg.DataPath }

// DiskSpace returns the size of the file system that holds this node's data, and what is left of it, in bytes; zeros where it
// cannot be told.
func (n *Node) DiskSpace() (total, available int64) {
	if n.cfg.DiskSpace != nil {
		return n.cfg.DiskSpace(n.cfg.DataPath)
	}
	total, _, available = DiskSpace(n.cfg.DataPath)
	return total, available
}

// Tasks returns the tasks of this node, or nil if it keeps none.
func (n *Node) Tasks() *task.Registry { return n.cfg.Tasks }

// Store returns the cluster state.
func (n *Node) Store() *state.Store { return n.store }

// Start takes up what the state says is on this node, and begins to follow it.
func (n *Node) Start(ctx context.Context) error {
	sub := n.store.Subscribe()
	if err := n.reclaim(ctx); err != nil {
		return err
	}
	n.apply(nil, n.store.View())
	n.work.Go(func() { n.follow(sub) })
	n.work.Go(n.manage)
	return nil
}

// reclaim marks the copies that this node held before its process ended as to be recovered from disk, under a new primary term.
func (n *Node) reclaim(ctx context.Context) error {
	return n.store.Update(ctx, func(tx *state.Tx) error {
		bumped := map[string]*state.Index{}
		for _, r := range tx.AllShards() {
			for i, c := range r.Copies {
				if c.Node != n.store.NodeID() || c.State == state.ShardUnassigned {
					continue
				}
				r = r.Clone()
				if c.State == state.ShardStarted {
					r.Copies[i].Recovery = &state.RecoverySource{Type: state.RecoverExistingStore}
				}
				r.Copies[i].State = state.ShardInitializing
				r.Copies[i].AllocationID = state.NewUUID()
				tx.Put(r)
				if ix := tx.IndexByUUID(r.IndexUUID); ix != nil && c.Primary {
					if bumped[ix.UUID] == nil {
						bumped[ix.UUID] = ix.Clone()
					}
					bumped[ix.UUID].PrimaryTerms[r.Shard]++
				}
			}
		}
		for _, ix := range bumped {
			tx.Put(ix)
		}
		return nil
	})
}

func (n *Node) follow(sub *state.Subscription) {
	for {
		old, cur, err := sub.Next(n.ctx)
		if err != nil {
			if n.ctx.Err() == nil {
				n.log.Error("the cluster state cannot be followed any more", "error", err)
			}
			return
		}
		n.apply(old, cur)
		n.wakeManager()
	}
}

func (n *Node) wakeManager() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// apply makes this node's shards what the view says. old is nil at first.
func (n *Node) apply(old, cur *state.View) {
	seen := map[string]bool{}
	for _, meta := range cur.Indices() {
		seen[meta.UUID] = true
		if old != nil && old.IndexByUUID(meta.UUID) == meta && !n.routingChanged(old, cur, meta.UUID) {
			continue
		}
		n.applyIndex(cur, meta)
	}
	n.mu.Lock()
	var gone []*Index
	for id, ix := range n.indices {
		if !seen[id] {
			gone = append(gone, ix)
			delete(n.indices, id)
		}
	}
	n.mu.Unlock()
	for _, ix := range gone {
		ix.remove()
	}
}

func (n *Node) routingChanged(old, cur *state.View, uuid string) bool {
	a, b := old.Shards(uuid), cur.Shards(uuid)
	if len(a) != len(b) {
		return true
	}
	for i := range a {
		if a[i] != b[i] {
			return true
		}
	}
	return false
}

func (n *Node) applyIndex(cur *state.View, meta *state.Index) {
	n.mu.Lock()
	ix := n.indices[meta.UUID]
	if ix == nil {
		ix = newIndex(n, meta)
		n.indices[meta.UUID] = ix
	}
	n.mu.Unlock()
	if err := ix.update(meta); err != nil {
		n.log.Error("an index's metadata cannot be applied", "index", meta.Name, "error", err)
	}
	for _, r := range cur.Shards(meta.UUID) {
		ix.applyShard(r, meta)
	}
}

// Index returns an index by its name, or nil.
func (n *Node) Index(name string) *Index {
	meta := n.store.View().Index(name)
	if meta == nil {
		return nil
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.indices[meta.UUID]
}

// Indices returns all indices that this node knows.
func (n *Node) Indices() []*Index {
	n.mu.RLock()
	defer n.mu.RUnlock()
	list := make([]*Index, 0, len(n.indices))
	for _, ix := range n.indices {
		list = append(list, ix)
	}
	return list
}

// path is the folder of an index on this node.
func (n *Node) path(uuid string) string { return filepath.Join(n.cfg.DataPath, "indices", uuid) }

// Stop ends the node's goroutines and closes its shards, committing them.
func (n *Node) Stop(ctx context.Context) error {
	n.cancel()
	n.work.Wait()
	n.mu.Lock()
	list := n.indices
	n.indices = map[string]*Index{}
	n.mu.Unlock()
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for _, ix := range list {
		wg.Go(func() {
			if err := ix.close(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// WaitFor returns when the state fulfils a condition; it gives up after timeout, telling so.
func (n *Node) WaitFor(ctx context.Context, timeout time.Duration, condition func(*state.View) bool) (ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err = n.store.WaitFor(ctx, condition)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("wait for the cluster state: %w", err)
	}
	return true, nil
}

// Shard returns an open shard of this node.
func (n *Node) Shard(index string, id int) (*shard.Shard, error) {
	ix := n.Index(index)
	if ix == nil {
		return nil, fmt.Errorf("no index %s on this node", index)
	}
	return ix.Shard(id)
}
