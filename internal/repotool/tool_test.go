package repotool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/repository"
)

func TestShow(t *testing.T) {
	loc := "fs:" + fixture(t, "opensearch-2.19/main")
	d := asked[SnapshotDetails](t, func(p *Printer) error { return ShowSnapshot(bg, p, loc, "snap-2") })
	if d.State != "SUCCESS" || len(d.IndexSizes) != 2 || len(d.ShardFailures) != 0 || !strings.Contains(string(d.Metadata), "{") {
		t.Errorf("%+v", d)
	}
	out := text(t, func(p *Printer) error { return ShowSnapshot(bg, p, loc, "snap-1") })
	for _, want := range []string{"uuid", "SUCCESS", "logs-2024.05", "ingest", "index_template"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	i := asked[IndexDetails](t, func(p *Printer) error { return ShowIndex(bg, p, loc, "snap-1", "logs-2024.05") })
	if len(i.Shards) != 3 || len(i.Shards[0].Files) == 0 || !json.Valid(i.Mappings) || !strings.Contains(string(i.Settings), "number_of_shards") {
		t.Errorf("%+v", i)
	}
	if out := text(t, func(p *Printer) error { return ShowIndex(bg, p, loc, "snap-1", "products") }); !strings.Contains(out, "segments_") {
		t.Error(out)
	}
	var missing *repository.MissingSnapshotError
	if err := ShowIndex(bg, &Printer{Out: &bytes.Buffer{}}, loc, "snap-1", "nope"); !errors.As(err, &missing) {
		t.Error(err)
	}
}

// TestList reads the repositories of every version.
func TestList(t *testing.T) {
	for _, name := range []string{"elasticsearch-5.6/main", "elasticsearch-6.8/main", "elasticsearch-7.10/main", "elasticsearch-7.17/main", "opensearch-1.3/main", "opensearch-3.8/main"} {
		loc := "fs:" + fixture(t, name)
		list := asked[[]Snapshot](t, func(p *Printer) error { return List(bg, p, loc) })
		if len(list) != 4 || list[0].Snapshot != "snap-1" {
			t.Errorf("%s: %+v", name, list)
		}
		ix := asked[[]IndexIn](t, func(p *Printer) error { return ListIndices(bg, p, loc, "snap-3") })
		if len(ix) < 5 {
			t.Errorf("%s: %+v", name, ix)
		}
		if u := asked[Usage](t, func(p *Printer) error { return Du(bg, p, loc, nil) }); u.Bytes == 0 || len(u.Snapshots) != 4 {
			t.Errorf("%s: %+v", name, u)
		}
	}
}

// TestDu deletes what du says it can, and looks at what went.
func TestDu(t *testing.T) {
	dir := fixture(t, "opensearch-2.19/main")
	loc := "fs:" + dir
	for _, gone := range [][]string{{"snap-1"}, {"snap-2"}, {"snap-3"}, {"snap-1", "snap-2"}, {"snap-1", "snap-2", "snap-3", "snap-4"}} {
		u := asked[Usage](t, func(p *Printer) error { return Du(bg, p, loc, gone) })
		mine := copyDir(t, dir)
		before := files(t, mine)
		r, err := openWritable(bg, "fs:"+mine)
		if err != nil {
			t.Fatal(err)
		}
		var ids []repository.SnapshotID
		for _, n := range gone {
			s, err := r.Data.Snapshot(n)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.SnapshotID)
		}
		if _, err := r.Delete(bg, r.Data, ids); err != nil {
			t.Fatal(err)
		}
		after := files(t, mine)
		kept := map[string]bool{} // folders in which a list was written anew, under another name
		for name := range after {
			kept[filepath.Dir(name)] = kept[filepath.Dir(name)] || strings.HasPrefix(filepath.Base(name), "index-")
		}
		var blobs, bytes int64
		for name, size := range before {
			rewritten := strings.HasPrefix(filepath.Base(name), "index-") && kept[filepath.Dir(name)]
			if _, there := after[name]; !there && !rewritten {
				blobs++
				bytes += size
			}
		}
		if u.Together.Blobs != blobs || u.Together.Bytes != bytes {
			t.Errorf("%v: du says %d blobs with %d bytes, deletion freed %d with %d", gone, u.Together.Blobs, u.Together.Bytes, blobs, bytes)
		}
		if len(gone) == 1 {
			for _, s := range u.Snapshots {
				if s.Snapshot == gone[0] && (s.Freed.Blobs != blobs || s.Freed.Bytes != bytes || s.Unique+s.Shared > s.Bytes) {
					t.Errorf("%+v, deletion freed %d with %d", s, blobs, bytes)
				}
			}
		}
	}
	var data int64
	for name, size := range files(t, dir) {
		if strings.HasPrefix(filepath.Base(name), "__") {
			data += size
		}
	}
	if u := asked[Usage](t, func(p *Printer) error { return Du(bg, p, loc, nil) }); u.Bytes != data {
		t.Errorf("%d bytes of data, there are %d", u.Bytes, data)
	}
}

