package repotool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
)

func export(t *testing.T, o ExportOptions) []string {
	t.Helper()
	var out bytes.Buffer
	n, err := Export(bg, &Printer{Out: &out}, &out, o)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if out.Len() == 0 {
		lines = nil
	}
	want := n
	if o.Bulk {
		want *= 2
	}
	if int64(len(lines)) != want {
		t.Errorf("%d lines of %d documents", len(lines), n)
	}
	return lines
}

// TestExportQueries asks the queries that a real node answered.
func TestExportQueries(t *testing.T) {
	name := "opensearch-2.19/main"
	loc := "fs:" + fixture(t, name)
	var exp struct {
		Snapshots []struct {
			Name    string
			Indices map[string]struct {
				Searches []struct {
					Name    string
					Request struct {
						Query json.RawMessage
						PF    json.RawMessage `json:"post_filter"`
						MinS  *float64        `json:"min_score"`
					}
					Response struct{ Total any }
				}
			}
		}
	}
	oracletest.FixtureExpected(t, name, &exp)
	asked := 0
	for _, s := range exp.Snapshots {
		for ix, e := range s.Indices {
			for _, q := range e.Searches {
				if len(q.Request.Query) == 0 || q.Request.PF != nil || q.Request.MinS != nil {
					continue
				}
				lines := export(t, ExportOptions{Location: loc, Snapshot: s.Name, Indices: []string{ix}, Query: string(q.Request.Query), Shard: -1})
				total := fmt.Sprint(q.Response.Total)
				if o, ok := q.Response.Total.(map[string]any); ok {
					total = fmt.Sprint(o["value"])
				}
				if fmt.Sprint(len(lines)) != total {
					t.Errorf("%s %s %s: %d documents, want %s", s.Name, ix, q.Name, len(lines), total)
				}
				asked++
			}
		}
	}
	if asked < 50 {
		t.Errorf("only %d queries were asked", asked)
	}
}

func TestExportForms(t *testing.T) {
	loc := "fs:" + fixture(t, "opensearch-2.19/main")
	all := export(t, ExportOptions{Location: loc, Snapshot: "snap-3", Indices: []string{"products"}, Shard: -1})
	bulk := export(t, ExportOptions{Location: loc, Snapshot: "snap-3", Indices: []string{"products"}, Bulk: true, Target: "x", Shard: -1})
	if len(bulk) != 2*len(all) || !strings.HasPrefix(bulk[0], `{"index":{"_id":`) || !strings.Contains(bulk[0], `"_index":"x"`) {
		t.Errorf("%.200s", bulk[0])
	}
	some := export(t, ExportOptions{Location: loc, Snapshot: "snap-3", Indices: []string{"*", "-logs*"}, ShowIndex: true, Limit: 7, Excludes: []string{"*"}, Shard: -1})
	if len(some) != 7 || !strings.HasPrefix(some[0], `{"_index":"`) || !strings.HasSuffix(some[0], `"_source":{}}`) {
		t.Errorf("%q", some)
	}
	var sum int
	for shard := range 3 {
		sum += len(export(t, ExportOptions{Location: loc, Snapshot: "snap-3", Indices: []string{"logs-2024.05"}, Shard: shard}))
	}
	if n := len(export(t, ExportOptions{Location: loc, Snapshot: "snap-3", Indices: []string{"logs-2024.05"}, Shard: -1})); n != sum {
		t.Errorf("%d documents in all, %d in the shards", n, sum)
	}
	for _, bad := range []ExportOptions{
		{Query: "{"}, {Query: `{"nope":{}}`}, {Indices: []string{"nope"}}, {Indices: []string{"products"}, Shard: 9},
	} {
		bad.Location, bad.Snapshot = loc, "snap-3"
		if _, err := Export(bg, &Printer{}, &bytes.Buffer{}, bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestOutputFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	for _, failed := range []error{os.ErrInvalid, nil} {
		o, err := CreateOutput(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := o.Close(failed); (err == nil) != (failed == nil) {
			t.Fatal(err)
		}
		list, _ := os.ReadDir(filepath.Dir(path))
		if want := map[bool]int{true: 1, false: 0}[failed == nil]; len(list) != want {
			t.Fatalf("%v, want %d", list, want)
		}
	}
}
