package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

// Format: docs/formats/remote-segments.md, "Names" and "Deleting a shallow snapshot".

// held is what a shallow snapshot of a shard keeps in a remote store.
type held struct {
	shard   *Shard
	id      SnapshotID
	shallow *ShallowSnapshot
	locks   *remoteBlobs
}

// heldBy returns what a shard's reference keeps in the remote store, which must be open to writing.
func (s *Shard) heldBy(ctx context.Context, id SnapshotID) (*held, error) {
	shallow, err := s.ShallowSnapshot(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.heldIn(ctx, id, shallow)
}

// heldIn is heldBy for a reference that was read.
func (s *Shard) heldIn(ctx context.Context, id SnapshotID, shallow *ShallowSnapshot) (_ *held, err error) {
	if s.r.opts.RemoteLocks == nil {
		return nil, s.wrap(&ShallowError{Repository: shallow.RemoteRepository}, "snapshot [%s] holds locks in a remote store, and nothing can be written there from here", id)
	}
	h := &held{shard: s, id: id, shallow: shallow}
	if h.locks, err = s.remoteFolder(ctx, s.r.opts.RemoteLocks, shallow.RemoteRepository, shallow, remoteLocks); err != nil {
		return nil, s.wrap(err, "snapshot [%s] holds locks in the remote store of repository [%s]", id, shallow.RemoteRepository)
	}
	return h, nil
}

// each visits the locks on the metadata files of the snapshot's commit.
func (h *held) each(ctx context.Context, visit func(lock, file, owner string)) error {
	prefix, err := h.shallow.metadataPrefix()
	if err != nil {
		return err
	}
	return h.locks.c.List(ctx, prefix, func(i blob.Info) error {
		file, owner := parseRemoteLock(i.Name)
		visit(i.Name, file, owner)
		return nil
	})
}

// release removes the lock. Where it is gone already nothing is left to do.
func (h *held) release(ctx context.Context) error {
	var names []string
	if err := h.each(ctx, func(lock, _, owner string) {
		if owner == h.id.UUID {
			names = append(names, lock)
		}
	}); err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	return h.locks.c.DeleteBatch(ctx, names)
}

// hold notes a reference to a remote store that is to be deleted when its lock is released.
func (d *doomed) hold(h *held) {
	d.mu.Lock()
	d.held = append(d.held, h)
	d.mu.Unlock()
}

// holds tells whether a path is, or lies in, a tree.
func (t doomedTree) holds(path string) bool {
	return path == t.path || strings.HasPrefix(path, t.path+"/")
}

// inTree tells whether a shard goes with a whole tree.
func (d *doomed) inTree(path string) bool {
	for _, t := range d.trees {
		if t.holds(path) {
			return true
		}
	}
	return false
}

// spare keeps the trees that a shard lies in, and all records of hashed paths.
func (d *doomed) spare(path string) {
	d.spared = true
	d.trees = slices.DeleteFunc(d.trees, func(t doomedTree) bool { return t.holds(path) })
}

// holdsIn tells whether a reference of an index is to be deleted.
func (d *doomed) holdsIn(i IndexID) bool {
	return slices.ContainsFunc(d.held, func(h *held) bool { return h.shard.Index.ID == i.ID })
}

// releaseAll releases locks, and then dooms the references. Where a lock cannot be released the reference stays, with all that
// would go with it, as in OpenSearch: a clean-up finds it again. It must not run beside anything that adds to d.
func (d *doomed) releaseAll(ctx context.Context, parallel int, res *Result) {
	var g errgroup.Group
	g.SetLimit(max(parallel, 1))
	var mu sync.Mutex
	stuck := map[*held]bool{}
	for _, h := range d.held {
		g.Go(func() error {
			if err := h.release(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				stuck[h] = true
				res.Warnings = append(res.Warnings, h.shard.wrap(err, "the lock of snapshot [%s] in the remote store of repository [%s] stays, with the reference to it", h.id.UUID, h.shallow.RemoteRepository))
			}
			return nil
		})
	}
	_ = g.Wait() // failures are warnings
	for _, h := range d.held {
		switch {
		case stuck[h]:
			d.spare(h.shard.path)
		case !d.inTree(h.shard.path):
			d.add(h.shard.c, h.shard.path, []blob.Info{{Name: shallowName(h.id.UUID)}}, false)
		}
	}
}

// shallowLocks dooms the references of snapshots that are deleted, and refuses what cannot be deleted from here. The info of a
// snapshot may be damaged: then its shards tell whether it is shallow.
func (r *Repository) shallowLocks(ctx context.Context, base *Data, ids []SnapshotID, d *doomed) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Parallel)
	for _, id := range ids {
		r.mu.Lock()
		plain := r.plain[id.UUID]
		r.mu.Unlock()
		if !plain {
			g.Go(func() error { return r.shallowLocksOf(gctx, base, id, d) })
		}
	}
	return g.Wait()
}

