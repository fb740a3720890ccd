//go:build linux

package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// fill leaves so many bytes free in the file system of dir. What it returns gives the space back.
func fill(t *testing.T, dir string, free int64) func() {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "filler")
	if err := os.WriteFile(path, make([]byte, int64(fs.Bavail)*fs.Bsize-free), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// bulkUntilFull indexes until a document is refused for want of space. It returns how many were acknowledged: those with the ids below.
func bulkUntilFull(t *testing.T, s *servertest.Server, from int) int {
	t.Helper()
	padding := strings.Repeat("a few words to fill the disk with ", 60)
	for n := from; n < from+100000; {
		var b strings.Builder
		for i := n; i < n+50; i++ {
			fmt.Fprintf(&b, "{\"index\":{\"_index\":\"full\",\"_id\":\"%d\"}}\n{\"n\":%d,\"text\":\"%d %s\"}\n", i, i, i, padding)
		}
		status, body, err := servertest.Call(s.URL, "POST", "/_bulk", b.String())
		if err != nil {
			t.Fatal(err)
		}
		if status != 200 {
			if !strings.Contains(string(body), "no space left") {
				t.Fatalf("a bulk on a full disk answers %d %.500s, which does not say why", status, body)
			}
			return n
		}
		var answer struct {
			Items []map[string]struct {
				ID     string          `json:"_id"`
				Status int             `json:"status"`
				Error  json.RawMessage `json:"error"`
			}
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		for _, item := range answer.Items {
			if one := item["index"]; one.Status/100 != 2 {
				if one.ID != fmt.Sprint(n) || !strings.Contains(string(one.Error), "no space left") {
					t.Fatalf("document %s (the next was %d) was refused with %d %s", one.ID, n, one.Status, one.Error)
				}
				return n
			}
			n++
		}
	}
	t.Fatal("the disk never filled")
	return 0
}

// has fails unless the documents with the ids below n are all found, and no others but those that may be.
func has(t *testing.T, s *servertest.Server, index string, n, most int) {
	t.Helper()
	s.Must("POST", "/"+index+"/_refresh", "", nil)
	var c struct{ Count int }
	s.Must("GET", "/"+index+"/_count", fmt.Sprintf(`{"query":{"range":{"n":{"lt":%d}}}}`, n), &c)
	if c.Count != n {
		t.Fatalf("of %d acknowledged documents %d are there", n, c.Count)
	}
	s.Must("GET", "/"+index+"/_count", "", &c)
	if c.Count > most {
		t.Fatalf("%d documents are there, though at most %d were sent", c.Count, most)
	}
}

// again indexes one document as soon as the index takes it: with space again it must, within a minute and without help.
func again(t *testing.T, s *servertest.Server, n int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		status, body, err := servertest.Call(s.URL, "PUT", fmt.Sprintf("/full/_doc/%d?refresh=true", n), fmt.Sprintf(`{"n":%d}`, n))
		if err == nil && status/100 == 2 {
			return
		}
		if time.Now().After(deadline) {
			log := s.Log()
			t.Fatalf("with space again the index takes no document: %d %.600s %v\n%s", status, body, err, log[max(0, len(log)-3000):])
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// TestFullDataDisk fills the disk of the data folder while documents are indexed: what was acknowledged stays, the server goes
// on answering and, with space again, goes on writing, before and after it is killed.
func TestFullDataDisk(t *testing.T) {
	disk := oracletest.SmallDisk(t, 320<<20)
	data, repo := filepath.Join(disk, "data"), t.TempDir()
	s := servertest.Start(t, data, repo)
	s.Must("PUT", "/full", `{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":{"properties":{"n":{"type":"integer"}}}}`, nil)
	s.Must("PUT", "/full/_doc/0?refresh=true", `{"n":0}`, nil)
	next := 1
	for round := range 2 {
		free := fill(t, disk, 4<<20)
		acked := bulkUntilFull(t, s, next)
		s.Must("GET", "/", "", nil)
		s.Must("GET", "/_cluster/health", "", nil)
		if round == 1 {
			s.Kill()
		}
		free()
		if round == 1 {
			s = servertest.Start(t, data, repo)
			s.Must("GET", "/_cluster/health?wait_for_status=yellow&timeout=60s", "", nil)
		}
		again(t, s, acked)
		next = acked + 1
		has(t, s, "full", next, acked+50)
	}
	s.Stop()
}

// TestFullRepositoryDisk fills the disk of a repository: a snapshot fails and says why, deleting works, and with space again so does the snapshot.
func TestFullRepositoryDisk(t *testing.T) {
	disk := oracletest.SmallDisk(t, 16<<20)
	s := servertest.Start(t, t.TempDir(), disk)
	s.Must("PUT", "/full", `{"settings":{"number_of_shards":2,"number_of_replicas":0},"mappings":{"properties":{"n":{"type":"integer"}}}}`, nil)
	s.Must("PUT", "/_snapshot/r", fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, filepath.Join(disk, "repo")), nil)
	docs := func(from, to int) {
		var b strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "{\"index\":{\"_index\":\"full\",\"_id\":\"%d\"}}\n{\"n\":%d,\"text\":\"%x\"}\n", i, i, strings.Repeat(fmt.Sprint(i*7919), 40))
		}
		s.Must("POST", "/_bulk?refresh=true", b.String(), nil)
	}
	docs(0, 200)
	s.Must("PUT", "/_snapshot/r/good?wait_for_completion=true", "", nil)
	s.Must("PUT", "/_snapshot/r/other?wait_for_completion=true", "", nil)
	free := fill(t, disk, 0)
	docs(200, 5000)
	status, body, err := servertest.Call(s.URL, "PUT", "/_snapshot/r/large?wait_for_completion=true", "")
	if err != nil || !strings.Contains(string(body), "no space left") || status == 200 && !strings.Contains(string(body), `"successful":0`) {
		t.Fatalf("a snapshot to a full disk: %d %s %v", status, body, err)
	}
	s.Must("DELETE", "/_snapshot/r/other", "", nil)
	free()
	s.Must("PUT", "/_snapshot/r/after?wait_for_completion=true", "", nil)
	if status, _, err := servertest.Call(s.URL, "DELETE", "/_snapshot/r/large", ""); err != nil || status != 200 && status != 404 {
		t.Fatalf("deleting the failed snapshot: %d %v", status, err)
	}
	s.Must("POST", "/_snapshot/r/_cleanup", "", nil)
	if out, err := runVarve(t, "repo", "verify", "--deep", "fs:"+filepath.Join(disk, "repo")); err != nil {
		t.Fatalf("the repository afterwards: %v\n%s", err, out)
	}
	s.Must("DELETE", "/full", "", nil)
	s.Must("POST", "/_snapshot/r/good/_restore?wait_for_completion=true", "", nil)
	has(t, s, "full", 200, 200)
	s.Must("DELETE", "/full", "", nil)
	s.Must("POST", "/_snapshot/r/after/_restore?wait_for_completion=true", "", nil)
	has(t, s, "full", 5000, 5000)
	s.Stop()
}
