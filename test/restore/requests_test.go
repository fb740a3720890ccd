package restore

import (
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/state"
)

// snapshotRequests are those of repositories and snapshots other than restores: what users mistype, and what scripts send. TestLikeReal sends them.
var snapshotRequests = []string{
	`DELETE /_snapshot/*`,
	`PUT /logs-1 {"settings":{"number_of_replicas":0,"number_of_shards":2}}`, `PUT /logs-2 {"settings":{"number_of_replicas":0}}`, `PUT /other {"settings":{"number_of_replicas":0}}`,

	`PUT /_snapshot/r`, `PUT /_snapshot/r {}`, `PUT /_snapshot/r {"type":"nope"}`, `PUT /_snapshot/r {"type":5,"settings":{}}`, `PUT /_snapshot/r {"type":"fs"}`,
	`PUT /_snapshot/r {"type":"fs","settings":[]}`, `PUT /_snapshot/r {"type":"fs","settings":{"location":"OWN","compress":"maybe"}}`,
	`PUT /_snapshot/r {"type":"fs","settings":{"location":"OWN","readonly":"yes"}}`, `GET /_snapshot/r?filter_path=*.type`,
	`PUT /_snapshot/r?verify=x {"type":"fs","settings":{"location":"OWN"}}`, `PUT /_snapshot/r?bogus=1 {"type":"fs","settings":{"location":"OWN"}}`, `GET /_snapshot/r?filter_path=*.type`,
	`PUT /_snapshot/a%20b {"type":"fs","settings":{"location":"OWN"}}`, `PUT /_snapshot/a%23b {"type":"fs","settings":{"location":"OWN"}}`,
	`PUT /_snapshot/r?timeout=1s&master_timeout=2s {"type":"fs","settings":{"location":"OWN"}}`,
	`GET /_snapshot?local=x`, `GET /_snapshot?timeout=5s`, `GET /_snapshot?cluster_manager_timeout=5`, `GET /_snapshot?cluster_manager_timeout=5s&master_timeout=5s`,
	`GET /_snapshot/r,nope`, `GET /_snapshot/nope*`,

	`PUT /_snapshot/r/s1?wait_for_completion=true {"indices":"logs-*","metadata":{"a":{"b":[1,2.50,null]}}}`, `PUT /_snapshot/r/s1 {"indices":"other"}`,
	`PUT /_snapshot/r/s2?wait_for_completion=true {"indices":["other","logs-1"],"partial":"true","include_global_state":"false","ignore_unavailable":null}`,
	`PUT /_snapshot/r/s3?wait_for_completion=true {"indices":"*,-logs-1","bogus":1,"feature_states":[]}`,
	`PUT /_snapshot/r/s4?wait_for_completion=true {"expand_wildcards":["open","closed"],"indices":"logs*"}`,
	`PUT /_snapshot/r/s5 {"expand_wildcards":"bogus"}`, `PUT /_snapshot/r/s5 {"partial":"yes"}`, `PUT /_snapshot/r/s5 {"ignore_unavailable":1}`,
	`PUT /_snapshot/r/s5 {"settings":5}`, `PUT /_snapshot/r/s5 {"metadata":[]}`, `PUT /_snapshot/r/s5 {"indices":{}}`, `PUT /_snapshot/r/s5 {"indices":"nope"}`,
	`PUT /_snapshot/r/s5?timeout=1s`, `PUT /_snapshot/r/s5?bogus=1`, `PUT /_snapshot/r/UP`, `PUT /_snapshot/r/_x`, `PUT /_snapshot/r/a,b`, `PUT /_snapshot/nope/s`,
	`PUT /_snapshot/r/%3Cd-%7B2024.05.06%7C%7C%2Fd%7D%3E?wait_for_completion=true {"indices":"other"}`,
	`PUT /_snapshot/r/s1/_clone/%3Cc-%7B2024.05.06%7C%7C%2Fd%7D%3E {"indices":"*"}`,
	`PUT /_snapshot/r/s1/_clone/c1 {"indices":["logs-1","nope"]}`, `PUT /_snapshot/r/s1/_clone/c1?timeout=1s {"indices":"*"}`,
	`PUT /_snapshot/r/s1/_clone/c1 {"indices":"*,-nope"}`, `PUT /_snapshot/r/s1/_clone/c1 {"indices":"-nope*","allow_no_indices":false}`, `PUT /_snapshot/r/s1/_clone/c1 {"indices":"nope*,-logs-1"}`,
	`PUT /_snapshot/r/s1/_clone/c2 {"indices":["-logs-1","-nope","*"],"ignore_unavailable":true}`, `GET /_snapshot/r/c2?filter_path=snapshots.indices`, `DELETE /_snapshot/r/c2`,

	`GET /_snapshot/r/*?verbose=false`, `GET /_snapshot/r/s1,s2`, `GET /_snapshot/r/s*,-s2?verbose=false`, `GET /_snapshot/r/_all,s1`, `GET /_snapshot/r/s1,_all?ignore_unavailable=true&verbose=false`,
	`GET /_snapshot/r/s1,nope`, `GET /_snapshot/r/nope?ignore_unavailable=true`, `GET /_snapshot/r/*?size=1`, `GET /_snapshot/r/s1?verbos=false`,
	`GET /_snapshot/nope/_status`, `GET /_snapshot/r*/_status`, `GET /_snapshot/r/_all/_status`, `GET /_snapshot/r/s1/nope/_status`, `GET /_snapshot/r/s1/logs-1,nope/_status`,
	`GET /_snapshot/r/s1,s2/logs-1/_status`, `GET /_snapshot/r/s1,nope/_status`, `GET /_snapshot/r/s1/_status?bogus=1`, `GET /_snapshot/nope/s1/_status`,

	`POST s2 {"indices":"other","rename_pattern":"other","rename_replacement":""}`,
	`POST s2 {"indices":"other","rename_pattern":"^oth","rename_replacement":""}`, `GET /er/_count`,
	`POST s2 {"indices":"other","rename_pattern":"^oth"}`,

	`GET /_snapshot/r/%20s1`, `GET /_snapshot/r/s1,%20`, `GET /_snapshot/r/s1,,s1`, `GET /_snapshot/r/s1,?verbose=false`, `GET /_snapshot/r/,?verbose=false`, `GET /_snapshot/%20`, `GET /_snapshot/,r`, `GET /_snapshot/r/%20/_status`,
	`GET /_snapshot/r/s1/%20/_status`, `DELETE /_snapshot/r/%20s1`, `DELETE /_snapshot/r/,`, `DELETE /_snapshot/r/%20`, `DELETE /_snapshot/%20r`, `DELETE /_snapshot//s1`, `DELETE /_snapshot/,`,
	`PUT /_snapshot/r {"type":"fs","type":"fs","settings":{"location":"OWN"}}`, `PUT /_snapshot/r/s5 {"indices":"logs-1","indices":"other"}`, `PUT /_snapshot/r/s5 {"metadata":{"a":1,"b":[{"é":1,"é":2}]}}`,
	`POST s2 {"indices":"nope","indices":"other"}`, `PUT /_snapshot/r/s1/_clone/c1 {"indices":"*","indices":"other"}`, `PUT /_snapshot/r/s1/_clone/c1 []`, `PUT /_snapshot/r/s1/_clone/c1 null`,
	`PUT /_snapshot/r/s6?wait_for_completion=true []`, `PUT /_snapshot/r/s7?wait_for_completion=true null`, `DELETE /_snapshot/r/s6,s7`,
	`PUT /_snapshot/nope/UP`, `PUT /_snapshot/nope/s/_clone/UP {"indices":"*"}`,

	`DELETE /_snapshot/r/_all`, `DELETE /_snapshot/r/_all,s1`, `DELETE /_snapshot/r/s1,nope`, `DELETE /_snapshot/r/nope*`, `DELETE /_snapshot/r/s1?timeout=1s`,
	`DELETE /_snapshot/r/s1?master_timeout=x`, `DELETE /_snapshot/r/s4,s4`, `GET /_snapshot/r/_all?verbose=false`,
	`POST /_snapshot/r/_cleanup?bogus=1`, `POST /_snapshot/r/_verify?bogus=1`, `POST /_snapshot/r/_cleanup?timeout=1s`,
	`DELETE /_snapshot/r?bogus=1`, `DELETE /_snapshot/_all`, `DELETE /_snapshot/nope*`, `DELETE /_snapshot/r,nope`, `GET /_snapshot/r?filter_path=*.type`, `DELETE /_snapshot/r*`, `GET /_snapshot`, `DELETE /_snapshot/*`,
}

