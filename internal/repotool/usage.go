package repotool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
)

// shardParallel is how many shards are looked at side by side.
const shardParallel = 8

// Usage is what a repository's snapshots and indices take.
type Usage struct {
	Blobs    int64 `json:"data_blobs"`
	Bytes    int64 `json:"data_in_bytes"` // all data files, each counted once
	Metadata int64 `json:"metadata_in_bytes"`
	// Remote is data of shallow snapshots, each file counted once. It is known where the remote store was named.
	Remote    int64           `json:"remote_in_bytes,omitempty"`
	Snapshots []SnapshotUsage `json:"snapshots"`
	Indices   []IndexUsage    `json:"indices"`
	// Together is what deleting the snapshots that were named, all at once, would free.
	Together *Freed `json:"together,omitempty"`
}

// SnapshotUsage is what a snapshot takes.
type SnapshotUsage struct {
	Snapshot string `json:"snapshot"`
	Bytes    int64  `json:"size_in_bytes"`   // what a restore would bring
	Unique   int64  `json:"unique_in_bytes"` // data that no other snapshot has
	Shared   int64  `json:"shared_in_bytes"`
	Remote   int64  `json:"remote_in_bytes,omitempty"` // of the size, what lies in a remote store
	Freed    Freed  `json:"freed"`                     // by deleting it alone
}

// Freed is what a deletion would free: data, and metadata that only the deleted snapshots have. The lists that are
// written anew without them shrink a little on top of that.
type Freed struct {
	Snapshots []string `json:"snapshots,omitempty"`
	Blobs     int64    `json:"blobs"`
	Bytes     int64    `json:"bytes"`
}

// IndexUsage is what an index takes in all snapshots together.
type IndexUsage struct {
	Index     string `json:"index"`
	ID        string `json:"id"`
	Snapshots int    `json:"snapshots"`
	Blobs     int64  `json:"data_blobs"`
	Bytes     int64  `json:"data_in_bytes"`   // each file counted once
	Shared    int64  `json:"shared_in_bytes"` // of them in more than one snapshot
	Logical   int64  `json:"size_in_bytes"`   // the sum over its snapshots
	Remote    int64  `json:"remote_in_bytes,omitempty"`
}

// usage collects sizes; blobs are sets of snapshots that need them.
type usage struct {
	r      *Repo
	mu     sync.Mutex
	u      Usage
	at     map[string]int // snapshot uuid to its place in u.Snapshots
	wanted map[string]bool
}

// need notes that a blob of so many bytes is needed by exactly these snapshots.
func (u *usage) need(bytes, blobs int64, by map[string]bool, data bool) {
	if len(by) == 0 {
		return
	}
	all := len(u.wanted) > 0
	for uuid := range by {
		s := &u.u.Snapshots[u.at[uuid]]
		if len(by) == 1 {
			s.Freed.Blobs += blobs
			s.Freed.Bytes += bytes
		}
		if data {
			s.Bytes += bytes
			if len(by) == 1 {
				s.Unique += bytes
			} else {
				s.Shared += bytes
			}
		}
		all = all && u.wanted[uuid]
	}
	if all {
		u.u.Together.Blobs += blobs
		u.u.Together.Bytes += bytes
	}
	if data {
		u.u.Blobs += blobs
		u.u.Bytes += bytes
	} else {
		u.u.Metadata += bytes
	}
}

// Du prints what the snapshots and indices of a repository take, what of it they share, and what deleting each
// snapshot, or the named ones together, would free.
func Du(ctx context.Context, p *Printer, location string, snapshots []string) error {
	r, err := Open(ctx, location)
	if err != nil {
		return err
	}
	out, err := r.usage(ctx, p, slices.Compact(slices.Sorted(slices.Values(snapshots))))
	if err != nil {
		return err
	}
	if p.JSON {
		return p.object(out)
	}
	return out.print(p)
}

