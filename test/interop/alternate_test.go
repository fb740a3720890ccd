package interop

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	blobfs "github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/repository"
)

var (
	alternateTurns = flag.Int("alternate.turns", 32, "how many operations TestAlternate does")
)

// side is one of two programs that use a repository in turns.
type side struct {
	t    *testing.T
	name string
	url  string
	real bool
	docs map[string]string // of its index "data"
}

func (s *side) must(method, path, body string, v any) {
	s.t.Helper()
	servertest.Must(s.t, s.url, method, path, body, v)
}

// turn makes the program see what the other one did.
func (s *side) turn() {
	if s.real {
		s.must("DELETE", "/_snapshot/r", "", nil)
		s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, nil)
	}
}

// mutate changes documents, some of them in a segment of their own.
func (s *side) mutate(rnd *rand.Rand) {
	var b strings.Builder
	for range rnd.Intn(12) {
		id := fmt.Sprint(rnd.Intn(60))
		if rnd.Intn(4) == 0 {
			fmt.Fprintf(&b, "{\"delete\":{\"_id\":\"%s\"}}\n", id)
			delete(s.docs, id)
			continue
		}
		v := fmt.Sprint(s.name, " ", rnd.Int31())
		fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%s\"}}\n{\"v\":%q}\n", id, v)
		s.docs[id] = v
	}
	if b.Len() > 0 {
		bulk(s.t, s.url, "data", b.String())
	}
	if rnd.Intn(5) == 0 {
		s.must("POST", "/data/_forcemerge?max_num_segments=1", "", nil)
	}
}

// read returns all documents of an index.
func (s *side) read(index string) map[string]string {
	s.t.Helper()
	s.must("POST", "/"+index+"/_refresh", "", nil)
	var res struct {
		Hits struct {
			Hits []struct {
				ID     string             `json:"_id"`
				Source struct{ V string } `json:"_source"`
			}
		}
	}
	s.must("GET", "/"+index+"/_search?size=1000", "", &res)
	out := map[string]string{}
	for _, h := range res.Hits.Hits {
		out[h.ID] = h.Source.V
	}
	return out
}

