package restore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/internal/state"
)

const logsTemplate = `{"index_patterns":["logs-*"],"data_stream":{},"template":{"settings":{"number_of_replicas":0}}}`

// TestStreamRolledOver rolls a data stream over while a snapshot of it is taken: the snapshot holds what was there when it began, and
// is restored as a data stream that can be rolled over. What is being snapshotted is not deleted.
func TestStreamRolledOver(t *testing.T) {
	all := &stores{}
	held, hold := make(chan struct{}), make(chan struct{})
	hook := func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && strings.Contains(o.Name, "indices/") && strings.Contains(o.Name, "/0/") {
			select {
			case held <- struct{}{}:
			case <-hold:
			}
			<-hold
		}
		return faulty.Fault{}
	}
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return faulty.New(all.of(r), hook), nil }, nil)
	s.must("PUT", "/_index_template/logs", logsTemplate)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	s.must("POST", "/logs-a/_doc", `{"@timestamp":1}`)
	s.must("POST", "/logs-a/_rollover", "")
	s.must("POST", "/logs-a/_doc", `{"@timestamp":2}`)
	s.must("PUT", "/_snapshot/r/s", `{"indices":"logs-a","include_global_state":false}`)
	<-held
	if out := s.must("GET", "/_snapshot/r/_current", ""); fmt.Sprint(at(out, "snapshots", 0, "data_streams")) != "[logs-a]" {
		t.Errorf("while it is taken: %v", out)
	}
	s.must("POST", "/logs-a/_rollover", "")
	if code, out := s.call("DELETE", "/_data_stream/logs-*", ""); code != 400 || at(out, "error", "type") != "snapshot_in_progress_exception" ||
		!strings.Contains(fmt.Sprint(at(out, "error", "reason")), "data streams that are being snapshotted: [logs-a]") {
		t.Errorf("deleted while it is snapshotted: %d %v", code, out)
	}
	close(hold)
	for deadline := time.Now().Add(20 * time.Second); len(s.node.Store().View().SnapshotJobs()) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the snapshot does not end")
		}
	}
	s.must("DELETE", "/_data_stream/logs-a", "")
	out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{"indices":"logs-a"}`)
	if fmt.Sprint(at(out, "snapshot", "indices")) != "[.ds-logs-a-000001 .ds-logs-a-000002]" {
		t.Errorf("restored: %v", out)
	}
	if out = s.must("GET", "/_data_stream/logs-a", ""); fmt.Sprint(at(out, "data_streams", 0, "generation")) != "2" {
		t.Errorf("restored: %v", out)
	}
	if out = s.must("POST", "/logs-a/_rollover", ""); out["new_index"] != ".ds-logs-a-000003" {
		t.Errorf("rolled over: %v", out)
	}
}

// TestStreamRestores restores without a list of indices, which is everything, and under names that exist.
func TestStreamRestores(t *testing.T) {
	all := &stores{}
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return all.of(r), nil }, nil)
	s.must("PUT", "/_index_template/logs", logsTemplate)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	for _, name := range []string{"logs-a", "logs-b"} {
		s.must("POST", "/"+name+"/_doc", `{"@timestamp":1}`)
	}
	s.must("PUT", "/plain/_doc/1", `{"a":1}`)
	s.must("PUT", "/_snapshot/r/s?wait_for_completion=true", "")
	s.must("DELETE", "/_data_stream/logs-*", "")
	s.must("DELETE", "/plain", "")
	if out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", ""); fmt.Sprint(at(out, "snapshot", "shards", "total")) != "3" {
		t.Errorf("everything: %v", out)
	}
	for _, c := range []struct{ body, want string }{
		{`{"indices":"logs-a","rename_pattern":"logs-a","rename_replacement":"plain"}`, "data stream [plain] conflicts with index"},
		{`{"indices":"logs-*","rename_pattern":"logs-[ab]$","rename_replacement":"x","ignore_unavailable":true}`, "open index with same name already exists"},
		{`{"indices":"logs-*","rename_pattern":"logs-([ab])$|(logs)","rename_replacement":"x$2"}`, "renamed into the same data stream [x]"},
		{`{"indices":"logs-a,-.ds-*","rename_pattern":"(.+)","rename_replacement":"r-$1"}`, "none of the indices of the data stream [logs-a] is restored"},
	} {
		code, out := s.call("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", c.body)
		if code != 500 || !strings.Contains(fmt.Sprint(at(out, "error", "reason")), c.want) {
			t.Errorf("%s: %d %v", c.body, code, out)
		}
	}
	if out := s.must("GET", "/_data_stream?filter_path=data_streams.name", ""); fmt.Sprint(out) != "map[data_streams:[map[name:logs-a] map[name:logs-b]]]" {
		t.Errorf("after refused restores: %v", out)
	}
}
