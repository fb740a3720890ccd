package repository

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/repository/smile"
)

var (
	multiplyDir   = flag.String("multiply", "", "a repository on a file system whose newest snapshot TestMultiply copies in place (bench/scale)")
	multiplyTimes = flag.Int("times", 100, "how many copies TestMultiply makes")
)

// multiply makes copies of the newest snapshot under other names, as if nothing had changed while they were taken, and
// swings the root once. It is how tests get a repository with many snapshots in little time.
func multiply(t testing.TB, r *Repository, copies int) *Data {
	t.Helper()
	d := load(t, r)
	src := d.Snapshots[len(d.Snapshots)-1]
	info, err := r.SnapshotInfo(t.Context(), src.SnapshotID)
	if err != nil {
		t.Fatal(err)
	}
	global, err := r.GlobalMetadata(t.Context(), src.SnapshotID)
	if err != nil {
		t.Fatal(err)
	}
	next := &Data{Generation: d.Generation, Identifiers: maps.Clone(d.Identifiers), Indices: slices.Clone(d.Indices), Snapshots: slices.Clone(d.Snapshots)}
	made := make([]SnapshotID, copies)
	for i := range made {
		made[i] = SnapshotID{Name: fmt.Sprintf("%s-copy-%04d", src.Name, i), UUID: NewUUID()}
		e := src
		e.SnapshotID = made[i]
		next.Snapshots = append(next.Snapshots, e)
	}
	var g errgroup.Group
	g.SetLimit(8)
	for n, id := range made {
		g.Go(func() error {
			one := *info
			one.SnapshotID = id
			one.StartTime, one.EndTime = info.StartTime+int64(n+1)*1000, info.EndTime+int64(n+1)*1000
			if err := r.writeFrame(t.Context(), r.root, snapName(id.UUID), codecSnapshot, one.tree()); err != nil {
				return err
			}
			return r.writeFrame(t.Context(), r.root, metaName(id.UUID), codecMetadata, smile.NewObject(member{Name: globalKey, Value: global}))
		})
	}
	for i, ix := range next.Indices {
		if !slices.Contains(ix.Snapshots, src.UUID) {
			continue
		}
		entry := &next.Indices[i]
		entry.Snapshots, entry.Generations = slices.Clone(ix.Snapshots), slices.Clone(ix.Generations)
		for _, id := range made {
			entry.Snapshots = append(entry.Snapshots, id.UUID)
		}
		for shard, gen := range ix.Generations {
			if gen == "" {
				continue
			}
			g.Go(func() error {
				to, err := multiplyShard(t, r, ix.IndexID, shard, gen, src.SnapshotID, made)
				entry.Generations[shard] = to
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	done, warnings, err := r.swing(t.Context(), d.Generation, next, true)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return done
}

// multiplyShard returns the new generation; the old one where the snapshot does not have the shard.
func multiplyShard(t testing.TB, r *Repository, index IndexID, shard int, from string, src SnapshotID, made []SnapshotID) (string, error) {
	s, err := r.Shard(t.Context(), index, shard)
	if err != nil {
		return "", err
	}
	snap, err := s.Snapshot(t.Context(), src)
	var missing *MissingSnapshotError
	if errors.As(err, &missing) {
		return from, nil
	}
	if err != nil {
		return "", err
	}
	x, _, err := s.FileIndex(t.Context(), from)
	if err != nil {
		return "", err
	}
	to := NewUUID()
	last, _ := x.Snapshot(src.Name)
	all := slices.Clone(x.Snapshots)
	for _, id := range made {
		one := last
		one.Snapshot = id.Name
		all = append([]ShardIndexSnapshot{one}, all...)
		shot := *snap
		shot.Snapshot, shot.IncrementalFiles, shot.IncrementalSize = id.Name, 0, 0
		tree, err := shot.tree()
		if err != nil {
			return "", err
		}
		if err := r.writeFrame(t.Context(), s.c, snapName(id.UUID), codecSnapshot, tree); err != nil {
			return "", err
		}
	}
	b, err := frame(codecShardIndex, r.opts.Compression, newShardIndex(x.Files, all).appendTo)
	if err != nil {
		return "", err
	}
	if err := putBytes(t.Context(), s.c, shardIndexName(to), b, blob.PutOptions{}); err != nil {
		return "", err
	}
	return to, s.c.DeleteBatch(t.Context(), []string{shardIndexName(from)})
}

// TestMultiply proves that what multiply makes is a sound repository, on a small one, or makes one for bench/scale.
func TestMultiply(t *testing.T) {
	if *multiplyDir != "" {
		d := multiply(t, openDir(t, *multiplyDir, Options{}), *multiplyTimes)
		t.Logf("%d snapshots, generation %d", len(d.Snapshots), d.Generation)
		return
	}
	store := mem.New()
	r := open(t, store, Options{})
	m := newModel(t, random(t), r)
	for range 3 {
		m.change()
		if err := m.snapshot(r); err != nil {
			t.Fatal(err)
		}
	}
	before := len(load(t, r).Snapshots)
	multiply(t, r, 20)
	if d := load(t, r); len(d.Snapshots) != before+20 {
		t.Fatalf("%d snapshots, not %d", len(d.Snapshots), before+20)
	}
	verifyClean(t, r)
	exact(t, store, r)
	if _, err := r.Delete(bg, load(t, r), []SnapshotID{load(t, r).Snapshots[5].SnapshotID}); err != nil {
		t.Fatal(err)
	}
	exact(t, store, r)
}
