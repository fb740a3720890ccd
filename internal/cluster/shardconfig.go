package cluster

import (
	"path/filepath"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/shard"
)

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
