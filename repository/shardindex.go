package repository

import (
	"fmt"
	"slices"
	"sync"
)

// ShardIndexSnapshot lists the blob names of a snapshot's files in a shard.
type ShardIndexSnapshot struct {
	Snapshot string // name
	Files    []string
	// StateID identifies the shard's state (history and sequence number); "" when not recorded.
	StateID string
}

// ShardIndex is the content of a shard's index-GENERATION: all files of all its snapshots. It is never changed once it is made.
type ShardIndex struct {
	Files     []FileInfo
	Snapshots []ShardIndexSnapshot

	names, physical lookup
}

func newShardIndex(files []FileInfo, snapshots []ShardIndexSnapshot) *ShardIndex {
	return &ShardIndex{Files: files, Snapshots: snapshots}
}

// lookup finds places in a list by name. It is made when it is asked first, since who writes an index after another mostly needs none.
type lookup struct {
	once sync.Once
	at   map[string][]int32
}

func (l *lookup) find(name string, count int, nameOf func(int) string) []int32 {
	l.once.Do(func() {
		l.at = make(map[string][]int32, count)
		all := make([]int32, count)
		for i := range all {
			n := nameOf(i)
			if list, more := l.at[n]; more {
				l.at[n] = append(list, int32(i))
				continue
			}
			all[i] = int32(i)
			l.at[n] = all[i : i+1 : i+1]
		}
	})
	return l.at[name]
}

// fewFiles is up to how many files a look at each is faster than a map of them.
const fewFiles = 12

// find returns the place of the file whose blob has a name, or -1.
func (x *ShardIndex) find(name string) int {
	if len(x.Files) <= fewFiles {
		return slices.IndexFunc(x.Files, func(f FileInfo) bool { return f.Name == name })
	}
	if at := x.names.find(name, len(x.Files), func(i int) string { return x.Files[i].Name }); len(at) > 0 {
		return int(at[0])
	}
	return -1
}

// ByName finds a file by the name of its blob.
func (x *ShardIndex) ByName(name string) (FileInfo, bool) {
	i := x.find(name)
	if i < 0 {
		return FileInfo{}, false
	}
	return x.Files[i], true
}

// Find finds a file of the index that the repository has already.
func (x *ShardIndex) Find(physicalName string, length int64, checksum string, hash []byte) (FileInfo, bool) {
	for _, i := range x.physical.find(physicalName, len(x.Files), func(i int) string { return x.Files[i].PhysicalName }) {
		if x.Files[i].Same(physicalName, length, checksum, hash) {
			return x.Files[i], true
		}
	}
	return FileInfo{}, false
}

// Snapshot finds a snapshot's file list by the snapshot's name.
func (x *ShardIndex) Snapshot(name string) (ShardIndexSnapshot, bool) {
	for _, s := range x.Snapshots {
		if s.Snapshot == name {
			return s, true
		}
	}
	return ShardIndexSnapshot{}, false
}

// StateFiles returns the files of a snapshot that was taken of the same state of the shard.
func (x *ShardIndex) StateFiles(stateID string) ([]FileInfo, bool) {
	if stateID == "" {
		return nil, false
	}
	for _, s := range x.Snapshots {
		if s.StateID == stateID {
			files := make([]FileInfo, len(s.Files))
			for i, name := range s.Files {
				files[i], _ = x.ByName(name)
			}
			return files, true
		}
	}
	return nil, false
}

// with returns an index with one snapshot more, the newest first as OpenSearch orders them.
func (x *ShardIndex) with(name, stateID string, files []FileInfo) (*ShardIndex, error) {
	if _, dup := x.Snapshot(name); dup {
		return nil, fmt.Errorf("shard index: snapshot [%s]: %w", name, ErrSnapshotExists)
	}
	all := append([]FileInfo(nil), x.Files...)
	s := ShardIndexSnapshot{Snapshot: name, StateID: stateID}
	added := map[string]bool{}
	for _, f := range files {
		s.Files = append(s.Files, f.Name)
		if old, known := x.ByName(f.Name); known {
			if !old.Same(f.PhysicalName, f.Length, f.Checksum, f.MetaHash) || old.PartSize != f.PartSize {
				return nil, fmt.Errorf("shard index: [%s] holds [%s] and cannot hold [%s] too", f.Name, old.PhysicalName, f.PhysicalName)
			}
			continue
		}
		if added[f.Name] {
			return nil, fmt.Errorf("shard index: blob [%s] occurs twice in snapshot [%s]", f.Name, name)
		}
		added[f.Name] = true
		all = append(all, f)
	}
	return newShardIndex(all, append([]ShardIndexSnapshot{s}, x.Snapshots...)), nil
}

// without returns an index that lacks the snapshots of these names.
func (x *ShardIndex) without(names []string) *ShardIndex {
	if !slices.ContainsFunc(x.Snapshots, func(s ShardIndexSnapshot) bool { return slices.Contains(names, s.Snapshot) }) {
		return x
	}
	keep := map[string]bool{}
	for _, s := range x.Snapshots {
		keep[s.Snapshot] = !slices.Contains(names, s.Snapshot)
	}
	return x.keep(keep)
}

// Without returns an index that knows nothing of files of which a blob is missing, so that Find does
// not offer them. It is for looking up only.
func (x *ShardIndex) Without(blobs []string) *ShardIndex {
	gone := map[string]bool{}
	for _, b := range blobs {
		gone[canonicalName(b)] = true
	}
	var files []FileInfo
	for _, f := range x.Files {
		if !gone[f.Name] {
			files = append(files, f)
		}
	}
	return newShardIndex(files, nil)
}

// With returns an index that knows of further files. It is for looking up only.
func (x *ShardIndex) With(files []FileInfo) *ShardIndex {
	all := slices.Clone(x.Files)
	for _, f := range files {
		if _, known := x.ByName(f.Name); !known {
			all = append(all, f)
		}
	}
	return newShardIndex(all, x.Snapshots)
}

// keep returns an index of only the snapshots that keep names.
func (x *ShardIndex) keep(names map[string]bool) *ShardIndex {
	snapshots := make([]ShardIndexSnapshot, 0, len(x.Snapshots))
	used := make([]bool, len(x.Files))
	var last []string
	for _, s := range x.Snapshots {
		if !names[s.Snapshot] {
			continue
		}
		snapshots = append(snapshots, s)
		if sameList(last, s.Files) {
			continue
		}
		last = s.Files
		for _, f := range last {
			if i := x.find(f); i >= 0 {
				used[i] = true
			}
		}
	}
	files := make([]FileInfo, 0, len(x.Files))
	for i := range x.Files {
		if used[i] {
			files = append(files, x.Files[i])
		}
	}
	return newShardIndex(files, snapshots)
}
