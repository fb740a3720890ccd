package repository

import (
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob/mem"
)

// checkCounts compares what the root tells of a snapshot's shards with the metadata of its indices, and returns whether it tells.
func checkCounts(t testing.TB, r *Repository, d *Data, info *SnapshotInfo) bool {
	t.Helper()
	counts := d.ShardCounts(info)
	if counts == nil {
		return false
	}
	indices := d.SnapshotIndices(info.SnapshotID)
	if len(counts) != len(indices) {
		t.Fatalf("snapshot [%s]: counts of %d indices, it has %d", info.Name, len(counts), len(indices))
	}
	for _, i := range indices {
		m, err := r.IndexMetadata(bg, d, info.SnapshotID, i.Name)
		if err != nil || counts[i.ID] != m.Shards() {
			t.Fatalf("snapshot [%s] index [%s]: the root tells %d shards, the metadata %v: %v", info.Name, i.Name, counts[i.ID], m, err)
		}
	}
	return true
}

// TestShardCounts: what a root says of shards is taken only where it cannot be wrong.
func TestShardCounts(t *testing.T) {
	three := func() (*Data, *SnapshotInfo) { // "a" has two shards, "b" one
		id := SnapshotID{"s", "uuid-s"}
		return &Data{
				Snapshots: []SnapshotEntry{{SnapshotID: id, State: StateSuccess, Version: "2.19.0", IndexMetadata: map[string]string{"id-a": "x", "id-b": "y"}}},
				Indices: []IndexEntry{{IndexID: IndexID{Name: "a", ID: "id-a"}, Snapshots: []string{"uuid-s"}, Generations: []string{"g0", "g1"}},
					{IndexID: IndexID{Name: "b", ID: "id-b"}, Snapshots: []string{"uuid-s"}, Generations: []string{"g2"}}}},
			&SnapshotInfo{SnapshotID: id, State: StateSuccess, Indices: []string{"b", "a"}, TotalShards: 3, SuccessfulShards: 3}
	}
	yes := true
	for name, change := range map[string]func(*Data, *SnapshotInfo){
		"made anew with fewer shards":  func(_ *Data, i *SnapshotInfo) { i.TotalShards, i.SuccessfulShards = 2, 2 },
		"made anew with more shards":   func(_ *Data, i *SnapshotInfo) { i.TotalShards, i.SuccessfulShards = 4, 4 },
		"partial":                      func(_ *Data, i *SnapshotInfo) { i.State, i.SuccessfulShards = StatePartial, 2 },
		"failed":                       func(_ *Data, i *SnapshotInfo) { i.State = StateFailed },
		"shards that failed":           func(_ *Data, i *SnapshotInfo) { i.Failures = []ShardFailure{{Index: "a", Shard: 1}} },
		"not all successful":           func(_ *Data, i *SnapshotInfo) { i.SuccessfulShards = 2 },
		"a clone":                      func(_ *Data, i *SnapshotInfo) { i.TotalShards, i.SuccessfulShards = 0, 0 },
		"shallow":                      func(_ *Data, i *SnapshotInfo) { i.ShallowCopy = &yes },
		"pins a timestamp":             func(_ *Data, i *SnapshotInfo) { i.PinnedTimestamp = 1 },
		"generations are not recorded": func(d *Data, _ *SnapshotInfo) { d.Indices[0].Generations, d.Indices[1].Generations = nil, nil },
		"one is not":                   func(d *Data, _ *SnapshotInfo) { d.Indices[0].Generations[0] = "" },
		"those of an index are not": func(d *Data, i *SnapshotInfo) {
			d.Indices[1].Generations = nil
			i.TotalShards, i.SuccessfulShards = 2, 2
		},
		"of a version before 7.9":      func(d *Data, _ *SnapshotInfo) { d.Snapshots[0].IndexMetadata = nil },
		"the info knows another index": func(_ *Data, i *SnapshotInfo) { i.Indices[0] = "c" },
		"the info knows an index more": func(_ *Data, i *SnapshotInfo) { i.Indices = append(i.Indices, "c") },
		"the root does not know it":    func(d *Data, _ *SnapshotInfo) { d.Snapshots = nil },
		"more shards than there may be": func(d *Data, i *SnapshotInfo) {
			d.Indices[0].Generations = slices.Repeat([]string{"g"}, maxShards+1)
			i.TotalShards, i.SuccessfulShards = maxShards+2, maxShards+2
		},
	} {
		d, info := three()
		change(d, info)
		if got := d.ShardCounts(info); got != nil {
			t.Errorf("%s: the root tells %v", name, got)
		}
	}
	d, info := three()
	if got := d.ShardCounts(info); len(got) != 2 || got["id-a"] != 2 || got["id-b"] != 1 {
		t.Errorf("the root tells %v", got)
	}
}

// TestShardCountsAnew deletes an index and makes it anew under its name, with fewer shards and then with more. Of each snapshot what the
// root tells is right, and it tells of the one that has the most.
func TestShardCountsAnew(t *testing.T) {
	r := open(t, mem.New(), Options{})
	m := newModel(t, random(t), r)
	var told strings.Builder
	for _, shards := range []int{2, 1, 3} {
		i := &indexModel{name: "index", uuid: NewUUID()}
		for range shards {
			i.shards = append(i.shards, shardModel{"segments_1": luceneFile(m.rnd, 50)})
		}
		m.indices = map[string]*indexModel{i.name: i}
		for had := m.count; len(m.indices) > 0; {
			if err := m.snapshot(r); err != nil {
				t.Fatal(err)
			}
			if d := load(t, r); len(d.SnapshotIndices(d.Snapshots[len(d.Snapshots)-1].SnapshotID)) > 0 { // the model leaves out indices at random
				break
			}
			if m.count > had+1000 {
				t.Fatal("the model takes no snapshot of the index")
			}
		}
		d := load(t, r)
		for _, s := range d.Snapshots {
			info, err := r.SnapshotInfo(bg, s.SnapshotID)
			if err != nil {
				t.Fatal(err)
			}
			if len(info.Indices) == 0 {
				continue
			}
			if checkCounts(t, r, d, info) {
				told.WriteByte('1')
			} else {
				told.WriteByte('0')
			}
		}
		told.WriteByte(' ')
	}
	if told.String() != "1 10 001 " {
		t.Errorf("it told of [%s]", told.String())
	}
}
