package mapping_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene"
)

func mustMapping(t testing.TB, def string) *mapping.Mapping {
	t.Helper()
	m, err := mapping.ParseJSON(testIndex(t), []byte(def), mapping.ParseOptions{})
	if err == nil {
		m, err = mapping.Merge(nil, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUnknownTypeIsKeptLeniently(t *testing.T) {
	def := `{"properties":{"v":{"type":"knn_vector","dimension":3,"method":{"name":"hnsw"}},"k":{"type":"keyword"}}}`
	if _, err := mapping.ParseJSON(testIndex(t), []byte(def), mapping.ParseOptions{}); err == nil || !strings.Contains(err.Error(), "No handler for type [knn_vector]") {
		t.Errorf("a new index takes an unknown type: %v", err)
	}
	m, err := mapping.ParseJSON(testIndex(t), []byte(def), mapping.ParseOptions{Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := jsonText(t, m.Render()); got != `{"properties":{"k":{"type":"keyword"},"v":{"type":"knn_vector","dimension":3,"method":{"name":"hnsw"}}}}` {
		t.Errorf("printed as %s", got)
	}
	_, err = m.ParseDocument(mapping.Source{ID: "1", JSON: []byte(`{"v":[1,2,3]}`)})
	if err == nil || !strings.Contains(describe(err), "does not support") {
		t.Errorf("a vector is written: %v", err)
	}
	p, err := m.ParseDocument(mapping.Source{ID: "1", JSON: []byte(`{"k":"x"}`)})
	if err != nil {
		t.Fatal(err)
	}
	p.Release()
	if m.Field("v").CheckIndexed() == nil || m.Field("v").CheckColumn() == nil {
		t.Error("the field can be searched")
	}
}

func TestLimits(t *testing.T) {
	var b strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&b, `"f%d":{"type":"long"},`, i)
	}
	def := `{"properties":{` + strings.TrimSuffix(b.String(), ",") + `}}`
	m, err := mapping.ParseJSON(testIndex(t), []byte(def), mapping.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mapping.Merge(nil, m); err == nil || !strings.Contains(err.Error(), "Limit of total fields [1000] has been exceeded") {
		t.Errorf("1,001 fields: %v", err)
	}
	deep := strings.Repeat(`{"properties":{"a":`, 21) + `{"type":"long"}` + strings.Repeat(`}}`, 21)
	m, err = mapping.ParseJSON(testIndex(t), []byte(deep), mapping.ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mapping.Merge(nil, m); err == nil || !strings.Contains(err.Error(), "Limit of mapping depth [20] has been exceeded") {
		t.Errorf("depth 21: %v", err)
	}
	doc := strings.Repeat(`{"a":`, 30) + `1` + strings.Repeat(`}`, 30)
	if _, err := mustMapping(t, `{}`).ParseDocument(mapping.Source{ID: "1", JSON: []byte(doc)}); err == nil || !strings.Contains(describe(err), "allowed limit of [20]") {
		t.Errorf("a deep document: %v", err)
	}
	doc = strings.Repeat(`[`, 100000)
	if _, err := mustMapping(t, `{}`).ParseDocument(mapping.Source{ID: "1", JSON: []byte(`{"a":` + doc)}); err == nil {
		t.Error("100,000 brackets are a document")
	}
}

func TestBounds(t *testing.T) {
	m := mustMapping(t, `{"properties":{"i":{"type":"integer"},"l":{"type":"long"},"u":{"type":"unsigned_long"},"h":{"type":"half_float"},"f":{"type":"float"},"d":{"type":"double"},
		"s":{"type":"scaled_float","scaling_factor":100},"t":{"type":"date"},"n":{"type":"date_nanos"},"ip":{"type":"ip"},"k":{"type":"keyword","normalizer":"low"},"b":{"type":"boolean"},
		"x":{"type":"text"},"nod":{"type":"long","doc_values":false},"r":{"type":"integer_range"}}}`)
	n := func(s string) any { return json.Number(s) }
	now := func() time.Time { return time.Date(2024, 5, 1, 12, 30, 0, 0, time.UTC) }
	inc := mapping.RangeOptions{IncludeLower: true, IncludeUpper: true, Now: now}
	exc := mapping.RangeOptions{Now: now}
	ms := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	for _, c := range []struct {
		field    string
		lo, hi   any
		o        mapping.RangeOptions
		min, max int64
		empty    bool
		err      string
	}{
		{"i", n("1"), n("5"), inc, 1, 5, false, ""}, {"i", n("1"), n("5"), exc, 2, 4, false, ""}, {"i", n("1.5"), n("4.5"), inc, 2, 4, false, ""}, {"i", n("-1.5"), n("-0.5"), inc, -1, -1, false, ""},
		{"i", nil, nil, inc, math.MinInt32, math.MaxInt32, false, ""}, {"i", n("5"), n("4"), inc, 0, 0, true, ""}, {"i", n("2147483647"), nil, exc, 0, 0, true, ""}, {"i", n("3000000000"), nil, inc, 0, 0, false, "out of range for an integer"},
		{"l", "9007199254740993", nil, inc, 9007199254740993, math.MaxInt64, false, ""}, {"l", n("1e30"), nil, inc, 0, 0, false, "out of range for a long"}, {"l", "x", nil, inc, 0, 0, false, "For input string"},
		{"u", n("18446744073709551615"), nil, inc, -1, -1, false, ""}, {"u", n("-1"), nil, inc, 0, 0, false, "out of range"},
		{"s", n("1.235"), n("2"), inc, 124, 200, false, ""}, {"s", n("1.1"), n("1.1"), exc, 0, 0, true, ""},
		{"t", "2024-05-01", "2024-05-01", inc, ms("2024-05-01T00:00:00Z"), ms("2024-05-01T23:59:59.999Z"), false, ""}, {"t", "2024-05-01", "2024-05-02", exc, ms("2024-05-02T00:00:00Z"), ms("2024-05-01T23:59:59.999Z"), true, ""},
		{"t", "now-1d/d", "now/d", inc, ms("2024-04-30T00:00:00Z"), ms("2024-05-01T23:59:59.999Z"), false, ""}, {"t", "bad", nil, inc, 0, 0, false, "failed to parse date field [bad]"},
	} {
		b, err := m.Field(c.field).Range(c.lo, c.hi, c.o)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s %v..%v: %v, want %s", c.field, c.lo, c.hi, err, c.err)
			}
		case err != nil:
			t.Errorf("%s %v..%v: %v", c.field, c.lo, c.hi, err)
		case b.Empty != c.empty || !c.empty && (b.MinNum != c.min || b.MaxNum != c.max):
			t.Errorf("%s %v..%v: %+v, want %d..%d", c.field, c.lo, c.hi, b, c.min, c.max)
		}
	}
	if b, err := m.Field("i").Exact(n("1.5"), inc); err != nil || !b.Empty {
		t.Errorf("1.5 matches an integer: %+v %v", b, err)
	}
	if b, err := m.Field("ip").Exact("10.0.0.0/8", inc); err != nil || fmt.Sprintf("%x %x", b.Min[12:], b.Max[12:]) != "0a000000 0affffff" {
		t.Errorf("10.0.0.0/8: %+v %v", b, err)
	}
	if term, err := m.Field("k").Term("ÄB"); err != nil || string(term) != "ab" {
		t.Errorf("keyword term: %q %v", term, err)
	}
	if term, err := m.Field("b").Term(true); err != nil || string(term) != "T" {
		t.Errorf("boolean term: %q %v", term, err)
	}
	if _, err := m.Field("b").Term("yes"); err == nil {
		t.Error("yes is a boolean")
	}
	if err := m.Field("x").CheckColumn(); err == nil || !strings.Contains(err.Error(), "set fielddata=true on [x]") {
		t.Errorf("text: %v", err)
	}
	if err := m.Field("nod").CheckColumn(); err == nil || !strings.Contains(err.Error(), "Can't load fielddata on [nod]") {
		t.Errorf("no doc values: %v", err)
	}
	for _, half := range []float32{0, 1, -1, 0.333, 65504, -65504, 6.1e-5, 5.96e-8, 1234.5678} {
		b, err := m.Field("h").Range(n(fmt.Sprint(half)), n(fmt.Sprint(half)), inc)
		if err != nil {
			t.Fatal(err)
		}
		v := m.Field("h").ColumnDouble(b.MinNum)
		if b.Empty != (float32(v) != half) {
			t.Errorf("half %v: %+v is %v", half, b, v)
		}
	}
}

func TestFormats(t *testing.T) {
	m := mustMapping(t, `{"properties":{"l":{"type":"long"},"d":{"type":"double"},"t":{"type":"date"},"k":{"type":"keyword"},"ip":{"type":"ip"},"b":{"type":"boolean"},"s":{"type":"scaled_float","scaling_factor":100}}}`)
	for _, c := range []struct {
		field, format, zone string
		raw                 int64
		want                string
	}{
		{"l", "", "", 42, "42"}, {"l", "#,##0.00", "", 1234567, `"1,234,567.00"`}, {"d", "0.0#", "", 4609434218613702656, `"1.5"`}, {"d", "", "", 4609434218613702656, "1.5"}, {"s", "", "", 150, "1.5"},
		{"t", "", "", 0, `"1970-01-01T00:00:00.000Z"`}, {"t", "yyyy/MM/dd", "+01:00", 82800000, `"1970/01/02"`}, {"t", "epoch_millis", "", 5, `"5"`}, {"b", "", "", 1, "true"},
	} {
		f, err := m.Field(c.field).Format(c.format, c.zone)
		if err != nil {
			t.Errorf("%s %s: %v", c.field, c.format, err)
			continue
		}
		if got := jsonText(t, f.Number(c.raw)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.field, c.format, got, c.want)
		}
	}
	if _, err := m.Field("k").Format("x", ""); err == nil || !strings.Contains(err.Error(), "Field [k] of type [keyword] does not support custom formats") {
		t.Errorf("keyword format: %v", err)
	}
	if _, err := m.Field("l").Format("", "UTC"); err == nil || !strings.Contains(err.Error(), "does not support custom time zones") {
		t.Errorf("long zone: %v", err)
	}
}

// FuzzDocument: no document makes the parser panic, and what it accepts is JSON.
func FuzzDocument(f *testing.F) {
	m := mustMapping(f, `{"properties":{"t":{"type":"text"},"k":{"type":"keyword"},"l":{"type":"long"},"d":{"type":"date"},"g":{"type":"geo_point"},"r":{"type":"ip_range"},"f":{"type":"flat_object"},
		"n":{"type":"nested","include_in_root":true,"properties":{"a":{"type":"double"},"m":{"type":"nested","include_in_parent":true,"properties":{"t":{"type":"text"}}}}},"b":{"type":"binary","doc_values":true},"s":{"type":"scaled_float","scaling_factor":10}}}`)
	for _, c := range docCases {
		for _, d := range c.docs {
			f.Add([]byte(d))
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		p, err := m.ParseDocument(mapping.Source{ID: "x", JSON: doc})
		if err != nil {
			return
		}
		defer p.Release()
		if !json.Valid(doc) {
			t.Fatalf("%q is taken for JSON", doc)
		}
		for _, d := range p.Docs {
			for _, lf := range d.Fields {
				if lf.Type == nil || lf.Point != nil && len(lf.Point) != int(lf.Type.PointDims*lf.Type.PointBytes) {
					t.Fatalf("%q: field %s has a point of %d bytes", doc, lf.Name, len(lf.Point))
				}
				if lf.Tokens != nil {
					drain(t, lf.Tokens)
				}
			}
		}
	})
}

func drain(t testing.TB, s lucene.TokenStream) (n int) {
	for {
		ok, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			s.End()
			return n
		}
		n++
	}
}

func BenchmarkParseDocument(b *testing.B) {
	m := mustMapping(b, `{"properties":{"@timestamp":{"type":"date"},"message":{"type":"text"},"host":{"type":"keyword"},"status":{"type":"integer"},"bytes":{"type":"long"},"took":{"type":"double"},"ip":{"type":"ip"},"ok":{"type":"boolean"},"agent":{"properties":{"name":{"type":"keyword"},"version":{"type":"keyword"}}}}}`)
	doc := []byte(`{"@timestamp":"2024-05-01T10:11:12.345Z","message":"GET /index.html HTTP/1.1 was answered in a moment by the server","host":"web-1.example.com","status":200,"bytes":12345,"took":0.125,"ip":"10.1.2.3","ok":true,"agent":{"name":"curl","version":"8.5.0"}}`)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := m.ParseDocument(mapping.Source{ID: "1", JSON: doc})
		if err != nil {
			b.Fatal(err)
		}
		p.Release()
	}
}
