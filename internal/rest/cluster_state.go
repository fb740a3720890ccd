package rest

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeClusterState(rt *Router) {
	rt.Handle("GET", "/_cluster/state", a.clusterState)
	rt.Handle("GET", "/_cluster/state/{metric}", a.clusterState)
	rt.Handle("GET", "/_cluster/state/{metric}/{indices}", a.clusterState)
	rt.Handle("GET", "/_cluster/pending_tasks", a.pendingTasks)
	rt.Handle("POST", "/_cluster/reroute", a.reroute)
	rt.Handle("GET|POST", "/_cluster/allocation/explain", a.allocationExplain)
	rt.Handle("POST|DELETE", "/_cluster/voting_config_exclusions", notBuilt("voting configuration exclusions (the cluster state is etcd's)"))
	rt.Handle("GET", "/_remote/info", func(*Request) (*Response, error) { return OK(xcontent.Obj()) })
}

var stateMetrics = []string{"version", "master_node", "cluster_manager_node", "blocks", "nodes", "metadata", "routing_table", "routing_nodes", "customs"}

func (a *API) clusterState(r *Request) (*Response, error) {
	r.Ignore("local", "flat_settings")
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	version, err := r.Int64("wait_for_metadata_version", 0)
	if err != nil {
		return nil, err
	}
	wait, err := r.Time("wait_for_timeout", time.Minute)
	if err != nil {
		return nil, err
	}
	var w wanted
	if list := r.List("metric"); len(list) > 0 && !slices.Contains(list, "_all") {
		w = wanted{}
		for _, m := range list {
			w[m] = slices.Contains(stateMetrics, m)
		}
	}
	o, err := indicesOptions(r, wildcard.LenientExpandOpenClosed)
	if err != nil {
		return nil, err
	}
	flat, err := r.Bool("flat_settings", false)
	if err != nil {
		return nil, err
	}
	if version > 0 {
		ok, err := a.Node.WaitFor(r.Context(), wait, func(v *state.View) bool { return v.Version >= version })
		if err != nil {
			return nil, err
		}
		if !ok {
			return OK(xcontent.Obj("cluster_name", a.clusterName(), "wait_for_timed_out", true))
		}
	}
	v := a.view()
	if !r.Has("expand_wildcards") {
		o.ExpandHidden = true
	}
	list, err := concreteIn(v, o, r.Param("indices"))
	if err != nil {
		return nil, err
	}
	out := xcontent.Obj("cluster_name", a.clusterName(), "cluster_uuid", a.clusterUUID())
	a.stateSections(out, v, list, w, flat, r.Has("indices"))
	return OK(out)
}

// stateSections renders what was asked for; some means that it is about some indices only.
func (a *API) stateSections(out *xcontent.Object, v *state.View, list []*state.Index, w wanted, flat, some bool) {
	if w.has("version") {
		out.Add("version", v.Version).Add("state_uuid", a.clusterUUID()+"-"+strconv.FormatInt(v.Revision, 36))
	}
	for _, m := range []string{"master_node", "cluster_manager_node"} {
		if w.has(m) {
			out.Add(m, v.Manager())
		}
	}
	if w.has("blocks") {
		out.Add("blocks", blocksObject(list))
	}
	if w.has("nodes") {
		nodes := &xcontent.Object{}
		for _, n := range v.Nodes() {
			nodes.Add(n.ID, nodeReference(n))
		}
		out.Add("nodes", nodes)
	}
	if w.has("metadata") {
		out.Add("metadata", a.metadataObject(v, list, flat, !some))
	}
	if w.has("routing_table") {
		indices := &xcontent.Object{}
		for _, ix := range list {
			shards := &xcontent.Object{}
			for _, rt := range v.Shards(ix.UUID) {
				copies := []any{}
				for i := range rt.Copies {
					copies = append(copies, copyObject(rt, &rt.Copies[i]))
				}
				shards.Add(strconv.Itoa(rt.Shard), copies)
			}
			indices.Add(ix.Name, xcontent.Obj("shards", shards))
		}
		out.Add("routing_table", xcontent.Obj("indices", indices))
	}
	if w.has("routing_nodes") {
		unassigned := []any{}
		byNode := map[string][]any{}
		for _, n := range v.Nodes() {
			byNode[n.ID] = []any{}
		}
		for _, ix := range list {
			for _, rt := range v.Shards(ix.UUID) {
				for i := range rt.Copies {
					c := &rt.Copies[i]
					if c.State == state.ShardUnassigned || c.Node == "" {
						unassigned = append(unassigned, copyObject(rt, c))
					} else {
						byNode[c.Node] = append(byNode[c.Node], copyObject(rt, c))
					}
				}
			}
		}
		out.Add("routing_nodes", xcontent.Obj("unassigned", unassigned, "nodes", byNode))
	}
	if w.has("customs") {
		customsObject(out, v)
	}
}

