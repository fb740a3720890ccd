package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/lucene/store"
)

// Restorer brings a shard's files from a snapshot. internal/snapshot is one.
type Restorer interface {
	// RestoreShard fills the folder of the shard's Lucene index. What the folder holds may be reused.
	RestoreShard(ctx context.Context, job RestoreJob) error
	// RemoteDirectory returns the files of a shard whose index stays in its repository (see RemoteSnapshot). They are
	// counted into the recovery. The directory is used until the node stops.
	RemoteDirectory(ctx context.Context, meta *state.Index, id int, rec *Recovery) (store.Directory, error)
}

// RestoreJob is a shard to be restored.
type RestoreJob struct {
	Routing  *state.ShardRouting
	Source   state.RecoverySource
	Dir      string    // folder of the Lucene index
	Recovery *Recovery // counts what is done
	// Early may be called once, while files still arrive, with a directory that has all of them nevertheless: searches
	// are answered from it then. It waits until the index is open on it, or cannot be opened, or ctx ends.
	Early func(ctx context.Context, dir store.Directory) error
}

// RemoteSnapshot tells whether an index stays in a snapshot's repository and is only searched.
func RemoteSnapshot(meta *state.Index) bool {
	return meta.Settings.GetOr("index.store.type", "") == "remote_snapshot"
}

// final tells whether a recovery from a snapshot failed for a reason that does not pass.
func final(src *state.RecoverySource, err error) bool {
	if src == nil || src.Type != state.RecoverSnapshot {
		return false
	}
	var p *PermanentError
	return store.IsCorrupt(err) || errors.As(err, &p)
}

// PermanentError says that a recovery would fail the same way if it were tried again.
type PermanentError struct{ Err error }

func (e *PermanentError) Error() string { return e.Err.Error() }

// Unwrap returns what failed.
func (e *PermanentError) Unwrap() error { return e.Err }

var errNoRestorer = errors.New("this node cannot restore snapshots")

// openRemote opens a shard of an index that stays in its repository.
func (ix *Index) openRemote(ctx context.Context, cfg shard.Config, r *state.ShardRouting, meta *state.Index, s *slot) (sh *shard.Shard, err error) {
	if ix.node.cfg.Restorer == nil {
		return nil, errNoRestorer
	}
	dir, err := ix.node.cfg.Restorer.RemoteDirectory(ctx, meta, r.Shard, s.recovery)
	if err != nil {
		return nil, err
	}
	s.recovery.Enter(StageTranslog)
	err = store.Guard(func() error {
		sh, err = shard.OpenSearchOnly(ctx, cfg, dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.recovery.Enter(StageFinalize)
	return sh, nil
}

// restore brings a shard's files from a snapshot. If it could be opened for searches meanwhile, it returns that shard,
// ready for writes too; nil says that the files are there and the shard is to be opened.
func (ix *Index) restore(ctx context.Context, cfg shard.Config, r *state.ShardRouting, s *slot) (*shard.Shard, error) {
	if ix.node.cfg.Restorer == nil {
		return nil, errNoRestorer
	}
	var early *shard.Shard
	job := RestoreJob{Routing: r, Source: s.recovery.Source, Dir: shard.IndexPath(cfg.Path), Recovery: s.recovery}
	job.Early = func(ctx context.Context, dir store.Directory) error {
		return store.Guard(func() error {
			sh, err := shard.OpenSearchOnly(ctx, cfg, dir)
			if err != nil {
				return err
			}
			ix.mu.Lock()
			defer ix.mu.Unlock()
			if ix.shards[r.Shard] != s { // given up meanwhile
				return errors.Join(context.Canceled, sh.CloseFast())
			}
			early, s.shard = sh, sh
			s.recovery.Searchable.Store(time.Now().UnixNano())
			return nil
		})
	}
	err := ix.node.cfg.Restorer.RestoreShard(ctx, job)
	if early == nil {
		return nil, err
	}
	if err == nil {
		s.recovery.Enter(StageTranslog)
		if err = store.Guard(func() error { return early.Promote(ctx) }); err == nil {
			s.recovery.Enter(StageFinalize)
			return early, nil
		}
		err = fmt.Errorf("all files are there, but %w", err)
	}
	ix.mu.Lock()
	if s.shard == early {
		s.shard = nil
	}
	ix.mu.Unlock()
	return nil, errors.Join(err, early.CloseFast())
}
