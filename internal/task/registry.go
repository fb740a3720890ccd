package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/settings"
)

// Errors of a registry.
var (
	ErrNotFound       = errors.New("task isn't running and hasn't stored its results")
	ErrNotCancellable = errors.New("task is not cancellable")
	ErrClosed         = errors.New("the node is shutting down")
)

// keepFinished is how many finished tasks a registry remembers.
const keepFinished = 1000

// Registry holds the tasks of one node. Its methods may be called by any number of goroutines.
type Registry struct {
	node string

	mu       sync.Mutex
	next     int64
	running  map[int64]*Task
	finished []*Task // a ring: the oldest is at nextOld
	nextOld  int
	bans     map[ID]string // cancelled parents on other nodes, with the reason
	closed   bool
	wg       sync.WaitGroup // of Go
}

// NewRegistry returns the registry of the node with that id.
func NewRegistry(node string) *Registry {
	return &Registry{node: node, running: map[int64]*Task{}, bans: map[ID]string{}}
}

// Start makes a task and a context that ends with ctx, with the task's cancel, or when the task
// finishes. A task whose parent was cancelled starts cancelled. After Close it is ErrClosed.
func (r *Registry) Start(ctx context.Context, spec Spec) (*Task, context.Context, error) {
	if spec.Type == "" {
		spec.Type = "transport"
	}
	parent := FromContext(ctx)
	if spec.Parent == (ID{}) && parent != nil {
		spec.Parent = parent.id
	}
	spec.Headers = maps.Clone(spec.Headers)
	tctx, cancel := context.WithCancelCause(ctx)
	t := &Task{spec: spec, description: spec.Description, started: spec.Started, registry: r, cancel: cancel, done: make(chan struct{})}
	if t.started.IsZero() {
		t.started = time.Now()
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		cancel(ErrClosed)
		return nil, nil, ErrClosed
	}
	r.next++
	t.id = ID{Node: r.node, Number: r.next}
	r.running[r.next] = t
	reason, banned := r.bans[spec.Parent]
	if p := r.running[spec.Parent.Number]; !banned && p != nil && p.id == spec.Parent {
		if err := p.Cancelled(); err != nil {
			reason, banned = "parent was cancelled: "+err.Error(), true
		}
	}
	r.mu.Unlock()
	if banned {
		t.doCancel(reason)
	}
	return t, context.WithValue(tctx, contextKey{}, t), nil
}

// Go runs fn as a task of its own: ctx gives values and a parent, but its end does not end the work.
// fn's result and error are the task's; a panic in fn is the process's end, as always.
func (r *Registry) Go(ctx context.Context, spec Spec, fn func(ctx context.Context, t *Task) (any, error)) (*Task, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	r.wg.Add(1)
	r.mu.Unlock()
	t, tctx, err := r.Start(context.WithoutCancel(ctx), spec)
	if err != nil {
		r.wg.Done()
		return nil, err
	}
	go func() {
		defer r.wg.Done()
		t.Finish(fn(tctx, t))
	}()
	return t, nil
}

// retire moves a task from the running ones to the finished ones.
func (r *Registry) retire(t *Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, t.id.Number)
	if len(r.finished) < keepFinished {
		r.finished = append(r.finished, t)
		return
	}
	r.finished[r.nextOld] = t
	r.nextOld = (r.nextOld + 1) % keepFinished
}

