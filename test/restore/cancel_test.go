package restore

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The requests by which the phases of an operation are told.
var (
	dataPut  = func(kind, path string) bool { return kind == "put" && strings.Contains(path, "/__") }
	listsPut = func(kind, path string) bool {
		return kind == "put" && strings.HasPrefix(path, "indices/") && strings.Contains(path, "/snap-")
	}
	shardPut = func(kind, path string) bool {
		return kind == "put" && strings.HasPrefix(path, "indices/") && strings.Contains(path, "/index-")
	}
	metaPut  = func(kind, path string) bool { return kind == "put" && strings.HasPrefix(path, "meta-") }
	rootPut  = func(kind, path string) bool { return kind == "put" && strings.HasPrefix(path, "index-") }
	rootGone = func(kind, path string) bool { return kind == "delete" && strings.HasPrefix(path, "index-") }
	infoGet  = func(kind, path string) bool { return kind == "get" && strings.HasPrefix(path, "snap-") }
	dataGet  = func(kind, path string) bool { return kind == "get" && strings.Contains(path, "/__") }
	shardGet = func(kind, path string) bool {
		return kind == "get" && strings.HasPrefix(path, "indices/") && strings.Contains(path, "/index-")
	}
	rootList = func(kind, path string) bool { return kind == "list" && path == "" }
)

const (
	createAction  = "cluster:admin/snapshot/create"
	cloneAction   = "cluster:admin/snapshot/clone"
	deleteAction  = "cluster:admin/snapshot/delete"
	restoreAction = "cluster:admin/snapshot/restore"
	cleanupAction = "cluster:admin/repository/_cleanup"
)

// cancelCase cancels an operation when a request waits.
type cancelCase struct {
	name                 string
	action               string
	method, path, body   string
	gate                 func(kind, path string) bool
	late                 string // what refuses the cancel says; then the operation succeeds
	want                 []string
	background, deleting bool // nobody waits; it is cancelled by DELETE
}

// two are the snapshots that every case begins with.
var two = []string{"base:SUCCESS", "more:SUCCESS"}

var cancelCases = []cancelCase{
	{name: "snapshot, its files", action: createAction, method: "PUT", path: "/_snapshot/r/new?wait_for_completion=true", gate: dataPut, want: two},
	{name: "snapshot that nobody waits for", action: createAction, method: "PUT", path: "/_snapshot/r/new", gate: dataPut, background: true, want: two},
	{name: "snapshot, its lists", action: createAction, method: "PUT", path: "/_snapshot/r/new?wait_for_completion=true", gate: listsPut, want: two},
	{name: "snapshot, its metadata", action: createAction, method: "PUT", path: "/_snapshot/r/new?wait_for_completion=true", gate: metaPut, want: two},
	{name: "snapshot, the root", action: createAction, method: "PUT", path: "/_snapshot/r/new?wait_for_completion=true", gate: rootPut, want: two},
	{name: "snapshot of nothing, the root", action: createAction, method: "PUT", path: "/_snapshot/r/new?wait_for_completion=true", body: `{"indices":"none*"}`, gate: rootPut, want: two},
	{name: "snapshot, after the root", action: createAction, method: "PUT", path: "/_snapshot/r/new?wait_for_completion=true", gate: rootGone, want: two},

	{name: "clone, its source", action: cloneAction, method: "PUT", path: "/_snapshot/r/base/_clone/new", body: `{"indices":"*"}`, gate: infoGet, want: two},
	{name: "clone, its lists", action: cloneAction, method: "PUT", path: "/_snapshot/r/base/_clone/new", body: `{"indices":"*"}`, gate: listsPut, want: two},
	{name: "clone, its metadata", action: cloneAction, method: "PUT", path: "/_snapshot/r/base/_clone/new", body: `{"indices":"*"}`, gate: metaPut, want: two},
	{name: "clone, the root", action: cloneAction, method: "PUT", path: "/_snapshot/r/base/_clone/new", body: `{"indices":"*"}`, gate: rootPut, want: two},
	{name: "clone, after the root", action: cloneAction, method: "PUT", path: "/_snapshot/r/base/_clone/new", body: `{"indices":"*"}`, gate: rootGone, want: two},
	{name: "clone, its lists, by its deletion", action: cloneAction, method: "PUT", path: "/_snapshot/r/base/_clone/new", body: `{"indices":"*"}`, gate: listsPut, deleting: true, want: two},
	{name: "clone, the root, by its deletion", action: cloneAction, method: "PUT", path: "/_snapshot/r/base/_clone/new", body: `{"indices":"*"}`, gate: rootPut, deleting: true, want: two},

	{name: "deletion, its look at the shards", action: deleteAction, method: "DELETE", path: "/_snapshot/r/base", gate: shardGet, want: two},
	{name: "deletion, the lists of the shards", action: deleteAction, method: "DELETE", path: "/_snapshot/r/base", gate: shardPut, want: two},
	{name: "deletion, the root", action: deleteAction, method: "DELETE", path: "/_snapshot/r/base", gate: rootPut, late: "cannot be cancelled any more", want: two[1:]},
	{name: "deletion, after the root", action: deleteAction, method: "DELETE", path: "/_snapshot/r/base", gate: rootGone, late: "cannot be cancelled any more", want: two[1:]},

	{name: "clean-up, the list", action: cleanupAction, method: "POST", path: "/_snapshot/r/_cleanup?deep=true", gate: rootList, want: two},
	{name: "clean-up, the root", action: cleanupAction, method: "POST", path: "/_snapshot/r/_cleanup?deep=true", gate: rootPut, late: "cannot be cancelled any more", want: two},
	{name: "clean-up, after the root", action: cleanupAction, method: "POST", path: "/_snapshot/r/_cleanup?deep=true", gate: rootGone, late: "cannot be cancelled any more", want: two},
}

