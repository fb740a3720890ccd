package snapshotmodel

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/repository"
)

// beside is a node with a repository "r" in which there are the snapshots a and b, and what another cluster sees of it.
type beside struct {
	*node
	t     *testing.T
	other *repository.Repository
	first map[string][]byte // the blobs when there was a alone
}

func besides(t *testing.T) *beside {
	b := &beside{node: startNode(t), t: t}
	b.register()
	b.create("a")
	b.first = b.memory("r").Snapshot()
	check(t, b.write("two", 0, universe(0)[0], "1"))
	b.create("b")
	var err error
	b.other, err = repository.Open(context.Background(), b.memory("r"), repository.Options{Writer: "other/uuid"})
	check(t, err)
	return b
}

func (b *beside) register() {
	b.t.Helper()
	check(b.t, b.svc().PutRepository(context.Background(), "r", "fs", settings.Settings{"location": "r", "max_snapshot_bytes_per_sec": "0"}, false))
}

func (b *beside) begin(name string, indices ...string) (string, error) {
	if len(indices) == 0 {
		indices = []string{"two"}
	}
	return b.svc().Create(context.Background(), snapshot.CreateRequest{Repository: "r", Snapshot: name, Options: wildcard.StrictExpandOpen, Indices: indices})
}

func (b *beside) create(name string, indices ...string) {
	b.t.Helper()
	uuid, err := b.begin(name, indices...)
	check(b.t, err)
	info, err := b.svc().Wait(context.Background(), "r", uuid)
	check(b.t, err)
	if info.State != repository.StateSuccess {
		b.t.Fatalf("%s is %s: %v", name, info.State, info.Failures)
	}
}

func (b *beside) names() string {
	b.t.Helper()
	d, err := b.other.LoadData(context.Background())
	check(b.t, err)
	var out []string
	for _, s := range d.Snapshots {
		out = append(out, s.Name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// otherDeletes removes a snapshot as another cluster does.
func (b *beside) otherDeletes(name string) {
	b.t.Helper()
	d, err := b.other.LoadData(context.Background())
	check(b.t, err)
	e, err := d.Snapshot(name)
	check(b.t, err)
	_, err = b.other.Delete(context.Background(), d, []repository.SnapshotID{e.SnapshotID})
	check(b.t, err)
}

// TestOverwritten is what a real OpenSearch does that still knows an older root: it writes on from that one.
func TestOverwritten(t *testing.T) {
	b, ctx := besides(t), context.Background()
	d, err := b.other.LoadData(ctx)
	check(t, err)
	old := b.first[fmt.Sprintf("index-%d", d.Generation-1)]
	if old == nil {
		t.Fatalf("no root before generation %d", d.Generation)
	}
	check(t, b.memory("r").Put(ctx, fmt.Sprintf("index-%d", d.Generation+1), bytes.NewReader(old), int64(len(old)), blob.PutOptions{}))
	check(t, b.memory("r").DeleteBatch(ctx, []string{fmt.Sprintf("index-%d", d.Generation)}))

	// Our next write of any kind tells, and does nothing.
	before := b.memory("r").Snapshot()
	_, err = b.begin("c")
	for _, want := range []string{"repository_exception", "[b/", "written over generation", "registered anew"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%v does not say %q", err, want)
		}
	}
	if _, err := b.svc().Delete(ctx, "r", []string{"a"}); err == nil {
		t.Fatal("a deletion worked")
	}
	if _, err := b.svc().Cleanup(ctx, "r", false); err == nil {
		t.Fatal("a clean-up worked")
	}
	if after := b.memory("r").Snapshot(); len(after) != len(before) {
		t.Fatalf("%d blobs became %d", len(before), len(after))
	}
	b.register()
	// The shards of index two are damaged now: their index was the one of the lost root. Others go on.
	b.create("c", "one")
	if got := b.names(); got != "a c" {
		t.Fatal(got)
	}
}

// TestOtherClusterInTurns lets another cluster delete between our snapshots, which is in order.
func TestOtherClusterInTurns(t *testing.T) {
	b := besides(t)
	b.otherDeletes("a")
	b.create("c")
	if got := b.names(); got != "b c" {
		t.Fatal(got)
	}
}

// TestNameTaken lets another cluster take a name, and not say so by index.latest, by taking the root away, or by either: it is refused
// here all the same, at once or at the end of the snapshot, and what the other one took stays.
func TestNameTaken(t *testing.T) {
	for name, forgotten := range map[string]func(o faulty.Op) bool{
		"told":               func(faulty.Op) bool { return false },
		"no index.latest":    func(o faulty.Op) bool { return o.Kind == "put" && o.Name == "index.latest" },
		"the root is left":   func(o faulty.Op) bool { return o.Kind == "delete" && strings.HasPrefix(o.Name, "index-") },
		"it was killed then": func(o faulty.Op) bool { return o.Name == "index.latest" || o.Kind == "delete" },
	} {
		t.Run(name, func(t *testing.T) {
			b, ctx := besides(t), context.Background()
			other, err := repository.Open(ctx, faulty.New(b.memory("r"), func(o faulty.Op) faulty.Fault {
				if forgotten(o) {
					return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
				}
				return faulty.Fault{}
			}), repository.Options{Writer: "other/uuid"})
			check(t, err)
			d, err := other.LoadData(ctx)
			check(t, err)
			id := repository.SnapshotID{Name: "c", UUID: repository.NewUUID()}
			_, err = other.Finalize(ctx, d, repository.NewSnapshot{Info: repository.SnapshotInfo{SnapshotID: id, State: repository.StateSuccess}})
			check(t, err)
			uuid, err := b.begin("c")
			if err == nil && name != "it was killed then" {
				t.Error("it was begun")
			}
			if err == nil {
				_, err = b.svc().Wait(ctx, "r", uuid)
			}
			if err == nil {
				t.Fatal("the name was taken twice")
			}
			now, err := b.other.LoadData(ctx)
			check(t, err)
			if e, err := now.Snapshot("c"); err != nil || e.SnapshotID != id {
				t.Fatalf("%v, %v", e, err)
			}
			b.create("d")
			if got := b.names(); got != "a b c d" {
				t.Fatal(got)
			}
		})
	}
}

// TestOtherClusterMeanwhile lets another cluster delete while a snapshot is taken: what we uploaded may be gone.
func TestOtherClusterMeanwhile(t *testing.T) {
	b, ctx := besides(t), context.Background()
	check(t, b.write("two", 1, universe(1)[0], "1"))
	uploading, goOn := make(chan struct{}, 100), make(chan struct{})
	hook := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && strings.Contains(o.Name, "/__") {
			uploading <- struct{}{}
			<-goOn
		}
		return faulty.Fault{}
	})
	b.hook.Store(&hook)
	uuid, err := b.begin("c")
	check(t, err)
	<-uploading
	b.otherDeletes("a")
	close(goOn)
	_, err = b.svc().Wait(ctx, "r", uuid)
	for _, want := range []string{"concurrent modification", "other/uuid"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%v does not say %q", err, want)
		}
	}
	b.calm()
	b.create("d")
	if got := b.names(); got != "b d" {
		t.Fatal(got)
	}
}

