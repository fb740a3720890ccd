package transfer

import (
	"context"
	"io"
	"time"

	"golang.org/x/time/rate"
)

// Limit bounds the bytes per second of all transfers that share it. A nil Limit bounds nothing.
type Limit struct{ l *rate.Limiter }

// limitStep is how many bytes are accounted for at once.
const limitStep = 64 << 10

// NewLimit returns a limit of bytesPerSecond, or nil for no limit if that is not above 0.
func NewLimit(bytesPerSecond int64) *Limit {
	if bytesPerSecond <= 0 {
		return nil
	}
	return &Limit{rate.NewLimiter(rate.Limit(bytesPerSecond), limitStep)}
}

// wait returns when n bytes, at most limitStep, may pass every limit, and how long that took.
func wait(ctx context.Context, limits []*Limit, n int) (time.Duration, error) {
	var waited time.Duration
	for _, l := range limits {
		if l == nil {
			continue
		}
		start := time.Now()
		if err := l.l.WaitN(ctx, n); err != nil {
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

// bound tells whether there is a limit at all.
func bound(limits []*Limit) bool {
	for _, l := range limits {
		if l != nil {
			return true
		}
	}
	return false
}

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
