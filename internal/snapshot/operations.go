package snapshot

import (
	"context"
	"fmt"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/translog"
	"github.com/varve-search/varve/repository"
)

// OfflineShardConfig returns what a shard of an index in a snapshot is opened with in a folder, where no node has the index.
func OfflineShardConfig(meta *repository.IndexMetadata, path string, id int) (shard.Config, error) {
	ix, err := restoredIndex(meta)
	if err != nil {
		return shard.Config{}, err
	}
	return cluster.OfflineShardConfig(ix, path, id)
}

// ApplyOperations applies what the files of a shard lack to its Lucene index, which lies where cfg says. Progress, which may be nil,
// is called after each operation.
func ApplyOperations(ctx context.Context, ops *repository.Operations, cfg shard.Config, progress func()) (int64, error) {
	cfg.NoMerges = true
	return shard.Replay(ctx, cfg, func(apply func(*translog.Operation) error) error {
		return ops.Each(ctx, func(op *repository.Operation) error {
			t := translog.Operation{SeqNo: op.SeqNo, PrimaryTerm: op.PrimaryTerm, Version: op.Version, ID: op.ID, Routing: op.Routing, Source: op.Source, Reason: op.NothingBecause}
			switch op.Kind {
			case repository.OperationIndex:
				t.Type = translog.OpIndex
			case repository.OperationDelete:
				t.Type = translog.OpDelete
			case repository.OperationNone:
				t.Type = translog.OpNoOp
			default:
				return fmt.Errorf("operation %d is of kind %d", op.SeqNo, op.Kind)
			}
			if progress != nil {
				defer progress()
			}
			return apply(&t)
		})
	})
}
