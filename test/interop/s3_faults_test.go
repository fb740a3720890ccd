package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

func faults(t *testing.T, proxy string, rules ...map[string]any) {
	t.Helper()
	if rules == nil {
		rules = []map[string]any{}
	}
	b, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(proxy+"/__faults", "application/json", strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestS3Faults takes and restores snapshots while one request in twenty fails, in whatever way, and while the store is
// gone for a time. What is reported as done is right, and the repository is whole in the end.
func TestS3Faults(t *testing.T) {
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "shared")
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	s := withS3(t, srv, proxy)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo", s3Repo, nil)
	servertest.Must(t, s.URL, "PUT", "/docs", `{"settings":{"number_of_shards":2,"number_of_replicas":0}}`, nil)
	path := "^/shared/"
	faults(t, proxy,
		map[string]any{"path": path, "p": 0.01, "cut": true}, map[string]any{"path": path, "p": 0.01, "cut": true, "after": true},
		map[string]any{"path": path, "p": 0.01, "status": 503, "code": "SlowDown"}, map[string]any{"path": path, "p": 0.01, "status": 500, "code": "InternalError", "after": true},
		map[string]any{"path": path, "p": 0.01, "method": "GET", "truncate": 300}, map[string]any{"path": path, "p": 0.05, "delay_ms": 100})
	done := map[string]int{} // documents in each snapshot
	docs := 0
	for round := range 4 {
		var b strings.Builder
		for range 50 {
			fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n{\"n\":%d,\"t\":\"word%d\"}\n", docs, docs, docs%7)
			docs++
		}
		bulk(t, s.URL, "docs", b.String())
		name := fmt.Sprint("s", round)
		status, answer, err := servertest.Call(s.URL, "PUT", "/_snapshot/repo/"+name+"?wait_for_completion=true", `{"indices":"docs"}`)
		switch {
		case err == nil && status == 200 && strings.Contains(string(answer), `"SUCCESS"`):
			done[name] = docs
		case err == nil && (status >= 500 || strings.Contains(string(answer), `"reason"`)):
			t.Logf("%s failed with its cause: %.300s", name, answer)
		default:
			t.Fatalf("%s: %d %s %v", name, status, answer, err)
		}
	}
	if len(done) < 2 {
		t.Fatalf("hardly any snapshot came through: %v", done)
	}
	// The store goes away while a snapshot runs.
	gone := make(chan struct{})
	faults(t, proxy, map[string]any{"path": path, "cut": true})
	go func() {
		defer close(gone)
		time.Sleep(4 * time.Second)
		faults(t, proxy)
	}()
	status, answer, err := servertest.Call(s.URL, "PUT", "/_snapshot/repo/away?wait_for_completion=true", `{"indices":"docs"}`)
	<-gone
	t.Logf("a snapshot while the store was away: %d %.300s %v", status, answer, err)
	if status == 200 && strings.Contains(string(answer), `"SUCCESS"`) {
		done["away"] = docs
	}
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo/after?wait_for_completion=true", `{"indices":"docs"}`, nil)
	done["after"] = docs

	list := listSnapshots(t, s.URL)
	for name, n := range done {
		if !strings.Contains(list, name+"=SUCCESS") {
			t.Errorf("%s is missing among %s", name, list)
			continue
		}
		servertest.Must(t, s.URL, "POST", "/_snapshot/repo/"+name+"/_restore?wait_for_completion=true", `{"indices":"docs","rename_pattern":"docs","rename_replacement":"`+name+`"}`, nil)
		if got := string(ask(t, s.URL, name, `{"size":0,"track_total_hits":true}`).Hits.Total); !strings.Contains(got, fmt.Sprintf(`"value":%d,`, n)) {
			t.Errorf("%s has %s, not %d", name, got, n)
		}
	}
	verify(t, srv)
}
