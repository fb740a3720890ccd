package interop

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// TestShardPathTypes takes snapshots into repositories with hashed shard paths below a base path, in turns with a real node: shards lie where the real node puts its own, both restore what the other took, and nothing is left after a clean-up.
func TestShardPathTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real node")
	}
	base := t.TempDir()
	url := oracletest.Node(t, "opensearch", "2.19", base)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	s := servertest.Start(t, t.TempDir(), base)
	sides := []func(method, path, body string, into any){
		func(method, path, body string, into any) { t.Helper(); s.Must(method, path, body, into) },
		func(method, path, body string, into any) {
			t.Helper()
			servertest.Must(t, url, method, path, body, into)
		},
	}
	for i, side := range sides {
		side("PUT", fmt.Sprintf("/i%d", i), `{"settings":{"number_of_shards":2,"number_of_replicas":0}}`, nil)
		for d := range 5 {
			side("PUT", fmt.Sprintf("/i%d/_doc/%d?refresh=true", i, d), `{"a":1}`, nil)
		}
	}
	const hash = `[A-Za-z0-9_-][01]{14}/`
	for _, c := range []struct{ typ, base, shards string }{
		{"HASHED_PREFIX", "x/y", `^` + hash + `x/y/indices/[^/]+/\d$`},
		{"hashed_infix", "x/y", `^x/y/` + hash + `indices/[^/]+/\d$`},
	} {
		t.Run(c.typ+c.base, func(t *testing.T) {
			dir := filepath.Join(base, c.typ+filepath.Base(c.base))
			register := func(i int) {
				t.Helper()
				sides[i]("PUT", "/_snapshot/r", fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"base_path":%q,"shard_path_type":%q}}`, dir, c.base, c.typ), nil)
			}
			for i := range sides {
				register(i)
				var made struct{ Snapshot struct{ State string } }
				sides[i]("PUT", fmt.Sprintf("/_snapshot/r/s%d?wait_for_completion=true", i), fmt.Sprintf(`{"indices":"i%d"}`, i), &made)
				if made.Snapshot.State != "SUCCESS" {
					t.Fatalf("side %d: %+v", i, made)
				}
				sides[i]("DELETE", "/_snapshot/r", "", nil)
			}
			shards, found := regexp.MustCompile(c.shards), 0
			if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				rel, _ := filepath.Rel(dir, path)
				if err == nil && d.IsDir() && regexp.MustCompile(`/\d$`).MatchString(rel) {
					if found++; !shards.MatchString(filepath.ToSlash(rel)) {
						t.Errorf("a shard lies in %s", rel)
					}
				}
				return err
			}); err != nil || found != 4 {
				t.Errorf("%d folders of shards, %v", found, err)
			}
			for i := range sides { // each restores the other's
				register(i)
				other := 1 - i
				sides[i]("POST", fmt.Sprintf("/_snapshot/r/s%d/_restore?wait_for_completion=true", other), `{"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, nil)
				var n struct{ Count json.Number }
				sides[i]("GET", fmt.Sprintf("/r-i%d/_count", other), "", &n)
				if n.Count.String() != "5" {
					t.Errorf("side %d restored %s documents", i, n.Count)
				}
				sides[i]("DELETE", fmt.Sprintf("/r-i%d", other), "", nil)
				sides[i]("DELETE", fmt.Sprintf("/_snapshot/r/s%d", other), "", nil)
				sides[i]("DELETE", "/_snapshot/r", "", nil)
			}
			left := 0
			_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && regexp.MustCompile(`/indices/`).MatchString(filepath.ToSlash(path)) {
					left++
					t.Logf("left: %s", path)
				}
				return nil
			})
			if left > 0 {
				t.Errorf("%d blobs are left of indices that are gone", left)
			}
		})
	}
}
