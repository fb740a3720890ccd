package crash

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
	"github.com/varve-search/varve/internal/testseed"
)

var (
	rounds = flag.Int("rounds", 0, "how often to kill; 0: 20, or 3 with -short")
)

// doc is what is known of a document: its content, or "" when it was deleted. A write whose answer never
// came may have happened or not.
type doc struct {
	acked string
	open  map[string]bool // contents of writes that were not acknowledged since
}

// model is what the server promised. One writer has one model, so that the order of its writes is known.
type model struct {
	mu   sync.Mutex
	docs map[string]*doc
	snap map[string]map[string]string // of snapshots that were reported successful
}

func (m *model) get(id string) *doc {
	d := m.docs[id]
	if d == nil {
		d = &doc{open: map[string]bool{}}
		m.docs[id] = d
	}
	return d
}

// write sends a bulk of random operations and notes what is acknowledged.
func (m *model) write(url string, rng *rand.Rand, round int) error {
	var b strings.Builder
	var ids, contents []string
	used := map[string]bool{}
	for range 1 + rng.IntN(40) {
		id := fmt.Sprint(rng.IntN(300))
		if used[id] {
			continue
		}
		used[id] = true
		content := ""
		if rng.IntN(5) == 0 {
			fmt.Fprintf(&b, "{\"delete\":{\"_id\":%q}}\n", id)
		} else {
			content = fmt.Sprintf(`{"round":%d,"n":%d,"text":"words of round %d"}`, round, rng.IntN(1<<30), round)
			fmt.Fprintf(&b, "{\"index\":{\"_id\":%q}}\n%s\n", id, content)
		}
		ids, contents = append(ids, id), append(contents, content)
	}
	m.mu.Lock()
	for i, id := range ids {
		m.get(id).open[contents[i]] = true
	}
	m.mu.Unlock()
	status, answer, err := servertest.Call(url, "POST", "/crash/_bulk", b.String())
	if err != nil {
		return err
	}
	var res struct {
		Items []map[string]struct{ Status int }
	}
	if err := json.Unmarshal(answer, &res); err != nil || status != 200 || len(res.Items) != len(ids) {
		return fmt.Errorf("bulk: %d %s", status, answer)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, it := range res.Items {
		for _, op := range it {
			if op.Status/100 == 2 || op.Status == 404 {
				d := m.get(ids[i])
				d.acked, d.open = contents[i], map[string]bool{}
			}
		}
	}
	return nil
}

// check reads every document and compares; afterwards what was found is what is known.
func (m *model) check(t *testing.T, url string) {
	t.Helper()
	for id, d := range m.docs {
		status, answer, err := servertest.Call(url, "GET", "/crash/_doc/"+id, "")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if status == 200 {
			var res struct {
				Source json.RawMessage `json:"_source"`
			}
			if err := json.Unmarshal(answer, &res); err != nil {
				t.Fatal(err)
			}
			got = string(res.Source)
		} else if status != 404 {
			t.Fatalf("document %s: %d %s", id, status, answer)
		}
		if got != d.acked && !d.open[got] {
			t.Fatalf("document %s is %q after the crash; acknowledged was %q, unanswered were %v", id, got, d.acked, d.open)
		}
		d.acked, d.open = got, map[string]bool{}
	}
}

func (m *model) live() map[string]string {
	out := map[string]string{}
	for id, d := range m.docs {
		if d.acked != "" {
			out[id] = d.acked
		}
	}
	return out
}

func start(t *testing.T, dir string) *servertest.Server {
	return servertest.Start(t, filepath.Join(dir, "data"), filepath.Join(dir, "repos"))
}

func TestKill(t *testing.T) {
	n := *rounds
	if n == 0 {
		n = 20
		if testing.Short() {
			n = 3
		}
		if os.Getenv("VARVE_LONG") != "" {
			n = 200
		}
	}
	t.Logf("replay with: go test ./test/crash -run TestKill -rounds=%d and the seed", n)
	rng := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
	dir := t.TempDir()
	sv := start(t, dir)
	sv.Must("PUT", "/crash", `{"settings":{"number_of_shards":2,"number_of_replicas":0,"refresh_interval":"200ms"}}`, nil)
	sv.Must("PUT", "/_snapshot/crash", `{"type":"fs","settings":{"location":"crash","max_snapshot_bytes_per_sec":"0"}}`, nil)
	m := &model{docs: map[string]*doc{}, snap: map[string]map[string]string{}}
	for round := range n {
		killed := time.AfterFunc(time.Duration(20+rng.IntN(600))*time.Millisecond, sv.Kill)
		m.work(sv.URL, rng, round)
		killed.Stop()
		sv.Kill()
		sv = start(t, dir)
		sv.Must("GET", "/_cluster/health/crash?wait_for_status=green&timeout=60s", "", nil)
		m.check(t, sv.URL)
		m.forget(t, sv.URL)
	}
	m.checkSnapshots(t, sv, dir)
	sv.Stop()
}

// work writes and snapshots until the server is gone.
func (m *model) work(url string, rng *rand.Rand, round int) {
	for i := 0; ; i++ {
		if err := m.write(url, rng, round); err != nil {
			return
		}
		if rng.IntN(4) > 0 {
			continue
		}
		name := fmt.Sprintf("snap-%d-%d", round, i)
		m.mu.Lock()
		content := m.live()
		m.mu.Unlock()
		status, answer, err := servertest.Call(url, "PUT", "/_snapshot/crash/"+name+"?wait_for_completion=true", `{"indices":"crash","include_global_state":false}`)
		if err != nil {
			return
		}
		if status == 200 && strings.Contains(string(answer), `"state":"SUCCESS"`) {
			m.snap[name] = content
		}
		if len(m.snap) > 6 && rng.IntN(2) == 0 {
			for old := range m.snap {
				delete(m.snap, old) // whether it is gone is not known until the answer comes; it is not checked any more
				if _, _, err := servertest.Call(url, "DELETE", "/_snapshot/crash/"+old, ""); err != nil {
					return
				}
				break
			}
		}
	}
}

// forget drops snapshots that a killed delete may have removed; all that is still expected must be listed.
func (m *model) forget(t *testing.T, url string) {
	t.Helper()
	var res struct {
		Snapshots []struct{ Snapshot, State string }
	}
	deadline := time.Now().Add(time.Minute)
	for { // jobs that the killed process left are finished by this one
		servertest.Must(t, url, "GET", "/_snapshot/crash/_all", "", &res)
		running := false
		for _, s := range res.Snapshots {
			running = running || s.State == "IN_PROGRESS"
		}
		if !running {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a snapshot of the killed process does not end: %+v", res)
		}
		time.Sleep(20 * time.Millisecond)
	}
	have := map[string]string{}
	for _, s := range res.Snapshots {
		have[s.Snapshot] = s.State
	}
	for name := range m.snap {
		if have[name] != "SUCCESS" {
			t.Fatalf("snapshot %s was reported successful and is now %q", name, have[name])
		}
	}
}

// checkSnapshots restores each snapshot and compares; then cleans up, and looks whether all is whole and nothing left over.
func (m *model) checkSnapshots(t *testing.T, sv *servertest.Server, dir string) {
	t.Helper()
	t.Logf("%d snapshots are restored", len(m.snap))
	for name, want := range m.snap {
		sv.Must("POST", "/_snapshot/crash/"+name+"/_restore?wait_for_completion=true", `{"indices":"crash","rename_pattern":"crash","rename_replacement":"restored"}`, nil)
		got := map[string]string{}
		for id := range 300 {
			status, answer, err := servertest.Call(sv.URL, "GET", fmt.Sprintf("/restored/_doc/%d", id), "")
			if err != nil {
				t.Fatal(err)
			}
			if status == 200 {
				var res struct {
					Source json.RawMessage `json:"_source"`
				}
				if err := json.Unmarshal(answer, &res); err != nil {
					t.Fatal(err)
				}
				got[fmt.Sprint(id)] = string(res.Source)
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("snapshot %s holds %d documents that are not the %d of its moment", name, len(got), len(want))
		}
		sv.Must("DELETE", "/restored", "", nil)
	}
	sv.Must("POST", "/_snapshot/crash/_cleanup", "", nil)
	repo := filepath.Join(dir, "repos", "crash")
	if out, err := runVarve(t, "repo", "verify", "--deep", "--json", "fs:"+repo); err != nil || out != "" {
		t.Fatalf("the repository is not whole or not clean: %v\n%s", err, out)
	}
}

// A real node opens the repository that crashes left.
func TestRealNodeOpensRepository(t *testing.T) {
	oracletest.Shared(t)
	dir := t.TempDir()
	sv := start(t, dir)
	sv.Must("PUT", "/crash", `{"settings":{"number_of_shards":2,"number_of_replicas":0}}`, nil)
	sv.Must("PUT", "/_snapshot/crash", `{"type":"fs","settings":{"location":"crash","max_snapshot_bytes_per_sec":"0"}}`, nil)
	m := &model{docs: map[string]*doc{}, snap: map[string]map[string]string{}}
	rng := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 2))
	for round := range 3 {
		killed := time.AfterFunc(time.Duration(300+rng.IntN(600))*time.Millisecond, sv.Kill)
		m.work(sv.URL, rng, round)
		killed.Stop()
		sv.Kill()
		sv = start(t, dir)
		sv.Must("GET", "/_cluster/health/crash?wait_for_status=green&timeout=60s", "", nil)
		m.check(t, sv.URL)
		m.forget(t, sv.URL)
	}
	sv.Must("PUT", "/_snapshot/crash/last?wait_for_completion=true", `{"indices":"crash"}`, nil)
	m.snap["last"] = m.live()
	sv.Stop()
	url := oracletest.Node(t, "opensearch", "2.19", filepath.Join(dir, "repos"))
	servertest.Must(t, url, "PUT", "/_snapshot/crash", `{"type":"fs","settings":{"location":"crash"}}`, nil)
	for name, want := range m.snap {
		servertest.Must(t, url, "POST", "/_snapshot/crash/"+name+"/_restore?wait_for_completion=true", `{"indices":"crash","include_global_state":false,"rename_pattern":"crash","rename_replacement":"r-`+name+`"}`, nil)
		var count struct{ Count int }
		servertest.Must(t, url, "GET", "/r-"+name+"/_count", "", &count)
		if count.Count != len(want) {
			t.Errorf("a real node finds %d documents in snapshot %s, not %d", count.Count, name, len(want))
		}
	}
}
