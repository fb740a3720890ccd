package snapshot

import (
	"container/list"
	"context"
	"sync"

	"github.com/varve-search/varve/repository"
)

// cacheBytes is about how much each cache of a repository may hold.
const cacheBytes = 16 << 20

// cache keeps what was read of blobs that never change, by their snapshot's UUID; the least recently used goes first. A nil cache
// keeps nothing.
type cache[V any] struct {
	mu    sync.Mutex
	limit int
	cost  int
	order list.List // of *cached[V], the newest in front
	byKey map[string]*list.Element
}

type cached[V any] struct {
	key   string
	value V
	cost  int
}

func newCache[V any](limit int) *cache[V] {
	return &cache[V]{limit: limit, byKey: map[string]*list.Element{}}
}

func (c *cache[V]) get(key string) (V, bool) {
	var none V
	if c == nil {
		return none, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[V]).value, true
}

// put keeps a value that nobody changes any more and that takes about cost bytes.
func (c *cache[V]) put(key string, value V, cost int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[key] != nil || cost > c.limit {
		return
	}
	c.byKey[key] = c.order.PushFront(&cached[V]{key, value, cost})
	c.cost += cost
	for c.cost > c.limit {
		last := c.order.Back()
		old := last.Value.(*cached[V])
		c.order.Remove(last)
		delete(c.byKey, old.key)
		c.cost -= old.cost
	}
}

// keptInfo is an info, and the length of its blob in the repository.
type keptInfo struct {
	info *repository.SnapshotInfo
	size int64
}

// info reads a snapshot's info, or takes it from the cache. It must not be changed.
func (o *opened) info(ctx context.Context, id repository.SnapshotID) (*repository.SnapshotInfo, error) {
	if k, ok := o.infos.get(id.UUID); ok {
		return k.info, nil
	}
	i, size, err := o.repo.SizedInfo(ctx, id)
	if err != nil {
		return nil, err
	}
	o.putInfo(i, size)
	o.file.dirty.Store(true)
	return i, nil
}

// wroteInfo puts an info into the cache that was written just now.
func (o *opened) wroteInfo(i *repository.SnapshotInfo) {
	b, err := o.repo.EncodeInfo(i)
	if err != nil {
		return // it was written, though: then it is read
	}
	o.putInfo(i, int64(len(b)))
	o.file.dirty.Store(true)
}

// putInfo puts an info into the cache that nobody changes any more.
func (o *opened) putInfo(i *repository.SnapshotInfo, size int64) {
	cost := 300
	for _, name := range i.Indices {
		cost += 16 + len(name)
	}
	for _, f := range i.Failures {
		cost += 80 + len(f.Index) + len(f.Reason) + len(f.NodeID)
	}
	o.infos.put(i.UUID, keptInfo{i, size}, cost)
}