// TestAlternate lets Varve and a real OpenSearch do random operations on one repository in turns.
func TestAlternate(t *testing.T) {
	oracletest.Shared(t)
	rnd := rand.New(rand.NewSource(testseed.Of(t)))
	repos := t.TempDir()
	ours := &side{t: t, name: "ours", url: servertest.Start(t, t.TempDir(), repos).URL, docs: map[string]string{}}
	theirs := &side{t: t, name: "theirs", url: oracletest.Node(t, "opensearch", "2.19", repos), real: true, docs: map[string]string{}}
	sides := []*side{ours, theirs}
	for _, s := range sides {
		s.must("PUT", "/data", `{"settings":{"number_of_shards":2,"number_of_replicas":0},"mappings":{"properties":{"v":{"type":"keyword"}}}}`, nil)
		s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"r"}}`, nil)
	}
	snapshots := map[string]map[string]string{}
	names := func() []string { return slices.Sorted(maps.Keys(snapshots)) }
	pick := func() string { n := names(); return n[rnd.Intn(len(n))] }
	for turn := range *alternateTurns {
		s := sides[rnd.Intn(2)]
		s.turn()
		op := rnd.Intn(10)
		if len(snapshots) == 0 {
			op = 0
		}
		what := ""
		switch op {
		case 0, 1, 2:
			s.mutate(rnd)
			name := fmt.Sprintf("s%d", turn)
			what = "create " + name
			var res struct{ Snapshot struct{ State string } }
			s.must("PUT", "/_snapshot/r/"+name+"?wait_for_completion=true", `{"indices":"data"}`, &res)
			if res.Snapshot.State != "SUCCESS" {
				t.Fatalf("turn %d: %s: %s says %s", turn, what, s.name, res.Snapshot.State)
			}
			snapshots[name] = maps.Clone(s.docs)
		case 3: // two at once, then both are waited for
			s.mutate(rnd)
			what = "create two"
			for i := range 2 {
				name := fmt.Sprintf("s%d-%d", turn, i)
				s.must("PUT", "/_snapshot/r/"+name, `{"indices":"data"}`, nil)
				snapshots[name] = maps.Clone(s.docs)
			}
			for deadline := time.Now().Add(30 * time.Second); ; {
				var st struct{ Snapshots []json.RawMessage }
				s.must("GET", "/_snapshot/r/_status", "", &st)
				if len(st.Snapshots) == 0 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("turn %d: the snapshots of %s do not end: %s", turn, s.name, st.Snapshots)
				}
				time.Sleep(20 * time.Millisecond)
			}
		case 4, 5:
			name := pick()
			what = "delete " + name
			if other := pick(); other != name && rnd.Intn(2) == 0 {
				what += "," + other
				delete(snapshots, other)
				s.must("DELETE", "/_snapshot/r/"+name+","+other, "", nil)
			} else {
				s.must("DELETE", "/_snapshot/r/"+name, "", nil)
			}
			delete(snapshots, name)
		case 6, 7:
			source, name := pick(), fmt.Sprintf("c%d", turn)
			what = "clone " + source + " to " + name
			s.must("PUT", "/_snapshot/r/"+source+"/_clone/"+name, `{"indices":"*"}`, nil)
			snapshots[name] = snapshots[source]
		case 8:
			name := pick()
			what = "restore " + name
			s.must("POST", "/_snapshot/r/"+name+"/_restore?wait_for_completion=true", `{"rename_pattern":"data","rename_replacement":"back"}`, nil)
			if got := s.read("back"); !maps.Equal(got, snapshots[name]) {
				t.Fatalf("turn %d: %s restored %s as %v, it is %v", turn, s.name, name, got, snapshots[name])
			}
			s.must("DELETE", "/back", "", nil)
		default:
			what = "status"
			var st struct {
				Snapshots []struct {
					Snapshot, State string
					ShardsStats     struct{ Done, Total int } `json:"shards_stats"`
				}
			}
			s.must("GET", "/_snapshot/r/"+strings.Join(names(), ",")+"/_status", "", &st)
			if len(st.Snapshots) != len(snapshots) {
				t.Fatalf("turn %d: %s knows %d of %d snapshots", turn, s.name, len(st.Snapshots), len(snapshots))
			}
			for _, x := range st.Snapshots {
				if x.State != "SUCCESS" || x.ShardsStats.Done != 2 || x.ShardsStats.Total != 2 {
					t.Fatalf("turn %d: %s: status of %s is %+v", turn, s.name, x.Snapshot, x)
				}
			}
		}
		t.Logf("turn %d: %s: %s", turn, s.name, what)
		var list struct {
			Snapshots []struct{ Snapshot, State string }
		}
		s.must("GET", "/_snapshot/r/_all", "", &list)
		var got []string
		for _, x := range list.Snapshots {
			got = append(got, x.Snapshot)
		}
		slices.Sort(got)
		if !slices.Equal(got, names()) {
			t.Fatalf("turn %d: %s lists %v, want %v", turn, s.name, got, names())
		}
	}
	// Each side restores what is left.
	for i, name := range names() {
		s := sides[i%2]
		s.turn()
		s.must("POST", "/_snapshot/r/"+name+"/_restore?wait_for_completion=true", `{"rename_pattern":"data","rename_replacement":"back"}`, nil)
		if got := s.read("back"); !maps.Equal(got, snapshots[name]) {
			t.Fatalf("at the end %s restored %s as %v, it is %v", s.name, name, got, snapshots[name])
		}
		s.must("DELETE", "/back", "", nil)
	}
	ours.must("POST", "/_snapshot/r/_cleanup", "", nil)
	c, err := blobfs.New(filepath.Join(repos, "r"))
	if err != nil {
		t.Fatal(err)
	}
	repo, err := repository.Open(context.Background(), c, repository.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Verify(context.Background(), repository.VerifyOptions{Deep: true}, func(f repository.Finding) { t.Errorf("at the end: %s", f) }); err != nil {
		t.Fatal(err)
	}
	theirs.turn()
	var list struct{ Snapshots []json.RawMessage }
	theirs.must("GET", "/_snapshot/r/_all", "", &list)
	if len(list.Snapshots) != len(snapshots) {
		t.Fatalf("the real node lists %d snapshots, not %d", len(list.Snapshots), len(snapshots))
	}
}
