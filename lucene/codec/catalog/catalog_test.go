package catalog

import (
	"errors"
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene/codec"
)

func TestLookup(t *testing.T) {
	for name, want := range map[string]Codec{
		"Lucene92":          {Name: "Lucene92", Base: "Lucene92", SegmentInfo: SegmentInfo90},
		"Lucene99":          {Name: "Lucene99", Base: "Lucene99", SegmentInfo: SegmentInfo99},
		"Lucene912":         {Name: "Lucene912", Base: "Lucene912", SegmentInfo: SegmentInfo99},
		"Composite912Codec": {Name: "Composite912Codec", Base: "Lucene912", SegmentInfo: SegmentInfo99, OneDocValuesFormat: true},
		"Lucene104":         {Name: "Lucene104", Base: "Lucene104", SegmentInfo: SegmentInfo99},
		"KNN950Codec":       {Name: "KNN950Codec", Base: "Lucene95", SegmentInfo: SegmentInfo90},
	} {
		got, err := Lookup(name)
		if err != nil || got != want {
			t.Errorf("Lookup(%q) = %+v, %v; want %+v", name, got, err, want)
		}
	}
	c, err := Lookup("ZSTD912")
	if err != nil || c.Base != "Lucene912" || !codec.IsUnsupported(c.StoredFields) {
		t.Errorf("ZSTD912: %+v, %v", c, err)
	}
	c, err = Lookup("ZSTDNODICT103")
	if err != nil || c.Base != "Lucene103" || !c.Lucene10() || !codec.IsUnsupported(c.StoredFields) {
		t.Errorf("ZSTDNODICT103: %+v, %v", c, err)
	}
	for _, name := range []string{"Lucene102", "Lucene105", "Lucene87", "KNN87Codec", "Nonsense", "", strings.Repeat("x", 1000)} {
		_, err := Lookup(name)
		var u *codec.UnsupportedError
		if !errors.As(err, &u) || !strings.HasPrefix(name, strings.TrimSuffix(u.Format, "…")) || len(err.Error()) > 300 {
			t.Errorf("Lookup(%q): %v", name, err)
		}
	}
}
