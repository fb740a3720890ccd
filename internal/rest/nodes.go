package rest

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeNodes(rt *Router) {
	rt.Handle("GET", "/_nodes", a.nodesInfo)
	rt.Handle("GET", "/_nodes/{node_id}", a.nodesInfo)
	rt.Handle("GET", "/_nodes/{node_id}/{metric}", a.nodesInfo)
	rt.Handle("GET", "/_nodes/{node_id}/info/{metric}", a.nodesInfo)
	for _, p := range []string{"/_nodes/stats", "/_nodes/stats/{metric}", "/_nodes/stats/{metric}/{index_metric}",
		"/_nodes/{node_id}/stats", "/_nodes/{node_id}/stats/{metric}", "/_nodes/{node_id}/stats/{metric}/{index_metric}"} {
		rt.Handle("GET", p, a.nodesStats)
	}
	for _, p := range []string{"/_nodes/usage", "/_nodes/{node_id}/usage", "/_nodes/usage/{metric}", "/_nodes/{node_id}/usage/{metric}"} {
		rt.Handle("GET", p, a.nodesUsage)
	}
	for _, p := range []string{"/_nodes/hot_threads", "/_nodes/hotthreads", "/_cluster/nodes/hot_threads", "/_cluster/nodes/hotthreads",
		"/_nodes/{node_id}/hot_threads", "/_nodes/{node_id}/hotthreads", "/_cluster/nodes/{node_id}/hot_threads", "/_cluster/nodes/{node_id}/hotthreads"} {
		rt.Handle("GET", p, a.hotThreads)
	}
	rt.Handle("POST", "/_nodes/reload_secure_settings", a.reloadSecure)
	rt.Handle("POST", "/_nodes/{node_id}/reload_secure_settings", a.reloadSecure)
}

// pickNodes returns the members that a node filter chooses: ids, names, addresses, _local, _cluster_manager, role:true, attribute:value, with * in all.
func (a *API) pickNodes(filter []string) []*state.Node {
	v := a.view()
	all := v.Nodes()
	if len(filter) == 0 {
		return all
	}
	chosen := map[string]bool{}
	for _, f := range filter {
		for _, n := range all {
			switch f {
			case "_all":
				chosen[n.ID] = true
				continue
			case "_local":
				chosen[n.ID] = chosen[n.ID] || n.ID == a.Store.NodeID()
				continue
			case "_master", "_cluster_manager":
				chosen[n.ID] = chosen[n.ID] || n.ID == v.Manager()
				continue
			}
			if key, value, ok := strings.Cut(f, ":"); ok && !strings.Contains(value, ":") {
				if key == "master" {
					key = "cluster_manager"
				}
				switch {
				case value == "true" && slices.Contains(n.Roles, key):
					chosen[n.ID] = true
					continue
				case value == "false" && slices.Contains(n.Roles, key):
					delete(chosen, n.ID)
					continue
				}
				for name, v := range n.Attributes {
					if settings.Match(key, name) && settings.Match(value, v) {
						chosen[n.ID] = true
					}
				}
			}
			for _, s := range []string{n.ID, n.Name, n.Host, n.IP, n.TransportAddress} {
				if settings.Match(f, s) {
					chosen[n.ID] = true
				}
			}
		}
	}
	var out []*state.Node
	for _, n := range all {
		if chosen[n.ID] {
			out = append(out, n)
		}
	}
	return out
}

// matchesNode tells whether a filter chooses this node.
func (a *API) matchesNode(filter []string) bool {
	return slices.ContainsFunc(a.pickNodes(filter), func(n *state.Node) bool { return n.ID == a.Store.NodeID() })
}

// nodesAnswer is the frame of answers that come from several nodes. What only the node itself knows is given for this node;
// the others count as failed, for this server does not ask them yet.
func (a *API) nodesAnswer(list []*state.Node, render func(n *state.Node) *xcontent.Object) *xcontent.Object {
	nodes := &xcontent.Object{}
	ok := 0
	for _, n := range list {
		if n.ID == a.Store.NodeID() {
			nodes.Add(n.ID, render(n))
			ok++
		}
	}
	return xcontent.Obj("_nodes", shardsObject(len(list), ok, len(list)-ok), "cluster_name", a.clusterName(), "nodes", nodes)
}

