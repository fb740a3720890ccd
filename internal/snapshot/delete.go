package snapshot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/repository"
)

// Delete removes snapshots by names or wildcards, and returns when they are gone. One that is still being taken is aborted.
// The warnings tell of blobs that could not be removed.
func (s *Service) Delete(ctx context.Context, repo string, patterns []string) (warnings []error, err error) {
	o, err := s.open(repo)
	if err != nil {
		return nil, err
	}
	if readOnly(o.record) {
		return nil, s.refuseDeletion(ctx, o, patterns)
	}
	uuid, wait := state.NewUUID(), ""
	defer func() {
		if wait != uuid { // none began, or one that was there already takes it on
			s.unmeter(uuid)
		}
	}()
	before := s.store.View()
	data, err := o.rootAsked(s.metered(ctx, uuid))
	if err != nil {
		return nil, s.describe(repo, err)
	}
	if err := s.peek(ctx, o, before, data); err != nil {
		return nil, err
	}
	if err := s.track(ctx, uuid, opDeletion, repo); err != nil {
		return nil, err
	}
	var dropped, ids []string
	trace, notes := s.cfg.Tracer.NewJob(ctx), s.takeNotes()
	err = s.store.Update(ctx, func(tx *state.Tx) (err error) {
		var jobs []*state.SnapshotJob
		wait, jobs, err = s.putDeletion(tx, data, repo, patterns, uuid, trace)
		dropped = nil
		for _, j := range jobs {
			notes.put(j.UUID, outcome{err: snapshotError(j, abortedText)})
			dropped = append(dropped, j.UUID)
		}
		if d := tx.SnapshotDeletion(wait); d != nil {
			ids = d.Snapshots
		}
		return err
	})
	notes.settle(err == nil, dropped...)
	if err != nil || wait == "" {
		s.untrack(uuid)
	}
	if err != nil {
		return nil, err
	}
	for _, uuid := range dropped {
		s.unmeter(uuid)
	}
	if wait == "" {
		return nil, nil
	}
	s.wasRecorded(ctx, uuid, wait)
	out, err := s.waitOutcome(ctx, wait, func(v *state.View) bool { return v.SnapshotDeletion(wait) == nil })
	if errors.Is(err, errGone) {
		return s.deletedElsewhere(ctx, repo, wait, ids)
	}
	return out.warnings, err
}

// deletedElsewhere returns how a deletion ended that another manager finished: as it is recorded, and if it is not any more, by
// what the repository holds.
func (s *Service) deletedElsewhere(ctx context.Context, repo, uuid string, ids []string) (warnings []error, err error) {
	if err := s.cancelledElsewhere(uuid); err != nil {
		return nil, err
	}
	if rec := s.recorded(uuid); rec != nil {
		for _, w := range rec.Warnings {
			warnings = append(warnings, errors.New(w))
		}
		if rec.Result == resultFailed {
			err = repositoryError(repo, "the deletion failed on another node: %s", rec.Reason)
		}
		return warnings, err
	}
	_, data, err := s.rootNow(ctx, repo)
	if err != nil {
		return nil, err
	}
	for _, e := range data.Snapshots {
		if slices.Contains(ids, e.UUID) {
			return nil, repositoryError(repo, "the deletion ended on another node, and the snapshot [%s] is still there", e.SnapshotID)
		}
	}
	return nil, nil
}

