package index

import (
	"fmt"

	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// TestIndicesOfRealNodes takes indices that OpenSearch wrote, with soft deletes, nested documents, index sorts and older codecs, and
// adds, deletes and merges with them. Everything of every live document must be as before, and CheckIndex accepts the result.
func TestIndicesOfRealNodes(t *testing.T) {
	var dirs []string
	for _, version := range []string{"opensearch-2.19", "opensearch-2.11", "opensearch-2.3"} {
		repo := oracletest.FixtureRepository(t, version+"/main")
		out := t.TempDir()
		snaps := []string{"snap-3"}
		if version == "opensearch-2.19" {
			snaps = append(snaps, "snap-2")
		}
		for _, snap := range snaps {
			if _, err := oracletest.Tool(t, "unsnap", repo, snap, filepath.Join(out, snap)); err != nil {
				t.Fatal(err)
			}
		}
		shards, err := filepath.Glob(filepath.Join(out, "*", "*", "*"))
		if err != nil || len(shards) < 10 {
			t.Fatalf("%s: shards %v, %v", version, shards, err)
		}
		for _, path := range shards {
			t.Run(version+strings.TrimPrefix(path, out), func(t *testing.T) {
				writeToForeign(t, path)
				dirs = append(dirs, path)
			})
		}
	}
	checkIndex(t, dirs)
}

func openPath(t *testing.T, path string) (*store.FSDirectory, *DirectoryReader) {
	t.Helper()
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenDirectory(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return dir, r
}

// liveDescriptions returns all that is known of each live document, sorted.
func liveDescriptions(t *testing.T, r *DirectoryReader) []string {
	t.Helper()
	var out []string
	for _, leaf := range leavesOf(r) {
		for doc, lines := range describeLeaf(t, leaf) {
			if live := leaf.LiveDocs(); live == nil || live.Get(int32(doc)) {
				out = append(out, strings.Join(lines, "\n"))
			}
		}
	}
	slices.Sort(out)
	return out
}

func writeToForeign(t *testing.T, path string) {
	dir, before := openPath(t, path)
	want := liveDescriptions(t, before)
	var sort []lucene.SortField
	var softFields []string
	var victim []byte
	major := before.Infos().IndexCreatedMajor
	data := before.Infos().UserData
	for _, s := range before.Segments() {
		sort = s.Segment().Info.IndexSort
		if f := s.FieldInfos().SoftDeletesField(); f != "" {
			softFields = append(softFields, f)
		}
		terms, err := s.Terms("_id")
		if err != nil {
			t.Fatal(err)
		}
		if terms != nil && victim == nil {
			if m, err := terms.Max(); err != nil {
				t.Fatal(err)
			} else {
				victim = slices.Clone(m)
			}
		}
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	w := openTest(t, dir, Config{Sort: sort, OnMergeError: func(err error) { t.Error(err) }})
	defer func() {
		if err := w.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := w.AddDocuments(t.Context(), &lucene.Document{Fields: []lucene.Field{
		{Name: "_id", Type: typeID, Term: []byte("\xff new"), Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: []byte("\xff new")}},
		{Name: "only here", Type: typeText, Tokens: words("a few words")},
	}}); err != nil {
		t.Fatal(err)
	}
	if victim != nil {
		if _, err := w.DeleteTerm(t.Context(), lucene.Term{Field: "_id", Bytes: victim}); err != nil {
			t.Fatal(err)
		}
	}
	mark := fmt.Sprintf("term _id %q 1", victim)
	want = slices.DeleteFunc(want, func(s string) bool { return victim != nil && strings.Contains(s, mark) })
	compare := func(when string) {
		t.Helper()
		r, err := w.Reader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got := slices.DeleteFunc(liveDescriptions(t, r), func(s string) bool { return strings.Contains(s, "only here") })
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("%s: got\n%s\nwant\n%s", when, got[i], want[i])
				}
			}
			t.Fatalf("%s: %d documents instead of %d", when, len(got), len(want))
		}
	}
	compare("after a delete")
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.ForceMerge(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	compare("after merging")
	if err := w.Commit(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	c := w.LastCommit()
	if c.IndexCreatedMajor != major || len(c.Segments) != 1 || c.Segments[0].Info.Codec != currentCodec || c.Segments[0].SoftDelCount != 0 {
		t.Errorf("commit: major %d, %d segments", c.IndexCreatedMajor, len(c.Segments))
	}
	for k, v := range data {
		if c.UserData[k] != v {
			t.Errorf("user data %s is %q, was %q", k, c.UserData[k], v)
		}
	}
	_, r := openPath(t, path)
	defer r.Close()
	if len(softFields) > 0 && r.Segments()[0].FieldInfos().SoftDeletesField() != softFields[0] {
		t.Errorf("the field of soft deletes is %q, was %q", r.Segments()[0].FieldInfos().SoftDeletesField(), softFields[0])
	}
}
