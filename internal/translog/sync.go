package translog

import (
	"fmt"
	"sync"
	"time"
)

// Durability is OpenSearch's index.translog.durability.
type Durability int

const (
	// DurabilityRequest syncs before each write is acknowledged.
	DurabilityRequest Durability = iota
	// DurabilityAsync syncs every SyncInterval: a crash loses what was acknowledged since.
	DurabilityAsync
)

// Sync returns when the operation at loc and all that were added before it are on disk. Callers that
// come while a sync is under way share the next one.
func (l *Log) Sync(loc Location) error {
	if err := l.checkKnown(loc); err != nil {
		return err
	}
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	for !l.covers(loc) {
		if l.syncing {
			l.synced.Wait()
			continue
		}
		l.syncing = true
		l.syncMu.Unlock()
		err := l.syncOnce()
		l.syncMu.Lock()
		l.syncing = false
		l.synced.Broadcast()
		// Another goroutine's roll may have made loc durable although this sync failed.
		if err != nil && !l.covers(loc) {
			return err
		}
	}
	return nil
}

func (l *Log) checkKnown(loc Location) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if g := l.current(); loc.Generation > g.number || loc.Generation == g.number && loc.end() > g.size {
		return fmt.Errorf("translog: location %d:%d+%d is beyond the end of the log", loc.Generation, loc.Offset, loc.Size)
	}
	return nil
}

// covers tells whether loc is on disk. The caller holds syncMu.
func (l *Log) covers(loc Location) bool {
	return loc.Generation < l.done.Generation || loc.Generation == l.done.Generation && loc.end() <= l.done.Offset
}

// Ensure makes the operation at loc as durable as the log's durability asks before a write is
// acknowledged.
func (l *Log) Ensure(loc Location) error {
	if l.background.running() {
		return l.Err()
	}
	return l.Sync(loc)
}

// SyncAll syncs everything that was added so far, and the global checkpoint.
func (l *Log) SyncAll() error {
	return l.syncOnce()
}

// SyncNeeded tells whether something was added that is not on disk.
func (l *Log) SyncNeeded() bool {
	l.mu.Lock()
	g := l.current()
	end := Location{Generation: g.number, Offset: g.size}
	l.mu.Unlock()
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	return !l.covers(end)
}

// syncOnce writes and syncs all that was added before it was called.
func (l *Log) syncOnce() error {
	l.ioMu.Lock()
	defer l.ioMu.Unlock()
	l.mu.Lock()
	if l.err != nil {
		defer l.mu.Unlock()
		return l.err
	}
	g := l.current()
	next := l.last
	next.offset, next.ops, next.minSeqNo, next.maxSeq = g.size, g.ops, g.minSeqNo, g.maxSeq
	next.globalCheckpoint = l.global
	if next == l.last {
		l.mu.Unlock()
		return nil
	}
	l.detachBuffer(g)
	l.mu.Unlock()

	if err := l.writeDetached(g); err != nil {
		return err
	}
	if next.offset != l.last.offset {
		if err := g.f.Datasync(); err != nil {
			return l.fail(fmt.Errorf("sync %s: %w", g.path, err))
		}
	}
	return l.writeCheckpoint(next)
}

// writeCheckpoint puts c into the slot that does not hold the newest checkpoint and syncs it. The
// caller holds ioMu.
func (l *Log) writeCheckpoint(c checkpoint) error {
	c.sequence = l.last.sequence + 1
	if _, err := l.checkpoint.WriteAt(c.encode(), slotDistance*(c.sequence%2)); err != nil {
		return l.fail(fmt.Errorf("write the translog checkpoint in %s: %w", l.dir, err))
	}
	if err := l.checkpoint.Datasync(); err != nil {
		return l.fail(fmt.Errorf("sync the translog checkpoint in %s: %w", l.dir, err))
	}
	l.last = c
	l.syncMu.Lock()
	l.done = Location{Generation: c.generation, Offset: c.offset}
	l.syncMu.Unlock()
	return nil
}

// SetDurability changes durability and interval (0 keeps the default). From async to request, all
// that was added is synced.
func (l *Log) SetDurability(d Durability, interval time.Duration) error {
	l.background.stop()
	if d == DurabilityAsync {
		if interval <= 0 {
			interval = Options{}.withDefaults().SyncInterval
		}
		l.background.start(l, interval)
		return l.Err()
	}
	return l.SyncAll()
}

// syncer is the goroutine of DurabilityAsync.
type syncer struct {
	mu   sync.Mutex
	quit chan struct{}
	done chan struct{}
}

func (s *syncer) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.quit != nil
}

func (s *syncer) start(l *Log, interval time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quit != nil {
		return
	}
	quit, done := make(chan struct{}), make(chan struct{})
	s.quit, s.done = quit, done
	go func() {
		defer close(done)
		t := time.NewTicker(interval)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
				if l.SyncAll() != nil {
					return // the log keeps the error and gives it to whoever adds or ensures
				}
			}
		}
	}()
}

func (s *syncer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quit == nil {
		return
	}
	close(s.quit)
	<-s.done
	s.quit, s.done = nil, nil
}
