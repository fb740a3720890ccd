package repotool

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCopy copies a repository in two steps and compares all documents.
func TestCopy(t *testing.T) {
	for _, name := range []string{"opensearch-2.19/main", "opensearch-2.19/chunked", "elasticsearch-7.10/main"} {
		t.Run(name, func(t *testing.T) {
			src := "fs:" + fixture(t, name)
			dir := filepath.Join(t.TempDir(), "copy")
			dst := "fs:" + dir
			first := asked[Copied](t, func(p *Printer) error { return Copy(bg, p, src, dst, []string{"snap-2"}) })
			if len(first.Copied) != 1 || first.Copied[0].Bytes == 0 {
				t.Fatalf("%+v", first)
			}
			rest := asked[Copied](t, func(p *Printer) error { return Copy(bg, p, src, dst, nil) })
			if len(rest.Copied) != 3 || fmt.Sprint(rest.Skipped) != "[snap-2]" || len(rest.Warnings) > 0 {
				t.Fatalf("%+v", rest)
			}
			again := asked[Copied](t, func(p *Printer) error { return Copy(bg, p, src, dst, nil) })
			if len(again.Copied) != 0 || len(again.Skipped) != 4 {
				t.Fatalf("%+v", again)
			}
			healthy(t, dir, false)
			// Each file is there once, as in the source.
			a := asked[Usage](t, func(p *Printer) error { return Du(bg, p, src, nil) })
			b := asked[Usage](t, func(p *Printer) error { return Du(bg, p, dst, nil) })
			if a.Bytes != b.Bytes {
				t.Errorf("%d bytes of data became %d", a.Bytes, b.Bytes)
			}
			if strings.HasPrefix(name, "elasticsearch") {
				return // its segments are of Lucene 8
			}
			r, err := Open(bg, src)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range r.Data.Snapshots {
				for _, ix := range r.Data.SnapshotIndices(s.SnapshotID) {
					x := text(t, func(p *Printer) error { return Cat(bg, p, src, s.Name, ix.Name) })
					y := text(t, func(p *Printer) error { return Cat(bg, p, dst, s.Name, ix.Name) })
					if x != y {
						t.Errorf("%s %s: other documents", s.Name, ix.Name)
					}
				}
			}
		})
	}
}

// TestCopyRefuses names what keeps a copy from being made, before anything is written.
func TestCopyRefuses(t *testing.T) {
	src := "fs:" + fixture(t, "opensearch-2.19/main")
	shallow := "fs:" + fixture(t, "opensearch-2.19/remote")
	old := "fs:" + fixture(t, "elasticsearch-6.8/main")
	dir := filepath.Join(t.TempDir(), "copy")
	p := &Printer{Out: &bytes.Buffer{}}
	for _, c := range []struct{ from, to, snapshot, want string }{
		{src, src, "snap-1", "same repository"},
		{src, "fs:" + dir, "nope", "is missing"},
		{shallow, "fs:" + dir, "snap-1", "remote store"},
		{old, "fs:" + dir, "snap-4", "a version before 7.9"},
		{shallow, old, "snap-1", "remote store"},
		{src, old, "snap-1", "before 7.9"},
		{src, shallow, "snap-1", "another snapshot of this name"},
	} {
		if err := Copy(bg, p, c.from, c.to, []string{c.snapshot}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestCopyOfDamage does not copy a damaged file, and leaves no snapshot of it.
func TestCopyOfDamage(t *testing.T) {
	from := fixture(t, "opensearch-2.19/main")
	var victim string
	for name, size := range files(t, from) {
		if strings.HasPrefix(filepath.Base(name), "__") && size > 100 {
			victim = filepath.Join(from, name)
		}
	}
	b, err := os.ReadFile(victim)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(victim, b, 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copy")
	err = Copy(bg, &Printer{Out: &bytes.Buffer{}}, "fs:"+from, "fs:"+dir, nil)
	if err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Fatal(err)
	}
	for name := range files(t, dir) {
		if strings.HasPrefix(name, "snap-") {
			// Snapshots that do not have the file are there and whole.
			healthy(t, dir, true)
			return
		}
	}
}

func TestPrune(t *testing.T) {
	dir := fixture(t, "opensearch-2.19/main")
	loc := "fs:" + dir
	if out := text(t, func(p *Printer) error { return Prune(bg, p, loc, false) }); out != "Nothing is left over.\n" {
		t.Fatal(out)
	}
	var shard string
	for name := range files(t, dir) {
		if strings.HasPrefix(filepath.Base(name), "__") {
			shard = filepath.Dir(name)
		}
	}
	for _, name := range []string{"snap-left.dat", "meta-left.dat", shard + "/__left", shard + "/snap-left.dat", "indices/left/0/__left", "indices/left/meta-left.dat"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("left"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-3 * time.Hour)
	if err := os.WriteFile(filepath.Join(dir, "pending-x"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, "pending-x"), old, old); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	plan := asked[Pruned](t, func(p *Printer) error { return Prune(bg, p, loc, false) })
	if len(plan.Stale) != 7 || plan.Bytes != 28 || plan.Applied || len(files(t, dir)) != len(before) {
		t.Fatalf("%+v", plan)
	}
	done := asked[Pruned](t, func(p *Printer) error { return Prune(bg, p, loc, true) })
	if done.Blobs != 7 || done.Bytes != 28 || !done.Applied || len(done.Warnings) > 0 {
		t.Fatalf("%+v", done)
	}
	if after := files(t, dir); len(after) != len(before)-7 {
		t.Fatalf("%d files became %d", len(before), len(after))
	}
	healthy(t, dir, false)
}
