package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

// doomed is what is to be deleted once the root has been swung.
type doomed struct {
	mu    sync.Mutex
	blobs []doomedBlobs
	trees []doomedTree
	held  []*held // locks in remote stores, to be released before
	// records of hashed shard paths go last, and only when all else went: without them nobody finds
	// the shards.
	records []doomedBlobs
}

type doomedTree struct {
	c    blob.Container
	path string
}

type doomedBlobs struct {
	c     blob.Container
	path  string
	infos []blob.Info
	temp  bool
}

func (d *doomed) add(c blob.Container, path string, infos []blob.Info, temp bool) {
	if len(infos) == 0 {
		return
	}
	d.mu.Lock()
	d.blobs = append(d.blobs, doomedBlobs{c, path, infos, temp})
	d.mu.Unlock()
}

func (d *doomed) addTree(c blob.Container, path string) {
	d.mu.Lock()
	d.trees = append(d.trees, doomedTree{c, path})
	d.mu.Unlock()
}

func (d *doomed) addRecords(c blob.Container, path string, infos []blob.Info) {
	if len(infos) == 0 {
		return
	}
	d.mu.Lock()
	d.records = append(d.records, doomedBlobs{c, path, infos, false})
	d.mu.Unlock()
}

func (d *doomed) empty() bool { return len(d.blobs)+len(d.trees)+len(d.held)+len(d.records) == 0 }

// run deletes, several containers at a time; failures become warnings.
func (d *doomed) run(ctx context.Context, parallel int, res *Result) {
	parallel = blob.DeletesAtOnce(ctx, parallel)
	before := len(res.Warnings)
	d.releaseAll(ctx, parallel, res)
	deleteAll(ctx, parallel, d.blobs, d.trees, res)
	if len(res.Warnings) == before {
		deleteAll(ctx, parallel, d.records, nil, res)
	}
}

func deleteAll(ctx context.Context, parallel int, blobs []doomedBlobs, trees []doomedTree, res *Result) {
	var mu sync.Mutex
	note := func(n, bytes int64, err error) {
		mu.Lock()
		defer mu.Unlock()
		res.Deleted += n
		res.DeletedBytes += bytes
		if err != nil {
			res.Warnings = append(res.Warnings, err)
		}
	}
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, b := range blobs {
		g.Go(func() error {
			var names []string
			for _, i := range b.infos {
				names = append(names, i.Name)
			}
			var err error
			if tc, ok := b.c.(blob.TempCleaner); ok && b.temp {
				err = tc.DeleteTemp(ctx, names)
			} else {
				err = b.c.DeleteBatch(ctx, names)
			}
			var n, bytes int64
			var batch *blob.BatchError
			if err == nil || errors.As(err, &batch) {
				for _, i := range b.infos {
					if batch == nil || batch.Failed[i.Name] == nil {
						n++
						bytes += i.Size
					}
				}
			}
			note(n, bytes, err)
			return nil
		})
	}
	for _, c := range trees {
		g.Go(func() error {
			st, err := c.c.DeleteTree(ctx)
			note(st.Blobs, st.Bytes, err)
			return nil
		})
	}
	_ = g.Wait() // failures are notes
}

