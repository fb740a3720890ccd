package rest

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeCosts(rt *Router) {
	rt.Handle("GET", "/_snapshot/_cost", a.operationCosts)
	rt.Handle("GET", "/_snapshot/{repository}/_cost", a.operationCosts)
	rt.Handle("GET", "/_snapshot/{repository}/{snapshot}/_cost", a.operationCosts)
}

// mostCosts bounds how many operations one answer lists.
const mostCosts = 1000

// operationCosts answers what operations on repositories sent to the stores, and what that may have cost.
func (a *API) operationCosts(r *Request) (*Response, error) {
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	size, err := r.Int("size", 100)
	if err != nil {
		return nil, err
	}
	if size < 0 || size > mostCosts {
		return nil, apierr.IllegalArgument("[size] must be from 0 to %d, but was [%d]", mostCosts, size)
	}
	byPolicy := false
	switch group := r.Param("group_by"); group {
	case "":
	case "policy":
		byPolicy = true
	default:
		return nil, apierr.IllegalArgument("[group_by] can be [policy] only, but was [%s]", group)
	}
	records, err := a.repositories(r.Names("repository"))
	if err != nil {
		return nil, err
	}
	snap, policy := r.Param("snapshot"), r.Param("policy")
	list, policies := []any{}, []*policyGroup{}
	found := 0
	for _, rec := range records {
		prices, err := a.Snapshots.Prices(rec.Name, rec.Type)
		if err != nil {
			return nil, err
		}
		costs := a.Snapshots.Costs(rec.Name, snap)
		if policy != "" {
			costs = slices.DeleteFunc(costs, func(c snapshot.Cost) bool { return c.Policy != policy })
		}
		for _, c := range costs {
			if found++; len(list) < size {
				list = append(list, costObject(c, prices, human))
			}
		}
		if byPolicy {
			for _, g := range snapshot.ByPolicy(costs) {
				policies = append(policies, &policyGroup{g, prices})
			}
		}
	}
	if snap != "" && found == 0 && policy == "" {
		return nil, apierr.SnapshotMissing(r.Param("repository"), snap)
	}
	o := xcontent.Obj("total", found, "operations", list)
	if byPolicy {
		slices.SortStableFunc(policies, func(a, b *policyGroup) int { return strings.Compare(a.Policy, b.Policy) })
		groups := []any{}
		for _, g := range policies {
			groups = append(groups, g.object(human))
		}
		o.Add("policies", groups)
	}
	return OK(o)
}

// policyGroup is what a policy cost in a repository, whose prices it has.
type policyGroup struct {
	*snapshot.PolicyCost
	prices *snapshot.Prices
}

func (g *policyGroup) object(human bool) *xcontent.Object {
	ops := &xcontent.Object{}
	for _, kind := range sortedKeys(g.Operations) {
		ops.Add(kind, g.Operations[kind])
	}
	o := xcontent.Obj("policy", g.Policy, "repository", g.Repository, "runs", g.Runs, "operations", ops)
	o.Add("first_start_time_in_millis", g.Started.UnixMilli()).Add("last_start_time_in_millis", g.Latest.UnixMilli())
	addSent(o, g.OperationCost, g.prices, human)
	return o
}

func costObject(c snapshot.Cost, prices *snapshot.Prices, human bool) *xcontent.Object {
	o := xcontent.Obj("operation", c.Operation, "repository", c.Repository)
	if len(c.Snapshots) > 0 {
		o.Add("snapshots", c.Snapshots)
	}
	if c.Policy != "" {
		o.Add("policy", c.Policy)
	}
	o.Add("uuid", c.UUID).Add("in_progress", c.Running)
	o.Add("start_time", c.Started.Format(time.RFC3339)).Add("start_time_in_millis", c.Started.UnixMilli())
	if !c.Running {
		o.Add("result", c.Result).Add("end_time", c.Ended.Format(time.RFC3339)).Add("end_time_in_millis", c.Ended.UnixMilli())
	}
	if c.Reason != "" {
		o.Add("reason", c.Reason)
	}
	addSent(o, c.OperationCost, prices, human)
	return o
}

// addSent adds what went over the wire, and what that comes to.
func addSent(o *xcontent.Object, c state.OperationCost, prices *snapshot.Prices, human bool) {
	if c.Incomplete {
		o.Add("incomplete", true)
	}
	o.Add("requests", requestsObject(c))
	addBytes(o, "received", c.BytesIn, human)
	addBytes(o, "sent", c.BytesOut, human)
	addEstimate(o, prices, c.Requests, c.BytesIn, c.BytesOut)
}

func requestsObject(c state.OperationCost) *xcontent.Object {
	kinds, total := kindsObject(c.Requests)
	classes := &xcontent.Object{}
	for _, class := range snapshot.Classes {
		n := int64(0)
		for kind, m := range c.Requests {
			if snapshot.ClassOf(kind) == class {
				n += m
			}
		}
		classes.Add(class, n)
	}
	return xcontent.Obj("total", total, "by_class", classes, "by_kind", kinds, "retries", c.Retries, "throttles", c.Throttles, "errors", c.Errors)
}

// kindsObject renders numbers of requests by kind, and returns their sum.
func kindsObject(requests map[string]int64) (kinds *xcontent.Object, total int64) {
	kinds = &xcontent.Object{}
	for _, kind := range sortedKeys(requests) {
		kinds.Add(kind, requests[kind])
		total += requests[kind]
	}
	return kinds, total
}

// addBytes adds a number of bytes and, for humans, a text of it.
func addBytes(o *xcontent.Object, name string, n int64, human bool) {
	if human {
		o.Add(name, settings.FormatBytes(n))
	}
	o.Add(name+"_in_bytes", n)
}

// addEstimate adds what requests and bytes come to, where there are prices.
func addEstimate(o *xcontent.Object, prices *snapshot.Prices, requests map[string]int64, bytesIn, bytesOut int64) {
	if prices == nil {
		return
	}
	e := prices.Estimate(requests, bytesIn, bytesOut)
	money := func(x float64) float64 { return math.Round(x*1e9) / 1e9 }
	est := &xcontent.Object{}
	if prices.Currency != "" {
		est.Add("currency", prices.Currency)
	}
	for _, class := range snapshot.Classes {
		est.Add(class, money(e.ByClass[class]))
	}
	o.Add("estimate", est.Add("egress", money(e.Egress)).Add("ingress", money(e.Ingress)).Add("total", money(e.Total)))
}
