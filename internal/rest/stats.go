package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/store"
)

func (a *API) routeStats(rt *Router) {
	for _, p := range []string{"/_stats", "/_stats/{metric}", "/{index}/_stats", "/{index}/_stats/{metric}"} {
		rt.Handle("GET", p, a.indicesStats)
	}
	rt.Handle("GET", "/_segments", a.segments)
	rt.Handle("GET", "/{index}/_segments", a.segments)
	rt.Handle("GET", "/_shard_stores", a.shardStores)
	rt.Handle("GET", "/{index}/_shard_stores", a.shardStores)
	for _, p := range []string{"/_refresh", "/{index}/_refresh"} {
		rt.Handle("GET|POST", p, a.refresh)
	}
	for _, p := range []string{"/_flush", "/{index}/_flush"} {
		rt.Handle("GET|POST", p, a.flush)
	}
	for _, p := range []string{"/_flush/synced", "/{index}/_flush/synced"} {
		rt.Handle("GET|POST", p, a.syncedFlush)
	}
	for _, p := range []string{"/_forcemerge", "/{index}/_forcemerge"} {
		rt.Handle("POST", p, a.forceMerge)
	}
	for _, p := range []string{"/_cache/clear", "/{index}/_cache/clear"} {
		rt.Handle("POST", p, a.clearCache)
	}
	for _, p := range []string{"/_upgrade", "/{index}/_upgrade"} {
		rt.Handle("GET|POST", p, a.upgrade)
	}
}

// metricsOf reads a list of metrics; nil is all. Unknown ones are refused as OpenSearch does.
func metricsOf(r *Request, param string, known []string, what string) (wanted, error) {
	list := r.List(param)
	if len(list) == 0 || len(list) == 1 && list[0] == "_all" {
		return nil, nil
	}
	if slices.Contains(list, "_all") {
		return nil, apierr.IllegalArgument("request [%s] contains _all and individual metrics [%s]", r.HTTP.URL.Path, r.Param(param))
	}
	w := wanted{}
	var unknown []string
	for _, m := range list {
		if !slices.Contains(known, m) {
			unknown = append(unknown, m)
			continue
		}
		w[m] = true
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, unrecognized(r, unknown, known, what)
	}
	return w, nil
}

// unrecognized names values that are not known, with those that look alike.
func unrecognized(r *Request, unknown, known []string, what string) error {
	s := "request [" + r.HTTP.URL.Path + "] contains unrecognized " + what
	if len(unknown) > 1 {
		s += "s"
	}
	s += ": "
	for i, name := range unknown {
		if i > 0 {
			s += ", "
		}
		s += "[" + name + "]"
		if near := nearest(name, known); len(near) == 1 {
			s += " -> did you mean [" + near[0] + "]?"
		} else if len(near) > 1 {
			s += " -> did you mean any of [" + strings.Join(near, ", ") + "]?"
		}
	}
	return apierr.IllegalArgument("%s", s)
}

