package restore

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/mem"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// held is a server whose requests to the store wait when the test wants it.
type held struct {
	*server
	t     *testing.T // of now
	top   *testing.T // whose end is the server's
	store *mem.Store
	dir   string

	mu    sync.Mutex
	gate  func(kind, path string) bool // which requests wait; nil: none
	open  chan struct{}
	at    chan string // what the first of them was for
	stuck bool        // they do not even end with their context
	dead  bool        // all fail
}

func startHeld(t *testing.T) *held {
	h := &held{t: t, top: t, store: mem.New(), dir: t.TempDir()}
	h.start()
	t.Cleanup(h.release)
	h.must("PUT", "/_snapshot/r", `{"type":"fs","settings":{"location":"a"}}`)
	for _, ix := range []string{"one", "two"} {
		h.must("PUT", "/"+ix, `{"settings":{"index.number_of_replicas":0,"index.refresh_interval":"-1"}}`)
	}
	return h
}

func (h *held) start() {
	h.server = start(h.top, h.dir, func(*state.Repository) (blob.Container, error) { return waiting{h.store, h, ""}, nil }, nil)
	h.server.t = h.t
}

// restart ends the process while requests wait, and begins the next one, in which those wait that are given. What waited fails.
func (h *held) restart(gate ...func(kind, path string) bool) {
	h.t.Helper()
	h.mu.Lock()
	h.dead = true
	h.mu.Unlock()
	h.release()
	h.stop()
	h.mu.Lock()
	h.dead = false
	h.mu.Unlock()
	for _, g := range gate {
		h.hold(g)
	}
	h.start()
}

// write adds documents to both indices, so that a snapshot of now has something to bring.
func (h *held) write(n int) {
	h.t.Helper()
	var b strings.Builder
	for i := range 20 {
		for _, ix := range []string{"one", "two"} {
			fmt.Fprintf(&b, `{"index":{"_index":%q,"_id":"d%d-%d"}}`+"\n"+`{"noise":%q}`+"\n", ix, n, i, noise(1000*n+i))
		}
	}
	h.must("POST", "/_bulk?refresh=true", b.String())
}

// hold lets requests wait from now on, until release.
func (h *held) hold(which func(kind, path string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate, h.open, h.at = which, make(chan struct{}), make(chan string, 1)
}

func (h *held) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gate != nil {
		h.gate, h.stuck = nil, false
		close(h.open)
	}
}

// reached waits until a request waits that a background call leads to.
func (h *held) reached(asked chan reply) {
	h.t.Helper()
	h.mu.Lock()
	at := h.at
	h.mu.Unlock()
	select {
	case <-at:
	case <-time.After(10 * time.Second):
		select {
		case a := <-asked:
			h.t.Fatalf("the request that is to wait did not come: %d %v", a.code, a.body)
		default:
			h.t.Fatal("the request that is to wait does not come")
		}
	}
}

