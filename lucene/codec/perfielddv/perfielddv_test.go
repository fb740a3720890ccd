package perfielddv

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// ones is a source of columns that have a number in every document.
type ones struct {
	lucene.DocValuesProducer
	maxDoc int32
	number int64
}

type onesColumn struct {
	ones
	doc int32
}

func (o ones) Numeric(*lucene.FieldInfo) (lucene.NumericDocValues, error) {
	return &onesColumn{ones: o, doc: -1}, nil
}
func (c *onesColumn) DocID() int32                     { return c.doc }
func (c *onesColumn) Cost() int64                      { return int64(c.maxDoc) }
func (c *onesColumn) Value() (int64, error)            { return c.number, nil }
func (c *onesColumn) Advance(int32) (int32, error)     { return 0, errors.New("not used") }
func (c *onesColumn) AdvanceExact(int32) (bool, error) { return false, errors.New("not used") }
func (c *onesColumn) Next() (int32, error) {
	if c.doc++; c.doc >= c.maxDoc {
		c.doc = lucene.NoMoreDocs
	}
	return c.doc, nil
}

func infos(t *testing.T, fields ...*lucene.FieldInfo) *lucene.FieldInfos {
	t.Helper()
	fis, err := lucene.NewFieldInfos(fields)
	if err != nil {
		t.Fatal(err)
	}
	return fis
}

// TestGenerations writes a column and an update of it, and reads both, the update from another directory.
func TestGenerations(t *testing.T) {
	a := &lucene.FieldInfo{Name: "a", Number: 0, DocValuesType: lucene.DocValuesNumeric, DocValuesGen: -1}
	b := &lucene.FieldInfo{Name: "b", Number: 1, DocValuesType: lucene.DocValuesNumeric, DocValuesGen: -1}
	empty := &lucene.FieldInfo{Name: "empty", Number: 2, DocValuesType: lucene.DocValuesBinary, DocValuesGen: -1}
	foreign := &lucene.FieldInfo{Name: "foreign", Number: 3, DocValuesType: lucene.DocValuesSorted, DocValuesGen: -1,
		Attributes: map[string]string{lucene.AttrDocValuesFormat: "Other99", lucene.AttrDocValuesSuffix: "4"}}
	info := &lucene.SegmentInfo{Name: "_0", ID: lucene.ID{1}, MaxDoc: 5}
	inner, outer := store.NewMem(), store.NewMem()

	write := func(dir store.Directory, suffix string, number int64, fields ...*lucene.FieldInfo) {
		t.Helper()
		c, err := NewConsumer(&codec.WriteState{Dir: dir, Info: info, Fields: infos(t, fields...), Suffix: suffix})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fields {
			if err := c.AddNumeric(f, ones{maxDoc: 5, number: number}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	write(inner, "", 1, a, b)
	b = b.Clone()
	b.DocValuesGen = 40
	write(outer, "14", 2, b)
	if names, _ := outer.List(); !slices.Equal(names, []string{"_0_14_Lucene90_0.dvd", "_0_14_Lucene90_0.dvm"}) {
		t.Fatalf("the files of the update: %v", names)
	}

	state := &codec.ReadState{Dir: inner, Info: info, Fields: infos(t, a, b, empty, foreign)}
	p, err := NewSegmentProducer(state, outer)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.CheckIntegrity(); err != nil {
		t.Fatal(err)
	}
	for f, want := range map[*lucene.FieldInfo]int64{a: 1, b: 2} {
		it, err := p.Numeric(f)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := it.AdvanceExact(3); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if v, err := it.Value(); v != want || err != nil {
			t.Errorf("%s is %d, not %d; %v", f.Name, v, want, err)
		}
		if s, err := p.Sorted(f); s != nil || err != nil {
			t.Errorf("%s as another type: %v, %v", f.Name, s, err)
		}
	}
	if it, err := p.Binary(empty); it != nil || err != nil {
		t.Errorf("a field without values: %v, %v", it, err)
	}
	if it, err := p.Sorted(foreign); it != nil || !codec.IsUnsupported(err) || !codec.IsUnsupported(p.Unsupported("foreign")) {
		t.Errorf("a field of a foreign format: %v, %v", it, err)
	}
	if err := p.Unsupported("a"); err != nil {
		t.Error(err)
	}
	if _, err := NewProducer(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the files of the update: %v", err)
	}
	b.Attributes = map[string]string{lucene.AttrDocValuesFormat: format}
	if _, err := NewSegmentProducer(state, outer); !store.IsCorrupt(err) {
		t.Errorf("a format without a suffix: %v", err)
	}
}
