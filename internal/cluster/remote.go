package cluster

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/varve-search/varve/internal/blockcache"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// remote is what a node's shards share that read from repositories.
type remote struct {
	once  sync.Once
	cache *blockcache.Cache
	err   error
	slots chan struct{} // taken by shards whose files are being brought
}

const (
	// blockMemory is how many bytes of blocks are kept in memory, 128 blocks.
	blockMemory = 64 << 20
	// Without node.search.cache.size blocks take a tenth of the disk, but not more than this.
	defaultCache = 32 << 30
	// restoresAtOnce is how many shards of a node are restored at the same time, OpenSearch's default too.
	restoresAtOnce = 4
)

// Blocks returns the node's cache of blocks of repositories. It is opened when it is first asked for.
func (n *Node) Blocks() (*blockcache.Cache, error) {
	n.remote.once.Do(func() {
		limit, err := n.cacheSize()
		if err == nil {
			n.remote.cache, err = blockcache.Open(blockcache.Config{Path: filepath.Join(n.cfg.DataPath, "cache", "blocks"), Disk: limit, Memory: blockMemory})
		}
		n.remote.err = err
	})
	return n.remote.cache, n.remote.err
}

var _ snapshotdir.Blocks = (*blockcache.Cache)(nil)

// cacheSize reads node.search.cache.size: bytes, a percentage of the disk, or a ratio.
func (n *Node) cacheSize() (int64, error) {
	const key = "node.search.cache.size"
	text := strings.TrimSpace(n.cfg.Settings.GetOr(key, ""))
	total, _ := n.DiskSpace()
	if text == "" || text == "0" {
		if total == 0 {
			return 1 << 30, nil
		}
		return min(total/10, defaultCache), nil
	}
	ratio := -1.0
	if p, ok := strings.CutSuffix(text, "%"); ok {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil {
			return 0, fmt.Errorf("the setting [%s] is %q, which is neither a size nor a percentage", key, text)
		}
		ratio = f / 100
	} else if f, err := strconv.ParseFloat(text, 64); err == nil && f <= 1 {
		ratio = f
	}
	if ratio >= 0 {
		if ratio > 1 {
			return 0, fmt.Errorf("the setting [%s] is %q; a part of the disk is between 0%% and 100%%", key, text)
		}
		return int64(ratio * float64(total)), nil
	}
	return settings.Settings{key: text}.Bytes(key, 0)
}

// ShardPath returns the folder of a shard on this node.
func (n *Node) ShardPath(uuid string, id int) string {
	return filepath.Join(n.path(uuid), strconv.Itoa(id))
}

// RestoreSlot waits until few enough shards of this node are being restored; call what it returns when the files are there.
func (n *Node) RestoreSlot(done <-chan struct{}) (release func(), ok bool) {
	select {
	case n.remote.slots <- struct{}{}:
		return func() { <-n.remote.slots }, true
	case <-done:
		return nil, false
	}
}
