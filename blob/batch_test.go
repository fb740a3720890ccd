package blob_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/varve-search/varve/blob"
)

type flusher struct {
	err             error
	flushed, closed int
}

func (f *flusher) Flush(context.Context) error {
	f.flushed++
	return f.err
}

func (f *flusher) Close() { f.closed++ }

func TestBatch(t *testing.T) {
	ctx := context.Background()
	if err := (*blob.Batch)(nil).Flush(ctx); err != nil {
		t.Fatal(err)
	}
	b := blob.NewBatch(7)
	if b.Expected() != 7 || b.Flush(ctx) != nil {
		t.Fatal("an empty batch")
	}
	one, two := &flusher{}, &flusher{}
	for range 2 {
		if b.Store(1, func() blob.Flusher { return one }) != one || b.Store(2, func() blob.Flusher { return two }) != two {
			t.Fatal("each store has one of its own")
		}
	}
	if err := b.Flush(ctx); err != nil || one.flushed != 1 || two.flushed != 1 {
		t.Fatal(one, two, err)
	}
	lost := errors.New("lost")
	two.err = lost
	if err := b.Flush(ctx); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	two.err = nil
	if err := b.Flush(ctx); !errors.Is(err, lost) {
		t.Fatalf("what was lost is said to be there: %v", err)
	}
	b.Close()
	b.Close()
	if one.closed != 1 || two.closed != 1 {
		t.Fatal(one, two)
	}
}

// slowFlusher tells when it begins to flush, and waits.
type slowFlusher struct{ begun, end chan struct{} }

func (f *slowFlusher) Flush(context.Context) error {
	f.begun <- struct{}{}
	<-f.end
	return nil
}

func (f *slowFlusher) Close() {}

// Whoever asks for a flush while one is under way gets one that begins after that, together with the others, or leaves them alone.
func TestBatchFlushedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		b := blob.NewBatch(1)
		f := &slowFlusher{begun: make(chan struct{}, 100), end: make(chan struct{})}
		b.Store(1, func() blob.Flusher { return f })
		done := make(chan error, 100)
		flush := func(ctx context.Context) { done <- b.Flush(ctx) }
		go flush(ctx)
		ending, end := context.WithCancel(ctx)
		synctest.Wait()
		go flush(ending)
		synctest.Wait()
		end()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for range 10 {
			go flush(ctx)
		}
		synctest.Wait()
		for turn, want := range []int{1, 10} {
			if len(f.begun) != turn+1 || len(done) != 0 {
				t.Fatalf("turn %d: %d flushes have begun, %d callers have their answer", turn, len(f.begun), len(done))
			}
			f.end <- struct{}{}
			synctest.Wait()
			for range want {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(f.begun) != 2 {
			t.Fatalf("%d flushes", len(f.begun))
		}
	})
}
