package snapshot

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/state"
)

// policyOf returns the policy that a snapshot was taken for, or "". Who runs policies writes its name into the snapshot's metadata: OpenSearch's
// Snapshot Management as sm_policy, Elasticsearch's and others as policy.
func policyOf(metadata json.RawMessage) string {
	var m map[string]any
	if len(metadata) == 0 || json.Unmarshal(metadata, &m) != nil {
		return ""
	}
	for _, k := range []string{"sm_policy", "policy"} {
		if name, ok := m[k].(string); ok && name != "" {
			return name
		}
	}
	return ""
}

// policyOfDeletion returns the policy that all snapshots of a deletion were taken for, or "". It knows the policies of snapshots whose cost is
// remembered; to ask the store would cost requests.
func policyOfDeletion(costs []*state.OperationCost, repo string, names []string) string {
	policies := map[string]bool{}
	for _, name := range names {
		var newest *state.OperationCost
		for _, c := range costs {
			if c.Operation == opSnapshot && c.Repository == repo && slices.Contains(c.Snapshots, name) && (newest == nil || c.Started.After(newest.Started)) {
				newest = c
			}
		}
		if newest == nil {
			return ""
		}
		policies[newest.Policy] = true
	}
	if len(policies) != 1 {
		return ""
	}
	return slices.Collect(maps.Keys(policies))[0]
}

// PolicyCost is what the remembered operations of a policy sent to a repository's store, in all.
type PolicyCost struct {
	state.OperationCost                // its sums; Started of the first operation
	Runs                int            // snapshots that were taken for it
	Operations          map[string]int // how many of each kind
	Latest              time.Time      // when the newest operation began
}

// ByPolicy sums costs up for each repository and policy, in the order of the policies' names. What was done for no policy is left out.
func ByPolicy(costs []Cost) []*PolicyCost {
	type key struct{ policy, repo string }
	groups := map[key]*PolicyCost{}
	for _, c := range costs {
		if c.Policy == "" {
			continue
		}
		k := key{c.Policy, c.Repository}
		g := groups[k]
		if g == nil {
			g = &PolicyCost{OperationCost: state.OperationCost{Policy: c.Policy, Repository: c.Repository, Requests: map[string]int64{}, Started: c.Started}, Operations: map[string]int{}}
			groups[k] = g
		}
		g.add(c)
	}
	return slices.SortedFunc(maps.Values(groups), func(a, b *PolicyCost) int {
		return cmp.Or(strings.Compare(a.Policy, b.Policy), strings.Compare(a.Repository, b.Repository))
	})
}

func (g *PolicyCost) add(c Cost) {
	g.Operations[c.Operation]++
	if c.Operation == opSnapshot {
		g.Runs++
	}
	if c.Started.Before(g.Started) {
		g.Started = c.Started
	}
	if c.Started.After(g.Latest) {
		g.Latest = c.Started
	}
	for kind, n := range c.Requests {
		g.Requests[kind] += n
	}
	g.BytesIn += c.BytesIn
	g.BytesOut += c.BytesOut
	g.Retries += c.Retries
	g.Throttles += c.Throttles
	g.Errors += c.Errors
	g.Incomplete = g.Incomplete || c.Incomplete
}
