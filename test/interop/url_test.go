package interop

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// TestURLRepository lets a real 2.19 read what we wrote, and us too, from a web server that only serves files.
func TestURLRepository(t *testing.T) {
	repo := t.TempDir()
	s := servertest.Start(t, t.TempDir(), repo)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo", `{"type":"fs","settings":{"location":"`+repo+`/r"}}`, nil)
	servertest.Must(t, s.URL, "PUT", "/docs", everyField, nil)
	fill(t, s.URL, "docs", 0, 120)
	servertest.Must(t, s.URL, "PUT", "/_snapshot/repo/one?wait_for_completion=true", `{"include_global_state":false}`, nil)

	wrote := make(chan string, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	files := http.FileServerFS(os.DirFS(repo))
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			wrote <- r.Method + " " + r.URL.Path
		}
		files.ServeHTTP(w, r)
	})}
	go func() { _ = srv.Serve(l) }() // ends with Close
	t.Cleanup(func() { srv.Close() })
	base := "http://" + l.Addr().String()

	reader := servertest.Start(t, t.TempDir(), t.TempDir(), "repositories.url.allowed_urls="+base+"/*")
	node := oracletest.Node(t, "opensearch", "2.19", t.TempDir(), "--set", "repositories.url.allowed_urls="+base+"/*")
	for _, at := range []string{reader.URL, node} {
		status, answer, err := servertest.Call(at, "PUT", "/_snapshot/repo", `{"type":"url","settings":{"url":"http://127.0.0.1:1/r/"}}`)
		if err != nil || status != 500 || !strings.Contains(string(answer), "allowed_urls") {
			t.Errorf("a place that is not allowed: %d %s %v", status, answer, err)
		}
		servertest.Must(t, at, "PUT", "/_snapshot/repo", `{"type":"url","settings":{"url":"`+base+`/r/"}}`, nil)
		if got := listSnapshots(t, at); got != "one=SUCCESS" {
			t.Fatalf("%s lists %s", at, got)
		}
		servertest.Must(t, at, "POST", "/_snapshot/repo/one/_restore?wait_for_completion=true", `{"indices":"docs"}`, nil)
		for _, q := range questions[:20] {
			a, b := ask(t, s.URL, "docs", q), ask(t, at, "docs", q)
			if string(a.Hits.Total) != string(b.Hits.Total) || len(a.Hits.Hits) != len(b.Hits.Hits) {
				t.Errorf("%s: %s, and from the web server %s", q, a.Hits.Total, b.Hits.Total)
				continue
			}
			for i := range a.Hits.Hits {
				if a.Hits.Hits[i].ID != b.Hits.Hits[i].ID {
					t.Errorf("%s: hit %d is %s, and from the web server %s", q, i, a.Hits.Hits[i].ID, b.Hits.Hits[i].ID)
				}
			}
		}
		if status, answer, err := servertest.Call(at, "PUT", "/_snapshot/repo/two?wait_for_completion=true", ""); err != nil || status < 400 {
			t.Errorf("a snapshot into a url repository: %d %s %v", status, answer, err)
		}
	}
	select {
	case w := <-wrote:
		t.Errorf("a writing request: %s", w)
	default:
	}
}
