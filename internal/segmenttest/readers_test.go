package segmenttest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/codec/norms"
	"github.com/varve-search/varve/lucene/codec/perfielddv"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// probeAll asks real Lucene for all columns, norms and points of a folder.
func probeAll(t testing.TB, folder string, all []*Segment) *Probed {
	dir, err := store.OpenFS(folder)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := segments.ReadLatest(dir)
	if err != nil {
		t.Fatal(err)
	}
	version := "9.12.3"
	if infos.LuceneVersion.Major >= 10 {
		version = "10.5.0"
	}
	t.Helper()
	seen := map[string]bool{}
	var args []string
	add := func(has bool, option, field string) {
		if has && !seen[option+field] {
			seen[option+field] = true
			args = append(args, option, field)
		}
	}
	for _, s := range all {
		for _, f := range s.Fields.All() {
			add(f.DocValuesType != lucene.DocValuesNone, "--dv", f.Name)
			add(f.PointDims > 0, "--points", f.Name)
			add(f.HasNorms(), "--norms", f.Name)
		}
	}
	// The answer is one string in Java: of large segments only a few fields at a time.
	step, docs := len(args), int32(0)
	for _, s := range all {
		docs += s.Commit.Info.MaxDoc
	}
	if docs > 50_000 {
		step = 8
	}
	p := Probe(t, folder, append([]string{"--lucene", version}, args[:min(step, len(args))]...)...)
	for args = args[min(step, len(args)):]; len(args) > 0; args = args[min(step, len(args)):] {
		more := Probe(t, folder, append([]string{"--lucene", version}, args[:min(step, len(args))]...)...)
		for i := range p.Segments {
			to, from := &p.Segments[i], &more.Segments[i]
			to.DocValues = merged(to.DocValues, from.DocValues)
			to.Points = merged(to.Points, from.Points)
			to.Norms = merged(to.Norms, from.Norms)
		}
	}
	return p
}

func merged[V any](a, b map[string]V) map[string]V {
	if a == nil {
		return b
	}
	maps.Copy(a, b)
	return a
}

type tally struct{ segments, columns, updated, values, points, norms, deleted int }

