package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
)

// CleanupOptions of Cleanup.
type CleanupOptions struct {
	// DryRun only lists.
	DryRun bool
	// RootOnly is for a repository in which no work was given up, as far as one knows: only the root folder and the list of indices
	// are looked at, and the recorded shard paths if an index has hashed ones. The folders of the indices that the root names are not,
	// and uploads that were not finished are not asked for.
	RootOnly bool
	// TempAge is for how many seconds an unfinished file of a file system must not have changed
	// before it counts as left behind; default one hour.
	TempAge int64
	// Commit is as that of DeleteOptions. Where nothing is to be removed it is not called.
	Commit func(context.Context) error
	// trust spares the read of index.latest where this process knows what it says.
	trust bool
}

// Stale is a blob that nothing refers to.
type Stale struct {
	Path string // below the store that was given to Open
	Size int64
}

// CleanupReport says what Cleanup found.
type CleanupReport struct {
	Result
	Stale []Stale
	// Kept are things that Cleanup did not dare to judge, with the reason.
	Kept []error
	// noLatest says that index.latest is not there, or does not name the newest root.
	noLatest bool
	rootSize int64 // of the newest root, as it is listed
	// rewrites are indices of shards that list snapshots which the root does not have.
	rewrites []rewrite
}

// rewrite is a shard index to be written anew before the root is swung.
type rewrite struct {
	shard *Shard
	index *ShardIndex
}

// Cleanup finds blobs that nothing refers to: of snapshots that were not finished, of deletions that
// were cut short, of processes that died. Unless it is a dry run and if there is something to delete,
// it swings the root to a new generation with the same content, so that a snapshot which another
// cluster is taking cannot be finished over what is deleted, and then deletes what it found.
//
// It must not run beside a snapshot of the same cluster: that one would fail.
func (r *Repository) Cleanup(ctx context.Context, base *Data, opts CleanupOptions) (*CleanupReport, error) {
	if opts.TempAge == 0 {
		opts.TempAge = tempAge
	}
	report, d := &CleanupReport{}, &doomed{}
	if err := r.findStale(ctx, base, opts, d, report); err != nil {
		return nil, fmt.Errorf("clean up: %w", err)
	}
	if err := listDoomed(ctx, d, report); err != nil {
		return nil, fmt.Errorf("clean up: %w", err)
	}
	report.Data = base
	if opts.DryRun || d.empty() && !report.noLatest {
		return report, nil
	}
	if err := base.Writable(); err != nil {
		return nil, fmt.Errorf("clean up: %w", err)
	}
	if d.empty() {
		report.Warnings = r.putLatest(ctx, base.Generation, nil)
		return report, nil
	}
	next := *base
	next.Indices = slices.Clone(base.Indices)
	unique, batch := false, blob.NewBatch(len(report.rewrites))
	defer batch.Close()
	for _, w := range report.rewrites {
		gen := ""
		if len(w.index.Snapshots) > 0 {
			var err error
			if gen, err = w.shard.writeIndex(ctx, w.index, batch); err != nil {
				return nil, fmt.Errorf("clean up: %w", err)
			}
			unique = true
		}
		at := slices.IndexFunc(next.Indices, func(i IndexEntry) bool { return i.ID == w.shard.Index.ID })
		next.Indices[at].Generations = slices.Clone(next.Indices[at].Generations)
		next.Indices[at].Generations[w.shard.ID] = gen
	}
	if err := batch.Flush(ctx); err != nil {
		r.abandoned()
		return nil, fmt.Errorf("clean up: %w", err)
	}
	if err := commit(ctx, opts.Commit); err != nil {
		if unique {
			r.abandoned()
		}
		return nil, fmt.Errorf("clean up: %w", err)
	}
	done, warnings, err := r.swing(ctx, base.Generation, &next, unique)
	if err != nil {
		r.abandoned() // an unfinished root
		return nil, fmt.Errorf("clean up: %w", err)
	}
	report.Data, report.Warnings = done, warnings
	d.run(context.WithoutCancel(ctx), r, &report.Result)
	return report, nil
}

