package interop

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// everyField has every field type and switch that the mapping knows.
const everyField = `{"settings":{"number_of_shards":2,"number_of_replicas":0,"refresh_interval":"-1","index.merge.policy.max_merge_at_once":2,
 "analysis":{"analyzer":{"mine":{"type":"custom","tokenizer":"standard","filter":["lowercase","asciifolding","stop"]}},"normalizer":{"low":{"type":"custom","filter":["lowercase"]}}}},
"mappings":{"dynamic_templates":[{"strings":{"match_mapping_type":"string","match":"dyn_*","mapping":{"type":"keyword"}}}],"properties":{
 "text":{"type":"text"},"text_freqs":{"type":"text","index_options":"freqs"},"text_docs":{"type":"text","index_options":"docs","norms":false},"text_offsets":{"type":"text","index_options":"offsets"},
 "text_vec":{"type":"text","term_vector":"with_positions_offsets","store":true},"text_multi":{"type":"text","analyzer":"mine","fields":{"raw":{"type":"keyword","ignore_above":20},"eng":{"type":"text","analyzer":"english"}}},
 "text_off":{"type":"text","index":false,"store":true},"text_prefix":{"type":"text","index_prefixes":{"min_chars":2,"max_chars":5}},"text_phrases":{"type":"text","index_phrases":true},
 "kw":{"type":"keyword"},"kw_norm":{"type":"keyword","normalizer":"low","norms":true},"kw_nodv":{"type":"keyword","doc_values":false},"kw_noindex":{"type":"keyword","index":false},"kw_store":{"type":"keyword","store":true,"null_value":"none"},
 "kw_freqs":{"type":"keyword","index_options":"freqs"},
 "long":{"type":"long"},"long_noidx":{"type":"long","index":false},"long_nodv":{"type":"long","doc_values":false},"int":{"type":"integer","store":true},"short":{"type":"short"},"byte":{"type":"byte"},
 "double":{"type":"double"},"float":{"type":"float"},"half":{"type":"half_float"},"scaled":{"type":"scaled_float","scaling_factor":100},"ulong":{"type":"unsigned_long"},
 "date":{"type":"date"},"date_fmt":{"type":"date","format":"yyyy/MM/dd||epoch_second"},"nanos":{"type":"date_nanos"},"bool":{"type":"boolean"},"ip":{"type":"ip"},"geo":{"type":"geo_point"},
 "bin":{"type":"binary"},"bin_dv":{"type":"binary","doc_values":true,"store":true},"irange":{"type":"integer_range"},"lrange":{"type":"long_range"},"frange":{"type":"float_range"},"drange":{"type":"double_range"},"dates":{"type":"date_range"},"iprange":{"type":"ip_range"},
 "obj":{"properties":{"a":{"type":"keyword"},"b":{"properties":{"c":{"type":"long"}}}}},"nested":{"type":"nested","properties":{"k":{"type":"keyword"},"n":{"type":"long"}}},"dis":{"type":"object","enabled":false},
 "copy":{"type":"text","copy_to":"all"},"all":{"type":"text"},"alias":{"type":"alias","path":"kw"},"flat":{"type":"flat_object"},"mot":{"type":"match_only_text"},"count":{"type":"token_count","analyzer":"standard"}}}}`

