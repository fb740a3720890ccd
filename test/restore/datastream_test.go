package restore

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

var (
	position = regexp.MustCompile(`\[\d+:\d+\] `) // in a request's JSON, which we do not tell
	anyUUID  = regexp.MustCompile(`/[\w-]{22}\b`) // behind a name
	autoID   = regexp.MustCompile(`^[\w-]{20}$`)  // of a document
	unstable = []string{"creation_date", "created", "total_store_size_bytes", "store_size_bytes", "store_size", "total_store_size", "index_uuid"}
)

// normStream is norm for answers about data streams, where the order of names does not count either.
func normStream(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if slices.Contains(unstable, k) {
				v[k] = "*"
			} else {
				v[k] = normStream(v[k])
			}
		}
	case []any:
		names := make([]string, 0, len(v))
		for i := range v {
			v[i] = normStream(v[i])
			if s, ok := v[i].(string); ok {
				names = append(names, s)
			}
		}
		if len(names) == len(v) {
			slices.Sort(names)
			for i := range v {
				v[i] = names[i]
			}
		}
	case string:
		v = anyUUID.ReplaceAllString(position.ReplaceAllString(v, ""), "/U")
		return autoID.ReplaceAllString(v, "ID")
	}
	return v
}

// askLine sends one line of testdata: a method, a path and a body; | stands for the ends of lines of a bulk.
func askLine(t *testing.T, url, side, line string) (int, string) {
	t.Helper()
	method, rest, _ := strings.Cut(line, " ")
	path, body, _ := strings.Cut(rest, " ")
	if method == "BULK" {
		method, body = "POST", strings.ReplaceAll(body, "|", "\n")+"\n"
	}
	code, raw, err := servertest.Call(url, method, path, strings.ReplaceAll(body, "SIDE", side))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return code, string(raw)
	}
	out, err := json.Marshal(normStream(norm(v)))
	check(t, err)
	return code, string(out)
}

// TestDataStreams asks a real node and us the same about data streams and rollovers, and hands a data stream to and fro.
func TestDataStreams(t *testing.T) {
	oracletest.Shared(t)
	repos := t.TempDir()
	theirs := oracletest.Node(t, "opensearch", "2.19", repos)
	ours := servertest.Start(t, t.TempDir(), repos).URL
	t.Run("alike", func(t *testing.T) {
		lines, err := os.ReadFile("testdata/datastreams.txt")
		check(t, err)
		for line := range strings.SplitSeq(strings.TrimSpace(string(lines)), "\n") {
			wantCode, want := askLine(t, theirs, "theirs", line)
			gotCode, got := askLine(t, ours, "ours", line)
			if wantCode != gotCode || want != got {
				t.Errorf("%s\nthe real node: %d %.3000s\nours:          %d %.3000s", line, wantCode, want, gotCode, got)
			}
		}
	})
	t.Run("handed over", func(t *testing.T) { handOver(t, theirs, ours) })
}

