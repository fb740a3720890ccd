package segments_test

import (
	"fmt"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/compound"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

type probe struct {
	SegmentsFile      string            `json:"segments_file"`
	Generation        int64             `json:"generation"`
	Version           int64             `json:"version"`
	Counter           int64             `json:"counter"`
	LuceneVersion     string            `json:"lucene_version"`
	IndexCreatedMajor int32             `json:"index_created_major"`
	CommitID          string            `json:"commit_id"`
	UserData          map[string]string `json:"user_data"`
	Segments          []struct {
		Name          string            `json:"name"`
		ID            string            `json:"id"`
		CommitInfoID  string            `json:"commit_info_id"`
		Codec         string            `json:"codec"`
		Version       string            `json:"version"`
		MinVersion    string            `json:"min_version"`
		MaxDoc        int32             `json:"max_doc"`
		DelCount      int32             `json:"del_count"`
		SoftDelCount  int32             `json:"soft_del_count"`
		DelGen        int64             `json:"del_gen"`
		FieldInfosGen int64             `json:"field_infos_gen"`
		DocValuesGen  int64             `json:"doc_values_gen"`
		Compound      bool              `json:"compound"`
		IndexSort     string            `json:"index_sort"`
		Diagnostics   map[string]string `json:"diagnostics"`
		Attributes    map[string]string `json:"attributes"`
		Files         map[string]int64  `json:"files"`
		CompoundFiles map[string]int64  `json:"compound_files"`
		Fields        []struct {
			Name           string            `json:"name"`
			Number         int32             `json:"number"`
			IndexOptions   string            `json:"index_options"`
			HasNorms       bool              `json:"has_norms"`
			OmitsNorms     bool              `json:"omits_norms"`
			Payloads       bool              `json:"payloads"`
			TermVectors    bool              `json:"term_vectors"`
			DocValues      string            `json:"doc_values"`
			DocValuesGen   int64             `json:"doc_values_gen"`
			PointDims      int32             `json:"point_dims"`
			PointIndexDims int32             `json:"point_index_dims"`
			PointBytes     int32             `json:"point_bytes"`
			SoftDeletes    bool              `json:"soft_deletes"`
			Attributes     map[string]string `json:"attributes"`
		} `json:"fields"`
	} `json:"segments"`
}

// TestFixtures compares everything that the metadata of real indices says to what Lucene reads there.
func TestFixtures(t *testing.T) {
	for _, c := range []struct {
		fixture, snapshot, index string
		rewrite                  bool // the older layouts are not written
	}{
		{"opensearch-2.3/main", "snap-2", "", false},
		{"opensearch-2.11/main", "snap-2", "products", false},
		{"opensearch-2.17/main", "snap-3", "products", true},
		{"opensearch-2.19/main", "snap-3", "sorted-days", true},
		{"opensearch-2.19/main", "snap-3", "cfs-on", true},
		{"opensearch-2.19/chunked", "snap-2", "", true},
	} {
		t.Run(c.fixture+"/"+c.snapshot+"/"+c.index, func(t *testing.T) {
			var index []string
			if c.index != "" {
				index = []string{c.index}
			}
			for name, path := range oracletest.Indices(t, c.fixture, c.snapshot, index...) {
				compareMetadata(t, name, path)
				if c.rewrite {
					rewriteMetadata(t, name, path)
				}
			}
		})
	}
}

func compareMetadata(t *testing.T, name, path string) {
	t.Helper()
	var want probe
	oracletest.Probe(t, &want, path)
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := segments.ReadLatest(dir)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	check := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %s: got %v, want %v", name, what, got, want)
		}
	}
	check("file", infos.FileName(), want.SegmentsFile)
	check("generation", infos.Generation, want.Generation)
	check("version", infos.Version, want.Version)
	check("counter", infos.Counter, want.Counter)
	check("Lucene", infos.LuceneVersion, want.LuceneVersion)
	check("created", infos.IndexCreatedMajor, want.IndexCreatedMajor)
	check("id", idString(infos.ID), want.CommitID)
	check("user data", infos.UserData, want.UserData)
	check("segments", len(infos.Segments), len(want.Segments))
	for i, sci := range infos.Segments {
		w, si := want.Segments[i], sci.Info
		check("name", si.Name, w.Name)
		check("segment id", idString(si.ID), w.ID)
		check("state id", idString(sci.ID), w.CommitInfoID)
		check("codec", si.Codec, w.Codec)
		check("version", si.Version, w.Version)
		check("min version", si.MinVersion, w.MinVersion)
		check("max doc", si.MaxDoc, w.MaxDoc)
		check("deleted", sci.DelCount, w.DelCount)
		check("soft-deleted", sci.SoftDelCount, w.SoftDelCount)
		check("gens", []int64{sci.DelGen, sci.FieldInfosGen, sci.DocValuesGen}, []int64{w.DelGen, w.FieldInfosGen, w.DocValuesGen})
		check("compound", si.IsCompoundFile, w.Compound)
		check("diagnostics", si.Diagnostics, w.Diagnostics)
		check("attributes", si.Attributes, w.Attributes)
		check("sort", sortString(si.IndexSort), w.IndexSort)
		check("files", sci.Files(), slices.Sorted(maps.Keys(w.Files)))
		var inner store.Directory = dir
		if si.IsCompoundFile {
			cfs, err := compound.Open(dir, si, store.Random)
			if err != nil {
				t.Fatal(err)
			}
			defer cfs.Close()
			inner = cfs
			names, _ := cfs.List()
			check("inner files", names, slices.Sorted(maps.Keys(w.CompoundFiles)))
			for f, n := range w.CompoundFiles {
				got, err := cfs.Length(f)
				if err != nil || got != n {
					t.Errorf("%s: inner file %s: %d bytes, %v; want %d", name, f, got, err, n)
				}
			}
			if err := cfs.CheckIntegrity(); err != nil {
				t.Error(err)
			}
		}
		fields, err := readFields(dir, inner, sci)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		check("fields", fields.Len(), len(w.Fields))
		for _, wf := range w.Fields {
			f := fields.ByName(wf.Name)
			if f == nil {
				t.Errorf("%s: field %s is missing", name, wf.Name)
				continue
			}
			check("field "+f.Name, []any{f.Number, f.IndexOptions, f.HasNorms(), f.OmitNorms, f.HasPayloads, f.HasVectors, f.DocValuesType, f.DocValuesGen, f.PointDims, f.PointIndexDims, f.PointBytes, f.SoftDeletes, f.Attributes},
				[]any{wf.Number, wf.IndexOptions, wf.HasNorms, wf.OmitsNorms, wf.Payloads, wf.TermVectors, wf.DocValues, wf.DocValuesGen, wf.PointDims, wf.PointIndexDims, wf.PointBytes, wf.SoftDeletes, wf.Attributes})
		}
	}
}

