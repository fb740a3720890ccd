package interop

import (
	"encoding/base64"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// fillNoise adds documents of about 10 kB each that do not become smaller.
func fillNoise(t *testing.T, url, index string, docs int) {
	t.Helper()
	rnd := rand.New(rand.NewSource(1))
	noise := make([]byte, 7500)
	for at := 0; at < docs; at += 100 {
		var b strings.Builder
		for i := at; i < min(at+100, docs); i++ {
			rnd.Read(noise)
			fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n{\"n\":%d,\"noise\":%q}\n", i, i, base64.StdEncoding.EncodeToString(noise))
		}
		bulk(t, url, index, b.String())
	}
	servertest.Must(t, url, "POST", "/"+index+"/_flush", "", nil)
}

const noiseIndex = `{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":{"properties":{"n":{"type":"long"},"noise":{"type":"keyword","index":false,"doc_values":false}}}}`

// verify reads every blob of the repository of s3Repo with the command line tool, at the store itself.
func verify(t *testing.T, srv *oracletest.S3) {
	t.Helper()
	cmd := exec.Command(servertest.Binary(t), "repo", "verify", "--deep", "s3://shared/backups/one?endpoint="+srv.Endpoint)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+srv.AccessKey, "AWS_SECRET_ACCESS_KEY="+srv.SecretKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the repository is not whole: %v\n%s", err, out)
	}
}

// TestS3Outage lets the store be away in the midst of a snapshot and of a restore: refusing connections, and silent. Both take
// longer by that, and nothing is lost. With VARVE_LONG it is away for a minute each time, else for ten seconds, and refuses only.
func TestS3Outage(t *testing.T) {
	t.Parallel() // it mostly waits
	away, ways := 10*time.Second, []string{"refused"}
	if os.Getenv("VARVE_LONG") != "" {
		away, ways = time.Minute, []string{"refused", "silent"}
	}
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "shared")
	g := openGate(t, srv.Endpoint)
	s := withS3(t, srv, g.url(), "s3.client.default.read_timeout=5s")
	repo := strings.Replace(s3Repo, `"settings":{`, `"settings":{"buffer_size":"5mb","max_snapshot_bytes_per_sec":"4mb","max_restore_bytes_per_sec":"4mb",`, 1)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo", repo, nil)
	const docs = 1200
	for _, way := range ways {
		servertest.Must(t, s.URL, "PUT", "/"+way, noiseIndex, nil)
		fillNoise(t, s.URL, way, docs)
		// during lets the store be away from a second after the request on, and returns how long the request took.
		during := func(what, method, path, body string, answer any) {
			t.Helper()
			back := make(chan struct{})
			start := time.Now()
			go func() {
				defer close(back)
				time.Sleep(time.Second)
				if way == "silent" {
					g.silence()
					time.Sleep(away)
					g.move()
				} else {
					g.refuse()
					time.Sleep(away)
					g.open()
				}
			}()
			servertest.Must(t, s.URL, method, path, body, answer)
			took := time.Since(start)
			<-back
			t.Logf("%s while the store was %s for %s: %s", what, way, away, took.Round(100*time.Millisecond))
			if took < away || took > 2*away+30*time.Second {
				t.Errorf("%s took %s", what, took)
			}
		}
		var taken struct {
			Snapshot struct {
				State    string
				Failures []struct{ Reason string }
			}
		}
		during("a snapshot", "PUT", "/_snapshot/repo/"+way+"?wait_for_completion=true", `{"indices":"`+way+`"}`, &taken)
		if taken.Snapshot.State != "SUCCESS" {
			t.Fatalf("%+v", taken)
		}
		var restored struct {
			Snapshot struct{ Shards struct{ Total, Failed int } }
		}
		during("a restore", "POST", "/_snapshot/repo/"+way+"/_restore?wait_for_completion=true", `{"rename_pattern":"(.+)","rename_replacement":"again-$1"}`, &restored)
		if sh := restored.Snapshot.Shards; sh.Total != 1 || sh.Failed != 0 {
			t.Fatalf("%+v", restored)
		}
		for _, index := range []string{way, "again-" + way} {
			if got := string(ask(t, s.URL, index, `{"size":0,"track_total_hits":true,"query":{"range":{"n":{"gte":0}}}}`).Hits.Total); !strings.Contains(got, fmt.Sprintf(`"value":%d,`, docs)) {
				t.Errorf("%s has %s", index, got)
			}
		}
	}
	verify(t, srv)
}

// TestS3EachFault takes and restores snapshots while one request in twenty fails in one way: all of them succeed.
func TestS3EachFault(t *testing.T) {
	t.Parallel()
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "shared")
	proxy := oracletest.FaultProxy(t, srv.Endpoint)
	s := withS3(t, srv, proxy, "s3.client.default.sts_endpoint="+srv.Endpoint)
	// Credentials that end are replaced where that is possible: those of a role.
	repo := strings.Replace(s3Repo, `"settings":{`, `"settings":{"buffer_size":"5mb","role_arn":"arn:minio:iam:::role/any",`, 1)
	deadline := time.Now().Add(20 * time.Second)
	for { // MinIO answers for roles a little later than for buckets
		status, answer, err := servertest.Call(s.URL, "PUT", "/_snapshot/repo", repo)
		if err == nil && status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s %v", status, answer, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	servertest.Must(t, s.URL, "PUT", "/docs", `{"settings":{"number_of_shards":2,"number_of_replicas":0}}`, nil)
	docs := 0
	for _, way := range []struct {
		name string
		rule map[string]any
	}{
		{"reset", map[string]any{"cut": true}},
		{"lost", map[string]any{"cut": true, "after": true}},
		{"latency", map[string]any{"delay_ms": 300}},
		{"slowdown", map[string]any{"status": 503, "code": "SlowDown"}},
		{"truncated", map[string]any{"method": "GET", "truncate": 300}},
		{"expired", map[string]any{"status": 400, "code": "ExpiredToken"}},
	} {
		way.rule["path"], way.rule["p"] = "^/shared/", 0.05
		var b strings.Builder
		for range 40 {
			fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n{\"n\":%d,\"t\":\"word%d\"}\n", docs, docs, docs%7)
			docs++
		}
		bulk(t, s.URL, "docs", b.String())
		faults(t, proxy, way.rule)
		for round := range 2 {
			name := fmt.Sprint(way.name, round)
			var taken struct{ Snapshot struct{ State string } }
			servertest.Must(t, s.URL, "PUT", "/_snapshot/repo/"+name+"?wait_for_completion=true", `{"indices":"docs"}`, &taken)
			if taken.Snapshot.State != "SUCCESS" {
				t.Fatalf("%s: %+v", name, taken)
			}
			servertest.Must(t, s.URL, "POST", "/_snapshot/repo/"+name+"/_restore?wait_for_completion=true", `{"rename_pattern":"docs","rename_replacement":"again"}`, nil)
			if got := string(ask(t, s.URL, "again", `{"size":0,"track_total_hits":true}`).Hits.Total); !strings.Contains(got, fmt.Sprintf(`"value":%d,`, docs)) {
				t.Errorf("%s has %s, not %d", name, got, docs)
			}
			servertest.Must(t, s.URL, "DELETE", "/again", "", nil)
			if round > 0 {
				servertest.Must(t, s.URL, "DELETE", "/_snapshot/repo/"+name, "", nil)
			}
		}
		faults(t, proxy)
	}
	if got := listSnapshots(t, s.URL); strings.Count(got, "=SUCCESS") != 6 {
		t.Errorf("we list %s", got)
	}
	verify(t, srv)
}
