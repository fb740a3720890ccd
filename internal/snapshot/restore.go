package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/migrate"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// RestoreRequest describes a restore.
type RestoreRequest struct {
	Repository, Snapshot                        string
	Indices                                     []string // names, wildcards, -exclusions of the snapshot's indices; none: all
	IgnoreUnavailable                           bool
	ForbidNoIndices                             bool // a wildcard that matches nothing is an error
	IncludeGlobalState, IncludeAliases, Partial bool
	// Patterns are Java's. An empty one renames nothing.
	RenamePattern, RenameReplacement           string
	RenameAliasPattern, RenameAliasReplacement string
	IndexSettings                              settings.Settings // with "index."
	IgnoreIndexSettings                        []string
	// Remote leaves the files in the repository: the indices are searched there (storage_type remote_snapshot).
	Remote bool
}

// RestoreResult is what a restore came to.
type RestoreResult struct {
	UUID     string
	Snapshot string
	Indices  []string
	Total    int
	Failed   int
	Failures []ShardFailure
	Warnings []string
}

// ShardFailure is a shard that a restore could not bring, and why.
type ShardFailure struct {
	Index  string
	Shard  int
	Reason string
}

func (f ShardFailure) String() string { return fmt.Sprintf("[%s][%d]: %s", f.Index, f.Shard, f.Reason) }

func restoreError(req RestoreRequest, uuid, format string, args ...any) error {
	return apierr.New(http.StatusInternalServerError, "snapshot_restore_exception", "[%s:%s/%s] %s", req.Repository, req.Snapshot, uuid, fmt.Sprintf(format, args...))
}

// Restore begins a restore. WaitRestore tells how it ends.
func (s *Service) Restore(ctx context.Context, req RestoreRequest) (*RestoreResult, error) {
	if req.IndexSettings.GetOr("index.store.type", "") == remoteStore {
		return nil, apierr.New(http.StatusInternalServerError, "snapshot_restore_exception",
			`[%s:%s] cannot restore remote snapshot with index settings "index.store.type" set to "remote_snapshot". Instead use "storage_type": "remote_snapshot" as argument to restore.`,
			req.Repository, req.Snapshot)
	}
	uuid := state.NewUUID()
	res, err := s.restore(s.metered(ctx, uuid), uuid, req)
	if err != nil || res.Total == 0 {
		s.unmeter(uuid)
	}
	return res, err
}

func (s *Service) restore(ctx context.Context, uuid string, req RestoreRequest) (*RestoreResult, error) {
	o, err := s.open(req.Repository)
	if err != nil {
		return nil, err
	}
	data, err := o.root(ctx)
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
	if err := restorable(req, entry, info); err != nil {
		return nil, err
	}
	if req.Remote && info.Shallow() && s.cfg.RemoteStore == nil {
		return nil, restoreError(req, entry.UUID, "Shallow copy snapshot cannot be restored as searchable snapshot.")
	}
	plan := &restorePlan{req: req, info: info, entry: entry, nodes: s.store.View().Nodes(), failed: map[string]map[int]string{}}
	for _, f := range info.Failures {
		if plan.failed[f.Index] == nil {
			plan.failed[f.Index] = map[int]string{}
		}
		plan.failed[f.Index][f.Shard] = f.Reason
	}
	var global smileObject // read at most once
	load := func() (smileObject, error) {
		if global != nil {
			return global, nil
		}
		var err error
		global, err = o.repo.GlobalMetadata(ctx, entry.SnapshotID)
		return global, s.describe(req.Repository, err)
	}
	if err := plan.chooseStreams(load); err != nil {
		return nil, err
	}
	names, err := plan.choose()
	if err != nil {
		return nil, err
	}
	plan.warnSystem(o.record, names)
	for _, name := range names {
		if err := plan.add(ctx, o.repo, data, name); err != nil {
			return nil, s.describe(req.Repository, err)
		}
	}
	if err := plan.checkAliases(); err != nil {
		return nil, err
	}
	if req.IncludeGlobalState {
		if info.IncludeGlobalState != nil && !*info.IncludeGlobalState {
			plan.warn("the snapshot [%s] was taken without global state; none was restored", req.Snapshot)
		} else if plan.global, err = load(); err != nil {
			return nil, err
		}
	}
	if plan.global, err = plan.translateGlobal(plan.global); err != nil {
		return nil, err
	}
	if err := s.checkRemoteStore(ctx, o.repo, plan); err != nil {
		return nil, err
	}
	if err := s.checkSpace(ctx, o.repo, plan); err != nil {
		return nil, err
	}
	return s.start(ctx, uuid, plan)
}

