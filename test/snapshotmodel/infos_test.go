package snapshotmodel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/repository"
)

// keptInfos returns the files of infos.
func keptInfos(n *node) []string {
	found, err := filepath.Glob(filepath.Join(n.node.DataPath(), "cache", "infos", "*"))
	check(n.t, err)
	return slices.DeleteFunc(found, func(path string) bool { return strings.HasSuffix(path, ".new") })
}

// awaitKeptInfos waits for what is written behind the answer of a list.
func awaitKeptInfos(n *node) {
	n.t.Helper()
	for began := time.Now(); len(keptInfos(n)) == 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			n.t.Fatal("no infos were kept")
		}
	}
}

// TestInfosOnDisk: a new process takes infos that the one before it read or wrote from the disk, where there is no doubt about them.
func TestInfosOnDisk(t *testing.T) {
	n := startNode(t)
	ctx := context.Background()
	register := func(set settings.Settings) {
		t.Helper()
		check(t, n.svc().PutRepository(ctx, "r", "fs", set, false))
	}
	register(settings.Settings{"location": "r"})
	for s := range 4 {
		check(t, n.write("two", 0, universe(0)[0], fmt.Sprint(s)))
		uuid, err := n.svc().Create(ctx, snapshot.CreateRequest{Repository: "r", Snapshot: fmt.Sprint("s", s), Indices: []string{"two"}})
		check(t, err)
		_, err = n.svc().Wait(ctx, "r", uuid)
		check(t, err)
	}
	list := func(svc *snapshot.Service, names ...string) ([]snapshot.Entry, map[string]int) {
		t.Helper()
		n.trace.Reset()
		entries, err := svc.List(ctx, "r", names, false, true)
		check(t, err)
		counts := n.trace.Counts()
		if svc != n.svc() {
			svc.Stop() // which waits for what it keeps
		}
		return entries, counts
	}
	files := func() []string { return keptInfos(n) }
	process := func() *snapshot.Service { return snapshot.New(n.config()) }
	// Requests of a list in a new process: the list and the read of the root, and what it reads of infos.
	expect := func(what string, svc *snapshot.Service, lists, gets int, names ...string) []snapshot.Entry {
		t.Helper()
		entries, counts := list(svc, names...)
		if counts["list"] != lists || counts["get"] != gets {
			t.Fatalf("%s: %v, not %d lists and %d gets", what, counts, lists, gets)
		}
		return entries
	}

	expect("before any list", process(), 1, 2, "s1") // one alone is not worth a list
	wrote := expect("by the process that wrote", n.svc(), 1, 0, "_all")
	awaitKeptInfos(n)
	kept := expect("what it wrote", process(), 2, 1, "_all")
	if len(files()) != 1 {
		t.Fatalf("there is %q", files())
	}
	same := func(a, b []snapshot.Entry) {
		t.Helper()
		infos := func(list []snapshot.Entry) (out []repository.SnapshotInfo) {
			for _, e := range list {
				info := *e.Info
				info.DataStreams, info.Failures = slices.Clip(info.DataStreams), slices.Clip(info.Failures)
				if len(info.DataStreams) == 0 {
					info.DataStreams = nil
				}
				out = append(out, info)
			}
			return out
		}
		if !reflect.DeepEqual(infos(a), infos(b)) {
			t.Fatalf("the infos differ:\n%+v\n%+v", infos(a), infos(b))
		}
	}
	same(wrote, kept)

	// One was made anew, and has another length: it is read, and kept.
	repo, err := repository.Open(ctx, n.memory("r"), repository.Options{})
	check(t, err)
	changed := *kept[1].Info
	changed.Reason = "made anew"
	b, err := repo.EncodeInfo(&changed)
	check(t, err)
	n.memory("r").Set("snap-"+changed.UUID+".dat", b)
	read := expect("one made anew", process(), 2, 2, "_all")
	if read[1].Info.Reason != "made anew" {
		t.Fatalf("read %+v", read[1].Info)
	}
	same(read, expect("after that", process(), 2, 1, "_all"))

	// One that is gone is told, and not shown.
	content := n.memory("r").Snapshot()["snap-"+changed.UUID+".dat"]
	check(t, n.memory("r").DeleteBatch(ctx, []string{"snap-" + changed.UUID + ".dat"}))
	gone := process()
	if _, err := gone.List(ctx, "r", []string{"_all"}, false, true); err == nil {
		t.Fatal("an info that is gone was shown")
	}
	gone.Stop()
	n.memory("r").Set("snap-"+changed.UUID+".dat", content)

	// Garbage counts as nothing, and is written over.
	check(t, os.WriteFile(files()[0], []byte("garbage"), 0o600))
	same(read, expect("garbage", process(), 1, 5, "_all"))
	same(read, expect("after garbage", process(), 2, 1, "_all"))

	// Other settings may mean another place.
	register(settings.Settings{"location": "r", "chunk_size": "1gb"})
	expect("other settings", process(), 1, 5, "_all")
	expect("after other settings", process(), 2, 1, "_all")
	check(t, n.svc().DeleteRepositories(ctx, "r"))
	if len(files()) != 0 {
		t.Fatalf("after the repository is gone there is %q", files())
	}
}