func customsObject(out *xcontent.Object, v *state.View) {
	if jobs := v.SnapshotJobs(); len(jobs) > 0 {
		running := []any{}
		for _, j := range jobs {
			running = append(running, xcontent.Obj("repository", j.Repository, "snapshot", j.Name, "uuid", j.UUID, "include_global_state", j.IncludeGlobalState,
				"partial", j.Partial, "state", j.State, "start_time_millis", sinceMillis(j.Started), "repository_state_id", j.RepositoryGeneration))
		}
		out.Add("snapshots", xcontent.Obj("snapshots", running))
	}
	if restores := v.Restores(); len(restores) > 0 {
		running := []any{}
		for _, rs := range restores {
			running = append(running, xcontent.Obj("snapshot", rs.Snapshot, "repository", rs.Repository, "state", rs.State, "indices", rs.Indices))
		}
		out.Add("restore", xcontent.Obj("snapshots", running))
	}
}

func blocksObject(list []*state.Index) *xcontent.Object {
	indices := &xcontent.Object{}
	for _, ix := range list {
		o := &xcontent.Object{}
		if ix.State == state.IndexClosed {
			o.Add("4", xcontent.Obj("description", "index closed", "retryable", false, "levels", []string{"read", "write"}))
		}
		for _, b := range cluster.Blocks(ix) {
			o.Add(strconv.Itoa(b.ID), xcontent.Obj("description", b.Text, "retryable", false, "levels", b.Levels))
		}
		if o.Len() > 0 {
			indices.Add(ix.Name, o)
		}
	}
	if indices.Len() == 0 {
		return indices
	}
	return xcontent.Obj("indices", indices)
}

func copyObject(rt *state.ShardRouting, c *state.ShardCopy) *xcontent.Object {
	o := xcontent.Obj("state", string(c.State), "primary", c.Primary, "node", nil, "relocating_node", nil, "shard", rt.Shard, "index", rt.Index)
	if c.Node != "" {
		o.Set("node", c.Node)
	}
	if c.RelocatingNode != "" {
		o.Set("relocating_node", c.RelocatingNode)
	}
	if c.Recovery != nil && c.State != state.ShardStarted {
		rec := xcontent.Obj("type", string(c.Recovery.Type))
		if c.Recovery.Type == state.RecoverSnapshot {
			rec.Add("repository", c.Recovery.Repository).Add("snapshot", c.Recovery.Snapshot).Add("version", versionString(strconv.Itoa(c.Recovery.Version))).
				Add("index", c.Recovery.Index).Add("restoreUUID", c.Recovery.RestoreUUID)
		}
		o.Add("recovery_source", rec)
	}
	if c.AllocationID != "" && c.State != state.ShardUnassigned {
		o.Add("allocation_id", xcontent.Obj("id", c.AllocationID))
	}
	if u := c.Unassigned; u != nil && c.State != state.ShardStarted {
		o.Add("unassigned_info", unassignedObject(u, "allocation_status"))
	}
	return o
}

func unassignedObject(u *state.Unassigned, statusKey string) *xcontent.Object {
	o := xcontent.Obj("reason", u.Reason, "at", u.At.UTC().Format("2006-01-02T15:04:05.000Z"))
	if u.Failures > 0 {
		o.Add("failed_attempts", u.Failures)
	}
	if statusKey == "allocation_status" {
		o.Add("delayed", false)
	}
	if u.Details != "" {
		o.Add("details", u.Details)
	}
	status := u.AllocationStatus
	if status == "" {
		status = "no_attempt"
	}
	return o.Add(statusKey, status)
}

