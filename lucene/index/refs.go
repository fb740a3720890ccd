package index

import "sync/atomic"

// refs counts who uses a thing; the last one closes it. It starts at 1 with init.
type refs struct {
	n     atomic.Int64
	close func() error
}

func (r *refs) init(close func() error) {
	r.n.Store(1)
	r.close = close
}

// acquire adds a user, unless the thing is closed already.
func (r *refs) acquire() bool {
	for {
		n := r.n.Load()
		if n <= 0 {
			return false
		}
		if r.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release takes a user off, and closes after the last.
func (r *refs) release() error {
	switch n := r.n.Add(-1); {
	case n == 0:
		return r.close()
	case n < 0:
		panic("index: a reader was closed more often than it was opened")
	}
	return nil
}