// Tidy says whether a clean-up with CleanupOptions.RootOnly would find nothing to do, with two lists and without a read, where this Repository
// has read or written the root base last, and has read or written index.latest since. The lists show whether base is still the newest root
// and has its length. Another root of the same number and length is not noticed; nothing is written or deleted here that would harm it.
// False says only that one must look.
func (r *Repository) Tidy(ctx context.Context, base *Data) (bool, error) {
	r.mu.Lock()
	known, size := r.lastRoot == base, r.lastSize
	r.mu.Unlock()
	if !known {
		return false, nil
	}
	report, d := &CleanupReport{}, &doomed{}
	if err := r.findStale(ctx, base, CleanupOptions{RootOnly: true, TempAge: tempAge, trust: true}, d, report); err != nil {
		return false, fmt.Errorf("look whether there is something to clean up: %w", err)
	}
	return d.empty() && !report.noLatest && report.rootSize == size && len(report.Kept) == 0, nil
}

// tempAge is the default of CleanupOptions.TempAge, in seconds.
const tempAge = 3600

func (r *Repository) findStale(ctx context.Context, base *Data, opts CleanupOptions, d *doomed, report *CleanupReport) error {
	if err := r.findStaleRoot(ctx, base, opts, d, report); err != nil {
		return err
	}
	known := map[string]IndexEntry{}
	for _, i := range base.Indices {
		known[i.ID] = i
	}
	indices, err := r.root.Container(indicesDir)
	if err != nil {
		return err
	}
	var folders []string
	if err := indices.Children(ctx, func(id string) error {
		folders = append(folders, id)
		return nil
	}); err != nil {
		return fmt.Errorf("list the indices: %w", err)
	}
	for _, id := range folders {
		if _, ok := known[id]; ok || blob.CheckName(id) != nil {
			continue
		}
		c, err := indices.Container(id)
		if err != nil {
			return err
		}
		if free, err := r.staleIndexLocks(ctx, IndexID{Name: id, ID: id}, d, report); err != nil {
			return err
		} else if !free {
			continue
		}
		d.addTree(c, join(r.opts.BasePath, indicesDir, id))
	}
	if !opts.RootOnly || r.hashes(base) {
		if err := r.findStalePaths(ctx, known, d, report); err != nil {
			return err
		}
	}
	if opts.RootOnly {
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.opts.Parallel)
	for _, i := range base.Indices {
		g.Go(func() error { return r.findStaleInIndex(gctx, base, i, opts, d, report) })
	}
	return g.Wait()
}

