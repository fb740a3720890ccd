package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/servertest"
	"github.com/varve-search/varve/internal/state"
)

// twoShards makes a snapshot of an index of two shards with 400 documents.
func twoShards(t *testing.T, all *stores) {
	t.Helper()
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return all.of(r), nil }, nil)
	s.must("PUT", "/two", `{"settings":{"index.number_of_replicas":0,"index.number_of_shards":2,"index.refresh_interval":"-1"}}`)
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, `{"index":{"_index":"two","_id":"d%d"}}`+"\n"+`{"n":%d,"noise":%q}`+"\n", i, i, noise(i))
	}
	s.must("POST", "/_bulk?refresh=true", b.String())
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	s.must("PUT", "/_snapshot/r/s?wait_for_completion=true", `{"indices":"two"}`)
	s.stop()
}

// TestFailedShard restores an index of which one shard's files are damaged: the other one is there, the failure says why, and
// once the repository is repaired the shard alone is tried again.
func TestFailedShard(t *testing.T) {
	all := &stores{}
	twoShards(t, all)
	var broken atomic.Bool
	var gets atomic.Int64
	broken.Store(true)
	hook := func(o faulty.Op) faulty.Fault {
		if o.Kind == "get" && strings.Contains(o.Name, "/1/__") {
			gets.Add(1)
			if broken.Load() {
				return faulty.Fault{Flip: true, FlipAt: 40}
			}
		}
		return faulty.Fault{}
	}
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return faulty.New(all.of(r), hook), nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{}`)
	why := fmt.Sprint(at(out, "snapshot", "failures", 0, "reason"))
	if fmt.Sprint(at(out, "snapshot", "shards", "failed")) != "1" || fmt.Sprint(at(out, "snapshot", "failures", 0, "shard_id")) != "1" || !strings.Contains(why, "checksum") && !strings.Contains(why, "corrupt") {
		t.Fatalf("the restore of a damaged shard: %v", out)
	}
	t.Log(why)
	if out := s.must("POST", "/two/_search?size=0", `{}`); fmt.Sprint(at(out, "_shards", "successful")) != "1" || fmt.Sprint(at(out, "_shards", "total")) != "2" {
		t.Errorf("a search of what is there: %v", out)
	}
	if h := s.must("GET", "/_cluster/health/two", ""); h["status"] != "red" {
		t.Errorf("with a lost shard the health is %v", h["status"])
	}
	if out := s.must("POST", "/_cluster/allocation/explain", `{"index":"two","shard":1,"primary":true}`); !strings.Contains(fmt.Sprint(at(out, "unassigned_info", "details")), "_") {
		t.Errorf("the explanation: %v", at(out, "unassigned_info"))
	}
	tried := gets.Load()
	broken.Store(false)
	s.must("POST", "/_cluster/reroute?retry_failed=true", "")
	waitGreen(t, s, "two")
	if out := s.must("GET", "/two/_count", ""); fmt.Sprint(out["count"]) != "400" {
		t.Errorf("after the retry there are %v documents", out["count"])
	}
	if gets.Load() == tried {
		t.Error("the shard came back without being read")
	}
}

// TestUnreliableStore restores from a store of which half of the streams break off.
func TestUnreliableStore(t *testing.T) {
	all := &stores{}
	twoShards(t, all)
	var cut, n atomic.Int64
	hook := func(o faulty.Op) faulty.Fault {
		if o.Kind == "get" && strings.Contains(o.Name, "/__") {
			switch n.Add(1) % 3 {
			case 0:
				cut.Add(1)
				return faulty.Fault{Cut: true, Truncate: 100}
			case 1:
				cut.Add(1)
				return faulty.Fault{Before: faulty.Fail(blob.KindThrottled)}
			}
		}
		return faulty.Fault{}
	}
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return faulty.New(all.of(r), hook), nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	if out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{}`); fmt.Sprint(at(out, "snapshot", "shards", "failed")) != "0" {
		t.Fatal(out)
	}
	retries := int64(0)
	for _, rec := range s.node.Index("two").Recoveries() {
		retries += rec.Files.Counts().Retries
	}
	if out := s.must("GET", "/two/_count", ""); fmt.Sprint(out["count"]) != "400" || cut.Load() == 0 || retries == 0 {
		t.Errorf("%v documents after %d faults and %d retries", out["count"], cut.Load(), retries)
	}
}

