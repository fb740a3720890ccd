package snapshot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
)

// Each process shows every operation of the cluster on a repository as a task, from its record, for as long as the record is there: whether
// or not a client waits, and also what a process before it began. The request that begins an operation gives its own task to it.

// tracked is an operation and the tasks that show it.
type tracked struct {
	kind, repo string
	recorded   bool   // its record is in the state, or was
	cancelled  string // why, if somebody cancelled it before
	tasks      []*shown
}

type shown struct {
	*task.Task
	held bool // its request is not answered yet, and finishes it
}

// actions are OpenSearch's names of the operations.
var actions = map[string]string{
	opSnapshot: "cluster:admin/snapshot/create", opClone: "cluster:admin/snapshot/clone", opRestore: "cluster:admin/snapshot/restore",
	opDeletion: "cluster:admin/snapshot/delete", opCleanup: "cluster:admin/repository/_cleanup",
}

// operationRecord is what lists of tasks tell of an operation.
type operationRecord struct {
	kind, repo, description string
	started                 time.Time
	firm                    bool // nobody cancels it
}

// operationsOf returns the operations in progress, by UUID.
func operationsOf(v *state.View) map[string]operationRecord {
	ops := map[string]operationRecord{}
	for _, j := range v.SnapshotJobs() {
		if j.CloneOf != "" {
			ops[j.UUID] = operationRecord{kind: opClone, repo: j.Repository, description: "clone [" + j.Repository + ":" + j.CloneOf + "] to [" + j.Name + "]", started: j.Started}
		} else {
			ops[j.UUID] = operationRecord{kind: opSnapshot, repo: j.Repository, description: "snapshot [" + j.Repository + ":" + j.Name + "]", started: j.Started}
		}
	}
	for _, d := range v.SnapshotDeletions() {
		ops[d.UUID] = operationRecord{opDeletion, d.Repository, "snapshot [" + d.Repository + ":" + strings.Join(d.Names, ",") + "]", d.Started, d.Undoes}
	}
	for _, r := range v.Restores() {
		ops[r.UUID] = operationRecord{kind: opRestore, repo: r.Repository, description: "snapshot [" + r.Repository + ":" + r.Snapshot + "]", started: r.Started}
	}
	for _, r := range v.Repositories() {
		if r.Cleanup != nil {
			ops[r.Cleanup.UUID] = operationRecord{kind: opCleanup, repo: r.Name, description: "repository [" + r.Name + "]", started: r.Cleanup.Started}
		}
	}
	return ops
}

// followTasks begins tasks for operations that have none, and finishes those of operations that have ended.
func (s *Service) followTasks() {
	reg := s.node.Tasks()
	if reg == nil {
		return
	}
	type finished struct {
		*task.Task
		err error
	}
	var over []finished
	s.mu.Lock()
	v := s.store.View() // what was recorded is in it
	ops := operationsOf(v)
	for uuid, op := range ops {
		if s.ctx.Err() != nil {
			break
		}
		if tr := s.tracked[uuid]; tr != nil {
			tr.recorded = true
			continue
		}
		tr := &tracked{kind: op.kind, repo: op.repo, recorded: true}
		s.tracked[uuid] = tr
		t, _, err := reg.Start(context.Background(), task.Spec{Action: actions[op.kind], Description: op.description, Cancellable: !op.firm, Started: op.started})
		if err != nil { // the node stops
			continue
		}
		_ = s.take(tr, uuid, t, false) // nobody knows the task yet who could have cancelled it
	}
	for uuid, tr := range s.tracked {
		if _, there := ops[uuid]; there || !tr.recorded {
			continue
		}
		delete(s.tracked, uuid)
		err := s.ended[uuid].err
		if rec := recordedIn(v, uuid); err == nil && rec != nil && rec.Result != resultSuccess && rec.Reason != "" {
			err = errors.New(rec.Reason)
		}
		for _, t := range tr.tasks {
			if !t.held {
				over = append(over, finished{t.Task, err})
			}
		}
	}
	s.mu.Unlock()
	for _, t := range over {
		t.Finish(nil, t.err)
	}
}

// take lets a task show an operation. The service is locked.
func (s *Service) take(tr *tracked, uuid string, t *task.Task, held bool) error {
	if err := t.OnCancel(func(ctx context.Context, reason string) error { return s.cancelTask(ctx, t, reason) }); err != nil {
		return err
	}
	t.SetStatus(func() any { return statusOf(s.store.View(), uuid) })
	tr.tasks = append(tr.tasks, &shown{t, held})
	return nil
}

// track gives the task of a request to the operation that it is about to record. A task that was cancelled refuses.
func (s *Service) track(ctx context.Context, uuid, kind, repo string) error {
	t := task.FromContext(ctx)
	if t == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tr := &tracked{kind: kind, repo: repo}
	if err := s.take(tr, uuid, t, true); err != nil {
		return cancelledError("%v before anything began", err)
	}
	s.tracked[uuid] = tr
	return nil
}

