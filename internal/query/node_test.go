package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/xcontent"
)

const nodeIndex = `{"settings":{"number_of_shards":1,"number_of_replicas":0,"refresh_interval":"-1","analysis":{
"filter":{"syn":{"type":"synonym_graph","synonyms":["ny, new york","laptop, notebook","usa, united states of america"]},"stop2":{"type":"stop","stopwords":["the","of"]}},
"analyzer":{"syns":{"tokenizer":"standard","filter":["lowercase","syn"]},"stopped":{"tokenizer":"standard","filter":["lowercase","stop2"]}},
"normalizer":{"low":{"type":"custom","filter":["lowercase","asciifolding"]}}}},
"mappings":{"properties":{
"title":{"type":"text","fields":{"raw":{"type":"keyword"},"low":{"type":"keyword","normalizer":"low"},"stop":{"type":"text","analyzer":"stopped"}}},
"body":{"type":"text","search_analyzer":"syns"},"notes":{"type":"text","index_prefixes":{},"index_phrases":true},"docsonly":{"type":"text","index_options":"docs","norms":false},
"tag":{"type":"keyword"},"split":{"type":"keyword","split_queries_on_whitespace":true},"cat":{"type":"keyword","doc_values":false},"alias_tag":{"type":"alias","path":"tag"},
"i":{"type":"integer"},"s":{"type":"short"},"b":{"type":"byte"},"l":{"type":"long"},"u":{"type":"unsigned_long"},"f":{"type":"float"},"h":{"type":"half_float"},"d":{"type":"double"},
"sc":{"type":"scaled_float","scaling_factor":100},"ok":{"type":"boolean"},"at":{"type":"date"},"day":{"type":"date","format":"yyyy-MM-dd"},"ns":{"type":"date_nanos"},"ip":{"type":"ip"},"loc":{"type":"geo_point"},
"noidx":{"type":"integer","index":false},"nodv":{"type":"long","doc_values":false},"ir":{"type":"integer_range"},"dr":{"type":"date_range"},"flat":{"type":"flat_object"},
"obj":{"properties":{"a":{"type":"keyword"},"n":{"type":"integer"}}},
"kids":{"type":"nested","properties":{"name":{"type":"text"},"age":{"type":"integer"},"k":{"type":"keyword"}}}}}}`

var nodeWords = strings.Fields("the quick brown fox jumps over lazy dog new york city laptop notebook of united states america search engine cluster shard snapshot restore café naïve Quick FOX running runs")

func nodeDoc(r *rand.Rand, n int) *xcontent.Object {
	words := func(k int) string {
		var w []string
		for range k {
			w = append(w, nodeWords[r.Intn(len(nodeWords))])
		}
		return strings.Join(w, " ")
	}
	o := xcontent.Obj("n", n, "title", words(1+r.Intn(6)), "body", words(3+r.Intn(30)), "tag", nodeWords[r.Intn(len(nodeWords))], "split", nodeWords[r.Intn(10)])
	some := func(k string, v any) {
		if r.Intn(4) > 0 {
			o.Add(k, v)
		}
	}
	some("notes", words(2+r.Intn(10)))
	some("docsonly", words(2+r.Intn(6)))
	some("cat", fmt.Sprintf("c%d", r.Intn(9)))
	some("i", r.Intn(200)-100)
	some("s", r.Intn(50))
	some("b", r.Intn(100)-50)
	some("l", []any{r.Int63n(1000), r.Int63n(1e15)})
	some("u", json.Number(fmt.Sprint(r.Uint64())))
	some("f", float64(r.Intn(1000))/8)
	some("h", float64(r.Intn(100))/4)
	some("d", r.NormFloat64()*100)
	some("sc", float64(r.Intn(10000))/100)
	some("ok", r.Intn(2) == 0)
	some("at", fmt.Sprintf("2024-%02d-%02dT%02d:30:00Z", 1+r.Intn(12), 1+r.Intn(28), r.Intn(24)))
	some("day", fmt.Sprintf("2024-%02d-%02d", 1+r.Intn(12), 1+r.Intn(28)))
	some("ns", fmt.Sprintf("2024-05-%02dT01:02:03.%09dZ", 1+r.Intn(28), r.Intn(1e9)))
	some("ip", []string{fmt.Sprintf("10.0.%d.%d", r.Intn(4), r.Intn(256)), fmt.Sprintf("2001:db8::%x", r.Intn(500))}[r.Intn(2)])
	some("loc", xcontent.Obj("lat", r.Float64()*120-60, "lon", r.Float64()*300-150))
	some("noidx", r.Intn(20))
	some("nodv", r.Intn(20))
	lo := r.Intn(100)
	some("ir", xcontent.Obj("gte", lo, "lt", lo+1+r.Intn(40)))
	some("dr", xcontent.Obj("gte", fmt.Sprintf("2024-%02d-01", 1+r.Intn(6)), "lte", fmt.Sprintf("2024-%02d-01", 6+r.Intn(6))))
	some("flat", xcontent.Obj("env", nodeWords[r.Intn(5)], "deep", xcontent.Obj("x", nodeWords[r.Intn(8)])))
	some("obj", xcontent.Obj("a", nodeWords[r.Intn(6)], "n", r.Intn(9)))
	var kids []any
	for range r.Intn(4) {
		kids = append(kids, xcontent.Obj("name", words(1+r.Intn(3)), "age", r.Intn(20), "k", nodeWords[r.Intn(6)]))
	}
	o.Add("kids", kids)
	return o
}