// findStaleRoot judges the root folder, and fails where the root is not base any more.
func (r *Repository) findStaleRoot(ctx context.Context, base *Data, opts CleanupOptions, d *doomed, report *CleanupReport) error {
	alive := map[string]bool{}
	for _, s := range base.Snapshots {
		alive[s.UUID] = true
	}
	oldest := base.Generation
	if base.Writable() != nil {
		oldest-- // older versions keep the last but one on purpose
	}
	var out []blob.Info
	latest := NoGeneration
	report.noLatest = base.Generation != NoGeneration
	err := r.root.List(ctx, "", func(i blob.Info) error {
		if i.Name == "index.latest" {
			report.noLatest = i.Size != 8
		}
		uuid, ok := datUUID(i.Name, "snap-")
		if !ok {
			uuid, ok = datUUID(i.Name, "meta-")
		}
		g, root := parseRootName(i.Name)
		if root {
			latest = max(latest, g)
		}
		if root && g == base.Generation {
			report.rootSize = i.Size
		}
		if ok && !alive[uuid] || root && g < oldest {
			out = append(out, i)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the root folder: %w", err)
	}
	if latest != base.Generation {
		return r.modified(ctx, base.Generation, latest)
	}
	r.mu.Lock()
	named := opts.trust && r.named == base.Generation
	r.mu.Unlock()
	if base.Generation != NoGeneration && !report.noLatest && !named { // a write of it may have come late, or not at all
		g, err := r.readLatest(ctx)
		var damaged *CorruptError
		if err != nil && !errors.As(err, &damaged) {
			return err
		}
		report.noLatest = err != nil || g != base.Generation
	}
	d.add(r.root, r.opts.BasePath, out, false)
	return r.addTemp(ctx, r.root, r.opts.BasePath, opts, d, report)
}

// hashes says whether an index has hashed shard paths, or a new one would.
func (r *Repository) hashes(d *Data) bool {
	return r.opts.ShardPathType != pathFixed || slices.ContainsFunc(d.Indices, func(i IndexEntry) bool { return i.ShardPathType != pathFixed })
}

// addTemp notes unfinished files of stores that have them. Where the root's list tells of all below it, nothing more is asked. Without the right to list
// them they are kept: everything else can be cleaned up.
func (r *Repository) addTemp(ctx context.Context, c blob.Container, path string, opts CleanupOptions, d *doomed, report *CleanupReport) error {
	tc, ok := c.(blob.TempCleaner)
	base := r.opts.BasePath
	below := path != base && (base == "" || strings.HasPrefix(path, base+"/"))
	if !ok || (below || opts.RootOnly) && c.Capabilities().Has(blob.TempBelow) {
		return nil
	}
	left, err := tc.ListTemp(ctx, opts.TempAge)
	if k := blob.KindOf(err); err != nil && (k == blob.KindPermission || k == blob.KindUnsupported) {
		d.mu.Lock()
		report.Kept = append(report.Kept, fmt.Errorf("unfinished uploads: %w", err))
		d.mu.Unlock()
		return nil
	}
	d.add(c, path, left, true)
	return err
}

// findStalePaths handles hashed shard paths of indices that are gone: only their record tells where
// they are.
func (r *Repository) findStalePaths(ctx context.Context, known map[string]IndexEntry, d *doomed, report *CleanupReport) error {
	dir, err := r.root.Container(shardPathsDir)
	if err != nil {
		return err
	}
	gone := map[string]IndexID{}
	var records []blob.Info
	if err := dir.List(ctx, shardPathFile, func(i blob.Info) error {
		id, rest, ok := strings.Cut(strings.TrimPrefix(i.Name, shardPathFile), ".")
		if _, alive := known[id]; !ok || alive || blob.CheckName(id) != nil {
			return nil
		}
		// rest is NAME.SHARDS.TYPE.ALGORITHM, and the name may hold dots.
		parts := strings.Split(rest, ".")
		if len(parts) < 4 {
			return nil
		}
		kind, err := strconv.Atoi(parts[len(parts)-2])
		if err != nil || kind != pathHashedPrefix && kind != pathHashedInfix {
			return nil
		}
		gone[id] = IndexID{Name: strings.Join(parts[:len(parts)-3], "."), ID: id, ShardPathType: kind}
		records = append(records, i)
		return nil
	}); err != nil {
		return fmt.Errorf("list recorded shard paths: %w", err)
	}
	for _, i := range gone {
		paths, err := r.recordedPaths(ctx, i)
		if err != nil {
			return err
		}
		if free, err := r.staleIndexLocks(ctx, i, d, report); err != nil {
			return err
		} else if !free {
			records = slices.DeleteFunc(records, func(b blob.Info) bool { return strings.HasPrefix(b.Name, shardPathFile+i.ID+".") })
			continue
		}
		for _, p := range paths {
			// Never trust a record to name anything but a shard of this index.
			if !strings.Contains("/"+p+"/", "/"+indicesDir+"/"+i.ID+"/") {
				report.Kept = append(report.Kept, fmt.Errorf("[%s]: not a path of index [%s]", p, i))
				continue
			}
			c, err := r.store.Container(p)
			if err != nil {
				return err
			}
			d.addTree(c, p)
		}
	}
	d.addRecords(dir, join(r.opts.BasePath, shardPathsDir), records)
	return nil
}

func (r *Repository) findStaleInIndex(ctx context.Context, base *Data, i IndexEntry, opts CleanupOptions, d *doomed, report *CleanupReport) error {
	c, path, err := r.indexContainer(i.IndexID)
	if err != nil {
		return err
	}
	needed := neededMetadata(base, i, base.byUUIDs())
	var out []blob.Info
	if err := c.List(ctx, "meta-", func(b blob.Info) error {
		if !needed[b.Name] {
			out = append(out, b)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("list index [%s]: %w", i.IndexID, err)
	}
	d.add(c, path, out, false)
	if err := r.addTemp(ctx, c, path, opts, d, report); err != nil {
		return err
	}
	// Also shards that the root does not count: those of a snapshot that was not finished.
	shards, err := r.shardFolders(ctx, i.IndexID, len(i.Generations))
	if err != nil {
		return err
	}
	for shard := range shards {
		if err := r.findStaleInShard(ctx, base, i, shard, opts, d, report); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repository) findStaleInShard(ctx context.Context, base *Data, i IndexEntry, shard int, opts CleanupOptions, d *doomed, report *CleanupReport) error {
	s, err := r.Shard(ctx, i.IndexID, shard)
	if err != nil {
		return err
	}
	listed, err := blob.Names(ctx, s.c, "")
	if err != nil {
		return s.wrap(err, "list")
	}
	if err := r.addTemp(ctx, s.c, s.path, opts, d, report); err != nil {
		return err
	}
	keep := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.mu.Lock()
		report.Kept = append(report.Kept, err)
		d.mu.Unlock()
		return nil
	}
	alive, names := map[string]bool{}, map[string]bool{}
	for _, uuid := range i.Snapshots {
		s, _ := base.byUUID(uuid)
		alive[uuid], names[s.Name] = true, true
	}
	if err := s.staleLocks(ctx, listed, alive, d, keep); err != nil {
		return err
	}
	x, gen, err := s.FileIndex(ctx, i.ShardGeneration(shard))
	if err != nil {
		return keep(err)
	}
	// A snapshot whose end failed may stand in an index that another one built on.
	stale := false
	if kept := x.keep(names); len(kept.Snapshots) < len(x.Snapshots) {
		x, stale = kept, true
		gen = ""
	}
	var out []blob.Info
	for name, size := range listed {
		if !neededInShard(name, x, gen, alive) {
			out = append(out, blob.Info{Name: name, Size: size})
		}
	}
	if len(out) == 0 {
		return nil
	}
	// Restores go by each snapshot's own list: what one of them needs stays, whatever the index says.
	for uuid := range alive {
		if _, there := listed[snapName(uuid)]; !there {
			continue
		}
		id, _ := base.byUUID(uuid)
		snap, err := s.Snapshot(ctx, id.SnapshotID)
		if err != nil {
			return keep(err)
		}
		for _, f := range snap.Files {
			if _, ok := x.ByName(f.Name); !ok {
				return keep(s.wrap(corrupt(join(s.path, shardIndexName(gen)), nil, "lacks file [%s] of snapshot [%s]", f.Name, snap.Snapshot), "not cleaned up"))
			}
		}
	}
	d.add(s.c, s.path, out, false)
	if stale {
		d.mu.Lock()
		report.rewrites = append(report.rewrites, rewrite{s, x})
		d.mu.Unlock()
	}
	return nil
}

// listDoomed fills the report's list, below trees too.
func listDoomed(ctx context.Context, d *doomed, report *CleanupReport) error {
	for _, b := range slices.Concat(d.blobs, d.records) {
		for _, i := range b.infos {
			report.Stale = append(report.Stale, Stale{join(b.path, i.Name), i.Size})
		}
	}
	for _, h := range d.held {
		if !d.inTree(h.shard.path) {
			report.Stale = append(report.Stale, Stale{Path: join(h.shard.path, shallowName(h.id.UUID))})
		}
	}
	for _, c := range d.trees {
		if err := walk(ctx, c.c, c.path, 0, report); err != nil {
			return err
		}
	}
	return nil
}

// walkDepth is more than the layout has.
const walkDepth = 16

func walk(ctx context.Context, c blob.Container, path string, depth int, report *CleanupReport) error {
	if depth > walkDepth {
		return fmt.Errorf("[%s] is nested too deep", path)
	}
	if err := c.List(ctx, "", func(i blob.Info) error {
		report.Stale = append(report.Stale, Stale{join(path, i.Name), i.Size})
		return nil
	}); err != nil {
		return err
	}
	return c.Children(ctx, func(name string) error {
		child, err := c.Container(name)
		if err != nil {
			return err
		}
		return walk(ctx, child, join(path, name), depth+1, report)
	})
}