// putDeletion aborts snapshots in progress that match, and writes the record of a deletion. It returns the UUID of the deletion
// to wait for, if any, and the jobs that it removed because nothing of them had begun. A new one gets the UUID and the token of the tracer that are given.
func (s *Service) putDeletion(tx *state.Tx, data *repository.Data, repo string, patterns []string, uuid, trace string) (string, []*state.SnapshotJob, error) {
	if tx.Repository(repo) == nil {
		return "", nil, apierr.RepositoryMissing(repo)
	}
	var jobs []*state.SnapshotJob
	for _, op := range queueOf(tx.View, repo) {
		if op.job != nil && slices.ContainsFunc(patterns, func(p string) bool { return settings.Match(p, op.job.Name) }) {
			jobs = append(jobs, op.job)
		}
	}
	ids, err := chooseSnapshots(data, repo, patterns, jobs)
	if err != nil {
		return "", nil, err
	}
	if err := refuseDeletion(tx.View, repo, ids); err != nil {
		return "", nil, err
	}
	var dropped []*state.SnapshotJob
	for _, j := range jobs {
		if abort(tx, j, abortedText) {
			ids = append(ids, repository.SnapshotID{Name: j.Name, UUID: j.UUID})
		} else {
			dropped = append(dropped, j)
		}
	}
	if len(ids) == 0 {
		return "", dropped, nil
	}
	next := &state.SnapshotDeletion{UUID: uuid, Repository: repo, State: jobWaiting, Started: time.Now().UTC(), RepositoryGeneration: data.Generation, Trace: trace}
	for _, d := range tx.SnapshotDeletions() {
		if d.Repository != repo || d.Cancelled != "" {
			continue
		}
		if !slices.ContainsFunc(ids, func(id repository.SnapshotID) bool { return !slices.Contains(d.Snapshots, id.UUID) }) {
			return d.UUID, dropped, nil // all of it is being deleted already
		}
		// What waits takes them on, unless it is to run before what is aborted now.
		if d.State == jobWaiting && !d.Undoes && !slices.ContainsFunc(jobs, func(j *state.SnapshotJob) bool { return j.Order > d.Order }) {
			c := *d
			c.Snapshots, c.Names = slices.Clone(d.Snapshots), slices.Clone(d.Names)
			next = &c
		}
	}
	for _, id := range ids {
		if !slices.Contains(next.Snapshots, id.UUID) {
			next.Snapshots, next.Names = append(next.Snapshots, id.UUID), append(next.Names, id.Name)
		}
	}
	if next.Order == 0 {
		if next.Order, err = s.nextOrder(tx.View, repo, ids[0].Name); err != nil {
			return "", nil, err
		}
	}
	tx.Put(next)
	return next.UUID, dropped, nil
}

// refuseDeletion refuses to delete what something else needs now.
func refuseDeletion(v *state.View, repo string, ids []repository.SnapshotID) error {
	first := ""
	if len(ids) > 0 {
		first = ids[0].String()
	}
	if r := v.Repository(repo); r.Cleanup != nil {
		return concurrent(repo, first, "cannot delete snapshots while a repository cleanup is in-progress in [%s]", r.Cleanup.UUID)
	}
	for _, id := range ids {
		for _, r := range v.Restores() {
			if r.Repository == repo && r.SnapshotUUID == id.UUID {
				return concurrent(repo, first, "cannot delete snapshot during a restore in progress in [%s]", r.UUID)
			}
		}
		for _, j := range v.SnapshotJobs() {
			if j.Repository == repo && j.SourceUUID == id.UUID {
				return concurrent(repo, id.String(), "cannot delete snapshot while it is being cloned")
			}
		}
	}
	return refuseUsed(v, repo, ids)
}

// abort stops a snapshot in progress. It says whether something of it has begun: then it is still finished, as failed, so that
// the deletion finds all that it wrote. Else, and for a clone, its records are removed; but what has all its parts may be in
// the root at any moment, and is finished too.
func abort(tx *state.Tx, j *state.SnapshotJob, why string) bool {
	parts := tx.SnapshotShards(j.UUID)
	begun := slices.ContainsFunc(parts, func(p *state.SnapshotShard) bool { return p.State != shardQueued })
	ending := j.State != jobInit && !slices.ContainsFunc(parts, func(p *state.SnapshotShard) bool { return !complete(p.State) })
	if !ending && (j.CloneOf != "" || !begun) {
		if rec := tx.Repository(j.Repository); begun && rec != nil {
			tx.Put(untidy(rec))
		}
		for _, p := range parts {
			tx.Delete(p)
		}
		tx.Delete(j)
		return false
	}
	next := *j
	next.State, next.Failure = jobAborted, why
	tx.Put(&next)
	for _, p := range parts {
		stopped := *p
		switch p.State {
		case shardQueued:
			stopped.State, stopped.Reason = shardFailed, "aborted by snapshot deletion"
		case shardInit:
			stopped.State, stopped.Reason = shardAborted, "aborted by snapshot deletion"
		default:
			continue
		}
		tx.Put(&stopped)
	}
	return true
}

// chooseSnapshots returns those that names or wildcards choose. A plain name that neither the root nor a job has is an error.
func chooseSnapshots(data *repository.Data, repo string, patterns []string, jobs []*state.SnapshotJob) ([]repository.SnapshotID, error) {
	var out []repository.SnapshotID
	names := make([]string, 0, len(data.Snapshots))
	for _, e := range data.Snapshots {
		names = append(names, e.Name)
	}
	for _, p := range patterns {
		var found []string
		if p != "_all" { // a real node deletes all for * only
			found = wildcard.MatchNames(names, p)
		}
		if len(found) == 0 && !strings.Contains(p, "*") && !slices.ContainsFunc(jobs, func(j *state.SnapshotJob) bool { return j.Name == p }) {
			return nil, apierr.SnapshotMissing(repo, p)
		}
		for _, e := range data.Snapshots {
			if slices.Contains(found, e.Name) && !slices.Contains(out, e.SnapshotID) &&
				!slices.ContainsFunc(jobs, func(j *state.SnapshotJob) bool { return j.UUID == e.UUID }) {
				out = append(out, e.SnapshotID)
			}
		}
	}
	return out, nil
}

