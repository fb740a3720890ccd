package snapshotdir

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// BlockSize is how many bytes are fetched at once.
const BlockSize = 512 << 10

// Key names a block. File tells a file from all others that are read through the same Blocks, also those of other
// shards and repositories.
type Key struct {
	File  string
	Block int64
}

// Fetch fills p with a block's bytes.
type Fetch func(ctx context.Context, p []byte) error

// Blocks is what directories read their blocks through. Of many that ask for a block at the same time one fetches it.
type Blocks interface {
	// Block returns a block of length bytes.
	Block(ctx context.Context, key Key, length int, fetch Fetch) (*Block, error)
}

// Block is a part of a file in memory. Its bytes must not be changed.
type Block struct{ Bytes []byte }

// Cache keeps blocks in memory, the least recently used leaving first.
type Cache struct {
	mu     sync.Mutex
	limit  int64
	size   int64
	blocks map[Key]*list.Element
	order  *list.List // of *cached, most recent first
}

type cached struct {
	key   Key
	ready chan struct{} // closed when data or err is there
	data  *Block
	err   error
}

// NewCache returns a cache of at most limit bytes, but of one block at least.
func NewCache(limit int64) *Cache {
	return &Cache{limit: max(limit, BlockSize), blocks: map[Key]*list.Element{}, order: list.New()}
}

// Block implements Blocks.
func (c *Cache) Block(ctx context.Context, key Key, length int, fetch Fetch) (*Block, error) {
	for {
		data, own, err := c.get(ctx, key, length, fetch)
		if err != nil && !own && ctx.Err() == nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			continue // who fetched it gave up; it is fetched for us
		}
		return data, err
	}
}

// get also tells whether this call was the one that fetched.
func (c *Cache) get(ctx context.Context, key Key, length int, fetch Fetch) (data *Block, own bool, err error) {
	c.mu.Lock()
	if e, ok := c.blocks[key]; ok {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		b := e.Value.(*cached)
		select {
		case <-b.ready:
			return b.data, false, b.err
		case <-ctx.Done():
			return nil, true, ctx.Err()
		}
	}
	b := &cached{key: key, ready: make(chan struct{})}
	c.blocks[key] = c.order.PushFront(b)
	c.mu.Unlock()

	data = &Block{make([]byte, length)}
	defer func() {
		if p := recover(); p != nil { // who waits must not wait for ever
			c.settle(b, nil, errors.New("the fetch of the block panicked"))
			panic(p)
		}
	}()
	if err = fetch(ctx, data.Bytes); err != nil {
		data = nil
	}
	c.settle(b, data, err)
	return data, true, err
}

// settle ends the fetch of a block, and lets others go that have no more room.
func (c *Cache) settle(b *cached, data *Block, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.data, b.err = data, err
	close(b.ready)
	if err != nil {
		c.drop(b.key)
		return
	}
	c.size += int64(len(data.Bytes))
	for e := c.order.Back(); e != nil && c.size > c.limit; {
		old := e.Value.(*cached)
		e = e.Prev()
		if old.data != nil && old.key != b.key {
			c.size -= int64(len(old.data.Bytes))
			c.drop(old.key)
		}
	}
}

func (c *Cache) drop(key Key) {
	if e, ok := c.blocks[key]; ok {
		c.order.Remove(e)
		delete(c.blocks, key)
	}
}

// Size returns how many bytes the cache holds.
func (c *Cache) Size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.size
}
