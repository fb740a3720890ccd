package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varve-search/varve/blob"
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
	here := map[string]bool{}
	for _, job := range v.SnapshotJobs() {
		for _, p := range v.SnapshotShards(job.UUID) {
			if p.Node != s.store.NodeID() || !atWork(p.State) {
				continue
			}
			key := shardKey(p)
			here[key] = p.State == shardInit
			s.mu.Lock()
			// A part that ended since v was taken is not in running any more, and the newest view shows its end.
			if s.running[key] == nil && stillAtWork(s.store.View(), p) {
				ctx, cancel := context.WithCancel(blob.WithPatience(s.ctx, storePatience))
				run := &running{cancel: cancel, progress: &transfer.Progress{}, started: time.Now(), batch: s.joinBatch(v, job.UUID)}
				s.running[key] = run
				s.work.Go(func() {
					defer cancel()
					defer s.leaveBatch(job.UUID, run.batch)
					s.runShard(s.inJob(ctx, job.UUID, job.Trace), job, p, run)
				})
			}
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, run := range s.running {
		if !here[key] { // aborted, or its job is gone
			run.cancel()
		}
	}
}

func stillAtWork(v *state.View, p *state.SnapshotShard) bool {
	cur := find(v.SnapshotShards(p.JobUUID), p)
	return cur != nil && atWork(cur.State)
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
	ctx, span := s.shardSpan(ctx, "snapshot shard", job.Repository, p.Index, p.Shard)
	err := store.Guard(func() (err error) {
		switch {
		case p.State == shardAborted: // before a process of this node began
			err = context.Canceled
		case job.CloneOf != "":
			generation, numbers, err = s.cloneShard(ctx, job, p, run)
		default:
			generation, numbers, err = s.snapshotShard(ctx, job, p, run)
		}
		if err == nil { // the record says that all of it is there to stay
			err = run.batch.Flush(ctx)
		}
		return err
	})
	span.End(err)
	if s.ctx.Err() != nil {
		return // the process ends; the next one does it again
	}
	uerr := s.store.Update(s.ctx, func(tx *state.Tx) error {
		cur := find(tx.SnapshotShards(job.UUID), p)
		if rec := tx.Repository(job.Repository); cur == nil && rec != nil && (err == nil || ctx.Err() == nil) {
			tx.Put(untidy(rec)) // the job is gone, and something of it came later
		}
		if cur == nil || !atWork(cur.State) || cur.Node != s.store.NodeID() {
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
		case cur.State == shardAborted:
			next.State, next.Reason = shardFailed, "aborted"
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

// uploadTries is how often an upload is begun whose blobs the store then does not show.
const uploadTries = 3

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
	lim, err := s.limitsOf(job.Repository)
	if err != nil {
		return "", none, err
	}
	begin := time.Now()
	rs, base, err := s.placeOf(ctx, job, p)
	if err != nil {
		return "", none, err
	}
	if err := s.preparePaths(ctx, job.Repository, p, base); err != nil {
		return "", none, err
	}
	known, base, err := rs.KnownIndex(ctx, base)
	if err != nil {
		return "", none, s.describe(job.Repository, err)
	}
	if sh.SearchOnly() {
		return snapshotRemote(ctx, job, rs, base, begin)
	}
	pin, err := sh.Pin(ctx)
	if err != nil {
		return "", none, err
	}
	defer pin.Release()
	up := transfer.Upload{Dir: pin.Directory(), Files: pin.Files(), WrittenBy: lucene.Written.String(), Shard: rs, Known: known,
		Parallel: 4, Limits: lim.uploads(), Progress: run.progress}
	n := repository.NewShardSnapshot{Snapshot: repository.SnapshotID{Name: job.Name, UUID: job.UUID}, BaseGeneration: base, Base: known,
		IndexVersion: pin.Infos().Generation, StateID: stateID(pin.Infos().UserData), StartTime: begin.UnixMilli(), Stale: []string{job.Name}, Batch: run.batch.Batch}
	for try := 1; ; try++ {
		var same bool
		if n.Files, same = sameState(known, n.StateID, up.Files); same && try == 1 {
			for _, f := range n.Files {
				run.progress.Add(f.PhysicalName, f.Length, true)
			}
		} else if n.Files, _, _, err = up.Run(ctx); err != nil {
			return "", none, err
		}
		n.IncrementalFiles, n.IncrementalSize = incremental(known, n.Files)
		n.Time = time.Since(begin).Milliseconds()
		generation, snap, err := rs.TakeSnapshot(ctx, n)
		if err != nil {
			return "", none, err
		}
		if same && snap.StartTime == n.StartTime && try == 1 { // what is unchanged was seen when it was brought
			return generation, numbersOf(snap), nil
		}
		unseen, err := rs.Unseen(ctx, n.Snapshot, generation, snap.Files)
		if err != nil {
			return "", none, err
		}
		if len(unseen) == 0 {
			return generation, numbersOf(snap), nil
		}
		if try == uploadTries {
			return "", none, fmt.Errorf("the store took %d blobs and does not show them, such as [%s]; is it reliable, and does nobody else delete in it?", len(unseen), unseen[0])
		}
		run.progress.Reset()
		up.Known, n.Replace = known.With(n.Files).Without(unseen), true
	}
}

// preparePaths records, before the first file is sent, where the shards lie of an index that is new in the repository and has hashed
// paths: otherwise nobody would find what is sent if this process died.
func (s *Service) preparePaths(ctx context.Context, repo string, p *state.SnapshotShard, base string) error {
	ix := s.store.View().IndexByUUID(p.IndexUUID)
	if p.PathType == 0 || base != repository.NewGeneration || ix == nil {
		return nil
	}
	o, err := s.open(repo)
	if err != nil {
		return err
	}
	id := repository.IndexID{Name: p.Index, ID: p.IndexID, ShardPathType: p.PathType}
	return s.describe(repo, o.repo.PrepareIndex(ctx, &repository.Data{}, id, ix.NumberOfShards))
}

// incremental counts the files that the repository did not have, and their bytes.
func incremental(known *repository.ShardIndex, files []repository.FileInfo) (n int, size int64) {
	for _, f := range files {
		if _, old := known.ByName(f.Name); !old {
			n, size = n+1, size+f.Length
		}
	}
	return n, size
}

func numbersOf(snap *repository.ShardSnapshot) ShardNumbers {
	return ShardNumbers{IncrementalFiles: snap.IncrementalFiles, IncrementalBytes: snap.IncrementalSize, TotalFiles: len(snap.Files), TotalBytes: snap.TotalSize(),
		Start: snap.StartTime, Time: snap.Time}
}

// stateID identifies what a commit holds as OpenSearch does, by its history and last operation; "" where operations are missing
// below the last one.
func stateID(data map[string]string) string {
	history, seqNo := data["history_uuid"], data["max_seq_no"]
	if history == "" || seqNo == "" || seqNo != data["local_checkpoint"] {
		return ""
	}
	merge := data["force_merge_uuid"]
	if merge == "" {
		merge = "na"
	}
	return history + "-" + merge + "-" + seqNo
}

// sameState returns the files that the repository has of the same state of the shard, if they are those of the commit: a merge
// changes the files and not the state.
func sameState(known *repository.ShardIndex, id string, names []string) ([]repository.FileInfo, bool) {
	files, ok := known.StateFiles(id)
	if !ok || len(files) != len(names) {
		return nil, false
	}
	for _, f := range files {
		if !slices.Contains(names, f.PhysicalName) {
			return nil, false
		}
	}
	return files, true
}
