package mapping_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/analysis"
)

// nodeURL returns a real node: one that runs already, where VARVE_ORACLE_URL names it, or a fresh one.
func nodeURL(t testing.TB) string {
	if u := os.Getenv("VARVE_ORACLE_URL"); u != "" {
		return u
	}
	return oracletest.Node(t, "opensearch", "2.19", t.TempDir())
}

func call(t testing.TB, method, url, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, out
}

// testSettings is an index's settings, for both sides.
const testSettings = `{"number_of_replicas":0,"number_of_shards":1,"analysis":{
 "analyzer":{"mine":{"tokenizer":"whitespace","filter":["lowercase"],"position_increment_gap":7}},
 "normalizer":{"low":{"filter":["lowercase","asciifolding"]}}},"similarity":{"sim":{"type":"BM25","b":0.1}}}`

func testIndex(t testing.TB) *mapping.Index {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal([]byte(testSettings), &s); err != nil {
		t.Fatal(err)
	}
	reg, err := analysis.NewRegistry(s)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := mapping.NewIndex(map[string]string{"index.similarity.sim.type": "BM25"}, reg)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// describe prints an error with its causes: status type: reason <- type: reason.
func describe(err error) string {
	e := apierr.As(err)
	if e == nil {
		return err.Error()
	}
	s := fmt.Sprintf("%d", e.Status)
	for ; e != nil; e = apierr.As(e.Cause) {
		s += fmt.Sprintf(" %s: %s <-", e.Type, e.Reason)
		if e.Cause == nil {
			break
		}
	}
	return strings.TrimSuffix(s, " <-")
}

type oracleError struct {
	Type     string       `json:"type"`
	Reason   string       `json:"reason"`
	CausedBy *oracleError `json:"caused_by"`
}

func describeOracle(status int, body []byte) string {
	var r struct{ Error oracleError }
	if err := json.Unmarshal(body, &r); err != nil {
		return string(body)
	}
	s := fmt.Sprintf("%d", status)
	for e := &r.Error; e != nil; e = e.CausedBy {
		s += fmt.Sprintf(" %s: %s <-", e.Type, e.Reason)
	}
	return strings.TrimSuffix(s, " <-")
}

var indexCount struct {
	sync.Mutex
	n int
}

func indexName() string {
	indexCount.Lock()
	defer indexCount.Unlock()
	indexCount.n++
	return fmt.Sprintf("m-%d-%d", time.Now().UnixNano(), indexCount.n)
}

// oracleMapping returns the text of an index's mapping as the node prints it.
func oracleMapping(t *testing.T, url, index string) string {
	_, body := call(t, "GET", url+"/"+index+"/_mapping", "")
	v, err := xcontent.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	ix, _ := v.(*xcontent.Object).Get(index)
	m, _ := ix.(*xcontent.Object).Get("mappings")
	return jsonText(t, m)
}

func jsonText(t testing.TB, v any) string {
	var b bytes.Buffer
	if err := xcontent.Append(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMappings puts definitions, one after another, into a real node's index and into ours: both accept
// or refuse them with the same words, and print the same.
func TestMappings(t *testing.T) {
	url := nodeURL(t)
	for i, steps := range mappingCases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			name := indexName()
			ix := testIndex(t)
			var m *mapping.Mapping
			for n, step := range steps {
				var status int
				var body []byte
				if n == 0 {
					status, body = call(t, "PUT", url+"/"+name, fmt.Sprintf(`{"settings":%s,"mappings":%s}`, testSettings, step))
				} else {
					status, body = call(t, "PUT", url+"/"+name+"/_mapping", step)
				}
				update, err := mapping.ParseJSON(ix, []byte(step), mapping.ParseOptions{})
				if err == nil {
					var merged *mapping.Mapping
					if merged, err = mapping.Merge(m, update); err == nil {
						m = merged
					}
				}
				switch {
				case status == 200 && err != nil:
					t.Errorf("%s\nwe refuse it: %s", step, describe(err))
					return
				case status != 200 && err == nil:
					t.Errorf("%s\nthe node refuses it: %s", step, describeOracle(status, body))
					return
				case err != nil:
					if got, want := describe(err), describeOracle(status, body); !strings.HasPrefix(want, got) { // the innermost causes may be missing
						t.Errorf("%s\n got %s\nwant %s", step, got, want)
					}
					if n == 0 {
						return
					}
					continue
				}
				if got, want := jsonText(t, m.Render()), oracleMapping(t, url, name); got != want {
					t.Errorf("%s\n got %s\nwant %s", step, got, want)
				}
			}
			call(t, "DELETE", url+"/"+name, "")
		})
	}
}

// TestFixtureMappings reads and prints the mappings of all fixtures.
func TestFixtureMappings(t *testing.T) {
	shared := oracletest.Shared(t)
	for _, name := range []string{"opensearch-2.3/main", "opensearch-2.11/main", "opensearch-2.17/main", "opensearch-2.19/main", "opensearch-2.19/chunked", "opensearch-1.3/main",
		"opensearch-3.8/main", "elasticsearch-7.10/main"} {
		if _, err := os.Stat(shared + "/fixtures/" + name); err != nil {
			t.Logf("no fixture %s", name)
			continue
		}
		b, err := os.ReadFile(shared + "/fixtures/" + name + "/expected.json")
		if err != nil {
			t.Fatal(err)
		}
		v, err := xcontent.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		get := func(o any, key string) any {
			x, _ := o.(*xcontent.Object).Get(key)
			return x
		}
		for _, s := range get(v, "snapshots").([]any) {
			for _, in := range get(s, "indices").(*xcontent.Object).Members {
				def := get(in.Value, "mappings").(*xcontent.Object)
				settings := map[string]any{}
				raw, err := json.Marshal(get(in.Value, "settings"))
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(raw, &settings); err != nil {
					t.Fatal(err)
				}
				reg, err := analysis.NewRegistry(settings)
				if err != nil {
					t.Errorf("%s %s: %v", name, in.Key, err)
					continue
				}
				ix, err := mapping.NewIndex(nil, reg)
				if err != nil {
					t.Fatal(err)
				}
				m, err := mapping.Parse(ix, def, mapping.ParseOptions{Lenient: true})
				if err != nil {
					t.Errorf("%s %s: %v", name, in.Key, err)
					continue
				}
				if got, want := sortedJSON(t, m.Render()), sortedJSON(t, def); got != want {
					t.Errorf("%s %s\n got %s\nwant %s", name, in.Key, got, want)
				}
			}
		}
	}
}

// sortedJSON prints JSON with sorted keys: the fixtures do not keep the order.
func sortedJSON(t *testing.T, o *xcontent.Object) string {
	var v any
	d := json.NewDecoder(strings.NewReader(jsonText(t, o)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
