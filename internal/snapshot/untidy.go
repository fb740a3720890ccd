package snapshot

import (
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// A clean-up looks into the folders of all shards only where something may lie that nothing names: after work that was given up, or
// whose end this cluster did not see. That is recorded with the repository: docs/decisions/0003-root-pointer.md.

// noteBegin remembers that this process lets a job begin. Where another one goes on with the job, parts of it may have been done twice.
func (s *Service) noteBegin(job *state.SnapshotJob) {
	if job.Epoch != 0 {
		return
	}
	s.mu.Lock()
	s.begun[job.UUID] = true
	s.mu.Unlock()
}

// leaves says whether the end of a snapshot may leave blobs that nothing names.
func (s *Service) leaves(job *state.SnapshotJob, info *repository.SnapshotInfo, cause error) bool {
	s.mu.Lock()
	begun := s.begun[job.UUID]
	delete(s.begun, job.UUID)
	s.mu.Unlock()
	given := s.takeAbandoned(job.Repository)
	switch {
	case given:
		return true
	case job.State == jobInit: // a clone that found out only what it would have to do
		return false
	case cause != nil || info == nil || info.State != repository.StateSuccess || !begun:
		return true
	}
	for _, p := range s.store.View().SnapshotShards(job.UUID) {
		if p.Node != s.store.NodeID() { // which may have begun anew meanwhile
			return true
		}
	}
	return false
}

// takeAbandoned says whether a request of this process gave work up since it was asked last.
func (s *Service) takeAbandoned(repo string) bool { return s.trafficOf(repo).abandoned.Swap(false) }

// noteEnd notes the root that a job left, if it is known, and whether blobs may lie in the repository that nothing names.
func noteEnd(tx *state.Tx, name string, data *repository.Data, leaves bool) {
	rec := tx.Repository(name)
	if rec == nil || data == nil && !leaves {
		return
	}
	if data != nil && rec.Generation <= data.Generation { // else somebody had the office in between, and went on
		rec = remember(rec, data)
	}
	if leaves {
		rec = untidy(rec)
	}
	tx.Put(rec)
}

// untidy returns the record of a repository in which blobs may lie that nothing names.
func untidy(rec *state.Repository) *state.Repository {
	if rec.Untidy {
		return rec
	}
	next := *rec
	next.Untidy = true
	return &next
}