// record writes the record of an operation that the task of the request shows from then on.
func (s *Service) record(ctx context.Context, uuid, kind, repo string, update func(*state.Tx) error) error {
	if err := s.track(ctx, uuid, kind, repo); err != nil {
		return err
	}
	if err := s.store.Update(ctx, update); err != nil {
		s.untrack(uuid)
		return err
	}
	s.wasRecorded(ctx, uuid, uuid)
	return nil
}

// untrack takes back track: the operation was not recorded.
func (s *Service) untrack(uuid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tr := s.tracked[uuid]; tr != nil && !tr.recorded {
		delete(s.tracked, uuid)
	}
}

// wasRecorded says that an operation which is tracked was recorded, as the operation to: that is another one where a request joined it.
// If it was cancelled meanwhile that is done now.
func (s *Service) wasRecorded(ctx context.Context, uuid, to string) {
	s.mu.Lock()
	tr := s.tracked[uuid]
	if tr == nil {
		s.mu.Unlock()
		return
	}
	reason := tr.cancelled
	tr.recorded, tr.cancelled = true, ""
	if to != uuid {
		delete(s.tracked, uuid)
		if joined := s.tracked[to]; joined != nil {
			joined.tasks = append(joined.tasks, tr.tasks...)
		} else {
			s.tracked[to] = tr
		}
		for _, t := range tr.tasks {
			t.SetStatus(func() any { return statusOf(s.store.View(), to) })
		}
	}
	s.mu.Unlock()
	if reason == "" {
		return
	}
	if err := s.cancelOperation(context.WithoutCancel(ctx), tr.kind, tr.repo, to, reason); err != nil {
		s.log.Warn("an operation goes on that was cancelled when it began", "operation", tr.kind, "repository", tr.repo, "error", err)
	}
}

// cancelTask cancels the operation that a task shows.
func (s *Service) cancelTask(ctx context.Context, t *task.Task, reason string) error {
	s.mu.Lock()
	for uuid, tr := range s.tracked {
		if !slices.ContainsFunc(tr.tasks, func(x *shown) bool { return x.Task == t }) {
			continue
		}
		if !tr.recorded {
			tr.cancelled = reason
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		return s.cancelOperation(ctx, tr.kind, tr.repo, uuid, reason)
	}
	s.mu.Unlock()
	return task.ErrNotFound
}

// LetGo is called when the request of a task is answered. It says whether an operation goes on that the task shows: then the service
// finishes it, else the caller does.
func (s *Service) LetGo(t *task.Task) bool {
	s.followTasks()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tr := range s.tracked {
		for _, x := range tr.tasks {
			if x.Task == t && tr.recorded {
				x.held = false
				return true
			}
		}
	}
	return false
}

// endTasks finishes what is still shown when the service ends.
func (s *Service) endTasks() {
	s.mu.Lock()
	all := s.tracked
	s.tracked = map[string]*tracked{}
	s.mu.Unlock()
	for _, tr := range all {
		for _, t := range tr.tasks {
			t.Finish(nil, task.ErrClosed)
		}
	}
}

// OperationStatus is the status of the task of an operation.
type OperationStatus struct {
	State string `json:"state"` // of its record: WAITING, INIT, STARTED, FINALIZING, ABORTED; CANCELLED if it is about to stop
	// Of its shards, where it has any. Done counts the failed ones too.
	Shards *OperationShards `json:"shards,omitempty"`
}

// OperationShards counts the shards of an operation.
type OperationShards struct {
	Total  int `json:"total"`
	Done   int `json:"done"`
	Failed int `json:"failed"`
}

// statusOf returns the status of an operation, or nil if it has ended.
func statusOf(v *state.View, uuid string) any {
	status := func(text, cancelled string) *OperationStatus {
		if cancelled != "" {
			text = "CANCELLED"
		}
		return &OperationStatus{State: text}
	}
	if j := v.SnapshotJob(uuid); j != nil {
		st := status(j.State, j.Cancelled)
		st.Shards = &OperationShards{Total: j.Shards}
		for _, p := range v.SnapshotShards(uuid) {
			st.Shards.Done += btoi(complete(p.State))
			st.Shards.Failed += btoi(complete(p.State) && p.State != shardSuccess)
		}
		return st
	}
	if d := v.SnapshotDeletion(uuid); d != nil {
		return status(d.State, d.Cancelled)
	}
	if r := v.Restore(uuid); r != nil {
		st := status(r.State, r.Cancelled)
		st.Shards = &OperationShards{Total: r.Shards}
		for _, p := range v.RestoreShards(uuid) {
			failure, done := partOutcome(v, p)
			st.Shards.Done += btoi(done)
			st.Shards.Failed += btoi(failure != "")
		}
		return st
	}
	for _, r := range v.Repositories() {
		if r.Cleanup != nil && r.Cleanup.UUID == uuid {
			return status(r.Cleanup.State, r.Cleanup.Cancelled)
		}
	}
	return nil
}
