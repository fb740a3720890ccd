package snapshotmodel

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
)

var updateFlag = flag.Bool("update", false, "write the golden traces anew")

// plain takes out of requests what differs from run to run: random names are numbered by their first use, and data files counted.
func plain(lines []string) string {
	random := regexp.MustCompile(`(index-|snap-|meta-|__|indices/)([A-Za-z0-9_-]{22}|[A-Za-z0-9_-]{20})`) // with times in them ids are shorter
	seen := map[string]string{}
	slices.SortStableFunc(lines, func(a, b string) int { // so that numbers do not depend on who is first
		return strings.Compare(random.ReplaceAllString(a, ""), random.ReplaceAllString(b, ""))
	})
	data := map[string]int{}
	var out []string
	for _, l := range lines {
		l = random.ReplaceAllStringFunc(l, func(id string) string {
			parts := random.FindStringSubmatch(id)
			kind, id := parts[1], parts[2]
			if seen[id] == "" {
				seen[id] = fmt.Sprintf("<%d>", len(seen)+1)
			}
			return kind + seen[id]
		})
		if i := strings.Index(l, "/__"); i >= 0 && strings.HasPrefix(l, "put ") {
			data[l[:i]]++
			continue
		}
		out = append(out, l)
	}
	for where := range data {
		out = append(out, where+"/__… (data files)")
	}
	slices.Sort(out) // shards work beside each other
	return strings.Join(out, "\n") + "\n"
}

// TestTraces fixes which requests each operation sends to the store, so that one more is seen. The index has two shards.
func TestTraces(t *testing.T) {
	n := startNodeWith(t, func(n *node) cluster.Restorer { return n.svc() }) // as in a server
	ctx := context.Background()
	check(t, n.svc().PutRepository(ctx, "r", "fs", settings.Settings{"location": "r", "max_snapshot_bytes_per_sec": "0"}, false))
	for s := range 2 {
		check(t, n.write("two", s, universe(s)[0], "1"))
	}
	create := func(name string) func() error {
		return func() error {
			uuid, err := n.svc().Create(ctx, snapshot.CreateRequest{Repository: "r", Snapshot: name, Options: wildcard.StrictExpandOpen, Indices: []string{"two"}})
			if err != nil {
				return err
			}
			_, err = n.svc().Wait(ctx, "r", uuid)
			return err
		}
	}
	list := func(svc *snapshot.Service) func() error {
		return func() error {
			_, err := svc.List(ctx, "r", []string{"_all"}, false, true)
			return err
		}
	}
	status := func(svc *snapshot.Service, name string) func() error {
		return func() error {
			look, err := svc.OpenStatus(ctx, "r", []string{name}, nil, false)
			if err != nil {
				return err
			}
			_, err = look[0](ctx)
			return err
		}
	}
	another := snapshot.New(n.config()) // a process that has written nothing
	var golden strings.Builder
	for _, op := range []struct {
		name string
		do   func() error
	}{
		{"create, the index is new", create("a")},
		{"create, the index is unchanged", create("b")},
		{"clone", func() error {
			return n.svc().Clone(ctx, snapshot.CloneRequest{Repository: "r", Source: "a", Target: "c", Indices: []string{"*"}})
		}},
		{"list", list(n.svc())},
		{"list names", func() error {
			_, err := n.svc().List(ctx, "r", []string{"_all"}, false, false)
			return err
		}},
		{"status", status(n.svc(), "b")},
		{"status again", status(n.svc(), "b")},
		{"list in a new process", func() error {
			awaitKeptInfos(n)
			return list(another)()
		}},
		{"list again", list(another)},
		{"status in a new process", status(another, "b")},
		{"status of a clone, which counts no shards, in a new process", status(snapshot.New(n.config()), "c")},
		{"status of what is being taken", func() error {
			n.svc().Current("r")
			return nil
		}},
		{"delete one of three", func() error {
			_, err := n.svc().Delete(ctx, "r", []string{"a"})
			return err
		}},
		{"restore", func() error {
			res, err := n.svc().Restore(ctx, snapshot.RestoreRequest{Repository: "r", Snapshot: "b", RenamePattern: "(.+)", RenameReplacement: "back_$1"})
			if err == nil {
				err = n.svc().WaitRestore(ctx, res)
			}
			return err
		}},
		{"delete the rest", func() error {
			_, err := n.svc().Delete(ctx, "r", []string{"*"})
			return err
		}},
		{"clean-up that finds nothing", func() error {
			_, err := n.svc().Cleanup(ctx, "r", false)
			return err
		}},
	} {
		n.trace.Reset()
		if err := op.do(); err != nil {
			t.Fatalf("%s: %v", op.name, err)
		}
		_, err := n.store.WaitFor(ctx, func(v *state.View) bool { return len(v.SnapshotJobs())+len(v.SnapshotDeletions()) == 0 })
		check(t, err)
		time.Sleep(10 * time.Millisecond)
		var lines []string
		for _, q := range n.trace.Requests() {
			lines = append(lines, q.String())
		}
		fmt.Fprintf(&golden, "== %s: %d requests\n%s\n", op.name, len(lines), plain(lines))
	}
	file := filepath.Join("testdata", "traces.txt")
	if *updateFlag {
		check(t, os.MkdirAll("testdata", 0o755))
		check(t, os.WriteFile(file, []byte(golden.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	check(t, err)
	if string(want) != golden.String() {
		t.Fatalf("other requests than in %s (-update writes it anew):\n%s", file, golden.String())
	}
}
