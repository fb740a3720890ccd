package snapshot

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// The rules of what may overlap: docs/decisions/0007-overlapping-snapshots.md

// operation is a snapshot, a clone or a deletion in progress: one of the two is set.
type operation struct {
	order    int64
	job      *state.SnapshotJob
	deletion *state.SnapshotDeletion
}

// queueOf returns what writes to a repository, in the order in which it was asked for.
func queueOf(v *state.View, repo string) []operation {
	var all []operation
	for _, j := range v.SnapshotJobs() {
		if j.Repository == repo {
			all = append(all, operation{order: j.Order, job: j})
		}
	}
	for _, d := range v.SnapshotDeletions() {
		if d.Repository == repo {
			all = append(all, operation{order: d.Order, deletion: d})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return int(min(max(a.order-b.order, -1), 1)) })
	return all
}

// activeJobs returns the snapshots and clones that may work now: those before the first deletion.
func activeJobs(q []operation) []*state.SnapshotJob {
	var jobs []*state.SnapshotJob
	for _, op := range q {
		if op.deletion != nil {
			break
		}
		jobs = append(jobs, op.job)
	}
	return jobs
}

// nextOrder returns the order of an operation that is added now, or refuses it because there are too many.
func (s *Service) nextOrder(v *state.View, repo, name string) (int64, error) {
	n := len(v.SnapshotJobs()) + len(v.SnapshotDeletions())
	limit := 1000
	if text := s.node.ClusterSetting("snapshot.max_concurrent_operations"); text != "" {
		if l, err := strconv.Atoi(text); err == nil && l > 0 {
			limit = l
		}
	}
	if n >= limit {
		return 0, concurrent(repo, name, "Cannot start another operation, already running [%d] operations and the current limit for concurrent snapshot operations is set to [%d]", n, limit)
	}
	return lastOrder(v) + 1, nil
}

// lastOrder returns the order of the operation that was added last.
func lastOrder(v *state.View) int64 {
	order := int64(0)
	for _, j := range v.SnapshotJobs() {
		order = max(order, j.Order)
	}
	for _, d := range v.SnapshotDeletions() {
		order = max(order, d.Order)
	}
	return order
}

// concurrent is the error of an operation that must not run beside another.
func concurrent(repo, name, format string, args ...any) *apierr.Error {
	return apierr.New(http.StatusServiceUnavailable, "concurrent_snapshot_execution_exception", "[%s:%s] %s", repo, name, fmt.Sprintf(format, args...))
}

// refuseDuringCleanup refuses an operation while the repository is being cleaned up.
func refuseDuringCleanup(v *state.View, repo, name string) error {
	if r := v.Repository(repo); r != nil && r.Cleanup != nil {
		return concurrent(repo, name, "cannot snapshot while a repository cleanup is in-progress in [%s]", r.Cleanup.UUID)
	}
	return nil
}

// complete says that a part of a snapshot has nothing left to do.
func complete(partState string) bool {
	return partState == shardSuccess || partState == shardFailed || partState == shardMissing
}

// atWork says that somebody may be writing a part into the repository.
func atWork(partState string) bool { return partState == shardInit || partState == shardAborted }

// place is a shard's folder in the repository. An index's name stands for its id there.
type place struct {
	index string
	shard int
}

// lane is what happens at one place, up to a point in the queue.
type lane struct {
	busy  bool     // a part is at work or queued
	bases []string // of a part that comes next, where parts before it succeeded
}

// lanes walks the parts of jobs in their order and calls queued for each part that is still queued, with what is before it.
func lanes(v *state.View, jobs []*state.SnapshotJob, epoch int64, queued func(*state.SnapshotJob, *state.SnapshotShard, lane)) {
	at := map[place]*lane{}
	for _, job := range jobs {
		for _, p := range v.SnapshotShards(job.UUID) {
			l := at[place{p.Index, p.Shard}]
			if l == nil {
				l = &lane{}
				at[place{p.Index, p.Shard}] = l
			}
			switch {
			case p.State == shardQueued:
				queued(job, p, *l)
				l.busy = true
			case atWork(p.State):
				l.busy = true
			case p.State == shardSuccess && job.Epoch == epoch:
				if l.bases = slices.Clone(p.Bases); !slices.Contains(p.Bases, p.Generation) { // a clone of a shallow snapshot has the last of them
					l.bases = append(l.bases, p.Generation)
				}
			}
		}
	}
}

// basesOf returns the generations on which a shard's next part is built: what the root has, and what came since.
func basesOf(data *repository.Data, index string, shard int, l lane) []string {
	root := repository.NewGeneration
	if e, ok := data.Index(index); ok {
		root = e.ShardGeneration(shard)
	}
	if i := slices.Index(l.bases, root); i >= 0 {
		return slices.Clone(l.bases[i:])
	}
	if len(l.bases) > 0 {
		return slices.Clone(l.bases)
	}
	return []string{root}
}

// resolveIndex returns the id of an index in the repository: the root's, that of a job in progress, or a new one.
func resolveIndex(data *repository.Data, jobs []*state.SnapshotJob, name string, pathType int) repository.IndexID {
	if e, ok := data.Index(name); ok {
		return e.IndexID
	}
	for _, j := range jobs {
		for _, ix := range j.Indices {
			if ix.Name == name && ix.ID != "" {
				return repository.IndexID{Name: name, ID: ix.ID, ShardPathType: ix.PathType}
			}
		}
	}
	return data.ResolveIndex(name, pathType)
}
