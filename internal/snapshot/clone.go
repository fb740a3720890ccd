package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// CloneRequest describes a clone.
type CloneRequest struct {
	Repository, Source, Target string
	Indices                    []string // names, wildcards, -exclusions of the source's indices; not empty
	IgnoreUnavailable          bool
	ForbidNoIndices            bool // refuse wildcards that match nothing
}

// Clone copies a snapshot's indices into a new snapshot of the same repository, without their data, and returns when that is done.
func (s *Service) Clone(ctx context.Context, req CloneRequest) error {
	uuid := state.NewUUID()
	if err := s.beginClone(s.metered(ctx, uuid), uuid, req); err != nil {
		s.unmeter(uuid)
		return err
	}
	_, err := s.Wait(ctx, req.Repository, uuid)
	return err
}

func (s *Service) beginClone(ctx context.Context, uuid string, req CloneRequest) error {
	data, err := s.newJob(ctx, req.Repository, req.Target)
	if err != nil {
		return err
	}
	source, err := data.Snapshot(req.Source)
	if err != nil {
		return apierr.SnapshotMissing(req.Repository, req.Source)
	}
	var have []string
	for _, ix := range data.SnapshotIndices(source.SnapshotID) {
		have = append(have, ix.Name)
	}
	names, err := filterIndices(have, RestoreRequest{Repository: req.Repository, Snapshot: req.Source, Indices: req.Indices, IgnoreUnavailable: req.IgnoreUnavailable, ForbidNoIndices: req.ForbidNoIndices})
	if err != nil {
		return err
	}
	job := &state.SnapshotJob{UUID: uuid, Name: req.Target, Repository: req.Repository, State: jobInit, IncludeGlobalState: true,
		Started: time.Now().UTC(), RepositoryGeneration: data.Generation, CloneOf: source.Name, SourceUUID: source.UUID, CloneAll: slices.Contains(req.Indices, "*"), Trace: s.cfg.Tracer.NewJob(ctx)}
	if len(names) == 0 {
		return apierr.New(500, "snapshot_exception", "[%s:%s] No indices in the source snapshot [%s] matched requested pattern [%s]",
			req.Repository, source.SnapshotID, source.SnapshotID, strings.Join(req.Indices, ","))
	}
	for _, name := range names {
		ix, _ := data.Index(name) // it is in the snapshot
		job.Indices = append(job.Indices, state.SnapshotIndex{Name: name, ID: ix.ID, UUID: ix.ID, PathType: ix.ShardPathType})
	}
	return s.record(ctx, uuid, opClone, req.Repository, func(tx *state.Tx) error {
		if tx.Repository(req.Repository) == nil {
			return apierr.RepositoryMissing(req.Repository)
		}
		if err := free(tx.View, data, req.Repository, req.Target); err != nil {
			return err
		}
		for _, d := range tx.SnapshotDeletions() {
			if d.Repository == req.Repository && slices.Contains(d.Snapshots, source.UUID) {
				return concurrent(req.Repository, source.Name, "cannot clone from snapshot that is being deleted")
			}
		}
		var err error
		if job.Order, err = s.nextOrder(tx.View, req.Repository, req.Target); err != nil {
			return err
		}
		tx.Put(job)
		return nil
	})
}

// prepareClone finds out how many shards a clone has, and writes a record for each.
func (s *Service) prepareClone(ctx context.Context, job *state.SnapshotJob) error {
	indices := job.Indices
	parts, info, err := s.cloneParts(ctx, job)
	if err == nil && info.PinnedTimestamp != 0 {
		indices, err = s.allOfSource(ctx, job)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return s.drop(ctx, job, nil, nil, err)
	}
	return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
		cur := tx.SnapshotJob(job.UUID)
		if cur == nil || cur.State != jobInit {
			return nil
		}
		next := *cur
		next.State, next.Shards, next.Indices = jobStarted, len(parts), indices
		next.PinnedTimestamp, next.Shallow = info.PinnedTimestamp, info.Shallow()
		tx.Put(&next)
		for _, p := range parts {
			tx.Put(p)
		}
		return nil
	})
}

// allOfSource returns all indices of a source that pins a timestamp, whatever else than "*" was asked for, as a real node does.
func (s *Service) allOfSource(ctx context.Context, job *state.SnapshotJob) ([]state.SnapshotIndex, error) {
	o, err := s.open(job.Repository)
	if err != nil {
		return nil, err
	}
	data, _, err := s.settled(ctx, job.Repository, o)
	if err != nil {
		return nil, s.describe(job.Repository, err)
	}
	var out []state.SnapshotIndex
	for _, ix := range data.SnapshotIndices(repository.SnapshotID{Name: job.CloneOf, UUID: job.SourceUUID}) {
		out = append(out, state.SnapshotIndex{Name: ix.Name, ID: ix.ID, UUID: ix.ID, PathType: ix.ShardPathType})
	}
	return out, nil
}

