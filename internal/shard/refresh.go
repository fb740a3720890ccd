package shard

import (
	"context"
	"time"

	"github.com/varve-search/varve/lucene/store"
)

// Refresh makes all operations so far visible.
func (s *Shard) Refresh(ctx context.Context) error {
	if s.closed.Load() {
		return s.closedError()
	}
	if f := s.failure.Load(); f != nil {
		return s.engineFailed(*f)
	}
	if s.sealed.Load() { // nothing changes
		return nil
	}
	return s.reopen(ctx)
}

func (s *Shard) reopen(ctx context.Context) error {
	s.refreshMu.Lock()
	defer s.refreshMu.Unlock()
	start := time.Now()
	upTo := s.ticket.Load()
	s.versions.beforeRefresh()
	r, err := s.writer.Reader(ctx)
	if err != nil {
		if s.writer.Err() != nil {
			return s.fail(err)
		}
		return err
	}
	old := s.view.Swap(newView(r))
	if old != nil {
		old.release()
	}
	s.versions.afterRefresh(s.tuning.Load().GCDeletes)
	s.visible.Store(upTo)
	s.refreshed.L.Lock()
	close(s.refreshCh)
	s.refreshCh = make(chan struct{})
	s.refreshed.L.Unlock()
	s.stats.refreshes.add(time.Since(start))
	return nil
}

// searchIdle tells whether nobody searched for a while, and nobody set how often to refresh.
func (s *Shard) searchIdle() bool {
	t := s.tuning.Load()
	return !t.RefreshSet && time.Duration(nowNanos()-s.lastSearch.Load()) > t.SearchIdle
}

// versionMapLimit is the size of the map of versions, in bytes, at which a refresh empties it.
const versionMapLimit = 64 << 20

// inactive is how long nothing must have been written before the rest is committed.
const inactive = 5 * time.Minute

// refreshLoop refreshes every RefreshInterval, and commits a shard that has come to rest.
func (s *Shard) refreshLoop() {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for {
		t := s.tuning.Load()
		wait := t.RefreshInterval
		if wait <= 0 {
			wait = time.Second
		}
		timer.Reset(wait)
		select {
		case <-s.stop:
			return
		case <-timer.C:
		}
		if s.failure.Load() != nil {
			return
		}
		pending := s.visible.Load() < s.ticket.Load()
		if pending && (t.RefreshInterval > 0 && !s.searchIdle() || s.versions.size() > versionMapLimit) {
			if err := store.Guard(func() error { return s.reopen(s.ctx) }); err != nil {
				s.cfg.Log.Warn("a refresh failed", "index", s.cfg.Index, "shard", s.cfg.ID, "error", err)
			}
		}
		if time.Duration(nowNanos()-s.lastWrite.Load()) > inactive && s.uncommitted() > 0 {
			if err := s.Flush(s.ctx); err != nil {
				s.cfg.Log.Warn("a flush failed", "index", s.cfg.Index, "shard", s.cfg.ID, "error", err)
			}
		}
	}
}
