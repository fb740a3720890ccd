package repository

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
)

// TestPowerCuts lets the machine die after a random number of writes, or a flush fail, and loses what no flush had saved. The
// snapshots that the root names are whole, and a clean-up leaves nothing over.
func TestPowerCuts(t *testing.T) {
	lost := 0
	for name, opts := range variants() {
		t.Run(name, func(t *testing.T) {
			store := mem.New()
			m := newModel(t, random(t), open(t, store, opts))
			for round := range *roundsFlag * 2 {
				m.change()
				failing := m.rnd.Intn(3) == 0
				disk := faulty.NewVolatile(store, func() error {
					if failing {
						return faulty.ErrInjected
					}
					return nil
				})
				hook := faulty.CrashAfter(int64(m.rnd.Intn(40)))
				if round%3 == 0 {
					hook = faulty.CrashAfter(1000)
				}
				r := open(t, faulty.New(disk, hook), opts)
				before := load(t, open(t, store, opts)).Generation
				var err error
				switch m.rnd.Intn(5) {
				case 0, 1:
					err = m.remove(r)
				case 2:
					var d *Data
					if d, err = r.LoadData(bg); err == nil {
						_, err = r.Cleanup(bg, d, CleanupOptions{})
					}
				case 3:
					err = m.clone(r)
				default:
					err = m.snapshot(r)
				}
				if err == nil && disk.Unflushed() > 0 {
					t.Fatalf("%d blobs were not flushed", disk.Unflushed())
				}
				n, cutErr := disk.PowerCut(bg, m.rnd)
				if cutErr != nil {
					t.Fatal(cutErr)
				}
				lost += n
				after := open(t, store, opts)
				if g := load(t, after).Generation; errors.Is(err, faulty.ErrInjected) && failing && g != before && n > 0 {
					t.Fatalf("the root moved from %d to %d although the flush failed", before, g)
				}
				m.check(after)
				m.healthy(after, false)
				if m.rnd.Intn(3) == 0 {
					if _, err := after.Cleanup(bg, load(t, after), CleanupOptions{}); err != nil {
						t.Fatal(err)
					}
					exact(t, store, after)
					m.check(after)
				}
			}
		})
	}
	if t.Logf("%d blobs were lost or cut", lost); lost == 0 {
		t.Error("nothing was lost")
	}
}

// builtOn takes a snapshot of an index whose shards were built on those of another one that was never finished.
func (m *clusterModel) builtOn(r *Repository) {
	m.t.Helper()
	m.count++
	unfinished, id := SnapshotID{fmt.Sprint("u", m.count), NewUUID()}, SnapshotID{fmt.Sprint("b", m.count), NewUUID()}
	base, ix := load(m.t, r), &indexModel{name: fmt.Sprint("built-on-", m.count), uuid: NewUUID(), commit: 1, shards: []shardModel{{"_0.cfs": luceneFile(m.rnd, 900)}}}
	fi := FinalizeIndex{Index: base.ResolveIndex(ix.name, r.opts.ShardPathType), Metadata: ix.metadata(m.t)}
	if err := r.PrepareIndex(bg, base, fi.Index, 1); err != nil {
		m.t.Fatal(err)
	}
	s, err := r.Shard(bg, fi.Index, 0)
	gen := NewGeneration
	for _, id := range []SnapshotID{unfinished, id} {
		if err == nil {
			gen, err = snapshotShard(r, s, gen, id, ix.shards[0])
		}
	}
	if err != nil {
		m.t.Fatal(err)
	}
	fi.Generations = []string{gen}
	m.snapshots[id.Name] = map[string][]shardModel{ix.name: ix.shards}
	if _, err := r.Finalize(bg, base, NewSnapshot{Info: SnapshotInfo{SnapshotID: id, State: StateSuccess, Indices: []string{ix.name}}, Indices: []FinalizeIndex{fi}}); err != nil {
		m.t.Fatal(err)
	}
}

// TestFlushFails leaves the root where it is when what it would name cannot be made durable.
func TestFlushFails(t *testing.T) {
	store := mem.New()
	m := newModel(t, random(t), open(t, store, Options{}))
	var goes SnapshotID // shares an index, which its deletion has to write anew
	for n := 0; n < 3 || goes.UUID == ""; n++ {
		m.change()
		if err := m.snapshot(m.r); err != nil {
			t.Fatal(err)
		}
		d := load(t, m.r)
		for _, i := range d.Indices {
			if len(i.Snapshots) > 1 && slices.ContainsFunc(i.Generations, func(g string) bool { return g != "" }) {
				e, _ := d.byUUID(i.Snapshots[0])
				goes = e.SnapshotID
			}
		}
	}
	m.builtOn(m.r)
	abandoned := 0
	bad := open(t, faulty.NewVolatile(store, func() error { return faulty.ErrInjected }), Options{Abandoned: func() { abandoned++ }})
	base := load(t, bad)
	for _, x := range []struct {
		what string
		do   func() error
	}{
		{"deletion", func() error {
			_, err := bad.Delete(bg, base, []SnapshotID{goes})
			return err
		}},
		{"snapshot", func() error { return m.snapshot(bad) }},
		{"clone", func() error { return m.clone(bad) }},
		{"clean-up", func() error {
			_, err := bad.Cleanup(bg, base, CleanupOptions{})
			return err
		}},
	} {
		abandoned = 0
		if err := x.do(); !errors.Is(err, faulty.ErrInjected) || abandoned == 0 {
			t.Errorf("%s: %v, %d times abandoned", x.what, err, abandoned)
		}
		if now := load(t, open(t, store, Options{})); now.Generation != base.Generation {
			t.Errorf("%s: the root is %d, not %d", x.what, now.Generation, base.Generation)
		}
		m.check(open(t, store, Options{}))
	}
}
