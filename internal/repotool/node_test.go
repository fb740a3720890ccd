package repotool

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// realNode is a real OpenSearch.
type realNode struct {
	t   *testing.T
	url string
}

func (n *realNode) call(method, path, body string, into any) {
	n.t.Helper()
	servertest.Must(n.t, n.url, method, path, body, into)
}

// restored restores all that it can of a snapshot and returns the counts of documents by index.
func (n *realNode) restored(repo, snapshot string) map[string]int {
	n.t.Helper()
	n.call("DELETE", "/r-*", "", nil)
	var res struct {
		Snapshot struct {
			Shards struct{ Total, Failed, Successful int }
		}
	}
	n.call("POST", "/_snapshot/"+repo+"/"+snapshot+"/_restore?wait_for_completion=true",
		`{"partial":true,"include_global_state":false,"include_aliases":false,"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, &res)
	var cat []struct{ Index, Health string }
	n.call("GET", "/_cat/indices/r-*?format=json", "", &cat)
	out := map[string]int{}
	for _, i := range cat {
		var c struct{ Count int }
		n.call("GET", "/"+i.Index+"/_count", "", &c)
		out[strings.TrimPrefix(i.Index, "r-")] = c.Count
	}
	return out
}

// TestRealNode copies a repository, and then damages and repairs it in each way; after each, a real node lists it,
// restores what is called restorable with the right number of documents, takes a snapshot, deletes it and cleans up; and we find no fault
// in what it left. The copies that the repair kept outlive the node's clean-up.
func TestRealNode(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real node")
	}
	base := t.TempDir()
	n := &realNode{t, oracletest.Node(t, "opensearch", "2.19", base)}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	src := fixture(t, "opensearch-2.19/main")
	var exp expected
	oracletest.FixtureExpected(t, "opensearch-2.19/main", &exp)
	whole := filepath.Join(base, "copied")
	asked[Copied](t, func(p *Printer) error { return Copy(bg, p, "fs:"+src, "fs:"+whole, nil) })
	pick := func(dir, prefix, base string) string {
		best := ""
		for name := range files(t, dir) {
			b := filepath.Base(name)
			if strings.HasPrefix(name, prefix) && strings.HasPrefix(b, base) && (best == "" || name < best) {
				best = name
			}
		}
		if best == "" {
			t.Fatalf("no blob %s…/%s…", prefix, base)
		}
		return best
	}
	type kind struct {
		name  string
		do    func(dir string)
		exact bool // nothing is lost
	}
	cases := []kind{
		{"several", func(d string) {
			cut(t, d, pick(d, "index-", "index-"))
			remove(t, d, pick(d, "indices/", "index-"))
			remove(t, d, pick(d, "indices/", "__"))
			cut(t, d, pick(d, "meta-", "meta-"))
		}, false},
	}
	single := []kind{
		{"copied", nil, true},
		{"lost-root", func(d string) { remove(t, d, pick(d, "index-", "index-")) }, true},
		{"cut-root", func(d string) { cut(t, d, pick(d, "index-", "index-")) }, true},
		{"lost-shard-index", func(d string) { remove(t, d, pick(d, "indices/", "index-")) }, true},
		{"cut-shard-index", func(d string) { cut(t, d, pick(d, "indices/", "index-")) }, true},
		{"lost-snap", func(d string) { remove(t, d, pick(d, "snap-", "snap-")) }, true},
		{"lost-meta", func(d string) { cut(t, d, pick(d, "meta-", "meta-")) }, true},
		{"lost-shard-snap", func(d string) { remove(t, d, pick(d, "indices/", "snap-")) }, true},
		{"lost-index-meta", func(d string) { remove(t, d, pick(d, "indices/", "meta-")) }, false},
		{"lost-data", func(d string) { remove(t, d, pick(d, "indices/", "__")) }, false},
	}
	if os.Getenv("VARVE_LONG") != "" {
		cases = append(cases, single...)
	}
	t.Run("shallow", func(t *testing.T) { // the copy of shallow snapshots, on a node that has no remote store
		n := &realNode{t, n.url}
		src := fixture(t, "opensearch-2.19/remote")
		var exp expected
		oracletest.FixtureExpected(t, "opensearch-2.19/remote", &exp)
		dir := filepath.Join(base, "shallow")
		asked[Copied](t, func(p *Printer) error { return Copy(WithRemoteStore(bg, remoteOf(src)), p, "fs:"+src, "fs:"+dir, nil) })
		compareRestored(t, n, dir, "shallow", exp, Repaired{})
	})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := &realNode{t, n.url}
			dir := filepath.Join(base, c.name)
			if c.do != nil {
				if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
					t.Fatal(err)
				}
				c.do(dir)
				report := asked[Repaired](t, func(p *Printer) error { _, err := Repair(bg, p, "fs:"+dir, true, true); return err })
				if !report.Applied || len(report.Warnings) > 0 {
					t.Fatalf("%+v", report)
				}
				if c.exact && c.name != "lost-meta" && len(report.Losses) > 0 {
					t.Errorf("lost: %+v", report.Losses)
				}
				if !c.exact && len(report.Losses) == 0 && len(report.Guesses) == 0 {
					t.Errorf("nothing is called lost")
				}
				compareRestored(t, n, dir, c.name, exp, report)
				return
			}
			compareRestored(t, n, dir, c.name, exp, Repaired{})
		})
	}
}

func compareRestored(t *testing.T, n *realNode, dir, repo string, exp expected, report Repaired) {
	t.Helper()
	n.call("PUT", "/_snapshot/"+repo, fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, dir), nil)
	var list struct {
		Snapshots []struct{ Snapshot, State string }
	}
	n.call("GET", "/_snapshot/"+repo+"/_all", "", &list)
	if len(list.Snapshots) != len(exp.Snapshots) {
		t.Errorf("the node lists %+v", list.Snapshots)
	}
	failed := map[string]bool{} // all of its shards are lost: there is nothing to restore
	for _, s := range list.Snapshots {
		n.call("GET", "/_snapshot/"+repo+"/"+s.Snapshot+"/_status", "", nil)
		failed[s.Snapshot] = s.State == "FAILED"
	}
	touched := map[string]bool{}
	for _, l := range report.Losses {
		touched[l.Snapshot+"/"+l.Index] = true
	}
	for _, s := range exp.Snapshots {
		if s.Name == "snap-1" && len(report.Losses) == 0 && repo != "copied" && repo != "lost-root" {
			continue // one of two full snapshots is enough
		}
		var got map[string]int
		if !failed[s.Name] {
			got = n.restored(repo, s.Name)
		}
		for ix, want := range s.Indices {
			count, there := got[ix]
			switch {
			case touched[s.Name+"/"+ix]:
				if there && count >= want.Count && want.Count > 0 {
					t.Errorf("%s %s is called lost and has %d documents", s.Name, ix, count)
				}
			case count != want.Count:
				t.Errorf("%s %s: %d documents, want %d", s.Name, ix, count, want.Count)
			}
		}
	}
	// The node goes on with the repository.
	n.call("DELETE", "/r-*", "", nil)
	again := "snap-4"
	if failed[again] {
		again = "snap-3"
	}
	n.restored(repo, again)
	var made struct{ Snapshot struct{ State string } }
	n.call("PUT", "/_snapshot/"+repo+"/after?wait_for_completion=true", `{"indices":"r-*"}`, &made)
	if made.Snapshot.State != "SUCCESS" {
		t.Errorf("the node's snapshot: %+v", made)
	}
	n.call("DELETE", "/_snapshot/"+repo+"/snap-2", "", nil)
	n.call("DELETE", "/_snapshot/"+repo+"/after", "", nil)
	n.call("POST", "/_snapshot/"+repo+"/_cleanup", "", nil)
	n.call("DELETE", "/_snapshot/"+repo, "", nil)
	healthy(t, dir, true)
	if report.Backup != "" && len(files(t, filepath.Join(dir, report.Backup))) == 0 {
		t.Errorf("the copies in %s are gone", report.Backup)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func cut(t *testing.T, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, name)
	st, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, st.Size()*2/3)
	}
	if err != nil {
		t.Fatal(err)
	}
}
