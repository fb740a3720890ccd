package ingest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/javavalue"
)

// TestPathologicalRegex shows that an expression that backtracks without end fails after about a second.
func TestPathologicalRegex(t *testing.T) {
	text := `{"a":"` + strings.Repeat("a", 4000) + `!"}`
	for _, pipeline := range []string{
		`{"processors":[{"gsub":{"field":"a","pattern":"(a*)*(a*)*(a*)*b","replacement":"x"}}]}`,
		`{"processors":[{"grok":{"field":"a","patterns":["^(?<x>(a|a)*)*(?=b)"]}}]}`,
		`{"processors":[{"split":{"field":"a","separator":"(a|aa)+(?!a)$"}}]}`,
		`{"processors":[{"kv":{"field":"a","field_split":"(.*?)*?=","value_split":"="}}]}`,
	} {
		start := time.Now()
		got := outcome(t, pipeline, text, nil)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", pipeline, took)
		}
		if strings.HasPrefix(got, "refused") {
			t.Errorf("%s: %s", pipeline, got)
		}
	}
}

func TestGrokBombs(t *testing.T) {
	var defs []string
	for i := range 60 {
		n, m := string(rune('A'+i/26))+string(rune('A'+i%26)), string(rune('A'+(i+1)/26))+string(rune('A'+(i+1)%26))
		defs = append(defs, `"`+n+`":"%{`+m+`}%{`+m+`}"`)
	}
	pipeline := `{"processors":[{"grok":{"field":"a","patterns":["%{AA}"],"pattern_definitions":{` + strings.Join(defs, ",") + `,"CI":"x"}}}]}`
	if got := outcome(t, pipeline, `{}`, nil); !strings.HasPrefix(got, "refused: parse_exception") {
		t.Errorf("patterns that double 60 times: %.200s", got)
	}
}

func TestDeepNesting(t *testing.T) {
	deep := `{"fail":{"message":"m"}}`
	for range 300 {
		deep = `{"foreach":{"field":"a","processor":` + deep + `}}`
	}
	if got := outcome(t, `{"processors":[`+deep+`]}`, `{}`, nil); !strings.Contains(got, "nested more than") {
		t.Errorf("300 levels of foreach: %.200s", got)
	}
	if _, err := javavalue.Decode([]byte(strings.Repeat("[", 5000))); err == nil {
		t.Error("5000 levels of JSON were read")
	}
	if got := outcome(t, `{"processors":[{"drop":{"if":"`+strings.Repeat("!", 5000)+`true"}}]}`, `{}`, nil); !strings.HasPrefix(got, "refused: not_implemented") {
		t.Errorf("5000 negations: %.200s", got)
	}
}

// TestNoCycles shows that a document cannot come to lie within itself, and that paths do not make it as deep as they like.
func TestNoCycles(t *testing.T) {
	for _, pipeline := range []string{
		`{"processors":[{"foreach":{"field":"a","processor":{"rename":{"field":"a","target_field":"_ingest._value.b"}}}}]}`,
		`{"processors":[{"foreach":{"field":"a","processor":{"copy":{"source_field":"a","target_field":"_ingest._value.b"}}}}]}`,
		`{"processors":[{"sort":{"field":"a","target_field":"b"}},{"rename":{"field":"a","target_field":"b.0.c"}}]}`,
		`{"processors":[{"foreach":{"field":"a","processor":{"dot_expander":{"field":"x.y","path":"_ingest._value"}}}}]}`,
	} {
		if got := outcome(t, pipeline, `{"a":[{"x.y":{"z":1},"x":{}}]}`, nil); strings.HasPrefix(got, "refused") {
			t.Errorf("%s: %s", pipeline, got)
		}
	}
	if got := outcome(t, `{"processors":[{"set":{"field":"{{p}}","value":1}}]}`, `{"p":"`+strings.Repeat("a.", 100000)+`a"}`, nil); !strings.Contains(got, "has [100001] parts") {
		t.Errorf("a path of 100001 parts: %.200s", got)
	}
}

func TestRegistry(t *testing.T) {
	bodies := map[string]json.RawMessage{"a": json.RawMessage(`{"processors":[{"set":{"field":"x","value":1}}]}`), "s": json.RawMessage(`{"processors":[{"script":{"source":"x","tag":"T"}}]}`)}
	r := NewRegistry(func(id string) json.RawMessage { return bodies[id] })
	if r.Get("none") != nil {
		t.Error("a pipeline that is not there was found")
	}
	run := func(id string) error {
		d := NewDocument(&object{}, "i", "", "", nil, "")
		_, err := r.Get(id).Run(d, r.Get)
		return err
	}
	if err := run("a"); err != nil {
		t.Fatal(err)
	}
	first := r.Get("a")
	bodies["a"] = json.RawMessage(`{"processors":[{"set":{"field":"y","value":1}}]}`)
	if err := run("a"); err != nil {
		t.Fatal(err)
	}
	if r.Get("a") == first {
		t.Error("a changed pipeline is still the old one")
	}
	own, steps := r.Get("a").Stats()
	if own.Count != 2 || len(steps) != 1 || steps[0].Count != 2 || steps[0].Name != "set" {
		t.Errorf("counts after two documents: %+v %+v", own, steps)
	}
	err := run("s")
	if err == nil || !strings.Contains(err.Error(), "could not be loaded") || !strings.Contains(err.Error(), "scripts are not run in this server") {
		t.Errorf("a restored pipeline with a script: %v", err)
	}
}

func FuzzCompile(f *testing.F) {
	for _, c := range cases(f) {
		f.Add(c[0], c[min(1, len(c)-1)])
	}
	f.Fuzz(func(t *testing.T, pipeline, doc string) {
		p, err := Compile("p", json.RawMessage(pipeline))
		if err != nil {
			return
		}
		src, err := javavalue.DecodeObject([]byte(doc))
		if err != nil {
			return
		}
		d := NewDocument(src, "ix", "id", "", nil, "")
		_, _ = p.Run(d, func(string) *Pipeline { return p }) // it must not panic or hang
		_, _ = p.Simulate(d, func(string) *Pipeline { return nil })
	})
}

func FuzzDissect(f *testing.F) {
	f.Add("%{a} %{b}", "1 2", ",")
	f.Add("[%{+a/2}]%{*k->}=%{&k}", "[x]y==z", "")
	f.Fuzz(func(t *testing.T, pattern, text, separator string) {
		d, err := newDissector(pattern, separator)
		if err != nil {
			return
		}
		if fields, err := d.dissect(text); err == nil && len(fields) != d.results {
			t.Errorf("%d fields of %d", len(fields), d.results)
		}
	})
}

func FuzzGrok(f *testing.F) {
	f.Add("%{IP:a} (?<b>\\w++)", "1.2.3.4 x")
	f.Add("(?>a|[[:alpha:]&&b])\\k<x>(?i-m:\\p{L}\\h)", "a")
	f.Fuzz(func(t *testing.T, expression, text string) {
		if len(expression)+len(text) > 200 {
			return
		}
		for _, flavor := range []flavor{javaRegex, onigRegex} {
			if p, err := compileRegex(expression, flavor); err == nil {
				_, _ = p.split(text, 0)
				_, _ = p.replaceAll(text, "$1")
			}
		}
		if g, err := newGrok(grokPatterns, expression); err == nil {
			_, _ = g.match(text)
		}
	})
}
