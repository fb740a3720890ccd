package repotool

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/oss/osstest"
	"github.com/varve-search/varve/internal/oracletest"
)

// watcher stands before a store, refuses all that could write, and counts.
type watcher struct {
	mu      sync.Mutex
	reads   int
	refused []string
}

func (w *watcher) before(t *testing.T, store http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(res http.ResponseWriter, req *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock() // one after another: the store is a test's
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			w.refused = append(w.refused, req.Method+" "+req.URL.String())
			http.Error(res, "nobody may write here", http.StatusForbidden)
			return
		}
		w.reads++
		store.ServeHTTP(res, req)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// upload puts all files of a folder into a container.
func upload(t *testing.T, dir string, c blob.Container) {
	t.Helper()
	for name := range files(t, dir) {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		folder, base := path.Split(name)
		sub, err := c.Container(strings.TrimSuffix(folder, "/"))
		if err == nil {
			err = sub.Put(bg, base, f, info.Size(), blob.PutOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkServed opens a repository and compares the documents' counts with what a real node had.
func checkServed(ctx context.Context, t *testing.T, fixture, location string) {
	t.Helper()
	s, stop := serve(ctx, t, ServeOptions{Location: location, Snapshot: "snap-3", Cache: 1 << 20})
	defer stop()
	var exp expected
	oracletest.FixtureExpected(t, fixture, &exp)
	for ix, want := range exp.Snapshots[2].Indices {
		var c struct{ Count int }
		ask(t, "GET", s.URL+"/"+ix+"/_count", &c)
		var found struct{ Hits struct{ Hits []any } }
		ask(t, "GET", s.URL+"/"+ix+"/_search?size=5", &found)
		if c.Count != want.Count || len(found.Hits.Hits) != min(want.Count, 5) {
			t.Errorf("%s: %d documents, want %d; %d of 5 fetched", ix, c.Count, want.Count, len(found.Hits.Hits))
		}
	}
	req, err := http.NewRequest("PUT", s.URL+"/_snapshot/repo/new?wait_for_completion=true", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode/100 == 2 {
		t.Errorf("a snapshot was taken into a repository that is only shown: %s", text)
	}
}

// TestServeBucket opens a repository in a bucket behind something that refuses writes.
func TestServeBucket(t *testing.T) {
	const name = "opensearch-2.19/main"
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "shown")
	t.Setenv("AWS_ACCESS_KEY_ID", srv.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", srv.SecretKey)
	place := "s3://shown/some/place?path_style_access=true&region=" + srv.Region + "&endpoint="
	c, err := container(bg, place+url.QueryEscape(srv.Endpoint), true)
	if err != nil {
		t.Fatal(err)
	}
	upload(t, fixture(t, name), c)
	if err := blob.Close(c); err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(srv.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	var w watcher
	// The host stays: it is signed.
	at := w.before(t, &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }})
	checkServed(bg, t, name, place+url.QueryEscape(at))
	if w.reads == 0 || len(w.refused) > 0 {
		t.Errorf("%d reads; refused: %v", w.reads, w.refused)
	}
}

// TestOSS reads a repository in a bucket of OSS, behind a server that checks each signature and refuses writes: ls, verify, cat, open.
func TestOSS(t *testing.T) {
	const name = "opensearch-2.19/main"
	oss := osstest.New()
	bucket := oss.MakeBucket()
	t.Setenv("OSS_ACCESS_KEY_ID", oss.KeyID)
	t.Setenv("OSS_ACCESS_KEY_SECRET", oss.Key)
	var w watcher
	writer := httptest.NewServer(oss)
	defer writer.Close()
	place := func(at string) string {
		return "oss://" + bucket + "/some/place?region=" + oss.Region + "&endpoint=" + url.QueryEscape(at)
	}
	c, err := container(bg, place(writer.URL), true)
	if err != nil {
		t.Fatal(err)
	}
	folder := fixture(t, name)
	upload(t, folder, c)
	if err := blob.Close(c); err != nil {
		t.Fatal(err)
	}
	at := place(w.before(t, oss))
	here := "fs:" + folder
	commands := map[string]func(p *Printer, location string) error{
		"ls":  func(p *Printer, location string) error { return List(bg, p, location) },
		"cat": func(p *Printer, location string) error { return Cat(bg, p, location, "snap-2", "products") },
		"verify": func(p *Printer, location string) error {
			healthy, err := Verify(bg, p, location, true)
			if !healthy {
				t.Errorf("%s is called damaged", location)
			}
			return err
		},
	}
	for what, run := range commands {
		got := text(t, func(p *Printer) error { return run(p, at) })
		want := text(t, func(p *Printer) error { return run(p, here) })
		if strings.ReplaceAll(got, at, here) != want || want == "" {
			t.Errorf("%s on OSS says %.500s, on a folder %.500s", what, got, want)
		}
	}
	checkServed(bg, t, name, at)
	if w.reads == 0 || len(w.refused) > 0 {
		t.Errorf("%d reads; refused: %v", w.reads, w.refused)
	}
	t.Setenv("OSS_ACCESS_KEY_SECRET", "another")
	if err := List(bg, &Printer{Out: io.Discard}, at); err == nil || strings.Contains(err.Error(), "another") {
		t.Errorf("with a wrong key: %v", err)
	}
}

// TestServeURL opens a repository that a web server shows.
func TestServeURL(t *testing.T) {
	const name = "opensearch-2.19/main"
	var w watcher
	at := w.before(t, http.FileServer(http.Dir(fixture(t, name))))
	checkServed(bg, t, name, at)
	if w.reads == 0 || len(w.refused) > 0 {
		t.Errorf("%d reads; refused: %v", w.reads, w.refused)
	}
}

// TestServeShallow opens snapshots whose data is in a remote store.
func TestServeShallow(t *testing.T) {
	for _, name := range []string{"opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			folder := fixture(t, name)
			before := files(t, filepath.Dir(folder))
			o := ServeOptions{Location: "fs:" + folder, Snapshot: "snap-3"}
			if err := Serve(bg, &Printer{Out: io.Discard}, o, nil); err == nil {
				t.Error("opened without the remote store")
			} else if !strings.Contains(err.Error(), "--remote-store") {
				t.Error(err)
			}
			checkServed(WithRemoteStore(bg, remoteOf(folder)), t, name, o.Location)
			if now := files(t, filepath.Dir(folder)); !maps.Equal(before, now) {
				t.Errorf("%d files became %d", len(before), len(now))
			}
		})
	}
}
