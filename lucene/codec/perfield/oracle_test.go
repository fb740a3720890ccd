package perfield_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/codectest"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/store"
)

// runJava runs a class of testdata with a version of Lucene on its class path.
func runJava(t testing.TB, version, source string, args ...string) []byte {
	t.Helper()
	return oracletest.RunJava(t, version, filepath.Join("testdata", source), args...)
}

// openSegments opens the last commit of an index.
func openSegments(t testing.TB, path string, access store.Access) []codectest.Segment {
	t.Helper()
	_, segs := codectest.Segments(t, path)
	for _, s := range segs {
		s.State.Access = access
	}
	return segs
}

// dump writes what PostingsDump writes of a field.
func dump(terms lucene.Terms, w io.Writer, impacts bool) error {
	hexOf := func(b []byte) string {
		if b == nil {
			return "-"
		}
		return hex.EncodeToString(b)
	}
	lo, _ := terms.Min()
	hi, _ := terms.Max()
	fmt.Fprintf(w, "F %d %d %d %d %s %s\n", terms.Size(), terms.SumTotalTermFreq(), terms.SumDocFreq(), terms.DocCount(), hexOf(lo), hexOf(hi))
	te, err := terms.Iterator()
	if err != nil {
		return err
	}
	var pe lucene.PostingsEnum
	var line []byte
	for {
		term, err := te.Next()
		if err != nil {
			return err
		}
		if term == nil {
			return nil
		}
		df, err := te.DocFreq()
		if err != nil {
			return err
		}
		ttf, err := te.TotalTermFreq()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "T %x %d %d\n", term, df, ttf)
		if pe, err = te.Postings(pe, lucene.PostingsAll); err != nil {
			return err
		}
		for {
			d, err := pe.Next()
			if err != nil {
				return err
			}
			if d == lucene.NoMoreDocs {
				break
			}
			f, err := pe.Freq()
			if err != nil {
				return err
			}
			line = strconv.AppendInt(line[:0], int64(d), 10)
			line = strconv.AppendInt(append(line, ' '), int64(f), 10)
			if terms.IndexOptions() >= lucene.IndexDocsFreqsPositions {
				for range f {
					p, err := pe.NextPosition()
					if err != nil {
						return err
					}
					line = strconv.AppendInt(append(line, ' '), int64(p), 10)
					line = strconv.AppendInt(append(line, ','), int64(pe.StartOffset()), 10)
					line = strconv.AppendInt(append(line, ','), int64(pe.EndOffset()), 10)
					line = append(append(line, ','), hexOf(pe.Payload())...)
				}
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		if !impacts || terms.IndexOptions() < lucene.IndexDocsAndFreqs || df <= 128 {
			continue
		}
		if err := dumpImpacts(te, w); err != nil {
			return err
		}
	}
}

func dumpImpacts(te lucene.TermsEnum, w io.Writer) error {
	ie, err := te.Impacts(lucene.PostingsFreqs)
	if err != nil {
		return err
	}
	for target := int32(0); target != lucene.NoMoreDocs; {
		if err := ie.AdvanceShallow(target); err != nil {
			return err
		}
		fmt.Fprint(w, "I")
		for l := range ie.NumLevels() {
			fmt.Fprintf(w, " %d", ie.DocIDUpTo(l))
			list, err := ie.Impacts(l)
			if err != nil {
				return err
			}
			for _, im := range list {
				fmt.Fprintf(w, " %d,%d", im.Freq, im.Norm)
			}
		}
		fmt.Fprintln(w)
		upTo := ie.DocIDUpTo(0)
		if upTo == lucene.NoMoreDocs {
			return nil
		}
		if target, err = ie.Advance(upTo + 1); err != nil {
			return err
		}
	}
	return nil
}

// newest returns the version of Lucene that is to say what an index of a version holds.
func newest(version string) string {
	if strings.HasPrefix(version, "10.") {
		return "10.5.0"
	}
	return "9.12.3"
}

// compare checks every field of every segment of indices against what a version of Lucene reads, by digests.
func compare(t *testing.T, version string, paths []string, all ...store.Access) (fields int) {
	t.Helper()
	lines := string(runJava(t, version, "PostingsDump.java", paths...))
	for _, access := range all {
		want := map[string]string{}
		for line := range strings.Lines(lines) {
			p := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			want[strings.Join(p[:3], "/")] = strings.Join(p[3:], " ")
		}
		fields += compareWith(t, version, paths, access, want)
	}
	return fields
}

// compareWith compares with digests by index, segment and field.
func compareWith(t *testing.T, version string, paths []string, access store.Access, want map[string]string) (fields int) {
	t.Helper()
	for i, path := range paths {
		for _, s := range openSegments(t, path, access) {
			fp, err := perfield.NewFieldsProducer(s.State)
			if err != nil {
				t.Fatalf("%s %s: %v", path, s.State.Info.Name, err)
			}
			if err := fp.CheckIntegrity(); err != nil {
				t.Error(err)
			}
			for _, name := range fp.FieldNames() {
				key := fmt.Sprintf("%d/%s/%s", i, s.State.Info.Name, name)
				terms, err := fp.Terms(name)
				if err != nil {
					t.Errorf("%s: %v", key, err)
					continue
				}
				if terms == nil {
					if _, ok := want[key]; ok {
						t.Errorf("%s has no terms", key)
					}
					continue
				}
				h := sha256.New()
				lines := &lineCounter{}
				if err := dump(terms, io.MultiWriter(h, lines), true); err != nil {
					t.Errorf("%s: %v", key, err)
				}
				if got := fmt.Sprintf("%d %x", lines.n, h.Sum(nil)); got != want[key] {
					t.Errorf("%s: %s, Lucene reads %s", key, got, want[key])
					diffText(t, version, path, s.State.Info.Name, name, terms)
				}
				delete(want, key)
				fields++
			}
			if err := fp.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
	return fields
}

// diffText shows the first line that differs.
func diffText(t *testing.T, version, path, seg, field string, terms lucene.Terms) {
	var buf bytes.Buffer
	err := dump(terms, &buf, true)
	got := strings.Split(buf.String(), "\n")
	want := strings.Split(string(runJava(t, version, "PostingsDump.java", "--text", seg, field, path)), "\n")
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("line %d:\n%.300s\nwhere Lucene reads\n%.300s (%v)", i, got[i], want[i], err)
			return
		}
	}
}

type lineCounter struct{ n int }

func (c *lineCounter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte{'\n'})
	return len(p), nil
}

