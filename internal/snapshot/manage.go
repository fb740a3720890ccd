package snapshot

import (
	"context"
	"slices"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// manage brings the jobs of each repository a step on. It runs on the elected manager only. Each repository has at most one
// goroutine that drives its jobs: nothing else of this cluster changes its root meanwhile.
func (s *Service) manage(v *state.View) error {
	for _, r := range v.Repositories() {
		if len(queueOf(v, r.Name)) == 0 && (r.Cleanup == nil || !s.abandoned(v, r.Cleanup)) {
			continue
		}
		s.mu.Lock()
		busy := s.driven[r.Name]
		s.driven[r.Name] = true
		s.mu.Unlock()
		if busy {
			continue
		}
		s.work.Go(func() {
			again, err := s.step(blob.WithPatience(s.ctx, storePatience), r.Name)
			s.mu.Lock()
			delete(s.driven, r.Name)
			s.mu.Unlock()
			if err != nil && s.ctx.Err() == nil {
				s.log.Warn("the snapshot jobs of a repository could not go on; it is tried again", "repository", r.Name, "error", err)
				return // after the pause of drive
			}
			if again {
				s.wake()
			}
		})
	}
	return s.finishRestores(s.ctx, v)
}

// step does what can be done for a repository's jobs, and says whether that changed something.
func (s *Service) step(ctx context.Context, repo string) (bool, error) {
	v := s.store.View()
	if r := v.Repository(repo); r != nil && r.Cleanup != nil {
		if !s.abandoned(v, r.Cleanup) {
			return false, nil
		}
		return true, s.endCleanup(ctx, repo, r.Cleanup.UUID, cleanupEnd{leaves: true})
	}
	q := queueOf(v, repo)
	if len(q) == 0 {
		return false, nil
	}
	if q[0].deletion != nil {
		return true, s.runDeletion(s.inJob(ctx, q[0].deletion.UUID, q[0].deletion.Trace), q[0].deletion)
	}
	jobs := activeJobs(q)
	for _, job := range jobs {
		if job.State == jobInit {
			return true, s.prepareClone(s.inJob(ctx, job.UUID, job.Trace), job)
		}
	}
	if ready := readyParts(v, jobs); len(ready) > 0 {
		if first := firstOf(jobs, v, ready); first != nil {
			ctx = s.inJob(ctx, first.UUID, first.Trace)
		}
		return true, s.begin(ctx, repo, ready)
	}
	for _, job := range jobs {
		parts := v.SnapshotShards(job.UUID)
		if !slices.ContainsFunc(parts, func(p *state.SnapshotShard) bool { return !complete(p.State) }) {
			return true, s.finish(s.inJob(ctx, job.UUID, job.Trace), v, job, parts)
		}
		if lost, err := s.failLost(ctx, v, job, parts); lost || err != nil {
			return true, err
		}
	}
	return false, nil
}

// readyParts returns the parts, by job, that may begin: nothing is at work or queued before them at their place.
func readyParts(v *state.View, jobs []*state.SnapshotJob) map[string]bool {
	ready := map[string]bool{}
	lanes(v, jobs, 0, func(job *state.SnapshotJob, p *state.SnapshotShard, l lane) {
		if !l.busy {
			ready[shardKey(p)] = true
		}
	})
	return ready
}

// firstOf returns the first job that has a ready part: the look at the root before parts begin counts for it.
func firstOf(jobs []*state.SnapshotJob, v *state.View, ready map[string]bool) *state.SnapshotJob {
	for _, job := range jobs {
		if slices.ContainsFunc(v.SnapshotShards(job.UUID), func(p *state.SnapshotShard) bool { return ready[shardKey(p)] }) {
			return job
		}
	}
	return nil
}

// begin lets parts of snapshots start. Only now it is fixed which generations they are built on.
func (s *Service) begin(ctx context.Context, repo string, ready map[string]bool) error {
	o, err := s.open(repo)
	var data *repository.Data
	var epoch int64
	if err == nil {
		data, epoch, err = s.settled(ctx, repo, o)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	cause := err
	return s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
		jobs := activeJobs(queueOf(tx.View, repo))
		changed := map[string]*state.SnapshotJob{}
		var parts []*state.SnapshotShard
		lanes(tx.View, jobs, epoch, func(job *state.SnapshotJob, p *state.SnapshotShard, l lane) {
			if l.busy || !ready[shardKey(p)] {
				return
			}
			if c := changed[job.UUID]; c != nil {
				job = c
			}
			next := *p
			parts = append(parts, &next)
			switch {
			case cause != nil:
				next.State, next.Reason = shardFailed, cause.Error()
			case job.Epoch != 0 && job.Epoch != epoch:
				next.State, next.Reason = shardFailed, moved(job, data).Error()
			default:
				c := *job
				c.Indices = slices.Clone(job.Indices)
				if c.Epoch == 0 {
					s.noteBegin(job)
					c.Epoch, c.RepositoryGeneration = epoch, data.Generation
				}
				changed[job.UUID] = &c
				for i, j := range jobs { // the next index of this name finds the id here
					if j.UUID == c.UUID {
						jobs[i] = &c
					}
				}
				s.beginPart(tx.View, &c, &next, data, jobs, l)
			}
		})
		for _, j := range changed {
			tx.Put(j)
		}
		for _, p := range parts {
			tx.Put(p)
		}
		return nil
	})
}

// beginPart fills in what a part needs to start.
func (s *Service) beginPart(v *state.View, job *state.SnapshotJob, p *state.SnapshotShard, data *repository.Data, jobs []*state.SnapshotJob, l lane) {
	pathType := 0
	if rec := v.Repository(job.Repository); rec != nil {
		pathType, _ = pathTypeOf(rec.Settings) // it was checked when the repository was opened
	}
	id := resolveIndex(data, jobs, p.Index, pathType)
	for i := range job.Indices {
		if job.Indices[i].Name == p.Index {
			job.Indices[i].ID, job.Indices[i].PathType = id.ID, id.ShardPathType
		}
	}
	p.IndexID, p.PathType = id.ID, id.ShardPathType
	p.Bases = basesOf(data, p.Index, p.Shard, l)
	p.State = shardInit
	if job.CloneOf != "" {
		p.Node = s.store.NodeID() // the manager's
		return
	}
	r := v.Shard(p.IndexUUID, p.Shard)
	if c := primaryOf(r); c == nil || c.Node == "" {
		p.State, p.Reason = shardMissing, "primary shard is not allocated"
	} else {
		p.Node = c.Node
	}
}

// failLost gives up parts whose index or node is gone; parts of a clone go to this node.
func (s *Service) failLost(ctx context.Context, v *state.View, job *state.SnapshotJob, parts []*state.SnapshotShard) (bool, error) {
	var lost []*state.SnapshotShard
	for _, p := range parts {
		switch {
		case !atWork(p.State):
		case job.CloneOf != "":
			if v.Node(p.Node) == nil {
				lost = append(lost, p)
			}
		case v.IndexByUUID(p.IndexUUID) == nil || v.Node(p.Node) == nil:
			lost = append(lost, p)
		}
	}
	if len(lost) == 0 {
		return false, nil
	}
	return true, s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
		for _, p := range lost {
			cur := find(tx.SnapshotShards(p.JobUUID), p)
			if cur == nil || !atWork(cur.State) {
				continue
			}
			next := *cur
			if job.CloneOf != "" {
				next.Node = s.store.NodeID()
			} else {
				next.State, next.Reason = shardFailed, "the index was deleted, or the node that held the shard left the cluster"
			}
			tx.Put(&next)
		}
		return nil
	})
}
