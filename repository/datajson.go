package repository

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// Format: docs/formats/repository.md, "index-N".

type member = smile.Member

// openSearchRoot are the only root keys that OpenSearch reads without refusing the repository.
var openSearchRoot = map[string]bool{"snapshots": true, "indices": true, "index_metadata_identifiers": true, "min_version": true}

// ParseData reads the JSON of index-N. All names that later become part of a path are checked.
func ParseData(b []byte, generation int64) (*Data, error) {
	d, err := parseData(b, generation)
	if err != nil {
		return nil, corrupt(rootName(generation), err, "cannot be read")
	}
	return d, nil
}

func parseData(b []byte, generation int64) (*Data, error) {
	v, err := smile.ParseJSON(b, smile.Limits{})
	if err != nil {
		return nil, err
	}
	f := newFields(v, "the root")
	if f.err != nil {
		return nil, f.err
	}
	d := &Data{Generation: generation, Identifiers: map[string]string{}, MinVersion: f.text("min_version")}
	for _, m := range f.o.Members {
		if !openSearchRoot[m.Name] {
			d.foreign = append(d.foreign, m.Name)
		}
	}
	// Whatever writes a root writes this key, be it an empty array. An object without it says nothing: taken for an empty repository, it
	// would make everything in it a left-over.
	if _, ok := f.get("snapshots"); !ok {
		return nil, errors.New("[snapshots] is missing")
	}
	known := map[string]bool{}
	for _, v := range f.list("snapshots") {
		s, err := parseSnapshotEntry(v)
		if err != nil {
			return nil, err
		}
		if known[s.UUID] {
			return nil, fmt.Errorf("snapshot uuid [%s] occurs twice", s.UUID)
		}
		known[s.UUID] = true
		d.Snapshots = append(d.Snapshots, s)
	}
	ids := map[string]bool{}
	if o := f.object("indices"); o != nil {
		for _, m := range o.Members {
			i, err := parseIndexEntry(m, known)
			if err != nil {
				return nil, fmt.Errorf("index [%s]: %w", m.Name, err)
			}
			if ids[i.ID] {
				return nil, fmt.Errorf("index id [%s] occurs twice", i.ID)
			}
			ids[i.ID] = true
			d.Indices = append(d.Indices, i)
		}
	}
	if o := f.object("index_metadata_identifiers"); o != nil {
		for _, m := range o.Members {
			id, ok := m.Value.(string)
			if !ok || blob.CheckName(metaName(id)) != nil {
				return nil, fmt.Errorf("the metadata identifier [%s] has no valid blob id", m.Name)
			}
			d.Identifiers[m.Name] = id
		}
	}
	return d, f.err
}

func parseSnapshotEntry(v any) (SnapshotEntry, error) {
	f := newFields(v, "a snapshot")
	if f.err != nil {
		return SnapshotEntry{}, f.err
	}
	s := SnapshotEntry{State: StateUnknown}
	s.Name = f.required("name")
	s.UUID = f.required("uuid")
	if _, ok := f.get("state"); ok {
		s.State = State(f.int32("state", 0))
	}
	s.Version = f.text("version")
	if o := f.object("index_metadata_lookup"); o != nil {
		s.IndexMetadata = make(map[string]string, o.Len())
		for _, m := range o.Members {
			identifier, ok := m.Value.(string)
			if !ok {
				f.wrong("index_metadata_lookup", "a map of strings", m.Value)
			}
			s.IndexMetadata[m.Name] = identifier
		}
	}
	s.extra = f.rest()
	if f.err == nil {
		f.err = blob.CheckName(snapName(s.UUID))
	}
	if f.err != nil {
		return s, fmt.Errorf("snapshot [%s]: %w", s.Name, f.err)
	}
	return s, nil
}

func parseIndexEntry(m member, known map[string]bool) (IndexEntry, error) {
	f := newFields(m.Value, "its entry")
	if f.err != nil {
		return IndexEntry{}, f.err
	}
	i := IndexEntry{IndexID: IndexID{Name: m.Name, ID: f.required("id"), ShardPathType: f.int32("shard_path_type", 0)}}
	for _, v := range f.list("snapshots") {
		uuid, ok := v.(string)
		if o, legacy := v.(*smile.Object); legacy { // before 5.4.1
			x, _ := o.Get("uuid")
			uuid, ok = x.(string)
		}
		if !ok {
			f.wrong("snapshots", "an array of uuids", v)
		} else if !known[uuid] {
			return i, fmt.Errorf("refers to the unknown snapshot uuid [%s]", uuid)
		}
		i.Snapshots = append(i.Snapshots, uuid)
	}
	for _, v := range f.list("shard_generations") {
		gen, ok := v.(string)
		if !ok && v != nil {
			f.wrong("shard_generations", "an array of strings", v)
		}
		// Versions before 7.8.1 recorded wrong numbers here: they count as not known.
		if isNumber(gen) {
			gen = ""
		}
		if gen != "" && f.err == nil {
			f.err = blob.CheckName(shardIndexName(gen))
		}
		i.Generations = append(i.Generations, gen)
	}
	i.extra = f.rest()
	if f.err == nil {
		f.err = blob.CheckName(i.ID)
	}
	return i, f.err
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

const rootPrefix = "index-"

func rootName(generation int64) string { return rootPrefix + strconv.FormatInt(generation, 10) }

// parseRootName returns the generation of a root blob's name.
func parseRootName(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, rootPrefix)
	if !ok || !isNumber(digits) {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n < math.MaxInt64
}

func snapName(uuid string) string { return "snap-" + uuid + ".dat" }

const shallowPrefix = "shallow-snap-"

func shallowName(uuid string) string { return shallowPrefix + uuid + ".dat" }

func metaName(id string) string { return "meta-" + id + ".dat" }

func shardIndexName(gen string) string { return "index-" + gen }

// datUUID takes the uuid out of PREFIXuuid.dat.
func datUUID(name, prefix string) (string, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, ".dat")
}
