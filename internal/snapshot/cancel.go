package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
)

// A cancel is written into the record of the operation, so that whoever does the operation then stops, also after a crash. What each
// leaves, and until when: docs/decisions/0017-cancel.md

// errStopped ends the context of work whose operation was cancelled.
var errStopped = errors.New("the operation was cancelled")

// cancelledError is what who waits for a cancelled operation is told.
func cancelledError(format string, args ...any) *apierr.Error {
	return apierr.New(http.StatusBadRequest, "task_cancelled_exception", format, args...)
}

// tooLate refuses a cancel.
func tooLate(format string, args ...any) error {
	return apierr.New(http.StatusConflict, "illegal_state_exception", format, args...)
}

// cancelOperation cancels an operation by its record. One that has ended, or that was cancelled already, is no error.
func (s *Service) cancelOperation(ctx context.Context, kind, repo, uuid, reason string) error {
	switch kind {
	case opSnapshot, opClone:
		return s.cancelJob(ctx, uuid, reason)
	case opDeletion:
		return s.cancelDeletion(ctx, uuid, reason)
	case opRestore:
		return s.cancelRestore(ctx, uuid, reason)
	case opCleanup:
		return s.cancelCleanup(ctx, repo, uuid, reason)
	}
	return fmt.Errorf("there is no cancel of a %s", kind)
}

// jobCancelled is how a snapshot or clone that was cancelled ended.
func jobCancelled(j *state.SnapshotJob, reason string) *apierr.Error {
	what := "snapshot"
	if j.CloneOf != "" {
		what = "clone"
	}
	return cancelledError("[%s:%s/%s] the %s was cancelled [%s]; what was written for it is removed", j.Repository, j.Name, j.UUID, what, reason)
}

// cancelJob ends a snapshot or a clone as its deletion would: what has not begun goes at once, what has is deleted.
func (s *Service) cancelJob(ctx context.Context, uuid, reason string) error {
	undo := state.NewUUID()
	notes := s.takeNotes()
	var dropped string
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		dropped = ""
		j := tx.SnapshotJob(uuid)
		if j == nil || j.State == jobAborted {
			return nil
		}
		marked := *j
		marked.Cancelled = reason
		if !abort(tx, &marked, "Snapshot was cancelled ["+reason+"]") {
			dropped = uuid
			end := jobCancelled(j, reason)
			notes.put(uuid, outcome{err: end})
			putCost(tx, noted(s.costOfJob(j), end, nil), resultCancelled)
			return nil
		}
		tx.Put(&state.SnapshotDeletion{UUID: undo, Repository: j.Repository, Snapshots: []string{j.UUID}, Names: []string{j.Name}, State: jobWaiting, Order: lastOrder(tx.View) + 1,
			Started: time.Now().UTC(), RepositoryGeneration: j.RepositoryGeneration, Undoes: true})
		return nil
	})
	notes.settle(err == nil, dropped)
	if err == nil && dropped != "" {
		s.unmeter(uuid)
	}
	return err
}

// deletionCancelled is how a deletion that was cancelled ended.
func deletionCancelled(d *state.SnapshotDeletion, reason string) *apierr.Error {
	return cancelledError("[%s:%s] the deletion was cancelled [%s] before it changed the repository: no snapshot was deleted", d.Repository, strings.Join(d.Names, ","), reason)
}

// cancelDeletion drops a deletion that waits, and stops one whose root is not written yet.
func (s *Service) cancelDeletion(ctx context.Context, uuid, reason string) error {
	notes := s.takeNotes()
	var dropped string
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		dropped = ""
		d := tx.SnapshotDeletion(uuid)
		switch {
		case d == nil || d.Cancelled != "":
		case d.Undoes:
			return tooLate("[%s:%s] this deletion removes what a cancelled snapshot wrote; it cannot be cancelled itself", d.Repository, strings.Join(d.Names, ","))
		case d.State == jobFinalizing:
			return tooLate("[%s:%s] the deletion cannot be cancelled any more: the repository does not name the snapshots from now on, and what only they needed is being removed", d.Repository, strings.Join(d.Names, ","))
		case d.State == jobWaiting:
			dropped = uuid
			end := deletionCancelled(d, reason)
			notes.put(uuid, outcome{err: end})
			putCost(tx, noted(s.costOf(d.UUID, opDeletion, d.Repository, d.Started, d.Names...), end, nil), resultCancelled)
			tx.Delete(d)
		default:
			next := *d
			next.Cancelled = reason
			tx.Put(&next)
		}
		return nil
	})
	notes.settle(err == nil, dropped)
	if err == nil && dropped != "" {
		s.unmeter(uuid)
	}
	return err
}

