package state

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/varve-search/varve/internal/wildcard"
)

// View is the cluster state at one revision. It never changes; reading it takes no lock.
type View struct {
	// Version counts the updates of the cluster state.
	Version int64
	// Revision is etcd's revision that the view includes.
	Revision int64

	tables     [numKinds]*table
	candidates []candidate // for the manager's office, the holder first
	recent     []string    // ids of the newest commits
	commitRev  int64       // etcd revision of the newest commit
	gate       *gate       // a staged commit that is not written out yet

	lookup atomic.Pointer[wildcard.Lookup]
	byUUID atomic.Pointer[map[string]*Index]
}

type candidate struct {
	key       string
	nodeID    string
	createRev int64
	lease     int64
}

var emptyTable = &table{}

func newView() *View {
	v := &View{}
	for i := range v.tables {
		v.tables[i] = emptyTable
	}
	return v
}

// get returns the record of type T named name, or nil.
func get[T any, P interface {
	*T
	Record
}](v *View, name string) P {
	e, ok := v.tables[P(nil).kind()].get(name)
	if !ok {
		return nil
	}
	return e.rec.(P)
}

// list returns all records of type T in the order of their names.
func list[T any, P interface {
	*T
	Record
}](v *View) []P {
	t := v.tables[P(nil).kind()]
	return collect[T, P](t, t.names())
}

// childrenOf returns the records of type T that belong to a parent.
func childrenOf[T any, P interface {
	*T
	Record
}](v *View, parent string) []P {
	t := v.tables[P(nil).kind()]
	return collect[T, P](t, t.children(parent+"/"))
}

func collect[T any, P interface {
	*T
	Record
}](t *table, names []string) []P {
	out := make([]P, 0, len(names))
	for _, name := range names {
		if e, ok := t.get(name); ok {
			out = append(out, e.rec.(P))
		}
	}
	return out
}

// Cluster returns identity and name of the cluster.
func (v *View) Cluster() *Cluster { return get[Cluster](v, "cluster") }

// Settings returns the cluster settings; never nil.
func (v *View) Settings() *ClusterSettings {
	if s := get[ClusterSettings](v, "settings"); s != nil {
		return s
	}
	return &ClusterSettings{}
}

// Node returns a member, or nil.
func (v *View) Node(id string) *Node { return get[Node](v, id) }

// Nodes returns the members in the order of their ids.
func (v *View) Nodes() []*Node { return list[Node](v) }

// Manager returns the id of the elected manager, or "".
func (v *View) Manager() string {
	if len(v.candidates) == 0 {
		return ""
	}
	return v.candidates[0].nodeID
}

// Index returns an index by its name (no alias), or nil.
func (v *View) Index(name string) *Index { return get[Index](v, name) }

// Indices returns all indices in the order of their names.
func (v *View) Indices() []*Index { return list[Index](v) }

// IndexByUUID returns an index by its UUID, or nil.
func (v *View) IndexByUUID(uuid string) *Index {
	m := v.byUUID.Load()
	if m == nil {
		built := map[string]*Index{}
		for _, ix := range v.Indices() {
			built[ix.UUID] = ix
		}
		v.byUUID.Store(&built)
		m = &built
	}
	return (*m)[uuid]
}

// Names resolves index expressions.
func (v *View) Names() *wildcard.Lookup {
	if l := v.lookup.Load(); l != nil {
		return l
	}
	var all []*wildcard.Index
	for _, ix := range v.Indices() {
		w := &wildcard.Index{Name: ix.Name, Closed: ix.State == IndexClosed, Hidden: ix.Hidden, System: ix.System}
		for _, name := range slices.Sorted(maps.Keys(ix.Aliases)) {
			a := ix.Aliases[name]
			w.Aliases = append(w.Aliases, wildcard.Alias{Name: name, Hidden: a.IsHidden != nil && *a.IsHidden, IsWriteIndex: a.IsWriteIndex})
		}
		all = append(all, w)
	}
	var streams []wildcard.Stream
	for _, d := range v.DataStreams() {
		streams = append(streams, wildcard.Stream{Name: d.Name, Indices: d.IndexNames()})
	}
	l := wildcard.NewLookup(all, streams...)
	v.lookup.Store(l)
	return l
}

// Shard returns the routing of one shard, or nil.
func (v *View) Shard(indexUUID string, shard int) *ShardRouting {
	return get[ShardRouting](v, partName(indexUUID, shard))
}

// Shards returns the routing of an index's shards in order.
func (v *View) Shards(indexUUID string) []*ShardRouting {
	return childrenOf[ShardRouting](v, indexUUID)
}

// AllShards returns the routing of all shards, by index UUID and number.
func (v *View) AllShards() []*ShardRouting { return list[ShardRouting](v) }

// LegacyTemplate, LegacyTemplates, … return what the user stored under a name, or all of a kind.
func (v *View) LegacyTemplate(name string) *LegacyTemplate { return get[LegacyTemplate](v, name) }

// LegacyTemplates returns all old-style templates.
func (v *View) LegacyTemplates() []*LegacyTemplate { return list[LegacyTemplate](v) }

// IndexTemplate returns a composable template, or nil.
func (v *View) IndexTemplate(name string) *IndexTemplate { return get[IndexTemplate](v, name) }

// IndexTemplates returns all composable templates.
func (v *View) IndexTemplates() []*IndexTemplate { return list[IndexTemplate](v) }

// ComponentTemplate returns a component template, or nil.
func (v *View) ComponentTemplate(name string) *ComponentTemplate {
	return get[ComponentTemplate](v, name)
}