func (r *Registry) find(id ID) *Task {
	if id.Node != r.node {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.running[id.Number]; t != nil {
		return t
	}
	for _, t := range r.finished {
		if t.id == id {
			return t
		}
	}
	return nil
}

// Get describes a task that runs, or that finished not long ago.
func (r *Registry) Get(id ID) (Info, error) {
	t := r.find(id)
	if t == nil {
		return Info{}, fmt.Errorf("task [%s]: %w", id, ErrNotFound)
	}
	return t.Info(), nil
}

// Wait returns a task's description once it has finished, or with ctx's error what is known then.
func (r *Registry) Wait(ctx context.Context, id ID) (Info, error) {
	t := r.find(id)
	if t == nil {
		return Info{}, fmt.Errorf("task [%s]: %w", id, ErrNotFound)
	}
	select {
	case <-t.done:
		return t.Info(), nil
	case <-ctx.Done():
		return t.Info(), ctx.Err()
	}
}

// Filter chooses tasks. Empty fields choose all.
type Filter struct {
	Actions []string // with * as a wildcard
	Parent  ID
	IDs     []ID
}

func (f Filter) matches(t *Task) bool {
	if f.Parent != (ID{}) && t.spec.Parent != f.Parent || len(f.IDs) > 0 && !slices.Contains(f.IDs, t.id) {
		return false
	}
	return len(f.Actions) == 0 || slices.ContainsFunc(f.Actions, func(p string) bool { return settings.Match(p, t.spec.Action) })
}

// List describes the running tasks that the filter chooses, the oldest first.
func (r *Registry) List(f Filter) []Info {
	var out []Info
	for _, t := range r.choose(f) {
		out = append(out, t.Info())
	}
	return out
}

func (r *Registry) choose(f Filter) []*Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*Task
	for _, n := range slices.Sorted(maps.Keys(r.running)) {
		if t := r.running[n]; f.matches(t) {
			out = append(out, t)
		}
	}
	return out
}

// Cancel cancels a task and all tasks of this node that descend from it. It does not wait for them. An error of what the task's
// OnCancel set refuses, and is returned as it is.
func (r *Registry) Cancel(ctx context.Context, id ID, reason string) error {
	t := r.find(id)
	if t == nil || t.Info().Completed {
		return fmt.Errorf("task [%s]: %w", id, ErrNotFound)
	}
	if !t.spec.Cancellable {
		return fmt.Errorf("task [%s]: %w", id, ErrNotCancellable)
	}
	if err := t.askCancel(ctx, reason); err != nil {
		return err
	}
	r.CancelChildren(id, reason)
	return nil
}

// Refusal is a task that could not be cancelled, and why.
type Refusal struct {
	ID  ID
	Err error
}

// CancelMatching cancels the cancellable tasks that the filter chooses, and returns what they were, and which refused.
func (r *Registry) CancelMatching(ctx context.Context, f Filter, reason string) (done []Info, refused []Refusal) {
	for _, t := range r.choose(f) {
		if !t.spec.Cancellable {
			continue
		}
		switch err := r.Cancel(ctx, t.id, reason); {
		case err == nil:
			done = append(done, t.Info())
		case !errors.Is(err, ErrNotFound):
			refused = append(refused, Refusal{t.id, err})
		}
	}
	return done, refused
}

// CancelChildren cancels the tasks of this node that descend from parent, which may be of another
// node, whether or not they may be cancelled by themselves.
func (r *Registry) CancelChildren(parent ID, reason string) {
	seen := map[ID]bool{}
	var walk func(ID)
	walk = func(id ID) {
		if seen[id] {
			return
		}
		seen[id] = true
		for _, t := range r.choose(Filter{Parent: id}) {
			t.doCancel(reason)
			walk(t.id)
		}
	}
	walk(parent)
}

// Ban makes tasks with this parent, which lives on another node, start cancelled, and cancels those
// that run; Unban ends that. The node of the parent sees to both.
func (r *Registry) Ban(parent ID, reason string) {
	r.mu.Lock()
	r.bans[parent] = reason
	r.mu.Unlock()
	r.CancelChildren(parent, reason)
}

// Unban undoes Ban.
func (r *Registry) Unban(parent ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bans, parent)
}

// Close refuses new tasks, cancels all that run, and waits for those of Go, or for ctx.
func (r *Registry) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for _, t := range r.choose(Filter{}) {
		t.doCancel(ErrClosed.Error())
	}
	// Without an end of ctx, no goroutine is needed to wait.
	if ctx.Done() == nil {
		r.wg.Wait()
		return nil
	}
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for tasks to stop: %w", ctx.Err())
	}
}
