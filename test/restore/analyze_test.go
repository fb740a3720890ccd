package restore

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/state"
)

// forgetful creates what is there already, and holds writes up when it is told to.
type forgetful struct {
	under
	hold chan struct{}
}

func (f forgetful) Container(path string) (blob.Container, error) {
	c, err := f.under.Container(path)
	return forgetful{c, f.hold}, err
}

func (f forgetful) Put(ctx context.Context, name string, r io.Reader, n int64, o blob.PutOptions) error {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	o.IfAbsent = false
	return f.under.Put(ctx, name, r, n, o)
}

// TestAnalyze: the store behind a repository is tried out over REST, and what is wrong is said with what helps.
func TestAnalyze(t *testing.T) {
	stores := map[string]*mem.Store{"good": mem.New(), "forgetful": mem.New(), "held": mem.New(), "ro": mem.New()}
	var sent blob.Recorder
	s := start(t, t.TempDir(), func(r *state.Repository) (blob.Container, error) {
		switch m := stores[r.Name]; r.Name {
		case "forgetful":
			return forgetful{m, nil}, nil
		case "held":
			return forgetful{m, make(chan struct{})}, nil
		case "ro":
			return blob.Trace(faulty.New(m, func(faulty.Op) faulty.Fault { return faulty.Fault{} }), sent.Record), nil
		default:
			return m, nil
		}
	}, nil)
	for name := range stores {
		s.must("PUT", "/_snapshot/"+name+"?verify=false", `{"type":"fs","settings":{"location":"x","readonly":`+map[bool]string{true: "true", false: "false"}[name == "ro"]+`}}`)
	}

	got := s.must("POST", "/_snapshot/good/_analyze?blob_count=12&max_blob_size=100kb&max_total_data_size=200kb&seed=3&detailed&concurrency=3&rare_action_probability=0.5&human", "")
	num := func(path ...any) int64 { n, _ := at(got, path...).(json.Number).Int64(); return n }
	if num("summary", "write", "count") != 12 || num("summary", "read", "count") != 12 || num("summary", "write", "total_size_bytes") > 200<<10 ||
		num("summary", "read", "total_size_bytes") != num("summary", "write", "total_size_bytes") || at(got, "max_blob_size") != "100kb" || num("max_blob_size_bytes") != 100<<10 ||
		num("seed") != 3 || at(got, "repository") != "good" || at(got, "coordinating_node", "name") != "node" || num("listing_elapsed_nanos") <= 0 || num("delete_elapsed_nanos") <= 0 {
		t.Errorf("%v", got)
	}
	if l, ok := got["issues_detected"].([]any); !ok || len(l) != 0 {
		t.Errorf("issues: %v", got["issues_detected"])
	}
	if d, ok := got["details"].([]any); !ok || len(d) != 12 || at(d, 0, "blob", "name") != "blob-0" || at(d, 0, "reads", 0, "before_write_complete") != true {
		t.Errorf("details: %v", got["details"])
	}
	if left := stores["good"].Snapshot(); len(left) != 0 {
		t.Errorf("%d blobs are left", len(left))
	}

	code, got := s.call("POST", "/_snapshot/forgetful/_analyze?blob_count=5&max_blob_size=1kb", "")
	if code != 500 || at(got, "error", "type") != "repository_verification_exception" || at(got, "issues_detected", 0, "check") != "conditional creation" ||
		!strings.Contains(at(got, "issues_detected", 0, "advice").(string), "If-None-Match") || !strings.Contains(at(got, "error", "reason").(string), "If-None-Match") {
		t.Errorf("%d %v", code, got)
	}

	code, got = s.call("POST", "/_snapshot/ro/_analyze", "")
	if code != 400 || !strings.Contains(at(got, "error", "reason").(string), "read-only") || len(sent.Requests()) != 0 {
		t.Errorf("%d %v, %d requests", code, got, len(sent.Requests()))
	}
	for _, q := range []string{"blob_count=0", "blob_count=100001", "concurrency=0", "max_blob_size=-1", "max_blob_size=0b", "max_total_data_size=x", "rare_action_probability=1.5",
		"rare_action_probability=NaN", "timeout=0s", "timeout=soon", "seed=x", "early_read_node_count=-1", "bloob_count=3"} {
		if code, got := s.call("POST", "/_snapshot/good/_analyze?"+q, ""); code != 400 {
			t.Errorf("%s: %d %v", q, code, got)
		}
	}
	if code, _ := s.call("POST", "/_snapshot/none/_analyze", ""); code != 404 {
		t.Errorf("no such repository: %d", code)
	}

	code, got = s.call("POST", "/_snapshot/held/_analyze?timeout=100ms&blob_count=2", "")
	if code != 500 || !strings.Contains(at(got, "error", "reason").(string), "timed out after [100ms] at [parallel writes]") {
		t.Errorf("%d %v", code, got)
	}
	s.cancelAnalysis(t)
}

// cancelAnalysis cancels an analysis that is held up, as a task.
func (s *server) cancelAnalysis(t *testing.T) {
	t.Helper()
	type answer struct {
		code int
		body map[string]any
	}
	done := make(chan answer, 1)
	go func() {
		code, body := s.call("POST", "/_snapshot/held/_analyze?timeout=1m&blob_count=2", "")
		done <- answer{code, body}
	}()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := s.must("POST", "/_tasks/_cancel?actions=cluster:admin/repository/analyze", "")
		var ids []string
		if nodes, ok := got["nodes"].(map[string]any); ok {
			for _, n := range nodes {
				for id := range at(n, "tasks").(map[string]any) {
					ids = append(ids, id)
				}
			}
		}
		if len(slices.Compact(ids)) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(errors.New("the task does not show"))
		}
		time.Sleep(5 * time.Millisecond)
	}
	if a := <-done; a.code != 400 || at(a.body, "error", "type") != "task_cancelled_exception" {
		t.Errorf("%d %v", a.code, a.body)
	}
}
