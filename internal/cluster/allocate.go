package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/varve-search/varve/internal/state"
)

// manage gives copies to nodes while this node is the manager.
func (n *Node) manage() {
	for {
		if n.store.IsManager() {
			if err := n.allocate(n.ctx); err != nil && n.ctx.Err() == nil {
				n.log.Warn("shards could not be allocated; it is tried again", "error", err)
			}
		}
		select {
		case <-n.ctx.Done():
			return
		case <-n.kick:
		case <-time.After(5 * time.Second):
		}
	}
}

// maxFailures is how often a copy is tried in a row (index.allocation.max_retries).
const maxFailures = 5

// GivenUp tells whether a copy is not tried again until a user asks for it (_cluster/reroute?retry_failed).
func GivenUp(c *state.ShardCopy) bool {
	return c.State == state.ShardUnassigned && c.Unassigned != nil && c.Unassigned.Failures >= maxFailures
}

// allocate assigns what is unassigned, and takes back what was on nodes that left.
func (n *Node) allocate(ctx context.Context) error {
	if !needsAllocation(n.store.View()) {
		return nil
	}
	err := n.store.UpdateAsManager(ctx, func(tx *state.Tx) error {
		load := map[string]int{}
		for _, node := range tx.Nodes() {
			load[node.ID] = 0
		}
		for _, r := range tx.AllShards() {
			for _, c := range r.Copies {
				if _, ok := load[c.Node]; ok {
					load[c.Node]++
				}
			}
		}
		for _, r := range tx.AllShards() {
			if changed := place(tx, r, load); changed != nil {
				tx.Put(changed)
			}
		}
		return nil
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func needsAllocation(v *state.View) bool {
	for _, r := range v.AllShards() {
		for _, c := range r.Copies {
			if c.State == state.ShardUnassigned && assignable(&c) || c.State != state.ShardUnassigned && v.Node(c.Node) == nil {
				return true
			}
		}
	}
	return false
}

// assignable tells whether a copy may be tried (again). Replicas wait until copies can be kept in step between nodes.
func assignable(c *state.ShardCopy) bool {
	return c.Primary && (c.Unassigned == nil || c.Unassigned.Failures < maxFailures)
}

// place returns the routing of a shard with its copies assigned, or nil if nothing changes.
func place(tx *state.Tx, r *state.ShardRouting, load map[string]int) *state.ShardRouting {
	var out *state.ShardRouting
	edit := func() *state.ShardRouting {
		if out == nil {
			out = r.Clone()
		}
		return out
	}
	ix := tx.IndexByUUID(r.IndexUUID)
	for i, c := range r.Copies {
		if c.State != state.ShardUnassigned && tx.Node(c.Node) == nil {
			left := &edit().Copies[i]
			*left = state.ShardCopy{Primary: c.Primary, State: state.ShardUnassigned, Recovery: leftBehind(&c),
				Unassigned: &state.Unassigned{Reason: "NODE_LEFT", At: time.Now().UTC(), Details: c.Node}}
			continue
		}
		if c.State != state.ShardUnassigned || ix == nil || !assignable(&c) {
			continue
		}
		waits := c.Unassigned != nil && c.Unassigned.Reason == "NODE_LEFT" && c.Recovery != nil && c.Recovery.Type == state.RecoverExistingStore
		if waits && tx.Node(c.Unassigned.Details) == nil {
			continue
		}
		node := ""
		if waits {
			node = c.Unassigned.Details
		} else {
			for id, n := range load {
				if node == "" || n < load[node] || n == load[node] && id < node {
					node = id
				}
			}
		}
		if node == "" {
			continue
		}
		load[node]++
		to := &edit().Copies[i]
		to.State, to.Node, to.AllocationID = state.ShardInitializing, node, state.NewUUID()
	}
	return out
}

// leftBehind is what a copy is recovered from whose node left. The data of one that was started is on that node, and comes back
// with it; one that was not yet brought from a snapshot, or not yet made, begins again on any node.
func leftBehind(c *state.ShardCopy) *state.RecoverySource {
	if c.State == state.ShardInitializing && c.Recovery != nil && (c.Recovery.Type == state.RecoverSnapshot || c.Recovery.Type == state.RecoverEmptyStore) {
		return c.Recovery
	}
	return &state.RecoverySource{Type: state.RecoverExistingStore}
}