func (a *API) indicesStats(r *Request) (*Response, error) {
	r.Ignore("timeout", "groups", "completion_fields", "fielddata_fields", "fields")
	unloaded, err := r.Bool("include_unloaded_segments", false)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	fileSizes, err := r.Bool("include_segment_file_sizes", false)
	if err != nil {
		return nil, err
	}
	forbid, err := r.Bool("forbid_closed_indices", true)
	if err != nil {
		return nil, err
	}
	w, err := metricsOf(r, "metric", knownSections, "metric")
	if err != nil {
		return nil, err
	}
	level := r.ParamOr("level", "indices")
	if level != "cluster" && level != "indices" && level != "shards" {
		return nil, apierr.IllegalArgument("level parameter must be one of [cluster] or [indices] or [shards] but was [%s]", level)
	}
	def := wildcard.StrictExpandOpenForbidClosed
	def.ForbidClosed = forbid
	list, err := a.indices(r, def)
	if err != nil {
		return nil, err
	}
	v := a.view()
	all := &totals{}
	shards, ok := 0, 0
	perIndex := &xcontent.Object{}
	for _, ix := range list {
		shards += ix.NumberOfShards * (1 + ix.NumberOfReplicas)
		local := a.Node.Index(ix.Name)
		byShard := shardTotals(local, fileSizes)
		t := &totals{}
		shardList := &xcontent.Object{}
		for _, rt := range v.Shards(ix.UUID) {
			st := byShard[rt.Shard]
			if st == nil && ix.State == state.IndexClosed {
				st = &totals{} // nothing of a closed shard is loaded
				if unloaded && local != nil {
					st.segments = int64(local.ClosedSegments()[rt.Shard])
				}
			}
			if st == nil {
				continue
			}
			ok++
			t.merge(st)
			if level != "shards" {
				continue
			}
			o := xcontent.Obj("routing", routingObject(rt.Primary()))
			st.sections(o, w, human)
			if local != nil {
				if sh := local.Shards()[rt.Shard]; sh != nil {
					a.shardDetails(o, sh)
				}
			}
			shardList.Add(itoa(int64(rt.Shard)), []any{o})
		}
		all.merge(t)
		one := &xcontent.Object{}
		t.sections(one, w, human)
		entry := xcontent.Obj("uuid", ix.UUID, "primaries", one, "total", one)
		if level == "shards" {
			entry.Add("shards", shardList)
		}
		perIndex.Add(ix.Name, entry)
	}
	sum := &xcontent.Object{}
	all.sections(sum, w, human)
	out := xcontent.Obj("_shards", shardsObject(shards, ok, 0), "_all", xcontent.Obj("primaries", sum, "total", sum))
	if level != "cluster" {
		out.Add("indices", perIndex)
	}
	return OK(out)
}

// shardDetails adds what only the level shards shows.
func (a *API) shardDetails(o *xcontent.Object, sh *shard.Shard) {
	st, err := sh.Stats()
	if err != nil {
		return
	}
	c := sh.LastCommit()
	o.Add("commit", xcontent.Obj("id", c.ID, "generation", c.Generation, "user_data", c.UserData, "num_docs", c.NumDocs))
	o.Add("seq_no", xcontent.Obj("max_seq_no", st.MaxSeqNo, "local_checkpoint", st.Checkpoint, "global_checkpoint", st.Checkpoint))
	o.Add("shard_path", xcontent.Obj("state_path", sh.Path(), "data_path", sh.Path(), "is_custom_data_path", false))
}

func shardsObject(total, ok, failed int) *xcontent.Object {
	return xcontent.Obj("total", total, "successful", ok, "failed", failed)
}

func routingObject(c *state.ShardCopy) *xcontent.Object {
	o := xcontent.Obj("state", string(state.ShardUnassigned), "primary", false, "node", nil, "relocating_node", nil)
	if c != nil {
		o.Set("state", string(c.State)).Set("primary", c.Primary)
		if c.Node != "" {
			o.Set("node", c.Node)
		}
		if c.RelocatingNode != "" {
			o.Set("relocating_node", c.RelocatingNode)
		}
	}
	return o
}

func (a *API) segments(r *Request) (*Response, error) {
	r.Ignore("verbose")
	def := wildcard.StrictExpandOpenForbidClosed
	list, err := a.indices(r, def)
	if err != nil {
		return nil, err
	}
	total, ok := 0, 0
	out := &xcontent.Object{}
	for _, ix := range list {
		total += ix.NumberOfShards * (1 + ix.NumberOfReplicas)
		shards := &xcontent.Object{}
		for _, rt := range a.view().Shards(ix.UUID) {
			sh, err := a.Node.Shard(ix.Name, rt.Shard)
			if err != nil {
				continue // not started yet: it has no segments to show
			}
			segs, err := sh.Segments()
			if err != nil {
				return nil, err
			}
			ok++
			list := &xcontent.Object{}
			committed := 0
			for _, s := range segs {
				if s.Committed {
					committed++
				}
				o := xcontent.Obj("generation", s.Generation, "num_docs", s.Docs, "deleted_docs", s.Deleted, "size_in_bytes", s.Bytes, "memory_in_bytes", 0,
					"committed", s.Committed, "search", s.Searchable, "version", s.Version, "compound", s.Compound)
				if len(s.Attributes) > 0 {
					o.Add("attributes", s.Attributes)
				}
				list.Add(s.Name, o)
			}
			p := rt.Primary()
			shards.Add(itoa(int64(rt.Shard)), []any{xcontent.Obj("routing", xcontent.Obj("state", string(p.State), "primary", true, "node", p.Node),
				"num_committed_segments", committed, "num_search_segments", len(segs), "segments", list)})
		}
		if shards.Len() > 0 {
			out.Add(ix.Name, xcontent.Obj("shards", shards))
		}
	}
	return OK(xcontent.Obj("_shards", shardsObject(total, ok, 0), "indices", out))
}

