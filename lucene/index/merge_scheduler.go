package index

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// mergeState is the merges of a writer. Guarded by Writer.mu.
type mergeState struct {
	queue   []*mergeJob // chosen and not begun
	running int
	workers int // goroutines that run the queue
	limit   int // of workers
	forced  int // callers that merge themselves: nothing new is chosen meanwhile
	pause   time.Time
}

// behind tells whether so many merges wait that adding documents must wait for them, as in OpenSearch.
func (m *mergeState) behind() bool { return len(m.queue) > m.limit+5 }

// pauseAfterError is how long no merge is chosen after one failed.
const pauseAfterError = 30 * time.Second

func defaultMergeWorkers() int { return max(1, min(4, runtime.GOMAXPROCS(0)/2)) }

// maybeMerge chooses merges and begins them in the background.
func (w *Writer) maybeMerge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.NoMerges || w.usableLocked() != nil || w.merges.forced > 0 || time.Now().Before(w.merges.pause) {
		return
	}
	w.merges.limit = w.cfg.MergeWorkers
	free, busy := w.candidates()
	for _, segs := range w.cfg.Merge.find(free, busy) {
		w.merges.queue = append(w.merges.queue, w.prepareMerge(segs))
	}
	// small merges first: they free the most segments for the time they take
	slices.SortStableFunc(w.merges.queue, func(a, b *mergeJob) int { return int(max(-1, min(1, a.bytes-b.bytes))) })
	for n := len(w.merges.queue); n > 0 && w.merges.workers < w.merges.limit; n-- {
		w.merges.workers++
		w.wg.Add(1)
		go w.mergeWorker()
	}
}

// candidates returns the segments that may be merged, and those that are being merged. Writer.mu is held.
func (w *Writer) candidates() (free, busy []candidate) {
	for _, s := range w.segs {
		switch c := newCandidate(s); {
		case s.merging:
			busy = append(busy, c)
		case s.settled:
			free = append(free, c)
		}
	}
	return free, busy
}

func (w *Writer) mergeWorker() {
	defer w.wg.Done()
	for {
		w.mu.Lock()
		if len(w.merges.queue) == 0 || w.usableLocked() != nil {
			w.merges.workers--
			for _, j := range w.merges.queue {
				for _, s := range j.segs {
					s.merging = false
				}
			}
			w.merges.queue = nil
			w.mu.Unlock()
			return
		}
		j := w.merges.queue[0]
		w.merges.queue = w.merges.queue[1:]
		w.merges.running++
		w.mu.Unlock()
		err := w.merging(w.ctx, j)
		w.mu.Lock()
		w.merges.running--
		report := err != nil && w.usableLocked() == nil && w.ctx.Err() == nil
		if report {
			w.merges.pause = time.Now().Add(pauseAfterError)
		}
		w.cond.Broadcast()
		w.mu.Unlock()
		if report && w.cfg.OnMergeError != nil {
			w.cfg.OnMergeError(err)
		}
		w.maybeMerge()
	}
}

// ForceMerge merges until at most maxSegments segments are left, and all deleted documents are gone if that is 1. It sees
// the documents added before the call. ctx ends it; what was merged stays so.
func (w *Writer) ForceMerge(ctx context.Context, maxSegments int) error {
	if maxSegments < 1 {
		return fmt.Errorf("merge to %d segments: at least one must be left", maxSegments)
	}
	return w.mergeUntil(ctx, func(free []candidate) [][]*segment { return w.cfg.Merge.force(free, maxSegments) })
}

// ForceMergeDeletes rewrites the segments of which more than MergePolicy.ExpungeDeletesPct percent are deleted.
func (w *Writer) ForceMergeDeletes(ctx context.Context) error {
	return w.mergeUntil(ctx, w.cfg.Merge.expunge)
}

// mergeUntil runs the merges that choose names, until it names none.
func (w *Writer) mergeUntil(ctx context.Context, choose func(free []candidate) [][]*segment) error {
	w.mu.Lock()
	if err := w.usableLocked(); err != nil {
		w.mu.Unlock()
		return err
	}
	w.wg.Add(1)
	w.merges.forced++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.merges.forced--
		w.mu.Unlock()
		w.wg.Done()
		w.maybeMerge()
	}()
	if err := w.endGeneration(ctx, nil); err != nil {
		return err
	}
	for {
		jobs, err := w.chooseForced(ctx, choose)
		if err != nil || len(jobs) == 0 {
			return err
		}
		for i, j := range jobs {
			if err := w.merging(ctx, j); err != nil {
				w.mu.Lock()
				for _, rest := range jobs[i+1:] {
					for _, s := range rest.segs {
						s.merging = false
					}
				}
				w.cond.Broadcast()
				w.mu.Unlock()
				return err
			}
		}
	}
}

// chooseForced waits for the merges under way and chooses the next ones.
func (w *Writer) chooseForced(ctx context.Context, choose func(free []candidate) [][]*segment) ([]*mergeJob, error) {
	stop := context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.cond.Broadcast()
	})
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if err := w.usableLocked(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		free, busy := w.candidates()
		if len(busy) > 0 {
			w.cond.Wait()
			continue
		}
		var jobs []*mergeJob
		for _, segs := range choose(free) {
			jobs = append(jobs, w.prepareMerge(segs))
		}
		return jobs, nil
	}
}
