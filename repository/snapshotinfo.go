package repository

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/varve-search/varve/repository/smile"
)

// Format: docs/formats/repository.md, "snap-UUID.dat of the root".

// ShardFailure says why a shard is not in a snapshot.
type ShardFailure struct {
	Index  string
	Shard  int
	Reason string
	NodeID string
	Status string // a REST status such as INTERNAL_SERVER_ERROR
}

// SnapshotInfo is the content of a snapshot's snap-UUID.dat. Times are in milliseconds since 1970.
type SnapshotInfo struct {
	SnapshotID
	Version            Version
	State              State
	Reason             string
	Indices            []string
	DataStreams        []string
	IncludeGlobalState *bool // nil before 6.2
	UserMetadata       *smile.Object
	StartTime          int64
	EndTime            int64
	TotalShards        int
	SuccessfulShards   int
	Failures           []ShardFailure
	// ShallowCopy is set where the version knows remote stores; when true the shards' data lies in
	// a remote store.
	ShallowCopy *bool
	// PinnedTimestamp is not 0 for snapshots of which not even references are per shard.
	PinnedTimestamp int64
	// IndexMetadata has, by the index's id, the identifier of each index's metadata that the snapshot was the first to have, and of
	// a clone of all; so that a root that was lost can be made again. Finalize fills it. It is nil where another program wrote the info.
	IndexMetadata map[string]string
	// extra are keys that only other products know.
	extra []member
}

// Shallow says whether the data of the snapshot's remote-store indices is outside of the repository.
func (s *SnapshotInfo) Shallow() bool {
	return s.PinnedTimestamp != 0 || s.ShallowCopy != nil && *s.ShallowCopy
}

func parseSnapshotInfo(o *smile.Object) (*SnapshotInfo, error) {
	top := newFields(o, "the content")
	f := newFields(top.object("snapshot"), "[snapshot]")
	if f.o == nil && f.err == nil {
		f.err = fmt.Errorf("[snapshot] is missing")
	}
	if f.err != nil {
		return nil, f.err
	}
	s := &SnapshotInfo{SnapshotID: SnapshotID{f.required("name"), f.text("uuid")}, State: StateInProgress}
	if s.UUID == "" {
		s.UUID = s.Name // before 5.0
	}
	if id := f.number("version_id", 1); f.err == nil {
		s.Version, f.err = VersionFromID(id)
	}
	if state := f.text("state"); state != "" && f.err == nil {
		s.State, f.err = ParseState(state)
	}
	s.Reason = f.text("reason")
	s.Indices = f.texts("indices")
	s.DataStreams = f.texts("data_streams")
	s.IncludeGlobalState = f.boolean("include_global_state")
	s.UserMetadata = f.object("metadata")
	s.StartTime = f.number("start_time", math.MinInt64)
	s.EndTime = f.number("end_time", math.MinInt64)
	s.TotalShards = f.int32("total_shards", 0)
	s.SuccessfulShards = f.int32("successful_shards", 0)
	s.ShallowCopy = f.boolean("remote_store_index_shallow_copy")
	s.PinnedTimestamp = f.number("pinned_timestamp", math.MinInt64)
	if lookup := f.object("index_metadata_lookup"); lookup != nil {
		s.IndexMetadata = map[string]string{}
		for _, m := range lookup.Members {
			if text, ok := m.Value.(string); ok {
				s.IndexMetadata[m.Name] = text
			}
		}
	}
	for _, v := range f.list("failures") {
		ff := newFields(v, "a failure")
		if ff.err != nil {
			return nil, ff.err
		}
		s.Failures = append(s.Failures, ShardFailure{ff.text("index"), ff.int32("shard_id", 0), ff.text("reason"), ff.text("node_id"), ff.text("status")})
		if ff.err != nil {
			return nil, ff.err
		}
	}
	s.extra = f.rest()
	return s, f.err
}

// clone tells whether the snapshot was made of another one. Of those no shards are counted, or they began after the time that they pin.
func (s *SnapshotInfo) clone() bool {
	return s.TotalShards == 0 && len(s.Indices) > 0 || s.PinnedTimestamp != 0 && s.StartTime > s.PinnedTimestamp
}

func (s *SnapshotInfo) tree() *smile.Object {
	o := smile.NewObject(
		member{Name: "name", Value: s.Name},
		member{Name: "uuid", Value: s.UUID},
		member{Name: "version_id", Value: s.Version.ID()})
	if s.ShallowCopy != nil {
		o.Set("remote_store_index_shallow_copy", *s.ShallowCopy)
	}
	if s.PinnedTimestamp != 0 {
		o.Set("pinned_timestamp", s.PinnedTimestamp)
	}
	o.Set("indices", anyList(s.Indices))
	o.Set("data_streams", anyList(s.DataStreams))
	o.Set("state", s.State.String())
	if s.Reason != "" {
		o.Set("reason", s.Reason)
	}
	if s.IncludeGlobalState != nil {
		o.Set("include_global_state", *s.IncludeGlobalState)
	}
	if s.UserMetadata == nil {
		o.Set("metadata", nil)
	} else {
		o.Set("metadata", s.UserMetadata)
	}
	o.Set("start_time", s.StartTime)
	o.Set("end_time", s.EndTime)
	o.Set("total_shards", int64(s.TotalShards))
	o.Set("successful_shards", int64(s.SuccessfulShards))
	failures := make([]any, 0, len(s.Failures))
	for _, x := range s.Failures {
		fo := smile.NewObject(
			member{Name: "index", Value: x.Index},
			member{Name: "index_uuid", Value: x.Index},
			member{Name: "shard_id", Value: int64(x.Shard)},
			member{Name: "reason", Value: x.Reason})
		if x.NodeID != "" {
			fo.Set("node_id", x.NodeID)
		}
		fo.Set("status", x.Status)
		failures = append(failures, fo)
	}
	o.Set("failures", failures)
	if s.IndexMetadata != nil {
		lookup := smile.NewObject()
		for _, id := range slices.Sorted(maps.Keys(s.IndexMetadata)) {
			lookup.Set(id, s.IndexMetadata[id])
		}
		o.Set("index_metadata_lookup", lookup)
	}
	for _, m := range s.extra {
		o.Set(m.Name, m.Value)
	}
	return smile.NewObject(member{Name: "snapshot", Value: o})
}
