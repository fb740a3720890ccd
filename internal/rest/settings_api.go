package rest

import (
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeIndexSettings(rt *Router) {
	for _, p := range []string{"/_settings", "/_settings/{name}", "/{index}/_settings", "/{index}/_settings/{name}", "/{index}/_setting/{name}"} {
		rt.Handle("GET", p, a.getSettings)
	}
	rt.Handle("PUT", "/_settings", a.putSettings)
	rt.Handle("PUT", "/{index}/_settings", a.putSettings)
}

func (a *API) getSettings(r *Request) (*Response, error) {
	r.Ignore("local")
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	flat, err := r.Bool("flat_settings", false)
	if err != nil {
		return nil, err
	}
	defaults, err := r.Bool("include_defaults", false)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	patterns := r.List("name")
	if len(patterns) == 1 && patterns[0] == "_all" {
		patterns = nil
	}
	list, err := a.indices(r, wildcard.StrictExpandOpenClosed)
	if err != nil {
		return nil, err
	}
	out := &xcontent.Object{}
	for _, ix := range list {
		shown := shownSettings(ix.Settings, human).Filter(patterns...)
		defs := settings.Settings{}
		if defaults {
			defs = settings.Index.Defaults(ix.Settings).Filter(patterns...)
		}
		if len(shown) == 0 && len(defs) == 0 {
			continue
		}
		o := xcontent.Obj("settings", renderSettings(shown, flat))
		if defaults {
			o.Add("defaults", renderSettings(defs, flat))
		}
		out.Add(ix.Name, o)
	}
	return OK(out)
}

func (a *API) putSettings(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	preserve, err := r.Bool("preserve_existing", false)
	if err != nil {
		return nil, err
	}
	r.Ignore("flat_settings")
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, apierr.New(400, "parse_exception", "request body is required")
	}
	// Settings may stand below "settings", beside others or alone.
	flat := &xcontent.Object{}
	for _, m := range body.Members {
		if inner, ok := m.Value.(*xcontent.Object); ok && m.Key == "settings" {
			flat.Members = append(flat.Members, inner.Members...)
		} else {
			flat.Members = append(flat.Members, m)
		}
	}
	update, err := settingsOf(flat, "settings")
	if err != nil {
		return nil, err
	}
	if len(update) == 0 {
		return nil, apierr.Validation("no settings to update")
	}
	list, err := a.indices(r, wildcard.StrictExpandOpenClosed)
	if err != nil {
		return nil, err
	}
	update = cluster.Normalize(update)
	onlyBlocks := true
	for k := range update {
		onlyBlocks = onlyBlocks && settings.Match("index.blocks.*", k)
	}
	for _, ix := range list {
		if cluster.RemoteSnapshot(ix) && cluster.RemoteUpdatable(update) || onlyBlocks && !cluster.RemoteSnapshot(ix) {
			continue
		}
		if err := a.checkBlock(ix, cluster.BlockMetadataWrite); err != nil {
			return nil, err
		}
	}
	warnTranslogRetention(r, update)
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Node.UpdateSettings(r.Context(), indexNames(list), update, preserve); err != nil {
		return nil, err
	}
	return Acknowledged()
}
