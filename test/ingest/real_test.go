package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// pair is a real node and a server of ours, on one folder of repositories.
type pair struct{ real, ours string }

func TestLikeReal(t *testing.T) {
	repo := t.TempDir()
	p := pair{ours: servertest.Start(t, t.TempDir(), repo).URL, real: oracletest.Node(t, "opensearch", "2.19", repo)}
	t.Run("simulate", p.simulate)
	t.Run("requests", p.requests)
	t.Run("snapshots", p.snapshots)
}

// lines returns the lines of a file of testdata without comments; loose are those that began with ~.
func lines(t *testing.T, name string) (list []string, loose map[string]bool) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	loose = map[string]bool{}
	for l := range strings.SplitSeq(string(b), "\n") {
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		text, isLoose := strings.CutPrefix(l, "~")
		list = append(list, text)
		loose[text] = loose[text] || isLoose
	}
	return list, loose
}

// call returns status and answer, without what differs from call to call.
func call(t *testing.T, url, method, path, body string, drop ...string) (int, any) {
	t.Helper()
	status, b, err := servertest.Call(url, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber() // 1 and 1.0 are not the same
	if len(b) > 0 && dec.Decode(&v) != nil {
		v = string(b)
	}
	return status, without(v, drop)
}

func without(v any, drop []string) any {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range drop {
			delete(v, k)
		}
		for k := range v {
			v[k] = without(v[k], drop)
		}
	case []any:
		for i := range v {
			v[i] = without(v[i], drop)
		}
	}
	return v
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// simulate compares what each processor does to many documents.
func (p pair) simulate(t *testing.T) {
	for _, url := range []string{p.real, p.ours} {
		for name, body := range map[string]string{"upper": `{"processors":[{"uppercase":{"field":"a"}}]}`, "loop": `{"processors":[{"pipeline":{"name":"loop"}}]}`,
			"outer": `{"processors":[{"pipeline":{"name":"upper"}}],"on_failure":[{"set":{"field":"o","value":"{{_ingest.on_failure_pipeline}} {{_ingest.on_failure_message}}"}}]}`} {
			servertest.Must(t, url, "PUT", "/_ingest/pipeline/"+name, body, nil)
		}
	}
	list, loose := lines(t, "simulate.tsv")
	documents := 0
	for _, line := range list {
		parts := strings.Split(line, "\t")
		pipeline := parts[0]
		if strings.HasPrefix(pipeline, "[") {
			pipeline = `{"processors":` + pipeline + `}`
		}
		drop := []string{"timestamp", "stack_trace"}
		if loose[line] {
			drop = append(drop, "reason", "caused_by", "script_stack", "position", "lang", "script", "root_cause")
		}
		var docs []string
		for _, d := range parts[1:] {
			docs = append(docs, `{"_index":"ix","_id":"id","_source":`+d+`}`)
		}
		documents += len(docs)
		hows := []string{""}
		if os.Getenv("VARVE_LONG") != "" || strings.Contains(pipeline, "on_failure") || strings.Contains(pipeline, `"pipeline"`) || strings.Contains(pipeline, `"if"`) {
			hows = append(hows, "?verbose") // where it shows more than what one processor does
		}
		for _, how := range hows {
			if p.same(t, pipeline, docs, how, drop) == 200 {
				continue
			}
			for i := range docs { // one of them made the request as a whole fail
				if len(docs) > 1 {
					p.same(t, pipeline, docs[i:i+1], how, drop)
				}
			}
		}
	}
	t.Logf("%d pipelines, %d documents", len(list), documents)
}

func (p pair) same(t *testing.T, pipeline string, docs []string, how string, drop []string) int {
	t.Helper()
	body := `{"pipeline":` + pipeline + `,"docs":[` + strings.Join(docs, ",") + `]}`
	wantStatus, want := call(t, p.real, "POST", "/_ingest/pipeline/_simulate"+how, body, drop...)
	status, got := call(t, p.ours, "POST", "/_ingest/pipeline/_simulate"+how, body, drop...)
	if status != wantStatus || text(got) != text(want) {
		t.Errorf("%s %s\nreal %d %s\nours %d %s", how, body, wantStatus, text(want), status, text(got))
	}
	return wantStatus
}

// requests compares the APIs, and writes through pipelines.
func (p pair) requests(t *testing.T) {
	for _, url := range []string{p.real, p.ours} {
		servertest.Must(t, url, "DELETE", "/_ingest/pipeline/*", "", nil)
	}
	list, loose := lines(t, "requests.txt")
	for _, line := range list {
		method, rest, _ := strings.Cut(line, " ")
		path, body, _ := strings.Cut(rest, " ")
		if strings.Contains(path, "_bulk") || strings.Contains(path, "_msearch") {
			body = strings.ReplaceAll(body, `\n`, "\n")
		}
		drop := []string{"took", "timestamp", "stack_trace", "index_uuid", "_shards", "_seq_no", "_primary_term"}
		wantStatus, want := call(t, p.real, method, path, body, drop...)
		status, got := call(t, p.ours, method, path, body, drop...)
		if loose[line] {
			if status < 400 != (wantStatus < 400) {
				t.Errorf("%s\nreal %d\nours %d %s", line, wantStatus, status, text(got))
			}
			continue
		}
		for _, v := range []any{want, got} { // whether it is there counts, not what it is
			if o, ok := v.(map[string]any); ok && o["ingest_took"] != nil {
				o["ingest_took"] = 0
			}
		}
		if status != wantStatus || text(got) != text(want) {
			t.Errorf("%s\nreal %d %s\nours %d %s", line, wantStatus, text(want), status, text(got))
		}
	}
	t.Logf("%d requests", len(list))
}

// written are documents that go through the pipelines of the snapshot.
var written = []string{`{"m":"127.0.0.1 GET /x 200","n":"5"}`, `{"m":"::1 POST /y 404","n":"0x10"}`, `{"m":"nothing","n":"x"}`, `{"n":7}`}

// snapshots takes pipelines and scripts from a real node to us and back, and writes through them on both.
func (p pair) snapshots(t *testing.T) {
	real := func(method, path, body string) { servertest.Must(t, p.real, method, path, body, nil) }
	ours := func(method, path, body string) { servertest.Must(t, p.ours, method, path, body, nil) }
	for _, do := range []func(string, string, string){real, ours} {
		do("DELETE", "/_ingest/pipeline/*", "")
		do("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"shared"}}`)
	}
	real("PUT", "/_ingest/pipeline/logs", `{"description":"lines","version":4,"processors":[
		{"grok":{"field":"m","patterns":["%{IP:client.ip} %{WORD:verb} %{NOTSPACE:path} %{NUMBER:status:int}"],"ignore_missing":true,"on_failure":[{"set":{"field":"bad","value":"{{_ingest.on_failure_message}}"}}]}},
		{"convert":{"field":"n","type":"integer","ignore_failure":true}},
		{"set":{"field":"slow","value":true,"if":"ctx.status != null && ctx.status >= 400"}}]}`)
	real("PUT", "/_ingest/pipeline/scripted", `{"processors":[{"set":{"field":"before","value":1}},{"script":{"lang":"painless","source":"ctx.x = 1"}}]}`)
	real("PUT", "/_scripts/calc", `{"script":{"lang":"painless","source":"params.a + 1"}}`)
	real("PUT", "/_scripts/find", `{"script":{"lang":"mustache","source":{"query":{"match":{"verb":"{{v}}"}}}}}`)
	real("PUT", "/snapped", `{"settings":{"index.default_pipeline":"logs"}}`)
	real("PUT", "/snapped/_doc/0", written[0])
	real("PUT", "/snapped-scripted", `{"settings":{"index.default_pipeline":"scripted"}}`)
	real("PUT", "/_snapshot/r/one?wait_for_completion=true", `{"indices":"snapped*","include_global_state":true}`)

	ours("PUT", "/_ingest/pipeline/gone", `{"processors":[]}`) // what the snapshot does not have goes
	ours("PUT", "/_scripts/gone", `{"script":{"lang":"painless","source":"1"}}`)
	ours("POST", "/_snapshot/r/one/_restore?wait_for_completion=true", `{"include_global_state":true}`)
	p.alike(t)
	status, answer := call(t, p.ours, "PUT", "/snapped-scripted/_doc/1", `{"a":1}`)
	if status != 500 || !strings.Contains(text(answer), "scripts are not run in this server") {
		t.Errorf("a write through a script: %d %s", status, text(answer))
	}
	if status, _ := call(t, p.ours, "GET", "/snapped-scripted/_doc/1", ""); status != 404 {
		t.Errorf("a document that its pipeline could not see was written: %d", status)
	}
	if status, answer := call(t, p.ours, "PUT", "/_ingest/pipeline/scripted2", `{"processors":[{"script":{"source":"ctx.x = 1"}}]}`); status != 501 {
		t.Errorf("a pipeline with a script was stored: %d %s", status, text(answer))
	}

	ours("PUT", "/_ingest/pipeline/added", `{"processors":[{"append":{"field":"tags","value":["{{verb}}"]}}]}`)
	ours("PUT", "/_snapshot/r/two?wait_for_completion=true", `{"indices":"snapped","include_global_state":true}`)
	real("DELETE", "/_snapshot/r", "") // a real node keeps what it knows of a repository
	real("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"shared"}}`)
	real("DELETE", "/snapped", "")
	real("DELETE", "/_ingest/pipeline/*", "")
	real("DELETE", "/_scripts/find", "")
	real("PUT", "/_ingest/pipeline/gone", `{"processors":[]}`)
	real("PUT", "/_scripts/gone", `{"script":{"lang":"painless","source":"1"}}`)
	real("POST", "/_snapshot/r/two/_restore?wait_for_completion=true", `{"include_global_state":true}`)
	p.alike(t)
	real("PUT", "/snapped-scripted/_doc/1?pipeline=scripted", `{"a":1}`) // it is whole enough to run there
}

// alike compares pipelines and scripts, and what they make of documents.
func (p pair) alike(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/_ingest/pipeline", "/_scripts/calc", "/_scripts/find", "/_scripts/gone", "/snapped/_settings/index.default_pipeline", "/snapped/_doc/0"} {
		wantStatus, want := call(t, p.real, "GET", path, "")
		status, got := call(t, p.ours, "GET", path, "")
		if status != wantStatus || text(got) != text(want) {
			t.Errorf("%s\nreal %d %s\nours %d %s", path, wantStatus, text(want), status, text(got))
		}
	}
	for i, doc := range written {
		path := fmt.Sprintf("/snapped/_doc/w%d", i)
		var got [2]string
		for n, url := range []string{p.real, p.ours} {
			call(t, url, "PUT", path, doc)
			_, v := call(t, url, "GET", path, "", "_seq_no", "_version", "_primary_term")
			got[n] = text(v)
		}
		if got[0] != got[1] {
			t.Errorf("%s\nreal %s\nours %s", doc, got[0], got[1])
		}
	}
}
