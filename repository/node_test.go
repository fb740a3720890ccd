package repository

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

type node struct {
	t   *testing.T
	url string
}

func startNode(t *testing.T, repo string, extra ...string) node {
	n := node{t, oracletest.Node(t, "opensearch", "2.19", repo, extra...)}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return n
}

// call fails the test unless the node answers with success.
func (n node) call(method, path, body string, into any) {
	n.t.Helper()
	servertest.Must(n.t, n.url, method, path, body, into)
}

func (n node) try(method, path, body string) (int, []byte) {
	n.t.Helper()
	status, b, err := servertest.Call(n.url, method, path, body)
	if err != nil {
		n.t.Fatal(err)
	}
	return status, b
}

// copySnapshot writes a snapshot of a fixture into another repository, file by file.
func copySnapshot(t *testing.T, from *Repository, snapshot string, to *Repository, name string, indices ...string) {
	t.Helper()
	src, base := load(t, from), load(t, to)
	entry, err := src.Snapshot(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	info, err := from.SnapshotInfo(bg, entry.SnapshotID)
	if err != nil {
		t.Fatal(err)
	}
	global, err := from.GlobalMetadata(bg, entry.SnapshotID)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	id := SnapshotID{name, NewUUID()}
	n := NewSnapshot{Info: SnapshotInfo{SnapshotID: id, State: StateSuccess, StartTime: info.StartTime, EndTime: info.EndTime, IncludeGlobalState: &yes}, Global: global}
	for _, index := range indices {
		md, err := from.IndexMetadata(bg, src, entry.SnapshotID, index)
		if err != nil {
			t.Fatal(err)
		}
		i, err := src.IndexIn(entry.SnapshotID, index)
		if err != nil {
			t.Fatal(err)
		}
		fi := FinalizeIndex{Index: base.ResolveIndex(index, to.opts.ShardPathType), Metadata: md}
		if err := to.PrepareIndex(bg, base, fi.Index, md.Shards()); err != nil {
			t.Fatal(err)
		}
		known, _ := base.Index(index)
		for shard := range md.Shards() {
			ss, err := from.Shard(bg, i.IndexID, shard)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := ss.Snapshot(bg, entry.SnapshotID)
			if err != nil {
				t.Fatal(err)
			}
			ds, err := to.Shard(bg, fi.Index, shard)
			if err != nil {
				t.Fatal(err)
			}
			gen, err := copyShard(ss, snap, ds, known.ShardGeneration(shard), id)
			if err != nil {
				t.Fatal(err)
			}
			fi.Generations = append(fi.Generations, gen)
			n.Info.TotalShards++
		}
		n.Indices = append(n.Indices, fi)
		n.Info.Indices = append(n.Info.Indices, index)
	}
	n.Info.SuccessfulShards = n.Info.TotalShards
	res, err := to.Finalize(bg, base, n)
	if err != nil || len(res.Warnings) > 0 {
		t.Fatalf("%+v, %v", res, err)
	}
}

func copyShard(from *Shard, snap *ShardSnapshot, to *Shard, base string, id SnapshotID) (string, error) {
	x, gen, err := to.FileIndex(bg, base)
	if err != nil {
		return "", err
	}
	n := NewShardSnapshot{Snapshot: id, BaseGeneration: gen, IndexVersion: snap.IndexVersion, StartTime: snap.StartTime, Time: 1}
	for _, f := range snap.Files {
		if known, ok := x.Find(f.PhysicalName, f.Length, f.Checksum, f.MetaHash); ok {
			n.Files = append(n.Files, known)
			continue
		}
		r, err := from.OpenFile(bg, f)
		if err != nil {
			return "", err
		}
		up, err := to.UploadFile(bg, Upload{PhysicalName: f.PhysicalName, Length: f.Length, Checksum: f.Checksum, WrittenBy: f.WrittenBy, Content: r})
		if err != nil {
			return "", err
		}
		if err := r.Close(); err != nil {
			return "", err
		}
		if up.Checksum != f.Checksum || !bytes.Equal(up.MetaHash, f.MetaHash) || up.Virtual() != f.Virtual() {
			return "", fmt.Errorf("uploaded as %+v, the real node had %+v", up, f)
		}
		n.Files = append(n.Files, up)
		n.IncrementalFiles++
		n.IncrementalSize += up.Length
	}
	return to.WriteSnapshot(bg, n)
}

// TestRealNode lets a real node list, restore, search, extend and delete from what Finalize wrote,
// and reads what the node made of it.
func TestRealNode(t *testing.T) {
	src := openDir(t, oracletest.FixtureRepository(t, "opensearch-2.19/main"), Options{})
	var want expected
	oracletest.FixtureExpected(t, "opensearch-2.19/main", &want)
	counts := map[string]map[string]int64{}
	for _, s := range want.Snapshots {
		counts[s.Name] = map[string]int64{}
		for name, i := range s.Indices {
			counts[s.Name][name] = i.Count
		}
	}
	parent := t.TempDir()
	indices := []string{"logs-2024.05", "products", "empty", "accounts"}
	names := map[string]Options{
		"plain":   {},
		"chunked": {ChunkSize: 20 << 10, Compression: Deflate},
		"zstd":    {Compression: Zstd},
		"prefix":  {ShardPathType: 1},
		"infix":   {ShardPathType: 2, BasePath: "deep/er"},
	}
	repos := map[string]*Repository{}
	for name, opts := range names {
		repos[name] = openDir(t, filepath.Join(parent, name), opts)
		copySnapshot(t, src, "snap-1", repos[name], "v1", indices...)
		copySnapshot(t, src, "snap-3", repos[name], "v2", indices...)
		copySnapshot(t, src, "snap-3", repos[name], "v3", "products")
	}
	n := startNode(t, parent)
	for name, opts := range names {
		t.Run(name, func(t *testing.T) {
			n := node{t, n.url}
			settings := map[string]any{"location": filepath.Join(parent, name)}
			if opts.BasePath != "" {
				settings["base_path"] = opts.BasePath
			}
			b, _ := json.Marshal(map[string]any{"type": "fs", "settings": settings})
			n.call("PUT", "/_snapshot/"+name, string(b), nil)
			checkOnNode(n, name, repos[name], indices, counts)
		})
	}
	t.Run("without index.latest", func(t *testing.T) { checkQuietNode(node{t, n.url}, parent) })
}

func checkOnNode(n node, repo string, r *Repository, indices []string, counts map[string]map[string]int64) {
	t := n.t
	var list struct {
		Snapshots []struct{ Snapshot, State, Version string }
	}
	n.call("GET", "/_snapshot/"+repo+"/_all", "", &list)
	if len(list.Snapshots) != 3 || list.Snapshots[0].State != "SUCCESS" || list.Snapshots[0].Version != "2.19.0" {
		t.Fatalf("the node lists %+v", list)
	}
	var status struct {
		Snapshots []struct {
			Stats struct {
				Total struct {
					FileCount int `json:"file_count"`
				}
			}
		}
	}
	n.call("GET", "/_snapshot/"+repo+"/v2/_status", "", &status)
	if len(status.Snapshots) != 1 || status.Snapshots[0].Stats.Total.FileCount == 0 {
		t.Fatalf("status: %+v", status)
	}
	restore := func(snapshot, fixture, prefix string, indices []string) {
		t.Helper()
		body := fmt.Sprintf(`{"indices":%q,"include_aliases":false,"rename_pattern":"(.+)","rename_replacement":"%s$1"}`, strings.Join(indices, ","), prefix)
		var res struct {
			Snapshot struct {
				Shards struct{ Failed, Successful int }
			}
		}
		n.call("POST", "/_snapshot/"+repo+"/"+snapshot+"/_restore?wait_for_completion=true", body, &res)
		if res.Snapshot.Shards.Failed != 0 || res.Snapshot.Shards.Successful == 0 {
			t.Fatalf("restore of %s: %+v", snapshot, res)
		}
		for _, i := range indices {
			var c struct{ Count int64 }
			n.call("GET", "/"+prefix+i+"/_count", "", &c)
			if c.Count != counts[fixture][i] {
				t.Errorf("%s of %s has %d documents, want %d", i, snapshot, c.Count, counts[fixture][i])
			}
		}
	}
	restore("v1", "snap-1", repo+"-1-", indices)
	restore("v2", "snap-3", repo+"-2-", indices)
	restore("v3", "snap-3", repo+"-3-", []string{"products"})
	var hits struct {
		Hits struct{ Total struct{ Value int } }
	}
	n.call("POST", "/"+repo+"-2-logs-2024.05/_search", `{"query":{"exists":{"field":"message"}}}`, &hits)
	if hits.Hits.Total.Value == 0 {
		t.Error("a search finds nothing")
	}
	// The node adds a snapshot of changed data, and deletes ours.
	n.call("POST", "/"+repo+"-2-products/_doc?refresh=true", `{"title":"new"}`, nil)
	var snap struct{ Snapshot struct{ State string } }
	n.call("PUT", "/_snapshot/"+repo+"/n1?wait_for_completion=true", fmt.Sprintf(`{"indices":"%s-2-*"}`, repo), &snap)
	if snap.Snapshot.State != "SUCCESS" {
		t.Fatalf("the node's snapshot: %+v", snap)
	}
	n.call("DELETE", "/_snapshot/"+repo+"/v1", "", nil)
	verifyClean(t, r)
	d := load(t, r)
	if _, err := d.Snapshot("n1"); err != nil || len(d.Snapshots) != 3 {
		t.Fatalf("%d snapshots, %v", len(d.Snapshots), err)
	}
	// We delete the node's snapshot behind its back: it must see that, and not write over it.
	n1, _ := d.Snapshot("n1")
	if res, err := r.Delete(bg, d, []SnapshotID{n1.SnapshotID}); err != nil || len(res.Warnings) > 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	verifyClean(t, r)
	code, answer := n.try("PUT", "/_snapshot/"+repo+"/n2?wait_for_completion=true", fmt.Sprintf(`{"indices":"%s-2-empty"}`, repo))
	if code == 200 && !strings.Contains(string(answer), `"FAILED"`) {
		t.Fatalf("the node wrote over our change: %s", answer)
	}
	if _, err := load(t, r).Snapshot("v2"); err != nil {
		t.Fatal(err)
	}
	// Registered anew, the node goes on.
	var conf map[string]json.RawMessage
	n.call("GET", "/_snapshot/"+repo, "", &conf)
	n.call("DELETE", "/_snapshot/"+repo, "", nil)
	n.call("PUT", "/_snapshot/"+repo, string(conf[repo]), nil)
	n.call("DELETE", "/"+repo+"-*", "", nil)
	restore("v2", "snap-3", repo+"-4-", indices)
	n.call("PUT", "/_snapshot/"+repo+"/n3?wait_for_completion=true", fmt.Sprintf(`{"indices":"%s-4-*"}`, repo), &snap)
	n.call("DELETE", "/_snapshot/"+repo+"/v2,v3", "", nil)
	d = load(t, r)
	if len(d.Snapshots) != 1 || d.Snapshots[0].Name != "n3" {
		t.Fatalf("%+v", d.Snapshots)
	}
	if _, err := r.Cleanup(bg, d, CleanupOptions{}); err != nil {
		t.Fatal(err)
	}
	verifyClean(t, r)
	n.call("DELETE", "/"+repo+"-*", "", nil)
}

func verifyClean(t *testing.T, r *Repository) {
	t.Helper()
	_, err := r.Verify(bg, VerifyOptions{Deep: true}, func(f Finding) { t.Errorf("%s", f) })
	if err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// TestNodesHashedPaths reads repositories in which a real node hashed the shards' paths, also with a
// prefix that only the node's settings have.
func TestNodesHashedPaths(t *testing.T) {
	parent := t.TempDir()
	n := startNode(t, parent, "--set", "cluster.snapshot.shard.path.prefix=zz")
	n.call("PUT", "/a", `{"settings":{"number_of_shards":3,"number_of_replicas":0}}`, nil)
	n.call("PUT", "/a/_doc/1?refresh=true", `{"x":1}`, nil)
	for _, kind := range []string{"hashed_prefix", "hashed_infix"} {
		dir := filepath.Join(parent, kind)
		n.call("PUT", "/_snapshot/"+kind, fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"shard_path_type":%q}}`, dir, kind), nil)
		n.call("PUT", "/_snapshot/"+kind+"/s?wait_for_completion=true", `{"indices":"a"}`, nil)
		n.call("PUT", "/_snapshot/"+kind+"/s2?wait_for_completion=true", `{"indices":"a"}`, nil)
		r := openDir(t, dir, Options{})
		d := load(t, r)
		if d.Indices[0].ShardPathType == 0 {
			t.Fatalf("%s: the node did not hash", kind)
		}
		verifyClean(t, r)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		hashed := 0
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "zz") {
				hashed++
			}
		}
		if hashed != 3 {
			t.Fatalf("%s: %v", kind, entries)
		}
		// A path computed with the prefix is the one recorded.
		computed := openDir(t, dir, Options{ShardPathPrefix: "zz"})
		for shard := range 3 {
			a, err := r.Shard(bg, d.Indices[0].IndexID, shard)
			if err != nil {
				t.Fatal(err)
			}
			b, err := computed.shardPath(d.Indices[0].IndexID, shard)
			if err != nil || a.Path() != b {
				t.Fatalf("%s, computed %s, %v", a.Path(), b, err)
			}
		}
		if _, err := r.Delete(bg, d, []SnapshotID{d.Snapshots[0].SnapshotID, d.Snapshots[1].SnapshotID}); err != nil {
			t.Fatal(err)
		}
		c, err := blobfs.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		report := &CleanupReport{}
		if err := walk(bg, c, "", 0, report); err != nil || len(report.Stale) != 2 {
			t.Fatalf("left: %v, %v", report.Stale, err)
		}
	}
}

// checkQuietNode lets a real node write roots that index.latest does not name: that it took our root away tells us, and a
// snapshot that is built on ours is refused.
func checkQuietNode(n node, parent string) {
	t := n.t
	dir := filepath.Join(parent, "quiet")
	register := func() {
		n.call("PUT", "/_snapshot/quiet", fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"support_url_repo":false}}`, dir), nil)
	}
	register()
	n.call("PUT", "/_snapshot/quiet/n1?wait_for_completion=true", "", nil)
	r := openDir(t, dir, Options{})
	base := load(t, r)
	if r.Unmoved(bg, base.Generation) {
		t.Fatal("there is an index.latest")
	}
	ours := func(base *Data, name string) (*Result, error) {
		return r.Finalize(bg, base, NewSnapshot{Info: SnapshotInfo{SnapshotID: SnapshotID{name, NewUUID()}, State: StateSuccess}})
	}
	res, err := ours(base, "v1")
	if err != nil || !r.Unmoved(bg, res.Data.Generation) {
		t.Fatalf("%v", err)
	}
	n.call("DELETE", "/_snapshot/quiet", "", nil)
	register() // it trusts the root that it saw last
	n.call("PUT", "/_snapshot/quiet/n2?wait_for_completion=true", "", nil)
	if b, err := os.ReadFile(filepath.Join(dir, "index.latest")); err != nil || b[7] != byte(res.Data.Generation) {
		t.Fatalf("index.latest is %x, %v: not what we wrote", b, err)
	}
	if r.Unmoved(bg, res.Data.Generation) {
		t.Error("the node's root is not noticed")
	}
	var conflict *ConcurrentModificationError
	if _, err := ours(res.Data, "n2"); !errors.As(err, &conflict) {
		t.Fatalf("a snapshot on the root before: %v", err)
	}
	if _, err := ours(load(t, r), "n2"); !errors.Is(err, ErrSnapshotExists) {
		t.Fatalf("the node's name: %v", err)
	}
	if d := load(t, r); len(d.Snapshots) != 3 {
		t.Fatalf("%+v", d.Snapshots)
	}
}
