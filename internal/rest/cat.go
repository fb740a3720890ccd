package rest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
)

func (a *API) routeCat(rt *Router) {
	tables := []struct {
		name  string
		param string
		table func(*Request) (*Table, error)
	}{
		{"aliases", "alias", a.catAliases}, {"allocation", "nodes", a.catAllocation}, {"cluster_manager", "", a.catManager}, {"count", "index", a.catCount},
		{"health", "", a.catHealth}, {"indices", "index", a.catIndices}, {"master", "", a.catManager}, {"nodeattrs", "", a.catNodeAttrs}, {"nodes", "", a.catNodes},
		{"pending_tasks", "", a.catPendingTasks}, {"plugins", "", a.catPlugins}, {"recovery", "index", a.recoveryTable}, {"repositories", "", a.catRepositories},
		{"segments", "index", a.catSegments}, {"shards", "index", a.catShards}, {"snapshots", "repository", a.catSnapshots}, {"tasks", "", a.catTasks}, {"templates", "name", a.catTemplates},
		{"thread_pool", "thread_pool_patterns", a.catThreadPool},
	}
	var paths []string
	for _, t := range tables {
		h := func(r *Request) (*Response, error) {
			if err := a.waitTimes(r); err != nil {
				return nil, err
			}
			r.Ignore("help", "v", "h", "s", "bytes", "time", "ts", "size", "local")
			table, err := t.table(r)
			if err != nil {
				return nil, err
			}
			return RenderTable(r, table)
		}
		rt.Handle("GET", "/_cat/"+t.name, h)
		if t.name != "master" && t.name != "snapshots" {
			paths = append(paths, "/_cat/"+t.name)
		}
		if t.param != "" {
			rt.Handle("GET", "/_cat/"+t.name+"/{"+t.param+"}", h)
			paths = append(paths, "/_cat/"+t.name+"/{"+t.param+"}")
		}
	}
	rt.Handle("GET", "/_cat/fielddata", notBuilt("_cat/fielddata"))
	rt.Handle("GET", "/_cat", func(*Request) (*Response, error) {
		return &Response{Status: 200, Text: "=^.^=\n" + strings.Join(paths, "\n") + "\n"}, nil
	})
}

func (a *API) catAliases(r *Request) (*Table, error) {
	o, err := indicesOptions(r, strictExpandHidden)
	if err != nil {
		return nil, err
	}
	patterns := r.List("alias")
	list, err := a.concrete(o, "")
	if err != nil {
		return nil, err
	}
	t := catTable("aliases")
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for _, ix := range list {
		for _, name := range matchAliases(sortedKeys(ix.Aliases), patterns) {
			al := ix.Aliases[name]
			row := map[string]any{"alias": name, "index": ix.Name, "filter": "-", "routing.index": dash(al.IndexRouting), "routing.search": dash(al.SearchRouting), "is_write_index": "-"}
			if len(al.Filter) > 0 {
				row["filter"] = "*"
			}
			if al.IsWriteIndex != nil {
				row["is_write_index"] = strconv.FormatBool(*al.IsWriteIndex)
			}
			t.put(row)
		}
	}
	return t, nil
}

func (a *API) catAllocation(r *Request) (*Table, error) {
	t := catTable("allocation")
	v := a.view()
	shards := map[string]int{}
	unassigned := 0
	for _, rt := range v.AllShards() {
		for _, c := range rt.Copies {
			if c.State == state.ShardUnassigned {
				unassigned++
			} else {
				shards[c.Node]++
			}
		}
	}
	filter := r.List("nodes")
	for _, n := range a.pickNodes(filter) {
		if !slices.Contains(n.Roles, "data") {
			continue
		}
		row := map[string]any{"shards": shards[n.ID], "host": n.Host, "ip": n.IP, "node": n.Name}
		if n.ID == a.Store.NodeID() {
			all := &totals{}
			for _, ix := range v.Indices() {
				for _, s := range shardTotals(a.Node.Index(ix.Name), false) {
					all.merge(s)
				}
			}
			total, _, available := cluster.DiskSpace(a.Settings.GetOr("path.data", "."))
			row["disk.indices"], row["disk.used"], row["disk.avail"], row["disk.total"] = ByteSize(all.bytes), ByteSize(total-available), ByteSize(available), ByteSize(total)
			row["disk.percent"] = percentage(total-available, total)
		}
		t.put(row)
	}
	if unassigned > 0 && len(filter) == 0 {
		t.put(map[string]any{"shards": unassigned, "node": "UNASSIGNED"})
	}
	return t, nil
}