// metadataObject renders the metadata with the indices of a list; data streams only where all is asked for.
func (a *API) metadataObject(v *state.View, list []*state.Index, flat, all bool) *xcontent.Object {
	o := xcontent.Obj("cluster_uuid", a.clusterUUID(), "cluster_uuid_committed", true)
	members := []string{}
	for _, n := range v.Nodes() {
		members = append(members, n.ID)
	}
	o.Add("cluster_coordination", xcontent.Obj("term", 1, "last_committed_config", members, "last_accepted_config", members, "voting_config_exclusions", []any{}))
	templates := &xcontent.Object{}
	for _, t := range v.LegacyTemplates() {
		templates.Add(t.Name, t.Body)
	}
	o.Add("templates", templates)
	indices := &xcontent.Object{}
	for _, ix := range list {
		indices.Add(ix.Name, indexMetadataObject(ix, flat))
	}
	o.Add("indices", indices)
	named := func(key string, names []string, bodies []json.RawMessage) {
		if len(names) == 0 {
			return
		}
		inner := &xcontent.Object{}
		for i, n := range names {
			inner.Add(n, bodies[i])
		}
		o.Add(key, xcontent.Obj(key, inner))
	}
	var ns []string
	var bs []json.RawMessage
	for _, t := range v.IndexTemplates() {
		ns, bs = append(ns, t.Name), append(bs, t.Body)
	}
	named("index_template", ns, bs)
	ns, bs = nil, nil
	for _, t := range v.ComponentTemplates() {
		ns, bs = append(ns, t.Name), append(bs, t.Body)
	}
	named("component_template", ns, bs)
	if streams := v.DataStreams(); len(streams) > 0 && all {
		list := &xcontent.Object{}
		for _, s := range streams {
			list.Add(s.Name, dataStreamObject(s))
		}
		o.Add("data_stream", xcontent.Obj("data_stream", list))
	}
	if repos := v.Repositories(); len(repos) > 0 {
		list := &xcontent.Object{}
		for _, rec := range repos {
			ro := repositoryObject(rec)
			list.Add(rec.Name, ro.Set("generation", rec.Generation).Set("pending_generation", rec.PendingGeneration))
		}
		o.Add("repositories", list)
	}
	return o.Add("index-graveyard", xcontent.Obj("tombstones", []any{}))
}

func indexMetadataObject(ix *state.Index, flat bool) *xcontent.Object {
	mappings := &xcontent.Object{}
	if len(ix.Mapping) > 0 {
		mappings.Add("_doc", ix.Mapping)
	}
	terms, inSync := &xcontent.Object{}, &xcontent.Object{}
	for i, t := range ix.PrimaryTerms {
		terms.Add(strconv.Itoa(i), t)
	}
	for i := range ix.NumberOfShards {
		ids := []string{}
		if i < len(ix.InSync) && ix.InSync[i] != nil {
			ids = ix.InSync[i]
		}
		inSync.Add(strconv.Itoa(i), ids)
	}
	return xcontent.Obj("version", ix.Version, "mapping_version", ix.MappingVersion, "settings_version", ix.SettingsVersion, "aliases_version", ix.AliasesVersion,
		"routing_num_shards", ix.RoutingNumShards, "state", string(ix.State), "settings", renderSettings(shownSettings(ix.Settings, false), flat), "mappings", mappings,
		"aliases", sortedKeysOrEmpty(ix.Aliases), "primary_terms", terms, "in_sync_allocations", inSync, "rollover_info", rolloverInfo(ix), "system", ix.System)
}

func rolloverInfo(ix *state.Index) any {
	if len(ix.RolloverInfo) == 0 {
		return xcontent.Obj()
	}
	return ix.RolloverInfo
}

func sortedKeysOrEmpty[V any](m map[string]V) []string {
	if len(m) == 0 {
		return []string{}
	}
	return sortedKeys(m)
}

// pendingTasks answers that no update of the state waits: each is committed before its request is answered.
func (a *API) pendingTasks(r *Request) (*Response, error) {
	r.Ignore("local")
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	return OK(xcontent.Obj("tasks", []any{}))
}

// reroute with no commands tries copies again that failed to be allocated too often.
func (a *API) reroute(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	dry, err := r.Bool("dry_run", false)
	if err != nil {
		return nil, err
	}
	explain, err := r.Bool("explain", false)
	if err != nil {
		return nil, err
	}
	retry, err := r.Bool("retry_failed", false)
	if err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	if body != nil {
		if c, _ := body.Get("commands"); c != nil {
			if list, ok := c.([]any); !ok || len(list) > 0 {
				return nil, apierr.NotImplemented("commands of cluster reroute are not supported by this server")
			}
		}
	}
	if retry && !dry {
		if err := a.retryFailed(r); err != nil {
			return nil, err
		}
	}
	w := wanted{"version": true, "master_node": true, "cluster_manager_node": true, "blocks": true, "nodes": true, "routing_table": true, "routing_nodes": true, "customs": true}
	if list := r.List("metric"); len(list) > 0 {
		w = wanted{}
		for _, m := range list {
			w[m] = true
		}
		if w["_all"] {
			w = nil
		}
	}
	v := a.view()
	st := xcontent.Obj("cluster_uuid", a.clusterUUID())
	a.stateSections(st, v, v.Indices(), w, false, true)
	out := xcontent.Obj("acknowledged", true, "state", st)
	if explain {
		out.Add("explanations", []any{})
	}
	return OK(out)
}