var infoMetrics = []string{"settings", "os", "process", "jvm", "thread_pool", "transport", "http", "plugins", "ingest", "aggregations", "indices", "search_pipelines"}

func (a *API) nodesInfo(r *Request) (*Response, error) {
	r.Ignore("timeout")
	flat, err := r.Bool("flat_settings", false)
	if err != nil {
		return nil, err
	}
	filter, metrics := r.List("node_id"), r.List("metric")
	// One part alone may be a filter of nodes, or metrics of all nodes.
	if len(metrics) == 0 && len(filter) > 0 && !slices.ContainsFunc(filter, func(s string) bool { return !slices.Contains(infoMetrics, s) }) {
		metrics, filter = filter, nil
	}
	var w wanted
	if len(metrics) > 0 && !slices.Contains(metrics, "_all") {
		w = wanted{}
		for _, m := range metrics {
			w[m] = true
		}
	}
	return OK(a.nodesAnswer(a.pickNodes(filter), func(n *state.Node) *xcontent.Object { return a.nodeInfo(n, w, flat) }))
}

func (a *API) nodeInfo(n *state.Node, w wanted, flat bool) *xcontent.Object {
	m := readMachine()
	h := readHeap(m)
	o := xcontent.Obj("name", n.Name, "transport_address", n.TransportAddress, "host", n.Host, "ip", n.IP, "version", speaksVersion, "build_type", "tar", "build_hash", speaksBuildHash,
		"total_indexing_buffer", h.max/10, "roles", n.Roles, "attributes", n.Attributes, "varve_version", a.Version)
	if w.has("settings") {
		set := visible(a.Settings)
		set["cluster.name"], set["node.name"] = a.clusterName(), n.Name
		o.Add("settings", renderSettings(set, flat))
	}
	cpus := runtime.NumCPU()
	sections := map[string]any{
		"os": xcontent.Obj("refresh_interval_in_millis", 1000, "name", osName(), "pretty_name", prettyOS(), "arch", runtime.GOARCH, "version", strings.TrimSpace(procFile("sys/kernel/osrelease")),
			"available_processors", cpus, "allocated_processors", runtime.GOMAXPROCS(0)),
		"process": xcontent.Obj("refresh_interval_in_millis", 1000, "id", os.Getpid(), "mlockall", false),
		"jvm": xcontent.Obj("pid", os.Getpid(), "version", runtime.Version(), "vm_name", "Go runtime", "vm_version", runtime.Version(), "vm_vendor", "Go", "bundled_jdk", true, "using_bundled_jdk", true,
			"start_time_in_millis", sinceMillis(a.Started), "mem", xcontent.Obj("heap_init_in_bytes", 0, "heap_max_in_bytes", h.max, "non_heap_init_in_bytes", 0, "non_heap_max_in_bytes", 0, "direct_max_in_bytes", 0),
			"gc_collectors", []string{"go"}, "memory_pools", []string{}),
		"thread_pool":      threadPoolInfo(),
		"transport":        xcontent.Obj("bound_address", []string{n.TransportAddress}, "publish_address", n.TransportAddress, "profiles", xcontent.Obj()),
		"http":             xcontent.Obj("bound_address", []string{n.HTTPAddress}, "publish_address", n.HTTPAddress, "max_content_length_in_bytes", maxBody),
		"plugins":          []any{},
		"ingest":           ingestInfo(),
		"aggregations":     aggregationInfo(),
		"search_pipelines": xcontent.Obj("request_processors", []any{}, "response_processors", []any{}),
	}
	for _, name := range infoMetrics {
		if v, ok := sections[name]; ok && w.has(name) {
			o.Add(name, v)
			if name == "plugins" {
				o.Add("modules", []any{})
			}
		}
	}
	return o
}

