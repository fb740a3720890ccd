package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/keystore"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/telemetry"
	"github.com/varve-search/varve/internal/transfer"
	"github.com/varve-search/varve/repository"
)

// Config describes the service of a node.
type Config struct {
	Node     *cluster.Node
	PathRepo []string // path.repo: what locations of fs repositories must lie in
	// OpenStore, when it is set, opens the store of a repository in place of what its type says.
	OpenStore func(*state.Repository) (blob.Container, error)
	// RemoteStore, when it is set, opens where shallow snapshots have their data, in place of the registered repository that they
	// name. They can be searched in place then, which OpenSearch refuses.
	RemoteStore repository.RemoteStore
	// RemoteTranslog goes with RemoteStore and opens the translog of snapshots that pin a timestamp; nil: nowhere.
	RemoteTranslog repository.RemoteStore
	Settings       settings.Settings
	Secrets        *keystore.Secrets // nil: the node has none
	Tracer         *telemetry.Tracer // nil: nothing is traced
	Log            *slog.Logger
}

// Service is a node's part in snapshots. Its methods are safe for concurrent use.
type Service struct {
	cfg   Config
	node  *cluster.Node
	store *state.Store
	log   *slog.Logger

	mu      sync.Mutex
	running map[string]*running  // shards of snapshots that this node works on, by key
	batches map[string]*jobBatch // of jobs with such shards
	ended   map[string]outcome   // how jobs of this process ended, for who waits for them
	driven  map[string]bool      // repositories whose jobs a goroutine drives
	begun   map[string]bool      // jobs in progress whose first parts this process let begin
	repos   map[string]*opened
	limits  map[string]*limits
	traffic map[string]*traffic
	meters  map[string]*blob.Counters // of operations, by UUID
	tracked map[string]*tracked       // operations and their tasks, by UUID
	doing   map[string]context.CancelCauseFunc
	began   time.Time
	// recovery bounds all restores of this node together.
	recovery *transfer.Limit

	ctx    context.Context //nolint:containedctx // of the service's own goroutines
	cancel context.CancelFunc
	work   sync.WaitGroup
	kick   chan struct{}
}

// running is a shard's part of a snapshot under way.
type running struct {
	cancel   context.CancelFunc
	progress *transfer.Progress
	started  time.Time
	batch    *jobBatch
}

// outcome is how a job ended.
type outcome struct {
	info     *repository.SnapshotInfo
	warnings []error // what did not work although the job did
	err      error
	at       time.Time
	// settled is closed when it is known whether this process was the one that ended the job; nil: it was.
	settled chan struct{}
}

// New returns a service; Start makes it work.
func New(cfg Config) *Service {
	ctx, cancel := context.WithCancel(context.Background())
	return &Service{cfg: cfg, node: cfg.Node, store: cfg.Node.Store(), log: cfg.Log, running: map[string]*running{}, batches: map[string]*jobBatch{},
		ended: map[string]outcome{}, driven: map[string]bool{}, begun: map[string]bool{}, repos: map[string]*opened{}, limits: map[string]*limits{}, traffic: map[string]*traffic{}, meters: map[string]*blob.Counters{}, tracked: map[string]*tracked{}, doing: map[string]context.CancelCauseFunc{}, began: time.Now(), recovery: transfer.NewLimit(0), ctx: ctx, cancel: cancel, kick: make(chan struct{}, 1)}
}

// Start begins to follow the cluster state, and goes on with what a process before this one left.
func (s *Service) Start() {
	sub := s.store.Subscribe()
	s.work.Go(func() {
		for {
			s.wake()
			s.followLimits(s.store.View())
			s.stopCancelled(s.store.View())
			s.followTasks()
			if _, _, err := sub.Next(s.ctx); err != nil {
				return
			}
		}
	})
	s.work.Go(s.drive)
}

func (s *Service) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Stop ends the service. What runs is taken up again by the next process.
func (s *Service) Stop() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.work.Wait()
	s.endTasks()
}

// begins runs work of a request that goes on without it, unless the service has ended.
func (s *Service) begins(work func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return task.ErrClosed
	}
	s.work.Go(work)
	return nil
}

// drive does what the state asks of this node, again and again.
func (s *Service) drive() {
	for {
		v := s.store.View()
		s.startShards(v)
		if s.store.IsManager() {
			if err := s.manage(v); err != nil && s.ctx.Err() == nil {
				s.log.Warn("a snapshot job could not go on; it is tried again", "error", err)
			}
		}
		select {
		case <-s.ctx.Done():
			return
		case <-s.kick:
		case <-time.After(2 * time.Second):
		}
	}
}

// keepOutcomes is how long an outcome waits for who asked.
const keepOutcomes = 10 * time.Minute

// endWith notes how a job ended.
func (s *Service) endWith(uuid string, o outcome) {
	s.count(uuid, o)
	s.mu.Lock()
	defer s.mu.Unlock()
	o.at = time.Now()
	for id, old := range s.ended {
		if o.at.Sub(old.at) > keepOutcomes {
			delete(s.ended, id)
		}
	}
	s.ended[uuid] = o
}

// conclude notes how a job ended and removes its records with update. If that fails the outcome does not stand: another manager, who
// holds the office now, may have ended the job otherwise.
func (s *Service) conclude(uuid string, o outcome, update func() error) error {
	o.settled = make(chan struct{})
	defer close(o.settled)
	s.endWith(uuid, o)
	err := update()
	if err != nil {
		s.mu.Lock()
		if s.ended[uuid].settled == o.settled {
			delete(s.ended, uuid)
		}
		s.mu.Unlock()
	}
	return err
}

// amend replaces the error of an outcome that is noted and not settled yet.
func (s *Service) amend(uuid string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.ended[uuid]; ok {
		o.err = err
		s.ended[uuid] = o
	}
}

func (s *Service) outcomeOf(uuid string) (outcome, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.ended[uuid]
	return o, ok
}

// errGone is the outcome of a job that another process finished.
var errGone = errors.New("the job ended and its outcome is not known to this process; look at the repository")

// waitJob waits until a job's header is gone, and returns how it ended.
func (s *Service) waitJob(ctx context.Context, uuid string, gone func(*state.View) bool) (*repository.SnapshotInfo, error) {
	o, err := s.waitOutcome(ctx, uuid, gone)
	return o.info, err
}

func (s *Service) waitOutcome(ctx context.Context, uuid string, gone func(*state.View) bool) (outcome, error) {
	if _, err := s.store.WaitFor(ctx, gone); err != nil {
		return outcome{}, fmt.Errorf("wait for the snapshot job: %w", err)
	}
	o, ok := s.settledOutcome(ctx, uuid)
	if !ok {
		return outcome{}, errGone
	}
	return o, o.err
}

// settledOutcome is outcomeOf once it is known whether the outcome stands.
func (s *Service) settledOutcome(ctx context.Context, uuid string) (outcome, bool) {
	o, ok := s.outcomeOf(uuid)
	if !ok || o.settled == nil {
		return o, ok
	}
	select {
	case <-o.settled:
	case <-ctx.Done():
	}
	return s.outcomeOf(uuid)
}
