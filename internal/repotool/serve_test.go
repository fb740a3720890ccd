package repotool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
)

// serve opens a repository and returns what a request to it answers, and what ends it.
func serve(parent context.Context, t *testing.T, o ServeOptions) (Served, func()) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(parent)
	ready := make(chan Served, 1)
	done := make(chan error, 1)
	o.Log = slog.New(slog.DiscardHandler)
	var out bytes.Buffer
	go func() { done <- Serve(ctx, &Printer{Out: &out, JSON: true}, o, func(s Served) { ready <- s }) }()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	select {
	case s := <-ready:
		return s, stop
	case err := <-done:
		t.Fatal(err)
	}
	return Served{}, nil
}

func ask(t *testing.T, method, url string, into any) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || json.Unmarshal(b, into) != nil {
		t.Fatalf("%s: %d %s %v", url, res.StatusCode, b, err)
	}
}

// integrity is an answer of _verify_integrity.
type integrity struct {
	Log []struct {
		Anomaly  string
		Blob     string
		File     string `json:"physical_file_name"`
		Shard    *int   `json:"shard_id"`
		Snapshot struct{ Snapshot, State string }
		Index    struct{ Name string }
		Counts   *struct {
			Total      int `json:"total_snapshot_count"`
			Restorable int `json:"restorable_snapshot_count"`
		} `json:"snapshot_restorability"`
		Restorability *struct {
			Restorable string
			Lost       []struct{ Index, Problem string }
		}
	}
	Results struct {
		Anomalies  int `json:"total_anomalies"`
		Result     string
		Generation int64 `json:"final_repository_generation"`
		Status     struct {
			Snapshots, Indices struct{ Verified, Total int }
			IndexSnapshots     struct{ Verified, Total int } `json:"index_snapshots"`
			Blobs              struct {
				Verified int
				Bytes    int64 `json:"bytes_verified"`
			}
		}
	}
}

// TestServe opens a repository, counts its documents, and asks the server whether it is whole, before and after damage.
func TestServe(t *testing.T) {
	dir := fixture(t, "opensearch-2.19/main")
	before := files(t, dir)
	s, stop := serve(bg, t, ServeOptions{Location: "fs:" + dir, Snapshot: "snap-3"})
	if s.Snapshot != "snap-3" || len(s.Indices) < 8 {
		t.Fatalf("%+v", s)
	}
	var exp expected
	oracletest.FixtureExpected(t, "opensearch-2.19/main", &exp)
	for ix, want := range exp.Snapshots[2].Indices {
		var c struct{ Count int }
		ask(t, "GET", s.URL+"/"+ix+"/_count", &c)
		if c.Count != want.Count {
			t.Errorf("%s: %d documents, want %d", ix, c.Count, want.Count)
		}
	}
	var ok integrity
	ask(t, "POST", s.URL+"/_snapshot/repo/_verify_integrity?verify_blob_contents=true&blob_thread_pool_concurrency=2", &ok)
	st := ok.Results.Status
	if ok.Results.Result != "pass" || ok.Results.Anomalies != 0 || st.Snapshots.Verified != 4 || st.Snapshots.Total != 4 || st.Indices.Verified != st.Indices.Total ||
		st.IndexSnapshots.Verified != st.IndexSnapshots.Total || st.Blobs.Verified == 0 || st.Blobs.Bytes == 0 {
		t.Errorf("%+v", ok.Results)
	}
	for _, e := range ok.Log {
		if e.Counts != nil && e.Counts.Total != e.Counts.Restorable || e.Restorability != nil && e.Restorability.Restorable != "full" {
			t.Errorf("%+v", e)
		}
	}
	victim := ""
	for name := range before {
		if strings.HasPrefix(filepath.Base(name), "__") && before[name] > 50 {
			victim = name
		}
	}
	cut(t, dir, victim)
	var bad integrity
	ask(t, "POST", s.URL+"/_snapshot/repo/_verify_integrity?human", &bad)
	if bad.Results.Result != "fail" || bad.Results.Anomalies != 1 || bad.Log[0].Blob != victim || bad.Log[0].Shard == nil || bad.Log[0].File == "" {
		t.Errorf("%s: %+v", victim, bad)
	}
	lost := 0
	for _, e := range bad.Log {
		if e.Restorability != nil && e.Restorability.Restorable != "full" {
			lost += len(e.Restorability.Lost)
		}
	}
	if lost == 0 {
		t.Error("nothing is called lost")
	}
	var few integrity
	ask(t, "POST", s.URL+"/_snapshot/repo/_verify_integrity?max_failed_shard_snapshots=0&pretty", &few)
	if few.Results.Result != "incomplete" {
		t.Errorf("%+v", few.Results)
	}
	cancelIntegrity(t, s.URL)
	var tasks map[string]any
	ask(t, "GET", s.URL+"/_tasks?actions=*verify_integrity", &tasks)
	if strings.Contains(fmt.Sprint(tasks), "verify_integrity") {
		t.Errorf("a task is left: %v", tasks)
	}
	stop()
	if now := files(t, dir); len(now) != len(before) {
		t.Errorf("%d files became %d", len(before), len(now))
	}
}

// cancelIntegrity starts a look that takes long, finds it among the tasks, and cancels it there.
func cancelIntegrity(t *testing.T, url string) {
	t.Helper()
	done := make(chan integrity, 1)
	go func() {
		var slow integrity
		ask(t, "POST", url+"/_snapshot/repo/_verify_integrity?verify_blob_contents=true&max_bytes_per_sec=1kb", &slow)
		done <- slow
	}()
	id := ""
	for range 200 {
		var list struct {
			Nodes map[string]struct {
				Tasks map[string]struct {
					Status struct{ Snapshots struct{ Total int } }
				}
			}
		}
		ask(t, "GET", url+"/_tasks?actions=*verify_integrity&detailed", &list)
		for _, n := range list.Nodes {
			for task, x := range n.Tasks {
				if x.Status.Snapshots.Total > 0 {
					id = task
				}
			}
		}
		if id != "" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if id == "" {
		t.Fatal("the task does not show how far it is")
	}
	var cancelled map[string]any
	ask(t, "POST", url+"/_tasks/"+id+"/_cancel", &cancelled)
	select {
	case got := <-done:
		if got.Results.Result != "incomplete" {
			t.Errorf("cancelled: %+v", got.Results)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the task goes on")
	}
}

func TestServeRefuses(t *testing.T) {
	dir := fixture(t, "opensearch-2.19/main")
	for _, o := range []ServeOptions{{Location: "fs:" + dir, Snapshot: "nope"}, {Location: "fs:" + t.TempDir()}} {
		if err := Serve(bg, &Printer{Out: io.Discard}, o, nil); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
