package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/keystore"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// withS3 starts a server that has the credentials of a store in its key store.
func withS3(t *testing.T, srv *oracletest.S3, endpoint string, settings ...string) *servertest.Server {
	t.Helper()
	return servertest.Start(t, t.TempDir(), t.TempDir(), append([]string{servertest.S3Secrets(t, srv), "s3.client.default.endpoint=" + endpoint,
		"s3.client.default.region=" + srv.Region}, settings...)...)
}

const s3Repo = `{"type":"s3","settings":{"bucket":"shared","base_path":"backups/one","server_side_encryption_type":"bucket_default"}}`

type snapshots struct {
	Snapshots []struct {
		Snapshot, State string
		Indices         []string
	}
}

func listSnapshots(t *testing.T, url string) string {
	t.Helper()
	var l snapshots
	servertest.Must(t, url, "GET", "/_snapshot/repo/_all", "", &l)
	var names []string
	for _, s := range l.Snapshots {
		names = append(names, s.Snapshot+"="+s.State)
	}
	return strings.Join(names, " ")
}

// TestS3WithRealNode uses one bucket in turns with a real OpenSearch 3.8 and its own S3 plugin.
func TestS3WithRealNode(t *testing.T) {
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "shared")
	s := withS3(t, srv, srv.Endpoint)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo", s3Repo, nil)
	servertest.Must(t, s.URL, "PUT", "/ours", everyField, nil)
	fill(t, s.URL, "ours", 0, 120)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo/first?wait_for_completion=true", "", nil)

	node := oracletest.Node(t, "opensearch", "3", t.TempDir(), "--with", "repository-s3", "--set", "s3.client.default.endpoint="+srv.Endpoint,
		"--set", "s3.client.default.region="+srv.Region, "--set", "s3.client.default.path_style_access=true",
		"--set", "secure:s3.client.default.access_key="+srv.AccessKey, "--set", "secure:s3.client.default.secret_key="+srv.SecretKey)
	register := func() { // anew: a real node trusts the root that it saw last
		t.Helper()
		_, _, _ = servertest.Call(node, "DELETE", "/_snapshot/repo", "") // absent at first
		servertest.Must(t, node, "PUT", "/_snapshot/repo", s3Repo, nil)
	}
	register()
	if got := listSnapshots(t, node); got != "first=SUCCESS" {
		t.Fatalf("the real node lists %s", got)
	}
	servertest.Must(t, node, "POST", "/_snapshot/repo/first/_restore?wait_for_completion=true", `{"indices":"ours","include_global_state":false}`, nil)
	for _, q := range questions[:12] {
		ours, theirs := ask(t, s.URL, "ours", q), ask(t, node, "ours", q)
		if a, b := string(ours.Hits.Total), string(theirs.Hits.Total); a != b || len(ours.Hits.Hits) != len(theirs.Hits.Hits) {
			t.Errorf("%s: %s of ours, %s of the real node", q, a, b)
		}
	}
	// The real node adds a snapshot to ours; we add one to its.
	servertest.Must(t, node, "PUT", "/theirs/_doc/1?refresh=true", `{"a":1}`, nil)
	servertest.Must(t, node, "PUT", "/_snapshot/repo/second?wait_for_completion=true", `{"include_global_state":false}`, nil)
	if got := listSnapshots(t, s.URL); got != "first=SUCCESS second=SUCCESS" {
		t.Fatalf("we list %s", got)
	}
	fill(t, s.URL, "ours", 120, 180)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo/third?wait_for_completion=true", `{"indices":"ours"}`, nil)
	register()
	if got := listSnapshots(t, node); got != "first=SUCCESS second=SUCCESS third=SUCCESS" {
		t.Fatalf("the real node lists %s", got)
	}
	// Each deletes what the other wrote, and what is left can be restored by both.
	servertest.Must(t, node, "DELETE", "/_snapshot/repo/first", "", nil)
	servertest.Must(t, s.URL, "DELETE", "/_snapshot/repo/second", "", nil)
	register()
	if a, b := listSnapshots(t, s.URL), listSnapshots(t, node); a != "third=SUCCESS" || b != a {
		t.Fatalf("we list %s, the real node %s", a, b)
	}
	for _, url := range []string{s.URL, node} {
		servertest.Must(t, url, "POST", "/_snapshot/repo/third/_restore?wait_for_completion=true", `{"indices":"ours","include_global_state":false,"rename_pattern":"(.+)","rename_replacement":"again-$1"}`, nil)
	}
	q := `{"query":{"match_all":{}},"size":0,"track_total_hits":true}`
	want := string(ask(t, s.URL, "ours", q).Hits.Total)
	for _, url := range []string{s.URL, node} {
		if got := string(ask(t, url, "again-ours", q).Hits.Total); !strings.Contains(got, strings.Split(want, ",")[0]) {
			t.Errorf("%s has %s, not %s", url, got, want)
		}
	}
	servertest.Must(t, s.URL, "POST", "/_snapshot/repo/_cleanup", "", nil)
	noSecrets(t, s, srv.SecretKey, srv.AccessKey)
}

