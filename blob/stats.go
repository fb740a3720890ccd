package blob

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Stats counts what went over the wire to a store since its container was opened. Sub-containers
// share the numbers of the container that they came from.
type Stats struct {
	// Requests counts by kind, such as PutObject, every attempt for itself: what a store bills.
	Requests map[string]int64
	// BytesIn and BytesOut are those of bodies.
	BytesIn, BytesOut int64
	// Retries are attempts after the first one of a request.
	Retries int64
	// Throttles are answers that ask to slow down.
	Throttles int64
	// Errors are attempts that got no answer, or one of status 400 or more.
	Errors int64
	// Time is the sum over all attempts from sending one until its answer began.
	Time time.Duration
}

// Counted is implemented by containers that count their requests.
type Counted interface {
	Stats() Stats
}

// Counters collects Stats. Its zero value is ready, and its methods are safe for concurrent use.
type Counters struct {
	// Watch, if set, is told of each attempt that Sent counts, when its answer began. What it returns is called, unless it is nil, once
	// the answer was read, with the bytes of its body. Set it before the counters are used.
	Watch func(context.Context, Attempt) func(bytesIn int64)

	mu sync.Mutex
	s  Stats
}

// Attempt is one request that was sent.
type Attempt struct {
	Kind string
	// Blob is the path of the blob below the repository's base, or the prefix that was listed. It is empty for many blobs at once.
	Blob      string
	BytesOut  int64
	Retry     bool
	Throttled bool
	Failed    bool
	Time      time.Duration
}

// Add counts an attempt.
func (c *Counters) Add(a Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s.Requests == nil {
		c.s.Requests = map[string]int64{}
	}
	c.s.Requests[a.Kind]++
	c.s.BytesOut += max(a.BytesOut, 0)
	c.s.Time += a.Time
	if a.Retry {
		c.s.Retries++
	}
	if a.Throttled {
		c.s.Throttles++
	}
	if a.Failed {
		c.s.Errors++
	}
}

// AddBytesIn counts bytes of an answer's body.
func (c *Counters) AddBytesIn(n int64) {
	c.mu.Lock()
	c.s.BytesIn += n
	c.mu.Unlock()
}

// Stats returns a copy of the numbers.
func (c *Counters) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	s.Requests = maps.Clone(s.Requests)
	return s
}
