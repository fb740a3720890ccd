package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// atRest is a shard of a closed index: it is on disk, its commit was read, and nothing of it is open.
type atRest struct {
	recovery *Recovery
	done     chan struct{} // closed when the shard is closed and its commit was read
	segments int           // set before done is closed
}

// rest closes a shard of a closed index, if it is open, and reads its commit: it must be there when the index is opened again.
// It is called with ix.mu held.
func (ix *Index) rest(id int, old *slot) {
	c := &atRest{done: make(chan struct{}), recovery: &Recovery{Started: time.Now(), Source: state.RecoverySource{Type: state.RecoverExistingStore}}}
	ix.atRest[id] = c
	ix.node.work.Go(func() {
		defer close(c.done)
		if old != nil {
			ix.closeSlot(context.Background(), id, old)
		}
		if err := ix.readClosed(id, c); err != nil && ix.node.ctx.Err() == nil {
			ix.node.log.Warn("a closed shard's commit cannot be read", "index", ix.Meta().Name, "shard", id, "error", err)
		}
	})
}

func (ix *Index) readClosed(id int, c *atRest) error {
	dir := filepath.Join(ix.node.path(ix.Meta().UUID), strconv.Itoa(id))
	defer closing.lock(dir)()
	c.recovery.Enter(StageIndex)
	err := store.Guard(func() error {
		d, err := store.OpenFS(shard.IndexPath(dir))
		if err != nil {
			return err
		}
		defer d.Close()
		r, err := index.OpenDirectory(ix.node.ctx, d, "")
		if err != nil {
			return fmt.Errorf("open the commit: %w", err)
		}
		defer r.Close()
		c.segments = len(r.Leaves())
		for _, name := range r.Infos().Files() {
			n, err := d.Length(name)
			if err != nil {
				return err
			}
			c.recovery.Files.Add(name, n, true)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.recovery.Enter(StageTranslog)
	c.recovery.Enter(StageDone)
	return nil
}

// ClosedSegments returns how many segments the shards of a closed index have, by shard.
func (ix *Index) ClosedSegments() map[int]int {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	out := map[int]int{}
	for id, c := range ix.atRest {
		select {
		case <-c.done:
			out[id] = c.segments
		default:
		}
	}
	return out
}

// AwaitClosed waits until the shards of closed indices that are on this node have been committed and closed.
func (n *Node) AwaitClosed(ctx context.Context, names []string) error {
	for _, name := range names {
		for {
			ix, meta := n.Index(name), n.store.View().Index(name)
			if ix == nil || meta == nil || meta.State != state.IndexClosed {
				break
			}
			ix.mu.Lock()
			open := len(ix.shards)
			var wait []chan struct{}
			for _, c := range ix.atRest {
				wait = append(wait, c.done)
			}
			ix.mu.Unlock()
			for _, w := range wait {
				select {
				case <-w:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			if open == 0 {
				break
			}
			select {
			case <-time.After(5 * time.Millisecond): // the new state is about to be applied
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}