func (a *API) catManager(*Request) (*Table, error) {
	t := catTable("master")
	v := a.view()
	if n := v.Node(v.Manager()); n != nil {
		t.put(map[string]any{"id": n.ID, "host": n.Host, "ip": n.IP, "node": n.Name})
	} else {
		t.put(map[string]any{"id": "-", "host": "-", "ip": "-", "node": "-"})
	}
	return t, nil
}

func (a *API) catCount(r *Request) (*Table, error) {
	t := catTable("count")
	if err := withClock(r, t); err != nil {
		return nil, err
	}
	list, err := a.concrete(wildcard.StrictExpandOpenForbidClosed, r.Param("index"))
	if err != nil {
		return nil, err
	}
	docs := int64(0)
	for _, ix := range list {
		n, err := a.rootDocs(r, ix)
		if err != nil {
			return nil, err
		}
		docs += n
	}
	t.put(clock(map[string]any{"count": docs}))
	return t, nil
}

func (a *API) catHealth(r *Request) (*Table, error) {
	t := catTable("health")
	if err := withClock(r, t); err != nil {
		return nil, err
	}
	v := a.view()
	h := clusterHealth(v, v.Indices())
	t.put(clock(map[string]any{"cluster": a.clusterName(), "status": string(h.status), "node.total": len(v.Nodes()), "node.data": dataNodes(v),
		"discovered_cluster_manager": strconv.FormatBool(v.Manager() != ""), "shards": h.active, "pri": h.primaries, "relo": h.relocating, "init": h.initializing,
		"unassign": h.unassigned, "pending_tasks": 0, "max_task_wait_time": "-", "active_shards_percent": Percent(h.percent())}))
	return t, nil
}

func (a *API) catIndices(r *Request) (*Table, error) {
	r.Ignore("include_unloaded_segments", "pri")
	pri, err := r.Bool("pri", false)
	if err != nil {
		return nil, err
	}
	want := lower(r.Param("health"))
	if want != "" && want != "green" && want != "yellow" && want != "red" {
		return nil, apierr.IllegalArgument("unknown cluster health status [%s]", r.Param("health"))
	}
	list, err := a.indices(r, wildcard.Options{AllowNoIndices: true, ExpandOpen: true, ExpandClosed: true, ExpandHidden: true})
	if err != nil {
		return nil, err
	}
	t := catTable("indices")
	if pri {
		for i, c := range t.Columns {
			if strings.HasPrefix(c.Name, "pri.") {
				t.Columns[i].Hidden = true
			}
		}
	}
	v := a.view()
	for _, ix := range list {
		h, _ := indexHealth(v, ix)
		if want != "" && string(h.status) != want {
			continue
		}
		created := isoMillis(ix.CreationDate)
		row := map[string]any{"health": string(h.status), "status": string(ix.State), "index": ix.Name, "uuid": ix.UUID, "pri": ix.NumberOfShards, "rep": ix.NumberOfReplicas,
			"creation.date": ix.CreationDate, "creation.date.string": created, "search.throttled": "false"}
		if by := shardTotals(a.Node.Index(ix.Name), false); len(by) > 0 && ix.State == state.IndexOpen {
			all := &totals{}
			for _, s := range by {
				all.merge(s)
			}
			row["docs.count"], row["docs.deleted"] = all.docs, all.deleted
			row["store.size"], row["pri.store.size"] = ByteSize(all.bytes), ByteSize(all.bytes)
			all.statCells(row, "")
			all.statCells(row, "pri.")
		}
		t.put(row)
	}
	return t, nil
}

