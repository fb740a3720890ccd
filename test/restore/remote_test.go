package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// remotely is a proxy that turns each restore into one that leaves the files in the repository.
func remotely(t *testing.T, target string, restores *int) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_restore") {
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			body["storage_type"] = "remote_snapshot"
			b, err := json.Marshal(body)
			if err != nil {
				t.Error(err)
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			*restores++
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestReplayRemote searches snapshots that real nodes wrote without restoring them, and compares all that a restore is compared
// with, scores included. The cache holds a few blocks only, so that they come and go.
func TestReplayRemote(t *testing.T) {
	shared := oracletest.Shared(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("%s no python3, which compares the answers", oracletest.SkipMark)
	}
	repo, data := t.TempDir(), t.TempDir()
	const cache = 300 << 10
	s := servertest.Start(t, data, repo, "node.search.cache.size=300kb")
	fixtures := []string{"opensearch-2.19/main"}
	if os.Getenv("VARVE_LONG") != "" {
		fixtures = append(fixtures, "opensearch-2.19/chunked", "opensearch-2.19/zstd", "opensearch-2.17/main", "opensearch-2.11/main", "opensearch-2.3/main")
	}
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			restores := 0
			proxied := remotely(t, s.URL, &restores)
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, python, filepath.Join(shared, "fixtures", "replay.py"), proxied, filepath.Join(shared, "fixtures", name),
				filepath.Join(repo, strings.ReplaceAll(name, "/", "-")))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s differs from the real node: %v\n%.8000s", name, err, out)
			}
			if !strings.Contains(string(out), " 0 differ") || restores == 0 {
				t.Errorf("%s was not compared to the end, after %d restores:\n%.8000s", name, restores, out)
			}
			if size := cacheSize(t, data); size > cache {
				t.Errorf("the cache takes %d bytes, more than %d", size, cache)
			}
		})
	}
}
