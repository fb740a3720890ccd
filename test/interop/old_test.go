package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// oldFixtures are those whose segments are too old to be opened. Without VARVE_LONG only the snapshots named are replayed.
var oldFixtures = []struct {
	name      string
	snapshots []string
	// known are the lines of differences that come from the version of the server, not from the restore.
	known *regexp.Regexp
}{
	// Answers of extended_stats have more numbers since 7.8, and emoji are tokens since Lucene 7.
	{"elasticsearch-5.6/main", []string{"snap-3"}, regexp.MustCompile(`^DIFF snap-\d/logs-2024\.05 (aggs_filtered: (\.aggregations\.nums\.(std_deviation|variance)[a-z_.]+: not expected(; )?)+|match_unicode: \.total: expected \d+, got \d+)$`)},
	{"elasticsearch-6.8/main", []string{"snap-2"}, regexp.MustCompile(`^DIFF snap-\d/logs-2024\.05 aggs_filtered: (\.aggregations\.nums\.(std_deviation|variance)[a-z_.]+: not expected(; )?)+$`)},
	{"elasticsearch-7.10/main", []string{"snap-2"}, nil},
	{"elasticsearch-7.17/main", []string{"snap-4"}, nil},
	{"opensearch-1.3/main", []string{"snap-1"}, nil},
}

// TestReplayOldFixtures restores snapshots of versions whose segments are indexed again, and compares counts, documents, routing and searches with
// what the real node of that version answered.
func TestReplayOldFixtures(t *testing.T) {
	shared := oracletest.Shared(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("%s no python3, which compares the answers", oracletest.SkipMark)
	}
	repo := t.TempDir()
	s := servertest.Start(t, t.TempDir(), repo)
	for _, f := range oldFixtures {
		t.Run(f.name, func(t *testing.T) {
			fixture := filepath.Join(shared, "fixtures", f.name)
			if _, err := os.Stat(filepath.Join(fixture, "expected.json")); err != nil {
				t.Skipf("%s no fixture %s", oracletest.SkipMark, f.name)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			args := []string{filepath.Join(shared, "fixtures", "replay.py"), s.URL, fixture, filepath.Join(repo, strings.ReplaceAll(f.name, "/", "-")), "--logical"}
			if os.Getenv("VARVE_LONG") == "" {
				for _, snap := range f.snapshots {
					args = append(args, "--snapshot", snap)
				}
			}
			out, err := exec.CommandContext(ctx, python, args...).CombinedOutput()
			summary := ""
			for line := range strings.Lines(string(out)) {
				line = strings.TrimSpace(line)
				switch {
				case strings.HasSuffix(line, " differ"):
					summary = line
				case f.known == nil || !f.known.MatchString(line):
					t.Errorf("differs from the real node: %.2000s", line)
				}
			}
			if summary == "" || f.known == nil && err != nil {
				t.Errorf("%s was not compared to the end: %v\n%.4000s", f.name, err, out)
			}
			t.Log(summary)
		})
	}
}

// docsOf returns all documents of an index by id, with their routing.
func docsOf(t *testing.T, url, index string) map[string]string {
	t.Helper()
	servertest.Must(t, url, "POST", "/"+index+"/_refresh", "", nil)
	var res struct {
		Hits struct {
			Hits []struct {
				ID      string          `json:"_id"`
				Routing string          `json:"_routing"`
				Source  json.RawMessage `json:"_source"`
			}
		}
	}
	servertest.Must(t, url, "GET", "/"+index+"/_search?size=10000", "", &res)
	docs := map[string]string{}
	for _, h := range res.Hits.Hits {
		docs[h.ID] = h.Routing + " " + string(h.Source)
	}
	return docs
}

func sameDocs(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if got[id] != want[id] {
			t.Errorf("%s: [%s] is %.300s, want %.300s", what, id, got[id], want[id])
			break
		}
	}
	t.Errorf("%s: %d documents, want %d", what, len(got), len(want))
}

