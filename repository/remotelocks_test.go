package repository

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	blobfs "github.com/varve-search/varve/blob/fs"
)

// locksOf counts the locks in a remote store by their owners.
func locksOf(t *testing.T, segments string) map[string]int {
	t.Helper()
	out := map[string]int{}
	err := filepath.WalkDir(segments, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(filepath.Dir(path)) == remoteLocks {
			_, owner := parseRemoteLock(d.Name())
			out[owner]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readShallow reads all files of all shards that a snapshot has.
func readShallow(t *testing.T, r *Repository, data *Data, id SnapshotID) {
	t.Helper()
	for _, i := range data.SnapshotIndices(id) {
		meta, err := r.IndexMetadata(bg, data, id, i.Name)
		if err != nil {
			t.Fatal(err)
		}
		for n := range meta.Shards() {
			s, err := r.Shard(bg, i.IndexID, n)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Files(bg, id)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range snap.Files {
				if err := s.readThrough(bg, f); err != nil {
					t.Errorf("%s in %s: %v", s, id, err)
				}
			}
		}
	}
}

// The deletion of a shallow snapshot releases its locks and no others; one whose locks cannot be released keeps its references,
// which a clean-up finds later.
func TestDeleteShallow(t *testing.T) {
	for _, name := range []string{"opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			r, segments := openRemote(t, name)
			data := load(t, r)
			ids := map[string]SnapshotID{}
			for _, s := range data.Snapshots {
				ids[s.Name] = s.SnapshotID
			}
			before := locksOf(t, segments)
			held := maps.Clone(before)
			if _, err := r.Delete(bg, data, []SnapshotID{ids["snap-2"]}); !errors.Is(err, ErrShallow) || !strings.Contains(err.Error(), "delete the snapshot with the cluster that took it") {
				t.Fatalf("without a way to the locks: %v", err)
			}
			locks := blobfs.New
			writable := true
			r.opts.RemoteLocks = func(_ context.Context, repository string) (*RemotePlace, error) {
				if repository != "rs-segment" {
					t.Errorf("asked for [%s]", repository)
				}
				c, err := locks(segments)
				if !writable {
					return &RemotePlace{Store: blob.ReadOnly(c)}, err
				}
				return &RemotePlace{Store: c}, err
			}
			remove := func(warn bool, names ...string) {
				t.Helper()
				var gone []SnapshotID
				for _, n := range names {
					gone = append(gone, ids[n])
				}
				res, err := r.Delete(bg, load(t, r), gone)
				if err != nil || (len(res.Warnings) > 0) != warn {
					t.Fatalf("delete %v: %v, %+v", names, err, res)
				}
				data = load(t, r)
				now := locksOf(t, segments)
				for _, n := range names {
					if !warn {
						delete(held, ids[n].UUID)
					}
				}
				for name, id := range ids {
					_, err := data.Snapshot(name)
					want := held[id.UUID]
					if now[id.UUID] != want {
						t.Errorf("after deleting %v: %d locks of %s, want %d", names, now[id.UUID], name, want)
					}
					if err == nil {
						readShallow(t, r, data, id)
					}
				}
			}
			if before[ids["snap-2"].UUID] < 3 || before[ids["snap-3"].UUID] < 8 {
				t.Fatalf("locks of the fixture: %v", before)
			}
			remove(false, "snap-2")
			writable = false
			remove(true, "snap-1")
			dry, err := r.Cleanup(bg, data, CleanupOptions{DryRun: true})
			if err != nil || len(dry.Stale) < before[ids["snap-1"].UUID] {
				t.Fatalf("%v, %+v", err, dry)
			}
			writable = true
			clean := func(stale int) {
				t.Helper()
				got, err := r.Cleanup(bg, load(t, r), CleanupOptions{})
				if err != nil || len(got.Warnings)+len(got.Kept) > 0 || len(got.Stale) != stale {
					t.Fatalf("%v, %+v; want %d stale", err, got, stale)
				}
			}
			clean(len(dry.Stale))
			clean(0)
			data = load(t, r)
			delete(held, ids["snap-1"].UUID)
			if now := locksOf(t, segments); now[ids["snap-1"].UUID] != 0 || now[ids["snap-3"].UUID] != before[ids["snap-3"].UUID] {
				t.Errorf("after the clean-up: %v", now)
			}
			remove(false, "snap-3", "snap-4")
			clean(0)
			if now := locksOf(t, segments); len(now) > 0 {
				t.Errorf("locks are left: %v", now)
			}
			if err := r.root.Children(bg, func(name string) error {
				c, err := r.root.Container(name)
				if err == nil {
					err = c.Children(bg, func(id string) error { t.Errorf("left: %s/%s", name, id); return nil })
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
