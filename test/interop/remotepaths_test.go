package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/repotool"
	"github.com/varve-search/varve/internal/servertest"
)

// remoteCluster is a real node with a remote store, whose indices have paths of all types, and what its snapshots must hold.
type remoteCluster struct {
	t            *testing.T
	major        string // of the node's version
	url          string
	repos        string            // where repositories of snapshots may be
	remote       string            // the folders of the remote store
	base         map[string]string // base path by "segment" and "translog"
	node         func(method, path, body string, into any)
	want         map[string]map[string]map[string]string // by repository, snapshot and index
	live         []string                                // indices
	v1, v2       string                                  // places of repositories
	segments, tl string                                  // LOCATIONs
}

// TestRemotePaths reads shallow snapshots (v1) and those that pin a timestamp (v2) of indices with each type of paths in a remote store whose
// repositories have base paths, and, in the long run, with prefixes of the hashes. In between the primary changes, so that translogs of
// several terms count; an index is closed and deleted, another one made anew under its name; one has no documents.
func TestRemotePaths(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real node")
	}
	for _, c := range []struct {
		version      string
		base, prefix bool
	}{{"2.19", true, false}, {"2.19", false, true}, {"2.19", true, true}, {"3", true, false}, {"3", true, true}} {
		name := fmt.Sprintf("%s/base=%v/prefix=%v", c.version, c.base, c.prefix)
		first := c.version == "2.19" && c.base && !c.prefix
		t.Run(name, func(t *testing.T) {
			if !first {
				oracletest.Long(t, "another real node")
			}
			testRemotePaths(t, c.version, c.base, c.prefix)
		})
	}
}

func testRemotePaths(t *testing.T, version string, base, prefix bool) {
	c := &remoteCluster{t: t, major: version[:1], repos: t.TempDir(), remote: filepath.Join(t.TempDir(), "remote"), base: map[string]string{"segment": "", "translog": ""}}
	args := []string{"--remote-store", c.remote, "--set", "cluster.remote_store.pinned_timestamps.enabled=true"}
	if base {
		c.base = map[string]string{"segment": "seg/base", "translog": "log"}
		for kind, path := range c.base {
			args = append(args, "--set", "node.attr.remote_store.repository.rs-"+kind+".settings.base_path="+path)
		}
	}
	if prefix {
		args = append(args, "--set", "cluster.remote_store.segments.path.prefix=sx", "--set", "cluster.remote_store.translog.path.prefix=tx")
	}
	c.url = oracletest.Node(t, "opensearch", version, c.repos, args...)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	c.node = func(method, path, body string, into any) {
		t.Helper()
		servertest.Must(t, c.url, method, path, body, into)
	}
	c.v1, c.v2 = filepath.Join(c.repos, "v1"), filepath.Join(c.repos, "v2")
	c.segments = "fs:" + filepath.Join(c.remote, "segment", c.base["segment"])
	c.tl = "fs:" + filepath.Join(c.remote, "translog", c.base["translog"])
	c.fill()
	c.checkTool()
	c.checkServer()
	c.checkTravel()
	c.checkBucket()
	c.checkClones()
}

