package restore

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/state"
)

// deletes counts the deletions that are under way at a time.
type deletes struct {
	under
	now, most *atomic.Int64
}

func (d deletes) Container(path string) (blob.Container, error) {
	in, err := d.under.Container(path)
	return deletes{in, d.now, d.most}, err
}

func (d deletes) note() func() {
	n := d.now.Add(1)
	for m := d.most.Load(); n > m && !d.most.CompareAndSwap(m, n); m = d.most.Load() {
	}
	time.Sleep(10 * time.Millisecond)
	return func() { d.now.Add(-1) }
}

func (d deletes) DeleteBatch(ctx context.Context, names []string) error {
	defer d.note()()
	return d.under.DeleteBatch(ctx, names)
}

func (d deletes) DeleteTree(ctx context.Context) (blob.DeleteStats, error) {
	defer d.note()()
	return d.under.DeleteTree(ctx)
}

// TestAsyncDeletion: deletions go to the store side by side, or one after the other where the setting says so; when the answer comes
// they are over.
func TestAsyncDeletion(t *testing.T) {
	m := mem.New()
	var now, most atomic.Int64
	s := start(t, t.TempDir(), func(*state.Repository) (blob.Container, error) { return deletes{m, &now, &most}, nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`)
	for i := range 6 {
		fill(s, fmt.Sprint("ix", i), 1)
	}
	for _, c := range []struct {
		setting string
		alone   bool
	}{{"false", true}, {"true", false}, {"null", false}} {
		s.must("PUT", "/_cluster/settings", `{"persistent":{"cluster.snapshot.async-deletion.enable":`+c.setting+`}}`)
		s.must("PUT", "/_snapshot/r/one?wait_for_completion=true", "")
		most.Store(0)
		s.must("DELETE", "/_snapshot/r/one", "")
		if got := most.Load(); (got == 1) != c.alone {
			t.Errorf("%s: up to %d deletions at a time", c.setting, got)
		}
		names, err := blob.Names(t.Context(), m, "")
		check(t, err)
		for n := range names {
			if strings.HasPrefix(n, "snap-") || strings.HasPrefix(n, "meta-") {
				t.Errorf("%s: %s is still there", c.setting, n)
			}
		}
		left := 0
		in, err := m.Container("indices")
		check(t, err)
		check(t, in.Children(t.Context(), func(string) error { left++; return nil }))
		if left != 0 || now.Load() != 0 {
			t.Errorf("%s: %d indices are left", c.setting, left)
		}
	}
	if code, got := s.call("PUT", "/_cluster/settings", `{"persistent":{"cluster.snapshot.async-deletion.enable":"maybe"}}`); code != http.StatusBadRequest {
		t.Errorf("%d %v", code, got)
	}
}
