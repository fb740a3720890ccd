package snapshot

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// abortedText is OpenSearch's reason of a snapshot that was deleted while it was taken.
const abortedText = "Snapshot was aborted by deletion"

func snapshotError(job *state.SnapshotJob, format string, args ...any) *apierr.Error {
	e := apierr.New(http.StatusInternalServerError, "snapshot_exception", format, args...)
	e.Reason = "[" + job.Repository + ":" + job.Name + "/" + job.UUID + "] " + e.Reason
	return e
}

// finish writes a snapshot's end into the repository, and drops its records in the same step that notes the new root.
func (s *Service) finish(ctx context.Context, v *state.View, job *state.SnapshotJob, parts []*state.SnapshotShard) error {
	fctx, span := s.cfg.Tracer.Below(ctx, "finalize")
	info, data, err := s.finalize(fctx, v, job, parts)
	span.End(err)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.drop(ctx, job, info, data, err)
}

// finalize writes the snapshot's metadata and swings the root. A snapshot that is in the root already was finished by
// a process that was killed before it could drop the records.
func (s *Service) finalize(ctx context.Context, v *state.View, job *state.SnapshotJob, parts []*state.SnapshotShard) (*repository.SnapshotInfo, *repository.Data, error) {
	if job.CloneOf != "" {
		if i := slices.IndexFunc(parts, func(p *state.SnapshotShard) bool { return p.State != shardSuccess }); i >= 0 {
			return nil, nil, snapshotError(job, "shard [%s][%d] could not be cloned: %s", parts[i].Index, parts[i].Shard, parts[i].Reason)
		}
	}
	o, err := s.open(job.Repository)
	if err != nil {
		return nil, nil, err
	}
	var info *repository.SnapshotInfo
	var next *repository.Data
	err = s.onRoot(ctx, job.Repository, o, func(data *repository.Data, epoch int64) (err error) {
		info, next, err = s.finalizeOn(ctx, v, job, parts, o, data, epoch)
		return err
	})
	return info, next, s.describe(job.Repository, err)
}

// finalizeOn does it on a root.
func (s *Service) finalizeOn(ctx context.Context, v *state.View, job *state.SnapshotJob, parts []*state.SnapshotShard, o *opened, data *repository.Data, epoch int64) (*repository.SnapshotInfo, *repository.Data, error) {
	id := repository.SnapshotID{Name: job.Name, UUID: job.UUID}
	if e, err := data.Snapshot(job.Name); err == nil && e.UUID == job.UUID {
		info, err := o.repo.SnapshotInfo(ctx, id)
		return info, data, err
	}
	if job.Epoch != 0 && job.Epoch != epoch {
		return nil, nil, moved(job, data)
	}
	n, err := s.build(ctx, v, o.repo, job, parts, data)
	if err != nil {
		return nil, nil, err
	}
	if n.Info.PinnedTimestamp != 0 { // before the snapshot is seen: from then on its data must stay
		if err := o.repo.ClonePins(ctx, data, repository.SnapshotID{Name: job.CloneOf, UUID: job.SourceUUID}, id, n.Info.PinnedTimestamp); err != nil {
			return nil, nil, err
		}
	}
	res, err := o.repo.Finalize(ctx, data, *n)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range res.Warnings {
		s.log.Warn("a snapshot left blobs behind", "repository", job.Repository, "snapshot", job.Name, "error", w)
	}
	o.keep(res.Data)
	o.reserved.Do(func() {
		if err := o.repo.Reserve(ctx); err != nil {
			s.log.Warn("no space could be reserved for deletions on a full store", "repository", job.Repository, "error", err)
		}
	})
	o.wroteInfo(res.Info)
	return res.Info, res.Data, nil
}

// moved is the error of a repository that somebody else changed while a snapshot was taken.
func moved(job *state.SnapshotJob, data *repository.Data) error {
	return repositoryError(job.Repository, "concurrent modification of the repository: the snapshot [%s] began at generation [%d]; since then somebody else wrote generation [%d]%s",
		job.Name, job.RepositoryGeneration, data.Generation, writtenBy(data))
}

// drop removes the records of a snapshot that ended, and notes the new root if there is one. Snapshots whose shards were built
// on before they ended now stand in what was built on them.
func (s *Service) drop(ctx context.Context, job *state.SnapshotJob, info *repository.SnapshotInfo, data *repository.Data, cause error) error {
	if cause != nil {
		s.log.Warn("a snapshot failed", "repository", job.Repository, "snapshot", job.Name, "error", cause)
	}
	leaves := s.leaves(job, info, cause)
	cost, result := noted(s.costOfJob(job), cause, nil), resultOf(info, cause)
	err := s.conclude(job.UUID, outcome{info: info, err: cause}, func() error {
		return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
			noteEnd(tx, job.Repository, data, leaves)
			if data != nil {
				supersede(tx, job)
			}
			for _, p := range tx.SnapshotShards(job.UUID) {
				tx.Delete(p)
			}
			if j := tx.SnapshotJob(job.UUID); j != nil {
				if j.Cancelled != "" { // perhaps after its end had begun
					end := jobCancelled(j, j.Cancelled)
					s.amend(job.UUID, end)
					cost, result = noted(cost, end, nil), resultCancelled
				}
				tx.Delete(j)
				putCost(tx, cost, result)
			}
			return nil
		})
	})
	if err == nil {
		s.settleCost(job.Trace, cost, result, cause)
	}
	return err
}

