package repository

import (
	"fmt"
	"slices"
	"strings"
)

// NoGeneration is the generation of an empty repository.
const NoGeneration int64 = -1

// SnapshotID names a snapshot. Names are unique at one time, UUIDs for ever.
type SnapshotID struct {
	Name string
	UUID string
}

func (s SnapshotID) String() string { return s.Name + "/" + s.UUID }

// IndexID names an index within the repository. ID is the repository's own and is no index UUID: an
// index that is deleted and made anew under its name keeps it.
type IndexID struct {
	Name          string
	ID            string
	ShardPathType int
}

func (i IndexID) String() string { return i.Name + "/" + i.ID }

// State is the state of a snapshot as index-N holds it.
type State int

const (
	StateUnknown    State = -1 // not recorded
	StateInProgress State = 0
	StateSuccess    State = 1
	StateFailed     State = 2
	StatePartial    State = 3
)

var stateNames = []string{"IN_PROGRESS", "SUCCESS", "FAILED", "PARTIAL", "INCOMPATIBLE"}

func (s State) String() string {
	if s >= 0 && int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "UNKNOWN"
}

// ParseState is the inverse of String.
func ParseState(s string) (State, error) {
	if i := slices.Index(stateNames, s); i >= 0 {
		return State(i), nil
	}
	return StateUnknown, fmt.Errorf("%q is no state of a snapshot", s)
}

// SnapshotEntry is what the root says of a snapshot.
type SnapshotEntry struct {
	SnapshotID
	State   State
	Version string // of the cluster that took it; empty before 7.6
	// IndexMetadata maps IndexID.ID to the identifier under which Data.Identifiers has the blob;
	// empty before 7.9, when the blob had the snapshot's UUID.
	IndexMetadata map[string]string
	extra         []member
}

// IndexEntry is what the root says of an index.
type IndexEntry struct {
	IndexID
	Snapshots []string // UUIDs of the snapshots that contain it, oldest first
	// Generations has the generation of each shard's index blob; "" where it is not known (a shard
	// that no snapshot has in full, or written before 7.6).
	Generations []string
	extra       []member
}

// Data is the content of the root blob index-N. It is never changed once it is loaded.
type Data struct {
	Generation int64
	Snapshots  []SnapshotEntry
	Indices    []IndexEntry
	// Identifiers maps the identifier of an index's metadata to the id of its blob.
	Identifiers map[string]string
	// MinVersion is what versions before 2.4 wrote so that older ones would not read it.
	MinVersion string
	// foreign lists root keys that OpenSearch does not know.
	foreign []string
}

// Snapshot finds a snapshot by name.
func (d *Data) Snapshot(name string) (SnapshotEntry, error) {
	for _, s := range d.Snapshots {
		if s.Name == name {
			return s, nil
		}
	}
	return SnapshotEntry{}, &MissingSnapshotError{Snapshot: name}
}

func (d *Data) byUUID(uuid string) (SnapshotEntry, bool) {
	for _, s := range d.Snapshots {
		if s.UUID == uuid {
			return s, true
		}
	}
	return SnapshotEntry{}, false
}

// byUUIDs returns the snapshots by their UUIDs. The entries must not be changed.
func (d *Data) byUUIDs() map[string]*SnapshotEntry {
	m := make(map[string]*SnapshotEntry, len(d.Snapshots))
	for i := range d.Snapshots {
		m[d.Snapshots[i].UUID] = &d.Snapshots[i]
	}
	return m
}

// Index finds an index by name.
func (d *Data) Index(name string) (IndexEntry, bool) {
	for _, i := range d.Indices {
		if i.Name == name {
			return i, true
		}
	}
	return IndexEntry{}, false
}

// SnapshotIndices returns the indices that a snapshot contains.
func (d *Data) SnapshotIndices(s SnapshotID) []IndexEntry {
	var out []IndexEntry
	for _, i := range d.Indices {
		if slices.Contains(i.Snapshots, s.UUID) {
			out = append(out, i)
		}
	}
	return out
}

// IndexIn finds an index in a snapshot.
func (d *Data) IndexIn(s SnapshotID, index string) (IndexEntry, error) {
	i, ok := d.Index(index)
	if !ok || !slices.Contains(i.Snapshots, s.UUID) {
		return IndexEntry{}, &MissingSnapshotError{Snapshot: s.Name, Index: index}
	}
	return i, nil
}

// ShardGeneration returns the generation of a shard's index blob, or "".
func (i IndexEntry) ShardGeneration(shard int) string {
	if shard < 0 || shard >= len(i.Generations) {
		return ""
	}
	return i.Generations[shard]
}

// ResolveIndex returns the id under which an index of this name is, or will be, kept: a new random
// one where the repository does not know the name.
func (d *Data) ResolveIndex(name string, pathType int) IndexID {
	if i, ok := d.Index(name); ok {
		return i.IndexID
	}
	return IndexID{Name: name, ID: NewUUID(), ShardPathType: pathType}
}

// metadataBlob returns the id of the blob that holds an index's metadata in a snapshot.
func (d *Data) metadataBlob(s SnapshotEntry, i IndexID) (string, error) {
	identifier, ok := s.IndexMetadata[i.ID]
	if !ok {
		return s.UUID, nil
	}
	if id, ok := d.Identifiers[identifier]; ok {
		return id, nil
	}
	return "", corrupt(rootName(d.Generation), nil, "no blob for the metadata [%s] of index [%s] in snapshot [%s]", identifier, i, s.SnapshotID)
}

var (
	firstIndexGenerations = Version{Major: 7, Minor: 9, Legacy: true}
	lastWithMinVersion    = Version{Major: 2, Minor: 4}
)

// Writable returns a *ReadOnlyFormatError when the repository's format must not be written.
func (d *Data) Writable() error {
	if len(d.foreign) > 0 {
		return &ReadOnlyFormatError{fmt.Sprintf("its root has keys that OpenSearch refuses (%s), as Elasticsearch 7.12 and later write them", strings.Join(d.foreign, ", "))}
	}
	for _, s := range d.Snapshots {
		v, err := ParseVersion(s.Version)
		if s.Version == "" || err == nil && v.Before(firstIndexGenerations) {
			return &ReadOnlyFormatError{fmt.Sprintf("snapshot [%s] is of a version before 7.9, whose shard generations are numbers", s.Name)}
		}
		if err != nil {
			return &ReadOnlyFormatError{fmt.Sprintf("snapshot [%s]: %v", s.Name, err)}
		}
	}
	return nil
}

// withoutSnapshots returns a copy that lacks snapshots, and indices that no other snapshot has.
func (d *Data) withoutSnapshots(gone map[string]bool, gens map[string][]string) *Data {
	n := &Data{Generation: d.Generation, Identifiers: map[string]string{}}
	used := map[string]bool{}
	for _, s := range d.Snapshots {
		if gone[s.UUID] {
			continue
		}
		n.Snapshots = append(n.Snapshots, s)
		for _, identifier := range s.IndexMetadata {
			used[identifier] = true
		}
	}
	for identifier, id := range d.Identifiers {
		if used[identifier] {
			n.Identifiers[identifier] = id
		}
	}
	for _, i := range d.Indices {
		var left []string
		for _, uuid := range i.Snapshots {
			if !gone[uuid] {
				left = append(left, uuid)
			}
		}
		if len(left) == 0 {
			continue
		}
		i.Snapshots = left
		if g, ok := gens[i.ID]; ok {
			i.Generations = g
		}
		n.Indices = append(n.Indices, i)
	}
	return n
}
