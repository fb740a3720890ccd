package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

// TestCosts: every request is counted for the operation that made it, also beside others, and what an operation cost can be
// asked for after a restart.
func TestCosts(t *testing.T) {
	m := mem.New()
	open := func(*state.Repository) (blob.Container, error) { return slow{m, time.Millisecond, 0}, nil }
	dir := t.TempDir()
	s := start(t, dir, open, settings.Settings{"repositories.prices.fs.put_per_1000": "0.005", "repositories.prices.currency": "USD"})
	fill(s, "big", 800)
	fill(s, "small", 20)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`)
	s.must("PUT", "/_cluster/settings", `{"persistent":{"repositories.prices.r.egress_per_gb":"0.09"}}`)
	if code, got := s.call("PUT", "/_cluster/settings", `{"persistent":{"repositories.prices.r.egress_per_gb":"-1"}}`); code != http.StatusBadRequest {
		t.Errorf("a price below zero: %d %v", code, got)
	}
	number := func(v any, path ...any) float64 {
		n, _ := at(v, path...).(json.Number)
		f, _ := n.Float64()
		return f
	}
	sum := func() (requests, in, out float64) {
		st := at(s.must("GET", "/_snapshot/r/_stats", ""), "repositories", "r")
		return number(st, "requests", "total"), number(st, "received_in_bytes"), number(st, "sent_in_bytes")
	}
	costs := func(path string) map[string]map[string]any {
		out := map[string]map[string]any{}
		for _, o := range s.must("GET", path, "")["operations"].([]any) {
			o := o.(map[string]any)
			name := fmt.Sprint(o["operation"])
			if l, ok := o["snapshots"].([]any); ok {
				name += fmt.Sprint(l)
			}
			out[name] = o
		}
		return out
	}

	fill(s, "tiny", 1)
	s.must("PUT", "/_snapshot/r/first?wait_for_completion=true", `{"indices":"tiny"}`) // the repository's first one brings its reserve, too
	requests, in, out := sum()
	var wg sync.WaitGroup
	for _, name := range []string{"big", "small"} {
		wg.Go(func() {
			s.must("PUT", "/_snapshot/r/"+name+"?wait_for_completion=true", `{"indices":"`+name+`","include_global_state":false}`)
		})
	}
	wg.Wait()
	got := costs("/_snapshot/r/_cost")
	big, small := got["snapshot[big]"], got["snapshot[small]"]
	if b, s := number(big, "sent_in_bytes"), number(small, "sent_in_bytes"); len(got) != 3 || b < 400<<10 || s < 4<<10 || s > b/10 {
		t.Fatalf("%v", got)
	}
	if big["result"] != "success" || number(big, "requests", "by_class", "put") < 5 || at(big, "requests", "by_kind", "put") == nil {
		t.Errorf("%v", big)
	}

	s.must("PUT", "/_snapshot/r/big/_clone/copy", `{"indices":"*"}`)
	s.must("DELETE", "/big", "")
	s.must("POST", "/_snapshot/r/copy/_restore?wait_for_completion=true", `{}`)
	s.must("DELETE", "/_snapshot/r/small", "")
	s.must("POST", "/_snapshot/r/_cleanup", "")
	got = costs("/_snapshot/r/_cost")
	for _, name := range []string{"snapshot[big]", "snapshot[small]", "clone[copy]", "restore[copy]", "deletion[small]", "cleanup"} {
		o := got[name]
		if o == nil {
			t.Fatalf("no %s in %v", name, got)
		}
		requests, in, out = requests+number(o, "requests", "total"), in+number(o, "received_in_bytes"), out+number(o, "sent_in_bytes")
	}
	if r, i, o := sum(); r != requests || i != in || o != out {
		t.Errorf("the store counted %v requests, %v bytes in, %v out; the operations %v, %v, %v", r, i, o, requests, in, out)
	}
	est := at(got["restore[copy]"], "estimate")
	want := number(got["restore[copy]"], "received_in_bytes") / (1 << 30) * 0.09
	if e := number(est, "egress"); want == 0 || math.Abs(e-want) > 1e-9 || at(est, "currency") != "USD" {
		t.Errorf("%v, want %v", est, want)
	}
	if e, n := number(big, "estimate", "put"), number(big, "requests", "by_class", "put"); math.Abs(e-n*0.005/1000) > 1e-9 {
		t.Errorf("%v for %v", e, n)
	}
	if est := at(s.must("GET", "/_snapshot/r/_stats", ""), "repositories", "r", "estimate"); number(est, "total") <= 0 {
		t.Errorf("%v", est)
	}

	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, httptest.NewRequest("GET", "/_prometheus/metrics", nil))
	if !strings.Contains(w.Body.String(), "\nvarve_repository_cost_estimate{currency=\"USD\",repository=\"r\",type=\"fs\"} ") {
		t.Error("no estimate for Prometheus")
	}

	s.stop()
	s = start(t, dir, open, nil)
	after := costs("/_snapshot/r/big/_cost")
	if len(after) != 1 || number(after["snapshot[big]"], "sent_in_bytes") != number(big, "sent_in_bytes") || after["snapshot[big]"]["incomplete"] != nil {
		t.Errorf("%v", after)
	}
	if code, got := s.call("GET", "/_snapshot/r/none/_cost", ""); code != http.StatusNotFound {
		t.Errorf("%d %v", code, got)
	}
	// Answers of OpenSearch's own requests have nothing of it.
	for _, path := range []string{"/_snapshot/r/big", "/_snapshot/r/big/_status", "/_snapshot/r"} {
		if text := fmt.Sprint(s.must("GET", path, "")); strings.Contains(text, "estimate") || strings.Contains(text, "requests") {
			t.Errorf("%s: %s", path, text)
		}
	}
	s.must("DELETE", "/_snapshot/r", "")
	if got := costs("/_snapshot/_cost"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestIncompleteCosts: what a process that is gone had sent is not known, and the answer says so.
func TestIncompleteCosts(t *testing.T) {
	m := mem.New()
	open := func(*state.Repository) (blob.Container, error) { return slowPut{m}, nil }
	dir := t.TempDir()
	s := start(t, dir, open, nil)
	fill(s, "a", 100)
	s.must("PUT", "/_snapshot/r?verify=false", `{"type":"fs","settings":{"location":"r"}}`)
	s.must("PUT", "/_snapshot/r/one", "")
	costs := func() map[string]any {
		t.Helper()
		o, _ := at(s.must("GET", "/_snapshot/r/one/_cost", ""), "operations", 0).(map[string]any)
		return o
	}
	if got := costs(); got["in_progress"] != true || got["incomplete"] != nil || got["result"] != nil {
		t.Errorf("%v", got)
	}
	s.stop()
	s = start(t, dir, open, nil)
	got := costs()
	for until := time.Now().Add(20 * time.Second); got["in_progress"] != false && time.Now().Before(until); got = costs() {
		time.Sleep(20 * time.Millisecond)
	}
	if got["result"] != "success" || got["incomplete"] != true {
		t.Errorf("%v", got)
	}
}

// slowPut takes its time for each blob that is written.
type slowPut struct{ under }

func (c slowPut) Container(path string) (blob.Container, error) {
	in, err := c.under.Container(path)
	return slowPut{in}, err
}

func (c slowPut) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
		return &blob.Error{Op: "put", Location: "there", Name: name, Kind: blob.KindCanceled, Err: ctx.Err()}
	}
	return c.under.Put(ctx, name, r, size, opts)
}
