package snapshot

import (
	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/state"
)

// jobBatch is what the parts of a job that run on this node put together and make durable together.
type jobBatch struct {
	*blob.Batch
	users int
}

// joinBatch returns the batch of a job's parts, for one more of them. It is called with mu.
func (s *Service) joinBatch(v *state.View, job string) *jobBatch {
	b := s.batches[job]
	if b == nil {
		parts := 0
		for _, p := range v.SnapshotShards(job) {
			if p.Node == s.store.NodeID() && atWork(p.State) {
				parts++
			}
		}
		b = &jobBatch{Batch: blob.NewBatch(2 * parts)} // a list and an index each
		s.batches[job] = b
	}
	b.users++
	return b
}

// leaveBatch is for a part that has ended.
func (s *Service) leaveBatch(job string, b *jobBatch) {
	s.mu.Lock()
	b.users--
	last := b.users == 0
	if last {
		delete(s.batches, job)
	}
	s.mu.Unlock()
	if last {
		b.Close()
	}
}
