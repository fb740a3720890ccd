package interop

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/servertest"
)

// checkClones clones snapshots that pin a timestamp, in turns with the node, and both delete sources and clones in any order: what is left is
// restored as before, and with the last snapshot the last pin goes. It also deletes shallow snapshots, of which no lock stays.
func (c *remoteCluster) checkClones() {
	t := c.t
	uuids := c.uuids()
	pinned := func(when string, names ...string) {
		t.Helper()
		pins := c.pins()
		for _, name := range names {
			if !slices.ContainsFunc(pins, func(pin string) bool { return strings.HasPrefix(pin, "v2__"+uuids[name]+"__") }) {
				t.Errorf("%s: nothing pins %s (%s): %v", when, name, uuids[name], pins)
			}
		}
		if len(pins) != len(names) {
			t.Errorf("%s: pins %v, want those of %v", when, pins, names)
		}
	}
	nodeRestores := func(snapshot, as string) {
		t.Helper()
		c.node("POST", "/_snapshot/v2/"+snapshot+"/_restore?wait_for_completion=true", `{"indices":"prefix-base64,fixed","rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
		for _, ix := range []string{"prefix-base64", "fixed"} {
			if got := shown(t, c.url, "r-"+ix); got != c.want["v2"][as][ix] {
				t.Errorf("the node restores of %s in %s %s, want %s", snapshot, ix, got, c.want["v2"][as][ix])
			}
		}
		c.node("DELETE", "/r-*", "", nil)
	}
	c.node("PUT", "/_snapshot/v2/s1/_clone/n1", `{"indices":"*"}`, nil)
	c.node("DELETE", "/_snapshot/v2", "", nil)

	s := c.ours(false)
	ours := func() {
		s.Must("PUT", "/_snapshot/v2", fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, c.v2), nil)
	}
	ours()
	refused := func(path, body, want string) {
		t.Helper()
		code, answer, err := servertest.Call(s.URL, "PUT", path, body)
		if err != nil || code != 500 || !strings.Contains(string(answer), want) {
			t.Errorf("%s %s: %d %s %v", path, body, code, answer, err)
		}
	}
	refused("/_snapshot/v2/s2/_clone/o2", `{"indices":"fixed"}`, "[v2:o2] Aborting clone for Snapshot-v2, only wildcard pattern '*' is supported for indices")
	s.Must("PUT", "/_snapshot/rs-segment", fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"base_path":%q,"readonly":true}}`, filepath.Join(c.remote, "segment"), c.base["segment"]), nil)
	refused("/_snapshot/v2/s2/_clone/o2", `{"indices":"*"}`, "or clone the snapshot with the cluster that took it")
	s.Must("PUT", "/_snapshot/rs-segment", fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"base_path":%q}}`, filepath.Join(c.remote, "segment"), c.base["segment"]), nil)
	s.Must("PUT", "/_snapshot/v2/s2/_clone/o2", `{"indices":"*,-fixed"}`, nil) // all the same
	s.Must("PUT", "/_snapshot/v2/n1/_clone/o1", `{"indices":"*"}`, nil)        // of a clone
	s.Must("POST", "/_snapshot/v2/o2/_restore?wait_for_completion=true", `{"indices":"prefix-composite","rename_pattern":"(.+)","rename_replacement":"o-$1"}`, nil)
	if got, want := shown(t, s.URL, "o-prefix-composite"), c.want["v2"]["s2"]["prefix-composite"]; got != want {
		t.Errorf("our clone restores %s, want %s", got, want)
	}
	s.Must("DELETE", "/_snapshot/v2/s1", "", nil)
	s.Must("DELETE", "/_snapshot/v2", "", nil)

	c.register("v2", c.v2, true)
	uuids = c.uuids()
	type info struct {
		State  string
		Pinned int64 `json:"pinned_timestamp"`
		Shards struct{ Total, Successful int }
	}
	var list struct {
		Snapshots []struct {
			Snapshot string
			info
		}
	}
	c.node("GET", "/_snapshot/v2/_all", "", &list)
	seen := map[string]info{}
	for _, s := range list.Snapshots {
		seen[s.Snapshot] = s.info
	}
	if len(seen) != 5 || seen["o2"] != seen["s2"] || seen["o1"] != seen["n1"] || seen["o2"].State != "SUCCESS" {
		t.Errorf("the node lists %+v", seen)
	}
	pinned("after clones", "s2", "s3", "n1", "o1", "o2")
	nodeRestores("o2", "s2")
	c.node("DELETE", "/_snapshot/v2/s2,n1", "", nil)
	pinned("after deletions", "s3", "o1", "o2")
	nodeRestores("o1", "s1")
	c.node("PUT", "/_snapshot/v2/s4?wait_for_completion=true", `{}`, nil) // removes pins of what is not in the root
	uuids = c.uuids()
	pinned("after another snapshot", "s3", "o1", "o2", "s4")
	c.node("DELETE", "/_snapshot/v2/o2", "", nil)
	c.node("DELETE", "/_snapshot/v2", "", nil)
	ours()
	s.Must("DELETE", "/_snapshot/v2/o1,s3,s4", "", nil)
	pinned("after the last deletion")

	// And the locks of shallow snapshots.
	c.node("DELETE", "/_snapshot/v1/s2", "", nil)
	c.node("DELETE", "/_snapshot/v1", "", nil)
	s.Must("PUT", "/_snapshot/v1", fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, c.v1), nil)
	s.Must("DELETE", "/_snapshot/v1/s1,s3", "", nil)
	if n := countLocks(t, filepath.Join(c.remote, "segment")); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}
