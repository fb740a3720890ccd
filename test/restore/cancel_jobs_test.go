package restore

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// cancelled cancels the one task of an action.
func (h *held) cancelled(action string) {
	h.t.Helper()
	id := h.shownOne(action)
	if got := h.must("POST", "/_tasks/"+id+"/_cancel", ""); got["node_failures"] != nil {
		h.t.Fatalf("the cancel of %s: %v", action, got)
	}
}

func (h *held) toldCancelled(asked chan reply) {
	h.t.Helper()
	if a := h.answered(asked); a.code != http.StatusBadRequest || at(a.body, "error", "type") != "task_cancelled_exception" {
		h.t.Errorf("who waits is told: %d %v", a.code, a.body)
	}
}

// TestCancelQueued cancels what waits for a snapshot that goes on: at once, and only that.
func TestCancelQueued(t *testing.T) {
	h := startHeld(t)
	h.prepared()
	h.hold(dataPut)
	first := h.background("PUT", "/_snapshot/r/first?wait_for_completion=true", "")
	h.reached(first)

	clone := h.background("PUT", "/_snapshot/r/base/_clone/copy", `{"indices":"*"}`)
	h.cancelled(cloneAction)
	h.toldCancelled(clone)

	// Two clients wait for one deletion. Cancelling it by either task tells both.
	a := h.background("DELETE", "/_snapshot/r/base", "")
	h.shownOne(deleteAction)
	b := h.background("DELETE", "/_snapshot/r/base", "")
	h.until("two deletions are tasks", func() bool { return len(h.tasksOf(deleteAction)) == 2 })
	ids := h.tasksOf(deleteAction)
	time.Sleep(20 * time.Millisecond) // the second one has joined
	h.must("POST", "/_tasks/"+ids[1]+"/_cancel", "")
	h.toldCancelled(a)
	h.toldCancelled(b)

	second := h.background("PUT", "/_snapshot/r/second?wait_for_completion=true", "")
	h.until("two snapshots are in progress", func() bool {
		return len(h.node.Store().View().SnapshotJobs()) == 2 && len(h.tasksOf(createAction)) == 2
	})
	for _, id := range h.tasksOf(createAction) {
		if got := h.must("GET", "/_tasks/"+id, ""); strings.Contains(fmt.Sprint(at(got, "task", "description")), "second") {
			h.must("POST", "/_tasks/"+id+"/_cancel?wait_for_completion=true", "")
		}
	}
	h.toldCancelled(second)
	h.release()
	if a := h.answered(first); a.code != http.StatusOK || at(a.body, "snapshot", "state") != "SUCCESS" {
		t.Errorf("the snapshot that was not cancelled: %v", a.body)
	}
	h.healthy("base:SUCCESS", "first:SUCCESS", "more:SUCCESS")
}

func (h *held) until(what string, is func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("it does not come about that %s", what)
		}
	}
}

func (h *held) tasksOf(action string) []string {
	h.t.Helper()
	ids, _ := h.shown(action)
	return ids
}

// TestCancelBeforeItBegins cancels requests that are still reading the repository.
func TestCancelBeforeItBegins(t *testing.T) {
	h := startHeld(t)
	h.prepared()
	for _, c := range []struct{ action, method, path, body string }{
		{deleteAction, "DELETE", "/_snapshot/r/base", ""},
		{createAction, "PUT", "/_snapshot/r/new?wait_for_completion=true", ""},
		{cloneAction, "PUT", "/_snapshot/r/base/_clone/new", `{"indices":"*"}`},
		{restoreAction, "POST", "/_snapshot/r/base/_restore", `{"rename_pattern":"(.+)","rename_replacement":"back_$1"}`},
	} {
		h.hold(func(kind, path string) bool { return kind != "put" })
		asked := h.background(c.method, c.path, c.body)
		h.reached(asked)
		h.cancelled(c.action)
		h.toldCancelled(asked)
		h.release()
		h.healthy(two...)
	}
	if h.node.Store().View().Index("back_one") != nil {
		t.Error("a restore that was cancelled before it began made an index")
	}
}

// TestCancelAfterRestart shows and cancels what a process before this one began.
func TestCancelAfterRestart(t *testing.T) {
	h := startHeld(t)
	h.prepared()
	h.hold(dataPut)
	asked := h.background("PUT", "/_snapshot/r/new", "")
	h.reached(asked)
	began := h.started(createAction)
	h.restart(dataPut)
	if now := h.started(createAction); now/1000 != began/1000 {
		t.Errorf("the snapshot began at %d; after the restart its task says %d", began, now)
	}
	h.cancelled(createAction)
	h.release()
	h.healthy(two...)

	h.must("DELETE", "/one,two", "")
	h.hold(dataGet)
	asked = h.background("POST", "/_snapshot/r/base/_restore", "{}")
	h.reached(asked)
	h.shownOne(restoreAction)
	h.restart(dataGet)
	h.cancelled(restoreAction)
	h.release()
	h.healthy(two...)
	if v := h.node.Store().View(); v.Index("one") != nil || v.Index("two") != nil {
		t.Error("the indices of a cancelled restore are there")
	}
}

// started returns when the task of an action began, in milliseconds.
func (h *held) started(action string) (ms int64) {
	h.t.Helper()
	h.shownOne(action)
	_, tasks := h.shown(action)
	if _, err := fmt.Sscan(fmt.Sprint(tasks[0]["start_time_in_millis"]), &ms); err != nil {
		h.t.Fatal(err)
	}
	return ms
}

