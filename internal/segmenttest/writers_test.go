package segmenttest

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/codec/norms"
	"github.com/varve-search/varve/lucene/codec/perfielddv"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/store"
)

// rewrite writes all columns, norms, points and live documents of the segments in folder anew, next to the
// other files of a copy, and returns the copy.
func rewrite(t *testing.T, folder string) string {
	t.Helper()
	target := Unpack(t, folder, rewritten...)
	out, err := store.OpenFS(target)
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range Open(t, folder) {
		state := s.State(store.Sequential)
		write := &codec.WriteState{Dir: out, Info: s.Commit.Info, Fields: s.Fields}
		live, err := livedocs.Read(s.Outer, s.Commit)
		check(err)
		if live != nil {
			_, err := livedocs.Write(out, s.Commit, s.Commit.DelGen, live)
			check(err)
		}
		if s.Fields.HasDocValues() {
			dv, err := perfielddv.NewSegmentProducer(state, s.Outer)
			check(err)
			base, err := perfielddv.NewConsumer(write)
			check(err)
			for _, f := range s.Fields.All() {
				c, f := base, f.Clone()
				if f.DocValuesGen >= 0 {
					update := *write
					update.Suffix = strconv.FormatInt(f.DocValuesGen, 36)
					c, err = perfielddv.NewConsumer(&update)
					check(err)
				} else if f.Attributes[lucene.AttrDocValuesFormat] == "" {
					continue
				}
				switch f.DocValuesType {
				case lucene.DocValuesNumeric:
					check(c.AddNumeric(f, dv))
				case lucene.DocValuesBinary:
					check(c.AddBinary(f, dv))
				case lucene.DocValuesSorted:
					check(c.AddSorted(f, dv))
				case lucene.DocValuesSortedNumeric:
					check(c.AddSortedNumeric(f, dv))
				case lucene.DocValuesSortedSet:
					check(c.AddSortedSet(f, dv))
				}
				if c != base {
					check(c.Close())
				}
			}
			check(base.Close())
			check(dv.Close())
		}
		if s.Fields.HasNorms() {
			np, err := norms.NewProducer(state)
			check(err)
			c, err := norms.NewConsumer(write)
			check(err)
			for _, f := range s.Fields.All() {
				if f.HasNorms() {
					check(c.AddNorms(f, np))
				}
			}
			check(c.Close())
			check(np.Close())
		}
		if s.Fields.HasPoints() {
			pp, err := points.NewProducer(state)
			check(err)
			c, err := points.NewConsumer(write)
			check(err)
			for _, f := range s.Fields.All() {
				if f.PointDims == 0 {
					continue
				}
				tree, err := pp.Points(f.Name)
				check(err)
				if tree != nil {
					check(c.AddPoints(f, points.Source(tree)))
				}
			}
			check(c.Close())
			check(pp.Close())
		}
	}
	return target
}

var rewritten = []string{"dvd", "dvm", "nvd", "nvm", "kdd", "kdi", "kdm", "liv"}

// sizes returns how many bytes the rewritten files of all segments in a folder have, by extension.
func sizes(t *testing.T, folder string, into map[string]int64) {
	t.Helper()
	for _, s := range Open(t, folder) {
		dirs := []store.Directory{s.Dir}
		if s.Dir != s.Outer {
			dirs = append(dirs, s.Outer)
		}
		for _, dir := range dirs {
			names, err := dir.List()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				ext := strings.TrimPrefix(filepath.Ext(name), ".")
				if !slices.Contains(rewritten, ext) || !segmentinfo.BelongsTo(name, s.Commit.Info.Name) {
					continue
				}
				n, err := dir.Length(name)
				if err != nil {
					t.Fatal(err)
				}
				into[ext] += n
			}
		}
	}
}

// TestWriters has real Lucene check and read what the writers made of the columns of the fixtures.
func TestWriters(t *testing.T) {
	for _, fixture := range []string{"opensearch-2.17/main", "opensearch-2.19/main"} {
		for i, snapshot := range []string{"snap-2", "snap-3"} {
			if os.Getenv("VARVE_LONG") == "" && (i == 0) == (fixture == "opensearch-2.19/main") {
				continue // snap-2 of one, snap-3 of the other
			}
			t.Run(filepath.Dir(fixture)+"/"+snapshot, func(t *testing.T) {
				var n tally
				before, after := map[string]int64{}, map[string]int64{}
				for _, folder := range Shards(t, fixture, snapshot, "") {
					t.Run(filepath.Base(filepath.Dir(folder))+"/"+filepath.Base(folder), func(t *testing.T) {
						all := Open(t, folder)
						written := rewrite(t, folder)
						oracletest.CheckIndex(t, written)
						sizes(t, folder, before)
						sizes(t, written, after)
						// What real Lucene reads of the original must be what we read of the copy, and what it reads there itself.
						compareWith(t, all, probeAll(t, written, all), store.Random, &n)
						compareWith(t, Open(t, written), probeAll(t, folder, all), store.Sequential, &n)
					})
				}
				t.Logf("compared %+v; bytes of Lucene's files %v, of ours %v", n, before, after)
				for ext, b := range before {
					if a := after[ext]; a > b+b/20 {
						t.Errorf("the .%s files have %d bytes, those of Lucene %d", ext, a, b)
					}
				}
			})
		}
	}
}