func TestExtract(t *testing.T) {
	loc := "fs:" + fixture(t, "opensearch-2.19/chunked")
	dir := filepath.Join(t.TempDir(), "shard")
	out := asked[Extracted](t, func(p *Printer) error { return Extract(bg, p, loc, "snap-2", "logs-2024.05", 1, dir) })
	if out.Files == 0 || !strings.HasPrefix(out.Commit, "segments_") {
		t.Errorf("%+v", out)
	}
	if err := Extract(bg, &Printer{Out: &bytes.Buffer{}}, loc, "snap-2", "logs-2024.05", 1, dir); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("written over: %v", err)
	}
	oracletest.CheckIndex(t, dir)
}

// TestCancelled ends commands at once and finds nothing left behind.
func TestCancelled(t *testing.T) {
	repo := fixture(t, "opensearch-2.19/main")
	loc := "fs:" + repo
	before := len(files(t, repo))
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(bg)
	cancel()
	p := &Printer{Out: &bytes.Buffer{}}
	for name, run := range map[string]func() error{
		"extract": func() error { return Extract(ctx, p, loc, "snap-1", "products", 0, filepath.Join(parent, "x")) },
		"cp":      func() error { return Copy(ctx, p, loc, "fs:"+filepath.Join(parent, "copy"), nil) },
		"cat":     func() error { return Cat(ctx, p, loc, "snap-1", "products") },
		"verify":  func() error { _, err := Verify(ctx, p, loc, true); return err },
		"diff":    func() error { _, err := Diff(ctx, p, DiffOptions{Location: loc, A: "snap-1", B: "snap-2"}); return err },
		"du":      func() error { return Du(ctx, p, loc, nil) },
		"prune":   func() error { return Prune(ctx, p, loc, true) },
	} {
		if err := run(); !errors.Is(err, context.Canceled) && blob.KindOf(err) != blob.KindCanceled {
			t.Errorf("%s: %v", name, err)
		}
	}
	out, err := CreateOutput(filepath.Join(parent, "out.ndjson"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Export(ctx, p, out, ExportOptions{Location: loc, Snapshot: "snap-1", Shard: -1})
	if err := out.Close(err); err == nil {
		t.Error("a cancelled export gave no error")
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if n := len(files(t, repo)); n != before {
		t.Errorf("%d files instead of %d", n, before)
	}
}

func TestLocations(t *testing.T) {
	for loc, want := range map[string]string{"/somewhere": "SCHEME:PLACE", "nope:x": "no store for the scheme", "fs:" + t.TempDir(): "no index-N", "fs:" + t.TempDir() + "/none": "no such folder",
		"fs:" + os.Args[0]: "this is a file"} {
		if _, err := Open(bg, loc); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", loc, err)
		}
	}
}
