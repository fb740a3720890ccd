package s3

import (
	"sync"

	"golang.org/x/sync/semaphore"
)

// Bounds of the memory that transfers of the whole process hold, in bytes; together 240 MiB.
const (
	putMemory = 144 * mib
	getMemory = 96 * mib
	// maxPart is the largest part that is made for a large buffer_size.
	maxPart = 64 * mib
	// window is how much of a blob one request reads.
	window = 16 * mib
	// pooled is from where on buffers are kept for the next use.
	pooled = 256 << 10
)

var (
	putBudget = semaphore.NewWeighted(putMemory)
	getBudget = semaphore.NewWeighted(getMemory)
	buffers   sync.Pool // of *[]byte, of capacity window
)

// newBuffer returns a buffer of n bytes.
func newBuffer(n int64) []byte {
	if n >= pooled && n <= window {
		if b, ok := buffers.Get().(*[]byte); ok {
			return (*b)[:n]
		}
		return make([]byte, n, window)
	}
	return make([]byte, n)
}

// freeBuffer gives a buffer back that nobody reads any more.
func freeBuffer(b []byte) {
	if cap(b) == window {
		b = b[:0]
		buffers.Put(&b)
	}
}

// weight is what a buffer of n bytes takes of a budget.
func weight(n int64) int64 {
	if n >= pooled && n <= window {
		return window
	}
	return n
}
