package perfield_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/store"
)

// TestUnsupported: a field of a format that is not known gives an error that names it, and the others go on.
func TestUnsupported(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	w, fields := randomSegment(rnd, 50, 500)
	write(t, w, fields)
	infos := w.Fields.All()
	odd := &lucene.FieldInfo{Name: "suggest", Number: 99, IndexOptions: lucene.IndexDocsFreqsPositions, HasPayloads: false, OmitNorms: true, DocValuesGen: -1,
		Attributes: map[string]string{lucene.AttrPostingsFormat: "Completion912", lucene.AttrPostingsSuffix: "0"}}
	if !w.Fields.HasPostings() || len(infos) == 0 {
		t.Fatal("no fields")
	}
	// The files that exist depend on the fields: take one that needs no more of them.
	odd.IndexOptions = lucene.IndexDocs
	fis, err := lucene.NewFieldInfos(append(infos, odd))
	if err != nil {
		t.Fatal(err)
	}
	fp, err := perfield.NewFieldsProducer(&codec.ReadState{Dir: w.Dir, Info: w.Info, Fields: fis})
	if err != nil {
		t.Fatal(err)
	}
	defer fp.Close()
	if _, err := fp.Terms("suggest"); !codec.IsUnsupported(err) || !strings.Contains(err.Error(), "Completion912") || fp.Unsupported("suggest") == nil {
		t.Errorf("terms of an unknown format: %v", err)
	}
	if terms, err := fp.Terms("f0"); terms == nil || err != nil || fp.Unsupported("f0") != nil {
		t.Errorf("terms of another field: %v, %v", terms, err)
	}
	if terms, err := fp.Terms("nowhere"); terms != nil || err != nil {
		t.Errorf("terms of no field: %v, %v", terms, err)
	}
}

// TestConcurrent reads one segment in several goroutines.
func TestConcurrent(t *testing.T) {
	rnd := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 9))
	w, fields := randomSegment(rnd, 3000, 5000)
	write(t, w, fields)
	for _, access := range []store.Access{store.Random, store.Sequential} {
		fp, err := perfield.NewFieldsProducer(readState(w, access))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for name, f := range fields {
					terms, err := fp.Terms(name)
					if err != nil {
						t.Error(err)
						return
					}
					v := &verifier{t: t, rnd: rand.New(rand.NewPCG(uint64(i), 9)), f: f, terms: terms}
					v.all(8)
				}
			})
		}
		wg.Wait()
		fp.Close()
	}
}

// badTerms gives terms in the wrong order.
type badTerms struct{ memTerms }

func (b badTerms) Iterator() (lucene.TermsEnum, error) {
	f := *b.f
	f.terms = []memTerm{{term: []byte("b"), docs: []memDoc{{doc: 1, freq: 1, pos: []memPos{{}}}}}, {term: []byte("a"), docs: []memDoc{{doc: 1, freq: 1, pos: []memPos{{}}}}}}
	return &memEnum{f: &f, i: -1}, nil
}

type oneField struct {
	name  string
	terms lucene.Terms
}

func (o oneField) FieldNames() []string               { return []string{o.name} }
func (o oneField) Terms(string) (lucene.Terms, error) { return o.terms, nil }

// TestRefused: what no index may hold is not written.
func TestRefused(t *testing.T) {
	info := &lucene.FieldInfo{Name: "f", IndexOptions: lucene.IndexDocsFreqsPositionsOffsets, OmitNorms: true, DocValuesGen: -1}
	fis, err := lucene.NewFieldInfos([]*lucene.FieldInfo{info})
	if err != nil {
		t.Fatal(err)
	}
	one := func(docs ...memDoc) lucene.Terms {
		return memTerms{&memField{info: info, terms: []memTerm{{term: []byte("t"), docs: docs}}}}
	}
	for name, terms := range map[string]lucene.Terms{
		"terms out of order":     badTerms{memTerms{&memField{info: info}}},
		"a long term":            memTerms{&memField{info: info, terms: []memTerm{{term: bytes.Repeat([]byte("x"), 40000), docs: []memDoc{{doc: 1, freq: 1, pos: []memPos{{}}}}}}}},
		"documents out of order": one(memDoc{doc: 3, freq: 1, pos: []memPos{{}}}, memDoc{doc: 3, freq: 1, pos: []memPos{{}}}),
		"a document too many":    one(memDoc{doc: 10, freq: 1, pos: []memPos{{}}}),
		"no frequency":           one(memDoc{doc: 1}),
		"positions going back":   one(memDoc{doc: 1, freq: 2, pos: []memPos{{pos: 5}, {pos: 4}}}),
		"a position too high":    one(memDoc{doc: 1, freq: 1, pos: []memPos{{pos: 1<<31 - 1}}}),
		"offsets going back":     one(memDoc{doc: 1, freq: 2, pos: []memPos{{start: 5, end: 6}, {start: 4, end: 6}}}),
		"an end before a start":  one(memDoc{doc: 1, freq: 1, pos: []memPos{{start: 5, end: 4}}}),
	} {
		w := &codec.WriteState{Dir: store.NewMem(), Info: &lucene.SegmentInfo{Name: "_0", MaxDoc: 10}, Fields: fis}
		fc, err := perfield.NewFieldsConsumer(w)
		if err != nil {
			t.Fatal(err)
		}
		if err := fc.Write(oneField{"f", terms}, nil); err == nil {
			t.Errorf("%s: written", name)
		}
		if err := fc.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}