func (a *API) catNodeAttrs(*Request) (*Table, error) {
	t := catTable("nodeattrs")
	for _, n := range a.view().Nodes() {
		for _, k := range sortedKeys(n.Attributes) {
			row := map[string]any{"node": n.Name, "id": shortID(n.ID, false), "host": n.Host, "ip": n.IP, "port": portOf(n.TransportAddress), "attr": k, "value": n.Attributes[k], "pid": "-"}
			if n.ID == a.Store.NodeID() {
				row["pid"] = processID
			}
			t.put(row)
		}
	}
	return t, nil
}

func shortID(id string, full bool) string {
	if full || len(id) < 4 {
		return id
	}
	return id[:4]
}

func portOf(addr string) string {
	_, port, ok := strings.Cut(addr, ":")
	if !ok {
		return "-"
	}
	return port
}

// roleLetters are the abbreviations of roles.
var roleLetters = map[string]string{"cluster_manager": "m", "data": "d", "ingest": "i", "remote_cluster_client": "r", "search": "s", "warm": "w"}

func (a *API) catNodes(r *Request) (*Table, error) {
	full, err := r.Bool("full_id", false)
	if err != nil {
		return nil, err
	}
	t := catTable("nodes")
	v := a.view()
	for _, n := range v.Nodes() {
		letters, roles := []string{}, slices.Sorted(slices.Values(n.Roles))
		for _, role := range roles {
			letters = append(letters, roleLetters[role])
		}
		slices.Sort(letters)
		role, all := strings.Join(letters, ""), strings.Join(roles, ",")
		if role == "" {
			role, all = "-", "-"
		}
		row := map[string]any{"id": shortID(n.ID, full), "ip": n.IP, "port": portOf(n.TransportAddress), "http_address": n.HTTPAddress, "version": speaksVersion, "type": "tar",
			"build": speaksBuildHash, "node.role": role, "node.roles": all, "cluster_manager": "-", "name": n.Name}
		if n.ID == v.Manager() {
			row["cluster_manager"] = "*"
		}
		if n.ID == a.Store.NodeID() {
			a.localNodeCells(row)
		}
		t.put(row)
	}
	return t, nil
}

// localNodeCells fills in what only the node itself knows.
func (a *API) localNodeCells(row map[string]any) {
	m := readMachine()
	h := readHeap(m)
	total, _, available := cluster.DiskSpace(a.Settings.GetOr("path.data", "."))
	used := total - available
	row["pid"], row["jdk"] = processID, "-"
	row["disk.total"], row["disk.used"], row["disk.avail"] = ByteSize(total), ByteSize(used), ByteSize(available)
	if total > 0 {
		row["disk.used_percent"] = fmt.Sprintf("%.2f", 100*float64(used)/float64(total))
	}
	row["heap.current"], row["heap.percent"], row["heap.max"] = ByteSize(h.used), percentage(h.used, h.max), ByteSize(h.max)
	row["ram.current"], row["ram.percent"], row["ram.max"] = ByteSize(m.memTotal-m.memFree), percentage(m.memTotal-m.memFree, m.memTotal), ByteSize(m.memTotal)
	row["file_desc.current"], row["file_desc.percent"], row["file_desc.max"] = m.openFiles, percentage(m.openFiles, m.maxFiles), m.maxFiles
	row["cpu"] = m.cpuPercent()
	for i, k := range []string{"load_1m", "load_5m", "load_15m"} {
		if i < len(m.load) {
			row[k] = fmt.Sprintf("%.2f", m.load[i])
		}
	}
	row["uptime"] = Millis(time.Since(a.Started).Milliseconds())
	all := &totals{}
	for _, ix := range a.view().Indices() {
		for _, s := range shardTotals(a.Node.Index(ix.Name), false) {
			all.merge(s)
		}
	}
	all.statCells(row, "")
}