// document makes the i-th document; some fields are missing in some.
func document(i int) string {
	words := []string{"quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "running", "café", "Élan"}
	w := func(k int) string { return words[(i*7+k*3)%len(words)] }
	text := fmt.Sprintf("%s %s %s %s", w(1), w(2), w(3), w(i%5))
	m := map[string]any{
		"text": text, "text_freqs": text, "text_docs": text, "text_offsets": []string{text, "second value " + w(4)}, "text_vec": text, "text_multi": text, "text_off": text, "text_prefix": text, "text_phrases": text,
		"kw": w(1), "kw_norm": strings.ToUpper(w(2)), "kw_nodv": w(3), "kw_noindex": w(4), "kw_store": w(5), "kw_freqs": w(6),
		"long": i * 1000003, "long_noidx": i, "long_nodv": i, "int": i - 50, "short": i % 300, "byte": i % 100, "double": float64(i) / 7, "float": float64(i) / 3, "half": float64(i % 50),
		"scaled": float64(i) / 10, "ulong": json.Number(fmt.Sprint(uint64(math.MaxInt64) + uint64(i))),
		"date": fmt.Sprintf("2024-%02d-%02dT10:00:00Z", i%12+1, i%28+1), "date_fmt": fmt.Sprintf("2023/%02d/15", i%12+1), "nanos": fmt.Sprintf("2024-01-01T00:00:00.%09dZ", i+1),
		"bool": i%3 == 0, "ip": fmt.Sprintf("10.0.%d.%d", i/250, i%250), "geo": map[string]any{"lat": float64(i%180) - 90, "lon": float64(i%360) - 180},
		"bin": "aGVsbG8=", "bin_dv": "d29ybGQ=", "irange": map[string]any{"gte": i, "lt": i + 10}, "lrange": map[string]any{"gt": i, "lte": i + 10}, "frange": map[string]any{"gte": i, "lte": i + 1},
		"drange": map[string]any{"gte": i}, "dates": map[string]any{"gte": "2024-01-01", "lte": "2024-02-01"}, "iprange": "192.168.0.0/16",
		"obj": map[string]any{"a": w(2), "b": map[string]any{"c": i}}, "nested": []any{map[string]any{"k": w(1), "n": i}, map[string]any{"k": w(2), "n": i + 1}}, "dis": map[string]any{"any": []any{1, "x"}},
		"copy": text, "flat": map[string]any{"x": w(1), "y": map[string]any{"z": w(2)}}, "mot": text, "count": text, "dyn_s": w(7), "free": text, "num": i,
	}
	if i%11 == 0 {
		for _, k := range []string{"long", "kw", "text", "date", "geo", "nested", "ip", "scaled"} {
			delete(m, k)
		}
	}
	if i%13 == 0 {
		m["long"] = []any{i, i + 1}
		m["kw"] = []string{w(1), w(2)}
		m["kw_store"] = nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// fill indexes documents with refreshes between, so that there are several segments, updates and deletes.
func fill(t *testing.T, url, index string, from, to int) {
	t.Helper()
	for at := from; at < to; at += 60 {
		var b strings.Builder
		for i := at; i < min(at+60, to); i++ {
			routing := ""
			if i%17 == 0 {
				routing = fmt.Sprintf(`,"routing":"r%d"`, i%3)
			}
			fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"%s}}\n%s\n", i, routing, document(i))
			if i%9 == 0 && i%17 != 0 && i > from {
				fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n%s\n", i, document(i+1000))
			}
			if i%20 == 5 && i%17 != 0 {
				fmt.Fprintf(&b, "{\"delete\":{\"_id\":\"%d\"}}\n", i)
			}
		}
		bulk(t, url, index, b.String())
		servertest.Must(t, url, "POST", "/"+index+"/_refresh", "", nil)
	}
}

func bulk(t *testing.T, url, index, body string) {
	t.Helper()
	var res struct {
		Errors bool
		Items  []map[string]struct {
			Error json.RawMessage
		}
	}
	servertest.Must(t, url, "POST", "/"+index+"/_bulk", body, &res)
	if res.Errors {
		for _, it := range res.Items {
			for _, op := range it {
				if op.Error != nil {
					t.Fatalf("a document is refused: %s", op.Error)
				}
			}
		}
	}
}

// questions are asked of both servers; hits, order, scores and aggregations must agree.
var questions = []string{
	`{"query":{"match":{"text":"quick fox"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"match_phrase":{"text_offsets":"second value"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"match":{"text_freqs":"lazy"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"match":{"text_docs":"lazy dogs"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"match":{"text_multi.eng":"run"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"match":{"text_multi":"elan"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"match":{"all":"brown"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"prefix":{"text_prefix":"bro"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"term":{"kw":"fox"}},"size":20,"sort":["_score",{"num":"desc"}]}`,
	`{"query":{"term":{"kw_norm":"fox"}},"size":20,"sort":[{"num":"desc"}]}`,
	`{"query":{"terms":{"kw_nodv":["fox","over"]}},"size":20,"sort":[{"num":"desc"}]}`,
	`{"query":{"term":{"alias":"fox"}},"size":5,"sort":[{"num":"desc"}]}`,
	`{"query":{"term":{"kw_store":"none"}},"size":20,"sort":[{"num":"desc"}]}`,
	`{"query":{"range":{"long":{"gte":10000000,"lt":60000000}}},"size":20,"sort":[{"long":"asc"},{"num":"asc"}]}`,
	`{"query":{"range":{"long_nodv":{"gte":10,"lt":40}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"range":{"int":{"lt":-20}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"range":{"double":{"gt":3.5,"lte":9}}},"size":20,"sort":[{"double":"desc"},{"num":"asc"}]}`,
	`{"query":{"range":{"scaled":{"gte":2.5,"lte":5}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"range":{"half":{"gte":40}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"range":{"date":{"gte":"2024-03-01","lt":"2024-05-01"}}},"size":20,"sort":[{"date":"asc"},{"num":"asc"}]}`,
	`{"query":{"range":{"date_fmt":{"gte":"2023/06/01"}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"range":{"nanos":{"lt":"2024-01-01T00:00:00.000000050Z"}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"term":{"bool":true}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"term":{"ip":"10.0.0.0/28"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"geo_bounding_box":{"geo":{"top_left":{"lat":20,"lon":-40},"bottom_right":{"lat":-20,"lon":60}}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"range":{"irange":{"gte":20,"lte":22,"relation":"intersects"}}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"term":{"obj.a":"fox"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"nested":{"path":"nested","query":{"bool":{"must":[{"term":{"nested.k":"fox"}},{"range":{"nested.n":{"gt":30}}}]}}}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"exists":{"field":"long"}},"size":0,"track_total_hits":true}`,
	`{"query":{"exists":{"field":"kw_nodv"}},"size":0,"track_total_hits":true}`,
	`{"query":{"bool":{"must_not":[{"exists":{"field":"geo"}}]}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"term":{"flat.x":"fox"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"match":{"mot":"quick"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"term":{"dyn_s":"fox"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"query_string":{"query":"text:(quick AND fox) OR kw:lazy"}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"query":{"wildcard":{"kw":"*o*"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"fuzzy":{"kw":"fix"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"regexp":{"kw":"[a-f].*"}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"ids":{"values":["1","2","33"]}},"size":20,"sort":[{"num":"asc"}]}`,
	`{"query":{"bool":{"should":[{"match":{"text":"fox"}},{"match":{"text":"dogs"}},{"term":{"kw":"over"}}],"minimum_should_match":2}},"size":20,"sort":["_score",{"num":"asc"}]}`,
	`{"size":0,"aggs":{"a":{"terms":{"field":"kw"},"aggs":{"s":{"stats":{"field":"double"}}}}}}`,
	`{"size":0,"aggs":{"a":{"terms":{"field":"long","size":5,"order":{"_key":"asc"}}},"b":{"terms":{"field":"ip","size":4,"order":{"_key":"asc"}}},"c":{"terms":{"field":"bool"}}}}`,
	`{"size":0,"aggs":{"h":{"histogram":{"field":"int","interval":25}},"d":{"date_histogram":{"field":"date","calendar_interval":"month"}}}}`,
	`{"size":0,"aggs":{"r":{"range":{"field":"scaled","ranges":[{"to":3},{"from":3,"to":7},{"from":7}]}},"m":{"missing":{"field":"geo"}},"c":{"cardinality":{"field":"kw"}},"e":{"extended_stats":{"field":"byte"}}}}`,
	`{"size":0,"aggs":{"f":{"filters":{"filters":{"x":{"term":{"kw":"fox"}},"y":{"range":{"int":{"gte":0}}}}}},"v":{"value_count":{"field":"long"}},"u":{"max":{"field":"ulong"}}}}`,
}

// answer is what is compared of a search.
type answer struct {
	Hits struct {
		Total json.RawMessage
		Hits  []struct {
			ID     string   `json:"_id"`
			Score  *float64 `json:"_score"`
			Sort   []any
			Source json.RawMessage `json:"_source"`
		}
	}
	Aggregations any
}

func ask(t *testing.T, url, index, body string) answer {
	t.Helper()
	var a answer
	servertest.Must(t, url, "POST", "/"+index+"/_search", body, &a)
	return a
}

// round cuts numbers to what two implementations of the same arithmetic agree on.
func round(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil || !strings.ContainsAny(v.String(), ".eE") {
			return v.String()
		}
		return fmt.Sprintf("%.5g", f)
	case map[string]any:
		for k := range v {
			v[k] = round(v[k])
		}
	case []any:
		for i := range v {
			v[i] = round(v[i])
		}
	}
	return v
}

// compare asks both servers everything. Segments must be the same on both, or scores differ.
func compare(t *testing.T, ours, ourIndex, theirs, theirIndex string, scores bool) {
	t.Helper()
	for _, q := range questions {
		a, b := ask(t, ours, ourIndex, q), ask(t, theirs, theirIndex, q)
		if string(a.Hits.Total) != string(b.Hits.Total) || len(a.Hits.Hits) != len(b.Hits.Hits) {
			t.Errorf("%s\n ours: %s, %d hits\n real: %s, %d hits", q, a.Hits.Total, len(a.Hits.Hits), b.Hits.Total, len(b.Hits.Hits))
			continue
		}
		byScore := strings.Contains(q, `"_score"`)
		if byScore && !scores {
			continue
		}
		for i := range a.Hits.Hits {
			x, y := a.Hits.Hits[i], b.Hits.Hits[i]
			if x.ID != y.ID || string(x.Source) != string(y.Source) {
				t.Errorf("%s\n hit %d: ours %s, real %s", q, i, x.ID, y.ID)
				break
			}
			if (x.Score == nil) != (y.Score == nil) || x.Score != nil && math.Abs(*x.Score-*y.Score) > 1e-5*math.Max(1, math.Abs(*y.Score)) {
				t.Errorf("%s\n hit %d %s: score ours %v, real %v", q, i, x.ID, x.Score, y.Score)
				break
			}
			if !reflect.DeepEqual(round(x.Sort), round(y.Sort)) {
				t.Errorf("%s\n hit %d: sort ours %v, real %v", q, i, x.Sort, y.Sort)
				break
			}
		}
		if !reflect.DeepEqual(round(a.Aggregations), round(b.Aggregations)) {
			t.Errorf("%s\n ours: %v\n real: %v", q, a.Aggregations, b.Aggregations)
		}
	}
}

// A real node restores what we wrote, answers the same, goes on writing to every field, and we restore what it made of it.
func TestRoundTrip(t *testing.T) {
	oracletest.Shared(t)
	repos := t.TempDir()
	sv := servertest.Start(t, t.TempDir(), repos)
	sv.Must("PUT", "/every", everyField, nil)
	fill(t, sv.URL, "every", 0, 300)
	sv.Must("PUT", "/sorted", `{"settings":{"number_of_shards":1,"number_of_replicas":0,"index.sort.field":["n","k"],"index.sort.order":["desc","asc"]},"mappings":{"properties":{"n":{"type":"integer"},"k":{"type":"keyword"}}}}`, nil)
	sv.Must("PUT", "/best", `{"settings":{"number_of_shards":1,"number_of_replicas":0,"index.codec":"best_compression"}}`, nil)
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n{\"n\":%d,\"k\":\"k%d\",\"words\":\"some words %d\"}\n", i, i%37, i%5, i)
	}
	bulk(t, sv.URL, "sorted", b.String())
	bulk(t, sv.URL, "best", b.String())
	sv.Must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, nil)
	sv.Must("PUT", "/_snapshot/r/ours?wait_for_completion=true", "", nil)

	url := oracletest.Node(t, "opensearch", "2.19", repos)
	servertest.Must(t, url, "PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, nil)
	servertest.Must(t, url, "POST", "/_snapshot/r/ours/_restore?wait_for_completion=true", `{"indices":"every,sorted,best","include_global_state":false}`, nil)
	t.Run("real restores ours", func(t *testing.T) { compare(t, sv.URL, "every", url, "every", true) })

	// The real node writes to every field of what we made: a field whose schema differs would refuse it.
	fill(t, url, "every", 300, 420)
	bulk(t, url, "every", "{\"delete\":{\"_id\":\"7\"}}\n{\"update\":{\"_id\":\"8\"}}\n{\"doc\":{\"kw\":\"changed\",\"num\":-8}}\n")
	bulk(t, url, "sorted", "{\"index\":{\"_id\":\"x\"}}\n{\"n\":1000,\"k\":\"z\",\"words\":\"more\"}\n{\"delete\":{\"_id\":\"3\"}}\n")
	for _, ix := range []string{"every", "sorted", "best"} {
		servertest.Must(t, url, "POST", "/"+ix+"/_forcemerge?max_num_segments=1", "", nil)
		servertest.Must(t, url, "POST", "/"+ix+"/_refresh", "", nil)
	}
	servertest.Must(t, url, "PUT", "/_snapshot/r/theirs?wait_for_completion=true", `{"indices":"every,sorted,best"}`, nil)

	t.Run("ours restores real", func(t *testing.T) {
		sv.Must("DELETE", "/every,sorted,best", "", nil)
		sv.Must("POST", "/_snapshot/r/theirs/_restore?wait_for_completion=true", `{"indices":"every,sorted,best"}`, nil)
		compare(t, sv.URL, "every", url, "every", true)
		// And we go on writing to every field of what the real node made.
		fill(t, sv.URL, "every", 420, 500)
		bulk(t, sv.URL, "every", "{\"delete\":{\"_id\":\"9\"}}\n")
		bulk(t, sv.URL, "sorted", "{\"index\":{\"_id\":\"y\"}}\n{\"n\":1001,\"k\":\"z\",\"words\":\"more\"}\n")
		sv.Must("POST", "/every,sorted/_forcemerge?max_num_segments=1", "", nil)
		sv.Must("PUT", "/_snapshot/r/again?wait_for_completion=true", "", nil)
	})

	t.Run("checkindex", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "unsnapped")
		for _, ix := range []string{"every", "sorted", "best"} {
			if _, err := oracletest.Tool(t, "unsnap", filepath.Join(repos, "r"), "again", out, ix); err != nil {
				t.Fatal(err)
			}
		}
		dirs, err := filepath.Glob(filepath.Join(out, "*", "*"))
		if err != nil || len(dirs) == 0 {
			t.Fatalf("unsnap wrote nothing: %v", err)
		}
		oracletest.CheckIndex(t, dirs...)
	})

	t.Run("real restores both", func(t *testing.T) {
		servertest.Must(t, url, "DELETE", "/_snapshot/r", "", nil)
		servertest.Must(t, url, "PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, nil)
		servertest.Must(t, url, "DELETE", "/every,sorted,best", "", nil)
		servertest.Must(t, url, "POST", "/_snapshot/r/again/_restore?wait_for_completion=true", `{"indices":"every,sorted,best","include_global_state":false}`, nil)
		compare(t, sv.URL, "every", url, "every", true)
		servertest.Must(t, url, "DELETE", "/_snapshot/r/ours", "", nil)
		sv.Must("DELETE", "/_snapshot/r/theirs", "", nil)
	})
}

// OpenSearch 3 restores what we wrote too.
func TestOpenSearch3(t *testing.T) {
	oracletest.Shared(t)
	repos := t.TempDir()
	sv := servertest.Start(t, t.TempDir(), repos)
	sv.Must("PUT", "/every", everyField, nil)
	fill(t, sv.URL, "every", 0, 200)
	sv.Must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, nil)
	sv.Must("PUT", "/_snapshot/r/ours?wait_for_completion=true", "", nil)
	url := oracletest.Node(t, "opensearch", "3", repos)
	servertest.Must(t, url, "PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r","readonly":true}}`, nil)
	servertest.Must(t, url, "POST", "/_snapshot/r/ours/_restore?wait_for_completion=true", `{"indices":"every","include_global_state":false}`, nil)
	compare(t, sv.URL, "every", url, "every", false)
	fill(t, url, "every", 200, 260)
	servertest.Must(t, url, "POST", "/every/_forcemerge?max_num_segments=1", "", nil)
}
