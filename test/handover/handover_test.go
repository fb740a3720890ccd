package handover

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/repotool"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/internal/wildcard"
)

var (
	roundsFlag = flag.Int("rounds", 0, "how many rounds (default 9; VARVE_LONG: 60)")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// round is a cluster of two on a repository.
type round struct {
	t      *testing.T
	rnd    *rand.Rand
	a, b   *node
	repo   string
	prefix string
	socket string
	gen    int // of the documents
}

const index = "docs"

// shards is so many that both nodes have some.
const shards = 4

func (r *round) write() {
	r.t.Helper()
	r.gen++
	for n := range shards {
		for _, x := range []*node{r.a, r.b} {
			sh, err := x.node.Shard(index, n)
			if err != nil {
				continue // the other's
			}
			_, err = sh.Index(bg, shard.IndexOp{Op: shard.NewOp(fmt.Sprint("id-", n)), Source: []byte(fmt.Sprintf(`{"gen":%d}`, r.gen))})
			check(r.t, err)
		}
	}
}

func (r *round) create(n *node, name string) error {
	uuid, err := n.svc.Create(bg, snapshot.CreateRequest{Repository: "r", Snapshot: name, Options: wildcard.StrictExpandOpen, Indices: []string{index}, Partial: true})
	if err != nil {
		return err
	}
	_, err = n.svc.Wait(bg, "r", uuid)
	return err
}

// settled waits until nothing is in progress any more.
func (r *round) settled(n *node) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(bg, 15*time.Second)
	defer cancel()
	if _, err := n.store.WaitFor(ctx, func(v *state.View) bool {
		return len(v.SnapshotJobs())+len(v.SnapshotDeletions())+len(v.Restores()) == 0 && v.Repository("r").Cleanup == nil
	}); err != nil {
		text := ""
		v := n.store.View()
		for _, j := range v.SnapshotJobs() {
			text += fmt.Sprintf("%+v\n", *j)
			for _, p := range v.SnapshotShards(j.UUID) {
				text += fmt.Sprintf("  %+v\n", *p)
			}
		}
		for _, d := range v.SnapshotDeletions() {
			text += fmt.Sprintf("%+v\n", *d)
		}
		for _, d := range v.Restores() {
			text += fmt.Sprintf("%+v\n", *d)
		}
		for _, s := range v.AllShards() {
			text += fmt.Sprintf("%s %d: %+v\n", s.Index, s.Shard, s.Copies)
		}
		r.t.Fatalf("it hangs, manager %s of %s: %v\n%s", v.Manager(), n.store.NodeID(), err, text)
	}
}

// contents reads what a snapshot has of each shard: the generations of its documents.
func (r *round) contents(name string) []int {
	r.t.Helper()
	var out bytes.Buffer
	if err := repotool.Cat(bg, &repotool.Printer{Out: &out, JSON: true}, "fs:"+r.repo, name, index); err != nil {
		r.t.Fatalf("%s: %v", name, err)
	}
	var gens []int
	for line := range bytes.Lines(out.Bytes()) {
		var d struct {
			Source struct{ Gen int } `json:"_source"`
		}
		check(r.t, json.Unmarshal(line, &d))
		gens = append(gens, d.Source.Gen)
	}
	return gens
}

// listed returns the states of the snapshots in the repository.
func (r *round) listed() map[string]string {
	r.t.Helper()
	var out bytes.Buffer
	check(r.t, repotool.List(bg, &repotool.Printer{Out: &out, JSON: true}, "fs:"+r.repo))
	var list []repotool.Snapshot
	check(r.t, json.Unmarshal(out.Bytes(), &list))
	states := map[string]string{}
	for _, s := range list {
		states[s.Snapshot] = s.State
	}
	return states
}

// TestHandOver takes the office from the manager in the midst of its work.
func TestHandOver(t *testing.T) {
	seed := testseed.Of(t)
	rounds := *roundsFlag
	if rounds == 0 {
		if rounds = 9; os.Getenv("VARVE_LONG") != "" {
			rounds = 60
		}
	}
	socket := startEtcd(t)
	for i := range rounds {
		seed := seed + int64(i)
		k := int(seed % 15)
		operation := []string{"snapshot", "delete", "clone", "cleanup", "restore"}[k%5]
		how := []string{"killed", "lease", "cut"}[(k/5+k%5)%3] // all of the 15 in as many seeds
		t.Run(fmt.Sprintf("%s-%s", operation, how), func(t *testing.T) {
			t.Logf("repeat with -seed %d -rounds 1", seed)
			rnd := rand.New(rand.NewSource(seed))
			r := &round{t: t, rnd: rnd, repo: t.TempDir(), prefix: fmt.Sprintf("/h%d", i), socket: socket}
			r.a = startNode(t, "a", r.prefix, socket, r.repo)
			r.b = startNode(t, "b", r.prefix, socket, r.repo)
			r.run(operation, how)
		})
	}
}

