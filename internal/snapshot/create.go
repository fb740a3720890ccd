package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/repository"
)

// States of jobs and their shards, as OpenSearch names them.
const (
	jobInit    = "INIT"
	jobStarted = "STARTED"
	jobAborted = "ABORTED"
	jobWaiting = "WAITING"
	// jobFinalizing is a deletion or clean-up whose root may be written: there is no way back.
	jobFinalizing = "FINALIZING"

	shardInit    = "INIT"
	shardSuccess = "SUCCESS"
	shardFailed  = "FAILED"
	shardAborted = "ABORTED"
	shardMissing = "MISSING"
	shardQueued  = "QUEUED"
)

// CreateRequest describes a snapshot.
type CreateRequest struct {
	Repository, Snapshot string
	Indices              []string // expressions; none: all open indices
	Options              wildcard.Options
	IncludeGlobalState   bool
	Partial              bool
	Metadata             json.RawMessage // the user's, or nil
}

func invalidName(repo, snap, why string) error {
	return apierr.New(http.StatusBadRequest, "invalid_snapshot_name_exception", "[%s:%s] Invalid snapshot name [%s], %s", repo, snap, snap, why)
}

// CheckSnapshotName refuses names that no snapshot may have.
func CheckSnapshotName(repo, name string) error {
	switch {
	case name == "":
		return invalidName(repo, name, "cannot be empty")
	case strings.Contains(name, " "):
		return invalidName(repo, name, "must not contain whitespace")
	case strings.Contains(name, ","):
		return invalidName(repo, name, "must not contain ','")
	case strings.Contains(name, "#"):
		return invalidName(repo, name, "must not contain '#'")
	case name[0] == '_':
		return invalidName(repo, name, "must not start with '_'")
	case strings.IndexFunc(name, unicode.IsUpper) >= 0:
		return invalidName(repo, name, "must be lowercase")
	case strings.ContainsAny(name, `\/*?"<>|`):
		return invalidName(repo, name, `must not contain the following characters [ , ", *, \, <, |, ,, >, /, ?]`)
	}
	return nil
}

// newJob looks whether a repository takes a snapshot of this name, and returns its root.
func (s *Service) newJob(ctx context.Context, repo, name string) (*repository.Data, error) {
	o, err := s.open(repo)
	if err != nil {
		return nil, err
	}
	if err := CheckSnapshotName(repo, name); err != nil {
		return nil, err
	}
	if readOnly(o.record) {
		return nil, refuseWrite(o.record, "cannot create snapshot in a readonly repository")
	}
	before := s.store.View()
	data, err := o.rootAsked(ctx)
	if err != nil {
		return nil, s.describe(repo, err)
	}
	if err := data.Writable(); err != nil {
		return nil, repositoryError(repo, "%v", err)
	}
	if err := s.peek(ctx, o, before, data); err != nil {
		return nil, err
	}
	return data, nil
}

// free refuses a name that a snapshot of the repository has, or that one in progress is to have.
func free(v *state.View, data *repository.Data, repo, name string) error {
	var missing *repository.MissingSnapshotError
	if _, err := data.Snapshot(name); err == nil {
		return invalidName(repo, name, "snapshot with the same name already exists")
	} else if !errors.As(err, &missing) {
		return err
	}
	for _, j := range v.SnapshotJobs() {
		if j.Repository == repo && j.Name == name {
			return invalidName(repo, name, "snapshot with the same name is already in-progress")
		}
	}
	return refuseDuringCleanup(v, repo, name)
}

// Create begins a snapshot and returns its UUID. Wait tells how it ends.
func (s *Service) Create(ctx context.Context, req CreateRequest) (string, error) {
	uuid := state.NewUUID()
	if err := s.create(s.metered(ctx, uuid), uuid, req); err != nil {
		s.unmeter(uuid)
		return "", err
	}
	return uuid, nil
}