func (a *API) shardStores(r *Request) (*Response, error) {
	statuses := r.List("status")
	if len(statuses) == 0 {
		statuses = []string{"yellow", "red"}
	}
	list, err := a.indices(r, wildcard.StrictExpandOpen)
	if err != nil {
		return nil, err
	}
	v := a.view()
	out := &xcontent.Object{}
	for _, ix := range list {
		shards := &xcontent.Object{}
		for _, rt := range v.Shards(ix.UUID) {
			h := shardHealth(rt)
			if !slices.Contains(statuses, "all") && !slices.Contains(statuses, string(h.status)) {
				continue
			}
			stores := []any{}
			for _, c := range rt.Copies {
				if n := v.Node(c.Node); n != nil && c.State == state.ShardStarted {
					allocation := "replica"
					if c.Primary {
						allocation = "primary"
					}
					stores = append(stores, xcontent.Obj(n.ID, nodeReference(n), "allocation_id", c.AllocationID, "allocation", allocation))
				}
			}
			shards.Add(itoa(int64(rt.Shard)), xcontent.Obj("stores", stores))
		}
		if shards.Len() > 0 {
			out.Add(ix.Name, xcontent.Obj("shards", shards))
		}
	}
	return OK(xcontent.Obj("indices", out))
}

func nodeReference(n *state.Node) *xcontent.Object {
	return xcontent.Obj("name", n.Name, "ephemeral_id", n.EphemeralID, "transport_address", n.TransportAddress, "attributes", n.Attributes)
}

// eachShard runs work on every open shard of the indices and answers with the counts, as broadcast actions do.
func (a *API) eachShard(ctx context.Context, list []*state.Index, work func(context.Context, *shard.Shard) error) (*xcontent.Object, error) {
	total, ok := 0, 0
	var failures []any
	for _, ix := range list {
		total += ix.NumberOfShards * (1 + ix.NumberOfReplicas)
		for id := range ix.NumberOfShards {
			sh, err := a.Node.Shard(ix.Name, id)
			if err == nil {
				err = store.Guard(func() error { return work(ctx, sh) })
			}
			switch {
			case err == nil:
				ok++
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case apierr.StatusOf(err) == http.StatusServiceUnavailable: // not started: no failure, as in OpenSearch
			case errors.Is(err, context.Canceled):
			default:
				err = translate(err)
				failures = append(failures, xcontent.Obj("shard", id, "index", ix.Name, "status", statusName(apierr.StatusOf(err)), "reason", errorObject(err)))
			}
		}
	}
	o := shardsObject(total, ok, len(failures))
	if len(failures) > 0 {
		o.Add("failures", failures)
	}
	return xcontent.Obj("_shards", o), nil
}

func statusName(code int) string {
	return strings.ToUpper(strings.ReplaceAll(http.StatusText(code), " ", "_"))
}

func (a *API) refresh(r *Request) (*Response, error) {
	list, err := a.indices(r, wildcard.StrictExpandOpenForbidClosed)
	if err != nil {
		return nil, err
	}
	out, err := a.eachShard(r.Context(), list, func(ctx context.Context, s *shard.Shard) error { return s.Refresh(ctx) })
	if err != nil {
		return nil, err
	}
	return OK(out)
}

