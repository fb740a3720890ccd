package shard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/translog"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// OpenSearchOnly opens a shard that answers and takes no writes, on a directory that may lie anywhere and that it owns.
// Nothing is written to cfg.Path, until Promote.
func OpenSearchOnly(ctx context.Context, cfg Config, dir store.Directory) (*Shard, error) {
	if cfg.Tuning == (Tuning{}) {
		cfg.Tuning = DefaultTuning()
	}
	r, err := index.OpenDirectory(ctx, dir, "")
	if err != nil {
		return nil, fmt.Errorf("open shard [%s][%d] for searches: %w", cfg.Index, cfg.ID, errors.Join(err, dir.Close()))
	}
	s := newShard(ctx, cfg)
	s.sealed.Store(true)
	s.origin, s.commitInfos = dir, r.Infos()
	s.view.Store(newView(r))
	return s, nil
}

// SearchOnly tells whether the shard takes no writes.
func (s *Shard) SearchOnly() bool { return s.sealed.Load() }

// Promote makes a shard that was opened for searches only one that takes writes: cfg.Path has a Lucene index now, the
// same that is answered from, and a new history begins on it. Searches that run go on where they are. On an error the
// shard goes on to answer. It must not run beside Close.
func (s *Shard) Promote(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.users.RUnlock()
	if !s.sealed.Load() {
		return nil
	}
	if err := s.openEngine(ctx, Restored); err != nil {
		s.dropEngine()
		return fmt.Errorf("open shard [%s][%d]: %w", s.cfg.Index, s.cfg.ID, err)
	}
	s.sealed.Store(false)
	s.work.Go(s.refreshLoop)
	return nil
}

// sealedError answers what a shard that only answers cannot do.
func (s *Shard) sealedError() error {
	return apierr.New(http.StatusServiceUnavailable, "unavailable_shards_exception",
		"[%s][%d] answers searches only: its files are in a snapshot repository", s.cfg.Index, s.cfg.ID).
		With("index", s.cfg.Index).With("shard", strconv.Itoa(s.cfg.ID)).With("index_uuid", s.cfg.UUID)
}

// files is the directory that the shard answers from.
func (s *Shard) files() store.Directory {
	if s.sealed.Load() {
		return s.origin
	}
	return s.dir
}

func (s *Shard) lastCommit() *segments.Infos {
	if s.sealed.Load() {
		return s.commitInfos
	}
	return s.writer.LastCommit()
}

// sealedStats fills in what there is to say of a shard that only answers.
func (s *Shard) sealedStats(st *Stats) {
	data := s.commitInfos.UserData
	st.MaxSeqNo, st.Checkpoint, st.HistoryUUID = NoOps, NoOps, data[keyHistoryUUID]
	if n, err := strconv.ParseInt(data[keyMaxSeqNo], 10, 64); err == nil {
		st.MaxSeqNo, st.Checkpoint = n, n
	}
	st.Translog = translog.Stats{}
	names, err := s.origin.List()
	if err != nil {
		return // of a snapshot's directory it cannot fail
	}
	for _, n := range names {
		if size, err := s.origin.Length(n); err == nil {
			st.Bytes += size
		}
	}
}
