package handover

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
)

// TestOutcomeElsewhere lets the other manager end an operation without success: who asked the first one learns it, and why.
func TestOutcomeElsewhere(t *testing.T) {
	socket := startEtcd(t)
	for _, operation := range []string{"delete", "clone", "snapshot"} {
		t.Run(operation, func(t *testing.T) {
			r := &round{t: t, repo: t.TempDir(), prefix: "/" + operation, socket: socket}
			r.a = startNode(t, "a", r.prefix, socket, r.repo)
			r.b = startNode(t, "b", r.prefix, socket, r.repo)
			check(t, r.a.svc.PutRepository(bg, "r", "fs", settings.Settings{"location": "x"}, false))
			_, err := r.a.node.CreateIndex(bg, cluster.CreateRequest{Name: index, WaitFor: 1, Timeout: time.Minute, Settings: settings.Settings{
				"index.number_of_shards": "1", "index.number_of_replicas": "0"}})
			check(t, err)
			check(t, r.create(r.a, "s1"))

			// The first manager stands still before its first write of the root, and fails when it wakes up.
			gate, still := make(chan struct{}), make(chan struct{})
			var once atomic.Bool
			rootWrite := func(o faulty.Op) bool { return o.Kind == "put" && strings.HasPrefix(o.Name, "index-") }
			stands := faulty.Hook(func(o faulty.Op) faulty.Fault {
				if !rootWrite(o) {
					return faulty.Fault{}
				}
				if once.CompareAndSwap(false, true) {
					close(still)
				}
				<-gate
				return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
			})
			r.a.hook.Store(&stands)
			refuses := faulty.Hook(func(o faulty.Op) faulty.Fault {
				if rootWrite(o) {
					return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
				}
				return faulty.Fault{}
			})
			r.b.hook.Store(&refuses)

			ended := make(chan error, 1)
			go func() {
				switch operation {
				case "delete":
					_, err := r.a.svc.Delete(bg, "r", []string{"s1"})
					ended <- err
				case "clone":
					ended <- r.a.svc.Clone(bg, snapshot.CloneRequest{Repository: "r", Source: "s1", Target: "new", Indices: []string{"*"}})
				case "snapshot":
					ended <- r.create(r.a, "new")
				}
			}()
			select {
			case <-still:
			case err := <-ended:
				t.Fatalf("ended before the root was written: %v", err)
			case <-time.After(10 * time.Second):
				t.Fatal("nothing happens")
			}
			r.a.resign(t, r.prefix, socket)
			ctx, cancel := context.WithTimeout(bg, 10*time.Second)
			defer cancel()
			if _, err := r.b.store.WaitFor(ctx, func(v *state.View) bool { return v.Manager() == r.b.store.NodeID() }); err != nil {
				t.Fatalf("the other node is not elected: %v", err)
			}
			r.settled(r.b)
			close(gate)
			r.a.calm()
			r.b.calm()
			select {
			case err = <-ended:
			case <-time.After(15 * time.Second):
				t.Fatal("who asked for it is never answered")
			}
			if err == nil || !strings.Contains(err.Error(), "permission") {
				t.Errorf("the other manager could not write the root; who asked is told: %v", err)
			}
			if operation == "delete" && r.listed()["s1"] != "SUCCESS" {
				t.Error("the snapshot is gone")
			}
		})
	}
}
