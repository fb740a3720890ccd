package repository

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/varve-search/varve/blob/mem"
)

// heap returns the bytes that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// manySnapshots writes a root with snapshots of 20 indices with 5 shards, and their infos.
func manySnapshots(t *testing.T, store *mem.Store, many int) {
	r := open(t, store, Options{})
	root := &Data{Generation: NoGeneration, Identifiers: map[string]string{}}
	info := SnapshotInfo{Version: WriteVersion, State: StateSuccess, TotalShards: 100, SuccessfulShards: 100, StartTime: 1, EndTime: 2}
	lookup := map[string]string{}
	for n := range 20 {
		ix := IndexEntry{IndexID: IndexID{Name: fmt.Sprintf("logs-of-service-%04d", n), ID: NewUUID()}}
		for range 5 {
			ix.Generations = append(ix.Generations, NewUUID())
		}
		lookup[ix.ID] = NewUUID() + "-" + NewUUID() + "-1-1-1"
		root.Identifiers[lookup[ix.ID]] = NewUUID()
		info.Indices = append(info.Indices, ix.Name)
		root.Indices = append(root.Indices, ix)
	}
	for n := range many {
		info.SnapshotID = SnapshotID{fmt.Sprintf("nightly-%06d", n), NewUUID()}
		if err := r.writeFrame(bg, r.root, snapName(info.UUID), codecSnapshot, info.tree()); err != nil {
			t.Fatal(err)
		}
		root.Snapshots = append(root.Snapshots, SnapshotEntry{SnapshotID: info.SnapshotID, State: info.State, Version: info.Version.String(), IndexMetadata: lookup})
		for i := range root.Indices {
			root.Indices[i].Snapshots = append(root.Indices[i].Snapshots, info.UUID)
		}
	}
	if _, _, err := r.swing(bg, NoGeneration, root, true); err != nil {
		t.Fatal(err)
	}
}

// TestListMemory measures what a process has in memory of a repository with many snapshots of 100 shards: the root, and all infos while a
// list is answered.
func TestListMemory(t *testing.T) {
	many := 1000
	if os.Getenv("VARVE_LONG") != "" {
		many = 10000
	}
	store := mem.New()
	manySnapshots(t, store, many)
	r := open(t, store, Options{})
	sizes := []int64{heap()}
	d := load(t, r)
	sizes = append(sizes, heap())
	infos, err := r.ListSnapshots(bg, d)
	sizes = append(sizes, heap())
	if err != nil || len(infos) != many {
		t.Fatal(len(infos), err)
	}
	for _, v := range []any{store, r, d, infos} {
		runtime.KeepAlive(v)
	}
	each := (sizes[2] - sizes[1]) / int64(many)
	t.Logf("%d snapshots: the root takes %d bytes, each info %d", many, sizes[1]-sizes[0], each)
	if each < 500 || each > 2<<10 { // less would be a mistake of the measurement
		t.Error("that is more than a list of thousands should have in memory")
	}
}
