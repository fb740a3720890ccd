package check

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// words is a token stream over words, with a payload on every third.
type words struct {
	text  []string
	i     int
	off   int32
	token lucene.Token
}

func (w *words) Next() (bool, error) {
	if w.i == len(w.text) {
		return false, nil
	}
	t := w.text[w.i]
	w.token = lucene.Token{Term: []byte(t), StartOffset: w.off, EndOffset: w.off + int32(len(t)), PositionIncrement: 1, PositionLength: 1}
	if w.i%3 == 0 {
		w.token.Payload = []byte(strings.ToUpper(t))
	}
	w.off += int32(len(t)) + 1
	w.i++
	return true, nil
}

func (w *words) Token() *lucene.Token { return &w.token }
func (w *words) End() (int32, int32)  { return w.off, 0 }

var (
	typeID     = &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true}
	typeText   = &lucene.FieldType{IndexOptions: lucene.IndexDocsFreqsPositions}
	typeAll    = &lucene.FieldType{IndexOptions: lucene.IndexDocsFreqsPositionsOffsets, TermVectors: true, VectorPositions: true, VectorOffsets: true, VectorPayloads: true}
	typeFreqs  = &lucene.FieldType{IndexOptions: lucene.IndexDocsAndFreqs, TermVectors: true}
	typeNum    = &lucene.FieldType{DocValuesType: lucene.DocValuesNumeric, PointDims: 1, PointIndexDims: 1, PointBytes: 8}
	typeBinary = &lucene.FieldType{DocValuesType: lucene.DocValuesBinary}
	typeSorted = &lucene.FieldType{DocValuesType: lucene.DocValuesSorted}
	typeNums   = &lucene.FieldType{DocValuesType: lucene.DocValuesSortedNumeric}
	typeSet    = &lucene.FieldType{DocValuesType: lucene.DocValuesSortedSet}
	typeGeo    = &lucene.FieldType{PointDims: 3, PointIndexDims: 2, PointBytes: 4}
	typeStored = &lucene.FieldType{}
)

func randomDocument(rnd *rand.Rand, id int) *lucene.Document {
	d := &lucene.Document{}
	add := func(f lucene.Field) { d.Fields = append(d.Fields, f) }
	text := func(n int) *words {
		w := &words{}
		for range n {
			w.text = append(w.text, fmt.Sprintf("w%d", rnd.IntN(1+rnd.IntN(400))))
		}
		return w
	}
	add(lucene.Field{Name: "id", Type: typeID, Term: []byte(fmt.Sprint(id)), Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: []byte(fmt.Sprint(id))}})
	add(lucene.Field{Name: "text", Type: typeText, Tokens: text(rnd.IntN(60))})
	if rnd.IntN(3) > 0 {
		add(lucene.Field{Name: "all", Type: typeAll, Tokens: text(rnd.IntN(30))})
	}
	if rnd.IntN(3) > 0 {
		add(lucene.Field{Name: "freqs", Type: typeFreqs, Tokens: text(rnd.IntN(10))})
	}
	n := rnd.Int64N(10000) - 5000
	add(lucene.Field{Name: "num", Type: typeNum, Num: n, Point: binary.BigEndian.AppendUint64(nil, uint64(n)^1<<63)})
	if rnd.IntN(2) == 0 {
		add(lucene.Field{Name: "bin", Type: typeBinary, Bytes: []byte(fmt.Sprintf("%x", rnd.Uint64()))[:rnd.IntN(12)]})
		add(lucene.Field{Name: "sorted", Type: typeSorted, Bytes: []byte(fmt.Sprintf("value %d", rnd.IntN(200)))})
	}
	for range rnd.IntN(4) {
		add(lucene.Field{Name: "nums", Type: typeNums, Num: rnd.Int64N(1 << rnd.IntN(60))})
		add(lucene.Field{Name: "set", Type: typeSet, Bytes: []byte(fmt.Sprintf("set %d", rnd.IntN(300)))})
	}
	if rnd.IntN(4) == 0 {
		p := make([]byte, 12)
		for i := range p {
			p[i] = byte(rnd.IntN(1 + rnd.IntN(256)))
		}
		add(lucene.Field{Name: "geo", Type: typeGeo, Point: p})
	}
	add(lucene.Field{Name: "src", Type: typeStored, Stored: lucene.StoredValue{Kind: lucene.StoredString, Bytes: []byte(strings.Repeat("ab", rnd.IntN(100)))}})
	return d
}

// build writes an index of single files with every format in it, deletes too.
func build(t testing.TB, rnd *rand.Rand, dir store.Directory, docs int, cfg index.Config) {
	t.Helper()
	ctx := context.Background()
	w, err := index.Open(dir, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range docs {
		if _, err := w.AddDocuments(ctx, randomDocument(rnd, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(ctx, nil); err != nil {
		t.Fatal(err)
	}
	for range docs / 10 {
		if _, err := w.DeleteTerm(ctx, lucene.Term{Field: "id", Bytes: []byte(fmt.Sprint(rnd.IntN(docs)))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(ctx, map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestWritten finds nothing wrong in indices of our own writer, and CheckIndex neither.
func TestWritten(t *testing.T) {
	rnd := seed(t)
	var folders []string
	for _, cfg := range []index.Config{
		{NoCompound: true, NoMerges: true},
		{BestCompression: true},
		{NoCompound: true, Sort: []lucene.SortField{{Field: "num", Type: lucene.SortLong, Reverse: true}, {Field: "sorted", Type: lucene.SortString, Missing: lucene.StringLast}}},
	} {
		folder := t.TempDir()
		dir, err := store.OpenFS(folder)
		if err != nil {
			t.Fatal(err)
		}
		build(t, rnd, dir, 3000, cfg)
		report, err := Directory(context.Background(), dir, Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			t.Error(f)
		}
		for _, s := range report.Segments {
			if s.Tokens == 0 || s.TermVectors == 0 || s.Points == 0 || s.DocValues < 5 || s.StoredValues == 0 {
				t.Errorf("nothing was counted: %+v", s)
			}
		}
		if len(report.Unreferenced) != 0 {
			t.Errorf("unreferenced: %v", report.Unreferenced)
		}
		folders = append(folders, folder)
	}
	oracletest.CheckIndex(t, folders...)
}

// BenchmarkCheck tells how fast an index is verified.
func BenchmarkCheck(b *testing.B) {
	dir, err := store.OpenFS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	build(b, rand.New(rand.NewPCG(1, 1)), dir, 20_000, index.Config{NoMerges: true})
	for b.Loop() {
		report, err := Directory(context.Background(), dir, Options{})
		if err != nil || !report.Clean() {
			b.Fatal(err, report.Findings)
		}
		var size int64
		for _, s := range report.Segments {
			size += s.Bytes
		}
		b.SetBytes(size)
	}
}
