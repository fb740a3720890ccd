package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/transfer"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// RestoreRequest describes a restore.
type RestoreRequest struct {
	Repository, Snapshot                        string
	Indices                                     []string // names, wildcards, -exclusions of the snapshot's indices; none: all
	IgnoreUnavailable                           bool
	IncludeGlobalState, IncludeAliases, Partial bool
	RenamePattern, RenameReplacement            string
	RenameAliasPattern, RenameAliasReplacement  string
	IndexSettings                               settings.Settings // with "index."
	IgnoreIndexSettings                         []string
}

// RestoreResult is what a restore came to.
type RestoreResult struct {
	UUID     string
	Snapshot string
	Indices  []string
	Total    int
	Failed   int
	Failures []string
	Warnings []string
}

func restoreError(req RestoreRequest, uuid, format string, args ...any) error {
	return apierr.New(http.StatusInternalServerError, "snapshot_restore_exception", "[%s:%s/%s] %s", req.Repository, req.Snapshot, uuid, fmt.Sprintf(format, args...))
}

// Restore begins a restore. WaitRestore tells how it ends.
func (s *Service) Restore(ctx context.Context, req RestoreRequest) (*RestoreResult, error) {
	o, err := s.open(req.Repository)
	if err != nil {
		return nil, err
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return nil, s.describe(req.Repository, err)
	}
	entry, err := data.Snapshot(req.Snapshot)
	if err != nil {
		return nil, apierr.New(http.StatusInternalServerError, "snapshot_restore_exception", "[%s:%s] snapshot does not exist", req.Repository, req.Snapshot)
	}
	info, err := o.repo.SnapshotInfo(ctx, entry.SnapshotID)
	if err != nil {
		return nil, s.describe(req.Repository, err)
	}
	if repository.WriteVersion.Before(info.Version) && (info.Version.Major != repository.WriteVersion.Major || info.Version.Minor > repository.WriteVersion.Minor) {
		return nil, restoreError(req, entry.UUID, "the snapshot was created with version [%s] which is higher than the version of this node [%s]", info.Version, repository.WriteVersion)
	}
	if info.State != repository.StateSuccess && info.State != repository.StatePartial {
		return nil, restoreError(req, entry.UUID, "unsupported snapshot state [%s]", info.State)
	}
	names, err := filterIndices(info.Indices, req)
	if err != nil {
		return nil, err
	}
	plan := &restorePlan{req: req, info: info, entry: entry, failed: map[string]map[int]string{}}
	for _, f := range info.Failures {
		if plan.failed[f.Index] == nil {
			plan.failed[f.Index] = map[int]string{}
		}
		plan.failed[f.Index][f.Shard] = f.Reason
	}
	for _, name := range names {
		if err := plan.add(ctx, o.repo, data, name); err != nil {
			return nil, s.describe(req.Repository, err)
		}
	}
	if req.IncludeGlobalState {
		if info.IncludeGlobalState != nil && !*info.IncludeGlobalState {
			return nil, restoreError(req, entry.UUID, "cannot restore global state since the snapshot was created without global state")
		}
		if plan.global, err = o.repo.GlobalMetadata(ctx, entry.SnapshotID); err != nil {
			return nil, s.describe(req.Repository, err)
		}
	}
	return s.start(ctx, plan)
}

// filterIndices chooses among the snapshot's indices.
func filterIndices(have []string, req RestoreRequest) ([]string, error) {
	if len(req.Indices) == 0 || slices.Equal(req.Indices, []string{"_all"}) || slices.Equal(req.Indices, []string{"*"}) {
		return have, nil
	}
	chosen := map[string]bool{}
	for i, p := range req.Indices {
		drop := false
		if rest, ok := strings.CutPrefix(p, "-"); ok && i > 0 {
			drop, p = true, rest
		}
		if i == 0 && strings.HasPrefix(p, "-") { // only exclusions: from everything
			drop, p = true, p[1:]
			for _, n := range have {
				chosen[n] = true
			}
		}
		hit := false
		for _, n := range have {
			if p == "_all" || settings.Match(p, n) {
				hit = true
				if drop {
					delete(chosen, n)
				} else {
					chosen[n] = true
				}
			}
		}
		if !hit && !drop && !strings.Contains(p, "*") && !req.IgnoreUnavailable {
			return nil, apierr.IndexNotFound(p)
		}
	}
	out := make([]string, 0, len(chosen))
	for _, n := range have {
		if chosen[n] {
			out = append(out, n)
		}
	}
	return out, nil
}