// ComponentTemplates returns all component templates.
func (v *View) ComponentTemplates() []*ComponentTemplate { return list[ComponentTemplate](v) }

// Pipeline returns an ingest pipeline, or nil.
func (v *View) Pipeline(id string) *Pipeline { return get[Pipeline](v, id) }

// Pipelines returns all ingest pipelines.
func (v *View) Pipelines() []*Pipeline { return list[Pipeline](v) }

// Script returns a stored script, or nil.
func (v *View) Script(id string) *StoredScript { return get[StoredScript](v, id) }

// Scripts returns all stored scripts.
func (v *View) Scripts() []*StoredScript { return list[StoredScript](v) }

// Custom returns other global metadata, or nil.
func (v *View) Custom(name string) *CustomMetadata { return get[CustomMetadata](v, name) }

// Customs returns all other global metadata.
func (v *View) Customs() []*CustomMetadata { return list[CustomMetadata](v) }

// Repository returns a snapshot repository, or nil.
func (v *View) Repository(name string) *Repository { return get[Repository](v, name) }

// Repositories returns all snapshot repositories.
func (v *View) Repositories() []*Repository { return list[Repository](v) }

// SnapshotJob returns a snapshot in progress by its UUID, or nil.
func (v *View) SnapshotJob(uuid string) *SnapshotJob { return get[SnapshotJob](v, uuid) }

// SnapshotJobs returns all snapshots in progress.
func (v *View) SnapshotJobs() []*SnapshotJob { return list[SnapshotJob](v) }

// SnapshotShards returns the parts of a snapshot in progress.
func (v *View) SnapshotShards(jobUUID string) []*SnapshotShard {
	return childrenOf[SnapshotShard](v, jobUUID)
}

// SnapshotDeletion returns a deletion in progress, or nil.
func (v *View) SnapshotDeletion(uuid string) *SnapshotDeletion {
	return get[SnapshotDeletion](v, uuid)
}

// SnapshotDeletions returns all deletions in progress.
func (v *View) SnapshotDeletions() []*SnapshotDeletion { return list[SnapshotDeletion](v) }

// Restore returns a restore in progress, or nil.
func (v *View) Restore(uuid string) *Restore { return get[Restore](v, uuid) }

// Restores returns all restores in progress.
func (v *View) Restores() []*Restore { return list[Restore](v) }

// RestoreShards returns the parts of a restore in progress.
func (v *View) RestoreShards(restoreUUID string) []*RestoreShard {
	return childrenOf[RestoreShard](v, restoreUUID)
}

// OperationCosts returns what operations that have ended sent to their stores.
func (v *View) OperationCosts() []*OperationCost { return list[OperationCost](v) }

// Change is a difference between two views. Old is nil where the record is new, New where it is gone.
type Change struct {
	Name     string
	Old, New Record
}

// Changes returns what differs from an older view in one kind of record, in the order of names. It
// looks only at what was touched.
func (v *View) Changes(old *View, k Kind) []Change {
	var out []Change
	a, b := old.tables[k], v.tables[k]
	if a == b {
		return nil
	}
	for i := range b.buckets {
		if a.buckets[i] == b.buckets[i] {
			continue
		}
		was, is := a.buckets[i].entries(), b.buckets[i].entries()
		for name, e := range is {
			if o, ok := was[name]; !ok {
				out = append(out, Change{Name: name, New: e.rec})
			} else if o.rec != e.rec {
				out = append(out, Change{Name: name, Old: o.rec, New: e.rec})
			}
		}
		for name, o := range was {
			if _, ok := is[name]; !ok {
				out = append(out, Change{Name: name, Old: o.rec})
			}
		}
	}
	slices.SortFunc(out, func(x, y Change) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// builder makes a successor of a view. What it has copied it may change in place.
type builder struct {
	v     *View
	owned [numKinds]struct {
		table   bool
		buckets [tableBuckets / 64]uint64
	}
	changed bool
}

func newBuilder(base *View) *builder {
	return &builder{v: &View{
		Version: base.Version, Revision: base.Revision, tables: base.tables, candidates: base.candidates,
		recent: base.recent, commitRev: base.commitRev, gate: base.gate,
	}}
}

// set puts or, with a nil record, removes an entry and returns the one before.
func (b *builder) set(k Kind, name string, e entry) (old entry, had bool) {
	t := b.v.tables[k]
	i := bucketOf(name)
	old, had = t.buckets[i].entries()[name]
	if e.rec == nil && !had || had && e.rec != nil && e.sum == old.sum && e.sum != 0 {
		return old, had
	}
	b.changed = true
	b.v.lookup.Store(nil)
	b.v.byUUID.Store(nil)
	own := &b.owned[k]
	if !own.table {
		c := *t
		t = &c
		b.v.tables[k] = t
		own.table = true
	}
	if own.buckets[i/64]&(1<<(i%64)) == 0 {
		m := make(map[string]entry, len(t.buckets[i].entries())+1)
		maps.Copy(m, t.buckets[i].entries())
		t.buckets[i] = &bucket{m}
		own.buckets[i/64] |= 1 << (i % 64)
	}
	switch {
	case e.rec == nil:
		delete(t.buckets[i].m, name)
		t.n--
	default:
		t.buckets[i].m[name] = e
		if !had {
			t.n++
		}
	}
	return old, had
}

func sumOf(stored []byte) uint64 {
	return maphash.Bytes(seed, stored) | 1 // never 0, which means unknown
}
