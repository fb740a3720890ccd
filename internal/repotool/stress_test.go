package repotool

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListDamaged lists what is left of a repository with a damaged info and lost index metadata: they do not hide the rest.
func TestListDamaged(t *testing.T) {
	dir := fixture(t, "opensearch-2.19/main")
	r, err := Open(bg, "fs:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := r.Data.Snapshot("snap-2")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "snap-"+broken.UUID+".dat"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	list := asked[[]Snapshot](t, func(p *Printer) error { return List(bg, p, "fs:"+dir) })
	notes := 0
	for _, s := range list {
		if s.Note == "" {
			continue
		}
		notes++
		if s.Snapshot != "snap-2" || s.State != "SUCCESS" || len(s.Indices) != 2 || !s.Start.IsZero() || !strings.Contains(s.Note, "snap-"+broken.UUID) {
			t.Errorf("%+v", s)
		}
	}
	if len(list) != 4 || notes != 1 {
		t.Errorf("%+v", list)
	}
	if out := text(t, func(p *Printer) error { return List(bg, p, "fs:"+dir) }); strings.Count(out, "cannot be read") != 1 || !strings.Contains(out, "snap-3") {
		t.Error(out)
	}
	ix, _ := r.Data.Index("accounts")
	metas, err := filepath.Glob(filepath.Join(dir, "indices", ix.ID, "meta-*"))
	if err != nil || len(metas) == 0 {
		t.Fatal(metas, err)
	}
	for _, m := range metas {
		if err := os.Remove(m); err != nil {
			t.Fatal(err)
		}
	}
	in := asked[[]IndexIn](t, func(p *Printer) error { return ListIndices(bg, p, "fs:"+dir, "snap-1") })
	if len(in) != 9 {
		t.Errorf("%+v", in)
	}
	for _, i := range in {
		if (i.Note != "") != (i.Index == "accounts") {
			t.Errorf("%+v", i)
		}
	}
}

// TestSlips asks for what is not there: the error says what is.
func TestSlips(t *testing.T) {
	dir := fixture(t, "opensearch-2.19/main")
	loc := "fs:" + dir
	p := &Printer{Out: &bytes.Buffer{}}
	for want, run := range map[string]func() error{
		"snapshot [snap1] is missing: did you mean [snap-1]?":                       func() error { return ListIndices(bg, p, loc, "snap1") },
		"snapshot [SNAP-3] is missing: did you mean [snap-3]?":                      func() error { return ShowSnapshot(bg, p, loc, "SNAP-3") },
		"snapshot [weekly] is missing: there are 4 snapshots: [snap-":               func() error { return Du(bg, p, loc, []string{"weekly"}) },
		"index [product] is missing in snapshot [snap-1]: did you mean [products]?": func() error { return Cat(bg, p, loc, "snap-1", "product") },
		"index [logs] is missing in snapshot [snap-1]: did you mean [logs-2024.05]": func() error { return ShowIndex(bg, p, loc, "snap-1", "logs") },
		"index [x*] is missing in snapshot [snap-4]: the only index is [products]":  func() error { return Cat(bg, p, loc, "snap-4", "x*") },
		"did you mean fs:" + dir + "?":                                              func() error { return List(bg, p, dir) },
		"did you mean fs:" + filepath.Dir(dir) + "?":                                func() error { return List(bg, p, "file://"+filepath.Dir(dir)) },
		"did you mean [" + filepath.Base(dir) + "] in it?":                          func() error { return List(bg, p, "fs:"+filepath.Dir(dir)) },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestWrongRemoteStore names a place for the data of shallow snapshots that is none: that data must not count as looked at.
func TestWrongRemoteStore(t *testing.T) {
	for _, place := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if err := RemoteThere(WithRemoteStore(bg, "fs:"+place)); err == nil {
			t.Errorf("%s is taken for a remote store", place)
		}
	}
	if err := RemoteThere(bg); err != nil {
		t.Error(err)
	}
}

// TestLostRootName tells the lost root by what index.latest says.
func TestLostRootName(t *testing.T) {
	dir := fixture(t, "opensearch-2.19/main")
	r, err := Open(bg, "fs:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	root := "index-5"
	if r.Data.Generation != 5 || os.Remove(filepath.Join(dir, root)) != nil {
		t.Fatal(r.Data.Generation)
	}
	found := asked[Finding](t, func(p *Printer) error { _, err := Verify(bg, p, "fs:"+dir, false); return err })
	if found.Blob != root || found.Severity != "error" {
		t.Errorf("%+v", found)
	}
}
