package crash

import (
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/servertest"
)

// TestNesting sends what is nested deeper than any stack is large: each request is refused, and the server lives on.
func TestNesting(t *testing.T) {
	start := func() *servertest.Server {
		sv := servertest.Start(t, t.TempDir(), t.TempDir())
		sv.Must("PUT", "/deep/_doc/1?refresh", `{"text":"a"}`, nil)
		return sv
	}
	sv := start()
	const n = 4 << 20
	lists, objects := strings.Repeat("[", n), strings.Repeat(`{"a":`, n)
	brackets, classes := strings.Repeat("(", n), strings.Repeat("[a&&", n/4)
	text := func(before, nested, after string) string { return before + nested + after }
	for _, c := range []struct{ name, method, path, body string }{
		{"search of lists", "POST", "/deep/_search", lists},
		{"search of objects", "POST", "/deep/_search", objects},
		{"query", "POST", "/deep/_search", `{"query":` + strings.Repeat(`{"bool":{"must":`, n/16)},
		{"aggregations", "POST", "/deep/_search", strings.Repeat(`{"aggs":{"a":{"global":{},"aggs":`, n/32)},
		{"document", "PUT", "/deep/_doc/2", objects},
		{"document of lists", "PUT", "/deep/_doc/2", `{"a":` + lists},
		{"bulk action", "POST", "/deep/_bulk", lists + "\n{}\n"},
		{"bulk source", "POST", "/deep/_bulk", `{"index":{}}` + "\n" + objects + "\n"},
		{"msearch", "POST", "/_msearch", objects + "\n{}\n"},
		{"update", "POST", "/deep/_update/1", objects},
		{"mapping", "PUT", "/deep/_mapping", strings.Repeat(`{"properties":{"a":`, n/16)},
		{"index", "PUT", "/deeper", objects},
		{"settings", "PUT", "/_cluster/settings", `{"persistent":` + objects},
		{"template", "PUT", "/_index_template/deep", objects},
		{"aliases", "POST", "/_aliases", objects},
		{"snapshot", "PUT", "/_snapshot/r/s", objects},
		{"repository", "PUT", "/_snapshot/r", objects},
		{"restore", "POST", "/_snapshot/r/s/_restore", lists},
		{"clone", "PUT", "/_snapshot/r/s/_clone/t", lists},
		{"pipeline", "PUT", "/_ingest/pipeline/deep", objects},
		{"script", "PUT", "/_scripts/deep", objects},
		{"query string in the address", "GET", "/deep/_search?q=" + strings.Repeat("(", 2000), ""},
		{"query string", "POST", "/deep/_search", text(`{"query":{"query_string":{"query":"`, brackets, `"}}}`)},
		{"query string of nots", "POST", "/deep/_search", text(`{"query":{"query_string":{"query":"`, strings.Repeat("NOT ", n/4), `a"}}}`)},
		{"simple query string", "POST", "/deep/_search", text(`{"query":{"simple_query_string":{"query":"`, brackets, `"}}}`)},
		{"regular expression", "POST", "/deep/_search", text(`{"query":{"regexp":{"text":"`, brackets, `"}}}`)},
		{"include", "POST", "/deep/_search", text(`{"aggs":{"a":{"terms":{"field":"text.keyword","include":"`, brackets, `"}}}}`)},
		{"condition", "PUT", "/_ingest/pipeline/deep", text(`{"processors":[{"set":{"field":"a","value":1,"if":"`, brackets, `"}}]}`)},
		{"condition of nots", "PUT", "/_ingest/pipeline/deep", text(`{"processors":[{"set":{"field":"a","value":1,"if":"`, strings.Repeat("!", n), `true"}}]}`)},
		{"gsub", "PUT", "/_ingest/pipeline/deep", text(`{"processors":[{"gsub":{"field":"a","replacement":"","pattern":"`, brackets, `"}}]}`)},
		{"grok", "PUT", "/_ingest/pipeline/deep", text(`{"processors":[{"grok":{"field":"a","patterns":["`, brackets, `"]}}]}`)},
		{"classes", "PUT", "/deepest", text(`{"settings":{"analysis":{"tokenizer":{"t":{"type":"pattern","pattern":"`, classes, `"}}}}}`)},
		{"tokenizer", "PUT", "/deepest", text(`{"settings":{"analysis":{"tokenizer":{"t":{"type":"pattern","pattern":"`, brackets, `"}}}}}`)},
		{"mustache", "POST", "/_render/template", text(`{"source":"`, strings.Repeat("{{#a}}", n/6), `"}`)},
		{"date format", "PUT", "/deepest", text(`{"mappings":{"properties":{"d":{"type":"date","format":"`, lists, `"}}}}`)},
		{"source filter", "GET", "/deep/_search?_source=" + strings.Repeat("a.", 4000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			status, answer, err := servertest.Call(sv.URL, c.method, c.path, c.body)
			if _, _, gone := servertest.Call(sv.URL, "GET", "/", ""); gone != nil {
				lost := sv.Log()
				sv = start()
				t.Fatalf("the server is gone: %v\n%.1000s", err, lost)
			}
			if err != nil {
				t.Fatal(err)
			}
			if status != 200 && status != 501 && status/100 != 4 || status == 200 && !strings.Contains(string(answer), `"errors":true`) && !strings.Contains(string(answer), `"timed_out":false`) {
				t.Errorf("%d %.300s", status, answer)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("answered after %s", took)
			}
		})
	}
}
