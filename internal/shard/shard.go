package shard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/varve-search/varve/internal/translog"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
)

// Shard is one open shard. All methods are safe for concurrent use.
type Shard struct {
	cfg    Config
	tuning atomic.Pointer[Tuning]
	dir    *store.FSDirectory
	writer *index.Writer
	log    *translog.Log
	seq    *tracker
	keys   *keyLock

	versions   *versionMap
	view       atomic.Pointer[view]
	ticket     atomic.Int64 // counts operations
	visible    atomic.Int64 // the ticket up to which searches see
	refreshMu  sync.Mutex
	refreshed  sync.Cond // its lock guards refreshCh
	refreshCh  chan struct{}
	lastSearch atomic.Int64
	lastWrite  atomic.Int64

	flushMu  sync.Mutex
	flushing atomic.Bool

	users   sync.RWMutex // held for reading by every operation
	closed  atomic.Bool
	failure atomic.Pointer[error]
	stop    chan struct{}
	failed  chan struct{} // closed when failure is set
	work    sync.WaitGroup
	ctx     context.Context //nolint:containedctx // of the shard's own goroutines
	cancel  context.CancelFunc

	// sealed is true as long as the shard only answers: then origin and commit stand for writer, log, seq and dir.
	sealed      atomic.Bool
	origin      store.Directory
	commitInfos *segments.Infos

	historyUUID string
	stats       stats
	// Recovery describes how the shard came to be.
	Recovered int64 // operations replayed from the translog
}

// Keys of a commit's user data, as OpenSearch names them.
const (
	keyTranslogUUID    = "translog_uuid"
	keyHistoryUUID     = "history_uuid"
	keyMaxSeqNo        = "max_seq_no"
	keyLocalCheckpoint = "local_checkpoint"
	keyMaxAutoID       = "max_unsafe_auto_id_timestamp"
)

// IndexPath is where a shard's Lucene index lies within its folder.
func IndexPath(path string) string { return filepath.Join(path, "index") }

// TranslogPath is where a shard's translog lies within its folder.
func TranslogPath(path string) string { return filepath.Join(path, "translog") }

// Mode says where a shard's content comes from.
type Mode uint8

// The modes of Open.
const (
	Existing Mode = iota // what the folder holds; it must be there
	Empty                // a new shard; what the folder holds is removed
	Restored             // a Lucene index that was put there: a new history begins on it
)

// Open opens a shard. When it returns, all acknowledged operations are there and visible.
func Open(ctx context.Context, cfg Config, mode Mode) (*Shard, error) {
	s, err := open(ctx, cfg, mode)
	if err != nil {
		return nil, fmt.Errorf("open shard [%s][%d]: %w", cfg.Index, cfg.ID, err)
	}
	return s, nil
}

func open(ctx context.Context, cfg Config, mode Mode) (_ *Shard, err error) {
	if cfg.Tuning == (Tuning{}) {
		cfg.Tuning = DefaultTuning()
	}
	if mode == Empty {
		if err := os.RemoveAll(cfg.Path); err != nil {
			return nil, err
		}
	}
	s := newShard(ctx, cfg)
	defer func() {
		if err != nil {
			s.abandon()
		}
	}()
	if err := s.openEngine(ctx, mode); err != nil {
		return nil, err
	}
	s.work.Go(s.refreshLoop)
	return s, nil
}

func newShard(ctx context.Context, cfg Config) *Shard {
	s := &Shard{cfg: cfg, keys: newKeyLock(), versions: newVersionMap(), stop: make(chan struct{}), failed: make(chan struct{}), refreshCh: make(chan struct{})}
	s.refreshed.L = &sync.Mutex{}
	s.tuning.Store(&cfg.Tuning)
	s.lastWrite.Store(nowNanos())
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return s
}

// openEngine opens writer and translog on the shard's folder.
func (s *Shard) openEngine(ctx context.Context, mode Mode) (err error) {
	cfg := s.cfg
	if err := os.MkdirAll(TranslogPath(cfg.Path), 0o755); err != nil {
		return err
	}
	if s.dir, err = store.OpenFS(IndexPath(cfg.Path)); err != nil {
		return err
	}
	if mode != Empty {
		if names, err := s.dir.List(); err != nil {
			return err
		} else if len(names) == 0 {
			return fmt.Errorf("there is no index at %s: the shard's data is lost", IndexPath(cfg.Path))
		}
	}
	s.writer, err = index.Open(s.dir, index.Config{
		RAMBudget: cfg.RAMBudget, Sort: cfg.Sort, BestCompression: cfg.BestCompression, NoCompound: cfg.NoCompound, NoMerges: cfg.NoMerges,
		OnMergeError: func(err error) { s.cfg.Log.Warn("a merge failed", "index", cfg.Index, "shard", cfg.ID, "error", err) },
	})
	if err != nil {
		return err
	}
	t := s.tuning.Load()
	opts := translog.Options{Durability: t.Durability, SyncInterval: t.SyncInterval}
	if mode == Existing {
		return s.recover(ctx, opts)
	}
	return s.begin(ctx, opts)
}

// begin starts a new history: on nothing, or on a Lucene index that was restored.
func (s *Shard) begin(ctx context.Context, opts translog.Options) error {
	maxSeqNo := NoOps
	if data := s.writer.LastCommit(); data != nil && data.UserData[keyMaxSeqNo] != "" {
		n, err := strconv.ParseInt(data.UserData[keyMaxSeqNo], 10, 64)
		if err != nil {
			return fmt.Errorf("the commit's %s is %q, not a number", keyMaxSeqNo, data.UserData[keyMaxSeqNo])
		}
		maxSeqNo = n
	}
	s.seq = newTracker(maxSeqNo, maxSeqNo)
	s.historyUUID = uuid.NewString()
	if err := translog.Remove(TranslogPath(s.cfg.Path)); err != nil {
		return err
	}
	var err error
	if s.log, err = translog.Create(TranslogPath(s.cfg.Path), "", opts); err != nil {
		return err
	}
	if err := s.commit(ctx); err != nil {
		return err
	}
	return s.reopen(ctx)
}

