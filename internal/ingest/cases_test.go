package ingest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
)

var update = flag.Bool("update", false, "write the expected outcomes anew; test/ingest compares the same cases with a real node")

const (
	casesFile    = "../../test/ingest/testdata/simulate.tsv"
	expectedFile = "testdata/outcomes.txt"
)

// cases are the pipelines and documents that test/ingest compares with a real node.
func cases(t testing.TB) [][]string {
	t.Helper()
	b, err := os.ReadFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	var list [][]string
	for l := range strings.SplitSeq(string(b), "\n") {
		if l == "" || l[0] == '#' {
			continue
		}
		parts := strings.Split(strings.TrimPrefix(l, "~"), "\t")
		if strings.HasPrefix(parts[0], "[") {
			parts[0] = `{"processors":` + parts[0] + `}`
		}
		list = append(list, parts)
	}
	return list
}

// outcome runs a pipeline on a document and tells what came of it in one line.
func outcome(t testing.TB, pipeline, doc string, lookup Lookup) string {
	t.Helper()
	p, err := Compile("p", json.RawMessage(pipeline))
	if err != nil {
		return "refused: " + shown(err)
	}
	src, err := javavalue.DecodeObject([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	d := NewDocument(src, "ix", "id", "", nil, "")
	keep, err := p.Run(d, lookup)
	switch {
	case err != nil:
		return "failed: " + shown(err)
	case !keep:
		return "dropped"
	}
	d.Ingest.Remove("timestamp")
	var b bytes.Buffer
	if err := javavalue.Append(&b, d.Fields); err != nil {
		t.Fatal(err)
	}
	b.WriteByte(' ')
	if err := javavalue.Append(&b, d.Ingest); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func shown(err error) string {
	s := err.Error()
	if e := apierr.As(err); e != nil {
		s = e.Type + ": " + e.Reason
	}
	return strings.ReplaceAll(s, "\n", `\n`)
}

func TestOutcomes(t *testing.T) {
	known := map[string]*Pipeline{}
	for name, body := range map[string]string{"upper": `{"processors":[{"uppercase":{"field":"a"}}]}`, "loop": `{"processors":[{"pipeline":{"name":"loop"}}]}`,
		"outer": `{"processors":[{"pipeline":{"name":"upper"}}],"on_failure":[{"set":{"field":"o","value":"{{_ingest.on_failure_message}}"}}]}`} {
		p, err := Compile(name, json.RawMessage(body))
		if err != nil {
			t.Fatal(err)
		}
		known[name] = p
	}
	var got []string
	for _, c := range cases(t) {
		if strings.Contains(c[0], "epoch_millis") || strings.Contains(c[0], "MMM d HH") {
			continue // their outcome depends on the year
		}
		for _, doc := range c[1:] {
			got = append(got, c[0]+"\t"+doc+"\t"+outcome(t, c[0], doc, func(id string) *Pipeline { return known[id] }))
		}
	}
	if *update {
		if err := os.WriteFile(expectedFile, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(expectedFile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d outcomes, expected are %d: run with -update after test/ingest passed", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
}