// runDeletion does a deletion whose turn it is.
func (s *Service) runDeletion(ctx context.Context, job *state.SnapshotDeletion) error {
	leaves := job.State != jobWaiting                   // another attempt began, and did not come to its end
	if job.Cancelled == "" && job.State == jobWaiting { // the state tells that its snapshots may be gone from now on, and that nothing is added to it
		err := s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
			cur := tx.SnapshotDeletion(job.UUID)
			if cur == nil {
				return nil
			}
			next := *cur
			next.State = jobStarted
			tx.Put(&next)
			return nil
		})
		if err != nil {
			return err
		}
		if job = s.store.View().SnapshotDeletion(job.UUID); job == nil {
			return nil
		}
	}
	data, warnings, err := s.deleteUnlessCancelled(ctx, job)
	var lost *officeError
	if ctx.Err() != nil || errors.As(err, &lost) {
		return errors.Join(ctx.Err(), err)
	}
	result := resultOf(nil, err)
	if apierr.Is(err, "task_cancelled_exception") {
		result = resultCancelled
	}
	leaves = s.takeAbandoned(job.Repository) || leaves || err != nil || len(warnings) > 0
	cost := noted(s.costOf(job.UUID, opDeletion, job.Repository, job.Started, job.Names...), err, warnings)
	uerr := s.conclude(job.UUID, outcome{warnings: warnings, err: err}, func() error {
		return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
			noteEnd(tx, job.Repository, data, leaves)
			if d := tx.SnapshotDeletion(job.UUID); d != nil {
				tx.Delete(d)
				putCost(tx, cost, result)
			}
			return nil
		})
	})
	if uerr == nil {
		s.settleCost(job.Trace, cost, result, err)
	}
	return uerr
}

// officeError is the failure to record that a deletion is about to write the root: it is tried again, by whoever is the manager then.
type officeError struct{ error }

func (e *officeError) Unwrap() error { return e.error }

// deleteUnlessCancelled does a deletion, or returns the error of one that was cancelled in time.
func (s *Service) deleteUnlessCancelled(ctx context.Context, job *state.SnapshotDeletion) (*repository.Data, []error, error) {
	reason := func() string {
		if d := s.store.View().SnapshotDeletion(job.UUID); d != nil {
			return d.Cancelled
		}
		return ""
	}
	if why := reason(); why != "" { // a process before this one did not come to it
		return nil, nil, deletionCancelled(job, why)
	}
	wctx, done := s.stoppable(ctx, job.UUID)
	defer done()
	var lost error
	data, warnings, err := s.deleteNow(wctx, job, func(ctx context.Context) error {
		err := s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
			cur := tx.SnapshotDeletion(job.UUID)
			if cur == nil || cur.Cancelled != "" {
				return errStopped
			}
			next := *cur
			next.State = jobFinalizing
			tx.Put(&next)
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			lost = err
		}
		return err
	})
	switch {
	case err == nil:
	case reason() != "":
		err = deletionCancelled(job, reason())
	case lost != nil:
		err = &officeError{lost}
	}
	return data, warnings, err
}

func (s *Service) deleteNow(ctx context.Context, job *state.SnapshotDeletion, commit func(context.Context) error) (*repository.Data, []error, error) {
	o, err := s.open(job.Repository)
	if err != nil {
		return nil, nil, err
	}
	var res *repository.Result
	err = s.onRoot(ctx, job.Repository, o, func(data *repository.Data, _ int64) (err error) {
		var ids []repository.SnapshotID
		for _, e := range data.Snapshots {
			if slices.Contains(job.Snapshots, e.UUID) {
				ids = append(ids, e.SnapshotID)
			}
		}
		if len(ids) == 0 { // done by a process that was killed before it could say so, or never finished
			return nil
		}
		res, err = o.repo.DeleteWith(s.deleting(ctx), data, ids, repository.DeleteOptions{Commit: commit})
		return err
	})
	if err != nil || res == nil {
		return nil, nil, s.describe(job.Repository, err)
	}
	for _, w := range res.Warnings {
		s.log.Warn("a deleted snapshot left blobs behind", "repository", job.Repository, "snapshots", job.Names, "error", w)
	}
	o.keep(res.Data)
	return res.Data, res.Warnings, nil
}