// recover replays what the last commit lacks.
func (s *Shard) recover(ctx context.Context, opts translog.Options) error {
	data := s.writer.LastCommit().UserData
	maxSeqNo, err := strconv.ParseInt(data[keyMaxSeqNo], 10, 64)
	if err != nil {
		return fmt.Errorf("the commit's %s is %q, not a number", keyMaxSeqNo, data[keyMaxSeqNo])
	}
	checkpoint, err := strconv.ParseInt(data[keyLocalCheckpoint], 10, 64)
	if err != nil {
		return fmt.Errorf("the commit's %s is %q, not a number", keyLocalCheckpoint, data[keyLocalCheckpoint])
	}
	s.seq = newTracker(maxSeqNo, checkpoint)
	s.historyUUID = data[keyHistoryUUID]
	if s.log, err = translog.Open(TranslogPath(s.cfg.Path), data[keyTranslogUUID], opts); err != nil {
		return err
	}
	if err := s.reopen(ctx); err != nil {
		return err
	}
	ops, err := s.log.NewSnapshot(s.log.MinGeneration(), checkpoint+1)
	if err != nil {
		return err
	}
	defer ops.Close()
	for {
		var op translog.Operation
		switch err := ops.Next(&op); {
		case errors.Is(err, io.EOF):
			return s.recovered(ctx)
		case err != nil:
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.replayNext(ctx, &op); err != nil {
			return err
		}
	}
}

// replayNext replays one of many operations.
func (s *Shard) replayNext(ctx context.Context, op *translog.Operation) error {
	if err := s.replay(ctx, op); err != nil {
		return err
	}
	s.Recovered++
	if s.Recovered%10000 == 0 { // keeps the map of versions small
		return s.reopen(ctx)
	}
	return nil
}

func (s *Shard) recovered(ctx context.Context) error {
	if s.Recovered == 0 {
		return nil
	}
	// Numbers that were given out and whose operations never reached the log are done with.
	maxSeqNo, checkpoint := s.seq.get()
	for n := checkpoint + 1; n <= maxSeqNo; n++ {
		s.seq.finish(n)
	}
	if err := s.commit(ctx); err != nil {
		return err
	}
	return s.reopen(ctx)
}

// abandon closes what open opened, keeping the last commit.
func (s *Shard) abandon() {
	s.cancel()
	if v := s.view.Swap(nil); v != nil {
		v.release()
	}
	s.dropEngine()
}

// dropEngine closes writer and translog without a commit, because of an error that is the one to tell.
func (s *Shard) dropEngine() {
	if s.writer != nil {
		_ = s.writer.Rollback()
	}
	if s.log != nil {
		_ = s.log.Close()
	}
	s.writer, s.log = nil, nil
}

// enter begins an operation; leave ends it.
func (s *Shard) enter() error {
	s.users.RLock()
	if s.closed.Load() {
		s.users.RUnlock()
		return s.closedError()
	}
	if f := s.failure.Load(); f != nil {
		s.users.RUnlock()
		return s.engineFailed(*f)
	}
	return nil
}

func (s *Shard) leave() {
	s.lastWrite.Store(nowNanos())
	s.users.RUnlock()
}

// fail keeps the first error after which nothing of the shard can be trusted but what is on disk.
func (s *Shard) fail(err error) error {
	if s.failure.CompareAndSwap(nil, &err) {
		close(s.failed)
		s.cfg.Log.Error("a shard failed; it must be opened again", "index", s.cfg.Index, "shard", s.cfg.ID, "error", err)
	}
	return s.engineFailed(err)
}

// Failure returns the error that the shard failed with, or nil.
func (s *Shard) Failure() error {
	if f := s.failure.Load(); f != nil {
		return *f
	}
	return nil
}

// Failed is closed when the shard fails.
func (s *Shard) Failed() <-chan struct{} { return s.failed }

// Closed is closed when the shard begins to close.
func (s *Shard) Closed() <-chan struct{} { return s.stop }

// Close commits and closes the shard.
func (s *Shard) Close(ctx context.Context) error { return s.close(ctx, true) }

// CloseFast closes the shard without a commit, for an index that is to be deleted or a shard that failed. What was acknowledged
// is in the translog.
func (s *Shard) CloseFast() error { return s.close(context.Background(), false) }

func (s *Shard) close(ctx context.Context, commit bool) error {
	if s.closed.Swap(true) {
		return nil
	}
	close(s.stop)
	s.work.Wait()
	s.users.Lock() // waits for operations
	defer s.users.Unlock()
	var errs []error
	if commit && s.Failure() == nil && !s.sealed.Load() {
		if err := s.commitLocked(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	s.cancel()
	if v := s.view.Swap(nil); v != nil {
		v.release()
	}
	if s.sealed.Load() {
		errs = append(errs, s.origin.Close())
	} else {
		errs = append(errs, s.writer.Rollback())
		if err := s.log.Close(); err != nil && s.Failure() == nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close shard [%s][%d]: %w", s.cfg.Index, s.cfg.ID, err)
	}
	return nil
}

// Tune changes settings of a running shard.
func (s *Shard) Tune(t Tuning) error {
	s.tuning.Store(&t)
	if s.sealed.Load() {
		return nil
	}
	return s.log.SetDurability(t.Durability, t.SyncInterval)
}

func nowNanos() int64 { return time.Now().UnixNano() }
