package perfield_test

import (
	"math/rand/v2"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/codec/norms"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/codec/storedfields"
	"github.com/varve-search/varve/lucene/store"
)

// memNormValues walks over all norms of a field; the postings ask document by document.
func (n *memNorms) Next() (int32, error) { return n.Advance(n.doc + 1) }

func (n *memNorms) Advance(target int32) (int32, error) {
	for n.doc = target; n.doc < int32(len(n.norms)); n.doc++ {
		if n.norms[n.doc] != 0 {
			return n.doc, nil
		}
	}
	n.doc = lucene.NoMoreDocs
	return n.doc, nil
}

func (n *memNorms) DocID() int32 { return n.doc }

func (n *memNorms) Cost() int64 { return int64(len(n.norms)) }

// fitNorms gives a norm to the documents that have the field, and to no others, as Lucene's CheckIndex wants it.
func (f *memField) fitNorms() {
	seen := make([]bool, len(f.norms))
	for _, t := range f.terms {
		for _, d := range t.docs {
			seen[d.doc] = true
		}
	}
	for i, has := range seen {
		switch {
		case !has:
			f.norms[i] = 0
		case f.norms[i] == 0:
			f.norms[i] = 1
		}
	}
}

// TestRandomCheckIndex makes whole indices of random postings, and Lucene's CheckIndex accepts them.
func TestRandomCheckIndex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 3))
	var paths []string
	for round := range 6 {
		maxDoc := 1 + rnd.Int32N(1<<(1+rnd.IntN(15)))
		if round == 0 {
			maxDoc = 20000
		}
		path := t.TempDir()
		paths = append(paths, path)
		dir, err := store.OpenFS(path)
		if err != nil {
			t.Fatal(err)
		}
		w, fields := randomSegment(rnd, maxDoc, 100000)
		w.Dir = dir
		for _, f := range fields {
			f.fitNorms()
		}
		write(t, w, fields)
		writeRest(t, w, fields)
	}
	oracletest.CheckIndex(t, paths...)
}

// writeRest writes the other files of a segment whose documents store nothing, and commits it.
func writeRest(t *testing.T, w *codec.WriteState, fields memFields) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if w.Fields.HasNorms() {
		nc, err := norms.NewConsumer(w)
		must(err)
		for _, f := range w.Fields.All() {
			if f.HasNorms() {
				must(nc.AddNorms(f, fields))
			}
		}
		must(nc.Close())
	}
	sf, err := storedfields.NewWriter(w, storedfields.BestSpeed)
	must(err)
	for range w.Info.MaxDoc {
		must(sf.StartDocument())
		must(sf.FinishDocument())
	}
	must(sf.Finish(w.Info.MaxDoc))
	must(sf.Close())
	must(fieldinfo.Write(w.Dir, w.Info, "", w.Fields))
	w.Info.Files, err = w.Dir.List()
	must(err)
	min := lucene.Written
	w.Info.MinVersion = &min
	must(segmentinfo.Write(w.Dir, w.Info))
	infos := segments.New()
	infos.NextSegmentName()
	infos.Segments = append(infos.Segments, lucene.NewSegmentCommitInfo(w.Info))
	must(infos.Commit(w.Dir))
}