// cloneParts returns what is to do for each shard, and the source's info. For one that pins a timestamp nothing is.
func (s *Service) cloneParts(ctx context.Context, job *state.SnapshotJob) ([]*state.SnapshotShard, *repository.SnapshotInfo, error) {
	o, err := s.open(job.Repository)
	if err != nil {
		return nil, nil, err
	}
	source := repository.SnapshotID{Name: job.CloneOf, UUID: job.SourceUUID}
	info, err := o.repo.SnapshotInfo(ctx, source)
	if err != nil {
		return nil, nil, s.describe(job.Repository, err)
	}
	if info.PinnedTimestamp != 0 {
		if !job.CloneAll {
			err = apierr.New(500, "snapshot_exception", "[%s:%s] Aborting clone for Snapshot-v2, only wildcard pattern '*' is supported for indices", job.Repository, job.Name)
		}
		return nil, info, err
	}
	for _, f := range info.Failures {
		if i := slices.IndexFunc(job.Indices, func(ix state.SnapshotIndex) bool { return ix.Name == f.Index }); i >= 0 {
			return nil, nil, snapshotError(job, "Can't clone index [[%s/%s]] because its snapshot was not successful.", f.Index, job.Indices[i].ID)
		}
	}
	data, _, err := s.settled(ctx, job.Repository, o)
	if err != nil {
		return nil, nil, s.describe(job.Repository, err)
	}
	counts := data.ShardCounts(info)
	shards := make([]int, len(job.Indices))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, ix := range job.Indices {
		if shards[i] = counts[ix.ID]; shards[i] > 0 {
			continue
		}
		g.Go(func() (err error) {
			shards[i], err = o.repo.ShardCount(gctx, data, source, ix.Name)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, s.describe(job.Repository, err)
	}
	var parts []*state.SnapshotShard
	for i, ix := range job.Indices {
		for n := range shards[i] {
			parts = append(parts, &state.SnapshotShard{JobUUID: job.UUID, Index: ix.Name, IndexUUID: ix.UUID, IndexID: ix.ID, PathType: ix.PathType, Shard: n, State: shardQueued})
		}
	}
	return parts, info, nil
}

// cloneShard writes a shard's lists for a clone or, where the source has a reference to a remote store, another such.
func (s *Service) cloneShard(ctx context.Context, job *state.SnapshotJob, p *state.SnapshotShard, run *running) (string, ShardNumbers, error) {
	rs, base, err := s.placeOf(ctx, job, p)
	if err != nil {
		return "", ShardNumbers{}, err
	}
	begin := time.Now()
	part := repository.CloneShard{
		Source: repository.SnapshotID{Name: job.CloneOf, UUID: job.SourceUUID}, Target: repository.SnapshotID{Name: job.Name, UUID: job.UUID},
		BaseGeneration: base, StartTime: begin.UnixMilli(), Time: time.Since(begin).Milliseconds(), Stale: []string{job.Name}, Batch: run.batch.Batch,
		GivenUp: func() bool { return find(s.store.View().SnapshotShards(job.UUID), p) == nil },
	}
	if job.Shallow {
		gen, snap, err := rs.CloneShallow(ctx, part)
		var ordinary *repository.MissingSnapshotError // an index without a remote store
		if err == nil {
			return gen, ShardNumbers{TotalFiles: snap.TotalFiles, TotalBytes: snap.TotalSize, Start: snap.StartTime, Time: snap.Time}, nil
		}
		if !errors.As(err, &ordinary) {
			return "", ShardNumbers{}, s.describe(job.Repository, err)
		}
	}
	gen, snap, err := rs.CloneSnapshot(ctx, part)
	if err != nil {
		return "", ShardNumbers{}, s.describe(job.Repository, err)
	}
	return gen, ShardNumbers{TotalFiles: len(snap.Files), TotalBytes: snap.TotalSize(), Start: snap.StartTime, Time: snap.Time}, nil
}

// placeOf returns a part's shard in the repository, and the generation to build on.
func (s *Service) placeOf(ctx context.Context, job *state.SnapshotJob, p *state.SnapshotShard) (*repository.Shard, string, error) {
	if len(p.Bases) == 0 {
		return nil, "", errors.New("the part began without a generation to build on")
	}
	o, err := s.open(job.Repository)
	if err != nil {
		return nil, "", err
	}
	rs, err := o.repo.Shard(ctx, repository.IndexID{Name: p.Index, ID: p.IndexID, ShardPathType: p.PathType}, p.Shard)
	if err != nil {
		return nil, "", fmt.Errorf("open the shard in the repository: %w", err)
	}
	return rs, p.Bases[len(p.Bases)-1], nil
}
