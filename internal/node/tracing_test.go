package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/varve-search/varve/internal/settings"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is an OpenTelemetry collector that keeps what it gets.
type receiver struct {
	mu    sync.Mutex
	spans map[string]*tracepb.Span // by id
	raw   [][]byte
	attrs map[string]string // of the resource
	path  string
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(b, &req) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw, c.path = append(c.raw, b), r.URL.Path
	for _, rs := range req.GetResourceSpans() {
		for _, a := range rs.GetResource().GetAttributes() {
			c.attrs[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans[hex.EncodeToString(s.GetSpanId())] = s
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// named returns the spans of a name, in one trace.
func (c *receiver) named(trace, name string) (out []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name && hex.EncodeToString(s.GetTraceId()) == trace {
			out = append(out, s)
		}
	}
	return out
}

func (c *receiver) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.spans)
}

// above returns the names of the spans that lie above one, the nearest first, and the id above the last one.
func (c *receiver) above(s *tracepb.Span) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for {
		id := hex.EncodeToString(s.GetParentSpanId())
		up := c.spans[id]
		if up == nil {
			return strings.Join(append(names, id), " < ")
		}
		names, s = append(names, up.GetName()), up
	}
}

func attribute(s *tracepb.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			if v := a.GetValue().GetStringValue(); v != "" {
				return v
			}
			return fmt.Sprint(a.GetValue().GetIntValue())
		}
	}
	return ""
}

func number(t *testing.T, s *tracepb.Span, key string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(attribute(s, key), 10, 64)
	if err != nil {
		t.Error(key, err)
	}
	return n
}

type traced struct {
	t   *testing.T
	srv *Server
}

func (s traced) call(method, path, body, traceparent string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.srv.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		req.Header.Set("traceparent", traceparent)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, b)
	}
}

