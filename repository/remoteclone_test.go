package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/repository/smile"
)

// cloneShallow clones a shallow snapshot whole.
func cloneShallow(r *Repository, source, target SnapshotID) error {
	data, err := r.LoadData(bg)
	if err != nil {
		return err
	}
	yes := true
	n := NewSnapshot{Info: SnapshotInfo{SnapshotID: target, State: StateSuccess, ShallowCopy: &yes, IncludeGlobalState: &yes, StartTime: 1, EndTime: 2}}
	for _, i := range data.SnapshotIndices(source) {
		meta, err := r.IndexMetadata(bg, data, source, i.Name)
		if err != nil {
			return err
		}
		x := FinalizeIndex{Index: i.IndexID, Metadata: meta}
		for shard := range meta.Shards() {
			s, err := r.Shard(bg, i.IndexID, shard)
			if err != nil {
				return err
			}
			gen, _, err := s.CloneShallow(bg, CloneShard{Source: source, Target: target, BaseGeneration: i.ShardGeneration(shard), StartTime: 5, Time: 6})
			if err != nil {
				return err
			}
			x.Generations, x.Bases = append(x.Generations, gen), append(x.Bases, []string{i.ShardGeneration(shard)})
		}
		n.Indices, n.Info.Indices = append(n.Indices, x), append(n.Info.Indices, i.Name)
	}
	_, err = r.Finalize(bg, data, n)
	return err
}

