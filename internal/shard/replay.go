package shard

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-search/varve/internal/translog"
)

// Replay applies operations to the Lucene index that was put into the folder of cfg, in any order, and commits; each calls apply for
// every one of them. Operations that the index has already are passed over. On the outcome a shard can be opened (Restored). It
// returns how many operations there were; if it fails the index may hold a part of them.
func Replay(ctx context.Context, cfg Config, each func(apply func(*translog.Operation) error) error) (n int64, err error) {
	if cfg.Tuning == (Tuning{}) {
		cfg.Tuning = DefaultTuning()
	}
	s := newShard(ctx, cfg)
	defer func() {
		s.abandon()
		err = errors.Join(err, translog.Remove(TranslogPath(cfg.Path)))
	}()
	err = s.openEngine(ctx, Restored)
	if err == nil {
		err = each(func(op *translog.Operation) error { return s.replayNext(ctx, op) })
	}
	if err == nil {
		err = s.recovered(ctx)
	}
	if err != nil {
		err = fmt.Errorf("apply operations to shard [%s][%d]: %w", cfg.Index, cfg.ID, err)
	}
	return s.Recovered, err
}
