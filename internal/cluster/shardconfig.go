package cluster

import (
	"log/slog"
	"path/filepath"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
)

// OfflineShardConfig returns what a shard in a folder is opened with where no node has the index. New fields of documents go into a
// mapping that lives as long as the configuration.
func OfflineShardConfig(meta *state.Index, path string, id int) (shard.Config, error) {
	m := &mapper{}
	if err := m.update(meta); err != nil {
		return shard.Config{}, err
	}
	cfg, err := shardConfig(path, id, meta, m)
	cfg.Log = slog.New(slog.DiscardHandler)
	return cfg, err
}

// ShardConfig returns what a shard of an index that this node knows is opened with: for who makes its Lucene index.
func (n *Node) ShardConfig(index, uuid string, id int) (shard.Config, error) {
	n.mu.RLock()
	ix := n.indices[uuid]
	n.mu.RUnlock()
	if ix == nil {
		return shard.Config{}, apierr.IndexNotFound(index)
	}
	return ix.shardConfig(filepath.Join(n.path(uuid), strconv.Itoa(id)), id, ix.Meta())
}
