package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// manage brings each repository's oldest job a step on. It runs on the elected manager only.
func (s *Service) manage(v *state.View) error {
	var errs []error
	for _, r := range v.Repositories() {
		jobs := jobsOf(v, r.Name)
		if len(jobs) == 0 {
			continue
		}
		var err error
		switch job := jobs[0].(type) {
		case *state.SnapshotJob:
			err = s.advance(s.ctx, v, job)
		case *state.SnapshotDeletion:
			err = s.runDeletion(s.ctx, job)
		}
		errs = append(errs, err)
	}
	errs = append(errs, s.finishRestores(s.ctx, v))
	return errors.Join(errs...)
}

// advance lets the shards of a snapshot begin, or finishes it when all parts are there.
func (s *Service) advance(ctx context.Context, v *state.View, job *state.SnapshotJob) error {
	parts := v.SnapshotShards(job.UUID)
	queued, open := false, false
	for _, p := range parts {
		queued = queued || p.State == shardQueued
		open = open || p.State == shardInit
	}
	switch {
	case job.State == jobAborted:
		if open && s.anyRunning(job.UUID) {
			return nil
		}
		return s.drop(ctx, job, nil, apierr.New(500, "snapshot_exception", "[%s:%s/%s] Snapshot was aborted by deletion", job.Repository, job.Name, job.UUID))
	case queued:
		return s.begin(ctx, job)
	case open:
		return s.failLost(ctx, v, parts)
	}
	info, err := s.finalize(ctx, v, job, parts)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.drop(ctx, job, info, err)
}

// begin lets the shards of a snapshot whose turn it is start. Only now is it known which indices the repository has.
func (s *Service) begin(ctx context.Context, job *state.SnapshotJob) error {
	o, err := s.open(job.Repository)
	if err != nil {
		return s.drop(ctx, job, nil, err)
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return s.drop(ctx, job, nil, s.describe(job.Repository, err))
	}
	next := *job
	next.RepositoryGeneration = data.Generation
	next.Indices = slices.Clone(job.Indices)
	ids := map[string]string{}
	for i, ix := range next.Indices {
		id := data.ResolveIndex(ix.Name, 0)
		next.Indices[i].ID, ids[ix.UUID] = id.ID, id.ID
		meta := s.store.View().IndexByUUID(ix.UUID)
		if meta == nil {
			continue
		}
		if err := o.repo.PrepareIndex(ctx, data, id, meta.NumberOfShards); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return s.drop(ctx, job, nil, s.describe(job.Repository, err))
		}
	}
	return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
		if cur := tx.SnapshotJob(job.UUID); cur == nil || cur.State != jobStarted {
			return nil
		}
		tx.Put(&next)
		for _, p := range tx.SnapshotShards(job.UUID) {
			if p.State != shardQueued {
				continue
			}
			part := *p
			part.State, part.IndexID = shardInit, ids[p.IndexUUID]
			if r := tx.Shard(p.IndexUUID, p.Shard); primaryOf(r) == nil || primaryOf(r).Node == "" {
				part.State, part.Reason = shardFailed, "the index was deleted, or its primary has no node, before the snapshot began"
			} else {
				part.Node = primaryOf(r).Node
			}
			tx.Put(&part)
		}
		return nil
	})
}

// moved is the error of a repository that somebody else changed while a snapshot was taken.
func moved(job *state.SnapshotJob, now int64) error {
	return repositoryError(job.Repository, "concurrent modification of the repository: generation [%d] was expected and [%d] is there; another cluster wrote to it",
		job.RepositoryGeneration, now)
}

func (s *Service) anyRunning(jobUUID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.running {
		if len(key) > len(jobUUID) && key[:len(jobUUID)] == jobUUID {
			return true
		}
	}
	return false
}

// failLost gives up parts whose index or node is gone.
func (s *Service) failLost(ctx context.Context, v *state.View, parts []*state.SnapshotShard) error {
	for _, p := range parts {
		if p.State != shardInit || v.IndexByUUID(p.IndexUUID) != nil && v.Node(p.Node) != nil {
			continue
		}
		err := s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
			cur := find(tx.SnapshotShards(p.JobUUID), p)
			if cur == nil || cur.State != shardInit {
				return nil
			}
			next := *cur
			next.State, next.Reason = shardFailed, "the index was deleted, or the node that held the shard left the cluster"
			tx.Put(&next)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// drop removes the records of a snapshot that ended.
func (s *Service) drop(ctx context.Context, job *state.SnapshotJob, info *repository.SnapshotInfo, cause error) error {
	s.end(job.UUID, info, cause)
	if cause != nil {
		s.log.Warn("a snapshot failed", "repository", job.Repository, "snapshot", job.Name, "error", cause)
	}
	return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
		for _, p := range tx.SnapshotShards(job.UUID) {
			tx.Delete(p)
		}
		if j := tx.SnapshotJob(job.UUID); j != nil {
			tx.Delete(j)
		}
		return nil
	})
}

