package transfer

import (
	"context"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

const (
	// smallFile is up to which length, in bytes, the time for a file is mostly that until its store answers.
	smallFile = 1 << 20
	// smallAtOnce is how many small files are on their way in the place of a large one.
	smallAtOnce = 4
)

// slots runs jobs side by side: so many for large files at once, and more for small ones.
type slots struct {
	g   *errgroup.Group
	ctx context.Context //nolint:containedctx // of the group
	sem *semaphore.Weighted
}

func newSlots(ctx context.Context, large int) *slots {
	g, gctx := errgroup.WithContext(ctx)
	return &slots{g, gctx, semaphore.NewWeighted(int64(max(large, 1) * smallAtOnce))}
}

// run starts a job for a file of that length once there is room for it. It does not where a job has failed, which wait tells.
func (s *slots) run(length int64, job func(context.Context) error) {
	weight := int64(1)
	if length > smallFile {
		weight = smallAtOnce
	}
	if s.sem.Acquire(s.ctx, weight) != nil {
		return
	}
	s.g.Go(func() error {
		defer s.sem.Release(weight)
		return job(s.ctx)
	})
}

// wait returns the first error once all jobs have ended, or why they were not started.
func (s *slots) wait(ctx context.Context) error {
	if err := s.g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
