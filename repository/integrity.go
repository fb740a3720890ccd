package repository

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// VerifyProgress is how far Verify has come. It may be read while it runs.
type VerifyProgress struct {
	Generation                          atomic.Int64 // of the root; set when it was read
	Snapshots, TotalSnapshots           atomic.Int64
	Indices, TotalIndices               atomic.Int64
	IndexSnapshots, TotalIndexSnapshots atomic.Int64 // pairs of an index and a snapshot that has it
	Blobs                               atomic.Int64 // of data
}

func (p *VerifyProgress) start(d *Data) {
	p.Generation.Store(d.Generation)
	p.TotalSnapshots.Store(int64(len(d.Snapshots)))
	p.TotalIndices.Store(int64(len(d.Indices)))
	for _, i := range d.Indices {
		p.TotalIndexSnapshots.Add(int64(len(i.Snapshots)))
	}
}

// How much of a snapshot can be restored.
const (
	RestorableFull    = "full"
	RestorablePartial = "partial"
	RestorableNone    = "none"
)

// Restorability says what can be restored from a snapshot, as far as Verify looked.
type Restorability struct {
	Snapshot SnapshotID
	State    State
	// Restorable is RestorableFull, RestorablePartial or RestorableNone.
	Restorable string
	Indices    []string
	// Shards are those that the snapshot should have, Lost those that cannot be restored.
	Shards, Lost int
	Parts        []LostPart
}

// LostPart is a part of a snapshot that cannot be restored.
type LostPart struct {
	Index   string // "" for all of the snapshot
	Shard   int    // -1 for all of the index
	Problem string
	// Known is set for shards that the snapshot never had, and says so: it is partial.
	Known bool
}

// lose notes a part of a snapshot that is lost.
func (v *verifier) lose(uuid string, p LostPart) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.broken[uuid] = append(v.broken[uuid], p)
}

// restorable sums up what was lost.
func (v *verifier) restorable() []Restorability {
	out := make([]Restorability, 0, len(v.data.Snapshots))
	for _, s := range v.data.Snapshots {
		r := Restorability{Snapshot: s.SnapshotID, State: s.State, Restorable: RestorableFull, Parts: v.broken[s.UUID]}
		slices.SortFunc(r.Parts, func(a, b LostPart) int { return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Shard, b.Shard)) })
		for _, i := range v.data.SnapshotIndices(s.SnapshotID) {
			n := len(i.Generations)
			r.Indices = append(r.Indices, i.Name)
			r.Shards += n
			lost := map[int]bool{}
			for _, p := range r.Parts {
				switch {
				case p.Index == "" || p.Index == i.Name && p.Shard < 0:
					for shard := range n {
						lost[shard] = true
					}
				case p.Index == i.Name:
					lost[p.Shard] = true
				}
			}
			r.Lost += len(lost)
		}
		if info := v.infos[s.UUID]; info != nil {
			r.Shards = info.TotalShards
		}
		switch {
		case slices.ContainsFunc(r.Parts, func(p LostPart) bool { return p.Index == "" }), r.Lost > 0 && r.Lost >= r.Shards:
			r.Restorable = RestorableNone
		case r.Lost > 0 || len(r.Parts) > 0:
			r.Restorable = RestorablePartial
		}
		out = append(out, r)
	}
	return out
}
