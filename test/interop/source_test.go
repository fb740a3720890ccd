package interop

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
	"github.com/varve-search/varve/repository/smile"
)

// TestBinarySource restores documents that a client sent to a real node as SMILE, whose index keeps them so: they are answered
// as JSON, whole and in part, and can be updated.
func TestBinarySource(t *testing.T) {
	repos := t.TempDir()
	node := oracletest.Node(t, "opensearch", "2.19", repos)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	body, err := smile.Encode(smile.NewObject(smile.Member{Name: "title", Value: "a \"binary\" book"}, smile.Member{Name: "pages", Value: int64(321)}))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPut, node+"/binary/_doc/1?refresh=true", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/smile")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("the real node answers %s", resp.Status)
	}
	register := `{"type":"fs","settings":{"location":"` + filepath.Join(repos, "binary") + `"}}`
	servertest.Must(t, node, "PUT", "/_snapshot/r", register, nil)
	servertest.Must(t, node, "PUT", "/_snapshot/r/s?wait_for_completion=true", `{"indices":"binary"}`, nil)

	s := servertest.Start(t, t.TempDir(), repos)
	s.Must("PUT", "/_snapshot/r", register, nil)
	s.Must("POST", "/_snapshot/r/s/_restore?wait_for_completion=true", "", nil)
	for _, path := range []string{"/binary/_doc/1", "/binary/_source/1", "/binary/_doc/1?_source_includes=pages", "/binary/_search?filter_path=hits.hits._source",
		"/binary/_search?_source_excludes=title&filter_path=hits.hits._source"} {
		if ours, theirs := parsed(t, s.Must("GET", path, "", nil)), parsed(t, servertest.Must(t, node, "GET", path, "", nil)); !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s: %v, not %v", path, ours, theirs)
		}
	}
	s.Must("POST", "/binary/_update/1?refresh=true", `{"doc":{"pages":322}}`, nil)
	var got struct {
		Source map[string]any `json:"_source"`
	}
	s.Must("GET", "/binary/_doc/1", "", &got)
	if got.Source["title"] != "a \"binary\" book" || got.Source["pages"] != json.Number("322") {
		t.Errorf("after an update: %v", got.Source)
	}
}

func parsed(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v in %q", err, b)
	}
	return v
}