func (a *API) flush(r *Request) (*Response, error) {
	force, err := r.Bool("force", false)
	if err != nil {
		return nil, err
	}
	wait, err := r.Bool("wait_if_ongoing", true)
	if err != nil {
		return nil, err
	}
	if force && !wait {
		return nil, apierr.Validation("wait_if_ongoing must be true for a force flush")
	}
	list, err := a.indices(r, wildcard.StrictExpandOpenForbidClosed)
	if err != nil {
		return nil, err
	}
	out, err := a.eachShard(r.Context(), list, func(ctx context.Context, s *shard.Shard) error { return s.Flush(ctx) })
	if err != nil {
		return nil, err
	}
	return OK(out)
}

// syncedFlush flushes: markers of synced flushes exist no more, in OpenSearch too.
func (a *API) syncedFlush(r *Request) (*Response, error) {
	r.Warn("Synced flush was removed and a normal flush was performed instead. This transition will be removed in a future version.")
	return a.flush(r)
}

func (a *API) forceMerge(r *Request) (*Response, error) {
	segments, err := r.Int("max_num_segments", -1)
	if err != nil {
		return nil, err
	}
	expunge, err := r.Bool("only_expunge_deletes", false)
	if err != nil {
		return nil, err
	}
	flush, err := r.Bool("flush", true)
	if err != nil {
		return nil, err
	}
	primaryOnly, err := r.Bool("primary_only", false)
	if err != nil {
		return nil, err
	}
	wait, err := r.Bool("wait_for_completion", true)
	if err != nil {
		return nil, err
	}
	if len(r.Body) > 0 {
		return nil, apierr.IllegalArgument("forcemerge takes arguments in query parameters, not in the request body")
	}
	if expunge && segments != -1 {
		return nil, apierr.Validation("cannot set only_expunge_deletes and max_num_segments at the same time, those two parameters are mutually exclusive")
	}
	o, err := indicesOptions(r, wildcard.StrictExpandOpenForbidClosed)
	if err != nil {
		return nil, err
	}
	index := r.Param("index")
	work := func(ctx context.Context) (*xcontent.Object, error) {
		list, err := a.concrete(o, index)
		if err != nil {
			return nil, err
		}
		for _, ix := range list {
			if err := a.checkBlock(ix, cluster.BlockMetadataWrite); err != nil {
				return nil, err
			}
		}
		return a.eachShard(ctx, list, func(ctx context.Context, s *shard.Shard) error {
			if err := s.ForceMerge(ctx, max(segments, 0), expunge); err != nil {
				return err
			}
			if flush {
				return s.Flush(ctx)
			}
			return nil
		})
	}
	spec := task.Spec{Action: "indices:admin/forcemerge", Cancellable: true, Description: fmt.Sprintf("Force-merge indices %s, maxSegments[%d], onlyExpungeDeletes[%t], flush[%t], primaryOnly[%t]",
		javaList(wildcard.Split(index)), segments, expunge, flush, primaryOnly)}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	t, err := a.Tasks.Go(r.Context(), spec, func(ctx context.Context, _ *task.Task) (any, error) { return work(ctx) })
	if err != nil {
		return nil, err
	}
	if !wait {
		return OK(xcontent.Obj("task", t.ID().String()))
	}
	in, err := a.Tasks.Wait(r.Context(), t.ID())
	if err != nil {
		return nil, err
	}
	if in.Err != nil {
		return nil, in.Err
	}
	return OK(in.Result)
}

// clearCache empties caches of queries; there are none that outlive a request yet, so nothing is left to do on each shard.
func (a *API) clearCache(r *Request) (*Response, error) {
	r.Ignore("query", "request", "fielddata", "fields", "file")
	list, err := a.indices(r, wildcard.StrictExpandOpenForbidClosed)
	if err != nil {
		return nil, err
	}
	out, err := a.eachShard(r.Context(), list, func(context.Context, *shard.Shard) error { return nil })
	if err != nil {
		return nil, err
	}
	return OK(out)
}

func (a *API) upgrade(*Request) (*Response, error) {
	return nil, apierr.New(http.StatusBadRequest, "unsupported_operation_exception", "Upgrade action was removed, use _reindex API instead")
}
