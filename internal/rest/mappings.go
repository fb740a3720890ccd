package rest

import (
	"encoding/json"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeMappings(rt *Router) {
	for _, p := range []string{"/_mapping", "/_mappings", "/{index}/_mapping", "/{index}/_mappings"} {
		rt.Handle("GET", p, a.getMapping)
		rt.Handle("PUT|POST", p, a.putMapping)
	}
	rt.Handle("GET", "/_mapping/field/{fields}", a.getFieldMapping)
	rt.Handle("GET", "/{index}/_mapping/field/{fields}", a.getFieldMapping)
}

func (a *API) getMapping(r *Request) (*Response, error) {
	r.Ignore("local")
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	list, err := a.indices(r, wildcard.StrictExpandOpen)
	if err != nil {
		return nil, err
	}
	out := &xcontent.Object{}
	for _, ix := range list {
		out.Add(ix.Name, xcontent.Obj("mappings", mappingObject(ix.Mapping)))
	}
	return OK(out)
}

func (a *API) putMapping(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	writeOnly, err := r.Bool("write_index_only", false)
	if err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, apierr.New(400, "parse_exception", "request body is required")
	}
	if _, typed := body.Get("_doc"); typed && body.Len() == 1 {
		return nil, apierr.IllegalArgument("Types cannot be provided in put mapping requests")
	}
	o, err := indicesOptions(r, wildcard.StrictExpandOpenClosed)
	if err != nil {
		return nil, err
	}
	var list []*state.Index
	if writeOnly {
		v := a.view()
		for _, e := range wildcard.Split(r.Param("index")) {
			name, err := v.Names().WriteIndex(o, e)
			if err != nil {
				return nil, err
			}
			list = append(list, v.Index(name))
		}
	} else if list, err = a.concrete(o, r.Param("index")); err != nil {
		return nil, err
	}
	for _, ix := range list {
		if err := a.checkBlock(ix, cluster.BlockMetadataWrite); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Node.PutMapping(r.Context(), indexNames(list), raw); err != nil {
		return nil, err
	}
	return Acknowledged()
}

func (a *API) getFieldMapping(r *Request) (*Response, error) {
	r.Ignore("local")
	defaults, err := r.Bool("include_defaults", false)
	if err != nil {
		return nil, err
	}
	if defaults {
		return nil, apierr.NotImplemented("get_field_mapping with include_defaults is not supported by this server")
	}
	list, err := a.indices(r, wildcard.StrictExpandOpen)
	if err != nil {
		return nil, err
	}
	patterns := r.List("fields")
	out := &xcontent.Object{}
	for _, ix := range list {
		fields := &xcontent.Object{}
		if len(ix.Mapping) > 0 {
			v, err := xcontent.Decode(ix.Mapping)
			if err != nil {
				return nil, err
			}
			root, _ := v.(*xcontent.Object)
			collectFields(fields, root, "", patterns)
		}
		out.Add(ix.Name, xcontent.Obj("mappings", fields))
	}
	return OK(out)
}

// collectFields adds the fields below an object, and their sub-fields, that a pattern names.
func collectFields(out, object *xcontent.Object, prefix string, patterns []string) {
	for _, section := range []string{"properties", "fields"} {
		v, _ := object.Get(section)
		props, ok := v.(*xcontent.Object)
		if !ok {
			continue
		}
		for _, m := range props.Members {
			def, ok := m.Value.(*xcontent.Object)
			if !ok {
				continue
			}
			full := prefix + m.Key
			_, hasProps := def.Get("properties")
			if !hasProps && matchesAny(patterns, full) {
				out.Set(full, xcontent.Obj("full_name", full, "mapping", xcontent.Obj(m.Key, def)))
			}
			collectFields(out, def, full+".", patterns)
		}
	}
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if p == "_all" || settings.Match(p, name) {
			return true
		}
	}
	return false
}
