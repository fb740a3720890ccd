package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Keys below the root that are no records.
const (
	commitKey    = "~commit"   // touched by every update: a commitMark
	gateKey      = "~gate"     // a staged commit that is being written out
	electionKeys = "~election" // candidates for the manager's office
)

const (
	loadPage   = 100
	retryPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	maxRecent  = 16
)

// commitMark is the value of commitKey.
type commitMark struct {
	Version int64    `json:"version"`
	Recent  []string `json:"recent"` // ids of the newest commits, the last one last
}

func isCompacted(err error) bool { return errors.Is(err, rpctypes.ErrCompacted) }

// load reads everything as of one revision. live are the ids of the blobs that are referred to.
func (s *Store) load(ctx context.Context) (v *View, live map[string]bool, err error) {
	for {
		v, live, err = s.loadOnce(ctx)
		if !isCompacted(err) && !errors.Is(err, errBlobGone) {
			return v, live, err
		}
	}
}

func (s *Store) loadOnce(ctx context.Context) (*View, map[string]bool, error) {
	b := newBuilder(newView())
	live := map[string]bool{}
	end := clientv3.GetPrefixRangeEnd(s.root)
	from, rev := s.root, int64(0)
	for {
		resp, err := s.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(loadPage), clientv3.WithRev(rev))
		if err != nil {
			return nil, nil, fmt.Errorf("read the cluster state: %w", err)
		}
		if rev == 0 {
			rev = resp.Header.Revision
		}
		for _, kv := range resp.Kvs {
			if ref, ok, err := parseRef(kv.Value); err == nil && ok {
				live[ref.ID] = true
			}
			if err := s.apply(ctx, b, clientv3.EventTypePut, kv, rev); err != nil {
				return nil, nil, err
			}
		}
		if !resp.More {
			break
		}
		from = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
	}
	// The staged commit came before the records that follow it in the order of keys.
	if g := b.v.gate; g != nil {
		live[g.Ref.ID] = true
		if err := s.applyStaged(ctx, b, g, rev); err != nil {
			return nil, nil, err
		}
		for _, w := range g.writes {
			if ref, ok, err := parseRef(w.Value); err == nil && ok {
				live[ref.ID] = true
			}
		}
	}
	b.v.Revision = rev
	return b.v, live, nil
}

// apply takes one change into the builder. rev is the revision at which blobs are read.
func (s *Store) apply(ctx context.Context, b *builder, typ mvccpb.Event_EventType, kv *mvccpb.KeyValue, rev int64) error {
	key := strings.TrimPrefix(string(kv.Key), s.root)
	del := typ == clientv3.EventTypeDelete
	switch {
	case key == commitKey:
		var m commitMark
		if !del {
			if err := json.Unmarshal(kv.Value, &m); err != nil {
				return fmt.Errorf("cluster state key %s: %w", key, err)
			}
		}
		b.v.Version, b.v.recent, b.v.commitRev = m.Version, m.Recent, kv.ModRevision
		b.changed = true
		return nil
	case key == gateKey:
		b.changed = true
		b.v.gate = nil
		if del {
			return nil
		}
		g := &gate{rev: kv.ModRevision}
		if err := json.Unmarshal(kv.Value, g); err != nil {
			return fmt.Errorf("cluster state key %s: %w", key, err)
		}
		b.v.gate = g
		return s.applyStaged(ctx, b, g, rev)
	case strings.HasPrefix(key, electionKeys+"/"):
		b.applyCandidate(key, del, kv)
		return nil
	}
	return s.applyRecord(ctx, b, key, del, kv.Value, rev)
}

// applyRecord takes a record's stored form into the builder. One that cannot be read fails the load:
// a state without it would be acted upon.
func (s *Store) applyRecord(ctx context.Context, b *builder, key string, del bool, stored []byte, rev int64) error {
	k, name, ok := parseKey(key)
	if !ok {
		return fmt.Errorf("cluster state has the key %s, which is not known: written by a newer version", key)
	}
	if del {
		b.set(k, name, entry{})
		return nil
	}
	sum := sumOf(stored)
	if old, ok := b.v.tables[k].get(name); ok && old.sum == sum {
		return nil
	}
	ref, _, err := parseRef(stored)
	if err != nil {
		return fmt.Errorf("cluster state key %s: %w", key, err)
	}
	value, err := s.unwrapBlob(ctx, stored, rev)
	if err != nil {
		return fmt.Errorf("cluster state key %s: %w", key, err)
	}
	r, err := decodeRecord(k, value)
	if err != nil {
		return fmt.Errorf("cluster state key %s: %w", key, err)
	}
	b.set(k, name, entry{rec: r, sum: sum, blob: ref.ID})
	return nil
}

func (b *builder) applyCandidate(key string, del bool, kv *mvccpb.KeyValue) {
	b.changed = true
	all := slices.DeleteFunc(slices.Clone(b.v.candidates), func(c candidate) bool { return c.key == key })
	if !del {
		all = append(all, candidate{key: key, nodeID: string(kv.Value), createRev: kv.CreateRevision, lease: kv.Lease})
		slices.SortFunc(all, func(x, y candidate) int { return int(x.createRev - y.createRev) })
	}
	b.v.candidates = all
}

// feed follows etcd and publishes a view for each answer of the watch. It is the only one to do so.
func (s *Store) feed(from int64) {
	defer s.wg.Done()
	pause := retryPause
	for {
		err := s.follow(from)
		if s.ctx.Err() != nil {
			return
		}
		s.log.Warn("cluster state watch was interrupted, reading everything again", "error", err)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return
		}
		pause = min(2*pause, maxPause)
		v, _, err := s.load(s.ctx)
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.Error("cannot read the cluster state", "error", err)
			continue
		}
		from, pause = v.Revision+1, retryPause
		s.publish(v)
	}
}

// follow watches until something fails.
func (s *Store) follow(from int64) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(s.ctx))
	defer cancel()
	for resp := range s.client.Watch(ctx, s.root, clientv3.WithPrefix(), clientv3.WithRev(from)) {
		if err := resp.Err(); err != nil {
			return err
		}
		if len(resp.Events) == 0 {
			continue
		}
		b := newBuilder(s.view.Load())
		for _, ev := range resp.Events {
			if err := s.apply(ctx, b, ev.Type, ev.Kv, ev.Kv.ModRevision); err != nil {
				return err
			}
			b.v.Revision = ev.Kv.ModRevision
		}
		s.publish(b.v)
	}
	return errors.New("the watch ended")
}

// leaseOf parses the lease at the end of a candidate's key.
func leaseOf(key string) (clientv3.LeaseID, bool) {
	id, err := strconv.ParseInt(key[strings.LastIndexByte(key, '/')+1:], 16, 64)
	return clientv3.LeaseID(id), err == nil
}
