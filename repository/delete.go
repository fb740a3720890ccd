package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

// Delete removes snapshots: it writes new indices of the shards that other snapshots share, swings
// the root, and then deletes what nothing refers to any more. Of shallow snapshots it releases the locks,
// or the timestamps, in the remote store, which Options.RemoteLocks opens; without it they are refused with ErrShallow. The segments there are
// left to the cluster that has the index.
func (r *Repository) Delete(ctx context.Context, base *Data, ids []SnapshotID) (*Result, error) {
	return r.DeleteWith(ctx, base, ids, DeleteOptions{})
}

// DeleteOptions of DeleteWith.
type DeleteOptions struct {
	// Commit, when it is set, is called when all is written that the new root names, right before that is written: until then all
	// snapshots stay whatever happens, from then on nothing stops the deletion. Its error ends the deletion and is in the chain of
	// the error that is returned. It is called again when the store was full and the deletion is tried again.
	Commit func(context.Context) error
}

// DeleteWith is Delete with options.
func (r *Repository) DeleteWith(ctx context.Context, base *Data, ids []SnapshotID, opts DeleteOptions) (*Result, error) {
	res, err := r.deleteSnapshots(ctx, base, ids, opts)
	if err != nil && blob.KindOf(err) == blob.KindNoSpace && r.release(ctx) {
		if res, err = r.deleteSnapshots(ctx, base, ids, opts); err == nil {
			if rerr := r.Reserve(context.WithoutCancel(ctx)); rerr != nil {
				res.Warnings = append(res.Warnings, fmt.Errorf("keep a reserve of space again: %w", rerr))
			}
		}
	}
	if err != nil {
		r.abandoned()
		return nil, fmt.Errorf("delete snapshots: %w", err)
	}
	return res, nil
}

func (r *Repository) deleteSnapshots(ctx context.Context, base *Data, ids []SnapshotID, opts DeleteOptions) (*Result, error) {
	if err := base.Writable(); err != nil {
		return nil, err
	}
	known, gone := base.byUUIDs(), map[string]bool{}
	for _, id := range ids {
		if s, ok := known[id.UUID]; !ok || s.Name != id.Name {
			return nil, &MissingSnapshotError{Snapshot: id.Name}
		}
		gone[id.UUID] = true
	}
	if len(gone) == 0 {
		return &Result{Data: base}, nil
	}
	d, res := &doomed{}, &Result{}
	if err := r.shallowLocks(ctx, base, ids, d); err != nil {
		return nil, err
	}
	work, gens := partings(base, gone)
	batch := blob.NewBatch(len(work))
	defer batch.Close()
	wrote, err := r.deleteFromShards(ctx, work, batch, d, res)
	if err != nil {
		return nil, r.undoOnFull(ctx, base, gens, err)
	}
	next := base.withoutSnapshots(gone, gens)
	if err := r.doomMetadata(ctx, base, next, gone, d, res); err != nil {
		return nil, err
	}
	if err := batch.Flush(ctx); err != nil {
		return nil, r.undoOnFull(ctx, base, gens, err)
	}
	if err := commit(ctx, opts.Commit); err != nil {
		return nil, err
	}
	done, warnings, err := r.swing(ctx, base.Generation, next, wrote)
	if err != nil {
		return nil, r.undoOnFull(ctx, base, gens, err)
	}
	res.Data, res.Warnings = done, append(res.Warnings, warnings...)
	d.run(context.WithoutCancel(ctx), r, res)
	return res, nil
}

// commit calls what is to be called right before the root is written.
func commit(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil || call == nil {
		return err
	}
	return call(ctx)
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

// notePlain remembers that a snapshot is not shallow, which never changes.
func (r *Repository) notePlain(info *SnapshotInfo) {
	if info.Shallow() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.plain) >= maxRemembered {
		clear(r.plain)
	}
	r.plain[info.UUID] = true
}

// maxRemembered is of how many snapshots, or of how many indices' metadata, something is remembered.
const maxRemembered = 1 << 16

// partings lists the shards that lose a snapshot and keep another, and the generations that the shards of their indices have, for
// deleteFromShards to change.
func partings(base *Data, gone map[string]bool) ([]shardParting, map[string][]string) {
	gens := map[string][]string{}
	var work []shardParting
	known := base.byUUIDs()
	for _, i := range base.Indices {
		p := newParting(i, known, gone)
		if len(p.gone) == 0 || len(p.survivors) == 0 {
			continue
		}
		updated := slices.Clone(i.Generations)
		gens[i.ID] = updated
		for shard := range updated {
			work = append(work, shardParting{i, shard, p, updated})
		}
	}
	return work, gens
}