// cleanupCancelled is how a clean-up that was cancelled ended.
func cleanupCancelled(repo, reason string) *apierr.Error {
	return cancelledError("[%s] the clean-up was cancelled [%s] before it changed the repository: nothing was removed", repo, reason)
}

// cancelCleanup stops a clean-up whose root is not written yet.
func (s *Service) cancelCleanup(ctx context.Context, repo, uuid, reason string) error {
	return s.store.Update(ctx, func(tx *state.Tx) error {
		rec := tx.Repository(repo)
		if rec == nil || rec.Cleanup == nil || rec.Cleanup.UUID != uuid || rec.Cleanup.Cancelled != "" {
			return nil
		}
		if rec.Cleanup.State == jobFinalizing {
			return tooLate("[%s] the clean-up cannot be cancelled any more: what nothing refers to is being removed", repo)
		}
		next, c := *rec, *rec.Cleanup
		c.Cancelled = reason
		next.Cleanup = &c
		tx.Put(&next)
		return nil
	})
}

// restoreCancelled is how a restore that was cancelled ended.
func restoreCancelled(v *state.View, job *state.Restore) *apierr.Error {
	var kept []string
	for _, part := range v.RestoreShards(job.UUID) {
		if ix := v.IndexByUUID(part.IndexUUID); ix != nil && !slices.Contains(kept, ix.Name) {
			kept = append(kept, ix.Name)
		}
	}
	slices.Sort(kept)
	return cancelledError("[%s:%s/%s] the restore was cancelled [%s]: of %d indices those stay that were complete: %v; the others were deleted",
		job.Repository, job.Snapshot, job.SnapshotUUID, job.Cancelled, len(job.Indices), kept)
}

// cancelRestore deletes the indices of a restore that are not complete. The others stay.
func (s *Service) cancelRestore(ctx context.Context, uuid, reason string) error {
	return s.store.Update(ctx, func(tx *state.Tx) error {
		job := tx.Restore(uuid)
		if job == nil || job.Cancelled != "" {
			return nil
		}
		open := map[string]bool{} // by the indices' UUIDs
		for _, part := range tx.RestoreShards(uuid) {
			if _, done := partOutcome(tx.View, part); !done {
				open[part.IndexUUID] = true
			}
		}
		if len(open) == 0 {
			return tooLate("[%s:%s] the restore cannot be cancelled any more: all its indices are complete", job.Repository, job.Snapshot)
		}
		for _, d := range tx.DataStreams() {
			left := reduced(d, func(ix state.StreamIndex) bool { return !open[ix.UUID] })
			switch {
			case left == nil:
				tx.Delete(d)
			case len(left.Indices) < len(d.Indices):
				tx.Put(left)
			}
		}
		for index := range open {
			if ix := tx.IndexByUUID(index); ix != nil {
				if err := cluster.DeleteIndex(tx, ix.Name); err != nil {
					return err
				}
			}
		}
		next := *job
		next.Cancelled = reason
		tx.Put(&next)
		return nil
	})
}

// stoppable returns a context that ends when the operation is cancelled, until done is called.
func (s *Service) stoppable(ctx context.Context, uuid string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.doing[uuid] = cancel
	s.mu.Unlock()
	s.stopCancelled(s.store.View()) // it may be cancelled already
	return ctx, func() {
		s.mu.Lock()
		delete(s.doing, uuid)
		s.mu.Unlock()
		cancel(nil)
	}
}

// stopCancelled ends the work of this process on operations that were cancelled.
func (s *Service) stopCancelled(v *state.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for uuid, cancel := range s.doing {
		if d := v.SnapshotDeletion(uuid); d != nil && d.Cancelled != "" {
			cancel(errStopped)
		}
	}
	for _, r := range v.Repositories() {
		if r.Cleanup != nil && r.Cleanup.Cancelled != "" && s.doing[r.Cleanup.UUID] != nil {
			s.doing[r.Cleanup.UUID](errStopped)
		}
	}
}

// notes are outcomes of operations whose records an update removes. They are there before the records are gone, so that who waits
// for that finds them.
type notes struct {
	s       *Service
	settled chan struct{}
	uuids   []string
}

func (s *Service) takeNotes() *notes { return &notes{s: s, settled: make(chan struct{})} }

// put may be called in an update, which may run several times.
func (n *notes) put(uuid string, o outcome) {
	o.settled = n.settled
	n.s.endWith(uuid, o)
	n.uuids = append(n.uuids, uuid)
}

// settle lets those outcomes stand that the update came to, if it was made, and forgets the others.
func (n *notes) settle(made bool, stand ...string) {
	n.s.mu.Lock()
	for _, uuid := range n.uuids {
		if (!made || !slices.Contains(stand, uuid)) && n.s.ended[uuid].settled == n.settled {
			delete(n.s.ended, uuid)
		}
	}
	n.s.mu.Unlock()
	close(n.settled)
}
