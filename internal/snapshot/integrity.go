package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/shardcheck"
)

// IntegrityRequest asks for a look at all of a repository.
type IntegrityRequest struct {
	Repository string
	// Contents reads every byte of every file against its checksum, and then looks into each shard's index.
	Contents bool
	// MaxBytesPerSec limits reading of contents; 0: no limit.
	MaxBytesPerSec int64
	// MaxFailedShards ends the look when more shards of snapshots than that are damaged.
	MaxFailedShards int
	// Metadata and Blobs are how many requests of each kind run side by side; 0: the default.
	Metadata, Blobs int
}

// Integrity is a look at a repository under way.
type Integrity struct {
	req      IntegrityRequest
	repo     *repository.Repository
	uuid     string
	progress repository.VerifyProgress
	bytes    atomic.Int64
	checker  *shardcheck.Checker
	// rootless says that the first snapshots are being taken: blobs without a root are right then.
	rootless bool
}

// IntegrityResult is how the look ended.
type IntegrityResult struct {
	Anomalies       int
	FinalGeneration int64
	// Restorable says what can be restored from each snapshot.
	Restorable []repository.Restorability
	// Unsupported are reasons why parts were not looked into beyond checksums.
	Unsupported map[string]int
}

// IntegrityStatus is how far the look has come.
type IntegrityStatus struct {
	Repository                          string
	UUID                                string
	Generation                          int64
	Snapshots, TotalSnapshots           int64
	Indices, TotalIndices               int64
	IndexSnapshots, TotalIndexSnapshots int64
	Blobs                               int64
	Bytes                               int64 // read
}

// integrityCache is how many bytes of blocks are kept while shards are looked into.
const integrityCache = 32 << 20

// OpenIntegrity prepares a look at a repository.
func (s *Service) OpenIntegrity(req IntegrityRequest) (*Integrity, error) {
	o, err := s.open(req.Repository)
	if err != nil {
		return nil, err
	}
	i := &Integrity{req: req, repo: o.repo, uuid: o.record.UUID}
	for _, op := range queueOf(s.store.View(), req.Repository) {
		i.rootless = i.rootless || op.job != nil && op.job.Epoch != 0 && op.job.RepositoryGeneration == repository.NoGeneration
	}
	if req.Contents {
		i.checker = shardcheck.New(integrityCache)
	}
	return i, nil
}

// Status says how far it has come.
func (i *Integrity) Status() IntegrityStatus {
	p := &i.progress
	return IntegrityStatus{Repository: i.req.Repository, UUID: i.uuid, Generation: p.Generation.Load(),
		Snapshots: p.Snapshots.Load(), TotalSnapshots: p.TotalSnapshots.Load(), Indices: p.Indices.Load(), TotalIndices: p.TotalIndices.Load(),
		IndexSnapshots: p.IndexSnapshots.Load(), TotalIndexSnapshots: p.TotalIndexSnapshots.Load(), Blobs: p.Blobs.Load(), Bytes: i.bytes.Load()}
}

// Run looks at everything and reports each anomaly, one at a time. What nothing refers to is none.
func (i *Integrity) Run(ctx context.Context, anomaly func(repository.Finding) error) (*IntegrityResult, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	res := &IntegrityResult{FinalGeneration: repository.NoGeneration}
	var mu sync.Mutex
	shards := map[string]bool{}
	opts := repository.VerifyOptions{Deep: i.req.Contents, Parallel: i.req.Metadata, Readers: i.req.Blobs, Progress: &i.progress, Step: i.step()}
	if i.checker != nil {
		opts.CheckShard = i.checker.Check
	}
	stats, err := i.repo.Verify(ctx, opts, func(f repository.Finding) {
		if f.Severity == repository.SeverityInfo {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		res.Anomalies++
		if f.Shard >= 0 {
			shards[fmt.Sprint(f.Snapshot, "/", f.Index, "/", f.Shard)] = true
		}
		if err := anomaly(f); err != nil {
			stop(err)
		}
		if len(shards) > i.req.MaxFailedShards {
			stop(apierr.New(http.StatusInternalServerError, "illegal_state_exception", "more than %d shard snapshots are damaged, which is what max_failed_shard_snapshots allows; the look ended", i.req.MaxFailedShards))
		}
	})
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if err == nil {
		res.FinalGeneration, err = i.repo.LatestGeneration(ctx)
	}
	res.Restorable = stats.Restorable
	if i.checker != nil {
		res.Unsupported = i.checker.Unsupported()
	}
	if err == nil && !i.rootless && stats.Snapshots == 0 && res.FinalGeneration == repository.NoGeneration {
		// A repository that lost its root looks like an empty one; an empty one has no index.latest either.
		err = i.lostRoot(ctx, res, anomaly)
	}
	return res, err
}

func (i *Integrity) lostRoot(ctx context.Context, res *IntegrityResult, anomaly func(repository.Finding) error) error {
	left := 0
	if _, err := i.repo.Verify(ctx, repository.VerifyOptions{}, func(repository.Finding) { left++ }); err != nil || left == 0 {
		return err
	}
	res.Anomalies++
	return anomaly(repository.Finding{Severity: repository.SeverityError, Blob: "index-N", Shard: -1, Problem: "the root is missing although there are other blobs"})
}

// step counts the bytes and keeps to the rate.
func (i *Integrity) step() func(context.Context, int64) error {
	var limit *rate.Limiter
	const burst = 1 << 20
	if i.req.MaxBytesPerSec > 0 && i.req.Contents {
		limit = rate.NewLimiter(rate.Limit(i.req.MaxBytesPerSec), burst)
	}
	return func(ctx context.Context, n int64) error {
		if !i.req.Contents {
			return nil
		}
		i.bytes.Add(n)
		for limit != nil && n > 0 {
			part := min(n, burst)
			if err := limit.WaitN(ctx, int(part)); err != nil {
				return err
			}
			n -= part
		}
		return nil
	}
}
