package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/repotool"
	"github.com/varve-search/varve/internal/servertest"
)

// pinnedDoc is a document as both sides show it.
type pinnedDoc struct {
	ID      string          `json:"_id"`
	Routing string          `json:"_routing,omitempty"`
	Source  json.RawMessage `json:"_source"`
}

func sortedDocs(docs []pinnedDoc) string {
	lines := make([]string, len(docs))
	for i, d := range docs {
		lines[i] = fmt.Sprintf("%q %q %s", d.ID, d.Routing, d.Source)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// shown returns the documents of an index on a server.
func shown(t *testing.T, url, index string) string {
	t.Helper()
	servertest.Must(t, url, "POST", "/"+index+"/_refresh", "", nil)
	var found struct{ Hits struct{ Hits []pinnedDoc } }
	servertest.Must(t, url, "POST", "/"+index+"/_search?size=1000", `{"query":{"match_all":{}}}`, &found)
	return sortedDocs(found.Hits.Hits)
}

// TestPinnedSnapshots reads snapshots that pin a timestamp (shallow_snapshot_v2): what was written between refreshes is only in the remote
// translog, and what was written after a snapshot must not be seen. Both sides restore them to the same documents, and delete them in turn.
func TestPinnedSnapshots(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real node")
	}
	for _, version := range []string{"2.19", "3"} {
		t.Run(version, func(t *testing.T) { testPinned(t, version) })
		if os.Getenv("VARVE_LONG") == "" {
			break
		}
	}
}

func testPinned(t *testing.T, version string) {
	base := t.TempDir()
	remote := filepath.Join(t.TempDir(), "remote")
	segments, translog := filepath.Join(remote, "segment"), filepath.Join(remote, "translog")
	url := oracletest.Node(t, "opensearch", version, base, "--remote-store", remote, "--set", "cluster.remote_store.pinned_timestamps.enabled=true")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	node := func(method, path, body string, into any) {
		t.Helper()
		servertest.Must(t, url, method, path, body, into)
	}
	place := filepath.Join(base, "pinned")
	register := func(call func(string, string, string, any), name, place, set string) {
		t.Helper()
		call("PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"fs","settings":{"location":%q%s}}`, place, set), nil)
	}
	register(node, "v2", place, `,"remote_store_index_shallow_copy":true,"shallow_snapshot_v2":true`)
	node("PUT", "/quiet", `{"settings":{"number_of_shards":1,"number_of_replicas":0,"refresh_interval":"-1"}}`, nil)
	node("PUT", "/infix", `{"settings":{"number_of_shards":3,"number_of_replicas":0}}`, nil)
	node("PUT", "/none", `{"settings":{"number_of_shards":2,"number_of_replicas":0}}`, nil)
	names := []string{"quiet", "infix", "none"}
	// Few requests: a node with a remote store answers each only after it has sent its translog, some 0.65 s later.
	bulk := func(lines ...string) {
		t.Helper()
		var res struct{ Errors bool }
		if node("POST", "/_bulk", strings.Join(lines, "\n")+"\n", &res); res.Errors {
			t.Fatal("a bulk had errors")
		}
	}
	write := func(round int) {
		for _, ix := range names[:2] {
			var lines []string
			for i := range 20 {
				lines = append(lines, fmt.Sprintf(`{"index":{"_index":%q,"_id":"%d-ü😀"}}`, ix, (i+round*7)%30), fmt.Sprintf(`{"n":%d,"round":%d,"t":"word%d"}`, i, round, i))
			}
			bulk(lines...)
		}
		bulk(fmt.Sprintf(`{"delete":{"_index":"quiet","_id":"%d-ü😀"}}`, round*7%30),
			fmt.Sprintf(`{"index":{"_index":"quiet","_id":"r%d","routing":"x%d"}}`, round, round), `{"routed":true}`)
	}
	want := map[string]map[string]string{}
	write(0)
	node("POST", "/_refresh", "", nil)
	for round, name := range []string{"p1", "p2", "p3"} {
		if round == 1 {
			node("POST", "/_flush", "", nil)
		}
		write(round + 1)
		var res struct{ Snapshot struct{ State string } }
		node("PUT", "/_snapshot/v2/"+name+"?wait_for_completion=true", `{}`, &res)
		if res.Snapshot.State != "SUCCESS" {
			t.Fatalf("%s: %+v", name, res)
		}
		write(round + 5)
		if round == 2 {
			node("POST", "/_forcemerge?max_num_segments=1", "", nil)
		}
	}
	for _, name := range []string{"p1", "p2", "p3"} {
		node("POST", "/_snapshot/v2/"+name+"/_restore?wait_for_completion=true", `{"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
		want[name] = map[string]string{}
		for _, ix := range names {
			want[name][ix] = shown(t, url, "r-"+ix)
		}
		node("DELETE", "/r-*", "", nil)
	}
	if want["p1"]["quiet"] == want["p2"]["quiet"] || want["p2"]["infix"] == want["p3"]["infix"] || want["p1"]["quiet"] == "" {
		t.Fatal("the snapshots do not differ")
	}
	node("DELETE", "/_snapshot/v2", "", nil)
	checkPinnedTool(t, place, segments, translog, want)
	checkPinnedServer(t, base, remote, place, want)

	// Deletion: one by us, of which the node finds nothing wrong, one by it, and the last one by us.
	s := servertest.Start(t, t.TempDir(), base, "path.repo="+base+","+remote)
	ours := func(method, path, body string, into any) { s.Must(method, path, body, into) }
	pins := func() []string {
		t.Helper()
		entries, err := os.ReadDir(filepath.Join(segments, "pinned_timestamps"))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	register(ours, "mine", place, "")
	code, answer, err := servertest.Call(s.URL, "DELETE", "/_snapshot/mine/p2", "")
	if err != nil || code/100 == 2 || !strings.Contains(string(answer), "register that repository here without [readonly]") {
		t.Errorf("without the remote store: %d %s %v", code, answer, err)
	}
	register(ours, "rs-segment", segments, "")
	if n := len(pins()); n != 3 {
		t.Fatalf("%d pins", n)
	}
	ours("DELETE", "/_snapshot/mine/p2", "", nil)
	if n := len(pins()); n != 2 {
		t.Errorf("pins after a deletion: %v", pins())
	}
	register(node, "v2", place, `,"remote_store_index_shallow_copy":true,"shallow_snapshot_v2":true`)
	node("POST", "/_snapshot/v2/p1/_restore?wait_for_completion=true", `{"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
	for _, ix := range names {
		if got := shown(t, url, "r-"+ix); got != want["p1"][ix] {
			t.Errorf("after our deletion the node restores other documents of %s: %s", ix, got)
		}
	}
	node("DELETE", "/r-*", "", nil)
	node("DELETE", "/_snapshot/v2/p1", "", nil)
	node("PUT", "/_snapshot/v2/p4?wait_for_completion=true", `{}`, nil)
	if n := len(pins()); n != 2 {
		t.Errorf("pins: %v", pins())
	}
	ours("DELETE", "/_snapshot/mine", "", nil)
	register(ours, "mine", place, "")
	ours("DELETE", "/_snapshot/mine/p3,p4", "", nil)
	if n := len(pins()); n != 0 {
		t.Errorf("pins after the last deletion: %v", pins())
	}
	node("DELETE", "/_snapshot/v2", "", nil)
	register(node, "v2", place, `,"remote_store_index_shallow_copy":true,"shallow_snapshot_v2":true`)
	node("PUT", "/_snapshot/v2/p5?wait_for_completion=true", `{}`, nil)
}

// checkPinnedTool reads the documents with the commands, and copies the snapshots into ordinary ones.
func checkPinnedTool(t *testing.T, place, segments, translog string, want map[string]map[string]string) {
	t.Helper()
	ctx := repotool.WithRemoteStore(t.Context(), "fs:"+segments)
	at, quiet := "fs:"+place, &repotool.Printer{Out: io.Discard}
	var out bytes.Buffer
	err := repotool.Cat(ctx, &repotool.Printer{Out: &out}, at, "p1", "quiet")
	if err == nil || !strings.Contains(err.Error(), "--remote-translog") || out.Len() > 0 {
		t.Errorf("without the translog: %v, %s", err, out.String())
	}
	ctx = repotool.WithRemoteTranslog(ctx, "fs:"+translog)
	healthy, err := repotool.Verify(ctx, quiet, at, true)
	if err != nil || !healthy {
		t.Errorf("verify: %v %v", healthy, err)
	}
	copied := "fs:" + filepath.Join(t.TempDir(), "copy")
	if err := repotool.Copy(ctx, quiet, at, copied, nil); err != nil {
		t.Fatal(err)
	}
	if healthy, err = repotool.Verify(t.Context(), quiet, copied, true); err != nil || !healthy {
		t.Errorf("verify the copy: %v %v", healthy, err)
	}
	for name, indices := range want {
		for ix, docs := range indices {
			for _, from := range []string{at, copied} {
				out.Reset()
				if err := repotool.Cat(ctx, &repotool.Printer{Out: &out}, from, name, ix); err != nil {
					t.Fatal(err)
				}
				var got []pinnedDoc
				for line := range strings.Lines(out.String()) {
					var d pinnedDoc
					if err := json.Unmarshal([]byte(line), &d); err != nil {
						t.Fatal(err)
					}
					got = append(got, d)
				}
				if sortedDocs(got) != docs {
					t.Errorf("%s %s from %s: %s, want %s", name, ix, from, sortedDocs(got), docs)
				}
			}
		}
	}
	out.Reset()
	n, err := repotool.Export(ctx, quiet, &out, repotool.ExportOptions{Location: at, Snapshot: "p2", Indices: []string{"quiet"}, Query: `{"term":{"round":2}}`, Shard: -1})
	if wanted := strings.Count(want["p2"]["quiet"], `"round":2`); err != nil || int(n) != wanted || wanted == 0 {
		t.Errorf("a query finds %d documents of %d: %v", n, wanted, err)
	}
	sctx, stop := context.WithCancel(ctx)
	defer stop()
	err = repotool.Serve(sctx, quiet, repotool.ServeOptions{Location: at, Snapshot: "p2", Log: slog.New(slog.DiscardHandler)}, func(s repotool.Served) {
		defer stop()
		for ix, docs := range want["p2"] {
			if got := shown(t, s.URL, ix); got != docs {
				t.Errorf("opened, p2 has in %s %s, want %s", ix, got, docs)
			}
		}
		if code, answer, err := servertest.Call(s.URL, "PUT", "/quiet/_doc/x", "{}"); err != nil || code != 403 {
			t.Errorf("a write into an opened snapshot: %d %s %v", code, answer, err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	target := filepath.Join(t.TempDir(), "shard")
	if err := repotool.Extract(ctx, quiet, at, "p1", "quiet", 0, target); err != nil {
		t.Fatal(err)
	}
	oracletest.CheckIndex(t, target)
}

// checkPinnedServer restores the snapshots, and opens one as the command does.
func checkPinnedServer(t *testing.T, base, remote, place string, want map[string]map[string]string) {
	t.Helper()
	s := servertest.Start(t, t.TempDir(), base, "path.repo="+base+","+remote)
	register := func(name, place string) {
		t.Helper()
		s.Must("PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"readonly":true}}`, place), nil)
	}
	register("mine", place)
	register("rs-segment", filepath.Join(remote, "segment"))
	code, answer, err := servertest.Call(s.URL, "POST", "/_snapshot/mine/p1/_restore?wait_for_completion=true", "")
	if err != nil || code/100 == 2 || !strings.Contains(string(answer), "[rs-translog]") {
		t.Errorf("without the translog: %d %s %v", code, answer, err)
	}
	register("rs-translog", filepath.Join(remote, "translog"))
	var status struct {
		Snapshots []struct {
			State  string
			Shards struct{ Done, Total int } `json:"shards_stats"`
		}
	}
	s.Must("GET", "/_snapshot/mine/p1/_status", "", &status)
	if len(status.Snapshots) != 1 || status.Snapshots[0].State != "SUCCESS" || status.Snapshots[0].Shards.Done != 6 {
		t.Errorf("_status: %+v", status)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		s.Must("POST", "/_snapshot/mine/"+name+"/_restore?wait_for_completion=true", `{"include_global_state":false}`, nil)
		for ix, docs := range want[name] {
			if got := shown(t, s.URL, ix); got != docs {
				t.Errorf("%s %s restored: %s, want %s", name, ix, got, docs)
			}
			s.Must("PUT", "/"+ix+"/_doc/new?refresh=true", `{"a":1}`, nil)
			s.Must("DELETE", "/"+ix, "", nil)
		}
	}
}