// aggregationInfo names the aggregations that this server has.
func aggregationInfo() *xcontent.Object {
	numbers, any := []string{"boolean", "date", "numeric"}, []string{"boolean", "bytes", "date", "ip", "numeric"}
	types := map[string][]string{"avg": numbers, "cardinality": any, "date_histogram": {"boolean", "date", "numeric"}, "date_range": {"boolean", "date", "numeric"}, "extended_stats": numbers,
		"filter": {"other"}, "filters": {"other"}, "histogram": numbers, "max": numbers, "min": numbers, "missing": any, "range": numbers, "stats": numbers, "sum": numbers, "terms": any, "value_count": any}
	o := &xcontent.Object{}
	for _, name := range sortedKeys(types) {
		o.Add(name, xcontent.Obj("types", types[name]))
	}
	return o
}

var nodeMetrics = []string{"indices", "os", "process", "jvm", "thread_pool", "fs", "transport", "http", "breaker", "script", "discovery", "ingest", "adaptive_selection",
	"script_cache", "indexing_pressure", "shard_indexing_pressure", "search_backpressure", "cluster_manager_throttling", "weighted_routing", "file_cache", "task_cancellation",
	"search_pipeline", "resource_usage_stats", "segment_replication_backpressure", "repositories", "admission_control", "caches", "remote_store"}

func (a *API) nodesStats(r *Request) (*Response, error) {
	r.Ignore("timeout", "groups", "types", "fields", "fielddata_fields", "completion_fields", "include_all", "top")
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	fileSizes, err := r.Bool("include_segment_file_sizes", false)
	if err != nil {
		return nil, err
	}
	w, err := metricsOf(r, "metric", nodeMetrics, "metric")
	if err != nil {
		return nil, err
	}
	iw, err := metricsOf(r, "index_metric", knownSections, "index metric")
	if err != nil {
		return nil, err
	}
	if iw != nil && !w.has("indices") {
		return nil, apierr.IllegalArgument("request [%s] contains index metrics [%s] but indices stats not requested", r.HTTP.URL.Path, r.Param("index_metric"))
	}
	level := r.ParamOr("level", "node")
	if level != "node" && level != "indices" && level != "shards" {
		return nil, apierr.IllegalArgument("level parameter must be one of [indices] or [node] or [shards] but was [%s]", level)
	}
	return OK(a.nodesAnswer(a.pickNodes(r.List("node_id")), func(n *state.Node) *xcontent.Object {
		o := xcontent.Obj("timestamp", time.Now().UnixMilli())
		o.Members = append(o.Members, nodeHead(n).Members...)
		if w.has("indices") {
			o.Add("indices", a.nodeIndices(iw, level, human, fileSizes))
		}
		a.nodeStatSections(o, w)
		return o
	}))
}

// nodeIndices is the statistics of all shards of this node.
func (a *API) nodeIndices(w wanted, level string, human, fileSizes bool) *xcontent.Object {
	all := &totals{}
	perIndex := &xcontent.Object{}
	for _, ix := range a.view().Indices() {
		t := &totals{}
		byShard := shardTotals(a.Node.Index(ix.Name), fileSizes)
		shards := []any{}
		for id := range ix.NumberOfShards {
			if s := byShard[id]; s != nil {
				t.merge(s)
				o := &xcontent.Object{}
				s.sections(o, w, human)
				shards = append(shards, xcontent.Obj(itoa(int64(id)), o))
			}
		}
		all.merge(t)
		switch level {
		case "indices":
			o := &xcontent.Object{}
			t.sections(o, w, human)
			perIndex.Add(ix.Name, o)
		case "shards":
			perIndex.Add(ix.Name, shards)
		}
	}
	o := &xcontent.Object{}
	all.sections(o, w, human)
	if level != "node" {
		o.Add(level, perIndex)
	}
	return o
}

