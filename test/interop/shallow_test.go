package interop

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
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

// TestDeleteShallow deletes shallow snapshots that a real node with a remote store took; the node goes on with those that are left,
// and both sides delete them in turn, until no lock is left. A snapshot that pins a timestamp is listed, and its restore and deletion are
// refused with what to do.
func TestDeleteShallow(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real node")
	}
	base := t.TempDir()
	remote := filepath.Join(t.TempDir(), "remote")
	segments := filepath.Join(remote, "segment")
	url := oracletest.Node(t, "opensearch", "2.19", base, "--remote-store", remote, "--set", "cluster.remote_store.pinned_timestamps.enabled=true")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	node := func(method, path, body string, into any) {
		t.Helper()
		servertest.Must(t, url, method, path, body, into)
	}
	register := func(call func(string, string, string, any), name, place string, set string) {
		t.Helper()
		call("PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"fs","settings":{"location":%q%s}}`, place, set), nil)
	}
	shallow, pinned := filepath.Join(base, "shallow"), filepath.Join(base, "pinned")
	take := func(repo, name string) {
		t.Helper()
		var res struct{ Snapshot struct{ State string } }
		node("PUT", "/_snapshot/"+repo+"/"+name+"?wait_for_completion=true", `{"include_global_state":false}`, &res)
		if res.Snapshot.State != "SUCCESS" {
			t.Fatalf("%s: %+v", name, res)
		}
	}
	register(node, "r", shallow, `,"remote_store_index_shallow_copy":true`)
	for i, name := range []string{"s1", "s2", "s3"} {
		for _, ix := range []string{"a", "b"} {
			if ix == "b" && i > 0 {
				continue
			}
			node("PUT", fmt.Sprintf("/%s/_doc/%d?refresh=true", ix, i), `{"x":1}`, nil)
		}
		take("r", name)
	}
	register(node, "v2", pinned, `,"remote_store_index_shallow_copy":true,"shallow_snapshot_v2":true`)
	take("v2", "p1")
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
	if now := countLocks(t, segments); now != before-2 {
		t.Errorf("%d locks became %d, of a snapshot with two shards", before, now)
	}
	register(ours, "v2", pinned, "")
	var list struct {
		Snapshots []struct{ Snapshot, State string }
	}
	ours("GET", "/_snapshot/v2/_all", "", &list)
	if len(list.Snapshots) != 1 || list.Snapshots[0].State != "SUCCESS" {
		t.Errorf("pinned: %+v", list)
	}
	refused("POST", "/_snapshot/v2/p1/_restore?wait_for_completion=true", "pins a timestamp")
	refused("DELETE", "/_snapshot/v2/p1", "delete it with the cluster that took it")

	register(node, "r", shallow, `,"remote_store_index_shallow_copy":true`)
	node("GET", "/_snapshot/r/_all", "", &list)
	if len(list.Snapshots) != 2 {
		t.Errorf("the node lists %+v", list)
	}
	for i, name := range []string{"s2", "s3"} {
		node("POST", "/_snapshot/r/"+name+"/_restore?wait_for_completion=true", `{"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
		var c struct{ Count json.Number }
		node("GET", "/r-a/_count", "", &c)
		if c.Count.String() != fmt.Sprint(i+2) {
			t.Errorf("%s: %s documents", name, c.Count)
		}
		node("DELETE", "/r-*", "", nil)
	}
	node("DELETE", "/_snapshot/r/s2", "", nil)
	take("r", "s4")
	node("DELETE", "/_snapshot/r/s3", "", nil)
	if now := countLocks(t, segments); now != 2 {
		t.Errorf("%d locks are left, where one snapshot has two shards", now)
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