// TestRefusedDeletion is a store that does not let blobs be deleted: that is told, and the snapshot is gone all the same.
func TestRefusedDeletion(t *testing.T) {
	b, ctx := besides(t), context.Background()
	hook := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if o.Kind == "delete" && !strings.HasPrefix(o.Name, "index-") {
			return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
		}
		return faulty.Fault{}
	})
	b.hook.Store(&hook)
	warnings, err := b.svc().Delete(ctx, "r", []string{"a"})
	if err != nil || len(warnings) == 0 {
		t.Fatalf("%v, %v", warnings, err)
	}
	b.calm()
	if got := b.names(); got != "b" {
		t.Fatal(got)
	}
	report, err := b.svc().Cleanup(ctx, "r", false)
	if err != nil || report.Deleted == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
}

// TestFullStore deletes although nothing can be written but what the reserve leaves.
func TestFullStore(t *testing.T) {
	b, ctx := besides(t), context.Background()
	reserve := func() bool { _, ok := b.memory("r").Snapshot()["varve-reserve"]; return ok }
	if !reserve() {
		t.Fatal("there is no reserve")
	}
	refused := false
	hook := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && reserve() {
			refused = true
			return faulty.Fault{Before: faulty.Fail(blob.KindNoSpace)}
		}
		return faulty.Fault{}
	})
	b.hook.Store(&hook)
	if warnings, err := b.svc().Delete(ctx, "r", []string{"a"}); err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	if got := b.names(); got != "b" || !refused || !reserve() {
		t.Fatal(got, refused, reserve())
	}
	b.calm()
	if _, err := b.svc().Delete(ctx, "r", []string{"b"}); err != nil {
		t.Fatal(err)
	}
	_, err := b.other.Verify(ctx, repository.VerifyOptions{Deep: true}, func(f repository.Finding) { t.Errorf("left behind: %s", f) })
	check(t, err)
}