func (r *Repo) usage(ctx context.Context, p *Printer, snapshots []string) (*Usage, error) {
	u := &usage{r: r, at: map[string]int{}, wanted: map[string]bool{}}
	u.u.Snapshots, u.u.Indices = []SnapshotUsage{}, []IndexUsage{}
	for i, s := range r.Data.Snapshots {
		u.at[s.UUID] = i
		u.u.Snapshots = append(u.u.Snapshots, SnapshotUsage{Snapshot: s.Name})
	}
	if len(snapshots) > 0 {
		u.u.Together = &Freed{Snapshots: snapshots}
		chosen, err := r.snapshots(snapshots)
		if err != nil {
			return nil, err
		}
		for _, s := range chosen {
			u.wanted[s.UUID] = true
		}
	}
	root, err := blob.Names(ctx, r.Store, "")
	if err != nil {
		return nil, err
	}
	for _, s := range r.Data.Snapshots {
		for _, name := range []string{"snap-" + s.UUID + ".dat", "meta-" + s.UUID + ".dat"} {
			if size, ok := root[name]; ok {
				u.need(size, 1, map[string]bool{s.UUID: true}, false)
				delete(root, name)
			}
		}
	}
	for _, size := range root {
		u.u.Metadata += size
	}
	p.Progress.start("count", int64(len(r.Data.Indices)), false)
	defer p.Progress.end()
	for _, ix := range r.Data.Indices {
		if err := u.index(ctx, ix); err != nil {
			return nil, err
		}
		p.Progress.add(1)
	}
	if err := u.inTime(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(u.u.Indices, func(a, b IndexUsage) int { return strings.Compare(a.Index, b.Index) })
	return &u.u, nil
}

// inTime puts the snapshots in the order in which they were taken.
func (u *usage) inTime(ctx context.Context) error {
	infos, err := u.r.ListSnapshots(ctx, u.r.Data)
	if err != nil {
		return err
	}
	starts := map[string]int64{}
	for _, i := range infos {
		starts[i.Name] = i.StartTime
	}
	slices.SortStableFunc(u.u.Snapshots, func(a, b SnapshotUsage) int { return cmp.Compare(starts[a.Snapshot], starts[b.Snapshot]) })
	return nil
}

func (u *usage) index(ctx context.Context, ix repository.IndexEntry) error {
	one := IndexUsage{Index: ix.Name, ID: ix.ID, Snapshots: len(ix.Snapshots)}
	shards, err := u.metadata(ctx, ix)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(shardParallel)
	for n := range max(shards, len(ix.Generations)) {
		g.Go(func() error { return u.shard(gctx, ix, n, &one) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	u.u.Indices = append(u.u.Indices, one)
	return nil
}

// metadata counts the metadata blobs of an index and returns the largest number of shards.
func (u *usage) metadata(ctx context.Context, ix repository.IndexEntry) (int, error) {
	c, err := u.r.Store.Container("indices/" + ix.ID)
	if err != nil {
		return 0, err
	}
	sizes, err := blob.Names(ctx, c, "meta-")
	if err != nil {
		return 0, err
	}
	by := map[string]map[string]bool{}
	shards := 0
	for _, uuid := range ix.Snapshots {
		s := u.r.Data.Snapshots[u.at[uuid]]
		id := uuid
		if identifier, ok := s.IndexMetadata[ix.ID]; ok {
			id = u.r.Data.Identifiers[identifier]
		}
		if by[id] == nil {
			by[id] = map[string]bool{}
			meta, err := u.r.IndexMetadata(ctx, u.r.Data, s.SnapshotID, ix.Name)
			if err != nil {
				return 0, err
			}
			shards = max(shards, meta.Shards())
		}
		by[id][uuid] = true
	}
	for id, snapshots := range by {
		u.need(sizes["meta-"+id+".dat"], 1, snapshots, false)
	}
	return shards, nil
}

// shard counts the blobs of one shard.
func (u *usage) shard(ctx context.Context, ix repository.IndexEntry, n int, one *IndexUsage) error {
	sh, err := u.r.Shard(ctx, ix.IndexID, n)
	if err != nil {
		return err
	}
	c, err := u.r.Store.Container(sh.Path())
	if err != nil {
		return err
	}
	sizes, err := blob.Names(ctx, c, "")
	if err != nil {
		return err
	}
	type file struct {
		repository.FileInfo
		by map[string]bool
	}
	files := map[string]*file{}
	owners := map[string]bool{}
	remote := newRemoteUsage()
	var logical int64
	for _, uuid := range ix.Snapshots {
		s := u.r.Data.Snapshots[u.at[uuid]]
		snap, err := sh.Snapshot(ctx, s.SnapshotID)
		var missing *repository.MissingSnapshotError
		if errors.As(err, &missing) {
			if err := remote.addPinned(ctx, sh, s.SnapshotID); err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, repository.ErrShallow) {
			if err := remote.add(ctx, sh, s.SnapshotID); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		owners[uuid] = true
		for _, f := range snap.Files {
			if files[f.Name] == nil {
				files[f.Name] = &file{f, map[string]bool{}}
			}
			files[f.Name].by[uuid] = true
			logical += f.Length
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	one.Logical += logical
	remote.count(u, one, sizes)
	for uuid := range owners {
		u.need(sizes["snap-"+uuid+".dat"], 1, map[string]bool{uuid: true}, false)
	}
	for name, size := range sizes {
		if strings.HasPrefix(name, "index-") {
			u.need(size, 1, owners, false)
		}
	}
	for _, f := range files {
		if f.Virtual() {
			// Its bytes stand in the lists that were counted.
			for uuid := range f.by {
				u.u.Snapshots[u.at[uuid]].Bytes += f.Length
			}
			continue
		}
		one.Blobs += int64(f.Parts())
		one.Bytes += f.Length
		if len(f.by) > 1 {
			one.Shared += f.Length
		}
		u.need(f.Length, int64(f.Parts()), f.by, true)
	}
	return nil
}

func (u *Usage) print(p *Printer) error {
	shallow := slices.ContainsFunc(u.Snapshots, func(s SnapshotUsage) bool { return s.Remote > 0 })
	heads := []string{"SNAPSHOT", "\tSIZE", "\tUNIQUE", "\tSHARED", "\tDELETING FREES"}
	if shallow {
		heads = append(heads, "\tIN REMOTE STORE")
	}
	t := p.table(heads...)
	for _, s := range u.Snapshots {
		row := []string{s.Snapshot, rightBytes(s.Bytes), rightBytes(s.Unique), rightBytes(s.Shared), rightBytes(s.Freed.Bytes)}
		if shallow {
			row = append(row, rightBytes(s.Remote))
		}
		t.row(row...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := p.printf("\n"); err != nil {
		return err
	}
	t = p.table("INDEX", "\tSNAPSHOTS", "\tFILES", "\tSTORED", "\tSHARED", "\tIN ALL SNAPSHOTS")
	for _, i := range u.Indices {
		t.row(i.Index, right(i.Snapshots), right(int(i.Blobs)), rightBytes(i.Bytes), rightBytes(i.Shared), rightBytes(i.Logical))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := p.printf("\n%s of data in %s, %s of metadata\n", settings.FormatBytes(u.Bytes), plural(int(u.Blobs), "blob", "blobs"), settings.FormatBytes(u.Metadata)); err != nil {
		return err
	}
	switch {
	case u.Remote > 0:
		if err := p.printf("%s of data in the remote store, which deleting a snapshot only unlocks\n", settings.FormatBytes(u.Remote)); err != nil {
			return err
		}
	case shallow:
		if err := p.printf("what shallow snapshots share in the remote store is counted with --remote-store LOCATION\n"); err != nil {
			return err
		}
	}
	if u.Together == nil {
		return nil
	}
	return p.printf("deleting %s together frees %s in %s\n", strings.Join(u.Together.Snapshots, ", "), settings.FormatBytes(u.Together.Bytes), plural(int(u.Together.Blobs), "blob", "blobs"))
}
