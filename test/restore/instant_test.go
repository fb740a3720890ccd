package restore

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

const query = `{"query":{"match":{"body":"word13"}},"track_total_hits":true,"aggs":{"t":{"terms":{"field":"tag"}}},"sort":["_score","n"]}`

// snapshotted fills an index on a server of its own and takes a snapshot of it; it returns what the query answers there.
func snapshotted(t *testing.T, all *stores, n int, merged bool) string {
	t.Helper()
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return all.of(r), nil }, nil)
	fill(s, "big", n)
	if merged {
		s.must("POST", "/big/_forcemerge?max_num_segments=1", "")
	}
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a","max_snapshot_bytes_per_sec":"-1"}}`)
	if out := s.must("PUT", "/_snapshot/r/s?wait_for_completion=true", `{"indices":"big","include_global_state":false}`); at(out, "snapshot", "state") != "SUCCESS" {
		t.Fatal(out)
	}
	want := answer(s.must("POST", "/big/_search", query))
	s.stop()
	return want
}

// answer is what two servers must say the same: total, and of each hit id, score, source and sort.
func answer(out map[string]any) string {
	var b strings.Builder
	fmt.Fprintln(&b, at(out, "hits", "total"), at(out, "aggregations"))
	hits, _ := at(out, "hits", "hits").([]any)
	for _, h := range hits {
		fmt.Fprintln(&b, at(h, "_id"), at(h, "_score"), at(h, "sort"), fmt.Sprint(at(h, "_source"))[:80])
	}
	return b.String()
}

// TestInstantRestore searches an index long before its files are there.
func TestInstantRestore(t *testing.T) {
	all := &stores{}
	want := snapshotted(t, all, 3000, false)
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) {
		return slow{all.of(r), 20 * time.Millisecond, 250 << 10}, nil
	}, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	began := time.Now()
	s.must("POST", "/_snapshot/r/s/_restore", `{"rename_pattern":"^","rename_replacement":"my-"}`)
	var first time.Duration
	for first == 0 {
		code, out := s.call("POST", "/my-big/_search", query)
		switch {
		case code == http.StatusOK && fmt.Sprint(at(out, "_shards", "failed")) == "0":
			first = time.Since(began)
			if got := answer(out); got != want {
				t.Fatalf("the search answers\n%s, and not\n%s", got, want)
			}
		case time.Since(began) > 30*time.Second:
			t.Fatalf("no answer: %d %v", code, out)
		default:
			time.Sleep(5 * time.Millisecond)
		}
	}
	rec := at(s.must("GET", "/my-big/_recovery", ""), "my-big", "shards", 0)
	moved, total := number(t, at(rec, "index", "size", "recovered_in_bytes")), number(t, at(rec, "index", "size", "total_in_bytes"))
	if at(rec, "stage") != "INDEX" || moved > total/2 {
		t.Errorf("at the first answer the recovery was %v with %d of %d bytes", at(rec, "stage"), moved, total)
	}
	if h := s.must("GET", "/_cluster/health/my-big", ""); h["status"] != "yellow" || fmt.Sprint(h["initializing_shards"]) != "1" {
		t.Errorf("meanwhile the health is %v with %v shards initializing", h["status"], h["initializing_shards"])
	}
	// A write waits until the files are there, and is not lost.
	var wrote atomic.Int64
	done := make(chan int, 1)
	go func() {
		code, _ := s.call("PUT", "/my-big/_doc/new?refresh=true", `{"n":-1,"tag":"new"}`)
		wrote.Store(int64(time.Since(began)))
		done <- code
	}()
	// Searches go on all the time, over the change from the repository to the files.
	searches := 0
	for s.must("GET", "/_cluster/health/my-big", "")["status"] != "green" {
		if out := s.must("POST", "/my-big/_search", `{"size":3,"query":{"term":{"tag":"t3"}}}`); fmt.Sprint(at(out, "hits", "total", "value")) != "429" || fmt.Sprint(at(out, "_shards", "failed")) != "0" {
			t.Fatalf("while files arrive a search answers %v", out)
		}
		searches++
		if time.Since(began) > time.Minute {
			t.Fatal("the restore does not end")
		}
	}
	all100 := time.Since(began)
	if code := <-done; code != http.StatusCreated {
		t.Errorf("the write that waited got %d", code)
	}
	if out := s.must("GET", "/my-big/_count", ""); fmt.Sprint(out["count"]) != "3001" {
		t.Errorf("in the end there are %v documents", out["count"])
	}
	t.Logf("first answer after %v with %d of %d bytes moved; all files after %v; %d searches meanwhile; the write came after %v",
		first.Round(time.Millisecond), moved, total, all100.Round(time.Millisecond), searches, time.Duration(wrote.Load()).Round(time.Millisecond))
	if first > all100/2 || time.Duration(wrote.Load()) < all100/2 {
		t.Errorf("the first answer came after %v, all files after %v, the write after %v", first, all100, time.Duration(wrote.Load()))
	}
}

func number(t *testing.T, v any) int64 {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		t.Fatalf("%v: %v", v, err)
	}
	return n
}