// finalize writes the snapshot's metadata and swings the root. A snapshot that is in the root already was finished by
// a process that was killed before it could drop the records.
func (s *Service) finalize(ctx context.Context, v *state.View, job *state.SnapshotJob, parts []*state.SnapshotShard) (*repository.SnapshotInfo, error) {
	o, err := s.open(job.Repository)
	if err != nil {
		return nil, err
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return nil, s.describe(job.Repository, err)
	}
	id := repository.SnapshotID{Name: job.Name, UUID: job.UUID}
	if e, err := data.Snapshot(job.Name); err == nil && e.UUID == job.UUID {
		return o.repo.SnapshotInfo(ctx, id)
	}
	if data.Generation != job.RepositoryGeneration {
		return nil, moved(job, data.Generation)
	}
	n, err := s.build(v, job, parts, data)
	if err != nil {
		return nil, err
	}
	res, err := o.repo.Finalize(ctx, data, *n)
	if err != nil {
		return nil, s.describe(job.Repository, err)
	}
	for _, w := range res.Warnings {
		s.log.Warn("a snapshot left blobs behind", "repository", job.Repository, "snapshot", job.Name, "error", w)
	}
	s.noteGeneration(ctx, job.Repository, res.Data.Generation)
	return &n.Info, nil
}

// noteGeneration records the repository's generation, for people to see.
func (s *Service) noteGeneration(ctx context.Context, repo string, generation int64) {
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		r := tx.Repository(repo)
		if r == nil {
			return nil
		}
		next := *r
		next.Generation, next.PendingGeneration = generation, generation
		tx.Put(&next)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("the generation of a repository could not be recorded", "repository", repo, "error", err)
	}
}

// build puts together what Finalize writes.
func (s *Service) build(v *state.View, job *state.SnapshotJob, parts []*state.SnapshotShard, data *repository.Data) (*repository.NewSnapshot, error) {
	now := time.Now().UnixMilli()
	global := job.IncludeGlobalState
	n := &repository.NewSnapshot{Info: repository.SnapshotInfo{
		SnapshotID: repository.SnapshotID{Name: job.Name, UUID: job.UUID}, IncludeGlobalState: &global,
		Version: repository.WriteVersion, StartTime: job.Started.UnixMilli(), EndTime: now, TotalShards: len(parts), State: repository.StateSuccess,
	}}
	var err error
	if n.Info.UserMetadata, err = parseUserMetadata(job.UserMetadata); err != nil {
		return nil, err
	}
	for _, ji := range job.Indices {
		ix := v.IndexByUUID(ji.UUID)
		if ix == nil { // deleted meanwhile, which only a partial snapshot allows
			continue
		}
		meta, err := indexMetadata(ix)
		if err != nil {
			return nil, err
		}
		id := repository.IndexID{Name: ji.Name, ID: ji.ID}
		if e, ok := data.Index(ji.Name); ok && e.ID == ji.ID {
			id = e.IndexID
		}
		fi := repository.FinalizeIndex{Index: id, Metadata: meta, Generations: make([]string, ix.NumberOfShards)}
		for _, p := range parts {
			if p.IndexUUID == ji.UUID && p.State == shardSuccess {
				fi.Generations[p.Shard] = p.Generation
			}
		}
		n.Indices = append(n.Indices, fi)
		n.Info.Indices = append(n.Info.Indices, ji.Name)
	}
	for _, p := range parts {
		if p.State == shardSuccess {
			n.Info.SuccessfulShards++
			continue
		}
		n.Info.Failures = append(n.Info.Failures, repository.ShardFailure{
			Index: p.Index, Shard: p.Shard, Reason: p.Reason, NodeID: p.Node, Status: "INTERNAL_SERVER_ERROR"})
	}
	slices.Sort(n.Info.Indices)
	if failed := len(n.Info.Failures); failed > 0 {
		n.Info.State = repository.StatePartial
		if n.Info.SuccessfulShards == 0 || !job.Partial {
			n.Info.State = repository.StateFailed
			n.Info.Reason = fmt.Sprintf("Indices don't have primary shards or failed: %d of %d shards", failed, len(parts))
		}
	}
	if job.IncludeGlobalState {
		if n.Global, err = globalMetadata(v); err != nil {
			return nil, err
		}
	}
	return n, nil
}
