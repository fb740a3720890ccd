package restore

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

// TestPolicyCosts: what runs of a policy cost can be asked for by the policy's name, which those who run policies write into the metadata of their
// snapshots. A deletion of such snapshots is the policy's, too; what others did is not. It survives a restart.
func TestPolicyCosts(t *testing.T) {
	stores := map[string]blob.Container{"r": mem.New(), "other": mem.New()}
	open := func(r *state.Repository) (blob.Container, error) { return stores[r.Name], nil }
	dir := t.TempDir()
	s := start(t, dir, open, settings.Settings{"repositories.prices.fs.put_per_1000": "0.005", "repositories.prices.currency": "USD"})
	fill(s, "a", 50)
	for _, r := range []string{"r", "other"} {
		s.must("PUT", "/_snapshot/"+r, `{"type":"fs","settings":{"location":"`+r+`"}}`)
	}
	take := func(repo, name, metadata string) {
		s.must("PUT", "/_snapshot/"+repo+"/"+name+"?wait_for_completion=true", `{"indices":"a","metadata":`+metadata+`}`)
	}
	take("r", "n1", `{"sm_policy":"nightly"}`) // OpenSearch's Snapshot Management
	take("r", "n2", `{"sm_policy":"nightly","by":"somebody"}`)
	take("r", "h1", `{"policy":"hourly"}`) // Elasticsearch's SLM and others
	take("r", "hand", `{"policy":{"name":"nobody's"},"sm_policy":7}`)
	take("other", "n1", `{"sm_policy":"nightly"}`)
	s.must("PUT", "/_snapshot/r/n1/_clone/copy", `{"indices":"*"}`)
	s.must("DELETE", "/_snapshot/r/n1", "")
	s.must("DELETE", "/_snapshot/r/n2,h1", "") // of two policies: of none
	s.must("DELETE", "/_snapshot/r/hand", "")

	number := func(v any, path ...any) float64 {
		n, _ := at(v, path...).(json.Number)
		f, _ := n.Float64()
		return f
	}
	check := func(what string) {
		t.Helper()
		got := s.must("GET", "/_snapshot/r/_cost?group_by=policy", "")
		groups := got["policies"].([]any)
		if len(groups) != 2 || at(groups[0], "policy") != "hourly" || at(groups[1], "policy") != "nightly" || at(groups[1], "repository") != "r" {
			t.Fatalf("%s: %v", what, groups)
		}
		nightly := groups[1]
		if number(nightly, "runs") != 2 || fmt.Sprint(at(nightly, "operations")) != "map[deletion:1 snapshot:2]" || number(groups[0], "runs") != 1 {
			t.Errorf("%s: %v", what, groups)
		}
		// A group is the sum of its operations.
		var requests, puts, sent, total float64
		list := s.must("GET", "/_snapshot/r/_cost?policy=nightly", "")["operations"].([]any)
		for _, o := range list {
			if at(o, "policy") != "nightly" {
				t.Errorf("%s: %v", what, o)
			}
			requests, puts = requests+number(o, "requests", "total"), puts+number(o, "requests", "by_class", "put")
			sent, total = sent+number(o, "sent_in_bytes"), total+number(o, "estimate", "total")
		}
		if len(list) != 3 || requests == 0 || number(nightly, "requests", "total") != requests || number(nightly, "requests", "by_class", "put") != puts || number(nightly, "sent_in_bytes") != sent {
			t.Errorf("%s: %d operations with %v requests, %v bytes: %v", what, len(list), requests, sent, nightly)
		}
		if e := number(nightly, "estimate", "total"); math.Abs(e-total) > 1e-8 || math.Abs(e-puts*0.005/1000) > 1e-8 {
			t.Errorf("%s: %v, and its operations %v", what, e, total)
		}
		if all := s.must("GET", "/_snapshot/_cost?group_by=policy&size=0", ""); len(all["policies"].([]any)) != 3 || len(all["operations"].([]any)) != 0 || number(all, "total") < 9 {
			t.Errorf("%s: %v", what, all)
		}
	}
	check("before")
	if s.must("GET", "/_snapshot/r/_cost", "")["policies"] != nil {
		t.Error("groups that nobody asked for")
	}
	if code, got := s.call("GET", "/_snapshot/r/_cost?group_by=month", ""); code != http.StatusBadRequest {
		t.Errorf("%d %v", code, got)
	}
	s.stop()
	s = start(t, dir, open, settings.Settings{"repositories.prices.fs.put_per_1000": "0.005", "repositories.prices.currency": "USD"})
	check("after a restart")
}