// Delete removes snapshots: it writes new indices of the shards that other snapshots share, swings
// the root, and then deletes what nothing refers to any more. Of shallow snapshots it releases the locks
// in the remote store, which Options.RemoteLocks opens; without it they are refused with ErrShallow. The segments there are
// left to the cluster that has the index.
func (r *Repository) Delete(ctx context.Context, base *Data, ids []SnapshotID) (*Result, error) {
	res, err := r.deleteSnapshots(ctx, base, ids)
	if err != nil && blob.KindOf(err) == blob.KindNoSpace && r.release(ctx) {
		if res, err = r.deleteSnapshots(ctx, base, ids); err == nil {
			if rerr := r.Reserve(context.WithoutCancel(ctx)); rerr != nil {
				res.Warnings = append(res.Warnings, fmt.Errorf("keep a reserve of space again: %w", rerr))
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("delete snapshots: %w", err)
	}
	return res, nil
}

func (r *Repository) deleteSnapshots(ctx context.Context, base *Data, ids []SnapshotID) (*Result, error) {
	if err := base.Writable(); err != nil {
		return nil, err
	}
	gone := map[string]bool{}
	for _, id := range ids {
		if s, ok := base.byUUID(id.UUID); !ok || s.Name != id.Name {
			return nil, &MissingSnapshotError{Snapshot: id.Name}
		}
		gone[id.UUID] = true
	}
	if len(gone) == 0 {
		return &Result{Data: base}, nil
	}
	if err := r.checkBase(ctx, base.Generation); err != nil {
		return nil, err
	}
	d, res := &doomed{}, &Result{}
	if err := r.shallowLocks(ctx, base, ids, d); err != nil {
		return nil, err
	}
	gens, wrote, err := r.deleteFromShards(ctx, base, gone, d, res)
	if err != nil {
		return nil, r.undoOnFull(ctx, base, gens, err)
	}
	next := base.withoutSnapshots(gone, gens)
	if err := r.doomMetadata(ctx, base, next, gone, d); err != nil {
		return nil, err
	}
	done, warnings, err := r.swing(ctx, base.Generation, next, wrote)
	if err != nil {
		return nil, r.undoOnFull(ctx, base, gens, err)
	}
	res.Data, res.Warnings = done, append(res.Warnings, warnings...)
	d.run(context.WithoutCancel(ctx), r.opts.Parallel, res)
	return res, nil
}

// undoOnFull removes the shard indices that a deletion wrote before the store was full, so that it can be tried again. The root
// was not swung then.
func (r *Repository) undoOnFull(ctx context.Context, base *Data, gens map[string][]string, cause error) error {
	if blob.KindOf(cause) != blob.KindNoSpace {
		return cause
	}
	for _, i := range base.Indices {
		for shard, gen := range gens[i.ID] {
			if gen == "" || gen == i.ShardGeneration(shard) {
				continue
			}
			if s, err := r.Shard(ctx, i.IndexID, shard); err == nil {
				_ = s.c.DeleteBatch(ctx, []string{shardIndexName(gen)}) // else Cleanup finds it
			}
		}
	}
	return cause
}

// deleteFromShards writes new indices of all shards that lose a snapshot and keep another, and notes
// what they no longer need. It returns the new generations of the indices concerned, and whether any
// was written.
func (r *Repository) deleteFromShards(ctx context.Context, base *Data, gone map[string]bool, d *doomed, res *Result) (map[string][]string, bool, error) {
	gens := map[string][]string{}
	var mu sync.Mutex
	wrote := false
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Parallel)
	for _, i := range base.Indices {
		survivors, names, touched := map[string]bool{}, map[string]bool{}, false
		for _, uuid := range i.Snapshots {
			if gone[uuid] {
				touched = true
				continue
			}
			s, _ := base.byUUID(uuid)
			survivors[uuid], names[s.Name] = true, true
		}
		if !touched || len(survivors) == 0 {
			continue
		}
		updated := slices.Clone(i.Generations)
		gens[i.ID] = updated
		for shard := range updated {
			g.Go(func() error {
				gen, err := r.deleteFromShard(gctx, i, shard, survivors, names, d)
				mu.Lock()
				defer mu.Unlock()
				var damaged *CorruptError
				if errors.As(err, &damaged) || err != nil && blob.KindOf(err) == blob.KindNotFound {
					// As OpenSearch does: the snapshot goes, the shard's blobs stay for a repair.
					res.Warnings = append(res.Warnings, err)
					return nil
				}
				if err != nil {
					return err
				}
				wrote = wrote || gen != "" && gen != updated[shard]
				updated[shard] = gen
				return nil
			})
		}
	}
	return gens, wrote, g.Wait()
}

// deleteFromShard returns the shard's generation after the deletion.
func (r *Repository) deleteFromShard(ctx context.Context, i IndexEntry, shard int, survivors, names map[string]bool, d *doomed) (string, error) {
	s, err := r.Shard(ctx, i.IndexID, shard)
	if err != nil {
		return "", err
	}
	// Listed before anything is written: what others upload meanwhile is not ours to judge.
	listed, err := blob.Names(ctx, s.c, "")
	if err != nil {
		return "", s.wrap(err, "list")
	}
	was := i.ShardGeneration(shard)
	// Without a generation no snapshot that stays has the shard, and what lies there is of ones that failed.
	old := newShardIndex(nil, nil)
	if was != "" {
		if old, _, err = s.FileIndex(ctx, was); err != nil {
			return "", err
		}
	}
	x, gen := old.keep(names), was
	switch {
	case len(x.Snapshots) == 0:
		gen = ""
	case len(x.Snapshots) != len(old.Snapshots):
		if gen, err = s.writeIndex(ctx, x); err != nil {
			return "", err
		}
	}
	var out []blob.Info
	for name, size := range listed {
		if !neededInShard(name, x, gen, survivors) {
			out = append(out, blob.Info{Name: name, Size: size})
		}
	}
	d.add(s.c, s.path, out, false)
	return gen, nil
}

// neededInShard says whether a blob of a shard must stay. Names of unknown kinds stay, and so do
// references to remote stores, whose locks must be released first.
func neededInShard(name string, x *ShardIndex, gen string, snapshots map[string]bool) bool {
	if uuid, ok := datUUID(name, "snap-"); ok {
		return snapshots[uuid]
	}
	if g, ok := strings.CutPrefix(name, rootPrefix); ok {
		return g == gen
	}
	if strings.HasPrefix(name, dataPrefix) {
		_, ok := x.ByName(canonicalName(name))
		return ok
	}
	return true
}

// canonicalName takes the part number off the name of a blob.
func canonicalName(name string) string {
	base, _, _ := strings.Cut(name, partInfix)
	return base
}

// doomMetadata notes the metadata blobs that next no longer refers to, and the folders of indices
// that it no longer has.
func (r *Repository) doomMetadata(ctx context.Context, base, next *Data, gone map[string]bool, d *doomed) error {
	var root []blob.Info
	for _, s := range base.Snapshots {
		if gone[s.UUID] {
			root = append(root, blob.Info{Name: snapName(s.UUID)}, blob.Info{Name: metaName(s.UUID)})
		}
	}
	d.add(r.root, r.opts.BasePath, root, false)
	for _, i := range base.Indices {
		c, path, err := r.indexContainer(i.IndexID)
		if err != nil {
			return err
		}
		if kept, ok := next.Index(i.Name); ok {
			needed := neededMetadata(next, kept)
			var out []blob.Info
			for _, s := range base.Snapshots {
				if !gone[s.UUID] || !slices.Contains(i.Snapshots, s.UUID) {
					continue
				}
				id, err := base.metadataBlob(s, i.IndexID)
				if err == nil && !needed[metaName(id)] && !slices.ContainsFunc(out, func(b blob.Info) bool { return b.Name == metaName(id) }) {
					out = append(out, blob.Info{Name: metaName(id)})
				}
			}
			d.add(c, path, out, false)
			continue
		}
		if err := r.doomIndex(ctx, i.IndexID, len(i.Generations), d); err != nil {
			return err
		}
	}
	return nil
}

// doomIndex notes all of an index: its folder and, with hashed paths, its shards' folders and the
// record of them.
func (r *Repository) doomIndex(ctx context.Context, i IndexID, shards int, d *doomed) error {
	c, path, err := r.indexContainer(i)
	if err != nil {
		return err
	}
	d.addTree(c, path)
	if i.ShardPathType == pathFixed {
		return nil
	}
	recorded, err := r.recordedPaths(ctx, i)
	if err != nil {
		return err
	}
	for shard := range max(shards, len(recorded)) {
		s, err := r.Shard(ctx, i, shard)
		if err != nil {
			return err
		}
		d.addTree(s.c, s.path)
	}
	dir, err := r.root.Container(shardPathsDir)
	if err != nil {
		return err
	}
	var records []blob.Info
	err = dir.List(ctx, shardPathFile+i.ID+".", func(b blob.Info) error {
		records = append(records, b)
		return nil
	})
	d.addRecords(dir, join(r.opts.BasePath, shardPathsDir), records)
	return err
}

// neededMetadata returns the names of an index's metadata blobs that its snapshots refer to.
func neededMetadata(d *Data, i IndexEntry) map[string]bool {
	needed := map[string]bool{}
	for _, uuid := range i.Snapshots {
		s, ok := d.byUUID(uuid)
		if !ok {
			continue
		}
		if id, err := d.metadataBlob(s, i.IndexID); err == nil {
			needed[metaName(id)] = true
		}
	}
	return needed
}
