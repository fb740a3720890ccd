package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/transfer"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// ShardNumbers are the numbers that a shard's part of a snapshot leaves for the status API. Times are in milliseconds.
type ShardNumbers struct {
	IncrementalFiles int   `json:"incremental_files"`
	IncrementalBytes int64 `json:"incremental_bytes"`
	TotalFiles       int   `json:"total_files"`
	TotalBytes       int64 `json:"total_bytes"`
	Start            int64 `json:"start"`
	Time             int64 `json:"time"`
}

func shardKey(p *state.SnapshotShard) string {
	return fmt.Sprintf("%s/%s/%d", p.JobUUID, p.IndexUUID, p.Shard)
}

// startShards begins this node's parts that are to be done and that it does not work on yet, and stops what was aborted.
func (s *Service) startShards(v *state.View) {
	for _, job := range v.SnapshotJobs() {
		for _, p := range v.SnapshotShards(job.UUID) {
			if p.Node != s.store.NodeID() {
				continue
			}
			key := shardKey(p)
			s.mu.Lock()
			run := s.running[key]
			switch {
			case p.State == shardInit && run == nil && job.State == jobStarted:
				ctx, cancel := context.WithCancel(s.ctx)
				run = &running{cancel: cancel, progress: &transfer.Progress{}, started: time.Now()}
				s.running[key] = run
				s.work.Go(func() {
					defer cancel()
					s.runShard(ctx, job, p, run)
				})
			case run != nil && job.State == jobAborted:
				run.cancel()
			}
			s.mu.Unlock()
		}
	}
}

// runShard does a shard's part and records what became of it.
func (s *Service) runShard(ctx context.Context, job *state.SnapshotJob, p *state.SnapshotShard, run *running) {
	defer func() {
		s.mu.Lock()
		delete(s.running, shardKey(p))
		s.mu.Unlock()
		s.wake()
	}()
	var generation string
	var numbers ShardNumbers
	err := store.Guard(func() (err error) {
		generation, numbers, err = s.snapshotShard(ctx, job, p, run)
		return err
	})
	if s.ctx.Err() != nil {
		return // the process ends; the next one does it again
	}
	uerr := s.store.Update(s.ctx, func(tx *state.Tx) error {
		cur := find(tx.SnapshotShards(job.UUID), p)
		if cur == nil || cur.State != shardInit {
			return nil
		}
		next := *cur
		switch {
		case err == nil:
			next.State, next.Generation = shardSuccess, generation
			raw, merr := json.Marshal(numbers)
			if merr != nil {
				return merr
			}
			next.Result = raw
		case ctx.Err() != nil:
			next.State, next.Reason = shardAborted, "aborted"
		default:
			next.State, next.Reason = shardFailed, err.Error()
		}
		tx.Put(&next)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("a shard could not be snapshotted", "snapshot", job.Name, "index", p.Index, "shard", p.Shard, "error", err)
	}
	if uerr != nil && s.ctx.Err() == nil {
		s.log.Error("the result of a shard's snapshot could not be recorded", "snapshot", job.Name, "index", p.Index, "shard", p.Shard, "error", uerr)
	}
}

func find(parts []*state.SnapshotShard, p *state.SnapshotShard) *state.SnapshotShard {
	for _, q := range parts {
		if q.IndexUUID == p.IndexUUID && q.Shard == p.Shard {
			return q
		}
	}
	return nil
}

// shardWait is how long a shard that is still recovering is waited for.
const shardWait = 5 * time.Minute

// snapshotShard commits the shard, uploads what the repository lacks, and writes the shard's lists under a new generation.
func (s *Service) snapshotShard(ctx context.Context, job *state.SnapshotJob, p *state.SnapshotShard, run *running) (string, ShardNumbers, error) {
	var none ShardNumbers
	started, err := s.node.WaitFor(ctx, shardWait, func(v *state.View) bool {
		r := v.Shard(p.IndexUUID, p.Shard)
		return r == nil || r.Primary() == nil || r.Primary().State == state.ShardStarted || r.Primary().State == state.ShardUnassigned
	})
	if err != nil || !started {
		return "", none, errors.Join(err, errors.New("the shard did not start"))
	}
	sh, err := s.node.Shard(p.Index, p.Shard)
	if err != nil {
		return "", none, err
	}
	o, err := s.open(job.Repository)
	if err != nil {
		return "", none, err
	}
	lim, err := s.limitsOf(o.record)
	if err != nil {
		return "", none, err
	}
	begin := time.Now()
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return "", none, s.describe(job.Repository, err)
	}
	if data.Generation != job.RepositoryGeneration {
		return "", none, moved(job, data.Generation)
	}
	id := data.ResolveIndex(p.Index, 0)
	id.ID = p.IndexID
	base := repository.NewGeneration
	if entry, ok := data.Index(p.Index); ok && entry.ID == p.IndexID {
		id = entry.IndexID
		base = entry.ShardGeneration(p.Shard)
	}
	rs, err := o.repo.Shard(ctx, id, p.Shard)
	if err != nil {
		return "", none, err
	}
	known, base, err := rs.FileIndex(ctx, base)
	if err != nil {
		return "", none, s.describe(job.Repository, err)
	}
	pin, err := sh.Pin(ctx)
	if err != nil {
		return "", none, err
	}
	defer pin.Release()
	up := transfer.Upload{Dir: pin.Directory(), Files: pin.Files(), WrittenBy: lucene.Written.String(), Shard: rs, Known: known,
		Parallel: 4, Limits: []*transfer.Limit{lim.snapshot}, Progress: run.progress}
	files, added, addedBytes, err := up.Run(ctx)
	if err != nil {
		return "", none, err
	}
	n := ShardNumbers{IncrementalFiles: added, IncrementalBytes: addedBytes, TotalFiles: len(files), Start: begin.UnixMilli(), Time: time.Since(begin).Milliseconds()}
	for _, f := range files {
		n.TotalBytes += f.Length
	}
	generation, err := rs.WriteSnapshot(ctx, repository.NewShardSnapshot{
		Snapshot: repository.SnapshotID{Name: job.Name, UUID: job.UUID}, BaseGeneration: base, IndexVersion: pin.Infos().Generation,
		StartTime: n.Start, Time: n.Time, IncrementalFiles: added, IncrementalSize: addedBytes, Files: files,
	})
	return generation, n, err
}