// TestOldIndicesStay finishes a snapshot whose store refuses to delete the shards' indices that it replaced: the next clean-up finds them.
func TestOldIndicesStay(t *testing.T) {
	b, ctx := besides(t), context.Background()
	check(t, b.write("two", 0, universe(0)[1], "1"))
	var refused atomic.Int64
	hook := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if o.Kind == "delete" {
			refused.Add(1)
			return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
		}
		return faulty.Fault{}
	})
	b.hook.Store(&hook)
	uuid, err := b.begin("c")
	check(t, err)
	info, err := b.svc().Wait(ctx, "r", uuid)
	check(t, err)
	if info.State != repository.StateSuccess || refused.Load() == 0 {
		t.Fatalf("%+v, %d deletions refused", info, refused.Load())
	}
	b.calm()
	report, err := b.svc().Cleanup(ctx, "r", false)
	if err != nil || report.Deleted == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	_, err = b.other.Verify(ctx, repository.VerifyOptions{Deep: true}, func(f repository.Finding) { t.Errorf("left behind: %s", f) })
	check(t, err)
}

// TestAbort cancels a snapshot that works, and one that waits behind it.
func TestAbort(t *testing.T) {
	b, ctx := besides(t), context.Background()
	check(t, b.write("two", 0, universe(0)[1], "1"))
	uploading, goOn := make(chan struct{}, 100), make(chan struct{})
	hook := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && strings.Contains(o.Name, "/__") {
			uploading <- struct{}{}
			<-goOn
		}
		return faulty.Fault{}
	})
	b.hook.Store(&hook)
	works, err := b.begin("works")
	check(t, err)
	<-uploading
	_, err = b.store.WaitFor(ctx, func(v *state.View) bool { // its other shard is unchanged
		return slices.ContainsFunc(v.SnapshotShards(works), func(p *state.SnapshotShard) bool { return p.State == "SUCCESS" })
	})
	check(t, err)
	waits, err := b.begin("waits")
	check(t, err)
	// Of the second one a shard is done: it is finished as failed, too.
	_, err = b.store.WaitFor(ctx, func(v *state.View) bool {
		return slices.ContainsFunc(v.SnapshotShards(waits), func(p *state.SnapshotShard) bool { return p.State == "SUCCESS" })
	})
	check(t, err)
	if _, err := b.begin("works"); err == nil || !strings.Contains(err.Error(), "already in-progress") {
		t.Fatal(err)
	}
	if _, err := b.svc().Cleanup(ctx, "r", false); err == nil || !strings.Contains(err.Error(), "currently running in [SnapshotsInProgress[works,waits]]") {
		t.Fatal(err)
	}
	deleted := make(chan error, 1)
	go func() {
		_, err := b.svc().Delete(ctx, "r", []string{"works", "waits"})
		deleted <- err
	}()
	_, err = b.store.WaitFor(ctx, func(v *state.View) bool { return len(v.SnapshotDeletions()) > 0 })
	check(t, err)
	time.Sleep(10 * time.Millisecond)
	close(goOn)
	for _, uuid := range []string{works, waits} {
		info, err := b.svc().Wait(ctx, "r", uuid)
		check(t, err)
		if info.State != repository.StateFailed || info.Reason != "Snapshot was aborted by deletion" {
			t.Fatalf("%+v", info)
		}
	}
	check(t, <-deleted)
	if got := b.names(); got != "a b" {
		t.Fatal(got)
	}
	_, err = b.other.Verify(ctx, repository.VerifyOptions{Deep: true}, func(f repository.Finding) { t.Errorf("left behind: %s", f) })
	check(t, err)
}

// TestLimit refuses one operation more than the setting allows.
func TestLimit(t *testing.T) {
	b, ctx := besides(t), context.Background()
	check(t, b.store.Update(ctx, func(tx *state.Tx) error {
		tx.Put(&state.ClusterSettings{Transient: settings.Settings{"snapshot.max_concurrent_operations": "1"}})
		return nil
	}))
	check(t, b.write("two", 0, universe(0)[2], "1"))
	goOn := make(chan struct{})
	hook := faulty.Hook(func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && strings.Contains(o.Name, "/__") {
			<-goOn
		}
		return faulty.Fault{}
	})
	b.hook.Store(&hook)
	uuid, err := b.begin("c")
	check(t, err)
	if _, err = b.begin("d"); err == nil || !strings.Contains(err.Error(), "Cannot start another operation, already running [1] operations") {
		t.Fatal(err)
	}
	close(goOn)
	_, err = b.svc().Wait(ctx, "r", uuid)
	check(t, err)
}
