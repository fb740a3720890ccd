package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// TestReplayFixtures restores snapshots that real nodes wrote and compares counts, documents, mappings, aliases and
// searches, scores included, with what a real node answered. OpenSearch 3.8 answers a max_score where 2.x has none; there
// only the order by score is compared.
func TestReplayFixtures(t *testing.T) {
	shared := oracletest.Shared(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("%s no python3, which compares the answers", oracletest.SkipMark)
	}
	repo := t.TempDir()
	s := servertest.Start(t, t.TempDir(), repo)
	for _, name := range []string{"opensearch-2.19/main", "opensearch-2.19/chunked", "opensearch-2.19/zstd", "opensearch-2.17/main", "opensearch-2.11/main", "opensearch-2.3/main",
		"opensearch-3.0/main", "opensearch-3.8/main"} {
		t.Run(name, func(t *testing.T) {
			fixture := filepath.Join(shared, "fixtures", name)
			if _, err := os.Stat(filepath.Join(fixture, "expected.json")); err != nil {
				t.Skipf("%s no fixture %s", oracletest.SkipMark, name)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
			defer cancel()
			args := []string{filepath.Join(shared, "fixtures", "replay.py"), s.URL, fixture, filepath.Join(repo, strings.ReplaceAll(name, "/", "-"))}
			if name == "opensearch-3.8/main" {
				args = append(args, "--no-scores")
			}
			cmd := exec.CommandContext(ctx, python, args...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s differs from the real node: %v\n%.8000s", name, err, out)
			}
			if !strings.Contains(string(out), " 0 differ") {
				t.Errorf("%s was not compared to the end:\n%.8000s", name, out)
			}
		})
	}
}