// noSecrets searches what a server wrote and answers for secrets.
func noSecrets(t *testing.T, s *servertest.Server, secrets ...string) {
	t.Helper()
	look := func(where string, b []byte) {
		for _, secret := range secrets {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s shows a secret", where)
			}
		}
	}
	look("the log", []byte(s.Log()))
	for _, path := range []string{"/_snapshot", "/_snapshot/_all", "/_cluster/state", "/_cluster/settings?include_defaults=true", "/_nodes", "/_nodes/settings", "/_nodes/stats", "/_tasks?detailed=true", "/_cat/repositories"} {
		_, b, err := servertest.Call(s.URL, "GET", path, "")
		if err != nil {
			t.Fatal(err)
		}
		look("the answer of "+path, b)
	}
	if err := filepath.WalkDir(s.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		look(path, b)
		return err
	}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// TestS3Secrets registers a repository with secrets in its settings, where that is allowed, and looks for them.
func TestS3Secrets(t *testing.T) {
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "shared")
	file := filepath.Join(t.TempDir(), keystore.FileName)
	s := servertest.Start(t, t.TempDir(), t.TempDir(), "keystore.path="+file, "repository_s3.allow_insecure_settings=true",
		"s3.client.default.endpoint="+srv.Endpoint, "s3.client.default.region="+srv.Region)
	body := func(secret string) string {
		return fmt.Sprintf(`{"type":"s3","settings":{"bucket":"shared","access_key":%q,"secret_key":%q}}`, srv.AccessKey, secret)
	}
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo", body(srv.SecretKey), nil)
	status, answer, err := servertest.Call(s.URL, "PUT", "/_snapshot/bad", body("mistaken-secret"))
	if err != nil || status != 500 || !strings.Contains(string(answer), "secret key is wrong") {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	servertest.Must(t, s.URL, "PUT", "/a/_doc/1?refresh=true", `{"a":1}`, nil)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo/one?wait_for_completion=true", "", nil)
	noSecrets(t, s, srv.SecretKey, srv.AccessKey, "mistaken-secret")
	if b, err := os.ReadFile(file); err != nil || bytes.Contains(b, []byte(srv.SecretKey)) {
		t.Fatalf("the key store: %v", err)
	}
	// The secrets survive a restart, and new ones are taken up without one.
	var reload struct{ Nodes map[string]json.RawMessage }
	servertest.Must(t, s.URL, "POST", "/_nodes/reload_secure_settings", "", &reload)
	for _, n := range reload.Nodes {
		if strings.Contains(string(n), "exception") {
			t.Fatalf("%s", n)
		}
	}
	if got := listSnapshots(t, s.URL); got != "one=SUCCESS" {
		t.Fatalf("after a reload: %s", got)
	}
	s.Stop()
	s = servertest.Start(t, s.Data, s.Repo, "keystore.path="+file, "repository_s3.allow_insecure_settings=true",
		"s3.client.default.endpoint="+srv.Endpoint, "s3.client.default.region="+srv.Region)
	deadline := time.Now().Add(20 * time.Second)
	for {
		status, b, err := servertest.Call(s.URL, "GET", "/_snapshot/repo/_all", "")
		if err == nil && status == 200 && strings.Contains(string(b), `"one"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a restart: %d %s %v", status, b, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
