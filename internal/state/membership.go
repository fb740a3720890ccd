package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

// member keeps this node in the cluster.
type member struct {
	s      *Store
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	node Node
	kick chan struct{} // the node's record has changed
}

// Join makes this node a member and a candidate for the manager's office, until Close. It returns
// when the view has the node and a manager. The node's ID and EphemeralID are filled in. A lease
// that is lost (the process stood still, etcd was away) is taken again.
func (s *Store) Join(ctx context.Context, n Node) error {
	s.memberMu.Lock()
	defer s.memberMu.Unlock()
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	if s.member != nil {
		return errors.New("join the cluster: this node is a member already")
	}
	n.ID = s.cfg.NodeID
	if n.EphemeralID == "" {
		n.EphemeralID = newID()
	}
	if n.Started.IsZero() {
		n.Started = time.Now().UTC().Truncate(time.Millisecond)
	}
	if err := s.revokeFormer(ctx); err != nil {
		return fmt.Errorf("join the cluster: %w", err)
	}
	mctx, cancel := context.WithCancel(s.ctx)
	m := &member{s: s, cancel: cancel, done: make(chan struct{}), node: n, kick: make(chan struct{}, 1)}
	s.member = m
	go m.run(mctx)
	_, err := s.WaitFor(ctx, func(v *View) bool {
		have := v.Node(n.ID)
		return have != nil && have.EphemeralID == n.EphemeralID && v.Manager() != ""
	})
	if err != nil {
		return fmt.Errorf("join the cluster: %w", err)
	}
	return nil
}

// Announce changes this node's record, such as its addresses once they are known.
func (s *Store) Announce(change func(*Node)) error {
	s.memberMu.Lock()
	defer s.memberMu.Unlock()
	if s.member == nil {
		return errors.New("announce: this node is not a member")
	}
	m := s.member
	m.mu.Lock()
	id, ephemeral := m.node.ID, m.node.EphemeralID
	change(&m.node)
	m.node.ID, m.node.EphemeralID = id, ephemeral
	m.mu.Unlock()
	select {
	case m.kick <- struct{}{}:
	default:
	}
	return nil
}

// leave gives up office and membership at once.
func (s *Store) leave() {
	s.memberMu.Lock()
	defer s.memberMu.Unlock()
	if s.member != nil {
		s.member.cancel()
		<-s.member.done
		s.member = nil
	}
}

// revokeFormer ends what an earlier process of this node has left: the lock on the data folder says
// that it is gone, so nobody has to wait for its lease.
func (s *Store) revokeFormer(ctx context.Context) error {
	var leases []clientv3.LeaseID
	resp, err := s.client.Get(ctx, s.root+keyOf(KindNode, s.cfg.NodeID))
	if err != nil {
		return err
	}
	for _, kv := range resp.Kvs {
		leases = append(leases, clientv3.LeaseID(kv.Lease))
	}
	for _, c := range s.View().candidates {
		if id, ok := leaseOf(c.key); ok && c.nodeID == s.cfg.NodeID {
			leases = append(leases, id)
		}
	}
	for _, id := range leases {
		// One that has run out in the meantime is as good.
		if _, err := s.client.Revoke(ctx, id); err != nil && !isDefinite(err) {
			return err
		}
	}
	return nil
}

// run is a member until its context ends.
func (m *member) run(ctx context.Context) {
	defer close(m.done)
	for ctx.Err() == nil {
		if err := m.session(ctx); err != nil && ctx.Err() == nil {
			m.s.log.Warn("membership was interrupted", "node", m.s.cfg.NodeID, "error", err)
			select {
			case <-time.After(retryPause):
			case <-ctx.Done():
			}
		}
	}
}

// session is a member for as long as one lease lasts.
func (m *member) session(ctx context.Context) error {
	s := m.s
	// The session's own context must outlive ctx, so that leaving can revoke the lease.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	session, err := concurrency.NewSession(s.client, concurrency.WithTTL(int(s.cfg.LeaseTTL/time.Second)), concurrency.WithContext(own))
	if err != nil {
		return fmt.Errorf("take a lease: %w", err)
	}
	defer func() {
		if err := session.Close(); err != nil {
			s.log.Debug("the lease runs out by itself", "error", err)
		}
	}()
	if err := m.put(ctx, session.Lease()); err != nil {
		return err
	}
	campaign, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	election := concurrency.NewElection(session, s.root+electionKeys)
	go func() { ended <- election.Campaign(campaign, s.cfg.NodeID) }()
	waiting := true
	defer func() {
		stop()
		if waiting {
			<-ended //nolint:errcheck // the campaign was given up
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-session.Done():
			return errors.New("the lease was lost")
		case err := <-ended:
			waiting = false
			ended = nil
			if err != nil {
				return fmt.Errorf("stand for election: %w", err)
			}
			s.log.Debug("elected as the manager", "node", s.cfg.NodeID)
		case <-m.kick:
			if err := m.put(ctx, session.Lease()); err != nil {
				return err
			}
		}
	}
}

func (m *member) put(ctx context.Context, lease clientv3.LeaseID) error {
	m.mu.Lock()
	n := m.node
	m.mu.Unlock()
	value, err := encodeRecord(&n)
	if err != nil {
		return err
	}
	if _, err := m.s.client.Put(ctx, m.s.root+keyOf(KindNode, n.ID), string(value), clientv3.WithLease(lease)); err != nil {
		return fmt.Errorf("write the member's record: %w", err)
	}
	return nil
}
