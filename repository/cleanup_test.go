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

// TestTidy fixes when two lists are enough to say that there is nothing to clean up.
func TestTidy(t *testing.T) {
	noop := func(*mem.Store, *Data) {}
	put := func(name, content string) func(*mem.Store, *Data) {
		return func(store *mem.Store, _ *Data) { store.Set(name, []byte(content)) }
	}
	for name, c := range map[string]struct {
		change func(*mem.Store, *Data)
		want   bool
	}{
		"nothing happened":            {noop, true},
		"what a snapshot left":        {put("snap-0123456789012345678901.dat", "x"), false},
		"an older root":               {put("index-0", "{}"), false},
		"a folder of no index":        {put("indices/0123456789012345678901/0/__x", "x"), false},
		"a newer root":                {put("index-99", "{}"), false},
		"index.latest is cut":         {put("index.latest", "\x00"), false},
		"index.latest is gone":        {func(st *mem.Store, _ *Data) { _ = st.DeleteBatch(bg, []string{"index.latest"}) }, false},
		"another root of that number": {func(st *mem.Store, d *Data) { st.Set(rootName(d.Generation), []byte("{}")) }, false},
		"the root is gone":            {func(st *mem.Store, d *Data) { _ = st.DeleteBatch(bg, []string{rootName(d.Generation)}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			store, rec := mem.New(), blob.Recorder{}
			r := open(t, blob.Trace(store, rec.Record), Options{})
			m := newModel(t, random(t), r)
			for m.count < 2 || len(load(t, r).Indices) == 0 {
				m.change()
				if err := m.snapshot(r); err != nil {
					t.Fatal(err)
				}
			}
			d := load(t, r)
			c.change(store, d)
			rec.Reset()
			if ok, err := r.Tidy(bg, d); ok != c.want {
				t.Fatalf("it says %v, %v", ok, err)
			}
			if got := fmt.Sprint(rec.Counts()); c.want && got != "map[children:1 list:1]" {
				t.Fatalf("it sent %s", got)
			}

			// A process that has only read the root reads index.latest too, once.
			other := open(t, blob.Trace(store, rec.Record), Options{})
			if c.want {
				d = load(t, other)
				for _, gets := range []int{1, 0} {
					rec.Reset()
					if ok, err := other.Tidy(bg, d); !ok || rec.Counts()["get"] != gets {
						t.Fatalf("another process says %v, %v, and sent %v", ok, err, rec.Counts())
					}
				}
			}
			rec.Reset()
			if ok, err := open(t, blob.Trace(store, rec.Record), Options{}).Tidy(bg, d); ok || err != nil || len(rec.Requests()) > 0 {
				t.Fatalf("who has not read the root says %v, %v, and sent %v", ok, err, rec.Requests())
			}
		})
	}
}

// checkTidy compares what Tidy says with what a clean-up would do, and returns it.
func checkTidy(t testing.TB, r *Repository) bool {
	t.Helper()
	d := load(t, r)
	ok, err := r.Tidy(bg, d)
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Cleanup(bg, d, CleanupOptions{RootOnly: true, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if would := len(report.Stale) > 0 || report.noLatest; ok == would && d.Generation != NoGeneration {
		t.Fatalf("it says %v; a clean-up would delete %v, and write index.latest: %v", ok, report.Stale, report.noLatest)
	}
	return ok
}