// TestTracing: a collector gets the spans of requests, jobs, shards and the store, each below what it was done for.
func TestTracing(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	c := &receiver{spans: map[string]*tracepb.Span{}, attrs: map[string]string{}}
	web := httptest.NewServer(c)
	defer web.Close()
	dir := t.TempDir()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", web.URL)
	cfg := settings.Settings{"path.data": dir + "/data", "path.repo": dir + "/repo", "http.port": "0", "keystore.path": dir + "/keystore", "node.name": "n",
		"telemetry.otel.tracer.exporter.delay": "20ms"}
	srv, err := Start(t.Context(), cfg, "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := srv.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	s := traced{t, srv}

	s.call("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, "")
	s.call("POST", "/ix/_doc?refresh=true", `{"secret text":"of the user"}`, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if srv.tracer.On() || c.count() != 0 {
		t.Fatal("it is on by itself")
	}
	s.call("PUT", "/_cluster/settings", `{"persistent":{"telemetry.tracer.enabled":true,"telemetry.tracer.sampler.probability":0}}`, "")
	for until := time.Now().Add(10 * time.Second); !srv.tracer.On() && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
	}
	parent := func(n int) (trace, header string) {
		trace = fmt.Sprintf("0af7651916cd43dd8448eb211c8031%02x", n)
		return trace, "00-" + trace + "-b7ad6b7169203331-01"
	}
	const caller = "b7ad6b7169203331"
	requests := []struct{ method, path, body, job, part string }{
		{"PUT", "/_snapshot/r/one?wait_for_completion=true", "", "snapshot", "snapshot shard"},
		{"PUT", "/_snapshot/r/one/_clone/two", `{"indices":"*"}`, "clone", "snapshot shard"},
		{"POST", "/_snapshot/r/one/_restore?wait_for_completion=true", `{"rename_pattern":"ix","rename_replacement":"iy"}`, "restore", "restore shard"},
		{"DELETE", "/_snapshot/r/one", "", "deletion", ""},
		{"POST", "/_snapshot/r/_cleanup", "", "cleanup", ""},
	}
	for n, q := range requests {
		_, header := parent(n)
		s.call(q.method, q.path, q.body, header)
	}
	s.call("GET", "/_snapshot/r/_all", "", "") // of nobody, and the probability is 0
	s.call("GET", "/_snapshot/r/_all", "", "00-ffffffffffffffffffffffffffffffff-b7ad6b7169203331-00")

	// Switching off sends what has ended.
	s.call("PUT", "/_cluster/settings", `{"persistent":{"telemetry.tracer.enabled":null}}`, "")
	for until := time.Now().Add(10 * time.Second); srv.tracer.On() && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
	}
	routes := []string{"PUT /_snapshot/{repository}/{snapshot}", "PUT /_snapshot/{repository}/{snapshot}/_clone/{target_snapshot}", "POST /_snapshot/{repository}/{snapshot}/_restore",
		"DELETE /_snapshot/{repository}/{snapshot}", "POST /_snapshot/{repository}/_cleanup"}
	for n, q := range requests {
		trace, _ := parent(n)
		var jobs []*tracepb.Span
		for until := time.Now().Add(10 * time.Second); len(jobs) == 0 && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			jobs = c.named(trace, q.job)
		}
		if len(jobs) != 1 || c.above(jobs[0]) != routes[n]+" < "+caller {
			t.Fatalf("%s: %d spans, below %v", q.job, len(jobs), jobs)
		}
		if got := attribute(jobs[0], "varve.repository"); got != "r" {
			t.Errorf("%s: of repository %q", q.job, got)
		}
		if q.part != "" {
			parts := c.named(trace, q.part)
			if len(parts) != 1 || c.above(parts[0]) != q.job+" < "+routes[n]+" < "+caller || attribute(parts[0], "varve.shard") != "0" {
				t.Errorf("%s: %v", q.part, parts)
			}
		}
		below, blobs := map[string]int{}, map[string]bool{}
		var out, in int64
		for _, kind := range []string{"get", "put", "list", "delete"} {
			for _, s := range c.named(trace, "store "+kind) {
				below[kind+" < "+strings.TrimSuffix(c.above(s), " < "+routes[n]+" < "+caller)]++
				out, in = out+number(t, s, "varve.bytes_out"), in+number(t, s, "varve.bytes_in")
				blobs[kind+" "+strings.TrimRight(attribute(s, "varve.blob"), "0123456789")] = true
				if s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() || attribute(s, "varve.repository") != "r" {
					t.Errorf("%v", s)
				}
			}
		}
		want := map[string]string{"snapshot": "put < snapshot shard < snapshot", "clone": "put < snapshot shard < clone", "restore": "get < restore shard < restore",
			"deletion": "delete < deletion", "cleanup": "list < cleanup"}[q.job]
		if name := map[string]string{"snapshot": "put index-", "restore": "list index-", "deletion": "put index.latest"}[q.job]; name != "" && !blobs[name] {
			t.Errorf("%s: no %s in %v", q.job, name, blobs)
		}
		if below[want] == 0 {
			t.Errorf("%s: no %s in %v", q.job, want, below)
		}
		if q.job == "snapshot" && (below["put < finalize < snapshot"] == 0 || out < 2000) || q.job == "restore" && in < 500 {
			t.Errorf("%s: %v, %d bytes out, %d in", q.job, below, out, in)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.path != "/v1/traces" || c.attrs["service.name"] != "varve" || c.attrs["service.version"] != "1.2.3" {
		t.Errorf("%s %v", c.path, c.attrs)
	}
	for _, s := range c.spans {
		if !strings.HasPrefix(hex.EncodeToString(s.GetTraceId()), "0af7651916cd43dd8448eb211c8031") {
			t.Errorf("%v was not asked for", s)
		}
	}
	for _, b := range c.raw {
		if strings.Contains(string(b), "of the user") || strings.Contains(string(b), dir) {
			t.Error("a span tells what is in a document, or where the data is")
		}
	}
}