// register makes a repository known to the node; v2 pins timestamps, which one repository of a cluster may do.
func (c *remoteCluster) register(name, place string, v2 bool) {
	c.t.Helper()
	set := ""
	if v2 {
		set = `,"shallow_snapshot_v2":true`
	}
	c.node("PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"remote_store_index_shallow_copy":true%s}}`, place, set), nil)
}

// bulk writes a round of documents, deletions and updates into indices.
func (c *remoteCluster) bulk(round int, indices ...string) {
	c.t.Helper()
	var b strings.Builder
	for _, ix := range indices {
		for i := range 12 {
			fmt.Fprintf(&b, "{\"index\":{\"_index\":%q,\"_id\":\"%d\"}}\n{\"n\":%d,\"round\":%d}\n", ix, (i+round*5)%25, i, round)
		}
		fmt.Fprintf(&b, "{\"delete\":{\"_index\":%q,\"_id\":\"%d\"}}\n", ix, (round*5+3)%25)
		fmt.Fprintf(&b, "{\"update\":{\"_index\":%q,\"_id\":\"%d\"}}\n{\"doc\":{\"updated\":%d}}\n", ix, (round*5+4)%25, round)
	}
	var res struct{ Errors bool }
	if c.node("POST", "/_bulk", b.String(), &res); res.Errors {
		c.t.Fatalf("round %d had errors", round)
	}
}

// take takes a snapshot of each kind, and remembers what the indices show.
func (c *remoteCluster) take(n int) {
	c.t.Helper()
	for _, repo := range []string{"v1", "v2"} {
		var res struct{ Snapshot struct{ State string } }
		c.node("PUT", fmt.Sprintf("/_snapshot/%s/s%d?wait_for_completion=true", repo, n), `{}`, &res)
		if res.Snapshot.State != "SUCCESS" {
			c.t.Fatalf("%s/s%d: %+v", repo, n, res)
		}
		if c.want[repo] == nil {
			c.want[repo] = map[string]map[string]string{}
		}
		c.want[repo][fmt.Sprintf("s%d", n)] = map[string]string{}
	}
	// One request for all: each refresh of an index takes as long as its upload.
	c.node("POST", "/_refresh", "", nil)
	var found struct {
		Hits struct {
			Hits []struct {
				pinnedDoc
				Index string `json:"_index"`
			}
		}
	}
	c.node("POST", "/"+strings.Join(c.live, ",")+"/_search?size=1000", `{"query":{"match_all":{}}}`, &found)
	docs := map[string][]pinnedDoc{}
	for _, h := range found.Hits.Hits {
		docs[h.Index] = append(docs[h.Index], h.pinnedDoc)
	}
	for _, ix := range c.live {
		for _, repo := range []string{"v1", "v2"} {
			c.want[repo][fmt.Sprintf("s%d", n)][ix] = sortedDocs(docs[ix])
		}
	}
}

// fill makes the indices and the snapshots s1 to s3.
func (c *remoteCluster) fill() {
	c.want = map[string]map[string]map[string]string{}
	c.register("v1", c.v1, false)
	c.register("v2", c.v2, true)
	for _, p := range []struct{ index, pathType, hash string }{
		{"fixed", "fixed", ""}, {"prefix-base64", "hashed_prefix", "fnv_1a_base64"}, {"prefix-composite", "hashed_prefix", "fnv_1a_composite_1"},
		{"infix-base64", "hashed_infix", "fnv_1a_base64"}, {"infix-composite", "hashed_infix", "fnv_1a_composite_1"},
		{"empty", "", ""}, {"closing", "", ""}, {"anew", "hashed_prefix", "fnv_1a_base64"},
	} {
		if p.pathType != "" { // otherwise as before
			set := fmt.Sprintf(`"cluster.remote_store.index.path.type":%q`, p.pathType)
			if p.hash != "" {
				set += fmt.Sprintf(`,"cluster.remote_store.index.path.hash_algorithm":%q`, p.hash)
			}
			c.node("PUT", "/_cluster/settings", `{"persistent":{`+set+`}}`, nil)
		}
		shards := 1
		if p.index == "prefix-base64" {
			shards = 2
		}
		c.node("PUT", "/"+p.index, fmt.Sprintf(`{"settings":{"number_of_shards":%d,"number_of_replicas":0,"refresh_interval":"-1"}}`, shards), nil)
		c.live = append(c.live, p.index)
	}
	paths := c.live[:5]
	filled := append(slices.Clone(paths), "closing", "anew")
	c.bulk(0, filled...)
	c.node("POST", "/_refresh", "", nil)
	c.bulk(1, filled...)
	c.take(1)

	// The primaries change while there are operations that no commit has.
	c.bulk(2, paths...)
	c.movePrimaries(paths)
	c.bulk(3, paths...)
	c.take(2)

	c.node("POST", "/closing/_close", "", nil)
	c.node("DELETE", "/anew", "", nil)
	c.node("PUT", "/anew", `{"settings":{"number_of_shards":2,"number_of_replicas":0,"refresh_interval":"-1"}}`, nil)
	c.bulk(4, append(slices.Clone(paths), "anew")...)
	c.live = slices.DeleteFunc(c.live, func(ix string) bool { return ix == "closing" })
	c.take(3)
	c.want["v2"]["s3"]["closing"] = c.want["v2"]["s2"]["closing"] // a closed index is in these, and open when it is restored
	c.node("DELETE", "/closing", "", nil)
	c.bulk(5, paths...)
}

// movePrimaries lets the first shard of each index begin a new primary term.
func (c *remoteCluster) movePrimaries(indices []string) {
	c.t.Helper()
	var nodes struct{ Nodes map[string]any }
	c.node("GET", "/_nodes", "", &nodes)
	var commands []string
	for _, ix := range indices {
		commands = append(commands, fmt.Sprintf(`{"cancel":{"index":%q,"shard":0,"node":%q,"allow_primary":true}}`, ix, slices.Collect(maps.Keys(nodes.Nodes))[0]))
	}
	c.node("POST", "/_cluster/reroute", `{"commands":[`+strings.Join(commands, ",")+`]}`, nil)
	c.node("GET", "/_cluster/health?wait_for_status=green&wait_for_no_initializing_shards=true&timeout=60s", "", nil)
}

// docs reads an index of a snapshot with the command.
func (c *remoteCluster) docs(ctx context.Context, location, snapshot, index string) string {
	c.t.Helper()
	var out bytes.Buffer
	if err := repotool.Cat(ctx, &repotool.Printer{Out: &out}, location, snapshot, index); err != nil {
		c.t.Errorf("%s %s: %v", snapshot, index, err)
		return ""
	}
	var docs []pinnedDoc
	for line := range strings.Lines(out.String()) {
		var d pinnedDoc
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			c.t.Fatal(err)
		}
		docs = append(docs, d)
	}
	return sortedDocs(docs)
}

