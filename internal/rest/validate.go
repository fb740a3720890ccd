package rest

import (
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/xcontent"
)

// validateQuery answers _validate/query.
func (a *API) validateQuery(r *Request) (*Response, error) {
	r.Ignore("rewrite", "all_shards")
	explain, err := r.Bool("explain", false)
	if err != nil {
		return nil, err
	}
	o, err := indicesOptions(r, searchOptions)
	if err != nil {
		return nil, err
	}
	uri, err := uriQuery(r)
	if err != nil {
		return nil, err
	}
	q, bad := onlyQuery(r)
	if q == nil {
		q = uri
	}
	if bad == nil {
		bad = coordinator.CheckQuery(q)
	}
	if bad != nil {
		out := xcontent.Obj("valid", false)
		if explain {
			out.Add("error", bad.Error())
		}
		return OK(out)
	}
	list, counts, err := a.Docs.ValidateQuery(r.Context(), o, indexList(r.Param("index")), q)
	if err != nil {
		return nil, searchError(err)
	}
	valid := true
	explanations := []any{}
	for _, v := range list {
		valid = valid && v.Err == nil
		e := xcontent.Obj("index", v.Index, "valid", v.Err == nil)
		if v.Err != nil {
			e.Add("error", v.Err.Error())
		} else {
			e.Add("explanation", v.Explanation)
		}
		explanations = append(explanations, e)
	}
	out := xcontent.Obj("_shards", shardCountsObject(counts, false), "valid", valid)
	if explain && len(explanations) > 0 {
		out.Add("explanations", explanations)
	}
	return OK(out)
}

// searchShards answers _search_shards: which shards a search would ask.
func (a *API) searchShards(r *Request) (*Response, error) {
	r.Ignore("preference", "local")
	o, err := indicesOptions(r, searchOptions)
	if err != nil {
		return nil, err
	}
	targets, err := a.Docs.SearchShards(o, indexList(r.Param("index")), r.List("routing"))
	if err != nil {
		return nil, err
	}
	nodes, indices := &xcontent.Object{}, &xcontent.Object{}
	groups := []any{}
	v := a.view()
	for _, t := range targets {
		ix := &xcontent.Object{}
		if len(t.Aliases) > 0 {
			ix.Add("aliases", t.Aliases)
		}
		if t.Filter != nil {
			ix.Add("filter", t.Filter)
		}
		indices.Set(t.Index, ix)
		copies := []any{}
		if rt := v.Shard(t.UUID, t.Shard); rt != nil {
			for _, c := range rt.Copies {
				n := v.Node(c.Node)
				if n == nil {
					continue
				}
				nodes.Set(n.ID, xcontent.Obj("name", n.Name, "ephemeral_id", n.EphemeralID, "transport_address", n.TransportAddress, "attributes", n.Attributes))
				copies = append(copies, xcontent.Obj("state", string(c.State), "primary", c.Primary, "node", c.Node, "relocating_node", nil,
					"shard", t.Shard, "index", t.Index, "allocation_id", xcontent.Obj("id", c.AllocationID)))
			}
		}
		groups = append(groups, copies)
	}
	return OK(xcontent.Obj("nodes", nodes, "indices", indices, "shards", groups))
}
