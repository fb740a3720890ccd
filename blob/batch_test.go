package blob_test

import (
	"context"
	"errors"
	"testing"

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
