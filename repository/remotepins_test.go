package repository

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
)

// pinnedRepository has the snapshots p1 and p2, which pin the times 1001 and 1002 in a remote store whose paths begin with a hash.
func pinnedRepository(t *testing.T, remote blob.Container) (*Repository, blob.Container) {
	t.Helper()
	st := mem.New()
	r := open(t, st, Options{RemoteLocks: remoteAt(remote)})
	pins, err := remote.Container(pinnedTimestamps)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := NewIndexMetadata("a", []byte(`{"version":1,"mapping_version":1,"settings_version":1,"aliases_version":1,"routing_num_shards":1024,"state":"open","settings":{"index.uuid":"U1","index.creation_date":"1",
		"index.number_of_shards":"2","index.remote_store.enabled":"true","index.remote_store.segment.repository":"rs","index.remote_store.translog.repository":"rt"},"mappings":{},"aliases":{},
		"remote_store":{"path_type":"HASHED_PREFIX","path_hash_algorithm":"FNV_1A_BASE64"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for n := int64(1); n <= 2; n++ {
		base, yes := load(t, r), true
		id := SnapshotID{fmt.Sprint("p", n), NewUUID() + "__x"}
		if _, err := r.Finalize(bg, base, NewSnapshot{
			Info: SnapshotInfo{SnapshotID: id, State: StateSuccess, ShallowCopy: &yes, PinnedTimestamp: 1000 + n, StartTime: 1000 + n, EndTime: 1000 + n, TotalShards: 2, SuccessfulShards: 2,
				Indices: []string{"a"}, IncludeGlobalState: &yes},
			Global:  EmptyGlobalMetadata(),
			Indices: []FinalizeIndex{{Index: base.ResolveIndex("a", 0), Metadata: meta, Generations: []string{NewGeneration, NewGeneration}}},
		}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"my__repo" + pinSuffix(id.UUID, 1000+n), "other" + pinSuffix(NewUUID(), 7)} {
			if err := putBytes(bg, pins, name, nil, blob.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return r, pins
}

func remoteAt(c blob.Container) RemoteStore {
	return func(_ context.Context, repository string) (*RemotePlace, error) {
		if repository != "rs" {
			return nil, fmt.Errorf("asked for [%s]", repository)
		}
		return &RemotePlace{Store: c}, nil
	}
}

// The info of a snapshot that pins a timestamp is made anew by its pin. Without the remote store the snapshot does not pass for a whole one.
func TestRepairPinned(t *testing.T) {
	for _, looks := range []bool{true, false} {
		remote := mem.New()
		r, _ := pinnedRepository(t, remote)
		if looks {
			r.opts.RemoteStore = remoteAt(remote)
		}
		data := load(t, r)
		lost := data.Snapshots[1].SnapshotID
		want, err := r.SnapshotInfo(bg, lost)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.root.DeleteBatch(bg, []string{snapName(lost.UUID)}); err != nil {
			t.Fatal(err)
		}
		report, err := r.Repair(bg, RepairOptions{Apply: true})
		if err != nil || !report.Applied {
			t.Fatalf("%+v, %v", report, err)
		}
		got, err := r.SnapshotInfo(bg, lost)
		if err != nil {
			t.Fatal(err)
		}
		if !looks {
			if got.State != StateFailed || len(got.Failures) != 2 || len(report.Losses) != 2 || len(report.Guesses) != 1 || !strings.Contains(report.Guesses[0], "remote store of repository [rs]") {
				t.Errorf("without the remote store: %+v, %+v", got, report)
			}
			continue
		}
		if len(report.Losses) > 0 || got.PinnedTimestamp != want.PinnedTimestamp || got.State != StateSuccess || got.StartTime != want.StartTime || got.TotalShards != 2 || got.SuccessfulShards != 2 ||
			!got.Shallow() || !slices.Equal(got.Indices, want.Indices) || len(got.Failures) > 0 {
			t.Errorf("%+v, want %+v; %+v", got, want, report)
		}
	}
}

// A repair that writes an info again keeps what the snapshot pins.
func TestRepairKeepsPin(t *testing.T) {
	r, _ := pinnedRepository(t, mem.New())
	id := load(t, r).Snapshots[0].SnapshotID
	if err := r.root.DeleteBatch(bg, []string{metaName(id.UUID)}); err != nil {
		t.Fatal(err)
	}
	report, err := r.Repair(bg, RepairOptions{Apply: true})
	if err != nil || !report.Applied {
		t.Fatalf("%+v, %v", report, err)
	}
	got, err := r.SnapshotInfo(bg, id)
	if err != nil || got.PinnedTimestamp != 1001 || *got.IncludeGlobalState {
		t.Errorf("%+v, %v", got, err)
	}
}

// What one snapshot pins is pinned for another under the same name of the repository; each goes with its own snapshot.
func TestClonePins(t *testing.T) {
	r, pins := pinnedRepository(t, mem.New())
	data := load(t, r)
	source, target := data.Snapshots[0].SnapshotID, SnapshotID{"c", NewUUID()}
	names := func() []string {
		found, err := blob.Names(bg, pins, "my__repo")
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for name := range found {
			out = append(out, name)
		}
		slices.Sort(out)
		return out
	}
	want := names()
	if err := r.ClonePins(bg, data, source, target, 1002); err == nil || !strings.Contains(err.Error(), "not pinned any more") {
		t.Errorf("another time: %v", err)
	}
	for range 2 { // a manager that was killed does it again
		if err := r.ClonePins(bg, data, source, target, 1001); err != nil {
			t.Fatal(err)
		}
	}
	if want = append(want, "my__repo"+pinSuffix(target.UUID, 1001)); len(names()) != 3 || !slices.Contains(names(), want[2]) {
		t.Errorf("pins %v, want %v", names(), want)
	}
	if _, err := r.Delete(bg, data, []SnapshotID{source}); err != nil {
		t.Fatal(err)
	}
	want = slices.DeleteFunc(want, func(n string) bool { return strings.Contains(n, source.UUID) })
	slices.Sort(want)
	if !slices.Equal(names(), want) {
		t.Errorf("after a deletion: %v, want %v", names(), want)
	}
	r.opts.RemoteLocks = nil
	if err := r.ClonePins(bg, load(t, r), load(t, r).Snapshots[0].SnapshotID, target, 1002); err == nil || !strings.Contains(err.Error(), "clone the snapshot with the cluster") {
		t.Errorf("without the remote store: %v", err)
	}
}

func TestPinnedTime(t *testing.T) {
	for name, want := range map[string]int64{"r__uu__5": 5, "a__b__uu__77": 77, "r__uu__0": 0, "r__uu__x": 0, "uu__5": 0, "r__vv__5": 0, "": 0, "__": 0, "r__uu__-3": 0, "r__uu__99999999999999999999": 0} {
		if got, ok := pinnedTime(name, "uu"); ok != (want != 0) || ok && got != want {
			t.Errorf("%q: %d, %v", name, got, ok)
		}
	}
}
