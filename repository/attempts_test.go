package repository

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
)

// TestListOfAnAttempt: a process that was killed left a shard's list, which no flush had saved. The next attempt goes by it, and saves it with
// its own flush; what a crash of the machine spoiled it writes anew.
func TestListOfAnAttempt(t *testing.T) {
	rnd := random(t)
	spoiled := 0
	for range 40 {
		disk := faulty.NewVolatile(mem.New(), nil)
		r := open(t, disk, Options{})
		id := SnapshotID{"snap", NewUUID()}
		s, err := r.Shard(bg, IndexID{Name: "index", ID: NewUUID()}, 0)
		if err != nil {
			t.Fatal(err)
		}
		attempt := func(batch *blob.Batch) (string, []FileInfo, []FileInfo) {
			t.Helper()
			b := luceneFile(rnd, 900)
			f, err := s.UploadFile(bg, Upload{PhysicalName: "_0.cfs", Length: int64(len(b)), WrittenBy: "9.12.0", Content: bytes.NewReader(b)})
			if err != nil {
				t.Fatal(err)
			}
			n := NewShardSnapshot{Snapshot: id, BaseGeneration: NewGeneration, IndexVersion: 1, StartTime: 1, Files: []FileInfo{f}, Batch: batch}
			gen, snap, err := s.TakeSnapshot(bg, n)
			if err != nil {
				t.Fatal(err)
			}
			return gen, snap.Files, n.Files
		}
		same := func(a, b []FileInfo) bool {
			return slices.EqualFunc(a, b, func(a, b FileInfo) bool { return a.Name == b.Name })
		}
		_, first, _ := attempt(blob.NewBatch(2))
		cut := rnd.Intn(2) == 0
		if cut { // the machine dies
			if _, err := disk.PowerCut(bg, rnd); err != nil {
				t.Fatal(err)
			}
			var corrupt *CorruptError
			if _, err := s.Snapshot(bg, id); errors.As(err, &corrupt) {
				spoiled++
				if _, err := s.writeList(bg, id, &ShardSnapshot{Snapshot: id.Name}, false, nil); !errors.As(err, &corrupt) {
					t.Fatalf("without a batch nothing is spoiled by a crash: %v", err)
				}
			}
		}
		batch := blob.NewBatch(2)
		gen, second, own := attempt(batch)
		if !cut && !same(first, second) || cut && !same(first, second) && !same(own, second) {
			t.Fatalf("the second attempt has %v, the first %v", second, first)
		}
		if err := batch.Flush(bg); err != nil {
			t.Fatal(err)
		}
		if _, err := disk.PowerCut(bg, rnd); err != nil {
			t.Fatal(err)
		}
		kept, err := s.Snapshot(bg, id)
		if err != nil || !same(kept.Files, second) {
			t.Fatalf("after the flush a crash took the list: %v, %v", kept, err)
		}
		if x, _, err := s.FileIndex(bg, gen); err != nil || len(x.Snapshots) != 1 {
			t.Fatalf("after the flush a crash took the index: %v, %v", x, err)
		}
		batch.Close()
	}
	if spoiled == 0 {
		t.Error("no list was spoiled")
	}
}
