package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	jobStarted = "STARTED"
	jobAborted = "ABORTED"
	jobWaiting = "WAITING"

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
	case len(name) > 255:
		return invalidName(repo, name, "name is too long")
	}
	return nil
}

// Create begins a snapshot and returns its UUID. Wait tells how it ends.
func (s *Service) Create(ctx context.Context, req CreateRequest) (string, error) {
	if err := CheckSnapshotName(req.Repository, req.Snapshot); err != nil {
		return "", err
	}
	o, err := s.open(req.Repository)
	if err != nil {
		return "", err
	}
	if readOnly(o.record) {
		return "", repositoryError(req.Repository, "cannot create snapshot in a readonly repository")
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return "", s.describe(req.Repository, err)
	}
	if err := data.Writable(); err != nil {
		return "", repositoryError(req.Repository, "%v", err)
	}
	taken := func(why string) error { return invalidName(req.Repository, req.Snapshot, why) }
	var missing *repository.MissingSnapshotError
	if _, err := data.Snapshot(req.Snapshot); err == nil {
		return "", taken("snapshot with the same name already exists")
	} else if !errors.As(err, &missing) {
		return "", err
	}
	names, err := s.store.View().Names().Indices(req.Options, req.Indices...)
	if err != nil {
		return "", err
	}
	job := &state.SnapshotJob{
		UUID: state.NewUUID(), Name: req.Snapshot, Repository: req.Repository, State: jobStarted, IncludeGlobalState: req.IncludeGlobalState,
		Partial: req.Partial, Started: time.Now().UTC(), RepositoryGeneration: data.Generation, UserMetadata: req.Metadata,
	}
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		job.Indices, job.Shards = nil, 0
		for _, j := range tx.SnapshotJobs() {
			if j.Repository == req.Repository && j.Name == req.Snapshot {
				return taken("snapshot with the same name is already in-progress")
			}
		}
		return putJob(tx, job, data, names)
	})
	if err != nil {
		return "", err
	}
	return job.UUID, nil
}

// putJob writes the header and a record for each shard.
func putJob(tx *state.Tx, job *state.SnapshotJob, data *repository.Data, names []string) error {
	var unavailable []string
	var parts []*state.SnapshotShard
	for _, name := range names {
		ix := tx.Index(name)
		if ix == nil {
			return apierr.IndexNotFound(name)
		}
		id := data.ResolveIndex(name, 0)
		job.Indices = append(job.Indices, state.SnapshotIndex{Name: name, ID: id.ID, UUID: ix.UUID})
		for n := range ix.NumberOfShards {
			part := &state.SnapshotShard{JobUUID: job.UUID, Index: name, IndexUUID: ix.UUID, IndexID: id.ID, Shard: n, State: shardQueued}
			r := tx.Shard(ix.UUID, n)
			switch p := primaryOf(r); {
			case p == nil || p.Node == "":
				part.State, part.Reason = shardMissing, "primary shard is not allocated"
				unavailable = append(unavailable, fmt.Sprintf("[%s][%d]", name, n))
			default:
				part.Node = p.Node
			}
			job.Shards++
			parts = append(parts, part)
		}
	}
	if len(unavailable) > 0 && !job.Partial {
		return apierr.New(http.StatusInternalServerError, "snapshot_exception", "[%s:%s/%s] Indices don't have primary shards %v",
			job.Repository, job.Name, job.UUID, unavailable)
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
func (s *Service) Wait(ctx context.Context, uuid string) (*repository.SnapshotInfo, error) {
	return s.waitJob(ctx, uuid, func(v *state.View) bool { return v.SnapshotJob(uuid) == nil })
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
		return repositoryError(repo, "concurrent modification of the repository: %v", cm)
	case errors.As(err, &ms):
		return apierr.New(http.StatusNotFound, "snapshot_missing_exception", "[%s] %v", repo, ms)
	case errors.As(err, &corrupt):
		return repositoryError(repo, "the repository's metadata is damaged: %v", corrupt)
	}
	return repositoryError(repo, "%v", err).Because(err)
}

// jobsOf returns the jobs that write to a repository, oldest first.
func jobsOf(v *state.View, repo string) []any {
	type at struct {
		t   time.Time
		job any
	}
	var all []at
	for _, j := range v.SnapshotJobs() {
		if j.Repository == repo {
			all = append(all, at{j.Started, j})
		}
	}
	for _, d := range v.SnapshotDeletions() {
		if d.Repository == repo {
			all = append(all, at{d.Started, d})
		}
	}
	slices.SortStableFunc(all, func(a, b at) int { return a.t.Compare(b.t) })
	out := make([]any, len(all))
	for i, a := range all {
		out[i] = a.job
	}
	return out
}