// TestMixedSegments restores an index that began in OpenSearch 1.3 and went on in 2.19, so that Lucene 8 and 9 are side by side in its shards, with
// deletes in both; then the real node restores what this server makes of it and goes on writing.
func TestMixedSegments(t *testing.T) {
	oracletest.Shared(t)
	repos := t.TempDir()
	if err := os.CopyFS(filepath.Join(repos, "old"), os.DirFS(oracletest.FixtureRepository(t, "opensearch-1.3/main"))); err != nil {
		t.Fatal(err)
	}
	const names = "logs-2024.05,products"
	url := oracletest.Node(t, "opensearch", "2.19", repos)
	servertest.Must(t, url, "PUT", "/_snapshot/old", `{"type":"fs","settings":{"location":"old","readonly":true}}`, nil)
	servertest.Must(t, url, "POST", "/_snapshot/old/snap-2/_restore?wait_for_completion=true",
		`{"indices":"`+names+`","index_settings":{"index.merge.policy.segments_per_tier":500,"index.merge.policy.max_merge_at_once":500,"index.merge.policy.deletes_pct_allowed":50}}`, nil)
	before := docsOf(t, url, "logs-2024.05")
	var b strings.Builder
	for i, id := range slices.Sorted(maps.Keys(before)) {
		line, _ := json.Marshal(id)
		switch routing, _, _ := strings.Cut(before[id], " "); {
		case routing != "":
		case i%40 == 0:
			fmt.Fprintf(&b, "{\"delete\":{\"_id\":%s}}\n", line)
		case i%40 == 1:
			fmt.Fprintf(&b, "{\"update\":{\"_id\":%s}}\n{\"doc\":{\"level\":\"changed\"}}\n", line)
		}
	}
	for i := range 50 {
		fmt.Fprintf(&b, "{\"index\":{\"_id\":\"new-%d\"}}\n{\"seq\":%d,\"level\":\"fresh\",\"message\":\"written by 2.19\",\"spans\":[{\"name\":\"n%d\",\"ms\":%d}]}\n", i, 100000+i, i, i)
	}
	bulk(t, url, "logs-2024.05", b.String())
	logs, products := docsOf(t, url, "logs-2024.05"), docsOf(t, url, "products")
	servertest.Must(t, url, "PUT", "/_snapshot/mixed", `{"type":"fs","settings":{"location":"mixed"}}`, nil)
	servertest.Must(t, url, "PUT", "/_snapshot/mixed/theirs?wait_for_completion=true", `{"indices":"`+names+`"}`, nil)
	var segs struct {
		Indices map[string]struct {
			Shards map[string][]struct {
				Segments map[string]struct{ Version string }
			}
		}
	}
	servertest.Must(t, url, "GET", "/logs-2024.05/_segments", "", &segs)
	majors := map[string]bool{}
	for _, s := range segs.Indices["logs-2024.05"].Shards["0"][0].Segments {
		majors[s.Version[:1]] = true
	}
	if !majors["8"] || !majors["9"] {
		t.Fatalf("the real node's shard has segments of Lucene %v: nothing is proved", majors)
	}

	// Merged by the real node, an index that began in 1.3 has segments of Lucene 9 alone. Lucene 8 still counts as its creator.
	servertest.Must(t, url, "POST", "/products/_forcemerge?max_num_segments=1", "", nil)
	servertest.Must(t, url, "PUT", "/_snapshot/mixed/merged?wait_for_completion=true", `{"indices":"products"}`, nil)

	sv := servertest.Start(t, t.TempDir(), repos)
	sv.Must("PUT", "/_snapshot/mixed", `{"type":"fs","settings":{"location":"mixed"}}`, nil)
	sv.Must("POST", "/_snapshot/mixed/merged/_restore?wait_for_completion=true", `{"rename_pattern":"(.+)","rename_replacement":"merged-$1","include_aliases":false}`, nil)
	sameDocs(t, "merged products", docsOf(t, sv.URL, "merged-products"), products)
	bulk(t, sv.URL, "merged-products", "{\"index\":{\"_id\":\"more\"}}\n{\"name\":\"more\",\"price\":3}\n")
	sv.Must("POST", "/_snapshot/mixed/theirs/_restore?wait_for_completion=true", `{"indices":"`+names+`"}`, nil)
	sameDocs(t, "restored logs", docsOf(t, sv.URL, "logs-2024.05"), logs)
	sameDocs(t, "restored products", docsOf(t, sv.URL, "products"), products)
	for _, q := range []string{
		`{"query":{"term":{"level":"changed"}},"size":0,"track_total_hits":true}`,
		`{"query":{"nested":{"path":"spans","query":{"range":{"spans.ms":{"gte":20}}}}},"size":0,"track_total_hits":true}`,
		`{"query":{"range":{"seq":{"gte":500}}},"size":0,"track_total_hits":true,"aggs":{"l":{"terms":{"field":"level"}}}}`,
	} {
		ours, theirs := ask(t, sv.URL, "logs-2024.05", q), ask(t, url, "logs-2024.05", q)
		if string(ours.Hits.Total) != string(theirs.Hits.Total) || !reflect.DeepEqual(round(ours.Aggregations), round(theirs.Aggregations)) {
			t.Errorf("%s\n ours %s %v\n real %s %v", q, ours.Hits.Total, ours.Aggregations, theirs.Hits.Total, theirs.Aggregations)
		}
	}

	// This server goes on writing, and the real node takes over again.
	bulk(t, sv.URL, "logs-2024.05", "{\"delete\":{\"_id\":\"new-3\"}}\n{\"update\":{\"_id\":\"new-4\"}}\n{\"doc\":{\"level\":\"ours\"}}\n")
	logs = docsOf(t, sv.URL, "logs-2024.05")
	merged := docsOf(t, sv.URL, "merged-products")
	sv.Must("PUT", "/_snapshot/mixed/ours?wait_for_completion=true", `{"indices":"`+names+`,merged-products"}`, nil)
	servertest.Must(t, url, "DELETE", "/"+names, "", nil)
	servertest.Must(t, url, "DELETE", "/_snapshot/mixed", "", nil)
	servertest.Must(t, url, "PUT", "/_snapshot/mixed", `{"type":"fs","settings":{"location":"mixed"}}`, nil)
	servertest.Must(t, url, "POST", "/_snapshot/mixed/ours/_restore?wait_for_completion=true", `{"indices":"`+names+`,merged-products","include_global_state":false}`, nil)
	sameDocs(t, "real node's merged products", docsOf(t, url, "merged-products"), merged)
	sameDocs(t, "real node's logs", docsOf(t, url, "logs-2024.05"), logs)
	sameDocs(t, "real node's products", docsOf(t, url, "products"), products)
	// A field whose schema differed would refuse this.
	b.Reset()
	for id, doc := range logs {
		if routing, source, _ := strings.Cut(doc, " "); routing == "" && len(b.String()) < 200000 {
			line, _ := json.Marshal(id)
			fmt.Fprintf(&b, "{\"index\":{\"_id\":%s}}\n%s\n", line, source)
		}
	}
	bulk(t, url, "logs-2024.05", b.String())
	sameDocs(t, "real node's logs, written again", docsOf(t, url, "logs-2024.05"), logs)
	servertest.Must(t, url, "POST", "/logs-2024.05/_forcemerge?max_num_segments=1", "", nil)
}

