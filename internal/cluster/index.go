package cluster

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/translog"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// Index is an index as this node has it: its newest metadata, its mapping, and its shards that are here.
type Index struct {
	node   *Node
	meta   atomic.Pointer[state.Index]
	mapper *mapper

	mu     sync.Mutex
	shards map[int]*slot
	atRest map[int]*atRest // of a closed index
}

// slot is the place of a shard copy on this node.
type slot struct {
	allocation string
	shard      *shard.Shard // nil while it recovers
	recovery   *Recovery
	cancel     context.CancelFunc
	done       chan struct{} // closed when the recovery ended, well or not
}

func newIndex(n *Node, meta *state.Index) *Index {
	ix := &Index{node: n, shards: map[int]*slot{}, atRest: map[int]*atRest{}}
	ix.mapper = newMapper(ix)
	ix.meta.Store(meta)
	return ix
}

// Meta returns the index's metadata; it must not be changed.
func (ix *Index) Meta() *state.Index { return ix.meta.Load() }

// update takes new metadata: mapping and settings.
func (ix *Index) update(meta *state.Index) error {
	old := ix.meta.Swap(meta)
	var errs []error
	if err := ix.mapper.update(meta); err != nil {
		errs = append(errs, err)
	}
	if old != meta && !old.Settings.Equal(meta.Settings) {
		t, err := tuning(meta.Settings)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		ix.mu.Lock()
		defer ix.mu.Unlock()
		for _, s := range ix.shards {
			if s.shard != nil {
				errs = append(errs, s.shard.Tune(t))
			}
		}
	}
	return errors.Join(errs...)
}

// applyShard opens, keeps or closes a shard as its routing says.
func (ix *Index) applyShard(r *state.ShardRouting, meta *state.Index) {
	var mine *state.ShardCopy
	for i := range r.Copies {
		if r.Copies[i].Node == ix.node.store.NodeID() && r.Copies[i].State != state.ShardUnassigned {
			mine = &r.Copies[i]
		}
	}
	ix.mu.Lock()
	defer ix.mu.Unlock()
	s := ix.shards[r.Shard]
	want := mine != nil && meta.State == state.IndexOpen
	if s != nil && (!want || s.allocation != mine.AllocationID) {
		delete(ix.shards, r.Shard)
		old := s // s is taken on below
		if mine != nil && meta.State == state.IndexClosed {
			ix.rest(r.Shard, old)
		} else {
			ix.node.work.Go(func() { ix.closeSlot(context.Background(), r.Shard, old) })
		}
		s = nil
	}
	if meta.State != state.IndexClosed || mine == nil {
		delete(ix.atRest, r.Shard)
	} else if ix.atRest[r.Shard] == nil {
		ix.rest(r.Shard, nil)
	}
	if !want || s != nil || mine.State != state.ShardInitializing {
		return
	}
	ctx, cancel := context.WithCancel(ix.node.ctx)
	s = &slot{allocation: mine.AllocationID, cancel: cancel, done: make(chan struct{}), recovery: &Recovery{Started: time.Now()}}
	if mine.Recovery != nil {
		s.recovery.Source = *mine.Recovery
	}
	ix.shards[r.Shard] = s
	ix.node.work.Go(func() {
		defer cancel()
		defer close(s.done)
		ix.recover(ctx, r, meta, s)
	})
}

// closing serialises what opens and closes one shard's folder.
var closing keyedMutex