func (r *round) run(operation, how string) {
	t := r.t
	check(t, r.a.svc.PutRepository(bg, "r", "fs", settings.Settings{"location": "x"}, false))
	_, err := r.a.node.CreateIndex(bg, cluster.CreateRequest{Name: index, WaitFor: 1, Timeout: time.Minute, Settings: settings.Settings{
		"index.number_of_shards": fmt.Sprint(shards), "index.number_of_replicas": "0", "index.refresh_interval": "-1"}})
	check(t, err)
	if !r.a.store.IsManager() {
		t.Fatal("the first node is not the manager")
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		r.write()
		check(t, r.create(r.a, name))
	}
	r.write()
	want := map[string]int{"s1": 1, "s2": 2, "s3": 3}

	if operation == "cleanup" { // something to clean up
		check(t, os.WriteFile(r.repo+"/snap-nobody.dat", []byte("x"), 0o644))
	}
	gate, happened := make(chan struct{}), make(chan struct{})
	n := int64(1 + r.rnd.Intn(14))
	// A node that is a member and stands still keeps the shards that it restores.
	late := r.rnd.Intn(2) == 0 && (operation != "restore" || how == "cut")
	opened := false
	open := func() {
		if !opened {
			opened = true
			close(gate)
		}
	}
	defer open()
	event := func() {
		switch how {
		case "killed":
			open() // what waits fails then
			r.a.end(t)
		case "lease":
			r.a.resign(t, r.prefix, r.socket)
		case "cut":
			r.a.link.set(true)
		}
		close(happened)
	}
	all := r.rnd.Intn(2) == 0 || operation == "restore"
	if how == "killed" { // requests fail at once, and the gate is open
		close(gate)
		opened = true
	}
	r.a.at(n, all, event, gate)
	ended := make(chan error, 1)
	go func() {
		var err error
		switch operation {
		case "snapshot":
			err = r.create(r.a, "new")
		case "delete":
			_, err = r.a.svc.Delete(bg, "r", []string{"s2"})
		case "clone":
			err = r.a.svc.Clone(bg, snapshot.CloneRequest{Repository: "r", Source: "s1", Target: "new", Indices: []string{"*"}})
		case "cleanup":
			_, err = r.a.svc.Cleanup(bg, "r", false)
		case "restore":
			var res *snapshot.RestoreResult
			res, err = r.a.svc.Restore(bg, snapshot.RestoreRequest{Repository: "r", Snapshot: "s2", Partial: true, RenamePattern: "(.+)", RenameReplacement: "restored-$1"})
			if err == nil {
				err = r.a.svc.WaitRestore(bg, res)
			}
		}
		ended <- err
	}()
	finished := false
	var opErr error
	select {
	case <-happened:
	case opErr = <-ended:
		finished = true // it was shorter than that
		t.Logf("ended before request %d: %v", n, opErr)
	case <-time.After(10 * time.Second):
		t.Fatal("nothing happens")
	}
	if !finished {
		ctx, cancel := context.WithTimeout(bg, 10*time.Second)
		_, err := r.b.store.WaitFor(ctx, func(v *state.View) bool { return v.Manager() == r.b.store.NodeID() })
		cancel()
		if err != nil {
			t.Fatalf("the other node is not elected: %v", err)
		}
		if late {
			r.settled(r.b)
			check(t, r.create(r.b, "after")) // and goes on with the repository
		}
		open()
		if how == "cut" {
			time.Sleep(time.Duration(r.rnd.Intn(100)) * time.Millisecond) // what it still believes
			r.a.link.set(false)
		}
	}
	open()
	r.a.calmUnless(how == "killed")
	r.settled(r.b)
	if !finished && how != "killed" {
		select {
		case opErr = <-ended:
		case <-time.After(15 * time.Second):
			t.Fatal("who asked for it is never answered")
		}
	}
	t.Logf("request %d (all: %v), late: %v; the operation ended with %v", n, all, late, opErr)
	r.settled(r.b)

	// The other goes on: what is there is whole.
	states := r.listed()
	if operation == "delete" {
		if _, there := states["s2"]; there && opErr == nil {
			t.Errorf("the deletion is reported as done, and the snapshot is there: %v", states)
		}
		if _, there := states["s2"]; !there && opErr != nil && how != "killed" {
			t.Errorf("the snapshot is gone, and its deletion is reported as failed: %v", opErr)
		}
		delete(want, "s2")
	}
	for name, gen := range want {
		if states[name] != "SUCCESS" {
			t.Fatalf("%s is %q", name, states[name])
		}
		r.compare(name, gen, true)
	}
	switch operation {
	case "snapshot":
		if opErr == nil && states["new"] == "" && !finished && how != "killed" {
			t.Errorf("the snapshot is reported as done and is not there: %v", states)
		}
		if states["new"] != "" {
			r.compare("new", 4, states["new"] == "SUCCESS")
		}
		if opErr != nil && states["new"] == "SUCCESS" && how != "killed" {
			t.Errorf("the snapshot is there, and reported as failed: %v", opErr)
		}
	case "clone":
		if opErr == nil && states["new"] == "" || opErr != nil && states["new"] == "SUCCESS" && how != "killed" {
			t.Errorf("the clone ended with %v, and the repository has %v", opErr, states)
		}
		if states["new"] != "" {
			r.compare("new", 1, states["new"] == "SUCCESS")
		}
	case "restore":
		r.restored()
	}
	check(t, r.create(r.b, "last"))
	if s := r.listed()["last"]; s != "SUCCESS" && s != "PARTIAL" {
		t.Errorf("the next snapshot is %q", s)
	}
	if _, err := r.b.svc.Cleanup(bg, "r", false); err != nil {
		t.Errorf("clean up: %v", err)
	}
	var out bytes.Buffer
	if ok, err := repotool.Verify(bg, &repotool.Printer{Out: &out}, "fs:"+r.repo, true); err != nil || !ok {
		t.Errorf("the repository is not whole: %v\n%s", err, out.String())
	}
	out.Reset()
	check(t, repotool.Prune(bg, &repotool.Printer{Out: &out}, "fs:"+r.repo, false))
	if !bytes.Contains(out.Bytes(), []byte("Nothing is left over")) {
		t.Errorf("after the clean-up there is left: %s", out.String())
	}
}