// TestOldGlobalState restores the global state of 5.6 and 6.8, and what a restore tells of an index that it cannot keep as it was.
func TestOldGlobalState(t *testing.T) {
	repos := t.TempDir()
	for _, v := range []string{"5.6", "6.8"} {
		if err := os.CopyFS(filepath.Join(repos, v), os.DirFS(oracletest.FixtureRepository(t, "elasticsearch-"+v+"/main"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []string{"5.6", "6.8"} {
		sv := servertest.Start(t, t.TempDir(), repos)
		sv.Must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"`+v+`","readonly":true}}`, nil)
		req, err := http.NewRequest("POST", sv.URL+"/_snapshot/r/snap-1/_restore?wait_for_completion=true", strings.NewReader(`{"indices":"accounts","include_global_state":true}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if w := res.Header.Values("Warning"); res.StatusCode != 200 || len(w) != 1 || !strings.Contains(w[0], "index [accounts]: its _source is filtered") {
			t.Errorf("%s: %s with warnings %q", v, res.Status, w)
		}
		var templates map[string]struct {
			Patterns []string `json:"index_patterns"`
			Mappings struct {
				Properties map[string]struct{ Type string }
			}
		}
		sv.Must("GET", "/_template", "", &templates)
		if fx := templates["fx-templ"]; len(templates) != 2 || !slices.Equal(fx.Patterns, []string{"fx-auto-*"}) || fx.Mappings.Properties["when"].Type != "date" {
			t.Errorf("%s: templates %+v", v, templates)
		}
		// A new index follows the template.
		sv.Must("PUT", "/fx-auto-2", "", nil)
		if m := sv.Must("GET", "/fx-auto-2/_mapping", "", nil); !strings.Contains(string(m), `"origin":{"type":"keyword"}`) {
			t.Errorf("%s: %s", v, m)
		}
		if s := sv.Must("GET", "/_cluster/settings?flat_settings=true", "", nil); !strings.Contains(string(s), `"indices.recovery.max_bytes_per_sec":"41mb"`) {
			t.Errorf("%s: %s", v, s)
		}
		sv.Stop()
	}
}

// TestOldDocumentsThatDoNotFit restores an index whose documents its settings do not allow any more: the shards fail and say why, or leave them out.
func TestOldDocumentsThatDoNotFit(t *testing.T) {
	repos := t.TempDir()
	if err := os.CopyFS(filepath.Join(repos, "r"), os.DirFS(oracletest.FixtureRepository(t, "elasticsearch-6.8/main"))); err != nil {
		t.Fatal(err)
	}
	sv := servertest.Start(t, t.TempDir(), repos)
	sv.Must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r","readonly":true}}`, nil)
	restore := func(more string) (failed int) {
		var res struct {
			Snapshot struct{ Shards struct{ Failed int } }
		}
		sv.Must("POST", "/_snapshot/r/snap-1/_restore?wait_for_completion=true", `{"indices":"logs-2024.05","index_settings":{"index.mapping.nested_objects.limit":0}`+more+`}`, &res)
		return res.Snapshot.Shards.Failed
	}
	if n := restore(""); n != 3 {
		t.Errorf("%d shards failed, want 3", n)
	}
	if s := sv.Must("GET", "/_cluster/state/routing_table", "", nil); !strings.Contains(string(s), "cannot be indexed again") || !strings.Contains(string(s), "nested") {
		t.Errorf("the reason is not told: %.2000s", s)
	}
	sv.Must("DELETE", "/logs-2024.05", "", nil)
	if n := restore(`,"partial":true`); n != 0 {
		t.Errorf("%d shards failed although documents may be left out", n)
	}
	if n := len(docsOf(t, sv.URL, "logs-2024.05")); n == 0 || n >= 1900 {
		t.Errorf("%d documents are left", n)
	}
	// It cannot be searched in its repository either, and says so.
	status, body, err := servertest.Call(sv.URL, "POST", "/_snapshot/r/snap-1/_restore", `{"indices":"products","storage_type":"remote_snapshot"}`)
	if err != nil || status != 500 || !strings.Contains(string(body), "index [products] cannot be searched in its repository") {
		t.Errorf("%d %s %v", status, body, err)
	}
}
