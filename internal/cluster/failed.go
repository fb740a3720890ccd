package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
)

// Times between looks at whether a failed shard can be opened again.
const (
	firstReopen = time.Second
	lastReopen  = 15 * time.Second
)

// watch opens a shard again after it failed, as when its disk was full: what was acknowledged is on disk. Until its folder can
// be written to, the failed shard stays where it is, so that it can still be read.
func (ix *Index) watch(id int, s *slot, sh *shard.Shard) {
	ctx := ix.node.ctx
	select {
	case <-ctx.Done():
		return
	case <-sh.Closed():
		return
	case <-sh.Failed():
	}
	dir := filepath.Join(ix.node.path(ix.Meta().UUID), strconv.Itoa(id))
	for wait := firstReopen; ; wait = min(2*wait, lastReopen) {
		select {
		case <-ctx.Done():
			return
		case <-sh.Closed():
			return
		case <-time.After(wait):
		}
		err := writable(dir)
		if err == nil {
			break
		}
		ix.node.log.Warn("a failed shard cannot be opened again yet", "index", ix.Meta().Name, "shard", id, "error", err)
	}
	ix.mu.Lock()
	current := ix.shards[id] == s
	if current {
		delete(ix.shards, id)
	}
	ix.mu.Unlock()
	if !current {
		return
	}
	ix.closeSlot(context.WithoutCancel(ctx), id, s)
	for wait := firstReopen; ; wait = min(2*wait, lastReopen) { // nobody else would ask for it: the state says that it is started
		err := ix.recoverAgain(ctx, id, s.allocation)
		if err == nil || ctx.Err() != nil {
			return
		}
		ix.node.log.Error("that a failed shard is opened again cannot be recorded yet", "index", ix.Meta().Name, "shard", id, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// probeBytes is the room that a shard needs in its folder to be opened and to take a write.
const probeBytes = 1 << 20

// writable tells whether a folder's disk takes bytes.
func writable(dir string) error {
	left, _ := filepath.Glob(filepath.Join(dir, "probe-*")) // of a process that was killed; the pattern is sound
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	f, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, probeBytes))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// recoverAgain records that a copy is to be recovered from its disk, under a new primary term.
func (ix *Index) recoverAgain(ctx context.Context, id int, allocation string) error {
	uuid := ix.Meta().UUID
	return ix.node.store.Update(ctx, func(tx *state.Tx) error {
		r, meta := tx.Shard(uuid, id), tx.IndexByUUID(uuid)
		if r == nil || meta == nil {
			return nil
		}
		r = r.Clone()
		for i := range r.Copies {
			c := &r.Copies[i]
			if c.AllocationID != allocation || c.State != state.ShardStarted {
				continue
			}
			c.State, c.AllocationID, c.Recovery = state.ShardInitializing, state.NewUUID(), &state.RecoverySource{Type: state.RecoverExistingStore}
			if c.Primary {
				meta = meta.Clone()
				meta.PrimaryTerms[id]++
				tx.Put(meta)
			}
			tx.Put(r)
		}
		return nil
	})
}
