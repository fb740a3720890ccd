package segmenttest

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/compound"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// Segment is one segment of a commit.
type Segment struct {
	Commit *lucene.SegmentCommitInfo
	Outer  store.Directory    // the folder of the index
	Dir    store.Directory    // the segment's files: Outer, or the compound file
	Fields *lucene.FieldInfos // as they are now, after updates
}

// State returns what a format needs to open the segment's files.
func (s *Segment) State(access store.Access) *codec.ReadState {
	return &codec.ReadState{Dir: s.Dir, Info: s.Commit.Info, Fields: s.Fields, Access: access}
}

// Shards takes the indices out of a snapshot of a fixture and returns the folder of each shard. index may
// name one index; "" is all.
func Shards(t testing.TB, fixture, snapshot, index string) []string {
	t.Helper()
	out := t.TempDir()
	args := []string{oracletest.FixtureRepository(t, fixture), snapshot, out}
	if index != "" {
		args = append(args, index)
	}
	if _, err := oracletest.Tool(t, "unsnap", args...); err != nil {
		t.Fatal(err)
	}
	commits, err := filepath.Glob(filepath.Join(out, "*", "*", "segments_*"))
	if err != nil || len(commits) == 0 {
		t.Fatalf("%s %s holds no shards: %v", fixture, snapshot, err)
	}
	for i := range commits {
		commits[i] = filepath.Dir(commits[i])
	}
	return commits
}

// Open opens the segments of the newest commit in a folder.
func Open(t testing.TB, folder string) []*Segment {
	t.Helper()
	dir, err := store.OpenFS(folder)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := segments.ReadLatest(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []*Segment
	for _, c := range infos.Segments {
		s := &Segment{Commit: c, Outer: dir, Dir: dir}
		if c.Info.IsCompoundFile {
			cfs, err := compound.Open(dir, c.Info, store.Random)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cfs.Close() })
			s.Dir = cfs
		}
		if c.FieldInfosGen == -1 {
			s.Fields, err = fieldinfo.Read(s.Dir, c.Info, "")
		} else {
			s.Fields, err = fieldinfo.Read(dir, c.Info, strconv.FormatInt(c.FieldInfosGen, 36))
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// Probed is what real Lucene reads of the segments of a folder.
type Probed struct {
	Segments []struct {
		Name         string `json:"name"`
		MaxDoc       int32  `json:"max_doc"`
		NumDocs      int32  `json:"num_docs"`
		DelCount     int32  `json:"del_count"`
		DocValuesGen int64  `json:"doc_values_gen"`
		Fields       []struct {
			Name       string `json:"name"`
			PointCount int64  `json:"point_count"`
			PointDocs  int32  `json:"point_docs"`
			PointMin   string `json:"point_min_hex"`
			PointMax   string `json:"point_max_hex"`
		} `json:"fields"`
		DocValues map[string]*struct {
			Type       string  `json:"type"`
			ValueCount int64   `json:"value_count"`
			Values     [][]any `json:"values"`
		} `json:"doc_values"`
		Points map[string][][]any `json:"points"`
		Norms  map[string][][]any `json:"norms"`
	} `json:"segments"`
}

// Probe asks real Lucene about a folder. Numbers in values are json.Number.
func Probe(t testing.TB, folder string, args ...string) *Probed {
	t.Helper()
	out, err := oracletest.Tool(t, "luceneprobe", append([]string{folder, "--limit", "1000000"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	p := &Probed{}
	if err := d.Decode(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// Number returns a number as Probe decodes it.
func Number[T ~int32 | ~int64](v T) any { return json.Number(strconv.FormatInt(int64(v), 10)) }

// Bytes returns a byte string as luceneprobe prints it.
func Bytes(b []byte) any {
	plain := utf8.Valid(b)
	for _, c := range b {
		if c < 32 && c != '\n' && c != '\t' {
			plain = false
		}
	}
	if plain {
		return string(b)
	}
	return "hex:" + Hex(b)
}

// Hex returns b in hexadecimal.
func Hex(b []byte) string {
	const digits = "0123456789abcdef"
	s := make([]byte, 0, 2*len(b))
	for _, c := range b {
		s = append(s, digits[c>>4], digits[c&15])
	}
	return string(s)
}
