package snapshot

import (
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
)

// place completes an index's metadata against what the cluster has: a closed index of the name is replaced.
func (p *restorePlan) place(tx *state.Tx, r *plannedIndex) (*state.Index, error) {
	ix := r.meta.Clone()
	old := tx.Index(ix.Name)
	if old == nil {
		if tx.Names().HasAlias(ix.Name) {
			return nil, apierr.InvalidIndexName(ix.Name, "already exists as alias")
		}
		ix.UUID = state.NewUUID()
		ix.CreationDate = time.Now().UnixMilli()
		if n, err := strconv.ParseInt(ix.Settings.GetOr("index.creation_date", ""), 10, 64); err == nil {
			ix.CreationDate = n
		}
	} else if err := p.replace(ix, old, r.from); err != nil {
		return nil, err
	}
	for name := range ix.Aliases {
		if tx.Index(name) != nil {
			return nil, restoreError(p.req, p.entry.UUID, "cannot rename or restore alias [%s]: an index of that name exists", name)
		}
	}
	ix.State = state.IndexOpen
	ix.Settings["index.uuid"] = ix.UUID
	ix.ProvidedName = ix.Settings.GetOr("index.provided_name", ix.Name)
	return ix, cluster.CheckRestored(ix)
}

// replace lets an index take the place of a closed one of its name.
func (p *restorePlan) replace(ix, old *state.Index, from string) error {
	switch {
	case old.State != state.IndexClosed:
		return restoreError(p.req, p.entry.UUID, "cannot restore index [%s] because an open index with same name already exists in the cluster. Either close or delete the existing index or restore the index under a different name by providing a rename pattern and replacement name", ix.Name)
	case len(p.failed[from]) > 0:
		return restoreError(p.req, p.entry.UUID, "cannot restore partial index [%s] because such index already exists", ix.Name)
	case old.NumberOfShards != ix.NumberOfShards:
		return restoreError(p.req, p.entry.UUID, "cannot restore index [%s] with [%d] shards from a snapshot of index [%s] with [%d] shards",
			ix.Name, old.NumberOfShards, from, ix.NumberOfShards)
	}
	ix.UUID, ix.CreationDate = old.UUID, old.CreationDate
	ix.Version, ix.MappingVersion = max(ix.Version, old.Version+1), max(ix.MappingVersion, old.MappingVersion+1)
	ix.SettingsVersion, ix.AliasesVersion = max(ix.SettingsVersion, old.SettingsVersion+1), max(ix.AliasesVersion, old.AliasesVersion+1)
	for i := range ix.PrimaryTerms {
		ix.PrimaryTerms[i] = max(ix.PrimaryTerms[i], old.PrimaryTerms[i]+1)
	}
	if !p.req.IncludeAliases {
		ix.Aliases = old.Aliases
	}
	ix.Settings["index.history.uuid"] = state.NewUUID()
	return nil
}

// routing gives a shard to this node, to be recovered from the snapshot. A shard that failed in the snapshot is started empty.
func (p *restorePlan) routing(ix *state.Index, r *plannedIndex, n int, restore, node string) (*state.ShardRouting, *state.RestoreShard) {
	src := &state.RecoverySource{Type: state.RecoverSnapshot, RestoreUUID: restore, Repository: p.req.Repository, Snapshot: p.req.Snapshot,
		SnapshotUUID: p.entry.UUID, Index: r.from, IndexID: r.id.ID, Version: int(p.info.Version.ID())}
	part := &state.RestoreShard{RestoreUUID: restore, Index: ix.Name, IndexUUID: ix.UUID, Shard: n, Node: node, State: shardInit}
	if why, failed := p.failed[r.from][n]; failed {
		src = &state.RecoverySource{Type: state.RecoverEmptyStore, RestoreUUID: restore}
		part.State, part.Reason = shardFailure, "the snapshot does not hold the shard, which starts empty: "+why
	}
	return cluster.NewRouting(ix, n, src, "NEW_INDEX_RESTORED", node), part
}
