package blockcache

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/varve-search/varve/repository/snapshotdir"
)

// Config describes a cache.
type Config struct {
	Path   string // folder of the blocks; it belongs to the cache alone
	Disk   int64  // bytes at most on disk; 0 keeps nothing there
	Memory int64  // bytes at most in memory
}

// Cache implements snapshotdir.Blocks. It is safe for concurrent use.
type Cache struct {
	mem  *snapshotdir.Cache
	disk *disk
	counters
}

type counters struct {
	hits, misses, fetched, damaged, evicted, failed atomic.Int64
}

// Stats are a cache's numbers at one moment.
type Stats struct {
	Limit, Used int64 // bytes on disk
	Memory      int64 // bytes in memory
	Blocks      int64 // on disk
	// Hits are blocks that were on disk, Misses those that were fetched, Fetched their bytes.
	Hits, Misses, Fetched int64
	Evicted               int64 // blocks that left for others
	Damaged               int64 // blocks whose bytes were not those that were written
	Failed                int64 // blocks that could not be kept
}

// Open opens a cache with what a process before left in its folder.
func Open(cfg Config) (*Cache, error) {
	c := &Cache{mem: snapshotdir.NewCache(cfg.Memory)}
	var err error
	if c.disk, err = openDisk(cfg.Path, cfg.Disk, &c.counters); err != nil {
		return nil, fmt.Errorf("open the block cache: %w", err)
	}
	return c, nil
}

// Block implements snapshotdir.Blocks.
func (c *Cache) Block(ctx context.Context, key snapshotdir.Key, length int, fetch snapshotdir.Fetch) (*snapshotdir.Block, error) {
	return c.mem.Block(ctx, key, length, func(ctx context.Context, p []byte) error {
		id := idOf(key)
		if c.disk.read(id, p) {
			c.hits.Add(1)
			return nil
		}
		if err := fetch(ctx, p); err != nil {
			return err
		}
		c.misses.Add(1)
		c.fetched.Add(int64(len(p)))
		c.disk.write(id, p)
		return nil
	})
}

// Stats returns the numbers now.
func (c *Cache) Stats() Stats {
	used, blocks := c.disk.size()
	return Stats{Limit: c.disk.limit, Used: used, Blocks: blocks, Memory: c.mem.Size(), Hits: c.hits.Load(), Misses: c.misses.Load(),
		Fetched: c.fetched.Load(), Evicted: c.evicted.Load(), Damaged: c.damaged.Load(), Failed: c.failed.Load()}
}
