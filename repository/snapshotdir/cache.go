package snapshotdir

import (
	"container/list"
	"context"
	"sync"
)

// BlockSize is how many bytes are fetched at once.
const BlockSize = 256 << 10

type blockKey struct {
	file  *file
	block int64
}

// Cache keeps blocks of files, the least recently used leaving first.
type Cache struct {
	mu     sync.Mutex
	limit  int64
	size   int64
	blocks map[blockKey]*list.Element
	order  *list.List // of *cached, most recent first
}

type cached struct {
	key   blockKey
	ready chan struct{} // closed when data or err is there
	data  []byte
	err   error
}

// NewCache returns a cache of at most limit bytes, but of one block at least.
func NewCache(limit int64) *Cache {
	return &Cache{limit: max(limit, BlockSize), blocks: map[blockKey]*list.Element{}, order: list.New()}
}

// get returns a block, fetching it once however many ask for it.
func (c *Cache) get(ctx context.Context, f *file, block int64) ([]byte, error) {
	key := blockKey{f, block}
	c.mu.Lock()
	if e, ok := c.blocks[key]; ok {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		b := e.Value.(*cached)
		select {
		case <-b.ready:
			return b.data, b.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	b := &cached{key: key, ready: make(chan struct{})}
	c.blocks[key] = c.order.PushFront(b)
	c.mu.Unlock()

	b.data, b.err = f.fetch(ctx, block)
	c.mu.Lock()
	defer c.mu.Unlock()
	close(b.ready)
	if b.err != nil {
		c.drop(key)
		return nil, b.err
	}
	c.size += int64(len(b.data))
	for e := c.order.Back(); e != nil && c.size > c.limit; {
		old := e.Value.(*cached)
		e = e.Prev()
		if old.data != nil && old.key != key {
			c.size -= int64(len(old.data))
			c.drop(old.key)
		}
	}
	return b.data, nil
}

func (c *Cache) drop(key blockKey) {
	if e, ok := c.blocks[key]; ok {
		c.order.Remove(e)
		delete(c.blocks, key)
	}
}
