package legacy

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// collector keeps all stored values of a document as bytes.
type collector struct{ bytes.Buffer }

func (*collector) Needs(*lucene.FieldInfo) (lucene.VisitStatus, error) { return lucene.VisitYes, nil }

func (c *collector) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	c.WriteString(f.Name)
	c.Write(v.Bytes)
	return nil
}

// readAll returns what the live documents of a commit store.
func readAll(dir store.Directory, commit string) ([]byte, int, error) {
	infos, err := ReadCommit(dir, commit)
	if err != nil {
		return nil, 0, err
	}
	var c collector
	n := 0
	for _, sci := range infos.Segments {
		s, err := OpenSegment(dir, sci, true)
		if err != nil {
			return nil, 0, err
		}
		stored := s.StoredFields()
		for doc := range s.MaxDoc() {
			if !s.Live(doc) {
				continue
			}
			if err := stored.Document(doc, &c); err != nil {
				return nil, 0, err
			}
			n++
		}
		if err := s.Close(); err != nil {
			return nil, 0, err
		}
	}
	return c.Bytes(), n, nil
}

// TestDamage flips and cuts bytes of real indices: what is still read must be what was there, and all else an error that names a
// file.
func TestDamage(t *testing.T) {
	seed := uint64(testseed.Of(t))
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, c := range []struct {
		fixture, snapshot, index string
	}{
		{"elasticsearch-5.6/main", "snap-2", "products"},
		{"elasticsearch-6.8/main", "snap-1", "cfs-on"},
		{"elasticsearch-7.10/main", "snap-2", "products"},
		{"opensearch-1.3/main", "snap-1", "cfs-on"},
	} {
		t.Run(c.fixture+"/"+c.index, func(t *testing.T) {
			for _, path := range oracletest.Indices(t, c.fixture, c.snapshot, c.index) {
				dir := load(t, path)
				names, _ := dir.List()
				commit := segments.FileName(segments.LastGeneration(names))
				want, n, err := readAll(dir, commit)
				if err != nil || n == 0 {
					t.Fatalf("%d documents, %v", n, err)
				}
				for range 120 {
					name := names[rnd.IntN(len(names))]
					whole := bytesOf(t, dir, name)
					broken, at := slices.Clone(whole), rnd.IntN(len(whole))
					if rnd.IntN(4) == 0 {
						broken = broken[:at]
					} else {
						broken[at] ^= byte(1 + rnd.IntN(255))
					}
					dir.Put(name, broken)
					got, _, err := readAll(dir, commit)
					switch {
					case err == nil && !bytes.Equal(got, want):
						t.Fatalf("%s damaged at %d of %d: other documents without an error", name, at, len(whole))
					case err != nil && !strings.Contains(err.Error(), strings.TrimSuffix(name, filepath.Ext(name))):
						t.Fatalf("%s damaged at %d: the error names no file: %v", name, at, err)
					}
					dir.Put(name, whole)
				}
			}
		})
	}
}

func load(t *testing.T, path string) *store.MemDirectory {
	t.Helper()
	dir := store.NewMem()
	files, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(path, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		dir.Put(f.Name(), b)
	}
	return dir
}

func bytesOf(t *testing.T, dir store.Directory, name string) []byte {
	t.Helper()
	in, err := dir.Open(name, store.Random)
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

// TestCommitOfLucene6 is read here, and called by its name elsewhere.
func TestCommitOfLucene6(t *testing.T) {
	for _, path := range oracletest.Indices(t, "elasticsearch-5.6/main", "snap-1", "products") {
		dir := load(t, path)
		if _, err := segments.ReadLatest(dir); !codec.IsUnsupported(err) || !strings.Contains(err.Error(), "Lucene 6") {
			t.Errorf("%v", err)
		}
		names, _ := dir.List()
		infos, err := ReadCommit(dir, segments.FileName(segments.LastGeneration(names)))
		if err != nil || len(infos.Segments) == 0 || infos.IndexCreatedMajor != 6 || infos.UserData["translog_uuid"] == "" {
			t.Errorf("%+v, %v", infos, err)
		}
	}
}