// prepared makes the two snapshots that the cases begin with, and something new for the next one.
func (h *held) prepared() {
	h.t.Helper()
	for i, name := range []string{"base", "more"} {
		h.write(i)
		h.must("PUT", "/_snapshot/r/"+name+"?wait_for_completion=true", "")
	}
	h.write(2)
}

// TestCancel cancels each operation in each of its phases. What was there before is whole, and what was begun goes.
func TestCancel(t *testing.T) {
	h := startHeld(t)
	h.prepared()
	for i, c := range cancelCases {
		ok := t.Run(c.name, func(t *testing.T) {
			h.t, h.server.t = t, t
			h.write(10 + i)
			if c.action == cleanupAction { // something to remove
				h.orphan(fmt.Sprint("snap-nobody", i, ".dat"))
			}
			h.cancelCase(c)
		})
		h.t, h.server.t = t, t
		if !ok {
			t.FailNow() // the next ones would begin with what this one left
		}
		if got := h.names(); len(got) < 2 {
			h.write(50 + i)
			h.must("PUT", "/_snapshot/r/base?wait_for_completion=true", "")
		}
	}
}

func (h *held) cancelCase(c cancelCase) {
	t := h.t
	h.hold(c.gate)
	asked := h.background(c.method, c.path, c.body)
	h.reached(asked)
	if c.background {
		if a := h.answered(asked); a.code != http.StatusOK {
			t.Fatalf("%d %v", a.code, a.body)
		}
	}
	id := h.shownOne(c.action)
	if cat := fmt.Sprint(h.must("GET", "/_cat/tasks?h=action,task_id", "")); !strings.Contains(cat, c.action+" ") || !strings.Contains(cat, id) {
		t.Errorf("_cat/tasks: %s", cat)
	}
	_, tasks := h.shown(c.action)
	if tasks[0]["cancellable"] != true || at(tasks[0], "status", "state") == nil || !strings.Contains(fmt.Sprint(tasks[0]["description"]), "r") {
		t.Errorf("the task: %v", tasks[0])
	}
	var deleted chan reply
	if c.deleting {
		deleted = h.background("DELETE", "/_snapshot/r/new", "")
		time.Sleep(50 * time.Millisecond) // it is queued, or it is over
	} else if code, got := h.call("POST", "/_tasks/"+id+"/_cancel", ""); code != http.StatusOK {
		t.Fatalf("the cancel: %d %v", code, got)
	} else if reason := fmt.Sprint(at(got, "node_failures", 0, "caused_by", "reason")); c.late != "" && !strings.Contains(reason, c.late) {
		t.Errorf("the cancel that comes too late: %v", got)
	} else if c.late == "" && (got["node_failures"] != nil || !strings.Contains(fmt.Sprint(got), id)) {
		t.Errorf("the cancel: %v", got)
	}
	if c.late != "" {
		if got := h.must("POST", "/_tasks/_cancel?actions="+c.action, ""); !strings.Contains(fmt.Sprint(at(got, "task_failures", 0, "reason", "reason")), c.late) || at(got, "task_failures", 0, "status") != "CONFLICT" {
			t.Errorf("the cancel by action that comes too late: %v", got)
		}
	}
	h.release()
	if deleted != nil {
		if a := h.answered(deleted); a.code != http.StatusOK {
			t.Errorf("the deletion: %d %v", a.code, a.body)
		}
	}
	if !c.background {
		a := h.answered(asked)
		switch kind := at(a.body, "error", "type"); {
		case c.late != "":
			if a.code != http.StatusOK {
				t.Errorf("after a cancel that was refused: %d %v", a.code, a.body)
			}
		case c.deleting: // one that was in the root already is answered as any
			if a.code != http.StatusOK && (kind != "snapshot_exception" || !strings.Contains(fmt.Sprint(a.body), "aborted by deletion")) {
				t.Errorf("who waits is told: %d %v", a.code, a.body)
			}
		case a.code != http.StatusBadRequest || kind != "task_cancelled_exception" || !strings.Contains(fmt.Sprint(at(a.body, "error", "reason")), "by user request"):
			t.Errorf("who waits is told: %d %v", a.code, a.body)
		}
	}
	h.healthy(c.want...)
	if c.late == "" && !c.deleting {
		if got := h.must("GET", "/_tasks/"+id, ""); got["completed"] != true || !strings.Contains(fmt.Sprint(at(got, "error")), "cancelled") {
			t.Errorf("the task afterwards: %v", got)
		}
		if got := h.must("GET", "/_snapshot/r/_cost", ""); !strings.Contains(fmt.Sprint(got), "result:cancelled") {
			t.Errorf("its cost: %v", got)
		}
	}
	// Nothing comes back, and everything works.
	if c.late == "" {
		h.restart()
		h.healthy(c.want...)
	}
}