// TestFixtures compares all postings of the fixtures to what Lucene reads.
func TestFixtures(t *testing.T) {
	for _, f := range [][2]string{{"opensearch-2.3/main", "9.12.3"}, {"opensearch-2.11/main", "9.12.3"}, {"opensearch-2.17/main", "9.12.3"}, {"opensearch-2.19/main", "9.12.3"},
		{"opensearch-3.0/main", "10.5.0"}, {"opensearch-3.8/main", "10.5.0"}} {
		fixture, version := f[0], f[1]
		t.Run(fixture, func(t *testing.T) {
			var paths []string
			for _, snapshot := range []string{"snap-1", "snap-3"} {
				for _, path := range oracletest.Indices(t, fixture, snapshot) {
					paths = append(paths, path)
				}
			}
			slices.Sort(paths)
			n := compare(t, version, paths, store.Random)
			t.Logf("%d fields of %d shards are equal", n, len(paths))
		})
	}
}

// TestLarge compares indices that Lucene writes for the purpose: documents, frequencies, positions,
// offsets and payloads of terms in up to 20,000 documents, in each generation of the format.
func TestLarge(t *testing.T) {
	for i, version := range []string{"9.0.0", "9.8.0", "9.11.1", "9.12.3", "10.1.0", "10.3.1", "10.5.0"} {
		if version == "10.3.1" && os.Getenv("VARVE_LONG") == "" {
			continue // it has the postings of 10.1 and the dictionary of 10.5
		}
		t.Run(version, func(t *testing.T) {
			path := makeIndex(t, version, int64(42+i), largeDocs())
			t.Logf("%d fields are equal", compare(t, newest(version), []string{path}, store.Random, store.Sequential))
		})
	}
}

func largeDocs() int {
	switch {
	case testing.Short():
		return 5000
	case os.Getenv("VARVE_LONG") == "":
		return 9000 // more than a block of the third level of skip data
	}
	return 20000
}

// makeIndex lets a version of Lucene write an index. With VARVE_TEST_INDEX_CACHE set it is kept there.
func makeIndex(t testing.TB, version string, seed int64, docs int) string {
	t.Helper()
	path := t.TempDir()
	if cache := os.Getenv("VARVE_TEST_INDEX_CACHE"); cache != "" {
		path = filepath.Join(cache, fmt.Sprintf("%s-%d-%d", version, seed, docs))
		if _, err := os.Stat(filepath.Join(path, "segments_1")); err == nil {
			return path
		}
	}
	runJava(t, version, "PostingsMake.java", path, fmt.Sprint(seed), fmt.Sprint(docs))
	return path
}
