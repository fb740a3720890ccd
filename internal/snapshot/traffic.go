package snapshot

import (
	"sync/atomic"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/state"
)

// traffic is what this process did with a repository since it first used it, however often its store was opened anew.
type traffic struct {
	requests  blob.Counters
	abandoned atomic.Bool // work was given up that may have left blobs; until a record says so
	done      Done        // under Service.mu
}

// Done counts what ended in a repository. Partial are snapshots and restores that lack shards.
type Done struct {
	Snapshots, PartialSnapshots, FailedSnapshots int64
	Restores, PartialRestores, FailedRestores    int64
	Deletions, FailedDeletions                   int64
}

// RepositoryStats are the numbers of a repository in this process.
type RepositoryStats struct {
	Name, Type string
	Requests   blob.Stats
	Done       Done
	// Snapshots, Restores and Deletions are under way.
	Snapshots, Restores, Deletions int
}

func (s *Service) trafficOf(name string) *traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.traffic[name]
	if t == nil {
		if len(s.traffic) >= mostTraffic {
			s.forgetTraffic(s.store.View())
		}
		t = &traffic{}
		t.requests.Watch = s.watch(name)
		s.traffic[name] = t
	}
	return t
}

// mostTraffic is how many repositories are counted before those are forgotten that are not registered.
const mostTraffic = 1000

// forgetTraffic drops the numbers of repositories that are not registered. It is called under mu.
func (s *Service) forgetTraffic(v *state.View) {
	for name := range s.traffic {
		if v.Repository(name) == nil {
			delete(s.traffic, name)
		}
	}
}

// count notes how a job ended whose record is still there.
func (s *Service) count(uuid string, o outcome) {
	v := s.store.View()
	s.mu.Lock()
	_, again := s.ended[uuid]
	s.mu.Unlock()
	if again {
		return
	}
	add := func(repo string, n func(*Done) *int64) {
		t := s.trafficOf(repo)
		s.mu.Lock()
		defer s.mu.Unlock()
		*n(&t.done)++
	}
	if j := v.SnapshotJob(uuid); j != nil {
		add(j.Repository, func(d *Done) *int64 {
			switch resultOf(o.info, o.err) {
			case resultFailed:
				return &d.FailedSnapshots
			case resultPartial:
				return &d.PartialSnapshots
			}
			return &d.Snapshots
		})
	} else if j := v.Restore(uuid); j != nil {
		add(j.Repository, func(d *Done) *int64 {
			switch restoreResult(j.Shards, o.err) {
			case resultFailed:
				return &d.FailedRestores
			case resultPartial:
				return &d.PartialRestores
			}
			return &d.Restores
		})
	} else if j := v.SnapshotDeletion(uuid); j != nil {
		add(j.Repository, func(d *Done) *int64 {
			if o.err != nil {
				return &d.FailedDeletions
			}
			return &d.Deletions
		})
	}
}

// Stats returns the numbers of the registered repositories, in the order of their names. Those of repositories that are gone
// are forgotten.
func (s *Service) Stats() []RepositoryStats {
	v := s.store.View()
	var out []RepositoryStats
	for _, rec := range v.Repositories() {
		t := s.trafficOf(rec.Name)
		st := RepositoryStats{Name: rec.Name, Type: rec.Type, Requests: t.requests.Stats()}
		s.mu.Lock()
		st.Done = t.done
		s.mu.Unlock()
		st.Snapshots = numberOf(v.SnapshotJobs(), func(j *state.SnapshotJob) bool { return j.Repository == rec.Name })
		st.Restores = numberOf(v.Restores(), func(j *state.Restore) bool { return j.Repository == rec.Name })
		st.Deletions = numberOf(v.SnapshotDeletions(), func(j *state.SnapshotDeletion) bool { return j.Repository == rec.Name })
		out = append(out, st)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetTraffic(v)
	return out
}

func numberOf[T any](list []T, is func(T) bool) (n int) {
	for _, e := range list {
		if is(e) {
			n++
		}
	}
	return n
}