func (a *API) retryFailed(r *Request) error {
	return a.Store.Update(r.Context(), func(tx *state.Tx) error {
		for _, rt := range tx.AllShards() {
			for i, c := range rt.Copies {
				if c.State == state.ShardUnassigned && c.Unassigned != nil && c.Unassigned.Failures > 0 {
					rt = rt.Clone()
					rt.Copies[i].Unassigned.Failures = 0
					tx.Put(rt)
				}
			}
		}
		return nil
	})
}

// allocationExplain tells why a copy is where it is, or nowhere.
func (a *API) allocationExplain(r *Request) (*Response, error) {
	r.Ignore("include_yes_decisions")
	disk, err := r.Bool("include_disk_info", false)
	if err != nil {
		return nil, err
	}
	body, err := r.BodyObject()
	if err != nil {
		return nil, err
	}
	v := a.view()
	rt, c, err := pickCopy(v, body)
	if err != nil {
		return nil, err
	}
	o := xcontent.Obj("index", rt.Index, "shard", rt.Shard, "primary", c.Primary)
	if c.State == state.ShardUnassigned {
		o.Add("current_state", "unassigned")
		if c.Unassigned != nil {
			o.Add("unassigned_info", unassignedObject(c.Unassigned, "last_allocation_status"))
		}
		if disk {
			o.Add("cluster_info", xcontent.Obj("nodes", xcontent.Obj(), "shard_sizes", xcontent.Obj(), "shard_paths", xcontent.Obj(), "reserved_sizes", []any{}))
		}
		why := "cannot allocate because allocation is not permitted to any of the nodes"
		if !c.Primary {
			why = "this server does not keep replicas in step yet, so it does not allocate them"
		}
		return OK(o.Add("can_allocate", "no").Add("allocate_explanation", why).Add("node_allocation_decisions", []any{}))
	}
	o.Add("current_state", map[state.ShardState]string{state.ShardStarted: "started", state.ShardInitializing: "initializing", state.ShardRelocating: "relocating"}[c.State])
	if n := v.Node(c.Node); n != nil {
		o.Add("current_node", xcontent.Obj("id", n.ID, "name", n.Name, "transport_address", n.TransportAddress, "attributes", n.Attributes, "weight_ranking", 1))
	}
	o.Add("can_remain_on_current_node", "yes").Add("can_rebalance_cluster", "no").Add("can_rebalance_to_other_node", "no").
		Add("rebalance_explanation", "rebalancing is not allowed: this server leaves copies where they are")
	return OK(o)
}

func pickCopy(v *state.View, body map[string]any) (*state.ShardRouting, *state.ShardCopy, error) {
	name, given := body["index"].(string)
	if !given {
		for _, replicasToo := range []bool{false, true} {
			for _, rt := range v.AllShards() {
				for i := range rt.Copies {
					if rt.Copies[i].State == state.ShardUnassigned && (replicasToo || rt.Copies[i].Primary) {
						return rt, &rt.Copies[i], nil
					}
				}
			}
		}
		return nil, nil, apierr.IllegalArgument("unable to find any unassigned shards to explain [ClusterAllocationExplainRequest[useAnyUnassignedShard=true,includeYesDecisions?=false]")
	}
	primary, hasPrimary := body["primary"].(bool)
	number, hasShard := body["shard"].(json.Number)
	if !hasPrimary || !hasShard {
		return nil, nil, apierr.Validation("shard and primary must be specified with the index")
	}
	ix := v.Index(name)
	if ix == nil {
		return nil, nil, apierr.IndexNotFound(name)
	}
	id, err := strconv.Atoi(number.String())
	if err != nil || v.Shard(ix.UUID, id) == nil {
		return nil, nil, apierr.New(404, "shard_not_found_exception", "no such shard").With("index", name).With("shard", number.String()).With("index_uuid", ix.UUID)
	}
	rt := v.Shard(ix.UUID, id)
	for i := range rt.Copies {
		if rt.Copies[i].Primary == primary {
			return rt, &rt.Copies[i], nil
		}
	}
	return nil, nil, apierr.IllegalArgument("unable to find a replica shard to explain")
}