// each visits what snapshots must hold.
func (c *remoteCluster) each(visit func(repo, snapshot, index, docs string)) {
	for repo, snapshots := range c.want {
		for snapshot, indices := range snapshots {
			for index, docs := range indices {
				visit(repo, snapshot, index, docs)
			}
		}
	}
}

func (c *remoteCluster) place(repo string) string { return "fs:" + filepath.Join(c.repos, repo) }

// checkTool reads everything with the commands, and copies it into ordinary snapshots.
func (c *remoteCluster) checkTool() {
	t, quiet := c.t, &repotool.Printer{Out: io.Discard}
	ctx := repotool.WithRemoteTranslog(repotool.WithRemoteStore(t.Context(), c.segments), c.tl)
	copies := map[string]string{}
	for repo := range c.want {
		if healthy, err := repotool.Verify(ctx, quiet, c.place(repo), true); err != nil || !healthy {
			var out bytes.Buffer
			_, _ = repotool.Verify(ctx, &repotool.Printer{Out: &out}, c.place(repo), true)
			t.Errorf("verify %s: %v %v %s", repo, healthy, err, out.String())
		}
		var list, usage bytes.Buffer
		if err := repotool.List(ctx, &repotool.Printer{Out: &list, JSON: true}, c.place(repo)); err != nil || strings.Count(list.String(), `"shallow"`) != 3 {
			t.Errorf("ls %s: %v %s", repo, err, list.String())
		}
		if err := repotool.Du(ctx, &repotool.Printer{Out: &usage, JSON: true}, c.place(repo), nil); err != nil || !strings.Contains(usage.String(), "remote_in_bytes") {
			t.Errorf("du %s: %v %s", repo, err, usage.String())
		}
		copies[repo] = "fs:" + filepath.Join(t.TempDir(), "copy")
		if err := repotool.Copy(ctx, quiet, c.place(repo), copies[repo], nil); err != nil {
			t.Fatalf("cp %s: %v", repo, err)
		}
		if healthy, err := repotool.Verify(t.Context(), quiet, copies[repo], true); err != nil || !healthy {
			t.Errorf("verify the copy of %s: %v %v", repo, healthy, err)
		}
		target := filepath.Join(t.TempDir(), "shard")
		if err := repotool.Extract(ctx, quiet, c.place(repo), "s2", "prefix-composite", 0, target); err != nil {
			t.Fatal(err)
		}
		if c.major == "2" { // the oracle's CheckIndex is of Lucene 9
			oracletest.CheckIndex(t, target)
		}
		sctx, stop := context.WithCancel(ctx)
		err := repotool.Serve(sctx, quiet, repotool.ServeOptions{Location: c.place(repo), Snapshot: "s2", Log: slog.New(slog.DiscardHandler)}, func(s repotool.Served) {
			defer stop()
			for ix, docs := range c.want[repo]["s2"] {
				if got := shown(t, s.URL, ix); got != docs {
					t.Errorf("opened, %s/s2 has in %s %s, want %s", repo, ix, got, docs)
				}
			}
		})
		if stop(); err != nil {
			t.Error(err)
		}
	}
	c.each(func(repo, snapshot, index, docs string) {
		if (docs == "") != (index == "empty") {
			t.Errorf("%s/%s %s: the node shows %q", repo, snapshot, index, docs)
		}
		if got := c.docs(ctx, c.place(repo), snapshot, index); got != docs {
			t.Errorf("%s/%s %s: %s, want %s", repo, snapshot, index, got, docs)
		}
		if got := c.docs(t.Context(), copies[repo], snapshot, index); got != docs {
			t.Errorf("%s/%s %s copied: %s, want %s", repo, snapshot, index, got, docs)
		}
	})
}

