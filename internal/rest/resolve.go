package rest

import (
	"slices"

	"github.com/varve-search/varve/internal/apierr"
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
	asked := r.List("name")
	lookup := v.Names()
	// Names of aliases are kept as such; what stays a name and is neither is missing.
	expressions, err := lookup.Expressions(o, asked...)
	if err != nil {
		return nil, err
	}
	isAll := len(asked) == 0 || len(asked) == 1 && (asked[0] == "_all" || asked[0] == "*")
	var list []*state.Index
	aliasNames := map[string]bool{}
	for _, e := range expressions {
		switch {
		case lookup.HasIndex(e):
			list = append(list, v.Index(e))
		case lookup.HasAlias(e):
			aliasNames[e] = true
		case !o.IgnoreUnavailable:
			return nil, apierr.IndexNotFound(e)
		}
	}
	if isAll {
		for _, ix := range v.Indices() {
			for name, al := range ix.Aliases {
				if al.IsHidden == nil || !*al.IsHidden || o.ExpandHidden {
					aliasNames[name] = true
				}
			}
		}
	}
	indices, aliases := []any{}, []any{}
	slices.SortFunc(list, func(x, y *state.Index) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	for _, ix := range list {
		entry := xcontent.Obj("name", ix.Name)
		if len(ix.Aliases) > 0 {
			entry.Add("aliases", sortedKeys(ix.Aliases))
		}
		var attributes []string
		if ix.State == state.IndexClosed {
			attributes = append(attributes, "closed")
		} else {
			attributes = append(attributes, "open")
		}
		if ix.Hidden {
			attributes = append(attributes, "hidden")
		}
		slices.Sort(attributes)
		indices = append(indices, entry.Add("attributes", attributes))
	}
	for _, name := range sortedKeysOrEmpty(aliasNames) {
		aliases = append(aliases, xcontent.Obj("name", name, "indices", lookup.AliasIndices(name)))
	}
	return OK(xcontent.Obj("indices", indices, "aliases", aliases, "data_streams", []any{}))
}
