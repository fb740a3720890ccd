package shardcheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/varve-search/varve/lucene/check"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// atOnce is how many shards are looked at side by side.
const atOnce = 2

// maxFindings of one shard.
const maxFindings = 100

// Checker looks into shards.
type Checker struct {
	cache *snapshotdir.Cache
	slots chan struct{}

	mu          sync.Mutex
	seen        map[string]bool // segments, by their shard and the blobs of their files
	segments    int
	unsupported map[string]int
}

// New returns a Checker that keeps at most so many bytes of files in memory.
func New(cache int64) *Checker {
	return &Checker{cache: snapshotdir.NewCache(cache), slots: make(chan struct{}, atOnce), seen: map[string]bool{}, unsupported: map[string]int{}}
}

// Segments is how many segments were looked at.
func (c *Checker) Segments() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.segments
}

// Unsupported are the reasons for which parts were not looked into beyond their checksums, with how often each was met: formats of
// plugins, and
// of versions that cannot be read.
func (c *Checker) Unsupported() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int, len(c.unsupported))
	for k, v := range c.unsupported {
		out[k] = v
	}
	return out
}

func (c *Checker) skipped(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsupported[err.Error()]++
}

// Check looks into a shard of a snapshot and reports what contradicts itself. The error is for what kept it from looking.
func (c *Checker) Check(ctx context.Context, s *repository.Shard, id repository.SnapshotID, found func(file, problem string)) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	snap, _, err := s.State(ctx, id)
	if err != nil {
		return err
	}
	dir, err := snapshotdir.OpenFiles(ctx, s, snap.Files, c.cache, "")
	if err != nil {
		return err
	}
	keys := segmentKeys(s, snap)
	if done, err := c.checkOld(ctx, dir, keys, found); done || err != nil {
		return err
	}
	report, err := check.Directory(ctx, dir, check.Options{
		NoChecksums: true, MaxFindings: maxFindings, Access: store.Sequential,
		Skip: func(segment string) bool { return c.known(keys[segment]) },
	})
	if errors.Is(err, segments.ErrNoCommit) {
		found("", "there is no commit among its files")
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		if f.Err != nil && codec.IsUnsupported(f.Err) {
			c.skipped(f.Err)
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		file := f.File
		if file == "" && f.Segment == "" {
			file = report.Commit
		}
		found(file, f.String())
	}
	if report.Omitted > 0 {
		found("", fmt.Sprintf("and %d further problems", report.Omitted))
	}
	for _, seg := range report.Segments {
		for _, err := range seg.Unsupported {
			if err != nil {
				c.skipped(err)
			}
		}
	}
	return nil
}

// known tells whether a segment was looked at, and counts it as such from now on.
func (c *Checker) known(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key != "" && c.seen[key] {
		return true
	}
	if key != "" {
		c.seen[key] = true
	}
	c.segments++
	return false
}

// segmentKeys names each segment by the shard and the contents of its files, deletions and updates included.
func segmentKeys(s *repository.Shard, snap *repository.ShardSnapshot) map[string]string {
	files := map[string][]string{}
	for _, f := range snap.Files {
		if !strings.HasPrefix(f.PhysicalName, "_") {
			continue
		}
		end := strings.IndexAny(f.PhysicalName[1:], "._")
		if end < 0 {
			continue
		}
		segment := f.PhysicalName[:end+1]
		files[segment] = append(files[segment], f.PhysicalName+" "+f.Checksum+" "+fmt.Sprint(f.Length))
	}
	keys := make(map[string]string, len(files))
	for segment, list := range files {
		slices.Sort(list)
		keys[segment] = s.Path() + "\n" + strings.Join(list, "\n")
	}
	return keys
}
