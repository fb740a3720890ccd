package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/transfer"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/snapshotdir"
)

const shardFailure = "FAILURE"

// finishRestores ends restores whose shards are all started, or failed for good: their records go.
func (s *Service) finishRestores(ctx context.Context, v *state.View) error {
	for _, job := range v.Restores() {
		failures, done := restoreOutcome(v, job)
		if !done {
			continue
		}
		var cause error
		result := ""
		if job.Cancelled != "" {
			cause, result = restoreCancelled(v, job), resultCancelled
		} else if len(failures) > 0 {
			cause = &restoreFailures{failures}
			s.log.Warn("a restore lacks shards; they can be tried again alone with _cluster/reroute?retry_failed=true",
				"repository", job.Repository, "snapshot", job.Snapshot, "shards", len(failures), "first", failures[0].String())
		}
		cost := s.costOf(job.UUID, opRestore, job.Repository, job.Started, job.Snapshot)
		if result == "" {
			result = restoreResult(job.Shards, cause)
		} else {
			cost = noted(cost, cause, nil)
		}
		err := s.conclude(job.UUID, outcome{err: cause}, func() error {
			return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
				for _, part := range tx.RestoreShards(job.UUID) {
					tx.Delete(part)
				}
				if j := tx.Restore(job.UUID); j != nil {
					tx.Delete(j)
					putCost(tx, cost, result)
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
		s.settleCost(job.Trace, cost, result, cause)
	}
	return nil
}

// restoreOutcome returns the shards that failed, and whether none is still being restored.
func restoreOutcome(v *state.View, job *state.Restore) (failures []ShardFailure, done bool) {
	for _, part := range v.RestoreShards(job.UUID) {
		failure, done := partOutcome(v, part)
		if !done {
			return nil, false
		}
		if failure != "" {
			failures = append(failures, ShardFailure{part.Index, part.Shard, failure})
		}
	}
	return failures, true
}

// partOutcome returns whether a shard is not being restored any more, and why it failed if it did.
func partOutcome(v *state.View, part *state.RestoreShard) (failure string, done bool) {
	p := primaryOf(v.Shard(part.IndexUUID, part.Shard))
	switch {
	case part.State == shardFailure:
		return part.Reason, true
	case p == nil: // that cancels its restore
		return "index was deleted", true
	case p.Recovery != nil && p.Recovery.Type == state.RecoverExistingStore:
		// It was started, and its node left since: it comes back with that node. To bring it from the snapshot
		// again would undo what was written to it.
		return "", true
	case cluster.GivenUp(p):
		return p.Unassigned.Details, true
	}
	return "", p.State == state.ShardStarted
}

// source is a shard of a snapshot.
type source struct {
	*repository.Shard
	snap *repository.ShardSnapshot
	ops  *repository.Operations // that the files lack; nil: none
}

// sourceShard opens the folder of the shard that a recovery source names, with its files in the snapshot.
func (s *Service) sourceShard(ctx context.Context, src state.RecoverySource, n int) (*opened, *source, error) {
	o, err := s.open(src.Repository)
	if err != nil {
		return nil, nil, err
	}
	data, fresh, err := o.naming(ctx, src.SnapshotUUID)
	if err != nil {
		return nil, nil, s.describe(src.Repository, err)
	}
	from, err := shardIn(ctx, o, data, src, n)
	if err != nil && !fresh { // it may have been deleted since
		if data, err = o.repo.LoadData(ctx); err != nil {
			return nil, nil, s.describe(src.Repository, err)
		}
		from, err = shardIn(ctx, o, data, src, n)
	}
	if err != nil {
		return nil, nil, s.permanent(src.Repository, err)
	}
	return o, from, nil
}

// naming returns a root that names a snapshot, and whether it was read just now. What a snapshot holds does not change, so that any
// such root will do: of many shards that are restored only the first one looks for the newest.
func (o *opened) naming(ctx context.Context, uuid string) (data *repository.Data, fresh bool, err error) {
	select {
	case o.loading <- struct{}{}:
		defer func() { <-o.loading }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	if data, _ = o.kept(); data != nil && slices.ContainsFunc(data.Snapshots, func(e repository.SnapshotEntry) bool { return e.UUID == uuid }) {
		return data, false, nil
	}
	if data, err = o.repo.LoadData(ctx); err == nil {
		o.keep(data)
	}
	return data, true, err
}

// shardIn opens the shard that a recovery source names, as a root has it.
func shardIn(ctx context.Context, o *opened, data *repository.Data, src state.RecoverySource, n int) (*source, error) {
	id := repository.SnapshotID{Name: src.Snapshot, UUID: src.SnapshotUUID}
	entry, err := data.IndexIn(id, src.Index)
	if err != nil {
		return nil, err
	}
	rs, err := o.repo.Shard(ctx, entry.IndexID, n)
	if err != nil {
		return nil, err
	}
	snap, ops, err := rs.State(ctx, id)
	return &source{rs, snap, ops}, err
}

// permanent marks an error that the repository answers with each time.
func (s *Service) permanent(repo string, err error) error {
	var missing *repository.MissingSnapshotError
	var corrupt *repository.CorruptError
	again := s.describe(repo, err)
	if errors.As(err, &missing) || errors.As(err, &corrupt) || errors.Is(err, repository.ErrShallow) || apierr.Is(err, "not_implemented_exception") {
		return &cluster.PermanentError{Err: again}
	}
	return again
}

// RestoreShard implements cluster.Restorer.
func (s *Service) RestoreShard(ctx context.Context, job cluster.RestoreJob) error {
	if r := s.store.View().Restore(job.Source.RestoreUUID); r != nil { // else it ended without this shard, which is tried again
		ctx = s.inJob(ctx, r.UUID, r.Trace)
	}
	ctx, span := s.shardSpan(ctx, "restore shard", job.Source.Repository, job.Routing.Index, job.Routing.Shard)
	err := s.restoreShard(ctx, job)
	span.End(err)
	return err
}

func (s *Service) restoreShard(ctx context.Context, job cluster.RestoreJob) error {
	o, from, err := s.sourceShard(blob.WithPatience(ctx, storePatience), job.Source, job.Routing.Shard)
	if err != nil {
		return err
	}
	rs, snap := from.Shard, from.snap
	lim, err := s.limitsOf(job.Source.Repository)
	if err != nil {
		return err
	}
	d, err := store.OpenFS(job.Dir)
	if err != nil {
		return err
	}
	if done, err := s.restoreOld(ctx, job.Routing, &job.Source, rs, snap.Files, d, job.Recovery); done || err != nil {
		return err
	}
	if err := clearCommits(d, snap.Files); err != nil {
		return err
	}
	job.Recovery.Files.Reset()
	dl := &transfer.Download{Shard: rs, Files: snap.Files, Dir: d, Parallel: 4, Limits: lim.downloads(), Progress: &job.Recovery.Files}
	if err := dl.Look(ctx); err != nil { // what is there counts, also while the shard waits for its turn
		return err
	}
	retried := func(off int64, err error) {
		s.log.Info("a download broke off and goes on", "index", job.Routing.Index, "shard", job.Routing.Shard, "at", off, "error", err)
	}
	dl.Retry = transfer.DefaultRetry
	dl.Retry.Retried = retried
	stop := s.early(ctx, job, o, from, d, dl)
	err = s.download(ctx, dl)
	opened := stop(err)
	if err == nil && from.ops != nil {
		err = s.applyOperations(ctx, job, from.ops)
	}
	var missing *blob.Error
	if errors.As(err, &missing) && missing.Kind == blob.KindNotFound {
		err = &cluster.PermanentError{Err: err}
	}
	if err != nil && opened {
		return fmt.Errorf("the index was searched while its files arrived, which ended: %w", err)
	}
	return err
}

// applyOperations applies what the files of a shard lack, once they are there.
func (s *Service) applyOperations(ctx context.Context, job cluster.RestoreJob, ops *repository.Operations) error {
	index := job.Routing.Index
	if ix := s.store.View().IndexByUUID(job.Routing.IndexUUID); ix != nil {
		index = ix.Name
	}
	cfg, err := s.node.ShardConfig(index, job.Routing.IndexUUID, job.Routing.Shard)
	if err != nil {
		return err
	}
	n, err := ApplyOperations(ctx, ops, cfg, func() { job.Recovery.TranslogOps.Add(1) })
	if err == nil {
		s.log.Info("operations of the remote translog were applied", "index", index, "shard", job.Routing.Shard, "operations", n)
	}
	return err
}

// download waits until the node has room for another shard, and brings the files.
func (s *Service) download(ctx context.Context, dl *transfer.Download) error {
	release, ok := s.node.RestoreSlot(ctx.Done())
	if !ok {
		return ctx.Err()
	}
	defer release()
	if err := dl.Run(ctx); err != nil {
		return err
	}
	return s.rewriteNewer(ctx, dl.Dir)
}

// earlyAfter is how long files arrive before the index is opened over the repository: small ones are there sooner.
const earlyAfter = 200 * time.Millisecond

// early lets the shard be searched while its files arrive. The function that it returns is to be called when they are there, or
// failed to come; it says whether the shard was opened.
func (s *Service) early(ctx context.Context, job cluster.RestoreJob, o *opened, from *source, local store.Directory, dl *transfer.Download) (stop func(error) bool) {
	if job.Early == nil || !s.instant() || rewritten(job.Source) || from.ops != nil {
		return func(error) bool { return false }
	}
	blocks, err := s.node.Blocks()
	if err != nil {
		s.log.Warn("an index cannot be searched while it is restored", "index", job.Routing.Index, "error", err)
		return func(error) bool { return false }
	}
	// The directory outlives the restore: searches that began on it go on. It ends with the node, or with a restore that failed.
	dctx, dcancel := context.WithCancel(s.ctx)
	remote, err := snapshotdir.OpenFiles(dctx, from.Shard, from.snap.Files, blocks, space(o))
	if err != nil {
		dcancel()
		s.log.Warn("an index cannot be searched while it is restored", "index", job.Routing.Index, "error", err)
		return func(error) bool { return false }
	}
	landing := snapshotdir.NewLanding(remote, local)
	dl.Landed = landing.Landed
	ectx, ecancel := context.WithCancel(ctx)
	detach := context.AfterFunc(ctx, dcancel)
	opened := false
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-time.After(earlyAfter):
		case <-ectx.Done():
			return
		}
		if err := job.Early(ectx, landing); err == nil {
			opened = true
		} else if ectx.Err() == nil {
			s.log.Info("an index cannot be searched while it is restored", "index", job.Routing.Index, "shard", job.Routing.Shard, "error", err)
		}
	})
	return func(err error) bool {
		if err != nil {
			dcancel()
		}
		ecancel()
		wg.Wait()
		if detach(); !opened {
			dcancel()
		}
		return opened
	}
}

// space tells a repository's blocks from those of others.
func space(o *opened) string { return o.record.Name + "\x00" + o.store.String() }

// RemoteDirectory implements cluster.Restorer.
func (s *Service) RemoteDirectory(ctx context.Context, meta *state.Index, n int, rec *cluster.Recovery) (store.Directory, error) {
	text := func(key string) string { return meta.Settings.GetOr("index.searchable_snapshot."+key, "") }
	o, err := s.open(text("repository"))
	if err != nil {
		return nil, err
	}
	id := repository.IndexID{Name: meta.Name, ID: text("index.id"), ShardPathType: max(slices.Index(pathTypes, text("shard_path_type")), 0)}
	rs, err := o.repo.Shard(ctx, id, n)
	if err != nil {
		return nil, err
	}
	snap, err := rs.Files(ctx, repository.SnapshotID{Name: text("snapshot_id.name"), UUID: text("snapshot_id.uuid")})
	if err != nil {
		return nil, s.permanent(o.record.Name, err)
	}
	blocks, err := s.node.Blocks()
	if err != nil {
		return nil, err
	}
	rec.Files.Reset()
	for _, f := range snap.Files {
		rec.Files.Add(f.PhysicalName, f.Length, true)
	}
	return snapshotdir.OpenFiles(s.ctx, rs, snap.Files, blocks, space(o))
}

// clearCommits removes the commits of what the folder held before, so that a restore that is interrupted leaves none, and what
// the snapshot does not name.
func clearCommits(d *store.FSDirectory, files []repository.FileInfo) error {
	names, err := d.List()
	if err != nil {
		return err
	}
	for _, n := range names {
		keep := slices.ContainsFunc(files, func(f repository.FileInfo) bool { return f.PhysicalName == n })
		if strings.HasPrefix(n, "segments_") || strings.HasPrefix(n, "pending_segments_") || !keep && n != store.WriteLock {
			if err := d.Remove(n); err != nil {
				return err
			}
		}
	}
	return d.SyncMetadata()
}

// snapshotRemote is a shard's part of a snapshot where the index is one that stays in another snapshot's repository: as with
// OpenSearch none of its files is taken again.
func snapshotRemote(ctx context.Context, job *state.SnapshotJob, rs *repository.Shard, base string, begin time.Time) (string, ShardNumbers, error) {
	took := time.Since(begin).Milliseconds()
	generation, err := rs.WriteSnapshot(ctx, repository.NewShardSnapshot{Snapshot: repository.SnapshotID{Name: job.Name, UUID: job.UUID},
		BaseGeneration: base, StartTime: begin.UnixMilli(), Time: took})
	return generation, ShardNumbers{Start: begin.UnixMilli(), Time: took}, err
}

// refuseUsed refuses the deletion of snapshots in whose files an index is searched.
func refuseUsed(v *state.View, repo string, ids []repository.SnapshotID) error {
	var names []string
	for _, ix := range v.Indices() {
		uuid := ix.Settings.GetOr("index.searchable_snapshot.snapshot_id.uuid", "")
		for _, id := range ids {
			if cluster.RemoteSnapshot(ix) && id.UUID == uuid && !slices.Contains(names, id.Name) {
				names = append(names, id.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return apierr.New(http.StatusConflict, "snapshot_in_use_deletion_exception",
		"[%s:[%s]] These remote snapshots are backing some indices and hence can't be deleted! No snapshots were deleted.", repo, strings.Join(names, ", "))
}
