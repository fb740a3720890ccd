package rest

import (
	"slices"

	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeResolve(rt *Router) {
	rt.Handle("GET", "/_resolve/index/{name}", a.resolveIndex)
}

func (a *API) resolveIndex(r *Request) (*Response, error) {
	o, err := indicesOptions(r, wildcard.StrictExpandOpen)
	if err != nil {
		return nil, err
	}
	v := a.view()
	names, err := v.Names().Abstractions(o, r.List("name"))
	if err != nil {
		return nil, err
	}
	indices, aliases, streams := []any{}, []any{}, []any{}
	for _, name := range names {
		if ix := v.Index(name); ix != nil {
			indices = append(indices, resolvedIndex(ix, v.Names().StreamOf(name)))
		} else if s := v.DataStream(name); s != nil {
			streams = append(streams, xcontent.Obj("name", name, "backing_indices", slices.Sorted(slices.Values(s.IndexNames())), "timestamp_field", s.TimestampField))
		} else if of := v.Names().AliasIndices(name); of != nil {
			aliases = append(aliases, xcontent.Obj("name", name, "indices", of))
		}
	}
	return OK(xcontent.Obj("indices", indices, "aliases", aliases, "data_streams", streams))
}

func resolvedIndex(ix *state.Index, stream string) *xcontent.Object {
	o := xcontent.Obj("name", ix.Name)
	if len(ix.Aliases) > 0 {
		o.Add("aliases", sortedKeys(ix.Aliases))
	}
	attributes := []string{"open"}
	if ix.State == state.IndexClosed {
		attributes[0] = "closed"
	}
	if ix.Hidden {
		attributes = append(attributes, "hidden")
	}
	slices.Sort(attributes)
	o.Add("attributes", attributes)
	if stream != "" {
		o.Add("data_stream", stream)
	}
	return o
}
