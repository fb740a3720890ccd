package snapshot

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

func version(t *testing.T, s string) repository.Version {
	t.Helper()
	v, err := repository.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRestorableVersions(t *testing.T) {
	for s, ok := range map[string]bool{"2.19.6": true, "3.0.0": true, "3.8.0": true, "3.8.7": true, "3.9.0": false, "4.0.0": false} {
		info := &repository.SnapshotInfo{Version: version(t, s), State: repository.StateSuccess}
		err := restorable(RestoreRequest{Repository: "r", Snapshot: "s"}, repository.SnapshotEntry{}, info)
		if (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "["+s+"]") || !strings.Contains(err.Error(), "[2.19.0]")) {
			t.Errorf("%s: the message lacks a version: %v", s, err)
		}
	}
}

// TestFromNewer translates the metadata of an index of OpenSearch 3 into what 2.19 takes.
func TestFromNewer(t *testing.T) {
	v := version(t, "3.8.0")
	created := strconv.FormatInt(v.ID(), 10)
	index := func() *state.Index {
		return &state.Index{
			Name: "i", Settings: settings.Settings{"index.version.created": created},
			Mapping: json.RawMessage(`{"properties":{"a":{"type":"long","skip_list":true,"fields":{"b":{"type":"keyword","skip_list":false}}},"skip_list":{"type":"keyword"}}}`),
			Custom: map[string]json.RawMessage{
				"split_shards_metadata": json.RawMessage(`{"num_of_root_shards":1,"active_shard_ids":[0],"root_shards_to_all_children":{}}`),
				"primary_terms_map":     json.RawMessage(`{"0":1}`),
				"of_a_plugin":           json.RawMessage(`{"list":[1]}`),
				"strings":               json.RawMessage(`{"a":"b"}`),
			},
		}
	}
	plan := func(v repository.Version) *restorePlan {
		return &restorePlan{info: &repository.SnapshotInfo{Version: v}}
	}
	ix, p := index(), plan(v)
	if err := p.fromNewer(ix); err != nil {
		t.Fatal(err)
	}
	if got := ix.Settings.GetOr("index.version.created", ""); got != created {
		t.Errorf("the version that created the index is %s, was %s", got, created)
	}
	if want := `{"properties":{"a":{"type":"long","fields":{"b":{"type":"keyword"}}},"skip_list":{"type":"keyword"}}}`; string(ix.Mapping) != want {
		t.Errorf("the mapping is %s, want %s", ix.Mapping, want)
	}
	if len(ix.Custom) != 1 || ix.Custom["strings"] == nil {
		t.Errorf("custom metadata: %v", ix.Custom)
	}
	if len(p.warnings) != 2 {
		t.Errorf("warnings: %q", p.warnings)
	}
	if got, want := lowered("index.version.created", created), strconv.FormatInt(repository.WriteVersion.ID(), 10); got != want {
		t.Errorf("a snapshot says %s, want %s", got, want)
	}
	if got := lowered("index.max_result_window", created); got != created {
		t.Errorf("another setting became %s", got)
	}

	ix = index()
	ix.Custom["split_shards_metadata"] = json.RawMessage(`{"root_shards_to_all_children":{"0":[1,2]}}`)
	if err := plan(v).fromNewer(ix); err == nil || !strings.Contains(err.Error(), "split in place") {
		t.Errorf("an index with split shards: %v", err)
	}
	ix = index()
	ix.Settings["index.version.created"] = strconv.FormatInt(version(t, "3.9.1").ID(), 10)
	if err := plan(v).fromNewer(ix); err == nil || !strings.Contains(err.Error(), "3.9.1") {
		t.Errorf("an index of an unknown version: %v", err)
	}
	ix = index()
	ix.Settings["index.version.created"] = strconv.FormatInt(version(t, "2.19.6").ID(), 10)
	if err := plan(version(t, "2.19.6")).fromNewer(ix); err != nil || len(ix.Custom) != 4 {
		t.Errorf("an index of ours was changed: %v, %v", ix.Custom, err)
	}
}