// TestCancelThenKilled kills the process after a cancel was accepted and before what was cancelled could stop: the next process does
// not go on with it.
func TestCancelThenKilled(t *testing.T) {
	h := startHeld(t)
	h.prepared()
	for _, c := range []struct {
		action, method, path string
		gate                 func(kind, path string) bool
	}{
		{deleteAction, "DELETE", "/_snapshot/r/base", shardPut},
		{createAction, "PUT", "/_snapshot/r/new?wait_for_completion=true", dataPut},
		{cleanupAction, "POST", "/_snapshot/r/_cleanup?deep=true", rootList},
	} {
		h.orphan("snap-nobody.dat")
		h.write(20)
		h.hold(c.gate)
		h.mu.Lock()
		h.stuck = true
		h.mu.Unlock()
		asked := h.background(c.method, c.path, "")
		h.reached(asked)
		h.cancelled(c.action)
		h.restart()
		h.answered(asked)
		h.healthy(two...)
	}
}

// folderOf returns the folder of an index in the repository.
func (h *held) folderOf(index string) string {
	h.t.Helper()
	repo, err := repository.Open(context.Background(), h.store, repository.Options{})
	check(h.t, err)
	data, err := repo.LoadData(context.Background())
	check(h.t, err)
	e, ok := data.Index(index)
	if !ok {
		h.t.Fatalf("the repository has no index %s", index)
	}
	return "indices/" + e.ID + "/"
}

func (h *held) waitStarted(index string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := h.node.Store().WaitFor(ctx, func(v *state.View) bool {
		ix := v.Index(index)
		return ix != nil && v.Shard(ix.UUID, 0).Primary().State == state.ShardStarted
	}); err != nil {
		h.t.Fatalf("%s does not start: %v", index, err)
	}
}

// TestCancelRestore cancels a restore of which one index is complete: that one stays, the others are deleted.
func TestCancelRestore(t *testing.T) {
	h := startHeld(t)
	h.must("PUT", "/_index_template/logs", `{"index_patterns":["logs*"],"data_stream":{},"template":{"settings":{"number_of_replicas":0}}}`)
	for i := range 2 {
		if i > 0 {
			h.must("POST", "/logs/_rollover", "")
		}
		h.must("POST", "/logs/_doc?refresh=true", `{"@timestamp":"2026-01-01","n":1}`)
	}
	h.prepared()
	late := h.folderOf("two")
	lateToo := h.folderOf(".ds-logs-000002")
	h.must("DELETE", "/one,two", "")
	h.must("DELETE", "/_data_stream/logs", "")
	h.hold(func(kind, path string) bool {
		return dataGet(kind, path) && (strings.HasPrefix(path, late) || strings.HasPrefix(path, lateToo))
	})
	asked := h.background("POST", "/_snapshot/r/more/_restore?wait_for_completion=true", "{}")
	h.reached(asked)
	h.waitStarted("one")
	h.waitStarted(".ds-logs-000001")
	if _, tasks := h.shown(restoreAction); len(tasks) != 1 || fmt.Sprint(at(tasks[0], "status", "shards", "done")) != "2" {
		t.Errorf("tasks: %v", tasks)
	}
	h.must("POST", "/_tasks/_cancel?actions=*snapshot*", "")
	a := h.answered(asked)
	if why := fmt.Sprint(at(a.body, "error", "reason")); a.code != http.StatusBadRequest || !strings.Contains(why, "[.ds-logs-000001 one]") {
		t.Errorf("who waits is told: %d %v", a.code, a.body)
	}
	h.release()
	h.healthy(two...)
	v := h.node.Store().View()
	if v.Index("two") != nil || v.Index(".ds-logs-000002") != nil {
		t.Error("an index that was not complete is there")
	}
	if got := h.must("GET", "/one/_count", ""); fmt.Sprint(got["count"]) != "40" {
		t.Errorf("the index that was complete: %v", got)
	}
	if got := h.must("GET", "/_data_stream/logs", ""); len(at(got, "data_streams", 0, "indices").([]any)) != 1 || fmt.Sprint(at(got, "data_streams", 0, "generation")) != "1" {
		t.Errorf("the data stream: %v", got)
	}
	h.must("POST", "/logs/_doc?refresh=true", `{"@timestamp":"2026-01-02","n":2}`)
	h.must("POST", "/_snapshot/r/more/_restore?wait_for_completion=true", `{"indices":"two"}`)
	if got := h.must("GET", "/two/_count", ""); fmt.Sprint(got["count"]) != "40" {
		t.Errorf("what was cancelled, restored again: %v", got)
	}
}

// TestFailedHalfway verifies a repository whose only snapshot of a shard failed after it had written the shard's list: that is no damage.
func TestFailedHalfway(t *testing.T) {
	m := mem.New()
	hook := func(o faulty.Op) faulty.Fault {
		if o.Kind == "put" && strings.Contains(o.Name, "/0/index-") {
			return faulty.Fault{Before: faulty.Fail(blob.KindPermission)}
		}
		return faulty.Fault{}
	}
	s := start(t, t.TempDir(), func(*state.Repository) (blob.Container, error) { return faulty.New(m, hook), nil }, nil)
	s.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"x"}}`)
	s.must("PUT", "/ix", `{"settings":{"number_of_replicas":0}}`)
	s.must("POST", "/ix/_doc?refresh=true", `{"a":1}`)
	if out := s.must("PUT", "/_snapshot/r/s?wait_for_completion=true", ""); at(out, "snapshot", "state") != "PARTIAL" {
		t.Fatal(out)
	}
	repo, err := repository.Open(context.Background(), m, repository.Options{})
	check(t, err)
	_, err = repo.Verify(context.Background(), repository.VerifyOptions{Deep: true}, func(f repository.Finding) {
		if f.Severity == repository.SeverityError {
			t.Error(f)
		}
	})
	check(t, err)
}
