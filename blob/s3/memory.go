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
	// pooled is from where on a buffer is a whole window.
	pooled = 256 << 10
	// little holds most of a repository's lists and small files.
	little = 32 << 10
)

var (
	putBudget = semaphore.NewWeighted(putMemory)
	getBudget = semaphore.NewWeighted(getMemory)
	buffers   = [...]struct {
		size int64
		pool *sync.Pool // of *[]byte of that capacity
	}{{little, new(sync.Pool)}, {pooled, new(sync.Pool)}, {window, new(sync.Pool)}}
)

// newBuffer returns a buffer of n bytes.
func newBuffer(n int64) []byte {
	for _, c := range buffers {
		if n > c.size {
			continue
		}
		if b, ok := c.pool.Get().(*[]byte); ok {
			return (*b)[:n]
		}
		return make([]byte, n, c.size)
	}
	return make([]byte, n)
}

// freeBuffer gives a buffer back that nobody reads any more.
func freeBuffer(b []byte) {
	for _, c := range buffers {
		if int64(cap(b)) == c.size {
			b = b[:0]
			c.pool.Put(&b)
		}
	}
}

// weight is what a buffer of n bytes takes of a budget.
func weight(n int64) int64 {
	if n > pooled && n <= window {
		return window
	}
	return n
}