// TestRefusedBeforeDone sends requests that must not have done anything when they are refused.
func TestRefusedBeforeDone(t *testing.T) {
	m := mem.New()
	s := start(t, t.TempDir(), func(*state.Repository) (blob.Container, error) { return m, nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"x"}}`)
	s.must("PUT", "/ix", `{"settings":{"number_of_replicas":0}}`)
	s.must("PUT", "/_snapshot/r/s1?wait_for_completion=true", `{}`)
	for request, want := range map[string]int{"/_snapshot/r/_all": 404, "/_snapshot/_all": 404, "/_snapshot/r?bogus=1": 400, "/_snapshot/r?timeout=1": 400, "/_snapshot/r,x": 404, "/_snapshot/r/s1?bogus=1": 400} {
		if code, out := s.call("DELETE", request, ""); code != want {
			t.Errorf("DELETE %s: %d %v, want %d", request, code, out, want)
		}
	}
	// A real node takes the first value, or reads nothing.
	for _, body := range []string{`{"indices":"ix"} {"indices":"nope"}`, `{"indices":"ix"}}`, `"ix"`, `["ix"]`, `[{"indices":"ix"}]`, `1`, `{"indices":"ix","indices":"ix"}`} {
		for _, request := range []string{"PUT /_snapshot/r/s2", "PUT /_snapshot/r/s1/_clone/s2", "POST /_snapshot/r/s1/_restore", "PUT /_snapshot/r2"} {
			method, path, _ := strings.Cut(request, " ")
			if code, out := s.call(method, path, body); code != 400 {
				t.Errorf("%s with %s: %d %v", request, body, code, out)
			}
		}
	}
	if code, out := s.call("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"x","readonly":"yes"}}`); code != 500 {
		t.Errorf("a read-only setting that means nothing: %d %v", code, out)
	}
	if got := at(s.must("GET", "/_snapshot/r/_all", ""), "snapshots", 0, "snapshot"); got != "s1" {
		t.Fatalf("after requests that were refused: %v", got)
	}
}

