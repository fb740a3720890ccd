package repotool

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
)

// expectedDocs reads what a real node said of an index in a snapshot: id to the line of its document.
func expectedDocs(t *testing.T, docs, snapshot, index string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs, snapshot, index+".ndjson"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		raw, _, _ := strings.Cut(line, "\t")
		var id string
		if err := json.Unmarshal([]byte(raw), &id); err != nil {
			t.Fatal(err)
		}
		out[id] = line
	}
	return out
}

// TestDiff compares every two snapshots of real nodes, in both directions, with the documents that those nodes had.
func TestDiff(t *testing.T) {
	for name, least := range map[string]int{"opensearch-2.19/main": 1000, "opensearch-2.19/remote": 300} {
		folder := fixture(t, name)
		loc := "fs:" + folder
		ctx := WithRemoteStore(bg, remoteOf(folder)) // the first needs none
		docs := oracletest.FixtureDocs(t, name)
		r, err := Open(bg, loc)
		if err != nil {
			t.Fatal(err)
		}
		looked := 0
		for _, a := range r.Data.Snapshots {
			for _, b := range r.Data.Snapshots {
				var out bytes.Buffer
				different, err := Diff(ctx, &Printer{Out: &out, JSON: true}, DiffOptions{Location: loc, A: a.Name, B: b.Name})
				if err != nil {
					t.Fatalf("%s %s %s: %v", name, a.Name, b.Name, err)
				}
				looked += checkDiff(t, docs, a.Name, b.Name, out.Bytes())
				if a.Name == b.Name && different {
					t.Errorf("%s differs from itself", a.Name)
				}
			}
		}
		t.Logf("%s: %d documents that differ", name, looked)
		if looked < least {
			t.Error("too few to prove anything")
		}
	}
}

func checkDiff(t *testing.T, docs, a, b string, out []byte) int {
	t.Helper()
	changes := map[string]map[string]string{} // index, id, change
	n := 0
	for line := range bytes.Lines(out) {
		var l DiffLine
		var sum DiffIndex
		if err := errors.Join(json.Unmarshal(line, &l), json.Unmarshal(line, &sum)); err != nil {
			t.Fatal(err)
		}
		if changes[l.Index] == nil {
			changes[l.Index] = map[string]string{}
		}
		if l.Change != "summary" {
			changes[l.Index][l.ID] = l.Change
			n++
			continue
		}
		was, is := expectedDocs(t, docs, a, l.Index), expectedDocs(t, docs, b, l.Index)
		want := map[string]string{}
		unchanged := int64(0)
		for id, line := range is {
			switch old, ok := was[id]; {
			case !ok:
				want[id] = "added"
			case old != line:
				want[id] = "changed"
			default:
				unchanged++
			}
		}
		for id := range was {
			if _, ok := is[id]; !ok {
				want[id] = "removed"
			}
		}
		got := changes[l.Index]
		for id, c := range want {
			if got[id] != c {
				t.Errorf("%s to %s, %s: [%s] is %q, want %q", a, b, l.Index, id, got[id], c)
			}
		}
		for id, c := range got {
			if want[id] == "" {
				t.Errorf("%s to %s, %s: [%s] is %q and should be nothing", a, b, l.Index, id, c)
			}
		}
		if sum.Identical == 0 && sum.Unchanged != unchanged {
			t.Errorf("%s to %s, %s: %d unchanged, want %d", a, b, l.Index, sum.Unchanged, unchanged)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	return n
}

func TestDiffText(t *testing.T) {
	loc := "fs:" + fixture(t, "opensearch-2.19/main")
	out := text(t, func(p *Printer) error {
		_, err := Diff(bg, p, DiffOptions{Location: loc, A: "snap-1", B: "snap-3", Indices: []string{"pro*", "late"}, Source: true})
		return err
	})
	for _, want := range []string{"+ late/", "    + {", "products: ", "only in snap-3"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%.500s", want, out)
		}
	}
	out = text(t, func(p *Printer) error {
		_, err := Diff(bg, p, DiffOptions{Location: loc, A: "snap-3", B: "snap-4", Indices: []string{"products"}, Summary: true})
		return err
	})
	if !strings.Contains(out, "1 identical shard") {
		t.Error(out)
	}
}

// TestDiffOld compares snapshots whose segments are of Lucene 6 to 8, sorted in many runs and few, with the documents that real nodes had.
func TestDiffOld(t *testing.T) {
	defer func(n int) { runBytes = n }(runBytes)
	t.Setenv("TMPDIR", t.TempDir())
	for name, size := range map[string]int{"elasticsearch-5.6/main": 512, "elasticsearch-6.8/main": runBytes, "elasticsearch-7.10/main": 20 << 10, "opensearch-1.3/main": runBytes} {
		runBytes = size
		loc := "fs:" + fixture(t, name)
		docs := oracletest.FixtureDocs(t, name)
		looked := 0
		for i, pair := range [][2]string{{"snap-1", "snap-3"}, {"snap-2", "snap-1"}, {"snap-1", "snap-1"}} {
			var out bytes.Buffer
			different, err := Diff(bg, &Printer{Out: &out, JSON: true}, DiffOptions{Location: loc, A: pair[0], B: pair[1], Source: i == 0})
			if err != nil {
				t.Fatalf("%s %v: %v", name, pair, err)
			}
			looked += checkDiff(t, docs, pair[0], pair[1], out.Bytes())
			if i == 0 && !bytes.Contains(out.Bytes(), []byte(`"_source_previous"`)) || i != 0 && bytes.Contains(out.Bytes(), []byte(`"_source`)) {
				t.Errorf("%s %v: sources are shown where they should not, or not where they should", name, pair)
			}
			if different != (pair[0] != pair[1]) {
				t.Errorf("%s %v: %v", name, pair, different)
			}
		}
		t.Logf("%s: %d documents that differ", name, looked)
		if looked < 500 {
			t.Error("too few to prove anything")
		}
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}