// recover opens a shard from its recovery source and reports what became of it.
func (ix *Index) recover(ctx context.Context, r *state.ShardRouting, meta *state.Index, s *slot) {
	sh, err := ix.open(ctx, r, meta, s)
	if err == nil {
		ix.mu.Lock()
		if ix.shards[r.Shard] == s {
			s.shard = sh // it may stand there already
		} else { // given up meanwhile
			err = context.Canceled
		}
		ix.mu.Unlock()
		if err != nil {
			_ = sh.CloseFast() // nothing was written to it
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		ix.node.log.Warn("a shard could not be recovered", "index", meta.Name, "shard", r.Shard, "error", err)
	} else {
		s.recovery.Enter(StageDone)
		ix.node.work.Go(func() { ix.watch(r.Shard, s, sh) })
	}
	if rerr := ix.report(ctx, r, s.allocation, err); rerr != nil && ctx.Err() == nil {
		ix.node.log.Error("a shard's state could not be recorded", "index", meta.Name, "shard", r.Shard, "error", rerr)
	}
}

func (ix *Index) open(ctx context.Context, r *state.ShardRouting, meta *state.Index, s *slot) (sh *shard.Shard, err error) {
	dir := filepath.Join(ix.node.path(meta.UUID), strconv.Itoa(r.Shard))
	defer closing.lock(dir)()
	cfg, err := ix.shardConfig(dir, r.Shard, meta)
	if err != nil {
		return nil, err
	}
	mode := shard.Existing
	s.recovery.Enter(StageIndex)
	switch {
	case RemoteSnapshot(meta):
		return ix.openRemote(ctx, cfg, r, meta, s)
	case s.recovery.Source.Type == state.RecoverEmptyStore:
		mode = shard.Empty
	case s.recovery.Source.Type == state.RecoverSnapshot:
		mode = shard.Restored
		early, err := ix.restore(ctx, cfg, r, s)
		if early != nil || err != nil {
			return early, err
		}
	}
	s.recovery.Enter(StageTranslog)
	err = store.Guard(func() error {
		sh, err = shard.Open(ctx, cfg, mode)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.recovery.TranslogOps.Store(sh.Recovered)
	s.recovery.Enter(StageFinalize)
	return sh, nil
}

// report records that a copy is started, or why it is not.
func (ix *Index) report(ctx context.Context, r *state.ShardRouting, allocation string, failure error) error {
	return ix.node.store.Update(ctx, func(tx *state.Tx) error {
		cur := tx.Shard(r.IndexUUID, r.Shard)
		if cur == nil {
			return nil
		}
		next := cur.Clone()
		for i := range next.Copies {
			c := &next.Copies[i]
			if c.AllocationID != allocation {
				continue
			}
			if failure == nil {
				c.State, c.Recovery, c.Unassigned = state.ShardStarted, nil, nil
				if meta := tx.IndexByUUID(r.IndexUUID); meta != nil {
					m := meta.Clone()
					for len(m.InSync) < m.NumberOfShards {
						m.InSync = append(m.InSync, nil)
					}
					m.InSync[r.Shard] = []string{allocation}
					tx.Put(m)
				}
			} else {
				failures := 1
				if c.Unassigned != nil {
					failures = c.Unassigned.Failures + 1
				}
				if final(c.Recovery, failure) { // it would fail the same way each time
					failures = max(failures, maxFailures)
				}
				rec := c.Recovery
				*c = state.ShardCopy{Primary: c.Primary, State: state.ShardUnassigned, Recovery: rec, Unassigned: &state.Unassigned{
					Reason: "ALLOCATION_FAILED", At: time.Now().UTC(), Failures: failures, FailedNodes: []string{ix.node.store.NodeID()},
					Details: failure.Error()}}
			}
			tx.Put(next)
		}
		return nil
	})
}

// shardConfig turns the index's settings into a shard's.
func (ix *Index) shardConfig(dir string, id int, meta *state.Index) (shard.Config, error) {
	cfg, err := shardConfig(dir, id, meta, ix.mapper)
	cfg.Log, cfg.RAMBudget = ix.node.log, ix.node.cfg.IndexBuffer
	return cfg, err
}

func shardConfig(dir string, id int, meta *state.Index, m *mapper) (shard.Config, error) {
	t, err := tuning(meta.Settings)
	if err != nil {
		return shard.Config{}, err
	}
	sort, err := indexSort(meta.Settings, m)
	if err != nil {
		return shard.Config{}, err
	}
	cfg := shard.Config{
		Path: dir, Index: meta.Name, UUID: meta.UUID, ID: id, PrimaryTerm: meta.PrimaryTerms[id], Parser: m, Sort: sort, Tuning: t,
	}
	switch codec := meta.Settings.GetOr("index.codec", "default"); codec {
	case "best_compression", "zlib":
		cfg.BestCompression = true
	}
	cfg.NoCompound = meta.Settings.GetOr("index.compound_format", "") == "false"
	if enabled, err := meta.Settings.Bool("index.merge.enabled", true); err == nil && !enabled {
		cfg.NoMerges = true
	}
	return cfg, nil
}

func tuning(s settings.Settings) (shard.Tuning, error) {
	t := shard.DefaultTuning()
	var err error
	if _, ok := s.Get("index.refresh_interval"); ok {
		t.RefreshSet = true
		if t.RefreshInterval, err = s.Duration("index.refresh_interval", time.Second); err != nil {
			return t, err
		}
	}
	if t.SearchIdle, err = s.Duration("index.search.idle.after", t.SearchIdle); err != nil {
		return t, err
	}
	if strings := s.GetOr("index.translog.durability", "request"); strings == "async" || strings == "ASYNC" {
		t.Durability = translog.DurabilityAsync
	}
	if t.SyncInterval, err = s.Duration("index.translog.sync_interval", t.SyncInterval); err != nil {
		return t, err
	}
	if t.FlushBytes, err = s.Bytes("index.translog.flush_threshold_size", t.FlushBytes); err != nil {
		return t, err
	}
	t.GCDeletes, err = s.Duration("index.gc_deletes", t.GCDeletes)
	return t, err
}

// indexSort reads index.sort.*.
func indexSort(s settings.Settings, m *mapper) ([]lucene.SortField, error) {
	fields := s.List("index.sort.field")
	orders, modes, missing := s.List("index.sort.order"), s.List("index.sort.mode"), s.List("index.sort.missing")
	at := func(l []string, i int) string {
		if i < len(l) {
			return l[i]
		}
		return ""
	}
	out := make([]lucene.SortField, 0, len(fields))
	for i, f := range fields {
		sf, err := m.sortField(f, at(orders, i) == "desc", at(modes, i), at(missing, i))
		if err != nil {
			return nil, err
		}
		out = append(out, sf)
	}
	return out, nil
}

// Shard returns an open shard, or an error that says that it is not here (yet).
func (ix *Index) Shard(id int) (*shard.Shard, error) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	s := ix.shards[id]
	if s == nil || s.shard == nil {
		m := ix.Meta()
		if m.State == state.IndexClosed {
			return nil, apierr.IndexClosed(m.Name, m.UUID)
		}
		return nil, apierr.New(http.StatusServiceUnavailable, "no_shard_available_action_exception", "No shard available for [%s][%d]", m.Name, id).
			With("index", m.Name).With("shard", strconv.Itoa(id)).With("index_uuid", m.UUID)
	}
	return s.shard, nil
}

// Shards returns the open shards that are here, by number.
func (ix *Index) Shards() map[int]*shard.Shard {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	out := make(map[int]*shard.Shard, len(ix.shards))
	for id, s := range ix.shards {
		if s.shard != nil {
			out[id] = s.shard
		}
	}
	return out
}

// Recoveries returns how the shards came to be here.
func (ix *Index) Recoveries() map[int]*Recovery {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	out := make(map[int]*Recovery, len(ix.shards))
	for id, s := range ix.shards {
		out[id] = s.recovery
	}
	for id, c := range ix.atRest {
		if out[id] == nil {
			out[id] = c.recovery
		}
	}
	return out
}

// closeSlot ends a shard's recovery or closes it with a commit.
func (ix *Index) closeSlot(ctx context.Context, id int, s *slot) {
	s.cancel()
	<-s.done
	if s.shard == nil {
		return
	}
	defer closing.lock(filepath.Join(ix.node.path(ix.Meta().UUID), strconv.Itoa(id)))()
	if err := s.shard.Close(ctx); err != nil {
		ix.node.log.Warn("a shard did not close cleanly; its translog has what it lacks", "index", ix.Meta().Name, "shard", id, "error", err)
	}
}

func (ix *Index) close(ctx context.Context) error {
	ix.mu.Lock()
	slots := ix.shards
	ix.shards = map[int]*slot{}
	ix.mu.Unlock()
	var wg sync.WaitGroup
	for id, s := range slots {
		wg.Go(func() { ix.closeSlot(ctx, id, s) })
	}
	wg.Wait()
	return nil
}

// remove closes a deleted index and removes its folder.
func (ix *Index) remove() {
	ix.mu.Lock()
	slots := ix.shards
	ix.shards = map[int]*slot{}
	ix.mu.Unlock()
	ix.node.work.Go(func() {
		for _, s := range slots {
			s.cancel()
			<-s.done
			if s.shard != nil {
				if err := s.shard.CloseFast(); err != nil {
					ix.node.log.Warn("a deleted index's shard did not close cleanly", "index", ix.Meta().Name, "error", err)
				}
			}
		}
		if err := os.RemoveAll(ix.node.path(ix.Meta().UUID)); err != nil {
			ix.node.log.Warn("a deleted index's files could not be removed", "index", ix.Meta().Name, "error", err)
		}
	})
}

// keyedMutex is a lock for each name.
type keyedMutex struct {
	mu    sync.Mutex
	locks map[string]*sync.Mutex
}

// lock takes the lock of a name and returns what gives it back.
func (k *keyedMutex) lock(name string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*sync.Mutex{}
	}
	l := k.locks[name]
	if l == nil {
		l = &sync.Mutex{}
		k.locks[name] = l
	}
	k.mu.Unlock()
	l.Lock()
	return l.Unlock
}
