package rest

import (
	"runtime"
	"slices"
	"time"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeClusterStats(rt *Router) {
	for _, p := range []string{"/_cluster/stats", "/_cluster/stats/nodes/{node_id}", "/_cluster/stats/{metric}/nodes/{node_id}", "/_cluster/stats/{metric}/{index_metric}/nodes/{node_id}"} {
		rt.Handle("GET", p, a.clusterStats)
	}
}

func (a *API) clusterStats(r *Request) (*Response, error) {
	r.Ignore("timeout", "flat_settings", "metric", "index_metric")
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	v := a.view()
	list := a.pickNodes(r.List("node_id"))
	here := slices.ContainsFunc(list, func(n *state.Node) bool { return n.ID == a.Store.NodeID() })
	ok := 0
	if here {
		ok = 1
	}
	out := xcontent.Obj("_nodes", shardsObject(len(list), ok, len(list)-ok), "cluster_name", a.clusterName(), "cluster_uuid", a.clusterUUID(),
		"timestamp", time.Now().UnixMilli(), "status", clusterHealth(v, v.Indices()).status)
	return OK(out.Add("indices", a.clusterIndices(v, human)).Add("nodes", a.clusterNodes(list)))
}

// clusterIndices sums up the indices with a shard that is started on this node.
func (a *API) clusterIndices(v *state.View, human bool) *xcontent.Object {
	all := &totals{}
	var perIndex []float64
	shards := 0
	for _, ix := range v.Indices() {
		n := 0
		for _, t := range shardTotals(a.Node.Index(ix.Name), false) {
			all.merge(t)
			n++
		}
		if n > 0 {
			perIndex = append(perIndex, float64(n))
			shards += n
		}
	}
	so := &xcontent.Object{}
	if shards > 0 {
		span := xcontent.Obj("min", int(slices.Min(perIndex)), "max", int(slices.Max(perIndex)), "avg", jsonFloat(float64(shards)/float64(len(perIndex))))
		zero := jsonFloat(0)
		so = xcontent.Obj("total", shards, "primaries", shards, "replication", zero,
			"index", xcontent.Obj("shards", span, "primaries", span, "replication", xcontent.Obj("min", zero, "max", zero, "avg", zero)))
	}
	o := xcontent.Obj("count", len(perIndex), "shards", so)
	for _, name := range []string{"docs", "store", "fielddata", "query_cache", "completion", "segments"} {
		o.Add(name, all.section(name, human).o)
	}
	return o.Add("mappings", xcontent.Obj("field_types", fieldTypes(v)))
}

// fieldTypes counts fields by type over all mappings.
func fieldTypes(v *state.View) []any {
	count, indices := map[string]int{}, map[string]int{}
	var walk func(o *xcontent.Object, seen map[string]bool)
	walk = func(o *xcontent.Object, seen map[string]bool) {
		for _, section := range []string{"properties", "fields"} {
			inner, _ := o.Get(section)
			props, ok := inner.(*xcontent.Object)
			if !ok {
				continue
			}
			for _, m := range props.Members {
				def, ok := m.Value.(*xcontent.Object)
				if !ok {
					continue
				}
				typ, _ := def.Get("type")
				name, _ := typ.(string)
				if name == "" {
					name = "object"
				}
				count[name]++
				if !seen[name] {
					seen[name] = true
					indices[name]++
				}
				walk(def, seen)
			}
		}
	}
	for _, ix := range v.Indices() {
		if len(ix.Mapping) == 0 {
			continue
		}
		if m, err := xcontent.Decode(ix.Mapping); err == nil {
			if o, ok := m.(*xcontent.Object); ok {
				walk(o, map[string]bool{})
			}
		}
	}
	out := []any{}
	for _, name := range sortedKeys(count) {
		out = append(out, xcontent.Obj("name", name, "count", count[name], "index_count", indices[name]))
	}
	return out
}

func (a *API) clusterNodes(list []*state.Node) *xcontent.Object {
	roles := map[string]int{}
	coordinating := 0
	for _, n := range list {
		for _, r := range n.Roles {
			roles[r]++
		}
		if len(n.Roles) == 0 {
			coordinating++
		}
	}
	m := readMachine()
	h := readHeap(m)
	total, free, available := cluster.DiskSpace(a.Settings.GetOr("path.data", "."))
	count := xcontent.Obj("total", len(list), "cluster_manager", roles["cluster_manager"], "coordinating_only", coordinating, "data", roles["data"], "ingest", roles["ingest"],
		"master", roles["cluster_manager"], "remote_cluster_client", roles["remote_cluster_client"], "search", roles["search"])
	cpus := runtime.NumCPU()
	os := xcontent.Obj("available_processors", cpus, "allocated_processors", runtime.GOMAXPROCS(0), "names", []any{xcontent.Obj("name", osName(), "count", 1)},
		"pretty_names", []any{xcontent.Obj("pretty_name", prettyOS(), "count", 1)}, "mem", m.memObject())
	process, _ := m.processStats(a.Started).Get("cpu")
	percent, _ := process.(*xcontent.Object).Get("percent")
	return xcontent.Obj("count", count, "versions", []string{speaksVersion}, "os", os,
		"process", xcontent.Obj("cpu", xcontent.Obj("percent", percent), "open_file_descriptors", xcontent.Obj("min", m.openFiles, "max", m.openFiles, "avg", m.openFiles)),
		"jvm", xcontent.Obj("max_uptime_in_millis", time.Since(a.Started).Milliseconds(), "versions", []any{xcontent.Obj("version", runtime.Version(), "vm_name", "Go runtime", "vm_version", runtime.Version(), "vm_vendor", "Go", "bundled_jdk", true, "using_bundled_jdk", true, "count", 1)},
			"mem", xcontent.Obj("heap_used_in_bytes", h.used, "heap_max_in_bytes", h.max), "threads", m.threads),
		"fs", xcontent.Obj("total_in_bytes", total, "free_in_bytes", free, "available_in_bytes", available, "cache_reserved_in_bytes", 0),
		"plugins", []any{}, "network_types", xcontent.Obj("transport_types", xcontent.Obj("varve", 1), "http_types", xcontent.Obj("varve", 1)),
		"discovery_types", xcontent.Obj("etcd", len(list)), "packaging_types", []any{xcontent.Obj("type", "tar", "count", len(list))},
		"ingest", xcontent.Obj("number_of_pipelines", len(a.view().Pipelines()), "processor_stats", xcontent.Obj()))
}