// ours starts a server of ours with the repositories of the remote store.
func (c *remoteCluster) ours(readonly bool) *servertest.Server {
	c.t.Helper()
	s := servertest.Start(c.t, c.t.TempDir(), c.repos, "path.repo="+c.repos+","+c.remote)
	for _, kind := range []string{"segment", "translog"} {
		s.Must("PUT", "/_snapshot/rs-"+kind, fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"base_path":%q,"readonly":%v}}`, filepath.Join(c.remote, kind), c.base[kind], readonly), nil)
	}
	return s
}

// checkServer restores every snapshot under other names.
func (c *remoteCluster) checkServer() {
	s := c.ours(true)
	for _, repo := range slices.Sorted(maps.Keys(c.want)) {
		s.Must("PUT", "/_snapshot/"+repo, fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"readonly":true}}`, filepath.Join(c.repos, repo)), nil)
		for snapshot, indices := range c.want[repo] {
			if snapshot == "s1" && os.Getenv("VARVE_LONG") == "" {
				continue // its documents were read with the commands
			}
			s.Must("POST", "/_snapshot/"+repo+"/"+snapshot+"/_restore?wait_for_completion=true", `{"include_global_state":false,"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
			for ix, docs := range indices {
				if got := shown(c.t, s.URL, "r-"+ix); got != docs {
					c.t.Errorf("%s/%s %s restored: %s, want %s", repo, snapshot, ix, got, docs)
				}
			}
			s.Must("DELETE", "/r-*", "", nil)
		}
	}
	s.Stop()
}

// pins are the names of what is pinned.
func (c *remoteCluster) pins() []string {
	c.t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.remote, "segment", c.base["segment"], "pinned_timestamps"))
	if err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// uuids maps the names of snapshots in v2 to their UUIDs.
func (c *remoteCluster) uuids() map[string]string {
	c.t.Helper()
	var list struct {
		Snapshots []struct{ Snapshot, UUID string }
	}
	c.node("GET", "/_snapshot/v2/_all", "", &list)
	out := map[string]string{}
	for _, s := range list.Snapshots {
		out[s.Snapshot] = s.UUID
	}
	return out
}

// bothTerms are times at which the translog of some shard had generations of two primary terms, the oldest and the newest.
func (c *remoteCluster) bothTerms() []int64 {
	c.t.Helper()
	var times []int64
	err := filepath.WalkDir(filepath.Join(c.remote, "translog"), func(path string, d os.DirEntry, err error) error {
		parts := strings.Split(d.Name(), "__")
		if err != nil || d.IsDir() || len(parts) != 8 || parts[0] != "metadata" {
			return err
		}
		term, e1 := strconv.ParseInt(parts[1], 10, 64)
		when, e2 := strconv.ParseInt(parts[3], 10, 64)
		oldest, e3 := strconv.ParseInt(parts[6], 10, 64)
		if e1 != nil || e2 != nil || e3 != nil {
			return fmt.Errorf("%s: %w %w %w", path, e1, e2, e3)
		}
		if math.MaxInt64-term > oldest {
			times = append(times, math.MaxInt64-when)
		}
		return nil
	})
	if err != nil || len(times) == 0 {
		c.t.Fatalf("no translog of two terms: %v", err)
	}
	slices.Sort(times)
	if os.Getenv("VARVE_LONG") == "" {
		return times[len(times)-1:]
	}
	return []int64{times[0], times[len(times)/2], times[len(times)-1]}
}

// checkTravel makes a copy of v2 whose s2 pins another time, at which translogs of two terms counted: its info is lost, the pin has that time
// in its name, and a repair makes the info anew. The node and we read the same.
func (c *remoteCluster) checkTravel() {
	t, uuid := c.t, c.uuids()["s2"]
	ctx := repotool.WithRemoteTranslog(repotool.WithRemoteStore(t.Context(), c.segments), c.tl)
	folder := filepath.Join(c.remote, "segment", c.base["segment"], "pinned_timestamps")
	at := slices.IndexFunc(c.pins(), func(name string) bool { return strings.Contains(name, uuid) })
	name := c.pins()[at]
	for n, when := range c.bothTerms() {
		repo := fmt.Sprintf("travel%d", n)
		place := filepath.Join(c.repos, repo)
		if err := os.CopyFS(place, os.DirFS(c.v2)); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(place, "snap-"+uuid+".dat")); err != nil {
			t.Fatal(err)
		}
		moved := fmt.Sprintf("v2__%s__%d", uuid, when)
		if err := os.Rename(filepath.Join(folder, name), filepath.Join(folder, moved)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := repotool.Repair(ctx, &repotool.Printer{Out: &out}, "fs:"+place, false, true); err != nil || strings.Contains(out.String(), "lost of") {
			t.Fatalf("repair: %v %s", err, out.String())
		}
		if err := os.Rename(filepath.Join(folder, moved), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
		c.register(repo, place, false)
		c.node("POST", "/_snapshot/"+repo+"/s2/_restore?wait_for_completion=true", `{"indices":"*ix*","rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
		for _, ix := range c.live[:5] {
			want := shown(t, c.url, "r-"+ix)
			if got := c.docs(ctx, "fs:"+place, "s2", ix); got != want || got == "" {
				t.Errorf("at %d %s: %s, want %s", when, ix, got, want)
			}
		}
		c.node("DELETE", "/r-*", "", nil)
		c.node("DELETE", "/_snapshot/"+repo, "", nil)
	}
}

// checkBucket reads what lies behind a hashed prefix where the location is what the base path is relative to.
func (c *remoteCluster) checkBucket() {
	ctx := repotool.WithRemoteTranslog(repotool.WithRemoteStore(c.t.Context(), "fs:"+filepath.Join(c.remote, "segment")), "fs:"+filepath.Join(c.remote, "translog"))
	for _, repo := range []string{"v1", "v2"} {
		if got, want := c.docs(ctx, c.place(repo), "s2", "prefix-base64"), c.want[repo]["s2"]["prefix-base64"]; got != want {
			c.t.Errorf("%s/s2 in the bucket: %s, want %s", repo, got, want)
		}
	}
}
