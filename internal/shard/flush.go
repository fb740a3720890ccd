package shard

import (
	"context"
	"strconv"
	"time"

	"github.com/varve-search/varve/lucene/index"
)

// Flush commits what was written so far and trims the translog.
func (s *Shard) Flush(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.RUnlock()
	if s.sealed.Load() { // there is nothing to commit
		return nil
	}
	return s.commitLocked(ctx)
}

func (s *Shard) commitLocked(ctx context.Context) error {
	if s.uncommitted() == 0 && s.writer.LastCommit() != nil && s.writer.Stats().BufferedDocs == 0 && !s.writerAhead() {
		return nil
	}
	return s.commit(ctx)
}

// writerAhead tells whether the commit lacks operations that the translog does not count any more.
func (s *Shard) writerAhead() bool {
	maxSeqNo, _ := s.seq.get()
	return s.writer.LastCommit().UserData[keyMaxSeqNo] != strconv.FormatInt(maxSeqNo, 10)
}

// commit rolls the translog, commits Lucene, and trims what the commit holds.
func (s *Shard) commit(ctx context.Context) error {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	start := time.Now()
	if s.log.Stats(s.log.Generation()).Operations > 0 {
		if err := s.log.Roll(); err != nil {
			if s.log.Err() != nil {
				return s.fail(err)
			}
			return err
		}
	}
	// Whatever is done by now is in Lucene; an operation that is not yet done has a higher number, or holds the checkpoint back.
	maxSeqNo, checkpoint := s.seq.get()
	err := s.writer.Commit(ctx, map[string]string{
		keyTranslogUUID:    s.log.UUID(),
		keyHistoryUUID:     s.historyUUID,
		keyMaxSeqNo:        strconv.FormatInt(maxSeqNo, 10),
		keyLocalCheckpoint: strconv.FormatInt(checkpoint, 10),
		keyMaxAutoID:       "-1",
	})
	if err != nil {
		if s.writer.Err() != nil {
			return s.fail(err)
		}
		return err
	}
	s.log.SetGlobalCheckpoint(checkpoint)
	if err := s.log.Trim(s.log.MinGenerationFor(checkpoint + 1)); err != nil {
		if s.log.Err() != nil {
			return s.fail(err)
		}
		return err
	}
	s.stats.flushes.add(time.Since(start))
	return nil
}

func (s *Shard) uncommitted() int64 { return s.log.Stats(0).Operations }

// maybeFlush commits in the background once the translog has grown enough.
func (s *Shard) maybeFlush() {
	if s.log.CurrentSize() < s.tuning.Load().FlushBytes || s.flushing.Swap(true) {
		return
	}
	if s.enter() != nil { // closing: nothing may begin any more
		s.flushing.Store(false)
		return
	}
	defer s.users.RUnlock()
	s.work.Go(func() {
		defer s.flushing.Store(false)
		if err := s.Flush(s.ctx); err != nil && s.ctx.Err() == nil && !s.closed.Load() {
			s.cfg.Log.Warn("a flush failed", "index", s.cfg.Index, "shard", s.cfg.ID, "error", err)
		}
	})
}

// Pin commits and pins the commit, so that its files stay until the pin is released: for a snapshot.
func (s *Shard) Pin(ctx context.Context) (*index.CommitPin, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.users.RUnlock()
	if s.sealed.Load() {
		return nil, s.sealedError()
	}
	return s.writer.PinCommit()
}

// ForceMerge merges down to maxSegments (0: what the policy thinks right), or only rewrites segments
// with many deletes, and refreshes.
func (s *Shard) ForceMerge(ctx context.Context, maxSegments int, onlyExpungeDeletes bool) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if s.sealed.Load() {
		return s.sealedError()
	}
	var err error
	if onlyExpungeDeletes {
		err = s.writer.ForceMergeDeletes(ctx)
	} else {
		err = s.writer.ForceMerge(ctx, maxSegments)
	}
	if err != nil {
		if s.writer.Err() != nil {
			return s.fail(err)
		}
		return err
	}
	return s.reopen(ctx)
}