func (a *API) catPendingTasks(*Request) (*Table, error) { return catTable("pending_tasks"), nil }

func (a *API) catPlugins(*Request) (*Table, error) { return catTable("plugins"), nil }

func (a *API) catRepositories(*Request) (*Table, error) {
	t := catTable("repositories")
	for _, rec := range a.view().Repositories() {
		t.put(map[string]any{"id": rec.Name, "type": rec.Type})
	}
	return t, nil
}

func (a *API) catSegments(r *Request) (*Table, error) {
	list, err := a.indices(r, wildcard.StrictExpandOpenForbidClosed)
	if err != nil {
		return nil, err
	}
	t := catTable("segments")
	n := a.view().Node(a.Store.NodeID())
	for _, ix := range list {
		for id := range ix.NumberOfShards {
			sh, err := a.Node.Shard(ix.Name, id)
			if err != nil {
				continue // not started: it has none to show
			}
			segs, err := sh.Segments()
			if err != nil {
				return nil, err
			}
			for _, s := range segs {
				row := map[string]any{"index": ix.Name, "shard": id, "prirep": "p", "segment": s.Name, "generation": s.Generation, "docs.count": s.Docs, "docs.deleted": s.Deleted,
					"size": ByteSize(s.Bytes), "size.memory": int64(0), "committed": strconv.FormatBool(s.Committed), "searchable": strconv.FormatBool(s.Searchable),
					"version": s.Version, "compound": strconv.FormatBool(s.Compound)}
				if n != nil {
					row["ip"], row["id"] = n.IP, n.ID
				}
				t.put(row)
			}
		}
	}
	return t, nil
}

func (a *API) catShards(r *Request) (*Table, error) {
	list, err := a.indices(r, wildcard.Options{AllowNoIndices: true, ExpandOpen: true, ExpandClosed: true, ExpandHidden: true})
	if err != nil {
		return nil, err
	}
	t := catTable("shards")
	v := a.view()
	for _, ix := range list {
		local := a.Node.Index(ix.Name)
		by := shardTotals(local, false)
		for _, rt := range v.Shards(ix.UUID) {
			for i := range rt.Copies {
				t.put(a.shardRow(v, ix, local, rt, &rt.Copies[i], by[rt.Shard]))
			}
		}
	}
	return t, nil
}

func (a *API) shardRow(v *state.View, ix *state.Index, local *cluster.Index, rt *state.ShardRouting, c *state.ShardCopy, st *totals) map[string]any {
	row := map[string]any{"index": ix.Name, "shard": rt.Shard, "prirep": "r", "state": string(c.State)}
	if c.Primary {
		row["prirep"] = "p"
	}
	if n := v.Node(c.Node); n != nil {
		row["ip"], row["id"], row["node"] = n.IP, n.ID, n.Name
	}
	if u := c.Unassigned; u != nil && c.State != state.ShardStarted {
		row["unassigned.reason"], row["unassigned.at"] = u.Reason, isoMillis(u.At.UnixMilli())
		row["unassigned.for"] = Millis(time.Since(u.At).Milliseconds())
		if u.Details != "" {
			row["unassigned.details"] = strings.ReplaceAll(u.Details, "\n", " ")
		}
	}
	if c.Recovery != nil && c.State != state.ShardStarted {
		row["recoverysource.type"] = lower(string(c.Recovery.Type))
	}
	if st == nil || !c.Primary || c.Node != a.Store.NodeID() || c.State != state.ShardStarted {
		return row
	}
	row["docs"], row["store"], row["docs.deleted"] = st.docs, ByteSize(st.bytes), st.deleted
	st.statCells(row, "")
	if sh := local.Shards()[rt.Shard]; sh != nil {
		if s, err := sh.Stats(); err == nil {
			row["seq_no.max"], row["seq_no.local_checkpoint"], row["seq_no.global_checkpoint"] = s.MaxSeqNo, s.Checkpoint, s.Checkpoint
		}
		row["path.data"], row["path.state"] = sh.Path(), sh.Path()
	}
	return row
}

