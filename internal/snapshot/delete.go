package snapshot

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/repository"
)

// Delete removes snapshots by names or wildcards, and returns when they are gone. One that is still being taken is aborted.
func (s *Service) Delete(ctx context.Context, repo string, patterns []string) error {
	o, err := s.open(repo)
	if err != nil {
		return err
	}
	if readOnly(o.record) {
		return repositoryError(repo, "cannot delete snapshot from a readonly repository")
	}
	aborted, err := s.abort(ctx, repo, patterns)
	if err != nil {
		return err
	}
	for _, uuid := range aborted {
		if _, err := s.store.WaitFor(ctx, func(v *state.View) bool { return v.SnapshotJob(uuid) == nil }); err != nil {
			return err
		}
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return s.describe(repo, err)
	}
	ids, err := chooseSnapshots(data, repo, patterns, len(aborted) > 0)
	if err != nil || len(ids) == 0 {
		return err
	}
	job := &state.SnapshotDeletion{UUID: state.NewUUID(), Repository: repo, State: jobWaiting, Started: time.Now().UTC(), RepositoryGeneration: data.Generation}
	for _, id := range ids {
		job.Snapshots = append(job.Snapshots, id.UUID)
		job.Names = append(job.Names, id.Name)
	}
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		for _, r := range tx.Restores() {
			if r.Repository == repo && slices.Contains(job.Snapshots, r.SnapshotUUID) {
				return apierr.New(http.StatusServiceUnavailable, "concurrent_snapshot_execution_exception",
					"[%s:%s/%s] cannot delete snapshot during a restore in progress", repo, r.Snapshot, r.SnapshotUUID)
			}
		}
		for _, d := range tx.SnapshotDeletions() { // the same one is already being deleted: it is waited for
			if d.Repository == repo && slices.Equal(d.Snapshots, job.Snapshots) {
				job = d
				return nil
			}
		}
		tx.Put(job)
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.waitJob(ctx, job.UUID, func(v *state.View) bool { return v.SnapshotDeletion(job.UUID) == nil })
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// abort marks snapshots under way that match as aborted, and returns their UUIDs.
func (s *Service) abort(ctx context.Context, repo string, patterns []string) ([]string, error) {
	var aborted []string
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		aborted = nil
		for _, j := range tx.SnapshotJobs() {
			if j.Repository != repo || len(wildcard.MatchNames([]string{j.Name}, patterns...)) == 0 {
				continue
			}
			next := *j
			next.State = jobAborted
			tx.Put(&next)
			aborted = append(aborted, j.UUID)
		}
		return nil
	})
	return aborted, err
}

// chooseSnapshots returns those that names or wildcards choose. A plain name that is not there is an error unless something else was found.
func chooseSnapshots(data *repository.Data, repo string, patterns []string, any bool) ([]repository.SnapshotID, error) {
	var out []repository.SnapshotID
	names := make([]string, 0, len(data.Snapshots))
	for _, e := range data.Snapshots {
		names = append(names, e.Name)
	}
	for _, p := range patterns {
		found := wildcard.MatchNames(names, p)
		if len(found) == 0 && !any {
			return nil, apierr.SnapshotMissing(repo, p)
		}
		for _, e := range data.Snapshots {
			if slices.Contains(found, e.Name) && !slices.Contains(out, e.SnapshotID) {
				out = append(out, e.SnapshotID)
			}
		}
	}
	return out, nil
}

// runDeletion does a deletion whose turn it is.
func (s *Service) runDeletion(ctx context.Context, job *state.SnapshotDeletion) error {
	err := s.deleteNow(ctx, job)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.end(job.UUID, nil, err)
	return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
		if d := tx.SnapshotDeletion(job.UUID); d != nil {
			tx.Delete(d)
		}
		return nil
	})
}

func (s *Service) deleteNow(ctx context.Context, job *state.SnapshotDeletion) error {
	o, err := s.open(job.Repository)
	if err != nil {
		return err
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return s.describe(job.Repository, err)
	}
	var ids []repository.SnapshotID
	for _, e := range data.Snapshots {
		if slices.Contains(job.Snapshots, e.UUID) {
			ids = append(ids, e.SnapshotID)
		}
	}
	if len(ids) == 0 { // done by a process that was killed before it could say so
		return nil
	}
	res, err := o.repo.Delete(ctx, data, ids)
	if err != nil {
		return s.describe(job.Repository, err)
	}
	for _, w := range res.Warnings {
		s.log.Warn("a deleted snapshot left blobs behind", "repository", job.Repository, "snapshots", job.Names, "error", w)
	}
	s.noteGeneration(ctx, job.Repository, res.Data.Generation)
	return nil
}
