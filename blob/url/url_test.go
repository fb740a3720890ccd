package url

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/repository"
)

func TestAllowed(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for _, c := range []struct {
		url, allowed, repo string
		ok                 bool
	}{
		{"http://h:80/x", "http://h:80/*", "", true},
		{"http://h:80/x", "http://h/*", "", false},
		{"http://h/x", "http://h/*", "", true},
		{"https://h/x", "http://h/*", "", false},
		{"http://evil.h/x", "http://h/*", "", false},
		{"http://a.h/x/y", "https://z/*, http://*.h/x/*", "", true},
		{"http://h/x/../y", "http://h/x/*", "", false},
		{"http://u:p@h/x", "http://h/*", "", false},
		{"ftp://h/x", "ftp://h/*", "", false},
		{"gopher://h/x", "*", "", false},
		{"http:///x", "*", "", false},
		{"", "*", "", false},
		{"file:" + dir, "", dir, true},
		{"file:" + dir + "/../x", "", dir, false},
		{"file:/etc", "", dir, false},
		{"file:/etc", "file:/etc*", "", true},
	} {
		got, err := Open(ctx, blob.Config{Settings: blob.Settings{"url": c.url}, Node: blob.Settings{"repositories.url.allowed_urls": c.allowed, "path.repo": c.repo}})
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
		if err != nil && (blob.KindOf(err) != blob.KindInvalid || !strings.Contains(err.Error(), "url") || strings.Contains(err.Error(), "u:p")) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestReadsAndResumes(t *testing.T) {
	ctx := context.Background()
	content := strings.Repeat("0123456789", 50000)
	var cuts, fails atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fails.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		switch r.URL.Path {
		case "/b/away":
			http.Redirect(w, r, "http://127.0.0.1:1/b/a", http.StatusFound)
			return
		case "/b/a":
		default:
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		if cuts.Add(-1) >= 0 {
			w = &cutter{w, 1000}
		}
		http.ServeContent(w, r, "", noTime, strings.NewReader(content))
	}))
	defer srv.Close()
	open := func() *Container {
		c, err := Open(ctx, blob.Config{Settings: blob.Settings{"url": srv.URL + "/b/"}, Node: blob.Settings{"repositories.url.allowed_urls": srv.URL + "/*"}})
		if err != nil {
			t.Fatal(err)
		}
		return c.(*Container)
	}
	c := open()
	for _, n := range []int32{0, 1, 4} {
		cuts.Store(n)
		fails.Store(n)
		b, err := blob.ReadAll(ctx, c, "a", 1<<20)
		if err != nil || string(b) != content {
			t.Fatalf("%d cuts: %d bytes, %v", n, len(b), err)
		}
	}
	cuts.Store(1)
	r, err := c.GetRange(ctx, "a", 5, 2003)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != content[5:2008] {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	r.Close()
	if r, err := c.GetRange(ctx, "a", int64(len(content)), 5); err != nil {
		t.Fatal(err)
	} else if b, err := io.ReadAll(r); err != nil || len(b) != 0 {
		t.Fatalf("%q %v", b, err)
	}
	if i, err := c.Stat(ctx, "a"); err != nil || i.Size != int64(len(content)) {
		t.Fatalf("%+v, %v", i, err)
	}
	if _, err := c.Get(ctx, "b"); blob.KindOf(err) != blob.KindNotFound {
		t.Fatal(err)
	}
	if _, err := c.Get(ctx, "away"); err == nil || !strings.Contains(err.Error(), "allowed_urls") {
		t.Fatalf("a redirection out of what is allowed: %v", err)
	}
	if err := c.Put(ctx, "a", strings.NewReader(""), 0, blob.PutOptions{}); blob.KindOf(err) != blob.KindReadOnly {
		t.Fatal(err)
	}
	if st := c.Stats(); st.Requests["GET"] == 0 || st.Retries == 0 || st.Throttles == 0 || st.BytesIn == 0 {
		t.Fatalf("%+v", st)
	}
	srv.Close()
	if err := c.Check(ctx); blob.KindOf(err) != blob.KindUnavailable {
		t.Fatal(err)
	}
}

// TestRepository lists what a real node wrote, through a web server.
func TestRepository(t *testing.T) {
	dir := oracletest.FixtureRepository(t, "opensearch-2.19/main")
	srv := httptest.NewServer(http.FileServerFS(os.DirFS(filepath.Dir(dir))))
	defer srv.Close()
	ctx := context.Background()
	c, err := blob.Open(ctx, srv.URL+"/"+filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := blob.Check(ctx, c); err != nil {
		t.Fatal(err)
	}
	r, err := repository.Open(ctx, c, repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.LoadData(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if infos, err := r.ListSnapshots(ctx, data); err != nil || len(infos) == 0 {
		t.Fatalf("%d snapshots, %v", len(infos), err)
	}
}
