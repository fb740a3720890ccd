package repository

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/repository/smile"
)

var (
	multiplyDir   = flag.String("multiply", "", "a repository on a file system whose newest snapshot TestMultiply copies in place (bench/scale)")
	multiplyTimes = flag.Int("times", 100, "how many copies TestMultiply makes")
	multiplyIndex = flag.Int("indices", 0, "how many copies of the first index TestMultiply puts into all snapshots after that")
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

// multiplyIndices copies the first index under other names, into all snapshots that have it, and swings the root once.
func multiplyIndices(t testing.TB, r *Repository, copies int) *Data {
	t.Helper()
	d := load(t, r)
	src := d.Indices[0]
	from, _, err := r.indexContainer(src.IndexID)
	if err != nil {
		t.Fatal(err)
	}
	next := &Data{Generation: d.Generation, Identifiers: maps.Clone(d.Identifiers), Indices: slices.Clone(d.Indices), Snapshots: slices.Clone(d.Snapshots)}
	for i, s := range next.Snapshots {
		next.Snapshots[i].IndexMetadata = maps.Clone(s.IndexMetadata)
	}
	known := d.byUUIDs()
	// The index may have had fewer shards in an older snapshot.
	blobs, shards := map[string]*IndexMetadata{}, map[string]int{}
	for _, uuid := range src.Snapshots {
		m, err := r.IndexMetadata(t.Context(), d, known[uuid].SnapshotID, src.Name)
		if err != nil {
			t.Fatal(err)
		}
		id, err := d.metadataBlob(*known[uuid], src.IndexID)
		if err != nil {
			t.Fatal(err)
		}
		blobs[metaName(id)], shards[uuid] = m, m.Shards()
	}
	var g errgroup.Group
	g.SetLimit(16)
	var names []string
	for n := range copies {
		one := src
		one.Name, one.ID = fmt.Sprintf("%s-copy-%04d", src.Name, n), NewUUID()
		next.Indices, names = append(next.Indices, one), append(names, one.Name)
		to, _, err := r.indexContainer(one.IndexID)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range d.Snapshots {
			if was, ok := s.IndexMetadata[src.ID]; ok {
				identifier := fmt.Sprintf("%s-copy-%04d", was, n)
				next.Snapshots[i].IndexMetadata[one.ID], next.Identifiers[identifier] = identifier, d.Identifiers[was]
			}
		}
		g.Go(func() error {
			for name, m := range blobs {
				named := *m
				named.Name = one.Name
				if err := r.writeFrame(t.Context(), to, name, codecIndexMetadata, named.tree()); err != nil {
					return err
				}
			}
			for shard := range src.Generations {
				if err := copyBlobs(t, from, to, strconv.Itoa(shard)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, uuid := range src.Snapshots {
		g.Go(func() error {
			info, err := r.SnapshotInfo(t.Context(), known[uuid].SnapshotID)
			if err != nil {
				return err
			}
			info.Indices = append(info.Indices, names...)
			slices.Sort(info.Indices)
			info.TotalShards += copies * shards[uuid]
			for _, f := range info.Failures {
				if f.Index != src.Name {
					continue
				}
				for _, name := range names {
					f.Index = name
					info.Failures = append(info.Failures, f)
				}
			}
			info.SuccessfulShards = info.TotalShards - len(info.Failures)
			return r.writeFrame(t.Context(), r.root, snapName(uuid), codecSnapshot, info.tree())
		})
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

func copyBlobs(t testing.TB, from, to blob.Container, folder string) error {
	src, err := from.Container(folder)
	if err != nil {
		return err
	}
	dst, err := to.Container(folder)
	if err != nil {
		return err
	}
	return src.List(t.Context(), "", func(i blob.Info) error {
		b, err := blob.ReadAll(t.Context(), src, i.Name, 1<<30)
		if err != nil {
			return err
		}
		return putBytes(t.Context(), dst, i.Name, b, blob.PutOptions{})
	})
}

// TestMultiply proves that what multiply makes is a sound repository, on a small one, or makes one for bench/scale.
func TestMultiply(t *testing.T) {
	if *multiplyDir != "" {
		d := multiply(t, openDir(t, *multiplyDir, Options{}), *multiplyTimes)
		if *multiplyIndex > 0 {
			d = multiplyIndices(t, openDir(t, *multiplyDir, Options{}), *multiplyIndex)
		}
		t.Logf("%d snapshots of %d indices, generation %d", len(d.Snapshots), len(d.Indices), d.Generation)
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
	multiplyIndices(t, r, 7)
	verifyClean(t, r)
	exact(t, store, r)
	if _, err := r.Delete(bg, load(t, r), []SnapshotID{load(t, r).Snapshots[5].SnapshotID}); err != nil {
		t.Fatal(err)
	}
	exact(t, store, r)
}
