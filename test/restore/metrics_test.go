package restore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/state"
)

// TestMetrics: what a repository's store was asked, and what was done with it, shows as JSON and for Prometheus.
func TestMetrics(t *testing.T) {
	m := mem.New()
	var sent blob.Recorder
	s := start(t, t.TempDir(), func(*state.Repository) (blob.Container, error) { return blob.Trace(m, sent.Record), nil }, nil)
	fill(s, "a", 200)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`)
	s.must("PUT", "/_snapshot/r/one?wait_for_completion=true", "")
	s.must("DELETE", "/a", "")
	s.must("POST", "/_snapshot/r/one/_restore?wait_for_completion=true", "{}")
	s.must("DELETE", "/_snapshot/r/one", "")
	// A change that opens the store anew does not begin at 0.
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r","compress":true}}`)
	s.must("GET", "/_snapshot/r/_all", "")

	got := s.must("GET", "/_snapshot/r/_stats?human", "")
	num := func(path ...any) int64 {
		n, _ := at(got, append([]any{"repositories", "r"}, path...)...).(json.Number)
		i, _ := n.Int64()
		return i
	}
	counts := sent.Counts()
	if want := counts["put"] + counts["put-if-absent"]; want == 0 || num("requests", "by_kind", "put") != int64(want) || num("requests", "by_kind", "list") != int64(counts["list"]) {
		t.Errorf("%v sent, counted %v", counts, got)
	}
	if num("sent_in_bytes") < 100<<10 || num("received_in_bytes") < 100<<10 || num("snapshots", "success") != 1 || num("restores", "success") != 1 ||
		num("deletions", "success") != 1 || num("snapshots", "in_progress")+num("snapshots", "failed") != 0 {
		t.Errorf("%v", got)
	}

	r := httptest.NewRequest("GET", "/_prometheus/metrics", nil)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	text := w.Body.String()
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	for _, line := range []string{
		fmt.Sprintf(`varve_repository_requests_total{kind="put",repository="r",type="fs"} %d`, num("requests", "by_kind", "put")),
		`varve_repository_sent_bytes_total{repository="r",type="fs"} `,
		`varve_repository_snapshots_total{repository="r",result="success",type="fs"} 1`,
		`varve_repository_restores_total{repository="r",result="success",type="fs"} 1`,
		`varve_repository_operations{operation="snapshot",repository="r",type="fs"} 0`,
		`go_goroutines `, `varve_info{version="0"} 1`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %s in\n%.3000s", line, text)
		}
	}
	if code, _ := s.call("GET", "/_snapshot/none/_stats", ""); code != http.StatusNotFound {
		t.Errorf("no such repository: %d", code)
	}
	s.must("DELETE", "/_snapshot/r", "")
	if got := s.must("GET", "/_snapshot/_stats", ""); len(got["repositories"].(map[string]any)) != 0 {
		t.Errorf("%v", got)
	}
}

// TestMetricsOfS3: requests that a store refuses show, and the secret does not.
func TestMetricsOfS3(t *testing.T) {
	const secret = "zQ9secretsecret7x"
	t.Setenv("AWS_ACCESS_KEY_ID", "keykeykey")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer refuse.Close()
	s := start(t, t.TempDir(), nil, nil)
	s.must("PUT", "/_snapshot/s3?verify=false", `{"type":"s3","settings":{"bucket":"backups","endpoint":"`+refuse.URL+`","region":"us-east-1"}}`)
	if code, _ := s.call("POST", "/_snapshot/s3/_verify", ""); code != 500 {
		t.Errorf("%d", code)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequest("GET", "/_prometheus/metrics", nil))
	stats := s.must("GET", "/_snapshot/s3/_stats", "")
	if n, _ := at(stats, "repositories", "s3", "requests", "errors").(json.Number).Int64(); n < 1 {
		t.Errorf("%v", stats)
	}
	if !strings.Contains(w.Body.String(), `varve_repository_requests_total{kind="`) || strings.Contains(w.Body.String()+fmt.Sprint(stats), secret) {
		t.Errorf("%.2000s", w.Body)
	}
}
