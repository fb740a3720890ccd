package segmenttest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/store"
)

// Unpack copies the index in folder to a new folder, its compound files taken apart, and without the files whose extension
// is in leaveOut: a test is to write them anew. It returns the new folder. Only segments of Lucene 9.9 and later.
func Unpack(t testing.TB, folder string, leaveOut ...string) string {
	t.Helper()
	target := t.TempDir()
	out, err := store.OpenFS(target)
	if err != nil {
		t.Fatal(err)
	}
	left := func(name string) bool { return slices.Contains(leaveOut, strings.TrimPrefix(filepath.Ext(name), ".")) }
	skip := map[string]bool{}
	for _, s := range Open(t, folder) {
		si := s.Commit.Info
		if !si.IsCompoundFile {
			continue
		}
		inner, err := s.Dir.List()
		if err != nil {
			t.Fatal(err)
		}
		changed := *si
		changed.IsCompoundFile = false
		changed.Files = append(slices.Clone(inner), si.Name+".si")
		for _, name := range inner {
			if !left(name) {
				copyFile(t, s.Dir, out, name)
			}
		}
		if err := segmentinfo.Write(out, &changed); err != nil {
			t.Fatal(err)
		}
		skip[si.Name+".si"], skip[si.Name+".cfs"], skip[si.Name+".cfe"] = true, true, true
	}
	from, err := store.OpenFS(folder)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !skip[name] && !left(name) && name != store.WriteLock {
			copyFile(t, from, out, name)
		}
	}
	return target
}

func copyFile(t testing.TB, from, to store.Directory, name string) {
	t.Helper()
	in, err := from.Open(name, store.Sequential)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := to.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.CopyFrom(in, 0, in.Length()); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
