package segmentinfo

import (
	"bytes"
	"errors"
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/store"
)

func sample() *lucene.SegmentInfo {
	v := lucene.Version{Major: 9, Minor: 7}
	return &lucene.SegmentInfo{
		Name: "_a", ID: lucene.NewID(), Version: lucene.Written, MinVersion: &v, MaxDoc: 5, Codec: "Lucene912", Files: []string{"_a.fnm"},
		IndexSort: []lucene.SortField{{Field: "n", Type: lucene.SortLong, Selector: lucene.SelectMax, Missing: int64(4)}, {Field: "s", Type: lucene.SortString, Selector: lucene.SelectMin}},
	}
}

func encoded(t testing.TB, si *lucene.SegmentInfo) []byte {
	t.Helper()
	dir := store.NewMem()
	if err := Write(dir, si); err != nil {
		t.Fatal(err)
	}
	in, err := dir.Open(FileName(si.Name), store.Random)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Bytes(in, 0, int(in.Length()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnknownSort keeps what it does not understand of an index sort, and refuses to write it.
func TestUnknownSort(t *testing.T) {
	si := sample()
	out := store.NewBuffer()
	if err := write(out, si); err != nil {
		t.Fatal(err)
	}
	b := bytes.Replace(bytes.Clone(out.Data()), []byte("SortedSetSortField"), []byte("SortedSetPlugField"), 1)
	out.Reset()
	out.PutBytes(b[:len(b)-codec.FooterLength])
	codec.WriteFooter(out)
	c, err := catalog.Lookup(si.Codec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(store.NewBytesInput("_a.si", out.Data()), si.Name, si.ID, c)
	if err != nil {
		t.Fatal(err)
	}
	if got.IndexSort != nil || !bytes.Contains(got.IndexSortFormat, []byte("SortedSetPlugField")) {
		t.Errorf("got %+v", got)
	}
	if err := Write(store.NewMem(), got); !codec.IsUnsupported(err) {
		t.Errorf("writing it: %v", err)
	}
}

func TestRefused(t *testing.T) {
	for name, change := range map[string]func(*lucene.SegmentInfo){
		"a file of another segment": func(si *lucene.SegmentInfo) { si.Files = append(si.Files, "_ab.fnm") },
		"negative documents":        func(si *lucene.SegmentInfo) { si.MaxDoc = -1 },
		"missing of a wrong type":   func(si *lucene.SegmentInfo) { si.IndexSort[0].Missing = "x" },
		"selector of numbers":       func(si *lucene.SegmentInfo) { si.IndexSort[0].Selector = lucene.SelectMiddleMin },
		"place of missing strings":  func(si *lucene.SegmentInfo) { si.IndexSort[1].Missing = 7 },
	} {
		si := sample()
		change(si)
		if err := Write(store.NewMem(), si); err == nil {
			t.Errorf("%s: is written", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(true, encoded(f, sample()))
	f.Add(false, encoded(f, sample()))
	f.Fuzz(func(t *testing.T, old bool, b []byte) {
		c := catalog.Codec{Name: "Lucene912", SegmentInfo: catalog.SegmentInfo99}
		if old {
			c = catalog.Codec{Name: "Lucene90", SegmentInfo: catalog.SegmentInfo90}
		}
		var id lucene.ID
		if h := codec.HeaderLength(codecName); int64(len(b)) > h+16 {
			copy(id[:], b[h:])
		}
		si, err := parse(store.NewReader(store.NewBytesInput("_a.si", b)), "_a", id, c)
		var v *codec.VersionError
		if err != nil && !store.IsCorrupt(err) && !errors.As(err, &v) {
			t.Fatal(err)
		}
		if err == nil && len(si.Files)+len(si.Attributes)+len(si.IndexSort) > len(b) {
			t.Fatalf("%d bytes give %+v", len(b), si)
		}
	})
}
