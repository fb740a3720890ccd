package interop

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// TestReplayShallow restores shallow snapshots, whose data lies in the repository of a remote store, into ordinary indices, and
// compares everything with what a real node answered. OpenSearch 3.8 answers a max_score where 2.x has none.
func TestReplayShallow(t *testing.T) {
	shared := oracletest.Shared(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("%s no python3, which compares the answers", oracletest.SkipMark)
	}
	for _, name := range []string{"opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			repo := oracletest.FixtureRepository(t, name)
			s := servertest.Start(t, t.TempDir(), filepath.Dir(repo))
			register := func(name, place string) {
				t.Helper()
				body, err := json.Marshal(map[string]any{"type": "fs", "settings": map[string]any{"location": place, "readonly": true}})
				if err != nil {
					t.Fatal(err)
				}
				s.Must("PUT", "/_snapshot/"+name, string(body), nil)
			}
			register("shallow", repo)
			code, answer, err := servertest.Call(s.URL, "POST", "/_snapshot/shallow/snap-1/_restore?wait_for_completion=true", `{"indices":"products"}`)
			if err != nil || code != 500 || !strings.Contains(string(answer), "[rs-segment]") || !strings.Contains(string(answer), "not registered here") {
				t.Errorf("without the remote store: %d %s %v", code, answer, err)
			}
			register("rs-segment", filepath.Join(filepath.Dir(repo), "remote-store", "segment"))
			checkStatus(t, s, name)
			s.Must("POST", "/_snapshot/shallow/snap-3/_restore?wait_for_completion=true", `{"indices":"late","include_global_state":false}`, nil)
			if set := string(s.Must("GET", "/late/_settings", "", nil)); strings.Contains(set, "remote_store") || strings.Contains(set, "SEGMENT") {
				t.Errorf("the settings still name the remote store: %s", set)
			}
			s.Must("PUT", "/late/_doc/new?refresh=true", `{"a":1}`, nil)
			s.Must("DELETE", "/late", "", nil)

			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			args := []string{filepath.Join(shared, "fixtures", "replay.py"), s.URL, filepath.Join(shared, "fixtures", name), repo}
			if strings.Contains(name, "-3.") {
				args = append(args, "--no-scores")
			}
			out, err := exec.CommandContext(ctx, python, args...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), " 0 differ") {
				t.Errorf("%s differs from the real node: %v\n%.8000s", name, err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// checkStatus compares what is said of each shard's files with what a real node said.
func checkStatus(t *testing.T, s *servertest.Server, fixture string) {
	t.Helper()
	type stats struct {
		Total struct {
			Files int   `json:"file_count"`
			Size  int64 `json:"size_in_bytes"`
		}
	}
	var want struct {
		Snapshots []struct {
			Name   string
			Status map[string]map[string]stats `json:"shard_status"`
		}
	}
	oracletest.FixtureExpected(t, fixture, &want)
	for _, w := range want.Snapshots {
		var got struct {
			Snapshots []struct {
				Indices map[string]struct {
					Shards map[string]struct{ Stats stats }
				}
			}
		}
		s.Must("GET", "/_snapshot/shallow/"+w.Name+"/_status", "", &got)
		for index, shards := range w.Status {
			for n, st := range shards {
				if have := got.Snapshots[0].Indices[index].Shards[n].Stats; have != st {
					t.Errorf("_status of %s [%s][%s]: %+v, want %+v", w.Name, index, n, have, st)
				}
			}
		}
	}
}
