package interop

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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

// TestDeleteShallow clones and deletes shallow snapshots that a real node with a remote store took; the node goes on with those that are left,
// and both sides clone, restore and delete in turn, until no lock is left. In between the repository loses its root and the info of a snapshot
// with a data stream: after the repair the node finds and restores all, the stream as one.
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
	const all = `{"indices":"*"}` // a real node cannot clone a part that lacks the index of a data stream
	node("PUT", "/_snapshot/r/s1/_clone/n1", all, nil)
	node("DELETE", "/_snapshot/r", "", nil)
	held := countLocks(t, segments)
	locks := func(change int, by string) {
		t.Helper()
		if now := countLocks(t, segments); now != held+change {
			t.Errorf("%d locks became %d by %s, want %d", held, now, by, held+change)
		}
		held += change
	}
	if held != 4*3 {
		t.Fatalf("%d locks of the node's snapshots", held)
	}

	s := servertest.Start(t, t.TempDir(), base, "path.repo="+base+","+remote)
	ours := func(method, path, body string, into any) { s.Must(method, path, body, into) }
	refused := func(method, path, body, want string) {
		t.Helper()
		code, answer, err := servertest.Call(s.URL, method, path, body)
		if err != nil || code/100 == 2 || !strings.Contains(string(answer), want) {
			t.Errorf("%s %s: %d %s %v", method, path, code, answer, err)
		}
	}
	// restores restores a snapshot under other names, whose index "a" has so many documents, and the data stream too unless it is 0.
	restores := func(call func(string, string, string, any), snapshot string, a, logs int) {
		t.Helper()
		names := "a,b"
		if logs > 0 {
			names += ",logs"
		}
		call("POST", "/_snapshot/r/"+snapshot+"/_restore?wait_for_completion=true", fmt.Sprintf(`{"indices":%q,"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, names), nil)
		var c struct{ Count json.Number }
		call("POST", "/r-a/_refresh", "", nil)
		if call("GET", "/r-a/_count", "", &c); c.Count.String() != fmt.Sprint(a) {
			t.Errorf("%s: %s documents", snapshot, c.Count)
		}
		if logs > 0 {
			if call("GET", "/r-logs/_count", "", &c); c.Count.String() != fmt.Sprint(logs) {
				t.Errorf("%s: %s documents in the data stream", snapshot, c.Count)
			}
			call("GET", "/_data_stream/r-logs", "", nil)
			call("DELETE", "/_data_stream/r-logs", "", nil)
		}
		call("DELETE", "/r-*", "", nil)
	}
	register(ours, "r", shallow, "")
	refused("DELETE", "/_snapshot/r/s1", "", "register that repository here without [readonly], or delete the snapshot with the cluster that took it")
	refused("PUT", "/_snapshot/r/s2/_clone/o2", all, "register that repository here without [readonly], or clone the snapshot with the cluster that took it")
	register(ours, "rs-segment", segments, `,"readonly":true`)
	refused("DELETE", "/_snapshot/r/s1", "", "read-only")
	refused("PUT", "/_snapshot/r/s2/_clone/o2", all, "read-only")
	locks(0, "what was refused")
	register(ours, "rs-segment", segments, "")
	ours("PUT", "/_snapshot/r/s2/_clone/o2", all, nil)
	locks(3, "a clone of three shards")
	ours("PUT", "/_snapshot/r/n1/_clone/o1", all, nil)
	locks(3, "a clone of the node's clone")
	ours("DELETE", "/_snapshot/r/s1", "", nil)
	locks(-3, "the deletion of a snapshot with three shards")
	restores(ours, "o2", 2, 2)
	restores(ours, "n1", 1, 0)
	ours("DELETE", "/_snapshot/r", "", nil)
	loseRoot(t, shallow, "s3")
	register(ours, "r", shallow, "")

	type listed struct {
		Snapshot, State, Version string
		Indices                  []string
		Streams                  []string `json:"data_streams"`
		Shallow                  bool     `json:"remote_store_index_shallow_copy"`
		Shards                   struct{ Total, Failed, Successful int }
	}
	var list struct{ Snapshots []listed }
	register(node, "r", shallow, `,"remote_store_index_shallow_copy":true`)
	node("GET", "/_snapshot/r/_all", "", &list)
	seen := map[string]listed{}
	for _, s := range list.Snapshots {
		name := s.Snapshot
		s.Snapshot = ""
		slices.Sort(s.Indices)
		seen[name] = s
		if s.State != "SUCCESS" || !s.Shallow || !slices.Contains(s.Indices, "a") || (len(s.Streams) == 1) != (name != "n1" && name != "o1") {
			t.Errorf("the node sees %s as %+v", name, s)
		}
	}
	if len(seen) != 5 || !reflect.DeepEqual(seen["n1"], seen["o1"]) || !slices.Equal(seen["s2"].Indices, seen["o2"].Indices) {
		t.Errorf("the node lists %+v", seen)
	}
	node("DELETE", "/_snapshot/r/s2", "", nil)
	locks(-3, "the node's deletion of a source")
	restores(node, "o2", 2, 2)
	restores(node, "o1", 1, 0)
	restores(node, "s3", 3, 3)
	take("r", "s4")
	node("PUT", "/_snapshot/r/o2/_clone/n2", all, nil)
	locks(6, "a snapshot and a clone of our clone")
	node("DELETE", "/_snapshot/r/s3,o2", "", nil)
	locks(-6, "the node's deletion of a snapshot and a clone")
	node("DELETE", "/_snapshot/r", "", nil)
	// The last ones are ours: of an index that goes for good the real node forgets the locks, because its root counts no shards any more.
	ours("DELETE", "/_snapshot/r", "", nil)
	register(ours, "r", shallow, "")
	restores(ours, "n2", 2, 0)
	restores(ours, "o1", 1, 0)
	ours("DELETE", "/_snapshot/r/n1,n2,o1,s4", "", nil)
	locks(-held, "the last deletion")
}