// deleteFromShards writes new indices of shards, and notes what they no longer need. It updates the generations in work, and returns
// whether any was written.
func (r *Repository) deleteFromShards(ctx context.Context, work []shardParting, batch *blob.Batch, d *doomed, res *Result) (bool, error) {
	var mu sync.Mutex
	wrote := false
	one := func(ctx context.Context, w shardParting) error {
		gen, err := r.deleteFromShard(ctx, w.index, w.shard, w.parting, batch, d)
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
		wrote = wrote || gen != "" && gen != w.updated[w.shard]
		w.updated[w.shard] = gen
		return nil
	}
	// Goroutines that go from shard to shard: new ones would each grow their stack anew.
	g, gctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(r.opts.Parallel, len(work)) {
		g.Go(func() error {
			for n := next.Add(1); n <= int64(len(work)); n = next.Add(1) {
				if err := one(gctx, work[n-1]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return wrote, err
}

// shardParting is a shard that loses snapshots and keeps others.
type shardParting struct {
	index   IndexEntry
	shard   int
	parting *parting
	updated []string // the generations of the index's shards after the deletion
}

// parting says which snapshots an index keeps and which it loses.
type parting struct {
	survivors map[string]bool   // by UUID
	names     map[string]bool   // of the survivors
	gone      map[string]string // UUIDs by name
	// broken says that one that goes did not succeed: what it left is in no list.
	broken bool
}

func newParting(i IndexEntry, known map[string]*SnapshotEntry, gone map[string]bool) *parting {
	p := &parting{survivors: map[string]bool{}, names: map[string]bool{}, gone: map[string]string{}}
	for _, uuid := range i.Snapshots {
		s := known[uuid]
		if gone[uuid] {
			p.gone[s.Name] = uuid
			p.broken = p.broken || s.State != StateSuccess
			continue
		}
		p.survivors[uuid], p.names[s.Name] = true, true
	}
	return p
}

// listed tells from a shard's index whether its folder must be listed to find what the snapshots that go have in it. Otherwise
// the index names all, as of the base on which the root is swung.
func (p *parting) listed(old *ShardIndex) bool {
	return p.broken || slices.ContainsFunc(old.Snapshots, func(s ShardIndexSnapshot) bool { return !p.names[s.Snapshot] && p.gone[s.Snapshot] == "" })
}

// deleteFromShard returns the shard's generation after the deletion.
func (r *Repository) deleteFromShard(ctx context.Context, i IndexEntry, shard int, p *parting, batch *blob.Batch, d *doomed) (string, error) {
	s, err := r.Shard(ctx, i.IndexID, shard)
	if err != nil {
		return "", err
	}
	was := i.ShardGeneration(shard)
	// Without a generation no snapshot that stays has the shard, and what lies there is of ones that failed.
	old, list := newShardIndex(nil, nil), true
	var read []byte
	if was != "" {
		if old, _, read, err = s.knownIndex(ctx, was); err != nil {
			return "", err
		}
		list = p.listed(old)
	}
	var there map[string]int64
	if list { // before anything is written: what others upload meanwhile is not ours to judge
		if there, err = blob.Names(ctx, s.c, ""); err != nil {
			return "", s.wrap(err, "list")
		}
	}
	x, gen := old.keep(p.names), was
	switch {
	case len(x.Snapshots) == 0:
		gen = ""
	case len(x.Snapshots) != len(old.Snapshots):
		if gen, err = s.writeIndex(ctx, x, batch); err != nil {
			return "", err
		}
	case read != nil:
		s.r.shards.put(s.path, was, read)
	}
	var out []blob.Info
	for name, size := range there {
		if !neededInShard(name, x, gen, p.survivors) {
			out = append(out, blob.Info{Name: name, Size: size})
		}
	}
	if !list {
		out = dropped(old, x, p.gone)
		if gen != was {
			out = append(out, blob.Info{Name: shardIndexName(was)})
		}
	}
	d.add(s.c, s.path, out, false)
	return gen, nil
}

// dropped lists the blobs of snapshots that an index has and the next one has not: their lists, and the files that only they have.
func dropped(old, next *ShardIndex, gone map[string]string) []blob.Info {
	var out []blob.Info
	for _, s := range old.Snapshots {
		if uuid := gone[s.Snapshot]; uuid != "" {
			out = append(out, blob.Info{Name: snapName(uuid)})
		}
	}
	for i := range old.Files {
		f := &old.Files[i]
		if _, kept := next.ByName(f.Name); kept {
			continue
		}
		for part := range f.Parts() {
			out = append(out, blob.Info{Name: f.PartName(part), Size: f.PartLength(part)})
		}
	}
	return out
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
func (r *Repository) doomMetadata(ctx context.Context, base, next *Data, gone map[string]bool, d *doomed, res *Result) error {
	var root []blob.Info
	for _, s := range base.Snapshots {
		if gone[s.UUID] {
			root = append(root, blob.Info{Name: snapName(s.UUID)}, blob.Info{Name: metaName(s.UUID)})
		}
	}
	d.add(r.root, r.opts.BasePath, root, false)
	known, left := base.byUUIDs(), map[string]IndexEntry{}
	for _, i := range next.Indices {
		left[i.ID] = i
	}
	for _, i := range base.Indices {
		c, path, err := r.indexContainer(i.IndexID)
		if err != nil {
			return err
		}
		if kept, ok := left[i.ID]; ok {
			needed := neededMetadata(next, kept, known)
			var out []blob.Info
			for _, uuid := range i.Snapshots {
				if !gone[uuid] {
					continue
				}
				if id, err := base.metadataBlob(*known[uuid], i.IndexID); err == nil && !needed[metaName(id)] {
					needed[metaName(id)] = true // is noted once
					out = append(out, blob.Info{Name: metaName(id)})
				}
			}
			d.add(c, path, out, false)
			continue
		}
		if err := r.doomIndex(ctx, i.IndexID, len(i.Generations), d); err != nil {
			return err
		}
		if d.holdsIn(i.IndexID) {
			if err := r.staleBeside(ctx, i, gone, d, res); err != nil {
				return err
			}
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
func neededMetadata(d *Data, i IndexEntry, known map[string]*SnapshotEntry) map[string]bool {
	needed := map[string]bool{}
	for _, uuid := range i.Snapshots {
		s, ok := known[uuid]
		if !ok {
			continue
		}
		if id, err := d.metadataBlob(*s, i.IndexID); err == nil {
			needed[metaName(id)] = true
		}
	}
	return needed
}
