package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ID names a task. The zero ID is no task.
type ID struct {
	Node   string
	Number int64
}

// String returns "node:number", or "unset" for no task, as OpenSearch does.
func (id ID) String() string {
	if id == (ID{}) {
		return "unset"
	}
	return id.Node + ":" + strconv.FormatInt(id.Number, 10)
}

// ParseID parses what String returns.
func ParseID(s string) (ID, error) {
	if s == "" || s == "unset" {
		return ID{}, nil
	}
	node, number, ok := strings.Cut(s, ":")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || node == "" || err != nil {
		return ID{}, fmt.Errorf("malformed task id %s", s)
	}
	return ID{Node: node, Number: n}, nil
}

// ErrCancelled is the cause of a task's context after a cancel; a *CancelledError carries the reason.
var ErrCancelled = errors.New("task cancelled")

// CancelledError says why a task was cancelled.
type CancelledError struct{ Reason string }

func (e *CancelledError) Error() string { return "task cancelled [" + e.Reason + "]" }

// Is makes errors.Is(err, ErrCancelled) and errors.Is(err, context.Canceled) true.
func (e *CancelledError) Is(target error) bool {
	return target == ErrCancelled || target == context.Canceled
}

// Spec describes a task that is to start.
type Spec struct {
	Action      string // such as "indices:data/write/reindex"
	Type        string // "transport" by default, or "direct"
	Description string
	// Parent is the task that this one is a part of. Without one, it is the task of the context.
	Parent ID
	// Owner is the user whom the task works for, "" for the server itself.
	Owner       string
	Cancellable bool
	Headers     map[string]string // such as X-Opaque-Id
	// Started is when the work began, where that was before this process; the zero time is now.
	Started time.Time
}

// Counter is one number of a task's progress. The zero value counts from 0, without a total.
type Counter struct {
	name  string
	done  atomic.Int64
	total atomic.Int64
}

// Add counts n more as done.
func (c *Counter) Add(n int64) { c.done.Add(n) }

// AddTotal expects n more.
func (c *Counter) AddTotal(n int64) { c.total.Add(n) }

// SetTotal expects n in all.
func (c *Counter) SetTotal(n int64) { c.total.Store(n) }

// Progress is a counter at one moment. Total is 0 where it is not known.
type Progress struct {
	Name  string `json:"name"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
}

// Task is one piece of work under way.
type Task struct {
	id       ID
	spec     Spec
	started  time.Time
	registry *Registry
	cancel   context.CancelCauseFunc
	done     chan struct{}

	mu          sync.Mutex
	counters    []*Counter
	onCancel    func(ctx context.Context, reason string) error
	status      func() any
	description string
	cancelled   *CancelledError
	finished    bool
	ended       time.Time
	result      any
	err         error
}

// maxCounters bounds what a task may count: counters are kinds of work, not pieces of it.
const maxCounters = 64

// ID returns the task's id.
func (t *Task) ID() ID { return t.id }

// Counter returns the counter of that name, new with the first call. Keep it: finding it takes a lock.
func (t *Task) Counter(name string) *Counter {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.counters {
		if c.name == name {
			return c
		}
	}
	c := &Counter{name: name}
	if len(t.counters) < maxCounters {
		t.counters = append(t.counters, c)
	}
	return c
}

// SetStatus sets what gives the task's status for the API; it is called whenever somebody looks, must
// be quick, and may be called at the same time as the work goes on.
func (t *Task) SetStatus(status func() any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status = status
}

// SetDescription replaces the description.
func (t *Task) SetDescription(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.description = s
}

// OnCancel makes who cancels the task call fn in place of ending its context: for work that is ended by more than that, and by
// whoever does it now. An error of fn refuses the cancel. A task that was cancelled before says so, and fn is not called then.
func (t *Task) OnCancel(fn func(ctx context.Context, reason string) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancelled != nil {
		return t.cancelled
	}
	t.onCancel = fn
	return nil
}

// Cancelled returns the reason as an error where the task was cancelled, else nil.
func (t *Task) Cancelled() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancelled == nil {
		return nil
	}
	return t.cancelled
}

// Done is closed when the task has finished.
func (t *Task) Done() <-chan struct{} { return t.done }

// Finish ends the task with its result or its error. Only the first call counts.
func (t *Task) Finish(result any, err error) {
	t.mu.Lock()
	if t.finished {
		t.mu.Unlock()
		return
	}
	t.finished, t.ended, t.result, t.err = true, time.Now(), result, err
	status := t.status
	t.mu.Unlock()
	if status != nil {
		last := status()
		t.SetStatus(func() any { return last }) // lets go of what the work holds
	}
	t.registry.retire(t)
	t.cancel(nil)
	close(t.done)
}

// askCancel cancels a task as OnCancel says.
func (t *Task) askCancel(ctx context.Context, reason string) error {
	t.mu.Lock()
	fn := t.onCancel
	if fn == nil || t.finished || t.cancelled != nil {
		t.mu.Unlock()
		t.doCancel(reason)
		return nil
	}
	t.mu.Unlock()
	if err := fn(ctx, reason); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancelled == nil {
		t.cancelled = &CancelledError{Reason: reason}
	}
	return nil
}

func (t *Task) doCancel(reason string) {
	t.mu.Lock()
	if t.finished || t.cancelled != nil {
		t.mu.Unlock()
		return
	}
	t.cancelled = &CancelledError{Reason: reason}
	t.mu.Unlock()
	t.cancel(t.cancelled)
}

// Info is a task at one moment.
type Info struct {
	ID          ID
	Parent      ID
	Action      string
	Type        string
	Description string
	Owner       string
	Headers     map[string]string
	Started     time.Time
	Running     time.Duration // until now, or until it finished
	Cancellable bool
	Cancelled   bool
	Completed   bool
	Progress    []Progress
	Status      any   // of SetStatus, or nil
	Result      any   // once completed
	Err         error // once completed
}

// Info describes the task.
func (t *Task) Info() Info {
	t.mu.Lock()
	in := Info{
		ID: t.id, Parent: t.spec.Parent, Action: t.spec.Action, Type: t.spec.Type, Description: t.description,
		Owner: t.spec.Owner, Headers: t.spec.Headers, Started: t.started, Running: time.Since(t.started),
		Cancellable: t.spec.Cancellable, Cancelled: t.cancelled != nil, Completed: t.finished, Result: t.result, Err: t.err,
	}
	if t.finished {
		in.Running = t.ended.Sub(t.started)
	}
	for _, c := range t.counters {
		in.Progress = append(in.Progress, Progress{Name: c.name, Done: c.done.Load(), Total: c.total.Load()})
	}
	status := t.status
	t.mu.Unlock()
	slices.SortFunc(in.Progress, func(a, b Progress) int { return strings.Compare(a.Name, b.Name) })
	if status != nil {
		in.Status = status()
	}
	return in
}

type contextKey struct{}

// FromContext returns the task that a context belongs to, or nil.
func FromContext(ctx context.Context) *Task {
	t, _ := ctx.Value(contextKey{}).(*Task)
	return t
}
