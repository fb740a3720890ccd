package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Config says where the cluster state is.
type Config struct {
	// ClusterName is what the cluster is called. An external etcd that holds a cluster of another
	// name under the same prefix is refused; an embedded one takes the new name.
	ClusterName string
	// Dir is the data folder of the embedded etcd (it lies in the sub-folder "etcd"). Not used with
	// Endpoints.
	Dir string
	// Endpoints of an external etcd.
	Endpoints []string
	// Client configures the connection to an external etcd further (TLS, user). Endpoints and Logger
	// are set by Open.
	Client clientv3.Config
	// Prefix of all keys, default "/varve".
	Prefix string
	// NodeID is this node's id, from OpenIdentity.
	NodeID string
	// LeaseTTL is how long a node that no longer answers stays a member. Default 10 s, at least 1 s.
	LeaseTTL time.Duration
	Logger   *slog.Logger
}

// ErrClosed is returned after Close.
var ErrClosed = errors.New("cluster state is closed")

// Store is the cluster state. Its methods may be called by any number of goroutines.
type Store struct {
	cfg      Config
	log      *slog.Logger
	embedded *embedded // nil with an external etcd
	client   *clientv3.Client
	root     string // of the watched keys, ends with a slash
	blobRoot string

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	view    atomic.Pointer[View]
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with every new view
	broken  error         // the feed ended: the view is no longer fed

	updates chan *update

	closeOnce sync.Once
	closeErr  error

	memberMu sync.Mutex
	member   *member
}

// Open starts or connects to etcd, reads the cluster state and follows it. A cluster that is new
// gets its UUID.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if cfg.NodeID == "" {
		return nil, errors.New("open cluster state: no node id")
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "/varve"
	}
	if cfg.LeaseTTL <= 0 {
		cfg.LeaseTTL = 10 * time.Second
	}
	cfg.LeaseTTL = max(cfg.LeaseTTL, time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		cfg: cfg, log: cfg.Logger, root: cfg.Prefix + "/1/", blobRoot: cfg.Prefix + "-blob/1/",
		changed: make(chan struct{}), updates: make(chan *update),
	}
	if len(cfg.Endpoints) > 0 {
		cc := cfg.Client
		cc.Endpoints, cc.Logger = cfg.Endpoints, zap.New(newZapCore(s.log, new(atomic.Bool)))
		if cc.DialTimeout == 0 {
			cc.DialTimeout = 5 * time.Second
		}
		if s.client, err = clientv3.New(cc); err != nil {
			return nil, fmt.Errorf("connect to etcd: %w", err)
		}
	} else if s.embedded, s.client, err = startEmbedded(ctx, filepath.Join(cfg.Dir, "etcd"), s.log); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open cluster state: %w", err), s.Close())
		}
	}()
	v, live, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.view.Store(v)
	age := time.Duration(0)
	if s.embedded == nil {
		age = blobOrphaned // another process may be about to refer to it
	}
	if err := s.sweepBlobs(ctx, live, age); err != nil {
		return nil, err
	}
	s.wg.Add(2)
	go s.feed(v.Revision + 1)
	go s.commitLoop()
	return s, s.bootstrap(ctx)
}

func (s *Store) bootstrap(ctx context.Context) error {
	c := s.View().Cluster()
	switch {
	case c != nil && (c.Name == s.cfg.ClusterName || s.cfg.ClusterName == ""):
		return nil
	case c != nil && s.embedded == nil:
		return fmt.Errorf("etcd holds the cluster [%s], not [%s]", c.Name, s.cfg.ClusterName)
	}
	return s.Update(ctx, func(tx *Tx) error {
		switch c := tx.Cluster(); {
		case c == nil:
			tx.Put(&Cluster{Name: s.cfg.ClusterName, UUID: newID(), Created: time.Now().UTC().Truncate(time.Millisecond)})
		case s.embedded == nil && c.Name != s.cfg.ClusterName:
			return fmt.Errorf("etcd holds the cluster [%s], not [%s]", c.Name, s.cfg.ClusterName)
		default:
			renamed := *c
			renamed.Name = s.cfg.ClusterName
			tx.Put(&renamed)
		}
		return nil
	})
}

// Close leaves the cluster, stops following and, with an embedded etcd, stops that. Updates under
// way fail with ErrClosed.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.leave()
	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	if s.broken == nil {
		s.broken = ErrClosed
		close(s.changed)
	}
	s.mu.Unlock()
	var errs []error
	if s.client != nil {
		if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("close etcd client: %w", err))
		}
	}
	if s.embedded != nil {
		errs = append(errs, s.embedded.close())
	}
	return errors.Join(errs...)
}

// View returns the newest view.
func (s *Store) View() *View { return s.view.Load() }

// NodeID returns the id of this node.
func (s *Store) NodeID() string { return s.cfg.NodeID }

// IsManager tells whether this node is the elected manager, as far as the view knows.
func (s *Store) IsManager() bool { return s.View().Manager() == s.cfg.NodeID }

// publish makes v the newest view.
func (s *Store) publish(v *View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Store(v)
	if s.broken != nil {
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// next returns the newest view, what closes when a newer one comes, and why none will come.
func (s *Store) next() (*View, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view.Load(), s.changed, s.broken
}

// WaitFor returns the first view that satisfies the condition, beginning with the current one.
func (s *Store) WaitFor(ctx context.Context, condition func(*View) bool) (*View, error) {
	for {
		v, changed, broken := s.next()
		if condition(v) {
			return v, nil
		}
		if broken != nil {
			return nil, broken
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Subscription hands out views to one applier. It holds no resources.
type Subscription struct {
	s    *Store
	last *View
}

// Subscribe returns a subscription whose first Next returns at once, with an empty old view.
func (s *Store) Subscribe() *Subscription { return &Subscription{s: s, last: newView()} }

// Next waits for a view newer than the last one and returns both. Views that came while the applier
// was busy are skipped: it sees their sum.
func (sub *Subscription) Next(ctx context.Context) (old, cur *View, err error) {
	v, err := sub.s.WaitFor(ctx, func(v *View) bool { return v != sub.last })
	if err != nil {
		return nil, nil, err
	}
	old, sub.last = sub.last, v
	return old, v, nil
}
