package perfield_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/store"
)

var (
	roundFlag = flag.Int("rounds", 12, "rounds of the random tests")
)

// randomSegment makes the fields of a segment.
func randomSegment(rnd *rand.Rand, maxDoc int32, budget int) (*codec.WriteState, memFields) {
	fields := memFields{}
	var infos []*lucene.FieldInfo
	for i := range 1 + rnd.IntN(4) {
		info := &lucene.FieldInfo{
			Name: fmt.Sprintf("f%d", i), Number: int32(i), DocValuesGen: -1,
			IndexOptions: lucene.IndexDocs + lucene.IndexOptions(rnd.IntN(4)), OmitNorms: rnd.IntN(2) == 0,
		}
		info.HasPayloads = info.IndexOptions >= lucene.IndexDocsFreqsPositions && rnd.IntN(2) == 0
		infos = append(infos, info)
		fields[info.Name] = randomField(rnd, info, maxDoc, budget)
	}
	fis, err := lucene.NewFieldInfos(infos)
	if err != nil {
		panic(err)
	}
	si := &lucene.SegmentInfo{Name: "_0", ID: lucene.NewID(), Version: lucene.Written, MaxDoc: maxDoc, Codec: "Lucene912"}
	return &codec.WriteState{Dir: store.NewMem(), Info: si, Fields: fis}, fields
}

func write(t testing.TB, w *codec.WriteState, fields memFields) {
	t.Helper()
	fc, err := perfield.NewFieldsConsumer(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := fc.Write(fields, fields); err != nil {
		t.Fatal(err)
	}
	if err := fc.Close(); err != nil {
		t.Fatal(err)
	}
}

func readState(w *codec.WriteState, access store.Access) *codec.ReadState {
	return &codec.ReadState{Dir: w.Dir, Info: w.Info, Fields: w.Fields, Access: access}
}

// TestRandom writes random fields and reads them in every way.
func TestRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 0))
	for round := range *roundFlag {
		maxDoc := 1 + rnd.Int32N(1<<(1+rnd.IntN(15)))
		budget := 60000
		if round%4 == 0 {
			maxDoc, budget = 20000, 150000
		}
		w, fields := randomSegment(rnd, maxDoc, budget)
		write(t, w, fields)
		fp, err := perfield.NewFieldsProducer(readState(w, store.Random))
		if err != nil {
			t.Fatal(err)
		}
		if err := fp.CheckIntegrity(); err != nil {
			t.Fatal(err)
		}
		for name, f := range fields {
			terms, err := fp.Terms(name)
			if err != nil {
				t.Fatal(err)
			}
			v := &verifier{t: t, rnd: rnd, f: f, terms: terms}
			v.all(40)
		}
		if err := fp.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGenerations reads what each generation of Lucene wrote in every way.
func TestGenerations(t *testing.T) {
	seed := uint64(testseed.Of(t))
	for i, version := range []string{"9.0.0", "9.8.0", "9.11.1", "9.12.3"} {
		path := makeIndex(t, version, int64(42+i), largeDocs())
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		for _, s := range openSegments(t, path, store.Random) {
			fp, err := perfield.NewFieldsProducer(s.State)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range fp.FieldNames() {
				terms, err := fp.Terms(name)
				if err != nil {
					t.Fatal(err)
				}
				f, err := readField(s.State.Fields.ByName(name), terms)
				if err != nil {
					t.Fatal(err)
				}
				v := &verifier{t: t, rnd: rnd, f: f, terms: terms}
				v.all(60)
			}
			fp.Close()
		}
	}
}
