package blob

import (
	"context"
	"sync"
	"time"
)

// Patience is how long the requests of one job outlast a store that does not answer. Requests that nobody waits for in person,
// such as those of a snapshot, had better wait than let hours of work fail; others should fail soon.
type Patience struct {
	limit time.Duration

	mu    sync.Mutex
	since time.Time // when the store was first found away; zero while it is there
}

type patienceKey struct{}

// WithPatience returns a context whose requests are sent again while their store is away, until it has been away for limit. All
// requests with the context share it: a store that is gone for good costs a job the limit once.
// Stores that know nothing of it try as often as their settings say.
func WithPatience(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, &Patience{limit: limit})
}

// PatienceOf returns the patience of a context, or nil.
func PatienceOf(ctx context.Context) *Patience {
	p, _ := ctx.Value(patienceKey{}).(*Patience)
	return p
}

// Answered notes that the store is there.
func (p *Patience) Answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Time{}
}

// Wait notes that a request found the store away, which it did for the first time at first. It tells whether to send it again.
func (p *Patience) Wait(first time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	return now.Sub(p.since) < p.limit && now.Sub(first) < p.limit
}
