package transfer

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestSlots counts the jobs that run at once, of large files and of small ones, and starts none after a failure.
func TestSlots(t *testing.T) {
	for length, want := range map[int64]int64{smallFile: 3 * smallAtOnce, smallFile + 1: 3} {
		synctest.Test(t, func(t *testing.T) {
			var now, most atomic.Int64
			s := newSlots(t.Context(), 3)
			for range 40 {
				s.run(length, func(context.Context) error {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Second)
					now.Add(-1)
					return nil
				})
			}
			if err := s.wait(t.Context()); err != nil || most.Load() != want {
				t.Errorf("files of %d bytes: %d at once, %v", length, most.Load(), err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("no")
		s := newSlots(t.Context(), 1)
		s.run(smallFile+1, func(context.Context) error { return failed })
		synctest.Wait()
		s.run(1, func(context.Context) error {
			t.Error("a job after a failure")
			return nil
		})
		if err := s.wait(t.Context()); !errors.Is(err, failed) {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newSlots(ctx, 1)
	s.run(1, func(context.Context) error { return nil })
	if err := s.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
