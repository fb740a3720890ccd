package repository

import (
	"fmt"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
)

// TestCleanupRootOnly: what a clean-up asks a repository for that is known to be tidy.
func TestCleanupRootOnly(t *testing.T) {
	for name, opts := range variants() {
		var rec blob.Recorder
		all := &uploadLists{}
		r := open(t, uploads{blob.Trace(mem.New(), rec.Record), "", all}, opts)
		m := newModel(t, random(t), r)
		for len(load(t, r).Indices) == 0 {
			m.change()
			if err := m.snapshot(r); err != nil {
				t.Fatal(err)
			}
		}
		d := load(t, r)
		rec.Reset()
		if _, err := r.Cleanup(bg, d, CleanupOptions{RootOnly: true}); err != nil {
			t.Fatal(err)
		}
		if len(all.listed) != 0 {
			t.Errorf("%s: unfinished uploads were asked for in %q", name, all.listed)
		}
		want := map[string]int{"list": 1, "children": 1, "get": 1}
		if opts.ShardPathType != pathFixed {
			want["list"]++
		}
		if got := rec.Counts(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, not %v: %v", name, got, want, rec.Requests())
		}
	}
}
