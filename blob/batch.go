package blob

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
)

// Batch is for many blobs that nothing refers to until all of them are there: their store may make them durable together, which
// takes a file system much less than syncing each. What was put with a batch ([PutOptions].Batch) is read like any other blob,
// but only from a Flush without error on does it outlive a crash of the machine; until then it may be lost by one, or be there
// in part. Stores that are not concerned ignore it. A batch is safe for concurrent use.
type Batch struct {
	expected int

	mu     sync.Mutex
	stores map[any]Flusher
	err    error         // of the first Flush that failed: what was lost then, no later one brings back
	begun  int           // flushes of the stores
	ended  int           // of them
	turn   chan struct{} // closed when the one under way ends; nil while none is
}

// Flusher is what a store has of a batch.
type Flusher interface {
	// Flush makes all blobs durable that were put before it was called.
	Flush(ctx context.Context) error
	// Close releases what the store keeps for the batch.
	Close()
}

// NewBatch returns a batch for about so many blobs: few of them, a store may better sync one by one. It must be closed.
func NewBatch(expected int) *Batch { return &Batch{expected: expected, stores: map[any]Flusher{}} }

// Expected is the number that NewBatch was given.
func (b *Batch) Expected() int { return b.expected }

// Store is for stores: it returns what the one that the key stands for has of this batch, and makes it first where there is nothing yet.
func (b *Batch) Store(key any, open func() Flusher) Flusher {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.stores[key]
	if f == nil {
		f = open()
		b.stores[key] = f
	}
	return f
}

// Flush makes all blobs durable that were put with the batch before it was called. After an error some of them may be lost, so
// each further Flush fails too. Those who call it while the stores flush share the next turn. A context that ends makes it return
// and harms nobody else's. A nil batch has nothing to flush.
func (b *Batch) Flush(ctx context.Context) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for need := b.begun + 1; b.err == nil && b.ended < need; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.turn == nil {
			b.flush(context.WithoutCancel(ctx))
			continue
		}
		turn := b.turn
		b.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
		}
		b.mu.Lock()
	}
	return b.err
}

// flush lets the stores flush; it is called with mu and lets go of it meanwhile.
func (b *Batch) flush(ctx context.Context) {
	b.begun++
	b.turn = make(chan struct{})
	stores := slices.Collect(maps.Values(b.stores))
	b.mu.Unlock()
	var errs []error
	for _, f := range stores {
		errs = append(errs, f.Flush(ctx))
	}
	b.mu.Lock()
	b.err = errors.Join(errs...)
	b.ended = b.begun
	close(b.turn)
	b.turn = nil
}

// Close releases what the stores keep for the batch; it flushes nothing.
func (b *Batch) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.stores {
		f.Close()
	}
	clear(b.stores)
}
