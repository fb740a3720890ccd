package shard

import "sync"

// NoOps is the sequence number before the first operation.
const NoOps = int64(-1)

// tracker gives out sequence numbers and knows up to which all are done.
type tracker struct {
	mu         sync.Mutex
	next       int64
	checkpoint int64          // all up to it are done
	done       map[int64]bool // those above it that are done
}

func newTracker(maxSeqNo, checkpoint int64) *tracker {
	return &tracker{next: maxSeqNo + 1, checkpoint: checkpoint, done: map[int64]bool{}}
}

// take returns the next sequence number.
func (t *tracker) take() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.next
	t.next++
	return n
}

// finish marks one as done.
func (t *tracker) finish(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = max(t.next, n+1)
	if n <= t.checkpoint {
		return
	}
	t.done[n] = true
	for t.done[t.checkpoint+1] {
		t.checkpoint++
		delete(t.done, t.checkpoint)
	}
}

func (t *tracker) get() (maxSeqNo, checkpoint int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next - 1, t.checkpoint
}