// TestDeletedWhileRestored deletes an index whose files arrive slowly: the restore ends at once.
func TestDeletedWhileRestored(t *testing.T) {
	all := &stores{}
	twoShards(t, all)
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return slow{all.of(r), 0, 10 << 10}, nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	done := make(chan map[string]any, 1)
	go func() {
		_, out := s.call("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{}`)
		done <- out
	}()
	for s.node.Store().View().Index("two") == nil {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // it is searched from the repository by now
	if code, out := s.call("DELETE", "/_snapshot/r/s", ""); code != http.StatusServiceUnavailable {
		t.Errorf("the snapshot was deleted while it was restored: %d %v", code, out)
	}
	s.must("DELETE", "/two", "")
	select {
	case out := <-done:
		if fmt.Sprint(at(out, "snapshot", "shards", "failed")) != "2" || at(out, "snapshot", "failures", 0, "reason") != "index was deleted" {
			t.Errorf("the restore of a deleted index: %v", out)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the restore goes on though the index was deleted")
	}
	s.must("DELETE", "/_snapshot/r/s", "")
}

// TestNoRoom refuses a restore that does not fit on the disk, before anything is made.
func TestNoRoom(t *testing.T) {
	all := &stores{}
	twoShards(t, all)
	free := int64(100_000)
	cfg := func(c *cluster.Config) { c.DiskSpace = func(string) (int64, int64) { return 1 << 40, free } }
	s := startWith(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return all.of(r), nil }, nil, cfg)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	code, out := s.call("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{}`)
	why := fmt.Sprint(at(out, "error", "reason"))
	var need int64
	if i := strings.Index(why, "it needs ["); code != http.StatusInternalServerError || i < 0 || !strings.Contains(why, "[100000] bytes are free") {
		t.Fatalf("%d %v", code, out)
	} else if _, err := fmt.Sscanf(why[i:], "it needs [%d]", &need); err != nil || need < 200_000 {
		t.Fatal(why)
	}
	if s.node.Store().View().Index("two") != nil {
		t.Error("the index was made all the same")
	}
	free = need
	s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{}`)
	s.must("POST", "/two/_close", "")
	free = 1000 // the files are there
	if out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{}`); fmt.Sprint(at(out, "snapshot", "shards", "failed")) != "0" {
		t.Error(out)
	}
	for id, rec := range s.node.Index("two").Recoveries() {
		if c := rec.Files.Counts(); c.ReusedFiles != c.TotalFiles-1 || c.MovedFiles != 1 || c.MovedBytes > 1000 {
			t.Errorf("shard %d of a closed index: %+v", id, c)
		}
	}
	free = 0
	s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{"storage_type":"remote_snapshot","rename_pattern":"^","rename_replacement":"remote-"}`)
}

// TestKilledWhileRestoring kills the server while files arrive, and again while it goes on.
func TestKilledWhileRestoring(t *testing.T) {
	data, repo := t.TempDir(), t.TempDir()
	s := servertest.Start(t, data, repo)
	do := func(method, path, body string) string {
		t.Helper()
		code, out, err := servertest.Call(s.URL, method, path, body)
		if err != nil || code/100 != 2 {
			t.Fatalf("%s %s: %d %s %v", method, path, code, out, err)
		}
		return string(out)
	}
	do("PUT", "/_snapshot/r", fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"max_restore_bytes_per_sec":"800kb"}}`, repo))
	do("PUT", "/ix", `{"settings":{"index.number_of_replicas":0}}`)
	var b strings.Builder
	for i := range 1200 {
		fmt.Fprintf(&b, `{"index":{"_id":"d%d"}}`+"\n"+`{"n":%d,"a":%q,"b":%q}`+"\n", i, i, noise(i), noise(i+1000000))
		if i < 60 && i%10 == 9 || i == 1199 { // small segments, and a large one
			do("POST", "/ix/_bulk?refresh=true", b.String())
			b.Reset()
		}
	}
	do("PUT", "/_snapshot/r/s?wait_for_completion=true", `{"indices":"ix"}`)
	do("DELETE", "/ix", "")
	do("POST", "/_snapshot/r/s/_restore", "{}")
	for range 2 {
		time.Sleep(600 * time.Millisecond)
		if health := do("GET", "/_cluster/health/ix", ""); !strings.Contains(health, `"yellow"`) {
			t.Fatalf("too late for a kill: %s", health)
		}
		before, _, whole, total := arrived(do("GET", "/ix/_recovery?detailed=true", ""))
		s.Kill()
		s = servertest.Start(t, data, repo)
		percent, reused := 0.0, int64(0)
		for percent == 0 {
			percent, reused, _, _ = arrived(do("GET", "/ix/_recovery?detailed=true", ""))
		}
		t.Logf("%.1f%% before the kill, %d bytes in whole files; then %.1f%%, %d bytes reused", before, whole, percent, reused)
		if reused < whole || percent+0.1 < 100*float64(whole)/float64(total) {
			t.Errorf("after the restart %d bytes are reused (%.1f%%), of %d that were whole before", reused, percent, whole)
		}
		for range 20 {
			if now, _, _, _ := arrived(do("GET", "/ix/_recovery?detailed=true", "")); now < percent {
				t.Errorf("%.1f%% became %.1f%%", percent, now)
			} else {
				percent = now
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	do("PUT", "/_snapshot/r", fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"max_restore_bytes_per_sec":"0"}}`, repo))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for !strings.Contains(do("GET", "/_cluster/health/ix", ""), `"green"`) {
		if ctx.Err() != nil {
			t.Fatal("the restore does not end")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if out := do("GET", "/ix/_count", ""); !strings.Contains(out, `"count":1200,`) {
		t.Error(out)
	}
	if out := do("GET", "/ix/_recovery", ""); !strings.Contains(out, `"type":"SNAPSHOT"`) || strings.Contains(out, `"reused":0,`) {
		t.Errorf("what had arrived was fetched again: %s", out)
	}
	do("DELETE", "/_snapshot/r/s", "")
}

// arrived returns how much of a shard is there, what of it is reused, and the bytes of the files of which all is there.
func arrived(recovery string) (percent float64, reused, whole, total int64) {
	var out map[string]struct {
		Shards []struct {
			Index struct {
				Size struct {
					Total   int64 `json:"total_in_bytes"`
					Reused  int64 `json:"reused_in_bytes"`
					Percent string
				}
				Files struct {
					Details []struct {
						Name      string
						Length    int64 `json:"length_in_bytes"`
						Recovered int64 `json:"recovered_in_bytes"`
						Reused    bool
					}
				}
			}
		}
	}
	if json.Unmarshal([]byte(recovery), &out) != nil || len(out["ix"].Shards) != 1 {
		return 0, 0, 0, 0
	}
	x := out["ix"].Shards[0].Index
	for _, f := range x.Files.Details {
		if (f.Reused || f.Recovered == f.Length) && !strings.HasPrefix(f.Name, "segments_") {
			whole += f.Length
		}
	}
	percent, _ = strconv.ParseFloat(strings.TrimSuffix(x.Size.Percent, "%"), 64) // 0 where it is none
	return percent, x.Size.Reused, whole, x.Size.Total
}

// TestTriedAgain restores from a store that refuses a shard's list of files twice: the restore ends well, and only then.
func TestTriedAgain(t *testing.T) {
	all := &stores{}
	twoShards(t, all)
	var refused atomic.Int64
	hook := func(o faulty.Op) faulty.Fault {
		// the first of all is asked for its size, before the restore begins
		if o.Kind == "get" && strings.Contains(o.Name, "/1/snap-") && refused.Add(1) <= 3 {
			return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
		}
		return faulty.Fault{}
	}
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return faulty.New(all.of(r), hook), nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{}`)
	if fmt.Sprint(at(out, "snapshot", "shards", "failed")) != "0" || refused.Load() < 4 {
		t.Errorf("after %d requests: %v", refused.Load(), out)
	}
	if out := s.must("GET", "/two/_count", ""); fmt.Sprint(out["count"]) != "400" {
		t.Errorf("there are %v documents", out["count"])
	}
}

// TestPartial restores a snapshot that lacks a shard.
func TestPartial(t *testing.T) {
	all := &stores{}
	var broken atomic.Bool
	hook := func(o faulty.Op) faulty.Fault {
		if broken.Load() && o.Kind == "put" && strings.Contains(o.Name, "/1/") {
			return faulty.Fault{Before: faulty.Fail(blob.KindNoSpace)}
		}
		return faulty.Fault{}
	}
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) { return faulty.New(all.of(r), hook), nil }, nil)
	s.must("PUT", "/two", `{"settings":{"index.number_of_replicas":0,"index.number_of_shards":2}}`)
	for i := range 20 {
		s.must("PUT", fmt.Sprintf("/two/_doc/%d", i), `{"n":1}`)
	}
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	broken.Store(true)
	if out := s.must("PUT", "/_snapshot/r/s?wait_for_completion=true", `{"partial":true,"indices":"two"}`); at(out, "snapshot", "state") != "PARTIAL" {
		t.Fatal(out)
	}
	broken.Store(false)
	rename := `"rename_pattern":"^","rename_replacement":"p-"`
	if code, out := s.call("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{`+rename+`}`); code != http.StatusInternalServerError || !strings.Contains(fmt.Sprint(out), "wasn't fully snapshotted") {
		t.Errorf("without partial: %d %v", code, out)
	}
	out := s.must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", `{"partial":true,`+rename+`}`)
	if fmt.Sprint(at(out, "snapshot", "shards", "failed")) != "1" || !strings.Contains(fmt.Sprint(at(out, "snapshot", "failures", 0, "reason")), "does not hold the shard") {
		t.Errorf("with partial: %v", out)
	}
	s.must("PUT", "/p-two/_doc/new?refresh=true", `{"n":1}`)
	waitGreen(t, s, "p-two")
}
