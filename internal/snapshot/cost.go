package snapshot

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// Operations whose requests are counted.
const (
	opSnapshot = "snapshot"
	opClone    = "clone"
	opRestore  = "restore"
	opDeletion = "deletion"
	opCleanup  = "cleanup"
)

// How an operation ended.
const (
	resultSuccess = "success"
	resultPartial = "partial"
	resultFailed  = "failed"
	// resultCancelled is that of what somebody cancelled as a task.
	resultCancelled = "cancelled"
)

// keptCosts is how many operations that have ended are remembered in the cluster state.
const keptCosts = 1000

// metered returns a context whose requests count for the operation with that UUID.
func (s *Service) metered(ctx context.Context, uuid string) context.Context {
	if uuid == "" {
		return ctx
	}
	return blob.Metered(ctx, s.meterOf(uuid))
}

func (s *Service) meterOf(uuid string) *blob.Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.meters[uuid]
	if n == nil {
		if len(s.meters) >= mostMeters { // work that went on after its operation had ended began them anew
			s.forgetMeters(s.store.View())
		}
		n = &blob.Counters{}
		s.meters[uuid] = n
	}
	return n
}

// mostMeters is how many operations are counted before those are forgotten that have no record.
const mostMeters = 5000

func (s *Service) forgetMeters(v *state.View) {
	for uuid := range s.meters {
		if v.SnapshotJob(uuid) == nil && v.Restore(uuid) == nil && v.SnapshotDeletion(uuid) == nil {
			delete(s.meters, uuid)
		}
	}
}

// unmeter forgets what an operation sent, after it was recorded, or because it did not begin.
func (s *Service) unmeter(uuid string) {
	s.mu.Lock()
	delete(s.meters, uuid)
	s.mu.Unlock()
}

// Cost is what an operation sent to its store.
type Cost struct {
	state.OperationCost
	Running bool // it has not ended: the numbers are those of now
}

func (s *Service) costOf(uuid, operation, repo string, started time.Time, snapshots ...string) *state.OperationCost {
	st := s.meterOf(uuid).Stats()
	return &state.OperationCost{UUID: uuid, Operation: operation, Repository: repo, Snapshots: snapshots, Started: started.UTC(), Ended: time.Now().UTC(),
		Requests: st.Requests, BytesIn: st.BytesIn, BytesOut: st.BytesOut, Retries: st.Retries, Throttles: st.Throttles, Errors: st.Errors,
		Incomplete: started.Before(s.began)}
}

func (s *Service) costOfJob(j *state.SnapshotJob) *state.OperationCost {
	if j.CloneOf != "" {
		return s.costOf(j.UUID, opClone, j.Repository, j.Started, j.Name)
	}
	c := s.costOf(j.UUID, opSnapshot, j.Repository, j.Started, j.Name)
	c.Policy = policyOf(j.UserMetadata)
	return c
}

func resultOf(info *repository.SnapshotInfo, err error) string {
	switch {
	case err != nil || info != nil && info.State == repository.StateFailed:
		return resultFailed
	case info != nil && info.State == repository.StatePartial:
		return resultPartial
	}
	return resultSuccess
}

// restoreResult is resultOf for a restore of so many shards.
func restoreResult(shards int, err error) string {
	var lacks *restoreFailures
	switch {
	case err == nil:
		return resultSuccess
	case errors.As(err, &lacks) && len(lacks.shards) < shards:
		return resultPartial
	}
	return resultFailed
}

// Bounds of what is recorded of how an operation ended.
const (
	longestReason = 500 // bytes
	mostWarnings  = 11  // one more than a response names
)

// noted adds to what is recorded of an operation why it failed, and what did not work although it did not fail.
func noted(c *state.OperationCost, err error, warnings []error) *state.OperationCost {
	short := func(err error) string {
		text := err.Error()
		return strings.ToValidUTF8(text[:min(len(text), longestReason)], "")
	}
	if err != nil {
		c.Reason = short(err)
	}
	for _, w := range warnings[:min(len(warnings), mostWarnings)] {
		c.Warnings = append(c.Warnings, short(w))
	}
	return c
}

// recorded returns how an operation ended that another process finished, or nil if that is not known any more.
func (s *Service) recorded(uuid string) *state.OperationCost {
	return recordedIn(s.store.View(), uuid)
}

func recordedIn(v *state.View, uuid string) *state.OperationCost {
	for _, c := range v.OperationCosts() {
		if c.UUID == uuid {
			return c
		}
	}
	return nil
}

// cancelledElsewhere returns the end of an operation as it is recorded, if that was a cancel.
func (s *Service) cancelledElsewhere(uuid string) error {
	if rec := s.recorded(uuid); rec != nil && rec.Result == resultCancelled {
		return cancelledError("%s", rec.Reason)
	}
	return nil
}

// putCost records the cost of an operation that ends with the same change, and drops the oldest beyond those that are kept.
func putCost(tx *state.Tx, c *state.OperationCost, result string) {
	if tx.Repository(c.Repository) == nil {
		return
	}
	next := *c
	next.Result = result
	all := tx.OperationCosts()
	if next.Operation == opDeletion {
		next.Policy = policyOfDeletion(all, next.Repository, next.Snapshots)
	}
	if more := len(all) + 1 - keptCosts; more > 0 {
		slices.SortFunc(all, func(a, b *state.OperationCost) int { return a.Ended.Compare(b.Ended) })
		for _, old := range all[:more] {
			tx.Delete(old)
		}
	}
	tx.Put(&next)
}

// dropCosts forgets the costs of a repository that is unregistered.
func dropCosts(tx *state.Tx, repo string) {
	for _, c := range tx.OperationCosts() {
		if c.Repository == repo {
			tx.Delete(c)
		}
	}
}

// Costs returns what operations on a repository sent to its store, those under way and then those that have ended, newest first.
// With a snapshot only what was done with it.
func (s *Service) Costs(repo, snapshot string) []Cost {
	v := s.store.View()
	var out []Cost
	running := func(c *state.OperationCost) { out = append(out, Cost{*c, true}) }
	for _, j := range v.SnapshotJobs() {
		running(s.costOfJob(j))
	}
	for _, j := range v.Restores() {
		running(s.costOf(j.UUID, opRestore, j.Repository, j.Started, j.Snapshot))
	}
	for _, j := range v.SnapshotDeletions() {
		c := s.costOf(j.UUID, opDeletion, j.Repository, j.Started, j.Names...)
		c.Policy = policyOfDeletion(v.OperationCosts(), j.Repository, j.Names)
		running(c)
	}
	if r := v.Repository(repo); r != nil && r.Cleanup != nil {
		running(s.costOf(r.Cleanup.UUID, opCleanup, repo, r.Cleanup.Started))
	}
	for _, c := range v.OperationCosts() {
		out = append(out, Cost{*c, false})
	}
	out = slices.DeleteFunc(out, func(c Cost) bool {
		return c.Repository != repo || snapshot != "" && !slices.Contains(c.Snapshots, snapshot)
	})
	slices.SortStableFunc(out, func(a, b Cost) int {
		if a.Running != b.Running {
			return cmp.Compare(btoi(b.Running), btoi(a.Running))
		}
		return b.Started.Compare(a.Started)
	})
	return out
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