// TestInstantRestoreOff shows that the setting switches it off.
func TestInstantRestoreOff(t *testing.T) {
	all := &stores{}
	snapshotted(t, all, 600, false)
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) {
		return slow{all.of(r), 5 * time.Millisecond, 300 << 10}, nil
	}, nil)
	s.must("PUT", "/_cluster/settings", `{"persistent":{"snapshot.restore.instant.enabled":false}}`)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	s.must("POST", "/_snapshot/r/s/_restore", `{}`)
	for s.must("GET", "/_cluster/health/big", "")["status"] != "green" {
		if code, out := s.call("POST", "/big/_search", `{}`); code == http.StatusOK && at(s.must("GET", "/big/_recovery", ""), "big", "shards", 0, "stage") == "INDEX" {
			t.Fatalf("a search was answered before the files were there: %v", out["_shards"])
		}
		time.Sleep(20 * time.Millisecond)
	}
	if at := s.node.Index("big").Recoveries()[0].Searchable.Load(); at != 0 {
		t.Errorf("it was opened early, at %v", time.Unix(0, at))
	}
}

// TestRemoteSnapshot searches a slow repository without bringing it here, in a cache that is too small, and over a restart.
func TestRemoteSnapshot(t *testing.T) {
	all := &stores{}
	want := snapshotted(t, all, 5000, true)
	limit := int64(1100 << 10)
	dir := t.TempDir()
	var read atomic.Int64
	open := func(r *state.Repository) (blob.Container, error) {
		if r.Settings.GetOr("location", "") != "a" {
			return all.of(r), nil
		}
		trace := blob.Trace(slow{all.of(r), 20 * time.Millisecond, 0}, func(q blob.Request) { read.Add(q.Bytes) })
		return trace, nil
	}
	set := settings.Settings{"node.search.cache.size": fmt.Sprint(limit, "b")}
	s := start(t, dir, open, set)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	began := time.Now()
	if out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{"storage_type":"remote_snapshot"}`); fmt.Sprint(at(out, "snapshot", "shards", "failed")) != "0" {
		t.Fatal(out)
	}
	ask := func(s *server, when string) {
		t.Helper()
		out := s.must("POST", "/big/_search", query)
		if got := answer(out); got != want {
			t.Fatalf("%s the search answers\n%s, and not\n%s", when, got, want)
		}
		if size := cacheSize(t, dir); size > limit {
			t.Errorf("%s the cache takes %d bytes, more than %d", when, size, limit)
		}
	}
	ask(s, "at first")
	total := number(t, at(s.must("GET", "/big/_stats/store", ""), "_all", "primaries", "store", "size_in_bytes"))
	t.Logf("first answer after %v with %d of %d bytes fetched", time.Since(began).Round(time.Millisecond), read.Load(), total)
	if read.Load() > total*2/3 {
		t.Errorf("%d of %d bytes were fetched for one search", read.Load(), total)
	}
	for i := range 20 { // documents from everywhere
		if out := s.must("GET", fmt.Sprintf("/big/_doc/d%d", i*249), ""); out["found"] != true {
			t.Fatal(out)
		}
	}
	ask(s, "after many documents")
	for _, r := range [][2]string{{"PUT", "/big/_doc/x"}, {"DELETE", "/big/_doc/d1"}, {"POST", "/big/_close"}, {"PUT", "/big/_mapping"}} {
		if code, out := s.call(r[0], r[1], `{}`); code != http.StatusForbidden || at(out, "error", "type") != "cluster_block_exception" {
			t.Errorf("%s %s: %d %v", r[0], r[1], code, out)
		}
	}
	if code, out := s.call("DELETE", "/_snapshot/r/s", ""); code != http.StatusConflict || at(out, "error", "type") != "snapshot_in_use_deletion_exception" {
		t.Errorf("the snapshot's deletion: %d %v", code, out)
	}
	s.must("PUT", "/_snapshot/b", `{"type":"fs","settings":{"location":"b"}}`)
	if out := s.must("PUT", "/_snapshot/b/again?wait_for_completion=true", `{"indices":"big"}`); at(out, "snapshot", "state") != "SUCCESS" {
		t.Errorf("a snapshot of it: %v", out)
	}
	limit = 64 << 20
	for _, when := range []string{"after a restart with a larger cache", "after another one"} {
		s.stop()
		s = start(t, dir, open, settings.Settings{"node.search.cache.size": "64mb"})
		waitGreen(t, s, "big")
		ask(s, when)
		cache, err := s.node.Blocks()
		check(t, err)
		st := cache.Stats()
		t.Logf("%s: %+v", when, st)
		if again := strings.Contains(when, "another"); again && (st.Fetched != 0 || st.Hits == 0) {
			t.Errorf("%s blocks were fetched though they had been kept: %+v", when, st)
		}
	}
	s.must("DELETE", "/big", "")
	s.must("DELETE", "/_snapshot/r/s", "")
}

func waitGreen(t *testing.T, s *server, index string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		code, out := s.call("GET", "/_cluster/health/"+index, "")
		if code == http.StatusOK && out["status"] == "green" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not become green: %v", index, out)
		}
	}
}
