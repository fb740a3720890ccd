package repository

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
)

// quiet lets a cluster's pointers to its new root fail: index.latest, the deletion of the root before it, or both.
func quiet(noLatest, noDelete bool) faulty.Hook {
	return func(o faulty.Op) faulty.Fault {
		if noLatest && o.Kind == "put" && o.Name == "index.latest" || noDelete && o.Kind == "delete" && strings.HasPrefix(o.Name, rootPrefix) {
			return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
		}
		return faulty.Fault{}
	}
}

// skip writes the newest root again under a number some way above, as a real node whose numbers skip.
func skip(t *testing.T, store *mem.Store, r *Repository, by int64, noLatest, noDelete bool) {
	t.Helper()
	d := load(t, r)
	if d.Generation == NoGeneration {
		return
	}
	store.Set(rootName(d.Generation+by), store.Snapshot()[rootName(d.Generation)])
	if !noLatest {
		r.putLatest(bg, d.Generation+by, nil)
	}
	if !noDelete {
		if err := store.DeleteBatch(bg, []string{rootName(d.Generation)}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQuietRoots lets another cluster write several roots, or one whose number skips, between any two requests of ours, and fail to
// point at them or to take the older ones away. What we say was done is in the newest root and stays there; what was reported before is whole.
func TestQuietRoots(t *testing.T) {
	store := mem.New()
	r := open(t, store, Options{})
	m := newModel(t, random(t), r)
	m.change()
	if err := m.snapshot(r); err != nil {
		t.Fatal(err)
	}
	done := map[string]bool{} // names of snapshots that were reported, and are not deleted
	remember := func() {
		clear(done)
		for _, s := range load(t, r).Snapshots {
			done[s.Name] = true
		}
	}
	remember()
	conflicts, worked := 0, 0
	for round := range *roundsFlag * 4 {
		m.change()
		at, acted := int64(1+m.rnd.Intn(50)), false
		noLatest, noDelete := m.rnd.Intn(2) == 0, m.rnd.Intn(2) == 0
		other := open(t, faulty.New(store, quiet(noLatest, noDelete)), Options{})
		act := func() {
			count := m.count
			m.count += 1000
			defer func() { m.count = count }()
			for range 1 + m.rnd.Intn(3) {
				switch m.rnd.Intn(4) {
				case 0:
					skip(t, store, r, 1+int64(m.rnd.Intn(3)), noLatest, noDelete)
				case 1: // one that was reported, and not what is being written
					d := load(t, r)
					i := slices.IndexFunc(d.Snapshots, func(s SnapshotEntry) bool { return done[s.Name] })
					if i < 0 {
						continue
					}
					delete(done, d.Snapshots[i].Name)
					if _, err := other.Delete(bg, d, []SnapshotID{d.Snapshots[i].SnapshotID}); err != nil {
						t.Errorf("the other cluster deletes: %v", err)
					}
				default:
					if err := m.snapshot(other); err != nil {
						t.Errorf("the other cluster: %v", err)
					}
					done[fmt.Sprint("s", m.count)] = true
				}
			}
		}
		hooked := open(t, faulty.New(store, func(o faulty.Op) faulty.Fault {
			if o.Count >= at && !acted {
				acted = true
				act()
			}
			return faulty.Fault{}
		}), Options{Parallel: 1})
		var err error
		switch m.rnd.Intn(4) {
		case 0:
			_, err = hooked.Cleanup(bg, load(t, r), CleanupOptions{})
		case 1:
			d := load(t, r)
			if len(d.Snapshots) == 0 {
				continue
			}
			gone := d.Snapshots[m.rnd.Intn(len(d.Snapshots))]
			had := done[gone.Name]
			delete(done, gone.Name)
			if _, err = hooked.Delete(bg, d, []SnapshotID{gone.SnapshotID}); err == nil {
				if _, still := load(t, r).byUUID(gone.UUID); still {
					t.Fatalf("round %d: the snapshot [%s] was deleted, and is there", round, gone.Name)
				}
			} else if _, still := load(t, r).byUUID(gone.UUID); still {
				done[gone.Name] = had
			}
		default:
			err = m.snapshot(hooked)
			if name := fmt.Sprint("s", m.count); err == nil {
				done[name] = true
			}
		}
		m.count += 10000
		var conflict *ConcurrentModificationError
		switch {
		case err == nil:
			worked++
		case errors.As(err, &conflict):
			conflicts++
		case blob.KindOf(err) != blob.KindNotFound:
			t.Fatalf("round %d: %v", round, err)
		}
		d := load(t, r)
		for name, want := range done {
			if _, err := d.Snapshot(name); want && err != nil {
				t.Fatalf("round %d: the snapshot [%s] was reported, and is lost: %v", round, name, err)
			}
		}
		m.check(r)
		checkTidy(t, r)
		if round%4 == 0 {
			m.healthy(r, false)
		}
		if len(d.Snapshots) > 8 {
			var ids []SnapshotID
			for _, s := range d.Snapshots[2:] {
				ids = append(ids, s.SnapshotID)
			}
			if _, err := r.Delete(bg, d, ids); err != nil {
				t.Fatal(err)
			}
		}
		if m.rnd.Intn(3) == 0 { // else the next round finds the stale pointers
			if _, err := r.Cleanup(bg, load(t, r), CleanupOptions{}); err != nil {
				t.Fatal(err)
			}
			exact(t, store, r)
		}
		remember()
	}
	t.Logf("%d worked, %d met another root", worked, conflicts)
	if worked == 0 || conflicts == 0 {
		t.Error("the test tells nothing")
	}
}

// TestUnmoved fixes when a root counts as the newest without a list.
func TestUnmoved(t *testing.T) {
	ours := func(t *testing.T) (*mem.Store, *Repository, int64) {
		store := mem.New()
		r := open(t, store, Options{})
		m := newModel(t, random(t), r)
		m.change()
		for range 2 {
			if err := m.snapshot(r); err != nil {
				t.Fatal(err)
			}
		}
		return store, r, load(t, r).Generation
	}
	for name, c := range map[string]struct {
		change func(store *mem.Store, r *Repository, g int64)
		want   bool
	}{
		"nothing happened":                 {func(*mem.Store, *Repository, int64) {}, true},
		"another cluster wrote":            {func(st *mem.Store, r *Repository, _ int64) { skip(t, st, r, 2, false, false) }, false},
		"it wrote no index.latest":         {func(st *mem.Store, r *Repository, _ int64) { skip(t, st, r, 2, true, false) }, false},
		"it did not delete the root":       {func(st *mem.Store, r *Repository, _ int64) { skip(t, st, r, 2, false, true) }, false},
		"an older index.latest came late":  {func(_ *mem.Store, r *Repository, g int64) { r.putLatest(bg, g-1, nil) }, false},
		"ours came late, after another's":  {func(st *mem.Store, r *Repository, g int64) { skip(t, st, r, 1, false, false); r.putLatest(bg, g, nil) }, false},
		"index.latest is damaged":          {func(st *mem.Store, _ *Repository, _ int64) { st.Set("index.latest", []byte("7")) }, false},
		"there is no index.latest":         {func(st *mem.Store, _ *Repository, _ int64) { _ = st.DeleteBatch(bg, []string{"index.latest"}) }, false},
		"the root is empty":                {func(st *mem.Store, _ *Repository, g int64) { st.Set(rootName(g), nil) }, false},
		"only a list knows the newer root": {func(st *mem.Store, r *Repository, _ int64) { skip(t, st, r, 2, true, true) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			store, r, g := ours(t)
			c.change(store, r, g)
			if got := r.Unmoved(bg, g); got != c.want {
				t.Fatalf("it says %v", got)
			}
		})
	}
	if r := open(t, mem.New(), Options{}); r.Unmoved(bg, NoGeneration) {
		t.Error("an empty repository has no root that could be unmoved")
	}
}
