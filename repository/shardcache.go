package repository

import (
	"container/list"
	"sync"

	"github.com/klauspost/compress/s2"
)

// shardCacheBytes is how much of shards' indices a repository keeps in memory, compressed.
const shardCacheBytes = 16 << 20

// shardCache keeps the bytes of the newest index of shards that this process read or wrote, the least recently used going first:
// the next snapshot or deletion is built on it. Its zero value is ready.
type shardCache struct {
	mu    sync.Mutex
	bytes int
	order list.List // of *keptIndex, the newest in front
	byDir map[string]*list.Element
}

type keptIndex struct {
	dir, generation string
	packed          []byte
}

func (k *keptIndex) cost() int { return len(k.packed) + len(k.dir) + 200 }

// get returns the bytes of a generation, which are the caller's.
func (c *shardCache) get(dir, generation string) ([]byte, bool) {
	c.mu.Lock()
	e := c.byDir[dir]
	if e == nil || e.Value.(*keptIndex).generation != generation {
		c.mu.Unlock()
		return nil, false
	}
	c.order.MoveToFront(e)
	packed := e.Value.(*keptIndex).packed
	c.mu.Unlock()
	b, err := s2.Decode(nil, packed)
	return b, err == nil // of what put encoded
}

// put keeps a copy of b in place of what was kept of the shard.
func (c *shardCache) put(dir, generation string, b []byte) {
	k := &keptIndex{dir, generation, s2.Encode(nil, b)}
	k.packed = append(make([]byte, 0, len(k.packed)), k.packed...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byDir == nil {
		c.byDir = map[string]*list.Element{}
	}
	if e := c.byDir[dir]; e != nil {
		c.remove(e)
	}
	c.byDir[dir] = c.order.PushFront(k)
	c.bytes += k.cost()
	for c.bytes > shardCacheBytes {
		c.remove(c.order.Back())
	}
}

func (c *shardCache) remove(e *list.Element) {
	k := c.order.Remove(e).(*keptIndex)
	c.bytes -= k.cost()
	delete(c.byDir, k.dir)
}