// TestWhileOneRuns looks at the first snapshot of a repository while it is taken.
func TestWhileOneRuns(t *testing.T) {
	m, gate := mem.New(), make(chan struct{})
	var once sync.Once
	begun := make(chan struct{})
	hook := func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && strings.HasPrefix(path.Base(o.Name), "snap-") { // the shard's files are there
			once.Do(func() { close(begun) })
			<-gate
		}
		return faulty.Fault{}
	}
	s := start(t, t.TempDir(), func(*state.Repository) (blob.Container, error) { return faulty.New(m, hook), nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"x"}}`)
	s.must("PUT", "/ix", `{"settings":{"number_of_replicas":0}}`)
	s.must("POST", "/ix/_doc?refresh=true", `{"a":1}`)
	ended := make(chan map[string]any, 1)
	go func() {
		_, out := s.call("PUT", "/_snapshot/r/s1?wait_for_completion=true&human", "")
		ended <- out
	}()
	<-begun
	tasks, _ := at(s.must("GET", "/_tasks?actions=cluster:admin/snapshot*&group_by=none&detailed", ""), "tasks").([]any)
	if len(tasks) != 1 || at(tasks[0], "action") != "cluster:admin/snapshot/create" || at(tasks[0], "description") != "snapshot [r:s1]" || at(tasks[0], "cancellable") != true {
		t.Errorf("tasks: %v", tasks)
	}
	if code, out := s.call("POST", "/_tasks/_cancel?actions=cluster:admin/snapshot/delete", ""); code != 200 || len(at(out, "nodes").(map[string]any)) > 0 {
		t.Errorf("the cancel of what does not run: %d %v", code, out)
	}
	if out := s.must("POST", "/_snapshot/r/_verify_integrity", ""); at(out, "results", "result") != "pass" {
		t.Errorf("what the first snapshot has written is called damage: %v", out)
	}
	close(gate)
	if out := <-ended; at(out, "snapshot", "state") != "SUCCESS" || at(out, "snapshot", "duration") == nil {
		t.Errorf("%v", out)
	}
}