func sortRows(rows [][]any) {
	slices.SortFunc(rows, func(a, b []any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// compare checks all that our readers see in a folder against what real Lucene does.
func compare(t *testing.T, folder string, access store.Access, n *tally) {
	t.Helper()
	all := Open(t, folder)
	want := probeAll(t, folder, all)
	compareWith(t, all, want, access, n)
}

func compareWith(t *testing.T, all []*Segment, want *Probed, access store.Access, n *tally) {
	t.Helper()
	at := 0
	for _, s := range all {
		if s.Commit.DelCount == s.Commit.Info.MaxDoc {
			continue // Lucene's reader leaves out what is wholly deleted
		}
		if at >= len(want.Segments) || want.Segments[at].Name != s.Commit.Info.Name {
			t.Fatalf("segment %s is not where real Lucene has it", s.Commit.Info.Name)
		}
		w := &want.Segments[at]
		at++
		n.segments++
		state := s.State(access)

		live, err := livedocs.Read(s.Outer, s.Commit)
		if err != nil {
			t.Fatal(err)
		}
		numLive := s.Commit.Info.MaxDoc
		if live != nil {
			for i := range live.N {
				if !live.Get(i) {
					numLive--
					n.deleted++
				}
			}
		}
		if numLive != w.NumDocs {
			t.Errorf("%s: %d documents are alive, not %d", w.Name, numLive, w.NumDocs)
		}

		if s.Fields.HasDocValues() {
			dv, err := perfielddv.NewSegmentProducer(state, s.Outer)
			if err != nil {
				t.Fatal(err)
			}
			defer dv.Close()
			if err := dv.CheckIntegrity(); err != nil {
				t.Fatal(err)
			}
			for _, f := range s.Fields.All() {
				if f.DocValuesType == lucene.DocValuesNone {
					continue
				}
				rows, count, err := Column(dv, f)
				if err != nil {
					t.Fatalf("%s %s: %v", w.Name, f.Name, err)
				}
				wf := w.DocValues[f.Name]
				if wf == nil || wf.Type != f.DocValuesType.String() || wf.ValueCount != count || !reflect.DeepEqual(rows, wf.Values) {
					t.Errorf("%s: doc values of %s (%v) differ: %d rows of %d terms, not %+v", w.Name, f.Name, f.DocValuesType, len(rows), count, wf)
				}
				n.columns++
				n.values += len(rows)
				if f.DocValuesGen >= 0 {
					n.updated++
				}
			}
		}
		if s.Fields.HasNorms() {
			np, err := norms.NewProducer(state)
			if err != nil {
				t.Fatal(err)
			}
			defer np.Close()
			if err := np.CheckIntegrity(); err != nil {
				t.Fatal(err)
			}
			for _, f := range s.Fields.All() {
				if !f.HasNorms() {
					continue
				}
				rows, err := Norms(np, f)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(rows, w.Norms[f.Name]) && len(rows)+len(w.Norms[f.Name]) > 0 {
					t.Errorf("%s: norms of %s differ:\n%v\n%v", w.Name, f.Name, rows, w.Norms[f.Name])
				}
				n.norms += len(rows)
			}
		}
		if s.Fields.HasPoints() {
			pp, err := points.NewProducer(state)
			if err != nil {
				t.Fatal(err)
			}
			defer pp.Close()
			if err := pp.CheckIntegrity(); err != nil {
				t.Fatal(err)
			}
			for _, wf := range w.Fields {
				f := s.Fields.ByName(wf.Name)
				if f.PointDims == 0 {
					continue
				}
				tree, err := pp.Points(f.Name)
				if err != nil {
					t.Fatal(err)
				}
				if tree == nil {
					if wf.PointCount != 0 {
						t.Errorf("%s: %s has no points", w.Name, f.Name)
					}
					continue
				}
				rows, err := Points(tree)
				if err != nil {
					t.Fatal(err)
				}
				got, want := w.Points[f.Name], rows
				if f.PointDims > 1 {
					// The order of points within the cells is the writer's choice.
					sortRows(got)
					sortRows(want)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s: the %d points of %s differ", w.Name, len(rows), f.Name)
				}
				if tree.Size() != wf.PointCount || tree.DocCount() != wf.PointDocs || Hex(tree.MinPacked()) != wf.PointMin || Hex(tree.MaxPacked()) != wf.PointMax {
					t.Errorf("%s: the tree of %s differs", w.Name, f.Name)
				}
				n.points += len(rows)
			}
		}
	}
	if at != len(want.Segments) {
		t.Errorf("%d segments, not %d", at, len(want.Segments))
	}
}

// TestReaders compares what the readers see in the fixtures, among them updated doc values, with real Lucene.
func TestReaders(t *testing.T) {
	for _, fixture := range []string{"opensearch-2.3/main", "opensearch-2.11/main", "opensearch-2.17/main", "opensearch-2.19/main", "opensearch-3.0/main", "opensearch-3.8/main"} {
		for _, snapshot := range []string{"snap-2", "snap-3"} {
			if snapshot == "snap-3" && fixture != "opensearch-2.19/main" && os.Getenv("VARVE_LONG") == "" {
				continue
			}
			t.Run(strings.TrimSuffix(fixture, "/main")+"/"+snapshot, func(t *testing.T) {
				var n tally
				for i, folder := range Shards(t, fixture, snapshot, "") {
					access := store.Random
					if i%2 == 1 {
						access = store.Sequential
					}
					t.Run(filepath.Base(filepath.Dir(folder))+"/"+filepath.Base(folder), func(t *testing.T) {
						compare(t, folder, access, &n)
					})
				}
				t.Logf("compared %+v", n)
				if n.columns == 0 || n.points == 0 || n.norms == 0 || snapshot == "snap-2" && n.updated == 0 {
					t.Errorf("the fixture does not have what is to be compared: %+v", n)
				}
			})
		}
	}
}
