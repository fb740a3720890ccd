package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/codectest"
	"github.com/varve-search/varve/lucene/codec/termvectors"
	"github.com/varve-search/varve/lucene/store"
)

func send(t *testing.T, method, url, contentType, body string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 || bytes.Contains(b, []byte(`"errors":true`)) {
		t.Fatalf("%s %s: %s %.600s", method, url, resp.Status, b)
	}
}

const (
	starMapping = `{"settings":{"number_of_shards":1,"number_of_replicas":0,"index.composite_index":true,"index.append_only.enabled":true},
"mappings":{"composite":{"st":{"type":"star_tree","config":{"ordered_dimensions":[{"name":"status"},{"name":"port"}],"metrics":[{"name":"size","stats":["sum","max"]}]}}},
"properties":{"status":{"type":"integer"},"port":{"type":"integer"},"size":{"type":"integer"},"t":{"type":"text","term_vector":"with_positions_offsets"}}}}`
	vectorsMapping = `{"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":{"properties":{"s":{"type":"completion"},
"t":{"type":"text","term_vector":"with_positions_offsets_payloads"},"t2":{"type":"text","term_vector":"yes"},
"t3":{"type":"text","index_options":"offsets","term_vector":"with_offsets"},"t4":{"type":"text","index_options":"docs","term_vector":"with_positions"}}}}`
)

// TestRealNode checks what the fixtures do not hold: term vectors of every kind, completion fields and star trees, of a real
// node. The term vectors are then written again by our writer.
func TestRealNode(t *testing.T) {
	rnd := seed(t)
	repo := t.TempDir()
	node := oracletest.Node(t, "opensearch", "2.19", repo, "--jvm=-Dopensearch.experimental.feature.composite_index.star_tree.enabled=true")
	send(t, "PUT", node+"/_cluster/settings", "application/json", `{"persistent":{"indices.composite_index.star_tree.enabled":true}}`)
	send(t, "PUT", node+"/star", "application/json", starMapping)
	send(t, "PUT", node+"/vectors", "application/json", vectorsMapping)
	for range 3 {
		var bulk bytes.Buffer
		for range 300 {
			bulk.WriteString("{\"index\":{\"_index\":\"star\"}}\n")
			line(t, &bulk, map[string]any{"status": 200 + rnd.IntN(4), "port": rnd.IntN(9), "size": rnd.IntN(1000), "t": sentence(rnd)})
			bulk.WriteString("{\"index\":{\"_index\":\"vectors\"}}\n")
			line(t, &bulk, map[string]any{"s": fmt.Sprint("s", rnd.IntN(99)), "t": sentence(rnd), "t2": sentence(rnd), "t3": []string{sentence(rnd), sentence(rnd)}, "t4": sentence(rnd)})
		}
		send(t, "POST", node+"/_bulk?refresh=true", "application/x-ndjson", bulk.String())
	}
	send(t, "PUT", node+"/_snapshot/r", "application/json", fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, repo))
	send(t, "PUT", node+"/_snapshot/r/s?wait_for_completion=true", "application/json", `{"include_global_state":false}`)
	out := t.TempDir()
	if text, err := oracletest.Tool(t, "unsnap", repo, "s", out); err != nil {
		t.Fatalf("unsnap: %v\n%s", err, text)
	}
	for name, unsupported := range map[string]string{"star": "Composite912Codec", "vectors": "Completion912 of field s"} {
		path := filepath.Join(out, name, "0")
		checkReal(t, path, unsupported)
		if name == "vectors" {
			again := rewriteVectors(t, path)
			oracletest.CheckIndex(t, again)
			checkReal(t, again, unsupported)
		}
	}
}

func checkReal(t *testing.T, path, unsupported string) {
	t.Helper()
	dir, err := store.OpenFS(path)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Directory(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		t.Error(f)
	}
	for _, s := range report.Segments {
		if len(s.Unsupported) != 1 || !strings.Contains(s.Unsupported[0].Error(), unsupported) {
			t.Errorf("segment %s: not supported are %v, want %s", s.Name, s.Unsupported, unsupported)
		}
		if s.TermVectors == 0 || s.DocValues == 0 {
			t.Errorf("nothing was counted: %+v", s)
		}
	}
}

func line(t *testing.T, out *bytes.Buffer, v any) {
	t.Helper()
	if err := json.NewEncoder(out).Encode(v); err != nil {
		t.Fatal(err)
	}
}

func sentence(rnd *rand.Rand) string {
	var words []string
	for range rnd.IntN(40) {
		words = append(words, fmt.Sprintf("wörd%d", rnd.IntN(300)))
	}
	return strings.Join(words, strings.Repeat(" ", 1+rnd.IntN(3)))
}

func rewriteVectors(t *testing.T, path string) string {
	t.Helper()
	return codectest.Rewrite(t, path, func(s codectest.Segment, w *codec.WriteState) []string {
		r, err := termvectors.Open(s.State)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		tw, err := termvectors.NewWriter(w)
		if err != nil {
			t.Fatal(err)
		}
		vectors := r.Vectors()
		for doc := range w.Info.MaxDoc {
			f, err := vectors.Get(doc)
			if err != nil {
				t.Fatal(err)
			}
			if err := termvectors.Add(tw, f, w.Fields); err != nil {
				t.Fatal(err)
			}
		}
		if err := tw.Finish(w.Info.MaxDoc); err != nil {
			t.Fatal(err)
		}
		if err := tw.Close(); err != nil {
			t.Fatal(err)
		}
		return []string{termvectors.DataExtension, termvectors.IndexExtension, termvectors.MetaExtension}
	})
}
