package transfer

import (
	"context"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Limit bounds the bytes per second of all transfers that share it. It may be changed at any time: transfers under way follow at
// once. A nil Limit bounds nothing.
type Limit struct{ now atomic.Pointer[pace] }

// pace is a rate that holds until changed is closed.
type pace struct {
	rate    int64 // bytes per second, 0 for no limit
	l       *rate.Limiter
	changed chan struct{}
}

// limitStep is how many bytes are accounted for at once.
const limitStep = 64 << 10

// NewLimit returns a limit of bytesPerSecond, which bounds nothing if that is not above 0.
func NewLimit(bytesPerSecond int64) *Limit {
	l := &Limit{}
	l.now.Store(newPace(bytesPerSecond))
	return l
}

func newPace(bytesPerSecond int64) *pace {
	bytesPerSecond = max(0, bytesPerSecond)
	return &pace{bytesPerSecond, rate.NewLimiter(rate.Limit(bytesPerSecond), limitStep), make(chan struct{})}
}

// Set changes the limit to bytesPerSecond, to none if that is not above 0. Who waits goes on at the new rate.
func (l *Limit) Set(bytesPerSecond int64) {
	for {
		old := l.now.Load()
		if old.rate == max(0, bytesPerSecond) {
			return
		}
		if l.now.CompareAndSwap(old, newPace(bytesPerSecond)) {
			close(old.changed)
			return
		}
	}
}

// bounds tells whether there is a limit at the moment.
func (l *Limit) bounds() bool { return l != nil && l.now.Load().rate > 0 }

// wait returns when n bytes, at most limitStep, may pass.
func (l *Limit) wait(ctx context.Context, n int) error {
	for l.bounds() {
		p := l.now.Load()
		if p.rate == 0 {
			return nil
		}
		r := p.l.ReserveN(time.Now(), n)
		d := r.Delay()
		if d == 0 {
			return nil
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
			return nil
		case <-p.changed: // what was reserved goes with the old rate
			t.Stop()
		case <-ctx.Done():
			t.Stop()
			r.Cancel()
			return ctx.Err()
		}
	}
	return nil
}

// Wait returns when n bytes may pass every limit, and how long that took.
func Wait(ctx context.Context, limits []*Limit, n int64) (time.Duration, error) {
	var waited time.Duration
	for n > 0 && bound(limits) {
		part := min(n, limitStep)
		w, err := wait(ctx, limits, int(part))
		waited += w
		if err != nil {
			return waited, err
		}
		n -= part
	}
	return waited, ctx.Err()
}

// wait is Wait for at most limitStep bytes.
func wait(ctx context.Context, limits []*Limit, n int) (time.Duration, error) {
	var waited time.Duration
	for _, l := range limits {
		if !l.bounds() {
			continue
		}
		start := time.Now()
		if err := l.wait(ctx, n); err != nil {
			return waited, err
		}
		waited += time.Since(start)
	}
	return waited, nil
}

// limited is a Reader that obeys limits, counts what passes, and ends with its context.
type limited struct {
	ctx    context.Context //nolint:containedctx // an io.Reader carries none
	r      io.Reader
	limits []*Limit
	p      *Progress
	f      *FileProgress // may be nil
}

// bound tells whether there is a limit at the moment.
func bound(limits []*Limit) bool { return slices.ContainsFunc(limits, (*Limit).bounds) }

func (l *limited) Read(b []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	if len(b) > limitStep && bound(l.limits) {
		b = b[:limitStep]
	}
	n, err := l.r.Read(b)
	if n > 0 {
		waited, werr := wait(l.ctx, l.limits, min(n, limitStep))
		l.p.ThrottledNanos.Add(int64(waited))
		l.p.MovedBytes.Add(int64(n))
		if l.f != nil {
			l.f.moved.Add(int64(n))
		}
		if werr != nil {
			return n, werr
		}
	}
	return n, err
}