// handOver lets the real node begin a data stream, us go on with what it snapshot, and it with what we snapshot.
func handOver(t *testing.T, theirs, ours string) {
	must := func(url, line string) map[string]any {
		t.Helper()
		method, rest, _ := strings.Cut(line, " ")
		path, body, _ := strings.Cut(rest, " ")
		var out map[string]any
		servertest.Must(t, url, method, path, body, &out)
		return out
	}
	const template = `PUT /_index_template/metrics {"index_patterns":["metrics-*"],"priority":50,"data_stream":{"timestamp_field":{"name":"at"}},"template":{"settings":{"number_of_replicas":0,"number_of_shards":2},"mappings":{"properties":{"at":{"type":"date"},"v":{"type":"long"}}}}}`
	register := `PUT /_snapshot/handed {"type":"fs","settings":{"location":"handed"}}`
	// expect asks a server for the stream and counts its documents.
	expect := func(url, stream string, indices []string, generation, docs int) {
		t.Helper()
		s := at(must(url, "GET /_data_stream/"+stream), "data_streams", 0)
		var names []string
		list, _ := at(s, "indices").([]any)
		for _, ix := range list {
			name, _ := at(ix, "index_name").(string)
			names = append(names, name)
		}
		if !slices.Equal(names, indices) || fmt.Sprint(at(s, "generation")) != strconv.Itoa(generation) || at(s, "timestamp_field", "name") != "at" {
			t.Errorf("%s: %v, want %v and generation %d", stream, s, indices, generation)
		}
		must(url, "POST /"+stream+"/_refresh")
		if n := at(must(url, "GET /"+stream+"/_count"), "count"); fmt.Sprint(n) != strconv.Itoa(docs) {
			t.Errorf("%s: %v documents, want %d", stream, n, docs)
		}
		if n := at(must(url, "GET /_data_stream/"+stream+"/_stats"), "data_streams", 0, "maximum_timestamp"); fmt.Sprint(n) != strconv.Itoa(1704067200000+1000*(docs-1)) {
			t.Errorf("%s: the newest document is of %v", stream, n)
		}
	}
	written := 0
	write := func(url, stream string) {
		t.Helper()
		body := `{"at":` + strconv.Itoa(1704067200000+1000*written) + `,"v":` + strconv.Itoa(written) + `}`
		if code, out := askLine(t, url, "", "POST /"+stream+"/_doc "+body); code != 201 {
			t.Fatalf("a document: %d %s", code, out)
		}
		written++
	}
	must(theirs, template)
	must(theirs, register)
	write(theirs, "metrics-x")
	must(theirs, "POST /metrics-x/_rollover")
	write(theirs, "metrics-x")
	must(theirs, "PUT /_snapshot/handed/theirs?wait_for_completion=true "+`{"indices":"metrics-x"}`)

	must(ours, register)
	must(ours, "POST /_snapshot/handed/theirs/_restore?wait_for_completion=true "+`{"indices":"metrics-x","include_global_state":true}`)
	expect(ours, "metrics-x", []string{".ds-metrics-x-000001", ".ds-metrics-x-000002"}, 2, 2)
	write(ours, "metrics-x")
	must(ours, "POST /metrics-x/_rollover")
	write(ours, "metrics-x")
	expect(ours, "metrics-x", []string{".ds-metrics-x-000001", ".ds-metrics-x-000002", ".ds-metrics-x-000003"}, 3, 4)
	if code, out := askLine(t, ours, "", `POST /metrics-x/_doc {"v":1}`); code != 400 || !strings.Contains(out, "single-valued timestamp field 'at'") {
		t.Errorf("a document without a time: %d %s", code, out)
	}
	must(ours, "PUT /_snapshot/handed/ours?wait_for_completion=true "+`{"indices":"metrics-x","include_global_state":false}`)
	must(ours, "PUT /_snapshot/handed/ours/_clone/cloned "+`{"indices":"*"}`)
	must(ours, "PUT /_snapshot/handed/theirs/_clone/part "+`{"indices":".ds-metrics-x-000001"}`)
	for snapshot, want := range map[string]int{"theirs": 1, "ours": 1, "cloned": 1, "part": 0} {
		if list, _ := at(must(ours, "GET /_snapshot/handed/"+snapshot), "snapshots", 0, "data_streams").([]any); len(list) != want {
			t.Errorf("the snapshot [%s] has the data streams %v", snapshot, list)
		}
	}

	must(theirs, "DELETE /_data_stream/metrics-x")
	must(theirs, "DELETE /_snapshot/handed") // which believes to know what the repository holds
	must(theirs, register)
	all := []string{".ds-metrics-x-000001", ".ds-metrics-x-000002", ".ds-metrics-x-000003"}
	for i, snapshot := range []string{"ours", "cloned"} {
		must(theirs, "POST /_snapshot/handed/"+snapshot+"/_restore?wait_for_completion=true "+`{"indices":"metrics-x"}`)
		expect(theirs, "metrics-x", all, 3, 4)
		if i == 0 {
			must(theirs, "DELETE /_data_stream/metrics-x")
		}
	}
	write(theirs, "metrics-x")
	must(theirs, "POST /metrics-x/_rollover")
	write(theirs, "metrics-x")
	expect(theirs, "metrics-x", append(all, ".ds-metrics-x-000004"), 4, 6)
}

// TestDataStreamsOfOthers restores data streams that other versions wrote.
func TestDataStreamsOfOthers(t *testing.T) {
	oracletest.Long(t, "it starts a node of each version")
	for _, version := range []string{"1.3", "3"} {
		t.Run(version, func(t *testing.T) {
			repos := t.TempDir()
			theirs := oracletest.Node(t, "opensearch", version, repos)
			ours := servertest.Start(t, t.TempDir(), repos).URL
			send := func(url string, lines ...string) (out string) {
				t.Helper()
				for _, line := range lines {
					var code int
					if code, out = askLine(t, url, "there", line); code/100 != 2 {
						t.Fatalf("%s: %d %s", line, code, out)
					}
				}
				return out
			}
			const register = `PUT /_snapshot/r {"type":"fs","settings":{"location":"SIDE"}}`
			send(theirs, register, `PUT /_index_template/m {"index_patterns":["m-*"],"data_stream":{},"template":{"settings":{"number_of_replicas":0}}}`,
				`POST /m-x/_doc {"@timestamp":1}`, `POST /m-x/_rollover`, `POST /m-x/_doc {"@timestamp":2}`, `PUT /_snapshot/r/s?wait_for_completion=true {"indices":"m-x"}`)
			send(ours, register, `POST /_snapshot/r/s/_restore?wait_for_completion=true {"include_global_state":true}`, `POST /m-x/_rollover`, `POST /m-x/_doc?refresh=true {"@timestamp":3}`)
			if out := send(ours, `GET /_data_stream?filter_path=data_streams.generation,data_streams.template`); out != `{"data_streams":[{"generation":3,"template":"m"}]}` {
				t.Error(out)
			}
			if out := send(ours, `GET /m-x/_count?filter_path=count`); out != `{"count":3}` {
				t.Error(out)
			}
			if out := send(ours, `GET /.ds-m-x-000001/_mapping`); !strings.Contains(out, `"_data_stream_timestamp":{"enabled":true}`) {
				t.Error(out)
			}
		})
	}
}
