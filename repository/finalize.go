package repository

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// FinalizeIndex is an index of a snapshot that is being taken.
type FinalizeIndex struct {
	Index    IndexID // from Data.ResolveIndex
	Metadata *IndexMetadata
	// Generations are what WriteSnapshot or CloneSnapshot returned for each shard; "" for a shard
	// that failed and whose index stays as it was.
	Generations []string
	// Bases are, for each shard, the generations that its own was built on, one on the other, the
	// newest last. The root must have one of them, or the shard's own: which it has when another
	// snapshot that was built on this one was finished first. Nil trusts the base given to Finalize.
	Bases [][]string
}

// base finds the generation that the root has of a shard among those that it may have. -1 means that
// the shard's generation is in the root already.
func (x *FinalizeIndex) base(shard int, root string) (at int, ok bool) {
	if x.Bases == nil {
		return 0, true
	}
	if root == x.Generations[shard] {
		return -1, true
	}
	for i, g := range x.Bases[shard] {
		if g == root || root == "" && g == NewGeneration {
			return i, true
		}
	}
	return 0, false
}

// NewSnapshot is a snapshot whose shards are written.
type NewSnapshot struct {
	// Info is completed: Version becomes WriteVersion where it is not set.
	Info SnapshotInfo
	// Global is the cluster's metadata; nil writes nearly empty metadata.
	Global  *smile.Object
	Indices []FinalizeIndex
}

// Result is what a change of the repository left.
type Result struct {
	Data *Data // the new root
	// Info is what Finalize wrote of the snapshot; else nil.
	Info *SnapshotInfo
	// Warnings are steps after the root changed that failed. They leave blobs for Cleanup.
	Warnings []error
	// Deleted counts the blobs that were deleted, and their bytes where the store told them.
	Deleted, DeletedBytes int64
}

// Finalize makes a snapshot visible: it writes its metadata, and then swings the root base. That is the
// root of when the snapshot began or, with [FinalizeIndex].Bases, a later one that only the caller's own
// finalizations led to. A *ConcurrentModificationError means that the repository changed otherwise; the
// snapshot does not exist then, and what was written for it is left to Cleanup.
func (r *Repository) Finalize(ctx context.Context, base *Data, n NewSnapshot) (*Result, error) {
	next, err := r.addSnapshot(base, &n)
	if err != nil {
		return nil, fmt.Errorf("finalize snapshot [%s]: %w", n.Info.SnapshotID, err)
	}
	if err := r.writeSnapshotMetadata(ctx, base, &n, next); err != nil {
		r.abandoned()
		return nil, fmt.Errorf("finalize snapshot [%s]: %w", n.Info.SnapshotID, err)
	}
	done, warnings, err := r.swing(ctx, base.Generation, next, true)
	if err != nil {
		r.abandoned()
		return nil, fmt.Errorf("finalize snapshot [%s]: %w", n.Info.SnapshotID, err)
	}
	r.notePlain(&n.Info)
	for _, x := range n.Indices {
		r.noteShards(x.Index, next.Identifiers[x.Metadata.Identifier()], x.Metadata.Shards())
	}
	info := n.Info // without what else n holds
	res := &Result{Data: done, Info: &info, Warnings: warnings}
	r.dropOldShardIndices(context.WithoutCancel(ctx), base, n.Indices, res)
	return res, nil
}

// addSnapshot returns the root with a snapshot more. New identifiers of index metadata map to "".
func (r *Repository) addSnapshot(base *Data, n *NewSnapshot) (*Data, error) {
	if err := base.Writable(); err != nil {
		return nil, err
	}
	info := &n.Info
	if info.Version == (Version{}) {
		info.Version = WriteVersion
	}
	if info.Name == "" || info.UUID == "" {
		return nil, fmt.Errorf("name or uuid is missing")
	}
	if _, err := base.Snapshot(info.Name); err == nil {
		return nil, ErrSnapshotExists
	}
	if _, dup := base.byUUID(info.UUID); dup {
		return nil, fmt.Errorf("its uuid: %w", ErrSnapshotExists)
	}
	next := &Data{Generation: base.Generation, Identifiers: maps.Clone(base.Identifiers), Indices: slices.Clone(base.Indices)}
	info.IndexMetadata = map[string]string{}
	entry := SnapshotEntry{SnapshotID: info.SnapshotID, State: info.State, Version: info.Version.String(), IndexMetadata: map[string]string{}}
	for _, x := range n.Indices {
		if x.Metadata == nil || x.Metadata.Name != x.Index.Name {
			return nil, fmt.Errorf("index [%s] has no metadata of its name", x.Index)
		}
		if len(x.Generations) != x.Metadata.Shards() {
			return nil, fmt.Errorf("index [%s] has %d shards, but %d generations", x.Index, x.Metadata.Shards(), len(x.Generations))
		}
		identifier := x.Metadata.Identifier()
		if _, twice := entry.IndexMetadata[x.Index.ID]; twice {
			return nil, fmt.Errorf("index [%s] is given twice", x.Index)
		}
		entry.IndexMetadata[x.Index.ID] = identifier
		if _, known := next.Identifiers[identifier]; !known {
			next.Identifiers[identifier] = ""
			info.IndexMetadata[x.Index.ID] = identifier
		} else if !base.usedBy(identifier, x.Index.ID) {
			return nil, fmt.Errorf("index [%s]: its uuid [%s] is that of another index", x.Index, x.Metadata.UUID())
		}
		at := slices.IndexFunc(next.Indices, func(i IndexEntry) bool { return i.Name == x.Index.Name })
		if at < 0 {
			if slices.ContainsFunc(next.Indices, func(i IndexEntry) bool { return i.ID == x.Index.ID }) {
				return nil, fmt.Errorf("index [%s]: its id belongs to another index", x.Index)
			}
			next.Indices = append(next.Indices, IndexEntry{IndexID: x.Index})
			at = len(next.Indices) - 1
		} else if next.Indices[at].IndexID != x.Index {
			return nil, fmt.Errorf("index [%s] is known as [%s]", x.Index, next.Indices[at].IndexID)
		}
		i := &next.Indices[at]
		i.Snapshots = append(slices.Clone(i.Snapshots), info.UUID)
		gens := slices.Clone(i.Generations)
		if x.Bases != nil && len(x.Bases) != len(x.Generations) {
			return nil, fmt.Errorf("index [%s] has %d shards, but %d lists of bases", x.Index, len(x.Generations), len(x.Bases))
		}
		for shard, g := range x.Generations {
			if shard >= len(gens) {
				gens = append(gens, "")
			}
			if g == "" {
				continue
			}
			if _, ok := x.base(shard, gens[shard]); !ok {
				return nil, fmt.Errorf("index [%s]: shard %d was built on generations %q, the repository has [%s]: %w", x.Index, shard, x.Bases[shard], gens[shard],
					&ConcurrentModificationError{Expected: base.Generation, Found: base.Generation})
			}
			gens[shard] = g
		}
		i.Generations = gens
	}
	if info.clone() {
		info.IndexMetadata = entry.IndexMetadata
	}
	next.Snapshots = append(slices.Clone(base.Snapshots), entry)
	return next, nil
}