// start writes what the restore makes into the state, in one step.
func (s *Service) start(ctx context.Context, p *restorePlan) (*RestoreResult, error) {
	res := &RestoreResult{UUID: state.NewUUID(), Snapshot: p.req.Snapshot, Warnings: p.warnings}
	err := s.store.Update(ctx, func(tx *state.Tx) error {
		res.Indices, res.Total, res.Failed, res.Failures = nil, 0, 0, nil
		for _, d := range tx.SnapshotDeletions() {
			if d.Repository == p.req.Repository && slices.Contains(d.Snapshots, p.entry.UUID) {
				return apierr.New(http.StatusServiceUnavailable, "concurrent_snapshot_execution_exception",
					"[%s:%s] cannot restore a snapshot while a snapshot deletion is in-progress [%s]", p.req.Repository, p.req.Snapshot, d.UUID)
			}
		}
		job := &state.Restore{UUID: res.UUID, Repository: p.req.Repository, Snapshot: p.req.Snapshot, SnapshotUUID: p.entry.UUID, State: jobStarted,
			Partial: p.req.Partial, Started: time.Now().UTC()}
		for _, r := range p.indices {
			ix, err := p.place(tx, r)
			if err != nil {
				return err
			}
			tx.Put(ix)
			res.Indices = append(res.Indices, ix.Name)
			for n := range ix.NumberOfShards {
				routing, part := p.routing(tx, ix, r, n, res.UUID, s.store.NodeID())
				tx.Put(routing)
				tx.Put(part)
				res.Total++
			}
		}
		job.Indices, job.Shards = res.Indices, res.Total
		if p.global != nil {
			if err := restoreGlobal(tx, p.global); err != nil {
				return err
			}
		}
		if res.Total > 0 {
			tx.Put(job)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(res.Indices)
	return res, nil
}

// WaitRestore waits until all shards are restored or failed.
func (s *Service) WaitRestore(ctx context.Context, res *RestoreResult) error {
	if _, err := s.store.WaitFor(ctx, func(v *state.View) bool { return v.Restore(res.UUID) == nil }); err != nil {
		return fmt.Errorf("wait for the restore: %w", err)
	}
	s.mu.Lock()
	o, ok := s.ended[res.UUID]
	s.mu.Unlock()
	if ok && o.err != nil {
		var f *restoreFailures
		if errors.As(o.err, &f) {
			res.Failed, res.Failures = len(f.shards), f.shards
			return nil
		}
		return o.err
	}
	return nil
}

// restoreFailures are the shards that a restore could not bring, with the reasons.
type restoreFailures struct{ shards []string }

func (f *restoreFailures) Error() string { return strings.Join(f.shards, "; ") }

// restorePlan is what a restore is going to make.
type restorePlan struct {
	req      RestoreRequest
	info     *repository.SnapshotInfo
	entry    repository.SnapshotEntry
	failed   map[string]map[int]string
	indices  []*plannedIndex
	global   smileObject
	warnings []string
}

type plannedIndex struct {
	from string // name in the snapshot
	id   repository.IndexID
	meta *state.Index
}

// add plans one index: its metadata with the settings of this cluster.
func (p *restorePlan) add(ctx context.Context, repo *repository.Repository, data *repository.Data, name string) error {
	entry, err := data.IndexIn(p.entry.SnapshotID, name)
	if err != nil {
		return err
	}
	if n := len(p.failed[name]); n > 0 && !p.req.Partial {
		return restoreError(p.req, p.entry.UUID, "index [%s] wasn't fully snapshotted - cannot restore", name)
	}
	m, err := repo.IndexMetadata(ctx, data, p.entry.SnapshotID, name)
	if err != nil {
		return err
	}
	ix, err := restoredIndex(m)
	if err != nil {
		return restoreError(p.req, p.entry.UUID, "%v", err)
	}
	target, err := rename(name, p.req.RenamePattern, p.req.RenameReplacement)
	if err != nil {
		return err
	}
	if err := cluster.CheckIndexName(target); err != nil {
		return err
	}
	ix.Name = target
	if err := p.settle(ix); err != nil {
		return err
	}
	for _, other := range p.indices {
		if other.meta.Name == target {
			return restoreError(p.req, p.entry.UUID, "indices [%s] and [%s] are renamed into the same index [%s]", name, other.from, target)
		}
	}
	if err := p.aliases(ix); err != nil {
		return err
	}
	p.indices = append(p.indices, &plannedIndex{from: name, id: entry.IndexID, meta: ix})
	return nil
}

func (p *restorePlan) aliases(ix *state.Index) error {
	if !p.req.IncludeAliases {
		ix.Aliases = map[string]state.Alias{}
		return nil
	}
	renamed := map[string]state.Alias{}
	for name, a := range ix.Aliases {
		to, err := rename(name, p.req.RenameAliasPattern, p.req.RenameAliasReplacement)
		if err != nil {
			return err
		}
		renamed[to] = a
	}
	ix.Aliases = renamed
	return nil
}

// unrestorable are settings that a restore may neither change nor drop.
var unrestorable = []string{"index.number_of_shards", "index.version.created", "index.uuid", "index.creation_date", "index.history.uuid",
	"index.routing_partition_size", "index.number_of_routing_shards"}

// settle applies the request's settings and takes away what binds the index to another cluster.
func (p *restorePlan) settle(ix *state.Index) error {
	for _, pattern := range p.req.IgnoreIndexSettings {
		if !strings.Contains(pattern, "*") {
			if !strings.HasPrefix(pattern, "index.") {
				pattern = "index." + pattern
			}
			if slices.Contains(unrestorable, pattern) {
				return restoreError(p.req, p.entry.UUID, "cannot remove setting [%s] on restore", pattern)
			}
		}
		for _, k := range ix.Settings.Keys() {
			if settings.Match(pattern, k) && !slices.Contains(unrestorable, k) {
				delete(ix.Settings, k)
			}
		}
	}
	for k := range p.req.IndexSettings {
		if slices.Contains(unrestorable, k) {
			return restoreError(p.req, p.entry.UUID, "cannot modify setting [%s] on restore", k)
		}
	}
	if err := settings.Index.Validate(p.req.IndexSettings); err != nil {
		return err
	}
	ix.Settings = ix.Settings.Apply(p.req.IndexSettings)
	for _, k := range ix.Settings.Keys() {
		foreign := strings.HasPrefix(k, "index.routing.allocation.require.") || strings.HasPrefix(k, "index.routing.allocation.include.") ||
			strings.HasPrefix(k, "index.routing.allocation.initial_recovery.")
		if foreign {
			p.warnings = append(p.warnings, fmt.Sprintf("setting [%s] of index [%s] binds it to nodes of another cluster and was dropped", k, ix.Name))
			delete(ix.Settings, k)
		}
	}
	var err error
	if ix.NumberOfReplicas, err = ix.Settings.Int("index.number_of_replicas", 1); err != nil {
		return err
	}
	ix.Hidden, err = ix.Settings.Bool("index.hidden", false)
	return err
}

// rename applies a Java-style replacement, in which $1 stands for a group.
func rename(name, pattern, replacement string) (string, error) {
	if pattern == "" || replacement == "" {
		return name, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", apierr.IllegalArgument("rename_pattern [%s] is not a regular expression that this server understands: %v", pattern, err)
	}
	return re.ReplaceAllString(name, javaReplacement(replacement)), nil
}

// javaReplacement writes $1 as Go wants it, ${1}: Go would read $1_x as a name.
func javaReplacement(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			if s[i] == '$' {
				b.WriteByte('$')
			}
			b.WriteByte(s[i])
		case s[i] == '$' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			b.WriteString("${" + string(s[i+1]) + "}")
			i++
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

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
	} else {
		if old.State != state.IndexClosed {
			return nil, restoreError(p.req, p.entry.UUID, "cannot restore index [%s] because an open index with same name already exists in the cluster. Either close or delete the existing index or restore the index under a different name by providing a rename pattern and replacement name", ix.Name)
		}
		if old.NumberOfShards != ix.NumberOfShards {
			return nil, restoreError(p.req, p.entry.UUID, "cannot restore index [%s] with [%d] shards from a snapshot of index [%s] with [%d] shards",
				ix.Name, old.NumberOfShards, r.from, ix.NumberOfShards)
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
	}
	for name := range ix.Aliases {
		if tx.Index(name) != nil {
			return nil, restoreError(p.req, p.entry.UUID, "cannot rename or restore alias [%s]: an index of that name exists", name)
		}
	}
	ix.State = state.IndexOpen
	ix.Settings["index.uuid"] = ix.UUID
	ix.Settings["index.history.uuid"] = state.NewUUID()
	delete(ix.Settings, "index.verified_before_close")
	ix.ProvidedName = ix.Settings.GetOr("index.provided_name", ix.Name)
	return ix, cluster.CheckRestored(ix)
}

// routing gives a shard to this node, to be recovered from the snapshot. A shard that failed in the snapshot is started empty.
func (p *restorePlan) routing(_ *state.Tx, ix *state.Index, r *plannedIndex, n int, restore, node string) (*state.ShardRouting, *state.RestoreShard) {
	src := &state.RecoverySource{Type: state.RecoverSnapshot, RestoreUUID: restore, Repository: p.req.Repository, Snapshot: p.req.Snapshot,
		SnapshotUUID: p.entry.UUID, Index: r.from, IndexID: r.id.ID, Version: int(p.info.Version.ID())}
	if _, failed := p.failed[r.from][n]; failed {
		src = &state.RecoverySource{Type: state.RecoverEmptyStore, RestoreUUID: restore}
	}
	return cluster.NewRouting(ix, n, src, "NEW_INDEX_RESTORED", node),
		&state.RestoreShard{RestoreUUID: restore, Index: ix.Name, IndexUUID: ix.UUID, Shard: n, Node: node, State: shardInit}
}

// finishRestores removes the records of restores whose shards are all started or failed.
func (s *Service) finishRestores(ctx context.Context, v *state.View) error {
	for _, job := range v.Restores() {
		var failures []string
		done := true
		for _, part := range v.RestoreShards(job.UUID) {
			r := v.Shard(part.IndexUUID, part.Shard)
			p := primaryOf(r)
			switch {
			case p == nil: // the index was deleted: that cancels its restore
				failures = append(failures, fmt.Sprintf("[%s][%d]: the index was deleted", part.Index, part.Shard))
			case p.State == state.ShardUnassigned:
				why := "not allocated"
				if p.Unassigned != nil {
					why = p.Unassigned.Details
				}
				failures = append(failures, fmt.Sprintf("[%s][%d]: %s", part.Index, part.Shard, why))
			case p.State != state.ShardStarted:
				done = false
			}
		}
		if !done {
			continue
		}
		var cause error
		if len(failures) > 0 {
			cause = &restoreFailures{failures}
		}
		s.end(job.UUID, nil, cause)
		err := s.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
			for _, part := range tx.RestoreShards(job.UUID) {
				tx.Delete(part)
			}
			if j := tx.Restore(job.UUID); j != nil {
				tx.Delete(j)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RestoreShard implements cluster.Restorer.
func (s *Service) RestoreShard(ctx context.Context, r *state.ShardRouting, src *state.RecoverySource, dir string, rec *cluster.Recovery) error {
	o, err := s.open(src.Repository)
	if err != nil {
		return err
	}
	lim, err := s.limitsOf(o.record)
	if err != nil {
		return err
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return s.describe(src.Repository, err)
	}
	id := repository.SnapshotID{Name: src.Snapshot, UUID: src.SnapshotUUID}
	entry, err := data.IndexIn(id, src.Index)
	if err != nil {
		return s.describe(src.Repository, err)
	}
	rs, err := o.repo.Shard(ctx, entry.IndexID, r.Shard)
	if err != nil {
		return err
	}
	snap, err := rs.Snapshot(ctx, id)
	if err != nil {
		return s.describe(src.Repository, err)
	}
	d, err := store.OpenFS(dir)
	if err != nil {
		return err
	}
	if err := clearCommits(d, snap.Files); err != nil {
		return err
	}
	dl := transfer.Download{Shard: rs, Files: snap.Files, Dir: d, Parallel: 4, Limits: []*transfer.Limit{lim.restore}, Progress: &rec.Files}
	return dl.Run(ctx)
}

// clearCommits removes the commits of what the folder held before, so that a restore that is interrupted leaves none.
func clearCommits(d *store.FSDirectory, files []repository.FileInfo) error {
	names, err := d.List()
	if err != nil {
		return err
	}
	for _, n := range names {
		keep := slices.ContainsFunc(files, func(f repository.FileInfo) bool { return f.PhysicalName == n })
		if strings.HasPrefix(n, "segments_") || strings.HasPrefix(n, "pending_segments_") || !keep && n != store.WriteLock {
			if err := d.Remove(n); err != nil {
				return err
			}
		}
	}
	return d.SyncMetadata()
}
