package crash

import (
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
	"github.com/varve-search/varve/internal/testseed"
)

// shallowLocks counts the locks below a remote store by the UUIDs of the snapshots that have them.
func shallowLocks(t *testing.T, dir string) map[string]int {
	t.Helper()
	out := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if lock, ok := strings.CutSuffix(filepath.Base(path), ".v2_lock"); ok && err == nil {
			out[lock[strings.LastIndex(lock, "...")+3:]]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKillShallowClone kills the server while it clones shallow snapshots, and while clones are given up and deleted: each snapshot that is there
// has its locks at any time, and after a clean-up nobody else has any.
func TestKillShallowClone(t *testing.T) {
	folder := oracletest.FixtureRepository(t, "opensearch-2.19/remote")
	segments := filepath.Join(filepath.Dir(folder), "remote-store", "segment")
	n := 6
	if os.Getenv("VARVE_LONG") != "" {
		n = 60
	}
	rng := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 3))
	data := t.TempDir()
	begin := func() *servertest.Server { return servertest.Start(t, data, filepath.Dir(folder)) }
	sv := begin()
	for name, place := range map[string]string{"r": folder, "rs-segment": segments} {
		sv.Must("PUT", "/_snapshot/"+name, fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, place), nil)
	}
	type entry struct{ Snapshot, UUID, State string }
	list := func() (out map[string]entry, running bool) {
		var res struct{ Snapshots []entry }
		sv.Must("GET", "/_snapshot/r/_all", "", &res)
		out = map[string]entry{}
		for _, s := range res.Snapshots {
			out[s.Snapshot], running = s, running || s.State == "IN_PROGRESS"
		}
		return out, running
	}
	sources, _ := list()
	want := map[string]int{} // by name of the source
	for name, s := range sources {
		want[name] = shallowLocks(t, segments)[s.UUID]
	}
	guarded := func(alive map[string]entry, exactly bool) {
		t.Helper()
		locks := shallowLocks(t, segments)
		for name, s := range alive {
			source, _, _ := strings.Cut(name, ".")
			if locks[s.UUID] != want[source] {
				t.Fatalf("%s has %d locks, its source had %d", name, locks[s.UUID], want[source])
			}
			delete(locks, s.UUID)
		}
		if exactly && len(locks) > 0 {
			t.Fatalf("nobody has these locks any more: %v", locks)
		}
	}
	acknowledged := map[string]bool{}
	for round := range n {
		url := sv.URL
		killed := time.AfterFunc(time.Duration(20+rng.IntN(150))*time.Millisecond, sv.Kill)
		for i := 0; ; i++ {
			name := fmt.Sprintf("snap-%d.%d-%d", 1+rng.IntN(len(sources)), round, i)
			source, _, _ := strings.Cut(name, ".")
			if rng.IntN(3) == 0 {
				time.AfterFunc(time.Duration(rng.IntN(30))*time.Millisecond, func() {
					_, _, _ = servertest.Call(url, "DELETE", "/_snapshot/r/"+name, "") // whatever is there
				})
			} else {
				acknowledged[name] = true
			}
			status, _, err := servertest.Call(url, "PUT", "/_snapshot/r/"+source+"/_clone/"+name, `{"indices":"*"}`)
			if err != nil || status != 200 {
				delete(acknowledged, name)
			}
			if err != nil {
				break
			}
		}
		killed.Stop()
		sv.Kill()
		sv = begin()
		alive, running := list()
		for began := time.Now(); running && time.Since(began) < time.Minute; alive, running = list() {
			time.Sleep(20 * time.Millisecond)
		}
		guarded(alive, false)
		for name := range acknowledged {
			if alive[name].State != "SUCCESS" {
				t.Fatalf("%s was acknowledged, and is %q", name, alive[name].State)
			}
		}
		if round%2 == 1 {
			sv.Must("POST", "/_snapshot/r/_cleanup", "", nil)
			guarded(alive, true)
		}
	}
	alive, _ := list()
	t.Logf("%d clones", len(alive)-len(sources))
	sv.Must("DELETE", "/_snapshot/r/snap-1,snap-2,snap-3,snap-4", "", nil)
	sv.Stop()
	for name := range maps.Keys(sources) {
		delete(alive, name)
	}
	guarded(alive, false)
	if out, err := runVarve(t, "repo", "verify", "--deep", "--json", "--remote-store", "fs:"+segments, "fs:"+folder); err != nil || out != "" {
		t.Fatalf("the repository is not whole or not clean: %v\n%s", err, out)
	}
	sv = begin()
	sv.Must("DELETE", "/_snapshot/r/*", "", nil)
	sv.Must("POST", "/_snapshot/r/_cleanup", "", nil)
	guarded(nil, true)
	sv.Stop()
}