// compare compares the documents of a snapshot.
func (r *round) compare(name string, gen int, whole bool) {
	r.t.Helper()
	if !whole {
		return // shards of the node that left are not in it
	}
	got := r.contents(name)
	for _, g := range got {
		if g != gen {
			r.t.Errorf("%s has documents of %v, want %d", name, got, gen)
			return
		}
	}
	if len(got) != shards {
		r.t.Errorf("%s has documents of %d shards", name, len(got))
	}
}

// restored looks at the restored index: all shards are started on nodes that are there.
func (r *round) restored() {
	r.t.Helper()
	v := r.b.store.View()
	ix := v.Index("restored-" + index)
	if ix == nil {
		r.t.Log("the restore never began")
		return
	}
	ctx, cancel := context.WithTimeout(bg, 15*time.Second)
	defer cancel()
	if _, err := r.b.store.WaitFor(ctx, func(v *state.View) bool {
		for n := range shards {
			p := v.Shard(ix.UUID, n).Primary()
			if p == nil {
				return false
			}
			// One that was started before its node left comes back with it.
			waits := p.Unassigned != nil && p.Recovery != nil && p.Recovery.Type == state.RecoverExistingStore && v.Node(p.Unassigned.Details) == nil
			if !waits && (p.State != state.ShardStarted || v.Node(p.Node) == nil) {
				return false
			}
		}
		return true
	}); err != nil {
		for n := range shards {
			r.t.Logf("%d: %+v", n, r.b.store.View().Shard(ix.UUID, n).Copies)
		}
		r.t.Fatal("not all shards of the restored index are started")
	}
	for n := range shards {
		for _, x := range []*node{r.a, r.b} {
			sh, err := x.node.Shard(ix.Name, n)
			if err != nil {
				continue
			}
			d, release, err := sh.Get(bg, fmt.Sprint("id-", n), true)
			check(r.t, err)
			if d == nil || string(d.Source) != `{"gen":2}` {
				r.t.Errorf("shard %d: %+v", n, d)
			}
			if release != nil {
				release()
			}
		}
	}
}

func (n *node) calmUnless(dead bool) {
	if !dead {
		n.calm()
	}
}
