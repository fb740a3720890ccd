package mapping

import (
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene/analysis"
)

func TestStreamTimestamp(t *testing.T) {
	reg, err := analysis.NewRegistry(nil)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := NewIndex(nil, reg)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(text string) (*Mapping, error) { return ParseJSON(ix, []byte(text), ParseOptions{}) }
	m, err := parse(`{"_data_stream_timestamp":{"enabled":true,"timestamp_field":{"name":"at"}},"properties":{"at":{"type":"date"},"k":{"type":"keyword"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for doc, ok := range map[string]bool{`{"at":1}`: true, `{"k":"x"}`: false, `{"at":[1,2]}`: false, `{"at":null}`: false, `{"at":[3]}`: true} {
		p, err := m.ParseDocument(Source{ID: "1", JSON: []byte(doc)})
		if err == nil {
			p.Release()
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v", doc, err)
		}
	}
	off, err := parse(`{"_data_stream_timestamp":{"enabled":false}}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(m, off); err == nil || !strings.Contains(err.Error(), "Mapper for [_data_stream_timestamp] conflicts") {
		t.Errorf("switched off: %v", err)
	}
	for _, bad := range []string{`{"_data_stream_timestamp":{"enabled":"x"}}`, `{"_data_stream_timestamp":{"bogus":1}}`, `{"_data_stream_timestamp":{"timestamp_field":5}}`,
		`{"_data_stream_timestamp":{"timestamp_field":{"name":5}}}`, `{"_data_stream_timestamp":5}`} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}
