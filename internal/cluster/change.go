package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

// DeleteIndices removes indices; each node that holds shards of them removes their files. What restores
// them is cancelled by it.
func (n *Node) DeleteIndices(ctx context.Context, names []string) error {
	return n.store.Update(ctx, func(tx *state.Tx) error {
		lookup := tx.Names()
		for _, name := range names {
			if err := leaveStream(tx, lookup, name); err != nil {
				return err
			}
			if err := DeleteIndex(tx, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteIndex removes an index and its routing, and cancels what restores it. A snapshot that is taken of it refuses that.
func DeleteIndex(tx *state.Tx, name string) error {
	ix := tx.Index(name)
	if ix == nil {
		return apierr.IndexNotFound(name)
	}
	for _, job := range tx.SnapshotJobs() {
		if job.State != "STARTED" && job.State != "INIT" || job.Partial {
			continue
		}
		if slices.ContainsFunc(job.Indices, func(s state.SnapshotIndex) bool { return s.UUID == ix.UUID }) {
			return apierr.New(400, "snapshot_in_progress_exception",
				"Cannot delete indices that are being snapshotted: [[%s/%s]]. Try again after snapshot finishes or cancel the currently running snapshot.", ix.Name, ix.UUID)
		}
	}
	for _, r := range tx.Shards(ix.UUID) {
		tx.Delete(r)
	}
	tx.Delete(ix)
	return nil
}

// edit changes the metadata of indices in one step. Versions are fn's to raise.
func (n *Node) edit(ctx context.Context, names []string, fn func(tx *state.Tx, ix *state.Index) error) error {
	return n.store.Update(ctx, func(tx *state.Tx) error {
		for _, name := range names {
			old := tx.Index(name)
			if old == nil {
				return apierr.IndexNotFound(name)
			}
			ix := old.Clone()
			if err := fn(tx, ix); err != nil {
				return err
			}
			ix.Version++
			tx.Put(ix)
		}
		return nil
	})
}

// CloseIndices closes indices: their shards are committed and closed, and nothing is served from them.
func (n *Node) CloseIndices(ctx context.Context, names []string) error {
	if err := refuseWriteIndices(n.store.View(), names, "close"); err != nil {
		return err
	}
	return n.edit(ctx, names, func(tx *state.Tx, ix *state.Index) error {
		for _, job := range tx.SnapshotJobs() {
			if (job.State == "STARTED" || job.State == "INIT") && !job.Partial &&
				slices.ContainsFunc(job.Indices, func(s state.SnapshotIndex) bool { return s.UUID == ix.UUID }) {
				return apierr.New(400, "snapshot_in_progress_exception",
					"Cannot close indices that are being snapshotted: [[%s/%s]]. Try again after snapshot finishes or cancel the currently running snapshot.", ix.Name, ix.UUID)
			}
		}
		for _, r := range tx.AllShards() {
			if r.IndexUUID == ix.UUID && r.Primary() != nil && r.Primary().Recovery != nil && r.Primary().Recovery.Type == state.RecoverSnapshot {
				return apierr.IllegalArgument("Cannot close indices that are being restored: [[%s/%s]]", ix.Name, ix.UUID)
			}
		}
		if err := CheckBlocks(ix, BlockMetadataWrite, false); err != nil {
			return err
		}
		ix.State = state.IndexClosed
		ix.SettingsVersion++
		ix.Settings["index.verified_before_close"] = "true"
		return nil
	})
}

// OpenIndices opens closed indices: their shards are recovered from disk.
func (n *Node) OpenIndices(ctx context.Context, names []string, waitFor int, timeout time.Duration) (shardsAcked bool, err error) {
	var opened []string
	err = n.edit(ctx, names, func(tx *state.Tx, ix *state.Index) error {
		if err := CheckBlocks(ix, BlockMetadataWrite, false); err != nil {
			return err
		}
		if ix.State == state.IndexOpen {
			return nil
		}
		ix.State = state.IndexOpen
		delete(ix.Settings, "index.verified_before_close")
		ix.SettingsVersion++
		opened = append(opened, ix.UUID)
		for _, r := range tx.Shards(ix.UUID) {
			r = r.Clone()
			for i := range r.Copies {
				c := &r.Copies[i]
				if !c.Primary || c.Node == "" {
					continue
				}
				c.State, c.AllocationID = state.ShardInitializing, state.NewUUID()
				c.Recovery = &state.RecoverySource{Type: state.RecoverExistingStore}
				c.Unassigned = &state.Unassigned{Reason: "INDEX_REOPENED", At: time.Now().UTC()}
				ix.PrimaryTerms[r.Shard]++
			}
			tx.Put(r)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return n.WaitFor(ctx, timeout, func(v *state.View) bool {
		for _, uuid := range opened {
			if !activeCopies(v, uuid, waitFor) {
				return false
			}
		}
		return true
	})
}

// UpdateSettings changes settings of indices; update is normalised, nil values reset. preserve keeps what is set already.
func (n *Node) UpdateSettings(ctx context.Context, names []string, update settings.Settings, preserve bool) error {
	return n.edit(ctx, names, func(tx *state.Tx, ix *state.Index) error {
		change := update
		if preserve {
			change = settings.Settings{}
			for k, v := range update {
				if _, set := ix.Settings[k]; !set {
					change[k] = v
				}
			}
		}
		if err := checkUpdate(ix, change); err != nil {
			return err
		}
		next := ix.Settings.Apply(change)
		if next.Equal(ix.Settings) {
			return nil
		}
		if _, ok := next.Get("index.number_of_replicas"); !ok {
			next["index.number_of_replicas"] = "1"
		}
		replicas, err := next.Int("index.number_of_replicas", 1)
		if err != nil {
			return illegal(err)
		}
		ix.Settings = next
		ix.SettingsVersion++
		if ix.Hidden, err = next.Bool("index.hidden", false); err != nil {
			return illegal(err)
		}
		if replicas != ix.NumberOfReplicas {
			ix.NumberOfReplicas = replicas
			resizeReplicas(tx, ix)
		}
		if ix.State == state.IndexClosed { // analyzers may have changed
			_, err = checkMapping(ix, ix.Mapping)
		}
		return err
	})
}

// checkUpdate refuses changes of settings that an index does not have, or that must not change while it is open.
func checkUpdate(ix *state.Index, change settings.Settings) error {
	if ix.State != state.IndexOpen {
		return illegal(settings.Index.ValidateUpdate(change, ix.Name, false))
	}
	if err := settings.Index.Validate(change); err != nil {
		return illegal(err)
	}
	var fixed []string
	for _, k := range change.Keys() {
		if s := settings.Index.Lookup(k); s != nil && !s.Dynamic && !s.Private && !s.Internal {
			fixed = append(fixed, k)
		}
	}
	if len(fixed) > 0 {
		return apierr.IllegalArgument("Can't update non dynamic settings [[%s]] for open indices [[%s/%s]]", strings.Join(fixed, ", "), ix.Name, ix.UUID)
	}
	return illegal(settings.Index.ValidateUpdate(change, ix.Name, true))
}

func resizeReplicas(tx *state.Tx, ix *state.Index) {
	for _, r := range tx.Shards(ix.UUID) {
		r = r.Clone()
		for len(r.Copies) > 1+ix.NumberOfReplicas {
			r.Copies = r.Copies[:len(r.Copies)-1]
		}
		for len(r.Copies) < 1+ix.NumberOfReplicas {
			r.Copies = append(r.Copies, state.ShardCopy{State: state.ShardUnassigned, Recovery: &state.RecoverySource{Type: state.RecoverPeer},
				Unassigned: &state.Unassigned{Reason: "REPLICA_ADDED", At: time.Now().UTC(), AllocationStatus: "no_attempt"}})
		}
		tx.Put(r)
	}
}

// PutMapping merges a mapping into those of indices. It is acknowledged when all of them have it.
func (n *Node) PutMapping(ctx context.Context, names []string, update json.RawMessage) error {
	err := n.edit(ctx, names, func(_ *state.Tx, ix *state.Index) error {
		merged, err := mergeMapping(ix, update)
		if err != nil {
			return err
		}
		if string(merged) != string(ix.Mapping) {
			ix.Mapping = merged
			ix.MappingVersion++
		}
		return nil
	})
	return err
}

// AliasAction is one action of the API _aliases.
type AliasAction struct {
	Add, Remove, RemoveIndex bool
	Index, Alias             string
	Settings                 state.Alias
	MustExist                bool
}

// AliasesMissing is an alias, or several, that should be there and are not: 404.
func AliasesMissing(names ...string) error {
	list := strings.Join(names, ", ")
	return apierr.New(404, "aliases_not_found_exception", "aliases [%s] missing", list).
		With("resource.id", list).With("resource.type", "aliases")
}

// UpdateAliases applies all actions in one step, or none.
func (n *Node) UpdateAliases(ctx context.Context, actions []AliasAction) error {
	return n.store.Update(ctx, func(tx *state.Tx) error { return applyAliases(tx, actions) })
}

func applyAliases(tx *state.Tx, actions []AliasAction) error {
	changed := map[string]*state.Index{}
	get := func(name string) (*state.Index, error) {
		if ix := changed[name]; ix != nil {
			return ix, nil
		}
		ix := tx.Index(name)
		if ix == nil {
			return nil, apierr.IndexNotFound(name)
		}
		c := ix.Clone()
		if c.Aliases == nil {
			c.Aliases = map[string]state.Alias{}
		}
		c.Version++
		c.AliasesVersion++
		changed[name] = c
		return c, nil
	}
	for _, a := range actions {
		if !a.RemoveIndex {
			continue
		}
		if err := leaveStream(tx, tx.Names(), a.Index); err != nil {
			return err
		}
		if err := DeleteIndex(tx, a.Index); err != nil {
			return err
		}
		delete(changed, a.Index)
	}
	for _, a := range actions {
		if a.RemoveIndex {
			continue
		}
		ix, err := get(a.Index)
		if err != nil {
			return err
		}
		if a.Remove {
			if _, ok := ix.Aliases[a.Alias]; !ok && a.MustExist {
				return AliasesMissing(a.Alias)
			}
			delete(ix.Aliases, a.Alias)
			continue
		}
		if err := checkAlias(tx.View, ix, a.Alias); err != nil {
			return err
		}
		ix.Aliases[a.Alias] = a.Settings
	}
	for _, ix := range changed {
		tx.Put(ix)
	}
	for _, ix := range changed {
		if err := checkWriteAliases(tx.View, ix); err != nil {
			return err
		}
	}
	return CheckStreams(tx.View)
}
