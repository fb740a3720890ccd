package shardcheck

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/repository"
)

var bg = context.Background()

func open(t *testing.T, dir string) (*repository.Repository, *repository.Data) {
	t.Helper()
	c, err := fs.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := repository.Open(bg, c, repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.LoadData(bg)
	if err != nil {
		t.Fatal(err)
	}
	return r, d
}

func verify(t *testing.T, r *repository.Repository, c *Checker) []repository.Finding {
	t.Helper()
	var out []repository.Finding
	opts := repository.VerifyOptions{Deep: true}
	if c != nil {
		opts.CheckShard = c.Check
	}
	if _, err := r.Verify(bg, opts, func(f repository.Finding) { out = append(out, f) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSegmentsOnce looks into a repository of four snapshots: what they share is looked at once, and nothing is wrong.
func TestSegmentsOnce(t *testing.T) {
	r, d := open(t, oracletest.FixtureRepository(t, "opensearch-2.19/main"))
	c := New(8 << 20)
	if found := verify(t, r, c); len(found) > 0 {
		t.Fatal(found)
	}
	once := c.Segments()
	// Each segment has one .si file, which a shard's lists name.
	files := map[string]bool{}
	all := 0
	for _, s := range d.Snapshots {
		for _, i := range d.SnapshotIndices(s.SnapshotID) {
			for n := range i.Generations {
				sh, err := r.Shard(bg, i.IndexID, n)
				if err != nil {
					t.Fatal(err)
				}
				snap, err := sh.Snapshot(bg, s.SnapshotID)
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range segmentKeys(sh, snap) {
					files[key] = true
					all++
				}
			}
		}
	}
	if once != len(files) || all <= once {
		t.Errorf("%d segments were looked into; there are %d, in all lists together %d", once, len(files), all)
	}
	if found := verify(t, r, c); len(found) > 0 || c.Segments() != once {
		t.Errorf("%v; %d segments, then %d", found, once, c.Segments())
	}
}

// TestContradiction changes a file and makes its checksum right again, as no disk would: only a look into the index finds it.
func TestContradiction(t *testing.T) {
	src, d := open(t, oracletest.FixtureRepository(t, "opensearch-2.19/main"))
	entry, err := d.Snapshot("snap-1")
	if err != nil {
		t.Fatal(err)
	}
	dst, err := repository.Open(bg, mem.New(), repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	meta, err := src.IndexMetadata(bg, d, entry.SnapshotID, "cfs-off")
	if err != nil {
		t.Fatal(err)
	}
	ix, err := d.IndexIn(entry.SnapshotID, "cfs-off")
	if err != nil {
		t.Fatal(err)
	}
	base, err := dst.LoadData(bg)
	if err != nil {
		t.Fatal(err)
	}
	from, err := src.Shard(bg, ix.IndexID, 0)
	if err != nil {
		t.Fatal(err)
	}
	to, err := dst.Shard(bg, ix.IndexID, 0)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := from.Snapshot(bg, entry.SnapshotID)
	if err != nil {
		t.Fatal(err)
	}
	changed := ""
	n := repository.NewShardSnapshot{Snapshot: entry.SnapshotID, BaseGeneration: repository.NewGeneration, IndexVersion: snap.IndexVersion}
	for _, f := range snap.Files {
		in, err := from.OpenFile(bg, f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		in.Close()
		if strings.HasSuffix(f.PhysicalName, ".doc") && changed == "" {
			changed = f.PhysicalName
			for i := len(b) / 3; i < len(b)/2; i++ {
				b[i] ^= 0x55
			}
			binary.BigEndian.PutUint64(b[len(b)-8:], uint64(crc32.ChecksumIEEE(b[:len(b)-8])))
		}
		up, err := to.UploadFile(bg, repository.Upload{PhysicalName: f.PhysicalName, Length: int64(len(b)), WrittenBy: f.WrittenBy, Content: bytes.NewReader(b)})
		if err != nil {
			t.Fatal(err)
		}
		n.Files = append(n.Files, up)
	}
	if changed == "" {
		t.Fatal("no file was changed")
	}
	gen, err := to.WriteSnapshot(bg, n)
	if err != nil {
		t.Fatal(err)
	}
	info := repository.SnapshotInfo{SnapshotID: entry.SnapshotID, State: repository.StateSuccess, Indices: []string{"cfs-off"}, TotalShards: 1, SuccessfulShards: 1}
	if _, err := dst.Finalize(bg, base, repository.NewSnapshot{Info: info, Indices: []repository.FinalizeIndex{{Index: ix.IndexID, Metadata: meta, Generations: []string{gen}}}}); err != nil {
		t.Fatal(err)
	}
	if found := verify(t, dst, nil); len(found) > 0 {
		t.Fatalf("checksums: %v", found)
	}
	found := verify(t, dst, New(1<<20))
	if len(found) == 0 || found[0].Snapshot != "snap-1" || found[0].Index != "cfs-off" || found[0].Shard != 0 || found[0].Severity != repository.SeverityError {
		t.Fatalf("%s was changed, found %v", changed, found)
	}
}

// TestCancel ends a look at once.
func TestCancel(t *testing.T) {
	r, d := open(t, oracletest.FixtureRepository(t, "opensearch-2.19/chunked"))
	ctx, cancel := context.WithCancel(bg)
	cancel()
	s := d.Snapshots[0]
	sh, err := r.Shard(bg, d.SnapshotIndices(s.SnapshotID)[0].IndexID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := New(1<<20).Check(ctx, sh, s.SnapshotID, func(file, what string) { t.Errorf("%s: %s", file, what) }); err == nil {
		t.Error("no error")
	}
}