func (r *Repository) shallowLocksOf(ctx context.Context, base *Data, id SnapshotID, d *doomed) error {
	info, err := r.SnapshotInfo(ctx, id)
	switch {
	case err != nil && ctx.Err() != nil:
		return err
	case err == nil && !info.Shallow():
		return nil
	case err == nil && info.PinnedTimestamp != 0:
		pins, err := r.pinsOf(ctx, base, id, info.PinnedTimestamp, "delete the snapshot")
		d.mu.Lock()
		d.pins = append(d.pins, pins...)
		d.mu.Unlock()
		return err
	}
	for _, i := range base.SnapshotIndices(id) {
		shards, err := r.shardFolders(ctx, i.IndexID, len(i.Generations)) // real nodes forget generations where all snapshots are shallow
		if err != nil {
			return err
		}
		if err := r.locksInIndex(ctx, i, shards, id, d); err != nil {
			return fmt.Errorf("snapshot [%s]; register that repository here without [readonly], or delete the snapshot with the cluster that took it: %w", id, err)
		}
	}
	return nil
}

// shardFolders returns how many shards of an index may have a folder, which is at least so many.
func (r *Repository) shardFolders(ctx context.Context, i IndexID, least int) (int, error) {
	if i.ShardPathType != pathFixed {
		recorded, err := r.recordedPaths(ctx, i)
		return max(least, len(recorded)), err
	}
	c, _, err := r.indexContainer(i)
	if err != nil {
		return 0, err
	}
	err = c.Children(ctx, func(name string) error {
		if n, err := strconv.Atoi(name); err == nil && n >= least && n < maxShards && strconv.Itoa(n) == name {
			least = n + 1
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("list index [%s]: %w", i, err)
	}
	return least, err
}

func (r *Repository) locksInIndex(ctx context.Context, i IndexEntry, shards int, id SnapshotID, d *doomed) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Parallel)
	for n := range shards {
		g.Go(func() error {
			s, err := r.Shard(gctx, i.IndexID, n)
			if err != nil {
				return err
			}
			h, err := s.heldBy(gctx, id)
			if err != nil && blob.KindOf(err) == blob.KindNotFound && !errors.Is(err, ErrShallow) {
				return nil // the shard failed, or its data is in the repository
			}
			if err == nil {
				d.hold(h)
			}
			return err
		})
	}
	return g.Wait()
}

// staleIndexLocks is staleLocks for all shards of an index that the root does not have. It tells whether none was kept.
func (r *Repository) staleIndexLocks(ctx context.Context, i IndexID, d *doomed, report *CleanupReport) (bool, error) {
	before := len(report.Kept)
	err := r.staleLocksIn(ctx, i, 0, nil, d, func(_ *Shard, err error) { report.Kept = append(report.Kept, err) })
	return len(report.Kept) == before, err
}

// staleBeside dooms what clones that were given up have left of an index that goes with the last of its snapshots: with its folder the
// references would go too, and nobody would find the locks. A shard whose references cannot be judged stays, for a clean-up.
func (r *Repository) staleBeside(ctx context.Context, i IndexEntry, gone map[string]bool, d *doomed, res *Result) error {
	return r.staleLocksIn(ctx, i.IndexID, len(i.Generations), gone, d, func(s *Shard, err error) {
		d.spare(s.path)
		res.Warnings = append(res.Warnings, err)
	})
}

func (r *Repository) staleLocksIn(ctx context.Context, i IndexID, least int, alive map[string]bool, d *doomed, keep func(*Shard, error)) error {
	shards, err := r.shardFolders(ctx, i, least)
	if err != nil {
		return err
	}
	for n := range shards {
		s, err := r.Shard(ctx, i, n)
		if err != nil {
			return err
		}
		listed, err := blob.Names(ctx, s.c, shallowPrefix)
		if err != nil {
			return s.wrap(err, "list")
		}
		if err := s.staleLocks(ctx, listed, alive, d, func(err error) error {
			keep(s, err)
			return ctx.Err()
		}); err != nil {
			return err
		}
	}
	return nil
}

// staleLocks dooms the references of a shard to snapshots that are not alive. What cannot be opened is kept.
func (s *Shard) staleLocks(ctx context.Context, listed map[string]int64, alive map[string]bool, d *doomed, keep func(error) error) error {
	for name := range listed {
		uuid, ok := datUUID(name, shallowPrefix)
		if !ok || alive[uuid] {
			continue
		}
		h, err := s.heldBy(ctx, SnapshotID{Name: uuid, UUID: uuid})
		if err == nil {
			d.hold(h)
		} else if err := keep(err); err != nil {
			return err
		}
	}
	return nil
}
