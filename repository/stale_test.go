package repository

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
)

// A writer that stood still before it wrote the root, while others went on by two generations, finds its name free again: the root
// of others was swung away. Its attempt fails, index.latest names the newest root afterwards, and a clean-up removes what it left.
func TestStaleRoot(t *testing.T) {
	st := mem.New()
	r := open(t, st, Options{})
	m := newModel(t, random(t), r)
	m.change()
	for range 2 {
		if err := m.snapshot(r); err != nil {
			t.Fatal(err)
		}
	}
	base := load(t, r)
	met := false
	late := open(t, faulty.New(st, func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && o.Name == rootName(base.Generation+1) && !met {
			met = true
			for range 2 {
				m.change()
				if err := m.snapshot(r); err != nil {
					t.Error(err)
				}
			}
		}
		return faulty.Fault{}
	}), Options{})
	_, err := late.Delete(bg, base, []SnapshotID{base.Snapshots[0].SnapshotID})
	var newer *ConcurrentModificationError
	if !errors.As(err, &newer) || !met {
		t.Fatalf("%v", err)
	}
	now := load(t, r)
	if now.Generation != base.Generation+2 || len(now.Snapshots) != 4 {
		t.Fatalf("generation %d, %d snapshots", now.Generation, len(now.Snapshots))
	}
	b, err := blob.ReadAll(bg, st, "index.latest", 8)
	if err != nil || int64(binary.BigEndian.Uint64(b)) != now.Generation {
		t.Errorf("index.latest says %x, %v; want %d", b, err, now.Generation)
	}
	m.check(r)
	if _, err := r.Cleanup(bg, now, CleanupOptions{}); err != nil {
		t.Fatal(err)
	}
	m.healthy(r, true)
}
