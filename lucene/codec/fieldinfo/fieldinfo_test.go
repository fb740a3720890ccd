package fieldinfo

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

func randomFields(rnd *rand.Rand, n int) []*lucene.FieldInfo {
	var infos []*lucene.FieldInfo
	for i, number := range rnd.Perm(n) {
		f := &lucene.FieldInfo{
			Name: fmt.Sprint("field ", i), Number: int32(number), IndexOptions: lucene.IndexOptions(rnd.IntN(5)),
			DocValuesType: lucene.DocValuesType(rnd.IntN(6)), DocValuesGen: -1, VectorEncoding: 1, SoftDeletes: i == 0, Parent: i == 1,
			Attributes: map[string]string{},
		}
		if f.IndexOptions != lucene.IndexNone {
			f.OmitNorms, f.HasVectors = rnd.IntN(2) == 0, rnd.IntN(2) == 0
			f.HasPayloads = f.IndexOptions >= lucene.IndexDocsFreqsPositions && rnd.IntN(2) == 0
			f.Attributes[lucene.AttrPostingsFormat] = "Lucene912"
		}
		if f.DocValuesType != lucene.DocValuesNone && rnd.IntN(2) == 0 {
			f.DocValuesGen = rnd.Int64N(1 << 40)
		}
		if rnd.IntN(3) == 0 {
			f.PointDims = 1 + rnd.Int32N(lucene.MaxPointDims)
			f.PointIndexDims = 1 + rnd.Int32N(min(f.PointDims, lucene.MaxPointIndexDims))
			f.PointBytes = 1 + rnd.Int32N(lucene.MaxPointBytes)
		}
		if rnd.IntN(4) == 0 {
			f.VectorDims, f.VectorEncoding, f.VectorFunction = 1+rnd.Int32N(1024), uint8(rnd.IntN(2)), uint8(rnd.IntN(4))
		}
		infos = append(infos, f)
	}
	return infos
}

var segment = &lucene.SegmentInfo{Name: "_1", ID: lucene.ID{1, 2, 3}}

func write1(t testing.TB, suffix string, infos []*lucene.FieldInfo) ([]byte, error) {
	t.Helper()
	fis, err := lucene.NewFieldInfos(infos)
	if err != nil {
		return nil, err
	}
	dir := store.NewMem()
	if err := Write(dir, segment, suffix, fis); err != nil {
		return nil, err
	}
	in, err := dir.Open(lucene.SegmentFileName("_1", suffix, Extension), store.Random)
	if err != nil {
		t.Fatal(err)
	}
	return store.Bytes(in, 0, int(in.Length()))
}

func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 1))
	for _, n := range []int{0, 1, 2, 50, 700} {
		infos := randomFields(rnd, n)
		b, err := write1(t, "2a", infos)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(store.NewBytesInput("_1_2a.fnm", b), segment.ID, "2a")
		if err != nil {
			t.Fatal(err)
		}
		if got.Len() != n {
			t.Fatalf("%d fields, want %d", got.Len(), n)
		}
		for _, f := range infos {
			if g := got.ByName(f.Name); !reflect.DeepEqual(g, f) {
				t.Fatalf("got  %+v\nwant %+v", g, f)
			}
		}
		if _, err := Parse(store.NewBytesInput("_1_2a.fnm", b), segment.ID, "2b"); !store.IsCorrupt(err) {
			t.Errorf("another suffix: %v", err)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(a, b *lucene.FieldInfo){
		"same number":             func(a, b *lucene.FieldInfo) { b.Number = a.Number },
		"same name":               func(a, b *lucene.FieldInfo) { b.Name = a.Name },
		"two mark soft deletes":   func(a, b *lucene.FieldInfo) { a.SoftDeletes, b.SoftDeletes = true, true },
		"soft deletes and parent": func(a, _ *lucene.FieldInfo) { a.SoftDeletes, a.Parent = true, true },
		"norms without index":     func(a, _ *lucene.FieldInfo) { a.OmitNorms = true },
		"payloads of documents":   func(a, _ *lucene.FieldInfo) { a.IndexOptions, a.HasPayloads = lucene.IndexDocs, true },
		"generation of nothing":   func(a, _ *lucene.FieldInfo) { a.DocValuesGen = 3 },
		"too many dimensions":     func(a, _ *lucene.FieldInfo) { a.PointDims, a.PointIndexDims, a.PointBytes = 17, 8, 4 },
		"points of no bytes":      func(a, _ *lucene.FieldInfo) { a.PointDims, a.PointIndexDims = 1, 1 },
		"negative number":         func(a, _ *lucene.FieldInfo) { a.Number = -1 },
		"skip index":              func(a, _ *lucene.FieldInfo) { a.DocValuesSkip = 1 },
		"vector function":         func(a, _ *lucene.FieldInfo) { a.VectorFunction = 9 },
	} {
		a, b := &lucene.FieldInfo{Name: "a", DocValuesGen: -1}, &lucene.FieldInfo{Name: "b", Number: 1, DocValuesGen: -1}
		change(a, b)
		if _, err := write1(t, "", []*lucene.FieldInfo{a, b}); err == nil {
			t.Errorf("%s: is written", name)
		}
	}
}

func TestDamage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	good, err := write1(t, "", randomFields(rnd, 12))
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << rnd.IntN(8)
		for _, b := range [][]byte{bad, good[:at]} {
			var v *codec.VersionError
			if _, err := Parse(store.NewBytesInput("_1.fnm", b), segment.ID, ""); !store.IsCorrupt(err) && !errors.As(err, &v) {
				t.Fatalf("damage at %d: %v", at, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	b, err := write1(f, "", randomFields(rand.New(rand.NewPCG(1, 1)), 8))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		infos, err := parse(store.NewReader(store.NewBytesInput("_1.fnm", b)), segment.ID, "")
		var v *codec.VersionError
		if err != nil && !store.IsCorrupt(err) && !errors.As(err, &v) {
			t.Fatal(err)
		}
		if len(infos) > len(b) {
			t.Fatalf("%d fields in %d bytes", len(infos), len(b))
		}
	})
}