// usedBy says whether a snapshot uses the metadata identifier for the index, or none uses it.
func (d *Data) usedBy(identifier, indexID string) bool {
	used := false
	for _, s := range d.Snapshots {
		if s.IndexMetadata[indexID] == identifier {
			return true
		}
		for _, x := range s.IndexMetadata {
			used = used || x == identifier
		}
	}
	return !used
}

// writeSnapshotMetadata writes meta-, index metadata that is new, and snap-, which says that the others are there; it fills
// next.Identifiers.
func (r *Repository) writeSnapshotMetadata(ctx context.Context, base *Data, n *NewSnapshot, next *Data) error {
	global := n.Global
	if global == nil {
		global = EmptyGlobalMetadata()
	}
	batch := blob.NewBatch(1 + len(n.Indices))
	defer batch.Close()
	together := blob.PutOptions{Batch: batch}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Parallel)
	g.Go(func() error {
		return r.putFrame(gctx, r.root, metaName(n.Info.UUID), codecMetadata, smile.NewObject(member{Name: globalKey, Value: global}), together)
	})
	for _, x := range n.Indices {
		g.Go(func() error { return r.PrepareIndex(gctx, base, x.Index, len(x.Generations)) })
		identifier := x.Metadata.Identifier()
		if next.Identifiers[identifier] != "" {
			continue
		}
		id := NewTimeUUID()
		next.Identifiers[identifier] = id
		g.Go(func() error {
			c, _, err := r.indexContainer(x.Index)
			if err != nil {
				return err
			}
			return r.putFrame(gctx, c, metaName(id), codecIndexMetadata, x.Metadata.tree(), together)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := batch.Flush(ctx); err != nil {
		return err
	}
	return r.writeFrame(ctx, r.root, snapName(n.Info.UUID), codecSnapshot, n.Info.tree())
}

// dropOldShardIndices deletes the shard indices that the new root no longer names, and those between:
// nothing was ever built on them but what is in the root now.
func (r *Repository) dropOldShardIndices(ctx context.Context, base *Data, indices []FinalizeIndex, res *Result) {
	var dropped []blob.Info
	before := len(res.Warnings)
	known := make(map[string]IndexEntry, len(base.Indices))
	for _, i := range base.Indices {
		known[i.ID] = i
	}
	for _, x := range indices {
		old := known[x.Index.ID]
		for shard, gen := range x.Generations {
			was := old.ShardGeneration(shard)
			if gen == "" || was == gen {
				continue
			}
			var gens []string
			if was != "" {
				gens = append(gens, was)
			}
			if at, ok := x.base(shard, was); ok && x.Bases != nil {
				gens = append(gens, x.Bases[shard][at+1:]...)
			}
			if len(gens) == 0 {
				continue
			}
			s, err := r.Shard(ctx, x.Index, shard)
			if err != nil {
				res.Warnings = append(res.Warnings, fmt.Errorf("delete old indices of shard [%s][%d]: %w", x.Index.Name, shard, err))
				continue
			}
			for _, g := range gens {
				if g == gen { // a clone of a shallow snapshot builds on nothing: it has the base itself
					continue
				}
				dropped = append(dropped, blob.Info{Name: join(s.path, shardIndexName(g))})
			}
		}
	}
	r.deleteAll(ctx, []doomedBlobs{{infos: dropped}}, nil, res)
	if len(res.Warnings) > before {
		r.abandoned()
	}
}
