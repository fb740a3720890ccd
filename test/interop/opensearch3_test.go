package interop

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// Indices that a real OpenSearch 3 wrote, with every field type: the repository tool finds them sound, we restore them and
// answer the same, scores included, go on writing to every field, and what we snapshot is taken by a real 2.19, which
// goes on as well.
func TestFromOpenSearch3(t *testing.T) {
	oracletest.Shared(t)
	repos := t.TempDir()
	newer := oracletest.Node(t, "opensearch", "3", repos)
	servertest.Must(t, newer, "PUT", "/every", everyField, nil)
	fill(t, newer, "every", 0, 200)
	servertest.Must(t, newer, "PUT", "/skips", `{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":{"properties":{"n":{"type":"long","skip_list":true},"o":{"properties":{"d":{"type":"date","skip_list":true}}}}}}`, nil)
	skips := func(url, id string) {
		t.Helper()
		bulk(t, url, "skips", `{"index":{"_id":"`+id+`"}}`+"\n"+`{"n":`+id+`,"o":{"d":"2024-01-0`+id+`"}}`+"\n")
		servertest.Must(t, url, "POST", "/skips/_refresh", "", nil)
	}
	skips(newer, "1")
	skips(newer, "2")
	servertest.Must(t, newer, "PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, nil)
	servertest.Must(t, newer, "PUT", "/_snapshot/r/theirs?wait_for_completion=true", `{"indices":"every,skips"}`, nil)

	verify := func(repo string) {
		t.Helper()
		out, err := exec.Command(servertest.Binary(t), "repo", "verify", "--deep", "fs:"+filepath.Join(repos, repo)).CombinedOutput()
		if err != nil {
			t.Errorf("repo verify --deep %s: %v\n%s", repo, err, out)
		}
	}
	verify("r")

	sv := servertest.Start(t, t.TempDir(), repos)
	sv.Must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r","readonly":true}}`, nil)
	sv.Must("POST", "/_snapshot/r/theirs/_restore?wait_for_completion=true", `{"indices":"every,skips","include_global_state":false}`, nil)
	compare(t, sv.URL, "every", newer, "every", true)
	// Searched where it is, the index is not rewritten.
	sv.Must("POST", "/_snapshot/r/theirs/_restore?wait_for_completion=true", `{"indices":"every","include_global_state":false,"storage_type":"remote_snapshot","rename_pattern":"every","rename_replacement":"remote"}`, nil)
	compare(t, sv.URL, "remote", newer, "every", true)
	sv.Must("DELETE", "/remote", "", nil)
	if m := sv.Must("GET", "/skips/_mapping", "", nil); strings.Contains(string(m), "skip_list") {
		t.Errorf("the mapping still asks for skip lists: %s", m)
	}

	fill(t, sv.URL, "every", 200, 260)
	bulk(t, sv.URL, "every", "{\"delete\":{\"_id\":\"7\"}}\n{\"update\":{\"_id\":\"8\"}}\n{\"doc\":{\"kw\":\"changed\",\"num\":-8}}\n")
	sv.Must("POST", "/every/_refresh", "", nil)
	skips(sv.URL, "3")
	sv.Must("PUT", "/_snapshot/w", `{"type":"fs","settings":{"location":"w"}}`, nil)
	sv.Must("PUT", "/_snapshot/w/ours?wait_for_completion=true", "", nil)
	verify("w")

	out := filepath.Join(t.TempDir(), "unsnapped")
	if _, err := oracletest.Tool(t, "unsnap", filepath.Join(repos, "w"), "ours", out); err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(filepath.Join(out, "*", "*"))
	if err != nil || len(dirs) != 3 {
		t.Fatalf("unsnap wrote %v, %v", dirs, err)
	}
	oracletest.CheckIndex(t, dirs...)

	older := oracletest.Node(t, "opensearch", "2.19", repos)
	servertest.Must(t, older, "PUT", "/_snapshot/w", `{"type":"fs","settings":{"location":"w"}}`, nil)
	servertest.Must(t, older, "POST", "/_snapshot/w/ours/_restore?wait_for_completion=true", `{"indices":"every,skips","include_global_state":false}`, nil)
	compare(t, sv.URL, "every", older, "every", false)
	fill(t, older, "every", 260, 300)
	skips(older, "4")
	servertest.Must(t, older, "POST", "/every,skips/_forcemerge?max_num_segments=1", "", nil)
}
