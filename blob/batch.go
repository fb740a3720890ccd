package blob

import (
	"context"
	"errors"
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
	err    error // of the first Flush that failed: what was lost then, no later one brings back
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
// each further Flush fails too. A nil batch has nothing to flush.
func (b *Batch) Flush(ctx context.Context) error {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.stores {
		b.err = errors.Join(b.err, f.Flush(ctx))
	}
	return b.err
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
