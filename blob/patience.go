package blob

import (
	"context"
	"math/rand/v2"
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
func WithPatience(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, &Patience{limit: limit})
}

// PatienceOf returns the patience of a context, or nil.
func PatienceOf(ctx context.Context) *Patience {
	p, _ := ctx.Value(patienceKey{}).(*Patience)
	return p
}

// Answered notes that the store is there. There may be no patience to tell.
func (p *Patience) Answered() {
	if p == nil {
		return
	}
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

// Outage follows one operation that finds its store away. A nil one has no patience.
type Outage struct {
	p     *Patience
	tried int
	first time.Time // failure
}

// Outage returns what follows an operation; nil where there is no patience.
func (p *Patience) Outage() *Outage {
	if p == nil {
		return nil
	}
	return &Outage{p: p}
}

// Failed notes an attempt that found the store away, or overloaded, and returns how many did.
func (o *Outage) Failed() int {
	if o == nil {
		return 0
	}
	if o.tried++; o.tried == 1 {
		o.first = time.Now()
	}
	return o.tried
}

// longestPause is between two attempts for a store that is away.
const longestPause = 5 * time.Second

// Wait tells, once the attempts that the settings allow are used up, whether to send the operation again all the same, and after which pause.
func (o *Outage) Wait() (pause time.Duration, again bool) {
	if o == nil || !o.p.Wait(o.first) {
		return 0, false
	}
	pause = min(longestPause, 250*time.Millisecond<<min(o.tried, 10))
	return pause/2 + rand.N(pause/2), true
}
