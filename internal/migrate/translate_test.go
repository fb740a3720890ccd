package migrate

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene/analysis"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

func parse(t testing.TB, text string) *smile.Object {
	t.Helper()
	v, err := smile.ParseJSON([]byte(text), smile.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.(*smile.Object)
}

// same compares a tree with JSON, without the order of names.
func same(t *testing.T, what string, got any, want string) {
	t.Helper()
	raw, err := smile.AppendJSON(nil, got)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s\n got %s\nwant %s", what, raw, want)
	}
}

func metadata(t testing.TB, version, settings, mappings string) *repository.IndexMetadata {
	t.Helper()
	m, err := repository.NewIndexMetadata("old", []byte(`{"version":4,"routing_num_shards":2,"state":"open","settings":{"index.number_of_shards":"2","index.number_of_replicas":"1",
		"index.uuid":"u","index.version.created":"`+version+`"`+settings+`},"mappings":[`+mappings+`],"aliases":{},"primary_terms":[1,1],"in_sync_allocations":{"0":["x"]},"timestamp_range":{"unknown":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMappings(t *testing.T) {
	for _, c := range []struct {
		name, version, mappings, want string
		warnings                      []string // a part of each
	}{
		{"a single type", "5061699", `{"doc":{"properties":{"a":{"type":"keyword"}}}}`, `{"properties":{"a":{"type":"keyword"}}}`, nil},
		{"default type", "5061699", `{"_default_":{"_all":{"enabled":false}}},{"doc":{}}`, `{}`, []string{"[_default_]"}},
		{"all", "5061699", `{"doc":{"_all":{"enabled":true},"properties":{"a":{"type":"text","include_in_all":false},"b":{"properties":{"c":{"type":"long","include_in_all":false}}}}}}`,
			`{"properties":{"a":{"type":"text"},"b":{"properties":{"c":{"type":"long"}}}}}`, []string{"[_all]", "[include_in_all] was dropped: it is not supported any more (a, b.c)"}},
		{"all, disabled", "5061699", `{"doc":{"_all":{"enabled":false}}}`, `{}`, nil},
		{"string", "5061699", `{"doc":{"properties":{"a":{"type":"string","norms":{"enabled":false},"fields":{"raw":{"type":"string","index":"not_analyzed","ignore_above":9,"doc_values":true}}},
			"b":{"type":"string","index":"no"}}}}`, `{"properties":{"a":{"type":"text","norms":false,"fields":{"raw":{"type":"keyword","ignore_above":9,"doc_values":true}}},"b":{"type":"keyword","index":false}}}`,
			[]string{"[string]"}},
		{"similarity", "6080999", `{"_doc":{"properties":{"a":{"type":"text","similarity":"classic"},"b":{"type":"text","similarity":"BM25"}}}}`,
			`{"properties":{"a":{"type":"text"},"b":{"type":"text","similarity":"BM25"}}}`, []string{"[classic] became [BM25] (a)"}},
		{"geo", "5061699", `{"doc":{"properties":{"a":{"type":"geo_point","lat_lon":true,"geohash_precision":9},"b":{"type":"geo_shape","tree":"quadtree","precision":"1m","orientation":"ccw"}}}}`,
			`{"properties":{"a":{"type":"geo_point"},"b":{"type":"geo_shape","orientation":"ccw"}}}`, []string{"lat_lon", "geohash_precision", "tree", "precision"}},
		{"types of other products", "7100299", `{"_doc":{"properties":{"a":{"type":"flattened","depth_limit":3},"b":{"type":"dense_vector","dims":3},"c":{"type":"version"}}}}`,
			`{"properties":{"a":{"type":"flat_object"},"b":{"type":"object","enabled":false},"c":{"type":"keyword"}}}`, []string{"flattened", "dense_vector", "version"}},
		{"Joda's dates", "6080999", `{"_doc":{"dynamic_date_formats":["YYYY/MM/dd"],"properties":{"a":{"type":"date","format":"YYYY-MM-dd'T'HH:mm:ssZZ||strictDateOptionalTime||epoch_millis"}}}}`,
			`{"dynamic_date_formats":["yyyy/MM/dd"],"properties":{"a":{"type":"date","format":"yyyy-MM-dd'T'HH:mm:ssXXX||strict_date_optional_time||epoch_millis"}}}`, nil},
		{"java.time's dates", "7170099", `{"_doc":{"properties":{"a":{"type":"date","format":"8uuuu-MM||YYYY"}}}}`, `{"properties":{"a":{"type":"date","format":"uuuu-MM||YYYY"}}}`, nil},
		{"runtime fields", "7172999", `{"_doc":{"dynamic":"runtime","runtime":{"r":{"type":"long"}},"_data_stream_timestamp":{"enabled":true}}}`, `{"dynamic":"false","_data_stream_timestamp":{"enabled":true}}`, []string{"runtime]", "[runtime]"}},
		{"dynamic templates", "5061699", `{"doc":{"dynamic_templates":[{"s":{"match_mapping_type":"string","mapping":{"type":"string","index":"not_analyzed"}}}]}}`,
			`{"dynamic_templates":[{"s":{"match_mapping_type":"string","mapping":{"type":"keyword"}}}]}`, []string{"[string]"}},
		{"filtered source", "7172999", `{"_doc":{"_source":{"excludes":["a"]}}}`, `{"_source":{"excludes":["a"]}}`, []string{"filtered"}},
		{"parent", "5061699", `{"doc":{"_parent":{"type":"p"},"_routing":{"required":true}}}`, `{"_routing":{"required":true}}`, []string{"_parent"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, warnings, err := Index(metadata(t, c.version, "", c.mappings))
			if err != nil {
				t.Fatal(err)
			}
			types, err := m.Mappings()
			if err != nil {
				t.Fatal(err)
			}
			var got any = smile.NewObject()
			if types.Len() > 0 {
				got = types.Members[0].Value
			}
			same(t, "the mapping", got, c.want)
			checkWarnings(t, warnings, c.warnings)
			// What comes out is what a user may give for a new index.
			if c.name == "geo" { // a type that has no writer
				return
			}
			reg, err := analysis.NewRegistry(nil)
			if err != nil {
				t.Fatal(err)
			}
			ix, err := mapping.NewIndex(nil, reg)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := smile.AppendJSON(nil, got)
			if _, err := mapping.ParseJSON(ix, raw, mapping.ParseOptions{}); err != nil {
				t.Errorf("the mapping %s is refused: %v", raw, err)
			}
		})
	}
}

func checkWarnings(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("warnings %q, want %d: %q", got, len(want), want)
		return
	}
	for i := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, want[i]) }) {
			t.Errorf("no warning tells of %q: %q", want[i], got)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ name, version, mappings, want string }{
		{"several types", "5061699", `{"user":{}},{"tweet":{}}`, "index [old] has the types [user, tweet]"},
		{"no source", "6080999", `{"_doc":{"_source":{"enabled":false}}}`, "index [old] has its _source disabled"},
		{"newer", "8110099", `{"_doc":{}}`, "version [8.11.0] of Elasticsearch which is newer than this server (version [2.19.0])"},
		{"older", "1070599", `{"_doc":{}}`, "version [1.7.5] of Elasticsearch which is older than this server (version [2.19.0])"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := Index(metadata(t, c.version, "", c.mappings))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	m, warnings, err := Index(metadata(t, "5061699", `,
		"index.analysis.analyzer.a.filter.0":"standard","index.analysis.analyzer.a.filter.1":"lowercase","index.analysis.analyzer.a.filter.2":"grams","index.analysis.analyzer.a.tokenizer":"edgeNGram",
		"index.analysis.analyzer.a.type":"custom","index.analysis.analyzer.a.char_filter":["htmlStrip"],
		"index.analysis.filter.grams.type":"nGram","index.analysis.filter.grams.min_gram":"2","index.analysis.filter.grams.max_gram":"8",
		"index.analysis.filter.nothing.type":"standard",
		"index.similarity.mine.type":"classic","index.similarity.mine.discount_overlaps":"false",
		"index.mapper.dynamic":"false","index.lifecycle.name":"p","index.mapping.single_type":"true","index.refresh_interval":"7s","index.translog.durability":"whenever",
		"index.routing.allocation.include._tier_preference":"data_content","index.creation_date":"5"`, `{"doc":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	set, _ := m.Body.Get("settings")
	same(t, "the settings", set, `{"index.analysis.analyzer.a.char_filter":["html_strip"],"index.analysis.analyzer.a.filter":["lowercase","grams"],"index.analysis.analyzer.a.tokenizer":"edge_ngram",
		"index.analysis.analyzer.a.type":"custom","index.analysis.filter.grams.max_gram":"8","index.analysis.filter.grams.min_gram":"2","index.analysis.filter.grams.type":"ngram","index.creation_date":"5",
		"index.max_ngram_diff":"6","index.number_of_replicas":"1","index.number_of_shards":"2","index.refresh_interval":"7s","index.routing.allocation.include._tier_preference":"data_content",
		"index.similarity.mine.type":"BM25","index.uuid":"u","index.version.created":"136407827"}`)
	checkWarnings(t, warnings, []string{"[standard]", "[classic]", "index.lifecycle.name, index.mapper.dynamic", "index.translog.durability"})
	if _, ok := m.Body.Get("timestamp_range"); ok {
		t.Error("metadata that means nothing here is kept")
	}
	if n, _ := m.Body.Get("routing_num_shards"); n != int64(2) {
		t.Errorf("routing_num_shards became %v", n)
	}
}

// Indices of OpenSearch 2 are not touched.
func TestNewIsKept(t *testing.T) {
	m := metadata(t, "136408427", `,"index.unknown":"x"`, `{"_doc":{"_all":{}}}`)
	if got, warnings, err := Index(m); got != m || warnings != nil || err != nil {
		t.Errorf("%v, %v", warnings, err)
	}
}

func TestGlobal(t *testing.T) {
	g := parse(t, `{"version":3,"settings":{"indices.recovery.max_bytes_per_sec":"41mb","discovery.zen.minimum_master_nodes":"2"},
		"templates":{"t":{"order":1,"template":"x-*","settings":{"index":{"number_of_shards":"1","mapper":{"dynamic":"false"}}},"mappings":[{"doc":{"_all":{"enabled":false},"properties":{"a":{"type":"keyword"}}}}],"aliases":{}},
			"two":{"template":"y","mappings":[{"a":{}},{"b":{}}]}},
		"stored_scripts":{"s":{"lang":"mustache","source":"{}"},"mustache#s":{"lang":"mustache","source":"{}"},"g":{"lang":"groovy","source":"1"}},
		"component_template":{"component_template":{"c":{"template":{"mappings":{"_doc":{"properties":{"v":{"type":"version"}}}}},"version":1}}},
		"ingest":{"pipeline":[]},"licenses":{"license":{"uid":"x"}}}`)
	out, warnings, err := Global(g, repository.Version{Major: 5, Minor: 6, Legacy: true})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the global state", out, `{"version":3,"settings":{"indices.recovery.max_bytes_per_sec":"41mb"},
		"templates":{"t":{"order":1,"index_patterns":["x-*"],"settings":{"index.number_of_shards":"1"},"mappings":{"_doc":{"properties":{"a":{"type":"keyword"}}}},"aliases":{}}},
		"stored_scripts":{"s":{"lang":"mustache","source":"{}"}},
		"component_template":{"component_template":{"c":{"template":{"mappings":{"properties":{"v":{"type":"keyword"}}}},"version":1}}},"ingest":{"pipeline":[]}}`)
	checkWarnings(t, warnings, []string{"discovery.zen", "licenses", "of languages", "index.mapper.dynamic", "template [two] was dropped", "[version] became [keyword]"})
	if same, _, _ := Global(g, repository.WriteVersion); same != g {
		t.Error("the global state of a newer version is changed")
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(`{"doc":{"properties":{"a":{"type":"string","fields":{"b":{"type":"date","format":"YYYY"}}}},"dynamic_templates":[{"x":{"mapping":{}}}]}}`, `"index.analysis.filter.x.type":"standard"`)
	f.Fuzz(func(t *testing.T, mappings, settings string) {
		m, err := repository.NewIndexMetadata("old", []byte(`{"settings":{"index.number_of_shards":"1","index.version.created":"5061699",`+settings+`},"mappings":[`+mappings+`]}`))
		if err != nil {
			return
		}
		if out, _, err := Index(m); err == nil && out == nil {
			t.Fatal("neither metadata nor an error")
		}
	})
}