func (h *held) pass(ctx context.Context, kind, path string) error {
	h.mu.Lock()
	gate, open, at, stuck := h.gate, h.open, h.at, h.stuck
	h.mu.Unlock()
	if gate != nil && gate(kind, path) {
		select {
		case at <- path:
		default:
		}
		done := ctx.Done()
		if stuck {
			done = nil
		}
		select {
		case <-open:
		case <-done:
			return ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dead {
		return &blob.Error{Op: kind, Location: path, Kind: blob.KindPermission, Err: fmt.Errorf("the process is dead")}
	}
	return nil
}

// waiting is a container whose requests wait as held says, and end with their context as those of a network do.
type waiting struct {
	under
	h    *held
	path string
}

func (c waiting) Container(path string) (blob.Container, error) {
	in, err := c.under.Container(path)
	if path != "" {
		path += "/"
	}
	return waiting{in, c.h, c.path + path}, err
}

func (c waiting) Put(ctx context.Context, name string, r io.Reader, size int64, opts blob.PutOptions) error {
	if err := c.h.pass(ctx, "put", c.path+name); err != nil {
		return err
	}
	return c.under.Put(ctx, name, r, size, opts)
}

func (c waiting) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := c.h.pass(ctx, "get", c.path+name); err != nil {
		return nil, err
	}
	return c.under.Get(ctx, name)
}

func (c waiting) GetRange(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := c.h.pass(ctx, "get", c.path+name); err != nil {
		return nil, err
	}
	return c.under.GetRange(ctx, name, off, n)
}

func (c waiting) List(ctx context.Context, prefix string, fn func(blob.Info) error) error {
	if err := c.h.pass(ctx, "list", c.path+prefix); err != nil {
		return err
	}
	return c.under.List(ctx, prefix, fn)
}

func (c waiting) DeleteBatch(ctx context.Context, names []string) error {
	if err := c.h.pass(ctx, "delete", c.path+strings.Join(names, ",")); err != nil {
		return err
	}
	return c.under.DeleteBatch(ctx, names)
}

// reply is what a request in the background came to.
type reply struct {
	code int
	body map[string]any
}

func (h *held) background(method, path, body string) chan reply {
	out := make(chan reply, 1)
	s := h.server
	go func() {
		code, got := s.call(method, path, body)
		out <- reply{code, got}
	}()
	return out
}

func (h *held) answered(c chan reply) reply {
	h.t.Helper()
	select {
	case a := <-c:
		return a
	case <-time.After(15 * time.Second):
		h.t.Fatalf("who waits is never answered; tasks: %v", h.must("GET", "/_tasks?detailed", ""))
	}
	return reply{}
}

// shown returns the tasks that have an action: their ids, and what is told of each.
func (h *held) shown(action string) (ids []string, tasks []map[string]any) {
	h.t.Helper()
	nodes, _ := at(h.must("GET", "/_tasks?detailed&actions="+action, ""), "nodes").(map[string]any)
	for _, n := range nodes {
		all, _ := at(n, "tasks").(map[string]any)
		for id, one := range all {
			m, _ := one.(map[string]any)
			ids, tasks = append(ids, id), append(tasks, m)
		}
	}
	return ids, tasks
}

// shownOne waits until there is one task of an action and returns its id.
func (h *held) shownOne(action string) string {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if ids, _ := h.shown(action); len(ids) == 1 {
			return ids[0]
		} else if time.Now().After(deadline) {
			h.t.Fatalf("tasks of %s: %v", action, ids)
		}
	}
}

// settle waits until nothing is in progress.
func (h *held) settle() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if _, err := h.node.Store().WaitFor(ctx, func(v *state.View) bool {
		r := v.Repository("r")
		return len(v.SnapshotJobs())+len(v.SnapshotDeletions())+len(v.Restores()) == 0 && r.Cleanup == nil
	}); err != nil {
		h.t.Fatalf("it hangs: %v", h.must("GET", "/_tasks?detailed", ""))
	}
}

func (h *held) names() []string {
	h.t.Helper()
	var names []string
	list, _ := at(h.must("GET", "/_snapshot/r/_all", ""), "snapshots").([]any)
	for _, s := range list {
		names = append(names, fmt.Sprint(at(s, "snapshot"), ":", at(s, "state")))
	}
	slices.Sort(names)
	return names
}

// healthy checks that the repository has exactly these snapshots, all of them whole, and, after a clean-up, nothing else.
func (h *held) healthy(want ...string) {
	h.t.Helper()
	h.settle()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		ids, _ := h.shown("*snapshot*,*cleanup*")
		if len(ids) == 0 {
			break
		}
		if time.Now().After(deadline) {
			h.t.Errorf("tasks of what has ended: %v", ids)
			break
		}
	}
	if got := h.names(); !slices.Equal(got, want) {
		h.t.Errorf("snapshots %v, not %v", got, want)
	}
	ctx := context.Background()
	repo, err := repository.Open(ctx, h.store, repository.Options{})
	check(h.t, err)
	_, err = repo.Verify(ctx, repository.VerifyOptions{Deep: true}, func(f repository.Finding) {
		if f.Severity == repository.SeverityError {
			h.t.Errorf("before a clean-up: %s", f)
		}
	})
	check(h.t, err)
	h.must("POST", "/_snapshot/r/_cleanup", "")
	_, err = repo.Verify(ctx, repository.VerifyOptions{Deep: true}, func(f repository.Finding) { h.t.Errorf("after a clean-up: %s", f) })
	check(h.t, err)
}

// orphan puts a blob that nothing refers to.
func (h *held) orphan(name string) {
	h.t.Helper()
	check(h.t, h.store.Put(context.Background(), name, strings.NewReader("x"), 1, blob.PutOptions{}))
}