func (a *API) nodeStatSections(o *xcontent.Object, w wanted) {
	m := readMachine()
	data := a.Settings.GetOr("path.data", ".")
	total, free, available := cluster.DiskSpace(data)
	disk := func() *xcontent.Object {
		return xcontent.Obj("total_in_bytes", total, "free_in_bytes", free, "available_in_bytes", available, "cache_reserved_in_bytes", 0)
	}
	one := xcontent.Obj("path", data, "mount", data, "type", "unknown")
	one.Members = append(one.Members, disk().Members...)
	cs := a.view()
	sections := []xcontent.Member{
		{Key: "os", Value: m.osStats()}, {Key: "process", Value: m.processStats(a.Started)}, {Key: "jvm", Value: m.jvmStats(a.Started)}, {Key: "thread_pool", Value: threadPoolStats()},
		{Key: "fs", Value: xcontent.Obj("timestamp", time.Now().UnixMilli(), "total", disk(), "data", []any{one})},
		{Key: "transport", Value: xcontent.Obj("server_open", 0, "total_outbound_connections", 0, "rx_count", 0, "rx_size_in_bytes", 0, "tx_count", 0, "tx_size_in_bytes", 0)},
		{Key: "http", Value: xcontent.Obj("current_open", 0, "total_opened", 0)},
		{Key: "breaker", Value: xcontent.Obj()},
		{Key: "script", Value: xcontent.Obj("compilations", 0, "cache_evictions", 0, "compilation_limit_triggered", 0)},
		{Key: "discovery", Value: xcontent.Obj("cluster_state_queue", xcontent.Obj("total", 0, "pending", 0, "committed", 0),
			"published_cluster_states", xcontent.Obj("full_states", 0, "incompatible_diffs", 0, "compatible_diffs", cs.Version))},
		{Key: "ingest", Value: a.ingestStats()},
		{Key: "indexing_pressure", Value: indexingPressure()},
		{Key: "task_cancellation", Value: xcontent.Obj("search_shard_task", xcontent.Obj("current_count_post_cancel", 0, "total_count_post_cancel", 0))},
	}
	for _, s := range sections {
		if w.has(s.Key) {
			key := s.Key
			if key == "breaker" {
				key = "breakers"
			}
			o.Add(key, s.Value)
		}
	}
}

// indexingPressure has a limit of 0: writes are not limited by the bytes under way yet.
func indexingPressure() *xcontent.Object {
	zero := func(names ...string) *xcontent.Object {
		o := &xcontent.Object{}
		for _, n := range names {
			o.Add(n, 0)
		}
		return o
	}
	sizes := []string{"combined_coordinating_and_primary_in_bytes", "coordinating_in_bytes", "primary_in_bytes", "replica_in_bytes", "all_in_bytes"}
	total := zero(append(slices.Clone(sizes), "coordinating_rejections", "primary_rejections", "replica_rejections")...)
	return xcontent.Obj("memory", xcontent.Obj("current", zero(sizes...), "total", total, "limit_in_bytes", 0))
}

// nodesUsage answers with no counts: requests are not counted by API.
func (a *API) nodesUsage(r *Request) (*Response, error) {
	r.Ignore("timeout")
	w, err := metricsOf(r, "metric", []string{"rest_actions", "aggregations"}, "metric")
	if err != nil {
		return nil, err
	}
	return OK(a.nodesAnswer(a.pickNodes(r.List("node_id")), func(*state.Node) *xcontent.Object {
		o := xcontent.Obj("timestamp", time.Now().UnixMilli(), "since", sinceMillis(a.Started))
		for _, m := range []string{"rest_actions", "aggregations"} {
			if w.has(m) {
				o.Add(m, xcontent.Obj())
			}
		}
		return o
	}))
}

// hotThreads shows the stacks of the goroutines, which are this server's threads.
func (a *API) hotThreads(r *Request) (*Response, error) {
	r.Ignore("timeout", "type", "interval", "snapshots", "ignore_idle_threads", "doc_type", "threads")
	var b strings.Builder
	for _, n := range a.pickNodes(r.List("node_id")) {
		if n.ID != a.Store.NodeID() {
			continue
		}
		b.WriteString("::: {" + n.Name + "}{" + n.ID + "}{" + n.TransportAddress + "}\n")
		b.WriteString("   goroutines at " + time.Now().UTC().Format(time.RFC3339) + ":\n\n")
		buf := make([]byte, 1<<20)
		b.Write(buf[:runtime.Stack(buf, true)])
	}
	return &Response{Status: 200, Text: b.String()}, nil
}
