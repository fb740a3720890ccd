package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

// healthStatus is green, yellow or red.
type healthStatus string

const (
	green  healthStatus = "green"
	yellow healthStatus = "yellow"
	red    healthStatus = "red"
)

// worse returns the worse of two.
func worse(a, b healthStatus) healthStatus {
	if a == red || b == red {
		return red
	}
	if a == yellow || b == yellow {
		return yellow
	}
	return green
}

// health counts the copies of shards by state.
type health struct {
	status                                                  healthStatus
	primaries, active, relocating, initializing, unassigned int
	primaryActive                                           bool // of one shard
	shards, replicas                                        int  // of one index
}

func (h *health) add(o *health) {
	h.status = worse(h.status, o.status)
	h.primaries += o.primaries
	h.active += o.active
	h.relocating += o.relocating
	h.initializing += o.initializing
	h.unassigned += o.unassigned
}

func (h *health) counts(o *xcontent.Object) *xcontent.Object {
	return o.Add("active_shards", h.active).Add("relocating_shards", h.relocating).Add("initializing_shards", h.initializing).Add("unassigned_shards", h.unassigned)
}

func (h *health) percent() float64 {
	all := h.active + h.initializing + h.unassigned
	if all == 0 {
		return 100
	}
	return 100 * float64(h.active) / float64(all)
}

func shardHealth(rt *state.ShardRouting) *health {
	h := &health{status: green}
	for i := range rt.Copies {
		c := &rt.Copies[i]
		switch c.State {
		case state.ShardStarted, state.ShardRelocating:
			h.active++
			if c.Primary {
				h.primaries++
				h.primaryActive = true
			}
			if c.State == state.ShardRelocating {
				h.relocating++
			}
		case state.ShardInitializing:
			h.initializing++
		default:
			h.unassigned++
		}
		if c.State != state.ShardStarted && c.State != state.ShardRelocating {
			if c.Primary {
				h.status = worse(h.status, inactivePrimary(c))
			} else {
				h.status = worse(h.status, yellow)
			}
		}
	}
	return h
}

// inactivePrimary is yellow as long as a primary without data to lose is about to be there, and red otherwise.
func inactivePrimary(c *state.ShardCopy) healthStatus {
	if c.Recovery != nil && c.Recovery.Type != state.RecoverExistingStore && c.Recovery.Type != state.RecoverRemoteStore &&
		c.Unassigned != nil && c.Unassigned.Failures == 0 && slices.Contains([]string{"INDEX_CREATED", "NEW_INDEX_RESTORED", "EXISTING_INDEX_RESTORED", "DANGLING_INDEX_IMPORTED"}, c.Unassigned.Reason) {
		return yellow
	}
	return red
}

func indexHealth(v *state.View, ix *state.Index) (*health, []*health) {
	h := &health{status: green, shards: ix.NumberOfShards, replicas: ix.NumberOfReplicas}
	var list []*health
	for _, rt := range v.Shards(ix.UUID) {
		s := shardHealth(rt)
		h.add(s)
		list = append(list, s)
	}
	return h, list
}

func clusterHealth(v *state.View, list []*state.Index) *health {
	h := &health{status: green}
	for _, ix := range list {
		one, _ := indexHealth(v, ix)
		h.add(one)
	}
	return h
}

// healthWait is what a request for health waits for.
type healthWait struct {
	status                     healthStatus
	noRelocating, noInitialize bool
	active                     int // -1: none; allCopies
	nodes                      func(int) bool
	options                    wildcard.Options
	index                      string
}

// look evaluates the conditions on a view.
func (w *healthWait) look(v *state.View) (h *health, list []*state.Index, ok bool) {
	list, err := concreteIn(v, w.options, w.index)
	h = clusterHealth(v, list)
	if err != nil {
		h.status = red
		return h, nil, false
	}
	rank := map[healthStatus]int{green: 0, yellow: 1, red: 2}
	total := h.active + h.initializing + h.unassigned
	ok = (w.status == "" || rank[h.status] <= rank[w.status]) &&
		(!w.noRelocating || h.relocating == 0) && (!w.noInitialize || h.initializing == 0) &&
		(w.active < 0 || h.active >= w.active || w.active == allCopies && h.active == total) &&
		(w.nodes == nil || w.nodes(len(v.Nodes())))
	return h, list, ok
}

func (a *API) routeHealth(rt *Router) {
	rt.Handle("GET", "/_cluster/health", a.clusterHealth)
	rt.Handle("GET", "/_cluster/health/{index}", a.clusterHealth)
}

