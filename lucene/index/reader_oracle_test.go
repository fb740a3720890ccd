package index

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// docCollector keeps the stored _id and _source of a document.
type docCollector struct{ id, source []byte }

func (c *docCollector) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	if f.Name == "_id" || f.Name == "_source" {
		return lucene.VisitYes, nil
	}
	return lucene.VisitNo, nil
}

func (c *docCollector) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	if f.Name == "_id" {
		c.id = bytes.Clone(v.Bytes)
	} else {
		c.source = bytes.Clone(v.Bytes)
	}
	return nil
}

// decodeID turns the stored form of a document's id back: digits in nibbles, plain UTF-8, or base64.
func decodeID(b []byte) string {
	switch b[0] {
	case 0xfe:
		var s []byte
		for _, x := range b[1:] {
			s = append(s, '0'+x>>4)
			if x&15 != 15 {
				s = append(s, '0'+x&15)
			}
		}
		return string(s)
	case 0xff:
		return string(b[1:])
	case 0xfd:
		b = b[1:]
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// canonical writes JSON with sorted keys and without white space, numbers as they stand.
func canonical(t testing.TB, out *bytes.Buffer, v any) {
	switch v := v.(type) {
	case map[string]any:
		out.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out.WriteByte(',')
			}
			canonical(t, out, k)
			out.WriteByte(':')
			canonical(t, out, v[k])
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			canonical(t, out, e)
		}
		out.WriteByte(']')
	case string:
		out.WriteByte('"')
		for _, r := range v {
			if i := strings.IndexRune("\"\\\n\r\t\b\f", r); i >= 0 {
				out.WriteByte('\\')
				out.WriteByte("\"\\nrtbf"[i])
			} else if r < ' ' {
				fmt.Fprintf(out, "\\u%04X", r)
			} else {
				out.WriteRune(r)
			}
		}
		out.WriteByte('"')
	default:
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
}

func canonicalLine(t testing.TB, id string, source []byte) string {
	t.Helper()
	var out bytes.Buffer
	canonical(t, &out, id)
	out.WriteByte('\t')
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("document %s: %v in %.200s", id, err, source)
	}
	canonical(t, &out, v)
	return out.String()
}

// TestFixtureDocuments compares the live documents of every index of real snapshots to what the real node answered.
func TestFixtureDocuments(t *testing.T) {
	for _, c := range []struct {
		fixture   string
		snapshots []string
	}{
		{"opensearch-2.3/main", []string{"snap-2", "snap-3"}},
		{"opensearch-2.11/main", []string{"snap-2", "snap-3"}},
		{"opensearch-2.17/main", []string{"snap-2", "snap-3"}},
		{"opensearch-2.19/main", []string{"snap-1", "snap-2", "snap-3"}},
		{"opensearch-2.19/chunked", []string{"snap-2", "snap-3"}},
		{"opensearch-3.0/main", []string{"snap-2"}},
		{"opensearch-3.8/main", []string{"snap-3"}},
	} {
		docs := oracletest.FixtureDocs(t, c.fixture)
		for _, snapshot := range c.snapshots {
			t.Run(c.fixture+"/"+snapshot, func(t *testing.T) {
				got := map[string][]string{}
				for shard, path := range oracletest.Indices(t, c.fixture, snapshot) {
					name, _, _ := strings.Cut(shard, "/")
					got[name] = append(got[name], liveLines(t, path)...)
				}
				for name, lines := range got {
					b, err := os.ReadFile(filepath.Join(docs, snapshot, name+".ndjson"))
					if err != nil {
						t.Fatal(err)
					}
					want := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
					if len(b) == 0 {
						want = nil
					}
					slices.Sort(lines)
					slices.Sort(want)
					if !slices.Equal(lines, want) {
						for i := range min(len(lines), len(want)) {
							if lines[i] != want[i] {
								t.Errorf("%s: got  %.300s\nwant %.300s", name, lines[i], want[i])
								break
							}
						}
						t.Errorf("%s: %d documents, want %d", name, len(lines), len(want))
					}
				}
			})
		}
	}
}

