package index

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// descriptions returns what is known of each document of each segment that is not deleted for good, in order.
func descriptions(t *testing.T, path string) (docs []string, infos *segments.Infos) {
	t.Helper()
	_, r := openPath(t, path)
	defer r.Close()
	for _, leaf := range leavesOf(r) {
		seg, ok := leaf.(*SegmentReader)
		if !ok {
			t.Fatalf("a leaf is a %T", leaf)
		}
		for doc, lines := range describeLeaf(t, leaf) {
			if seg.hard == nil || seg.hard.Get(int32(doc)) {
				docs = append(docs, strings.Join(lines, "\n"))
			}
		}
	}
	return docs, r.Infos()
}

// rewritten rewrites the index at path and compares all that is known of it before and after.
func rewritten(t *testing.T, path string) int {
	t.Helper()
	want, before := descriptions(t, path)
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := Rewrite(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, after := descriptions(t, path)
	if !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("document %d is\n%s\nand was\n%s", i, got[i], want[i])
			}
		}
		t.Fatalf("%d documents, there were %d", len(got), len(want))
	}
	if after.IndexCreatedMajor != 9 || Rewritable(after) || after.Generation <= before.Generation {
		t.Errorf("the commit %d is of an index that Lucene %d created", after.Generation, after.IndexCreatedMajor)
	}
	soft := func(infos *segments.Infos) (n int32) {
		for _, s := range infos.Segments {
			n += s.SoftDelCount
		}
		return n
	}
	if soft(after) != soft(before) {
		t.Errorf("%d soft-deleted documents, there were %d", soft(after), soft(before))
	}
	for k, v := range before.UserData {
		if after.UserData[k] != v {
			t.Errorf("user data %s is %q, was %q", k, after.UserData[k], v)
		}
	}
	names, err := dir.List()
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(s string) bool { return s == store.WriteLock })
	if !slices.Equal(names, after.Files()) {
		t.Errorf("the folder holds %v, the commit names %v", names, after.Files())
	}
	if again, err := Rewrite(t.Context(), dir, nil); again != 0 || err != nil {
		t.Errorf("the second time %d segments were written, %v", again, err)
	}
	return n
}

// TestRewriteFixtures makes indices of OpenSearch 3 ones of Lucene 9.12: everything of every document is as before,
// CheckIndex accepts them, and they can be written on.
func TestRewriteFixtures(t *testing.T) {
	var dirs []string
	snapshots := map[string][]string{"opensearch-3.0/main": {"snap-3"}, "opensearch-3.8/main": {"snap-2"}}
	if os.Getenv("VARVE_LONG") != "" {
		snapshots = map[string][]string{"opensearch-3.0/main": {"snap-2", "snap-3"}, "opensearch-3.8/main": {"snap-2", "snap-3"}}
	}
	for fixture, snapshots := range snapshots {
		for _, snapshot := range snapshots {
			for shard, path := range oracletest.Indices(t, fixture, snapshot) {
				t.Run(fixture+"/"+snapshot+"/"+shard, func(t *testing.T) {
					if n := rewritten(t, path); n == 0 && !strings.HasPrefix(shard, "empty") {
						t.Error("nothing was rewritten")
					}
					dirs = append(dirs, path)
				})
			}
		}
	}
	checkIndex(t, dirs)
	dirs = dirs[:min(len(dirs), 3)]
	for _, path := range dirs {
		writeToForeign(t, path)
	}
	checkIndex(t, dirs)
}

