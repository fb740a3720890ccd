package blob

import (
	"context"
	"io"
	"sync/atomic"
)

type meterKey struct{}

// Metered returns a context whose requests n counts too, beside the counters of their store: so the requests of one operation among
// others are told apart. Of nested ones the innermost counts.
func Metered(ctx context.Context, n *Counters) context.Context {
	return context.WithValue(ctx, meterKey{}, n)
}

// meterOf returns the counters that Metered gave a context, or nil.
func meterOf(ctx context.Context) *Counters {
	n, _ := ctx.Value(meterKey{}).(*Counters)
	return n
}

// Sent counts an attempt for the store and for the operation that it was made for. It returns the answer's body, if there is one,
// so that what is read of it is counted in the same places.
func (c *Counters) Sent(ctx context.Context, a Attempt, body io.ReadCloser) io.ReadCloser {
	c.Add(a)
	op := meterOf(ctx)
	if op != nil {
		op.Add(a)
	}
	var end func(int64)
	if c.Watch != nil {
		end = c.Watch(ctx, a)
	}
	if body == nil {
		if end != nil {
			end(0)
		}
		return nil
	}
	return &meteredBody{ReadCloser: body, store: c, op: op, end: end}
}

// meteredBody counts what is read of an answer.
type meteredBody struct {
	io.ReadCloser
	store, op *Counters
	end       func(int64)
	n         atomic.Int64
	ended     atomic.Bool
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.n.Add(int64(n))
		b.store.AddBytesIn(int64(n))
		if b.op != nil {
			b.op.AddBytesIn(int64(n))
		}
	}
	if err != nil {
		b.finish()
	}
	return n, err
}

func (b *meteredBody) Close() error {
	b.finish()
	return b.ReadCloser.Close()
}

func (b *meteredBody) finish() {
	if b.end != nil && b.ended.CompareAndSwap(false, true) {
		b.end(b.n.Load())
	}
}