func liveLines(t *testing.T, path string) []string {
	t.Helper()
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenDirectory(context.Background(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var lines []string
	live := int32(0)
	for _, leaf := range r.Leaves() {
		bits, sf := leaf.Reader.LiveDocs(), leaf.Reader.StoredFields()
		for doc := range leaf.Reader.MaxDoc() {
			if bits != nil && !bits.Get(doc) {
				continue
			}
			live++
			var c docCollector
			if err := sf.Document(doc, &c); err != nil {
				t.Fatal(err)
			}
			if c.id != nil && c.source != nil {
				lines = append(lines, canonicalLine(t, decodeID(c.id), c.source))
			}
		}
		sci := leaf.Reader.Segment()
		if leaf.Reader.NumDocs() != sci.Info.MaxDoc-sci.DelCount-sci.SoftDelCount {
			t.Errorf("%s segment %s: %d live documents of %d, %d deleted, %d soft-deleted", path, sci.Info.Name, leaf.Reader.NumDocs(), sci.Info.MaxDoc, sci.DelCount, sci.SoftDelCount)
		}
	}
	if live != r.NumDocs() {
		t.Errorf("%s: %d live documents, the reader says %d", path, live, r.NumDocs())
	}
	return lines
}

// TestProbe compares what readers say of fields to what Lucene says, soft deletes wrapped and not.
func TestProbe(t *testing.T) {
	type answer struct {
		MaxDoc   int32 `json:"max_doc"`
		NumDocs  int32 `json:"num_docs"`
		Segments []struct {
			Name    string `json:"name"`
			NumDocs int32  `json:"num_docs"`
			Fields  []struct {
				Name             string
				Terms            *int64
				SumTotalTermFreq int64  `json:"sum_total_term_freq"`
				SumDocFreq       int64  `json:"sum_doc_freq"`
				DocCount         int32  `json:"doc_count"`
				PointCount       int64  `json:"point_count"`
				PointDocs        int32  `json:"point_docs"`
				PointMin         string `json:"point_min_hex"`
				PointMax         string `json:"point_max_hex"`
			}
		}
	}
	for _, c := range [][3]string{
		{"opensearch-2.3/main", "snap-2", "logs-2024.05"}, {"opensearch-2.11/main", "snap-2", "products"},
		{"opensearch-2.17/main", "snap-3", "segrep"}, {"opensearch-2.19/main", "snap-2", "logs-2024.05"},
	} {
		for name, path := range oracletest.Indices(t, c[0], c[1], c[2]) {
			if !strings.HasSuffix(name, "/0") {
				continue // one shard is like the other
			}
			var want, soft answer
			oracletest.Probe(t, &want, path)
			oracletest.Probe(t, &soft, path, "--soft")
			dir, err := store.OpenFS(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := OpenDirectory(context.Background(), dir, "")
			if err != nil {
				t.Fatal(err)
			}
			if r.NumDocs() != soft.NumDocs || len(r.Segments()) != len(want.Segments) {
				t.Errorf("%s: %d live documents in %d segments, Lucene says %d in %d", name, r.NumDocs(), len(r.Segments()), soft.NumDocs, len(want.Segments))
			}
			for i, ws := range want.Segments {
				leaf := r.Segments()[i]
				if n := countBits(leaf.hard, leaf.MaxDoc()); leaf.info.Info.Name != ws.Name || n != ws.NumDocs {
					t.Errorf("%s: segment %s with %d documents, Lucene has %s with %d", name, leaf.info.Info.Name, n, ws.Name, ws.NumDocs)
				}
				for _, wf := range ws.Fields {
					terms, err := leaf.Terms(wf.Name)
					if err != nil {
						t.Fatal(err)
					}
					if wf.Terms != nil && (terms == nil || terms.Size() != *wf.Terms || terms.SumTotalTermFreq() != wf.SumTotalTermFreq || terms.SumDocFreq() != wf.SumDocFreq || terms.DocCount() != wf.DocCount) {
						t.Errorf("%s %s: terms of field %s differ: %+v, Lucene has %+v", name, ws.Name, wf.Name, terms, wf)
					}
					points, err := leaf.Points(wf.Name)
					if err != nil {
						t.Fatal(err)
					}
					if wf.PointCount > 0 && (points == nil || points.Size() != wf.PointCount || points.DocCount() != wf.PointDocs ||
						fmt.Sprintf("%x", points.MinPacked()) != wf.PointMin || fmt.Sprintf("%x", points.MaxPacked()) != wf.PointMax) {
						t.Errorf("%s %s: points of field %s differ", name, ws.Name, wf.Name)
					}
					if err := leaf.Unsupported(wf.Name); err != nil {
						t.Errorf("%s %s: %v", name, ws.Name, err)
					}
				}
			}
			for _, s := range r.Segments() {
				if err := s.CheckIntegrity(); err != nil {
					t.Error(err)
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// copyIndex copies the files of an index into memory.
func copyIndex(t testing.TB, path string) *store.MemDirectory {
	t.Helper()
	mem := store.NewMem()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(path, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		mem.Put(e.Name(), b)
	}
	return mem
}

// TestUnsupportedCodec opens segments that say they are of codecs which are known and cannot be read.
func TestUnsupportedCodec(t *testing.T) {
	for _, path := range oracletest.Indices(t, "opensearch-2.19/main", "snap-3", "accounts") {
		for _, c := range []struct {
			codec     string
			openable  bool
			storedErr string
		}{{"Lucene912", true, ""}, {"KNN9120Codec", true, ""}, {"ZSTD912", true, "ZSTD912"}, {"Lucene87", false, "Lucene 8"}, {"Made-up", false, "Made-up"}} {
			mem := copyIndex(t, path)
			infos, err := segments.ReadLatest(mem)
			if err != nil {
				t.Fatal(err)
			}
			for _, sci := range infos.Segments {
				sci.Info.Codec = c.codec
			}
			if err := infos.Commit(mem); err != nil {
				t.Fatal(err)
			}
			r, err := OpenDirectory(context.Background(), mem, "")
			if (err == nil) != c.openable || err != nil && !strings.Contains(err.Error(), c.storedErr) {
				t.Errorf("%s: %v", c.codec, err)
				continue
			}
			if err != nil {
				continue
			}
			leaf := r.Leaves()[0].Reader
			err = leaf.StoredFields().Document(0, &docCollector{})
			if (err == nil) != (c.storedErr == "") || err != nil && !strings.Contains(err.Error(), c.storedErr) {
				t.Errorf("%s: stored fields: %v", c.codec, err)
			}
			if terms, err := leaf.Terms("_id"); err != nil || terms == nil || terms.Size() == 0 {
				t.Errorf("%s: terms: %v", c.codec, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestMissingFiles opens an index of which one file is missing.
func TestMissingFiles(t *testing.T) {
	for _, path := range oracletest.Indices(t, "opensearch-2.19/main", "snap-3", "cfs-off") {
		mem := copyIndex(t, path)
		names, err := mem.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			in, err := mem.Open(name, store.Random)
			if err != nil {
				t.Fatal(err)
			}
			b, err := store.Bytes(in, 0, int(in.Length()))
			if err != nil {
				t.Fatal(err)
			}
			if err := mem.Remove(name); err != nil {
				t.Fatal(err)
			}
			_, err = OpenDirectory(context.Background(), mem, "")
			if strings.HasPrefix(name, "segments_") {
				if !errors.Is(err, segments.ErrNoCommit) {
					t.Errorf("without a commit: %v", err)
				}
			} else if !store.IsCorrupt(err) || !strings.Contains(err.Error(), name) {
				t.Errorf("without %s: %v", name, err)
			}
			mem.Put(name, b)
		}
	}
}