// heldOf returns what a shallow snapshot holds of the first shard that it has.
func heldOf(t *testing.T, r *Repository, id SnapshotID) *held {
	t.Helper()
	s, err := r.Shard(bg, load(t, r).SnapshotIndices(id)[0].IndexID, 0)
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.heldBy(bg, id)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A clone of what a real node took has as many locks as its source, and the data of it when the source is gone.
func TestCloneShallow(t *testing.T) {
	for _, name := range []string{"opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			r, segments := openRemote(t, name)
			r.opts.RemoteLocks = func(context.Context, string) (*RemotePlace, error) {
				c, err := blobfs.New(segments)
				return &RemotePlace{Store: c}, err
			}
			before := locksOf(t, segments)
			for n, e := range load(t, r).Snapshots {
				if n == 0 { // a second lock, on what is not there
					h := heldOf(t, r, e.SnapshotID)
					prefix, err := h.shallow.metadataPrefix()
					if err == nil {
						err = putBytes(bg, h.locks.c, remoteLockName(prefix+"0__0__n__0__1", e.UUID), nil, blob.PutOptions{})
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				target := SnapshotID{"of-" + e.Name, NewUUID()}
				if err := cloneShallow(r, e.SnapshotID, target); err != nil {
					t.Fatal(err)
				}
				if now := locksOf(t, segments); now[target.UUID] != before[e.UUID] || now[target.UUID] == 0 {
					t.Errorf("%d locks of the clone of %s, which has %d", now[target.UUID], e.Name, before[e.UUID])
				}
				if _, err := r.Delete(bg, load(t, r), []SnapshotID{e.SnapshotID}); err != nil {
					t.Fatal(err)
				}
				readShallow(t, r, load(t, r), target)
			}
			if report, err := r.Cleanup(bg, load(t, r), CleanupOptions{}); err != nil || len(report.Stale)+len(report.Kept) > 0 {
				t.Errorf("%+v, %v", report, err)
			}
			var ids []SnapshotID
			for _, e := range load(t, r).Snapshots {
				ids = append(ids, e.SnapshotID)
			}
			if _, err := r.Delete(bg, load(t, r), ids); err != nil {
				t.Fatal(err)
			}
			if now := locksOf(t, segments); len(now) > 0 {
				t.Errorf("locks are left: %v", now)
			}
		})
	}
}

// shallowRepository has a shallow snapshot "s" of an index with two shards, as far as clones look at it.
func shallowRepository(t *testing.T, st, remote blob.Container, pathType int) *Repository {
	t.Helper()
	r := open(t, st, Options{RemoteLocks: remoteAt(remote), ShardPathType: pathType})
	meta, err := NewIndexMetadata("a", []byte(`{"version":1,"mapping_version":1,"settings_version":1,"aliases_version":1,"routing_num_shards":1024,"state":"open","settings":{"index.uuid":"U1",
		"index.creation_date":"1","index.number_of_shards":"2","index.remote_store.enabled":"true"},"mappings":{},"aliases":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	base, id, yes := load(t, r), SnapshotID{"s", NewUUID()}, true
	x := FinalizeIndex{Index: base.ResolveIndex("a", pathType), Metadata: meta, Generations: []string{NewGeneration, NewGeneration}}
	if err := r.PrepareIndex(bg, base, x.Index, 2); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		s, err := r.Shard(bg, x.Index, n)
		if err != nil {
			t.Fatal(err)
		}
		ref := smile.NewObject(member{Name: "version", Value: "1"}, member{Name: "name", Value: "s"}, member{Name: "index_version", Value: int64(3)}, member{Name: "start_time", Value: int64(1)},
			member{Name: "time", Value: int64(2)}, member{Name: "number_of_files", Value: int64(1)}, member{Name: "total_size", Value: int64(9)}, member{Name: "index_uuid", Value: "U1"},
			member{Name: "remote_store_repository", Value: "rs"}, member{Name: "commit_generation", Value: int64(4)}, member{Name: "primary_term", Value: int64(1)},
			member{Name: "file_names", Value: []any{"segments_4"}})
		if err := s.r.writeFrame(bg, s.c, shallowName(id.UUID), codecSnapshot, ref); err != nil {
			t.Fatal(err)
		}
		putLock(t, remote, n, "x", id.UUID, "segments_4")
	}
	if _, err := r.Finalize(bg, base, NewSnapshot{Info: SnapshotInfo{SnapshotID: id, State: StateSuccess, ShallowCopy: &yes, IncludeGlobalState: &yes, Indices: []string{"a"}, TotalShards: 2, SuccessfulShards: 2},
		Indices: []FinalizeIndex{x}}); err != nil {
		t.Fatal(err)
	}
	return r
}

// lockedFile is a metadata file of the commit in shallowRepository.
func lockedFile(node string) string {
	prefix, _ := (&ShallowSnapshot{PrimaryTerm: 1, CommitGeneration: 4}).metadataPrefix()
	return prefix + "1__1__" + node + "__1__1"
}

func remoteFolderOf(t *testing.T, remote blob.Container, shard int, kind string) blob.Container {
	t.Helper()
	c, err := remote.Container(fmt.Sprintf("U1/%d/segments/%s", shard, kind))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// putLock locks a metadata file that has one file; with "" it is not there.
func putLock(t *testing.T, remote blob.Container, shard int, node, uuid, file string) {
	t.Helper()
	err := putBytes(bg, remoteFolderOf(t, remote, shard, remoteLocks), remoteLockName(lockedFile(node), uuid), nil, blob.PutOptions{})
	if err == nil && file != "" {
		err = putBytes(bg, remoteFolderOf(t, remote, shard, remoteMetadata), lockedFile(node), framedRemote(remoteMetadataOf(2, file)), blob.PutOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// owners lists who has locks in a shard of shallowRepository.
func owners(t *testing.T, remote blob.Container, shard int) []string {
	t.Helper()
	names, err := blob.Names(bg, remoteFolderOf(t, remote, shard, remoteLocks), "")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for name := range maps.Keys(names) {
		_, owner := parseRemoteLock(name)
		out = append(out, owner)
	}
	slices.Sort(out)
	return out
}

// A clone that a crash ends before any of its writes is either there, with its locks, or not; then what it left goes with a clean-up, with the
// deletion of the last snapshot of the index, or becomes part of it when it is done again.
func TestCloneShallowCrash(t *testing.T) {
	for _, pathType := range []int{pathFixed, pathHashedPrefix} {
		for _, after := range []string{"clean-up", "delete", "again"} {
			for writes := int64(0); ; writes++ {
				st, remote := mem.New(), mem.New()
				r := shallowRepository(t, st, remote, pathType)
				source, target := load(t, r).Snapshots[0].SnapshotID, SnapshotID{"c", NewUUID()}
				hook := faulty.CrashAfter(writes)
				failed := cloneShallow(open(t, faulty.New(st, hook), Options{RemoteLocks: remoteAt(faulty.New(remote, hook)), ShardPathType: pathType}), source, target)
				_, err := load(t, r).Snapshot(target.Name)
				there := err == nil
				if failed == nil && !there {
					t.Fatal("it says that it was cloned")
				}
				var do error
				want := []string{source.UUID}
				switch after {
				case "clean-up":
					_, do = r.Cleanup(bg, load(t, r), CleanupOptions{})
				case "delete":
					want = nil
					_, do = r.Delete(bg, load(t, r), []SnapshotID{source})
				case "again":
					if !there {
						do = cloneShallow(r, source, target)
					}
					there = true
				}
				if do != nil {
					t.Fatalf("%s after %d writes: %v", after, writes, do)
				}
				if there {
					want = append(want, target.UUID)
				}
				slices.Sort(want)
				for shard := range 2 {
					if got := owners(t, remote, shard); !slices.Equal(got, want) {
						t.Errorf("%s after %d writes: shard %d is locked by %v, want %v; the clone is %v", after, writes, shard, got, want, target)
					}
				}
				checkShallowFolders(t, r, there || after != "delete", want)
				if failed == nil {
					break
				}
			}
		}
	}
}

// checkShallowFolders looks for references of snapshots that are not alive, and for an index that is gone.
func checkShallowFolders(t *testing.T, r *Repository, indexed bool, alive []string) {
	t.Helper()
	if !indexed {
		var report CleanupReport
		for _, c := range []string{indicesDir, shardPathsDir} {
			dir, err := r.root.Container(c)
			if err == nil {
				err = walk(bg, dir, c, 0, &report)
			}
			if err != nil || len(report.Stale) > 0 {
				t.Errorf("left: %v, %v", report.Stale, err)
			}
		}
		return
	}
	i := load(t, r).Indices[0]
	for n := range 2 {
		s, err := r.Shard(bg, i.IndexID, n)
		if err != nil {
			t.Fatal(err)
		}
		refs, err := blob.Names(bg, s.c, shallowPrefix)
		if err != nil || len(refs) != len(alive) {
			t.Errorf("%s: references %v of %v, %v", s, refs, alive, err)
		}
	}
}

// What cannot be cloned leaves nothing; what was given up meanwhile leaves no lock; what was done is not done again.
func TestCloneShallowShard(t *testing.T) {
	st, remote := mem.New(), mem.New()
	r := shallowRepository(t, st, remote, pathFixed)
	data := load(t, r)
	source, target := data.Snapshots[0].SnapshotID, SnapshotID{"c", NewUUID()}
	s, err := r.Shard(bg, data.Indices[0].IndexID, 0)
	if err != nil {
		t.Fatal(err)
	}
	part := CloneShard{Source: source, Target: target, BaseGeneration: "g", StartTime: 77, Time: 8}
	refused := func(want string, is error) {
		t.Helper()
		_, _, err := s.CloneShallow(bg, part)
		if err == nil || !strings.Contains(err.Error(), want) || is != nil && !errors.Is(err, is) {
			t.Errorf("%v, want %q", err, want)
		}
		if refs, err := blob.Names(bg, s.c, shallowPrefix); err != nil || len(refs) != 1 {
			t.Errorf("after %q: references %v, %v", want, refs, err)
		}
	}
	r.opts.RemoteLocks = nil
	refused("or clone the snapshot with the cluster that took it", ErrShallow)
	r.opts.RemoteLocks = remoteAt(remote)
	part.Source.UUID = NewUUID()
	var missing *MissingSnapshotError
	if _, _, err := s.CloneShallow(bg, part); !errors.As(err, &missing) {
		t.Errorf("a source that does not have the shard: %v", err)
	}
	part.Source = source
	remove := func(kind string, names ...string) {
		t.Helper()
		if err := remoteFolderOf(t, remote, 0, kind).DeleteBatch(bg, names); err != nil {
			t.Fatal(err)
		}
	}
	remove(remoteLocks, remoteLockName(lockedFile("x"), source.UUID))
	refused("no lock in the remote store of repository [rs] any more", nil)
	// Locks on a file that is gone and on one that lacks a file of the commit, as a real 3.8 takes them: an unlocked file of the commit serves.
	putLock(t, remote, 0, "y", source.UUID, "_0.cfs")
	putLock(t, remote, 0, "z", source.UUID, "")
	remove(remoteMetadata, lockedFile("x"))
	refused("file [segments_4] of the snapshot is not in it", nil)
	remove(remoteMetadata, lockedFile("y"))
	refused("none of the metadata files of its commit", nil)
	putLock(t, remote, 0, "x", "nobody", "segments_4")

	// What comes after the clone's end leaves no lock where a clean-up has been, and takes none away that another manager's clone needs.
	for _, cleaned := range []bool{false, true} {
		ctx, stop := context.WithCancel(bg)
		part.GivenUp = func() bool {
			stop()
			if cleaned {
				if err := s.c.DeleteBatch(bg, []string{shallowName(target.UUID)}); err != nil {
					t.Error(err)
				}
			}
			return true
		}
		if _, _, err := s.CloneShallow(ctx, part); !errors.Is(err, errGivenUp) {
			t.Errorf("given up: %v", err)
		}
		if got := owners(t, remote, 0); slices.Contains(got, target.UUID) == cleaned {
			t.Errorf("locks of %v after one was given up, and cleaned up %v", got, cleaned)
		}
		remove(remoteLocks, remoteLockName(lockedFile("x"), target.UUID))
	}
	part.GivenUp = nil
	for range 2 {
		gen, snap, err := s.CloneShallow(bg, part)
		if err != nil || gen != "g" || snap.Snapshot != "c" || snap.TotalFiles != 1 || snap.TotalSize != 9 {
			t.Fatalf("%q %+v %v", gen, snap, err)
		}
		if got := owners(t, remote, 0); len(got) != 4 || !slices.Contains(got, target.UUID) {
			t.Errorf("locks of %v", got)
		}
	}
	if ok, err := blob.Exists(bg, remoteFolderOf(t, remote, 0, remoteLocks), lockedFile("x")+"..."+target.UUID+".v2_lock"); err != nil || !ok {
		t.Errorf("the clone does not lock the file that has all: %v", err)
	}
	o, err := r.readFrame(bg, s.c, s.path, shallowName(target.UUID), codecSnapshot)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := o.Get("version"); v != "1" {
		t.Errorf("the reference is of version %v", v)
	}
	if at, _ := o.Get("start_time"); at != int64(77) {
		t.Errorf("it began at %v", at)
	}
}
