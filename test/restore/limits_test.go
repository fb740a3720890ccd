package restore

import (
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/state"
)

// TestRates: what runs under a slow limit follows when the limit is lifted, without being begun again.
func TestRates(t *testing.T) {
	m := mem.New()
	s := start(t, t.TempDir(), func(*state.Repository) (blob.Container, error) { return m, nil }, nil)
	fill(s, "a", 1000)
	put := func(rates string) {
		t.Helper()
		s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"`+rates+`}}`)
	}
	// slowly lets something begin that would take minutes, lifts the limit, and sees it end.
	slowly := func(what string, begin func(), running func() bool, lift func()) {
		t.Helper()
		begin()
		time.Sleep(300 * time.Millisecond)
		if !running() {
			t.Fatalf("%s: the limit does not hold", what)
		}
		lift()
		for deadline := time.Now().Add(15 * time.Second); running(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the limit was lifted and still holds", what)
			}
		}
	}

	put(`,"max_snapshot_bytes_per_sec":"1kb"`)
	slowly("snapshot", func() { s.must("PUT", "/_snapshot/r/one", "") }, func() bool {
		return at(s.must("GET", "/_snapshot/r/one", ""), "snapshots", 0, "state") == "IN_PROGRESS"
	}, func() {
		if code, got := s.call("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r","compress":true}}`); code != 500 || at(got, "error", "type") != "illegal_state_exception" {
			t.Errorf("other settings of a repository in use: %d %v", code, got)
		}
		put(`,"max_snapshot_bytes_per_sec":"0b"`)
	})
	if got := s.must("GET", "/_snapshot/r/one", ""); at(got, "snapshots", 0, "state") != "SUCCESS" {
		t.Fatalf("%v", got)
	}

	restoring := func() bool {
		return at(s.must("GET", "/a/_recovery?active_only=true", ""), "a") != nil
	}
	restore := func() {
		s.must("DELETE", "/a", "")
		s.must("POST", "/_snapshot/r/one/_restore", "{}")
	}
	put(`,"max_restore_bytes_per_sec":"1kb"`)
	slowly("restore", restore, restoring, func() { put("") })
	if got := s.must("GET", "/a/_count", ""); at(got, "count").(interface{ String() string }).String() != "1000" {
		t.Errorf("%v", got)
	}

	s.must("PUT", "/_cluster/settings", `{"persistent":{"indices.recovery.max_bytes_per_sec":"1kb"}}`)
	slowly("restore under the cluster's limit", restore, restoring, func() {
		s.must("PUT", "/_cluster/settings", `{"persistent":{"indices.recovery.max_bytes_per_sec":null}}`)
	})

	for _, bad := range []string{"max_snapshot_bytes_per_sec", "max_restore_bytes_per_sec"} {
		if code, got := s.call("PUT", "/_snapshot/bad", `{"type":"fs","settings":{"location":"r","`+bad+`":"fast"}}`); code/100 == 2 {
			t.Errorf("%s: %v", bad, got)
		}
	}
}