// supersede gives the shards on which a finished job built its own the job's generation: it is in the root, and it holds theirs.
func supersede(tx *state.Tx, job *state.SnapshotJob) {
	mine := map[place]*state.SnapshotShard{}
	for _, p := range tx.SnapshotShards(job.UUID) {
		if p.State == shardSuccess {
			mine[place{p.Index, p.Shard}] = p
		}
	}
	for _, other := range tx.SnapshotJobs() {
		if other.Repository != job.Repository || other.UUID == job.UUID || other.Epoch != job.Epoch {
			continue
		}
		for _, p := range tx.SnapshotShards(other.UUID) {
			m := mine[place{p.Index, p.Shard}]
			if m == nil || p.State != shardSuccess || !slices.Contains(m.Bases, p.Generation) {
				continue
			}
			next := *p
			next.Generation = m.Generation
			tx.Put(&next)
		}
	}
}

// build puts together what Finalize writes.
func (s *Service) build(ctx context.Context, v *state.View, repo *repository.Repository, job *state.SnapshotJob, parts []*state.SnapshotShard, data *repository.Data) (*repository.NewSnapshot, error) {
	global := job.IncludeGlobalState
	n := &repository.NewSnapshot{Info: repository.SnapshotInfo{
		SnapshotID: repository.SnapshotID{Name: job.Name, UUID: job.UUID}, IncludeGlobalState: &global, Version: repository.WriteVersion,
		StartTime: job.Started.UnixMilli(), EndTime: time.Now().UnixMilli(), TotalShards: len(parts), State: repository.StateSuccess,
	}}
	var err error
	if job.CloneOf != "" {
		err = buildClone(ctx, v, repo, job, parts, data, n)
	} else {
		err = buildSnapshot(v, job, parts, data, n)
	}
	if err != nil {
		return nil, err
	}
	for _, x := range n.Indices {
		n.Info.Indices = append(n.Info.Indices, x.Index.Name)
	}
	slices.Sort(n.Info.Indices)
	if job.CloneOf != "" {
		return n, nil
	}
	for _, p := range parts {
		if p.State == shardSuccess {
			n.Info.SuccessfulShards++
			continue
		}
		n.Info.Failures = append(n.Info.Failures, repository.ShardFailure{
			Index: p.Index, Shard: p.Shard, Reason: p.Reason, NodeID: p.Node, Status: "INTERNAL_SERVER_ERROR"})
	}
	if len(n.Info.Failures) > 0 {
		n.Info.State = repository.StatePartial
	}
	if job.State == jobAborted {
		n.Info.State, n.Info.Reason = repository.StateFailed, job.Failure
	}
	return n, nil
}

// finalIndex puts together an index from its parts.
func finalIndex(v *state.View, job *state.SnapshotJob, ji state.SnapshotIndex, meta *repository.IndexMetadata, parts []*state.SnapshotShard, data *repository.Data) repository.FinalizeIndex {
	id := repository.IndexID{Name: ji.Name, ID: ji.ID, ShardPathType: ji.PathType}
	if e, ok := data.Index(ji.Name); ok && (e.ID == ji.ID || ji.ID == "") {
		id = e.IndexID
	}
	if id.ID == "" { // no part of it ever began, but those of another snapshot may have
		id = resolveIndex(data, activeJobs(queueOf(v, job.Repository)), ji.Name, 0)
	}
	fi := repository.FinalizeIndex{Index: id, Metadata: meta, Generations: make([]string, meta.Shards()), Bases: make([][]string, meta.Shards())}
	for _, p := range parts {
		if p.IndexUUID == ji.UUID && p.State == shardSuccess && p.Shard < len(fi.Generations) {
			fi.Generations[p.Shard], fi.Bases[p.Shard] = p.Generation, p.Bases
		}
	}
	return fi
}

func buildSnapshot(v *state.View, job *state.SnapshotJob, parts []*state.SnapshotShard, data *repository.Data, n *repository.NewSnapshot) (err error) {
	if n.Info.UserMetadata, err = parseUserMetadata(job.UserMetadata); err != nil {
		return err
	}
	for _, ji := range job.Indices {
		ix := v.IndexByUUID(ji.UUID)
		if ix == nil { // deleted meanwhile, which only a partial or an aborted snapshot allows
			continue
		}
		meta, err := indexMetadata(ix)
		if err != nil {
			return err
		}
		n.Indices = append(n.Indices, finalIndex(v, job, ji, meta, parts, data))
	}
	if job.IncludeGlobalState {
		if n.Global, err = globalMetadata(v); err != nil {
			return err
		}
	}
	addStreams(v, job, n)
	return nil
}

// buildClone takes the metadata from the source.
func buildClone(ctx context.Context, v *state.View, repo *repository.Repository, job *state.SnapshotJob, parts []*state.SnapshotShard, data *repository.Data, n *repository.NewSnapshot) (err error) {
	source := repository.SnapshotID{Name: job.CloneOf, UUID: job.SourceUUID}
	n.Info.UserMetadata = smile.NewObject()
	n.Info.TotalShards = 0 // a real node counts no shards of a clone, but for one that pins a timestamp
	if job.Shallow || job.PinnedTimestamp != 0 {
		info, err := repo.SnapshotInfo(ctx, source)
		if err != nil {
			return err
		}
		n.Info.PinnedTimestamp, n.Info.ShallowCopy, n.Info.Version = info.PinnedTimestamp, info.ShallowCopy, info.Version
		if info.PinnedTimestamp != 0 {
			n.Info.TotalShards, n.Info.SuccessfulShards = info.TotalShards, info.TotalShards
		}
	}
	for _, ji := range job.Indices {
		meta, err := repo.IndexMetadata(ctx, data, source, ji.Name)
		if err != nil {
			return err
		}
		n.Indices = append(n.Indices, finalIndex(v, job, ji, meta, parts, data))
	}
	if n.Global, err = repo.GlobalMetadata(ctx, source); err != nil {
		return err
	}
	return cloneStreams(n)
}