func (a *API) catTasks(r *Request) (*Table, error) {
	detailed, err := r.Bool("detailed", false)
	if err != nil {
		return nil, err
	}
	f, here, err := a.taskFilter(r)
	if err != nil {
		return nil, err
	}
	t := catTable("tasks")
	if !detailed {
		t.drop("description")
	}
	_, err = a.asTask(r, "cluster:monitor/tasks/lists", "", func() (*Response, error) {
		n := a.view().Node(a.Store.NodeID())
		if !here || n == nil {
			return nil, nil
		}
		for _, in := range a.Tasks.List(f) {
			parent := "-"
			if in.Parent.Node != "" {
				parent = in.Parent.String()
			}
			t.put(map[string]any{"id": in.ID.Number, "action": in.Action, "task_id": in.ID.String(), "parent_task_id": parent, "type": in.Type, "start_time": sinceMillis(in.Started),
				"timestamp": in.Started.UTC().Format("15:04:05"), "running_time_ns": in.Running.Nanoseconds(), "running_time": settings.FormatDuration(in.Running),
				"node_id": shortID(n.ID, true), "ip": n.IP, "port": portOf(n.TransportAddress), "node": n.Name, "version": speaksVersion,
				"x_opaque_id": in.Headers["X-Opaque-Id"], "description": in.Description})
		}
		return nil, nil
	})
	return t, err
}

func (a *API) catTemplates(r *Request) (*Table, error) {
	patterns := r.List("name")
	t := catTable("templates")
	v := a.view()
	add := func(name string, body []byte, composable bool) error {
		if len(wildcard.MatchNames([]string{name}, patterns...)) == 0 {
			return nil
		}
		tpl, err := cluster.ParseTemplate(body)
		if err != nil {
			return err
		}
		row := map[string]any{"name": name, "index_patterns": javaList(tpl.IndexPatterns), "order": tpl.Order, "composed_of": ""}
		if composable {
			row["order"], row["composed_of"] = int64(0), javaList(tpl.ComposedOf)
			if tpl.Priority != nil {
				row["order"] = *tpl.Priority
			}
		}
		if tpl.Version != nil {
			row["version"] = *tpl.Version
		}
		t.put(row)
		return nil
	}
	for _, rec := range v.LegacyTemplates() {
		if err := add(rec.Name, rec.Body, false); err != nil {
			return nil, err
		}
	}
	for _, rec := range v.IndexTemplates() {
		if err := add(rec.Name, rec.Body, true); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (a *API) catThreadPool(r *Request) (*Table, error) {
	patterns := r.List("thread_pool_patterns")
	t := catTable("thread_pool")
	n := a.view().Node(a.Store.NodeID())
	if n == nil {
		return t, nil
	}
	for _, p := range threadPools {
		if len(wildcard.MatchNames([]string{p.name}, patterns...)) == 0 {
			continue
		}
		row := map[string]any{"node_name": n.Name, "node_id": n.ID, "ephemeral_node_id": n.EphemeralID, "pid": processID, "host": n.Host, "ip": n.IP, "port": portOf(n.TransportAddress),
			"name": p.name, "type": p.kind, "active": 0, "pool_size": 0, "queue": 0, "queue_size": -1, "rejected": 0, "largest": 0, "completed": 0, "total_wait_time": "-1"}
		if p.kind == "fixed_auto_queue_size" {
			row["total_wait_time"] = "0s"
		}
		if p.kind == "scaling" {
			row["core"], row["max"], row["keep_alive"] = 1, 1, "5m"
		} else {
			row["size"] = 1
		}
		t.put(row)
	}
	return t, nil
}