func call(t testing.TB, method, url, body string) *xcontent.Object {
	t.Helper()
	o, status := ask(t, method, url, body)
	if status >= 300 {
		x, _ := json.Marshal(o)
		t.Fatalf("%s %s: %d %s", method, url, status, x)
	}
	return o
}

func ask(t testing.TB, method, url, body string) (*xcontent.Object, int) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	if strings.HasSuffix(url, "_bulk") {
		req.Header.Set("Content-Type", "application/x-ndjson")
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	must(t, err)
	v, err := xcontent.Decode(data)
	must(t, err)
	return v.(*xcontent.Object), resp.StatusCode
}

// TestNode compares many queries with a real node, on one index.
func TestNode(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real node")
	}
	repo := t.TempDir()
	url := oracletest.Node(t, "opensearch", "2.19", repo, "--heap", "512m")
	call(t, "PUT", url+"/q", nodeIndex)
	r := rand.New(rand.NewSource(7))
	for round := range 4 {
		var b bytes.Buffer
		for i := range 125 {
			n := round*125 + i
			fmt.Fprintf(&b, "{\"index\":{\"_id\":\"doc-%d\"}}\n", n)
			must(t, xcontent.Append(&b, nodeDoc(r, n)))
			b.WriteByte('\n')
		}
		if errs, _ := call(t, "POST", url+"/q/_bulk", b.String()).Get("errors"); errs != false {
			t.Fatal("the bulk failed")
		}
		call(t, "POST", url+"/q/_refresh", "")
	}
	call(t, "DELETE", url+"/q/_doc/doc-3", "")
	call(t, "POST", url+"/q/_refresh", "")
	call(t, "PUT", url+"/_snapshot/r", `{"type":"fs","settings":{"location":"`+repo+`/snap"}}`)
	call(t, "PUT", url+"/_snapshot/r/s?wait_for_completion=true", `{"indices":"q"}`)
	// The restored copy has the segments of the snapshot, as ours has.
	call(t, "POST", url+"/_snapshot/r/s/_restore?wait_for_completion=true", `{"rename_pattern":"q","rename_replacement":"q2"}`)
	out := t.TempDir()
	_, err := oracletest.Tool(t, "unsnap", filepath.Join(repo, "snap"), "s", out)
	must(t, err)
	def, _ := call(t, "GET", url+"/q", "").Get("q")
	mappings, _ := def.(*xcontent.Object).Get("mappings")
	flat, _ := def.(*xcontent.Object).Get("settings")
	ix := openIndex(t, "q2", shardFolders(t, out, "q"), mappings, flat)

	text, err := os.ReadFile("testdata/queries.txt")
	must(t, err)
	agreed, failed := 0, 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		v, err := xcontent.Decode([]byte(line))
		must(t, err)
		body, ok := v.(*xcontent.Object), true
		if _, whole := body.Get("query"); !whole {
			if _, sorted := body.Get("sort"); !sorted {
				body = xcontent.Obj("query", v)
			}
		}
		if _, sized := body.Get("size"); !sized {
			body.Add("size", json.Number("600"))
		}
		body.Set("track_total_hits", true)
		body.Set("_source", false)
		data, err := json.Marshal(body)
		must(t, err)
		theirs, status := ask(t, "POST", url+"/q2/_search?request_cache=false", string(data))
		body.Set("size", json.Number("600"))
		got, err := ix.run(body)
		switch {
		case status >= 300 && err != nil:
			e, _ := theirs.Get("error")
			want, _ := json.Marshal(e)
			if d := differError(err, e.(*xcontent.Object)); d != "" {
				t.Logf("ERROR TEXT %s:\n ours %v\n real %.600s", line, err, want)
			}
		case status >= 300:
			e, _ := json.Marshal(theirs)
			t.Errorf("%s: the node refuses it: %.500s", line, e)
			ok = false
		case err != nil:
			t.Errorf("%s: %v", line, err)
			ok = false
		default:
			_, sorted := body.Get("sort")
			if d := differ(got, expectedAnswer(theirs), sorted); d != "" {
				t.Errorf("%s: %.700s", line, d)
				ok = false
			}
		}
		if ok {
			agreed++
		} else {
			failed++
		}
	}
	t.Logf("%d queries agree, %d do not", agreed, failed)
}

// differError compares the reason that a node gives with ours.
func differError(err error, e *xcontent.Object) string {
	find := func(o *xcontent.Object) string {
		s, _ := o.Get("reason")
		text, _ := s.(string)
		return text
	}
	reasons := []string{find(e)}
	if roots, ok := e.Get("root_cause"); ok {
		for _, r := range roots.([]any) {
			reasons = append(reasons, find(r.(*xcontent.Object)))
		}
	}
	for _, r := range reasons {
		if r != "" && strings.Contains(err.Error(), r) {
			return ""
		}
	}
	return strings.Join(reasons, "; ")
}
