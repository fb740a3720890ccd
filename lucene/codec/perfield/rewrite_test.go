package perfield_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/codectest"
	"github.com/varve-search/varve/lucene/codec/norms"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/store"
)

var postingsExtensions = []string{"doc", "pos", "pay", "psm", "tim", "tip", "tmd"}

// rewritePostings reads all postings of a segment and writes them to w.
func rewritePostings(t *testing.T, s codectest.Segment, w *codec.WriteState) {
	t.Helper()
	state := *s.State
	state.Access = store.Sequential
	fp, err := perfield.NewFieldsProducer(&state)
	if err != nil {
		t.Fatal(err)
	}
	defer fp.Close()
	var np lucene.NormsProducer
	if state.Fields.HasNorms() {
		p, err := norms.NewProducer(&state)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		np = p
	}
	fc, err := perfield.NewFieldsConsumer(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := fc.Write(fp, np); err != nil {
		t.Fatal(err)
	}
	if err := fc.Close(); err != nil {
		t.Fatal(err)
	}
}

// rewrite copies an index, with all postings read and written again.
func rewrite(t *testing.T, path string) string {
	t.Helper()
	return codectest.Rewrite(t, path, func(s codectest.Segment, w *codec.WriteState) []string {
		if s.State.Fields.HasPostings() {
			rewritePostings(t, s, w)
		}
		return postingsExtensions
	})
}

// compareFiles reports the postings files whose bytes are not those that Lucene wrote.
func compareFiles(t *testing.T, path, out string) {
	t.Helper()
	for _, s := range openSegments(t, path, store.Random) {
		names, err := s.State.Dir.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			ext := filepath.Ext(name)
			if len(ext) < 1 || !slices.Contains(postingsExtensions, ext[1:]) || !bytes.HasPrefix([]byte(name), []byte(s.State.Info.Name+"_Lucene912_")) {
				continue
			}
			theirs := readAll(t, s.State.Dir, name)
			ours, err := os.ReadFile(filepath.Join(out, name))
			if err != nil {
				t.Error(err)
				continue
			}
			n := 0
			for i := range min(len(theirs), len(ours)) {
				// Lucene leaves what was in a buffer in the padding of arcs, and we leave zeros.
				if theirs[i] != ours[i] && (ext != ".tip" || ours[i] != 0 && i < len(ours)-codec.FooterLength) {
					n++
				}
			}
			t.Logf("%s: Lucene wrote %d bytes, we %d, of which %d differ", name, len(theirs), len(ours), n)
			// What .tim (and with it the addresses in .tip and .tmd) holds depends on how LZ4 finds its matches;
			// nothing in the others is a matter of choice.
			if slices.Contains([]string{".doc", ".pos", ".pay", ".psm"}, ext) && (n > 0 || len(theirs) != len(ours)) {
				t.Errorf("%s differs from what Lucene wrote", name)
			}
		}
	}
}

func readAll(t testing.TB, dir store.Directory, name string) []byte {
	t.Helper()
	in, err := dir.Open(name, store.Sequential)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	b, err := store.Bytes(in, 0, int(in.Length()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRewriteLarge writes again what Lucene 9.12 wrote: CheckIndex accepts it, Lucene reads the same
// postings, and the postings files are the same to the byte.
func TestRewriteLarge(t *testing.T) {
	path := makeIndex(t, "9.12.3", 45, largeDocs())
	out := rewrite(t, path)
	compareFiles(t, path, out)
	oracletest.CheckIndex(t, out)
	want := string(runJava(t, "9.12.3", "PostingsDump.java", path))
	if got := string(runJava(t, "9.12.3", "PostingsDump.java", out)); got != want {
		t.Errorf("Lucene reads\n%s\nin what was written, and\n%s\nin the original", got, want)
	}
}

// TestRewriteFixtures does the same with all shards of a real node, with their updates and deletions.
func TestRewriteFixtures(t *testing.T) {
	var outs []string
	for _, path := range oracletest.Indices(t, "opensearch-2.19/main", "snap-2") {
		out := rewrite(t, path)
		compareFiles(t, path, out)
		outs = append(outs, out)
	}
	for _, path := range oracletest.Indices(t, "opensearch-2.19/main", "snap-3") {
		out := rewrite(t, path)
		compareFiles(t, path, out)
		outs = append(outs, out)
	}
	oracletest.CheckIndex(t, outs...)
}

// TestRewriteOlder writes again the postings of older generations, and reads the same in them.
func TestRewriteOlder(t *testing.T) {
	for _, fixture := range []string{"opensearch-2.3/main", "opensearch-2.11/main", "opensearch-2.17/main"} {
		for name, path := range oracletest.Indices(t, fixture, "snap-3") {
			for _, s := range openSegments(t, path, store.Random) {
				if !s.State.Fields.HasPostings() {
					continue
				}
				texts := [2]bytes.Buffer{}
				dumpAll(t, s.State, &texts[0])
				dir := store.NewMem()
				w := &codec.WriteState{Dir: dir, Info: s.State.Info, Fields: s.State.Fields}
				rewritePostings(t, s, w)
				dumpAll(t, &codec.ReadState{Dir: dir, Info: w.Info, Fields: w.Fields}, &texts[1])
				if !bytes.Equal(texts[0].Bytes(), texts[1].Bytes()) {
					t.Errorf("%s %s %s: other postings are read than were written", fixture, name, s.State.Info.Name)
				}
			}
		}
	}
}

func dumpAll(t *testing.T, state *codec.ReadState, w io.Writer) {
	t.Helper()
	fp, err := perfield.NewFieldsProducer(state)
	if err != nil {
		t.Fatal(err)
	}
	defer fp.Close()
	for _, name := range fp.FieldNames() {
		terms, err := fp.Terms(name)
		if err != nil {
			t.Fatal(err)
		}
		if terms == nil {
			continue
		}
		if err := dump(terms, w, false); err != nil {
			t.Fatal(err)
		}
	}
}