// TestRewriteMixed rewrites an index of Lucene 9.12 that Lucene 10 went on with: segments that it did not touch are kept.
func TestRewriteMixed(t *testing.T) {
	path := t.TempDir()
	source := filepath.Join("testdata", "MixedMake.java")
	oracletest.RunJava(t, "9.12.3", source, path, "0", "1000")
	_, old := descriptions(t, path)
	if Rewritable(old) {
		t.Error("an index of Lucene 9.12 is to be rewritten")
	}
	oracletest.RunJava(t, "10.5.0", source, path, "1000", "1200")
	_, mixed := descriptions(t, path)
	codecs := map[string]bool{}
	for _, s := range mixed.Segments {
		codecs[s.Info.Codec] = true
	}
	if !codecs["Lucene912"] || !codecs["Lucene104"] || mixed.IndexCreatedMajor != 9 {
		t.Fatalf("the index has segments of %v and was created by Lucene %d", codecs, mixed.IndexCreatedMajor)
	}
	if _, err := Open(mustOpenFS(t, path), Config{}); err == nil || !strings.Contains(err.Error(), "Lucene 10") {
		t.Errorf("the index is opened for writing: %v", err)
	}
	if n := rewritten(t, path); n < 2 {
		t.Errorf("%d segments were rewritten", n)
	}
	checkIndex(t, []string{path})
}

func mustOpenFS(t *testing.T, path string) *store.FSDirectory {
	t.Helper()
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRewriteFails fails in the middle: the index is as it was.
func TestRewriteFails(t *testing.T) {
	for _, path := range oracletest.Indices(t, "opensearch-3.8/main", "snap-2", "products") {
		want, before := descriptions(t, path)
		dir := mustOpenFS(t, path)
		names, err := dir.List()
		if err != nil {
			t.Fatal(err)
		}
		full := errors.New("the disk is full")
		for left := 1; ; left *= 4 {
			n := left
			_, err := Rewrite(t.Context(), dir, func(_ context.Context, size int) error {
				if n -= size; n < 0 {
					return full
				}
				return nil
			})
			if err == nil {
				break
			}
			if !errors.Is(err, full) {
				t.Fatal(err)
			}
			now, err := dir.List()
			if err != nil {
				t.Fatal(err)
			}
			if now = slices.DeleteFunc(now, func(s string) bool { return s == store.WriteLock }); !slices.Equal(now, names) {
				t.Fatalf("after an error the folder holds %v, it held %v", now, names)
			}
			if got, infos := descriptions(t, path); !slices.Equal(got, want) || infos.Generation != before.Generation {
				t.Fatal("after an error the index is another")
			}
		}
		if got, _ := descriptions(t, path); len(got) != len(want) {
			t.Errorf("%d documents, there were %d", len(got), len(want))
		}
	}
}

// TestRewriteDamaged rewrites indices of Lucene 10 with bytes flipped and files cut off: that gives an error, or an index
// that Lucene 9.12's commit describes, and never a panic.
func TestRewriteDamaged(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 10))
	for _, fixture := range []string{"opensearch-3.0/main", "opensearch-3.8/main"} {
		for _, path := range oracletest.Indices(t, fixture, "snap-2", "products") {
			names, err := copyIndex(t, path).List()
			if err != nil {
				t.Fatal(err)
			}
			failed := 0
			const rounds = 60
			for range rounds {
				mem := copyIndex(t, path)
				name := names[rnd.IntN(len(names))]
				in, err := mem.Open(name, store.Sequential)
				if err != nil {
					t.Fatal(err)
				}
				b, err := store.Bytes(in, 0, int(in.Length()))
				if err != nil {
					t.Fatal(err)
				}
				b = bytes.Clone(b)
				if rnd.IntN(4) == 0 {
					b = b[:rnd.IntN(len(b)+1)]
				} else if len(b) > 0 {
					b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
				}
				mem.Put(name, b)
				if _, err := Rewrite(t.Context(), mem, nil); err != nil {
					failed++
					continue
				}
				if infos, err := segments.ReadLatest(mem); err != nil || Rewritable(infos) {
					t.Errorf("%s: what came of it: %v", name, err)
				}
			}
			t.Logf("%s: %d of %d damaged indices gave errors", fixture, failed, rounds)
			if failed == 0 {
				t.Error("no damage was found")
			}
		}
	}
}