func (a *API) clusterHealth(r *Request) (*Response, error) {
	r.Ignore("local", "ensure_node_weighed_in", "awareness_attribute")
	timeout, err := a.timeouts(r)
	if err != nil {
		return nil, err
	}
	w, err := readHealthWait(r)
	if err != nil {
		return nil, err
	}
	level := r.ParamOr("level", "cluster")
	if !slices.Contains([]string{"cluster", "indices", "shards", "awareness_attributes"}, level) {
		return nil, apierr.IllegalArgument("unknown level value [%s]", level)
	}
	ok, err := a.Node.WaitFor(r.Context(), timeout, func(v *state.View) bool {
		_, _, ok := w.look(v)
		return ok
	})
	if err != nil {
		return nil, err
	}
	v := a.view()
	h, list, _ := w.look(v)
	o := xcontent.Obj("cluster_name", a.clusterName(), "status", h.status, "timed_out", !ok, "number_of_nodes", len(v.Nodes()), "number_of_data_nodes", dataNodes(v),
		"discovered_master", v.Manager() != "", "discovered_cluster_manager", v.Manager() != "", "active_primary_shards", h.primaries)
	h.counts(o)
	o.Add("delayed_unassigned_shards", 0).Add("number_of_pending_tasks", 0).Add("number_of_in_flight_fetch", 0).Add("task_max_waiting_in_queue_millis", 0)
	o.Add("active_shards_percent_as_number", jsonFloat(h.percent()))
	if level == "indices" || level == "shards" {
		o.Add("indices", healthByIndex(v, list, level == "shards"))
	}
	status := http.StatusOK
	if !ok {
		status = http.StatusRequestTimeout
	}
	return &Response{Status: status, Body: o}, nil
}

func healthByIndex(v *state.View, list []*state.Index, withShards bool) *xcontent.Object {
	indices := &xcontent.Object{}
	for _, ix := range list {
		ih, shards := indexHealth(v, ix)
		e := ih.counts(xcontent.Obj("status", ih.status, "number_of_shards", ih.shards, "number_of_replicas", ih.replicas, "active_primary_shards", ih.primaries))
		if withShards {
			so := &xcontent.Object{}
			for i, s := range shards {
				so.Add(strconv.Itoa(i), s.counts(xcontent.Obj("status", s.status, "primary_active", s.primaryActive)))
			}
			e.Add("shards", so)
		}
		indices.Add(ix.Name, e)
	}
	return indices
}

// jsonFloat renders as Java does: always with a decimal point.
func jsonFloat(f float64) any {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return rawNumber(s)
}

// rawNumber is a number with the text that it stands as.
type rawNumber string

// MarshalJSON implements json.Marshaler.
func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

func dataNodes(v *state.View) int {
	n := 0
	for _, node := range v.Nodes() {
		if slices.Contains(node.Roles, "data") {
			n++
		}
	}
	return n
}

func (a *API) clusterName() string {
	if c := a.view().Cluster(); c != nil {
		return c.Name
	}
	return ""
}

func (a *API) clusterUUID() string {
	if c := a.view().Cluster(); c != nil {
		return c.UUID
	}
	return "_na_"
}

func readHealthWait(r *Request) (*healthWait, error) {
	w := &healthWait{active: -1, index: r.Param("index")}
	def := wildcard.LenientExpandHidden
	def.IgnoreUnavailable = false
	var err error
	if w.options, err = indicesOptions(r, def); err != nil {
		return nil, err
	}
	if !strings.Contains(w.index, ",") {
		w.options.AllowNoIndices = w.options.AllowNoIndices && (w.index == "" || strings.Contains(w.index, "*") || w.index == "_all")
	}
	switch s := healthStatus(strings.ToLower(r.Param("wait_for_status"))); s {
	case "", green, yellow, red:
		w.status = s
	default:
		return nil, apierr.IllegalArgument("unknown cluster health status [%s]", r.Param("wait_for_status"))
	}
	if w.noRelocating, err = r.Bool("wait_for_no_relocating_shards", false); err != nil {
		return nil, err
	}
	if w.noInitialize, err = r.Bool("wait_for_no_initializing_shards", false); err != nil {
		return nil, err
	}
	if r.Has("wait_for_relocating_shards") {
		return nil, apierr.IllegalArgument("wait_for_relocating_shards has been removed, use wait_for_no_relocating_shards [true/false] instead")
	}
	if r.Has("wait_for_active_shards") {
		if w.active, err = waitForActive(r, -1); err != nil {
			return nil, err
		}
	}
	if r.Has("wait_for_events") && !slices.Contains([]string{"immediate", "urgent", "high", "normal", "low", "languid"}, strings.ToLower(r.Param("wait_for_events"))) {
		return nil, apierr.IllegalArgument("No enum constant org.opensearch.common.Priority.%s", strings.ToUpper(r.Param("wait_for_events")))
	}
	w.nodes, err = parseNodesCondition(r.Param("wait_for_nodes"))
	return w, err
}

// parseNodesCondition reads wait_for_nodes: 3, >=3, ge(3) and the like.
func parseNodesCondition(s string) (func(int) bool, error) {
	if s == "" {
		return nil, nil
	}
	op, num := "=", s
	for _, f := range []struct{ prefix, op string }{{">=", ">="}, {"<=", "<="}, {">", ">"}, {"<", "<"}, {"ge(", ">="}, {"le(", "<="}, {"gt(", ">"}, {"lt(", "<"}} {
		if rest, ok := strings.CutPrefix(s, f.prefix); ok {
			op, num = f.op, strings.TrimSuffix(rest, ")")
			break
		}
	}
	n, err := strconv.Atoi(num)
	if err != nil {
		return nil, apierr.New(http.StatusBadRequest, "number_format_exception", "For input string: \"%s\"", num)
	}
	return func(have int) bool {
		switch op {
		case ">=":
			return have >= n
		case "<=":
			return have <= n
		case ">":
			return have > n
		case "<":
			return have < n
		}
		return have == n
	}, nil
}

// sinceMillis is a moment in milliseconds since 1970.
func sinceMillis(t time.Time) int64 { return t.UnixMilli() }
