package interop

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
	"github.com/varve-search/varve/repository"
)

// countLocks counts the lock files below a remote store.
func countLocks(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(filepath.Dir(path)) == "lock_files" {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// loseRoot takes the root and the info of a snapshot away from a repository, and repairs it.
func loseRoot(t *testing.T, dir, snapshot string) {
	t.Helper()
	roots, err := filepath.Glob(filepath.Join(dir, "index-*"))
	if err != nil || len(roots) != 1 {
		t.Fatalf("%v, %v", roots, err)
	}
	c, err := blob.Open(t.Context(), "fs:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := repository.Open(t.Context(), c, repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.LoadData(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := data.Snapshot(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	// The root and the info are lost one after the other: without both nobody would know when the snapshot began.
	for _, name := range []string{roots[0], filepath.Join(dir, "snap-"+s.UUID+".dat")} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		report, err := r.Repair(t.Context(), repository.RepairOptions{Apply: true})
		if err != nil || len(report.Losses) > 0 || len(report.Warnings) > 0 || !report.Applied {
			t.Fatalf("%+v, %v", report, err)
		}
		t.Logf("repaired: %v; guessed: %q", report.Actions, report.Guesses)
	}
}

// TestDeleteShallow deletes shallow snapshots that a real node with a remote store took; the node goes on with those that are left,
// and both sides delete them in turn, until no lock is left. In between the repository loses its root and the info of a snapshot with a
// data stream: after the repair the node finds and restores both, the stream as one.
func TestDeleteShallow(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real node")
	}
	base := t.TempDir()
	remote := filepath.Join(t.TempDir(), "remote")
	segments := filepath.Join(remote, "segment")
	url := oracletest.Node(t, "opensearch", "2.19", base, "--remote-store", remote)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	node := func(method, path, body string, into any) {
		t.Helper()
		servertest.Must(t, url, method, path, body, into)
	}
	register := func(call func(string, string, string, any), name, place string, set string) {
		t.Helper()
		call("PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"fs","settings":{"location":%q%s}}`, place, set), nil)
	}
	shallow := filepath.Join(base, "shallow")
	take := func(repo, name string) {
		t.Helper()
		var res struct{ Snapshot struct{ State string } }
		node("PUT", "/_snapshot/"+repo+"/"+name+"?wait_for_completion=true", `{"include_global_state":false}`, &res)
		if res.Snapshot.State != "SUCCESS" {
			t.Fatalf("%s: %+v", name, res)
		}
	}
	register(node, "r", shallow, `,"remote_store_index_shallow_copy":true`)
	node("PUT", "/_index_template/logs", `{"index_patterns":["logs"],"data_stream":{}}`, nil)
	for i, name := range []string{"s1", "s2", "s3"} {
		node("POST", "/logs/_doc?refresh=true", `{"@timestamp":"2024-01-01T00:00:00Z"}`, nil)
		for _, ix := range []string{"a", "b"} {
			if ix == "b" && i > 0 {
				continue
			}
			node("PUT", fmt.Sprintf("/%s/_doc/%d?refresh=true", ix, i), `{"x":1}`, nil)
		}
		take("r", name)
	}
	node("DELETE", "/_snapshot/r", "", nil)
	before := countLocks(t, segments)

	s := servertest.Start(t, t.TempDir(), base, "path.repo="+base+","+remote)
	ours := func(method, path, body string, into any) { s.Must(method, path, body, into) }
	refused := func(method, path, want string) {
		t.Helper()
		code, answer, err := servertest.Call(s.URL, method, path, "")
		if err != nil || code/100 == 2 || !strings.Contains(string(answer), want) {
			t.Errorf("%s %s: %d %s %v", method, path, code, answer, err)
		}
	}
	register(ours, "r", shallow, "")
	refused("DELETE", "/_snapshot/r/s1", "register that repository here without [readonly], or delete the snapshot with the cluster that took it")
	register(ours, "rs-segment", segments, `,"readonly":true`)
	refused("DELETE", "/_snapshot/r/s1", "read-only")
	if now := countLocks(t, segments); now != before {
		t.Fatalf("%d locks became %d by what was refused", before, now)
	}
	register(ours, "rs-segment", segments, "")
	ours("DELETE", "/_snapshot/r/s1", "", nil)
	if now := countLocks(t, segments); now != before-3 {
		t.Errorf("%d locks became %d, of a snapshot with three shards", before, now)
	}
	ours("DELETE", "/_snapshot/r", "", nil)
	loseRoot(t, shallow, "s3")
	register(ours, "r", shallow, "")

	var list struct {
		Snapshots []struct {
			Snapshot, State string
			Streams         []string `json:"data_streams"`
			Shallow         bool     `json:"remote_store_index_shallow_copy"`
		}
	}
	register(node, "r", shallow, `,"remote_store_index_shallow_copy":true`)
	node("GET", "/_snapshot/r/_all", "", &list)
	if len(list.Snapshots) != 2 {
		t.Errorf("the node lists %+v", list)
	}
	for _, s := range list.Snapshots {
		if s.State != "SUCCESS" || !s.Shallow || len(s.Streams) != 1 || s.Streams[0] != "logs" {
			t.Errorf("the node sees %+v", s)
		}
	}
	for i, name := range []string{"s2", "s3"} {
		node("POST", "/_snapshot/r/"+name+"/_restore?wait_for_completion=true", `{"indices":"a,b,logs","rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
		var c struct{ Count json.Number }
		node("GET", "/r-a/_count", "", &c)
		if c.Count.String() != fmt.Sprint(i+2) {
			t.Errorf("%s: %s documents", name, c.Count)
		}
		node("GET", "/r-logs/_count", "", &c)
		if c.Count.String() != fmt.Sprint(i+2) {
			t.Errorf("%s: %s documents in the data stream", name, c.Count)
		}
		node("GET", "/_data_stream/r-logs", "", nil)
		node("DELETE", "/_data_stream/r-logs", "", nil)
		node("DELETE", "/r-*", "", nil)
	}
	node("DELETE", "/_snapshot/r/s2", "", nil)
	take("r", "s4")
	node("DELETE", "/_snapshot/r/s3", "", nil)
	if now := countLocks(t, segments); now != 3 {
		t.Errorf("%d locks are left, where one snapshot has three shards", now)
	}
	node("DELETE", "/_snapshot/r", "", nil)
	// The last one is ours: of an index that goes for good the real node forgets the locks, because its root counts no shards any more.
	ours("DELETE", "/_snapshot/r", "", nil)
	register(ours, "r", shallow, "")
	ours("DELETE", "/_snapshot/r/s4", "", nil)
	if now := countLocks(t, segments); now != 0 {
		t.Errorf("%d locks are left", now)
	}
}