func idString(id lucene.ID) string {
	return new(big.Int).SetBytes(id[:]).Text(36)
}

func readFields(dir, inner store.Directory, sci *lucene.SegmentCommitInfo) (*lucene.FieldInfos, error) {
	if sci.FieldInfosGen == -1 {
		return fieldinfo.Read(inner, sci.Info, "")
	}
	return fieldinfo.Read(dir, sci.Info, strconv.FormatInt(sci.FieldInfosGen, 36))
}

func sortString(fields []lucene.SortField) string {
	if fields == nil {
		return "null"
	}
	var parts []string
	for _, f := range fields {
		var b strings.Builder
		kind := "sortednumeric"
		if f.Type == lucene.SortString {
			kind = "sortedset"
		}
		fmt.Fprintf(&b, "<%s: %q>", kind, f.Field)
		if f.Reverse {
			b.WriteByte('!')
		}
		switch f.Missing {
		case nil:
		case lucene.StringFirst:
			b.WriteString(" missingValue=SortField.STRING_FIRST")
		case lucene.StringLast:
			b.WriteString(" missingValue=SortField.STRING_LAST")
		default:
			fmt.Fprintf(&b, " missingValue=%v", f.Missing)
		}
		fmt.Fprintf(&b, " selector=%s", [...]string{"", "MIN", "MAX", "MIDDLE_MIN", "MIDDLE_MAX"}[f.Selector])
		if f.Type == lucene.SortLong {
			b.WriteString(" type=LONG")
		}
		parts = append(parts, b.String())
	}
	return strings.Join(parts, ",")
}

// rewriteMetadata writes what was read with our writers, packs and unpacks compound files, and lets
// CheckIndex judge.
func rewriteMetadata(t *testing.T, name, path string) {
	t.Helper()
	src, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := segments.ReadLatest(src)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "index")
	dst, err := store.OpenFS(out)
	if err != nil {
		t.Fatal(err)
	}
	infos.Generation += 41
	for _, sci := range infos.Segments {
		si := sci.Info
		var inner store.Directory = src
		var wasCompound = si.IsCompoundFile
		if wasCompound {
			cfs, err := compound.Open(src, si, store.Sequential)
			if err != nil {
				t.Fatal(err)
			}
			defer cfs.Close()
			inner = cfs
		}
		names, err := inner.List()
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, f := range names {
			if strings.HasSuffix(f, ".si") || !wasCompound && !slices.Contains(si.Files, f) {
				continue
			}
			if f == si.Name+".fnm" {
				fields, err := fieldinfo.Read(inner, si, "")
				if err != nil {
					t.Fatal(err)
				}
				if err := fieldinfo.Write(dst, si, "", fields); err != nil {
					t.Fatal(err)
				}
			} else {
				copyFile(t, inner, dst, f)
			}
			files = append(files, f)
		}
		for _, f := range sci.Files() {
			if !slices.Contains(si.Files, f) {
				copyFile(t, src, dst, f)
			}
		}
		si.Files = files
		si.IsCompoundFile = !wasCompound
		if si.IsCompoundFile {
			if si.Files, err = compound.Write(dst, si, files); err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if err := dst.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := segmentinfo.Write(dst, si); err != nil {
			t.Fatal(err)
		}
	}
	if err := infos.Commit(dst); err != nil {
		t.Fatal(err)
	}
	again, err := segments.ReadLatest(dst)
	if err != nil {
		t.Fatal(err)
	}
	if again.Generation != infos.Generation || again.ID != infos.ID || len(again.Segments) != len(infos.Segments) {
		t.Errorf("%s: read back %+v, wrote %+v", name, again, infos)
	}
	if left, _ := filepath.Glob(filepath.Join(out, "pending*")); left != nil {
		t.Errorf("%s: left over: %v", name, left)
	}
	oracletest.CheckIndex(t, out)
	compareMetadata(t, name+" (written again)", out)
}

func copyFile(t *testing.T, from, to store.Directory, name string) {
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