// restorable refuses snapshots of newer versions, and those that did not end.
func restorable(req RestoreRequest, entry repository.SnapshotEntry, info *repository.SnapshotInfo) error {
	if tooNew(info.Version) {
		return restoreError(req, entry.UUID, "the snapshot was created with OpenSearch version [%s] which is higher than the version of this node [%s] and than [%s], the newest that it reads", info.Version, repository.WriteVersion, newestReadText())
	}
	if err := migrate.CheckVersion("snapshot", info.Version); err != nil {
		return restoreError(req, entry.UUID, "%v", err)
	}
	if info.State != repository.StateSuccess && info.State != repository.StatePartial {
		return restoreError(req, entry.UUID, "unsupported snapshot state [%s]", info.State)
	}
	return nil
}

// start writes what the restore makes into the state, in one step.
func (s *Service) start(ctx context.Context, uuid string, p *restorePlan) (*RestoreResult, error) {
	res := &RestoreResult{UUID: uuid, Snapshot: p.req.Snapshot, Warnings: p.warnings}
	trace := s.cfg.Tracer.NewJob(ctx)
	err := s.record(ctx, uuid, opRestore, p.req.Repository, func(tx *state.Tx) error {
		res.Indices, res.Total, res.Failed, res.Failures = nil, 0, 0, nil
		for _, d := range tx.SnapshotDeletions() {
			if d.Repository == p.req.Repository && slices.Contains(d.Snapshots, p.entry.UUID) {
				return apierr.New(http.StatusServiceUnavailable, "concurrent_snapshot_execution_exception",
					"[%s:%s] cannot restore a snapshot while a snapshot deletion is in-progress [%s]", p.req.Repository, p.req.Snapshot, d.UUID)
			}
		}
		job := &state.Restore{UUID: res.UUID, Repository: p.req.Repository, Snapshot: p.req.Snapshot, SnapshotUUID: p.entry.UUID, State: jobStarted,
			Partial: p.req.Partial, Started: time.Now().UTC(), Trace: trace}
		for _, r := range p.indices {
			ix, err := p.place(tx, r)
			if err != nil {
				return err
			}
			tx.Put(ix)
			res.Indices = append(res.Indices, ix.Name)
			for n := range ix.NumberOfShards {
				routing, part := p.routing(ix, r, n, res.UUID, s.store.NodeID())
				tx.Put(routing)
				tx.Put(part)
				res.Total++
			}
		}
		warnings, err := p.placeStreams(tx)
		if err != nil {
			return err
		}
		res.Warnings = append(slices.Clone(p.warnings), warnings...)
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
	o, ok := s.settledOutcome(ctx, res.UUID)
	if err := s.cancelledElsewhere(res.UUID); !ok && err != nil {
		return err
	}
	if !ok { // another manager finished it: what became of the shards is in the state
		res.Failures = notStarted(s.store.View(), res.Indices)
		res.Failed = len(res.Failures)
		return nil
	}
	if o.err == nil {
		return nil
	}
	var f *restoreFailures
	if errors.As(o.err, &f) {
		res.Failed, res.Failures = len(f.shards), f.shards
		return nil
	}
	return o.err
}

// notStarted returns the shards of indices that are not there, and why as far as the state tells.
func notStarted(v *state.View, indices []string) []ShardFailure {
	var out []ShardFailure
	for _, name := range indices {
		ix := v.Index(name)
		if ix == nil {
			out = append(out, ShardFailure{Index: name, Reason: "index was deleted"})
			continue
		}
		for n := range ix.NumberOfShards {
			switch p := primaryOf(v.Shard(ix.UUID, n)); {
			case p == nil:
				out = append(out, ShardFailure{name, n, "the shard is not there"})
			case p.State == state.ShardStarted:
			case p.Unassigned != nil:
				out = append(out, ShardFailure{name, n, p.Unassigned.Details})
			default:
				out = append(out, ShardFailure{name, n, "the shard is not started"})
			}
		}
	}
	return out
}

// restoreFailures are the shards that a restore could not bring, with the reasons.
type restoreFailures struct{ shards []ShardFailure }

func (f *restoreFailures) Error() string {
	texts := make([]string, len(f.shards))
	for i, s := range f.shards {
		texts[i] = s.String()
	}
	return strings.Join(texts, "; ")
}
