package scale

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

var (
	snapshots = flag.Int("snapshots", 25, "how many snapshots each program takes before it is counted")
	indices   = flag.Int("indices", 20, "how many indices")
	shards    = flag.Int("shards", 5, "shards of each index")
)

// counter is a proxy in front of a store that counts requests by their kind.
type counter struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]int
}

func newCounter(t testing.TB, endpoint string) *counter {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{seen: map[string]int{}}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host = to.Scheme, to.Host
		p.Out.Host = p.In.Host // the one that was signed
	}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.seen[kindOf(r)]++
		c.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

func kindOf(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Has("delete"):
		return "delete"
	case q.Has("uploads") || q.Has("uploadId"):
		return "multipart"
	case r.Method == "GET" && (q.Has("list-type") || q.Has("prefix")):
		return "list"
	}
	return strings.ToLower(r.Method)
}

// take returns what was counted since it was called last, and the sum.
func (c *counter) take() (string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var parts []string
	sum := 0
	for kind, n := range c.seen {
		parts = append(parts, fmt.Sprintf("%s %d", kind, n))
		sum += n
	}
	slices.Sort(parts)
	clear(c.seen)
	return strings.Join(parts, ", "), sum
}

// BenchmarkRequests lets a real OpenSearch 3.8 with its S3 plugin and us do the same, each with a repository of its own.
func BenchmarkRequests(t *testing.B) {
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "scale")
	proxies := []*counter{newCounter(t, srv.Endpoint), newCounter(t, srv.Endpoint)}
	data, repo := t.TempDir(), t.TempDir()
	start := func() *servertest.Server {
		return servertest.Start(t, data, repo, servertest.S3Secrets(t, srv), "s3.client.default.endpoint="+proxies[0].URL, "s3.client.default.region="+srv.Region)
	}
	ours := start()
	real := oracletest.Node(t, "opensearch", "3", t.TempDir(), "--with", "repository-s3", "--set", "s3.client.default.endpoint="+proxies[1].URL,
		"--set", "s3.client.default.region="+srv.Region, "--set", "s3.client.default.path_style_access=true",
		"--set", "secure:s3.client.default.access_key="+srv.AccessKey, "--set", "secure:s3.client.default.secret_key="+srv.SecretKey)
	sides := []string{ours.URL, real}
	register := func(name, more string) {
		for n, u := range sides {
			servertest.Must(t, u, "PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"s3","settings":{"bucket":"scale","base_path":"of-%d","server_side_encryption_type":"bucket_default"%s}}`, n, more), nil)
		}
	}
	register("repo", "")
	for _, u := range sides {
		for i := range *indices {
			name := fmt.Sprintf("/scale-%04d", i)
			servertest.Must(t, u, "PUT", name, fmt.Sprintf(`{"settings":{"number_of_shards":%d,"number_of_replicas":0}}`, *shards), nil)
			var bulk strings.Builder
			for d := range 2 * *shards {
				fmt.Fprintf(&bulk, "{\"index\":{\"_id\":\"%d\"}}\n{\"n\":%d}\n", d, d)
			}
			servertest.Must(t, u, "POST", name+"/_bulk", bulk.String(), nil)
		}
		for s := range *snapshots - 1 {
			servertest.Must(t, u, "PUT", fmt.Sprintf("/_snapshot/repo/snap-%04d?wait_for_completion=true", s), `{"indices":"scale-*"}`, nil)
		}
	}
	const most = 10
	var many []string
	for s := range most {
		many = append(many, fmt.Sprintf("snap-%04d", s+2))
	}
	t.Logf("%d snapshots of %d indices with %d shards", *snapshots, *indices, *shards)
	t.Log("| what | varve | opensearch 3.8 | ratio | varve's kinds | opensearch's kinds |")
	type step struct{ what, method, path, body string }
	measure := func(step step) {
		var kinds [2]string
		var sums [2]int
		for n, u := range sides {
			time.Sleep(300 * time.Millisecond) // what goes on behind an answer
			proxies[n].take()
			servertest.Must(t, u, step.method, step.path, step.body, nil)
			time.Sleep(300 * time.Millisecond)
			kinds[n], sums[n] = proxies[n].take()
		}
		t.Logf("| %s | %d | %d | %.2f | %s | %s |", step.what, sums[0], sums[1], float64(sums[0])/float64(max(sums[1], 1)), kinds[0], kinds[1])
	}
	for _, step := range []step{
		{"create, nothing changed", "PUT", "/_snapshot/repo/last?wait_for_completion=true", `{"indices":"scale-*"}`},
		{"list names", "GET", "/_snapshot/repo/_all?verbose=false", ""},
		{"list", "GET", "/_snapshot/repo/_all", ""},
		{"list again", "GET", "/_snapshot/repo/_all", ""},
		{"get one", "GET", "/_snapshot/repo/snap-0001", ""},
		{"status of one", "GET", "/_snapshot/repo/snap-0001/_status", ""},
		{"status again", "GET", "/_snapshot/repo/snap-0001/_status", ""},
		{"delete one", "DELETE", "/_snapshot/repo/snap-0001", ""},
		{fmt.Sprintf("delete %d", most), "DELETE", "/_snapshot/repo/" + strings.Join(many, ","), ""},
		{"clean up", "POST", "/_snapshot/repo/_cleanup", ""},
	} {
		measure(step)
	}
	register("again", `,"readonly":true`)
	measure(step{"list, just registered", "GET", "/_snapshot/again/_all", ""})
	measure(step{"status of one, just registered", "GET", "/_snapshot/again/snap-0020/_status", ""})
	ours.Stop()
	ours = start()
	sides[0] = ours.URL
	measure(step{"list, ours restarted", "GET", "/_snapshot/repo/_all", ""})
	measure(step{"status of one, ours restarted", "GET", "/_snapshot/repo/snap-0020/_status", ""})
	measure(step{"delete one, ours restarted", "DELETE", "/_snapshot/repo/snap-0020", ""})
}