func (s *Service) create(ctx context.Context, uuid string, req CreateRequest) error {
	data, err := s.newJob(ctx, req.Repository, req.Snapshot)
	if err != nil {
		return err
	}
	lookup := s.store.View().Names()
	names, err := lookup.Indices(req.Options, req.Indices...)
	if err != nil {
		return err
	}
	streams, err := lookup.Streams(req.Options, req.Indices...)
	if err != nil {
		return err
	}
	job := &state.SnapshotJob{
		UUID: uuid, Name: req.Snapshot, Repository: req.Repository, State: jobStarted, IncludeGlobalState: req.IncludeGlobalState,
		Partial: req.Partial, Started: time.Now().UTC(), RepositoryGeneration: data.Generation, UserMetadata: req.Metadata,
		DataStreams: streams, Trace: s.cfg.Tracer.NewJob(ctx),
	}
	return s.record(ctx, uuid, opSnapshot, req.Repository, func(tx *state.Tx) error {
		if tx.Repository(req.Repository) == nil {
			return apierr.RepositoryMissing(req.Repository)
		}
		if err := free(tx.View, data, req.Repository, req.Snapshot); err != nil {
			return err
		}
		var err error
		if job.Order, err = s.nextOrder(tx.View, req.Repository, req.Snapshot); err != nil {
			return err
		}
		job.Indices, job.Shards = nil, 0
		return putJob(tx, job, names)
	})
}

// putJob writes the header and a record for each shard.
func putJob(tx *state.Tx, job *state.SnapshotJob, names []string) error {
	var unavailable []string
	var parts []*state.SnapshotShard
	for _, name := range names {
		ix := tx.Index(name)
		if ix == nil {
			return apierr.IndexNotFound(name)
		}
		job.Indices = append(job.Indices, state.SnapshotIndex{Name: name, UUID: ix.UUID})
		for n := range ix.NumberOfShards {
			part := &state.SnapshotShard{JobUUID: job.UUID, Index: name, IndexUUID: ix.UUID, Shard: n, State: shardQueued}
			if p := primaryOf(tx.Shard(ix.UUID, n)); p == nil || p.Node == "" {
				part.State, part.Reason = shardMissing, "primary shard is not allocated"
				if !slices.Contains(unavailable, name) {
					unavailable = append(unavailable, name)
				}
			} else {
				part.Node = p.Node
			}
			job.Shards++
			parts = append(parts, part)
		}
	}
	if len(unavailable) > 0 && !job.Partial {
		return snapshotError(job, "Indices don't have primary shards [%s]", strings.Join(unavailable, ", "))
	}
	tx.Put(job)
	for _, p := range parts {
		tx.Put(p)
	}
	return nil
}

func primaryOf(r *state.ShardRouting) *state.ShardCopy {
	if r == nil {
		return nil
	}
	return r.Primary()
}

// Wait returns how a snapshot ended.
func (s *Service) Wait(ctx context.Context, repo, uuid string) (*repository.SnapshotInfo, error) {
	info, err := s.waitJob(ctx, uuid, func(v *state.View) bool { return v.SnapshotJob(uuid) == nil })
	if !errors.Is(err, errGone) {
		return info, err
	}
	if err := s.cancelledElsewhere(uuid); err != nil {
		return nil, err
	}
	// Another process finished it: the repository tells.
	o, data, err := s.rootNow(ctx, repo)
	if err != nil {
		return nil, err
	}
	for _, e := range data.Snapshots {
		if e.UUID == uuid {
			info, err := o.repo.SnapshotInfo(ctx, e.SnapshotID)
			return info, s.describe(repo, err)
		}
	}
	if rec := s.recorded(uuid); rec != nil && rec.Reason != "" {
		return nil, apierr.New(http.StatusInternalServerError, "snapshot_exception", "[%s:%s] the snapshot failed on another node: %s", repo, uuid, rec.Reason)
	}
	return nil, apierr.New(http.StatusInternalServerError, "snapshot_exception", "[%s:%s] the snapshot failed or was deleted; the process that knew why has ended", repo, uuid)
}

// describe gives errors of a repository the names that OpenSearch has for them.
func (s *Service) describe(repo string, err error) error {
	var cm *repository.ConcurrentModificationError
	var ms *repository.MissingSnapshotError
	var corrupt *repository.CorruptError
	switch {
	case err == nil || apierr.As(err) != nil:
		return err
	case errors.As(err, &cm):
		return repositoryError(repo, "%v", cm)
	case errors.As(err, &ms):
		return apierr.New(http.StatusNotFound, "snapshot_missing_exception", "[%s] %v", repo, ms)
	case errors.As(err, &corrupt):
		return repositoryError(repo, "the repository's metadata is damaged: %v", corrupt)
	}
	return repositoryError(repo, "%v", err).Because(err)
}
