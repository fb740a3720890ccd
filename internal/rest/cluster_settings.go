package rest

import (
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeClusterSettings(rt *Router) {
	rt.Handle("GET", "/_cluster/settings", a.getClusterSettings)
	rt.Handle("PUT", "/_cluster/settings", a.putClusterSettings)
}

func visible(s settings.Settings) settings.Settings {
	out := make(settings.Settings, len(s))
	for k, v := range s {
		if !settings.IsSecret(k) {
			out[k] = v
		}
	}
	return out
}

func (a *API) getClusterSettings(r *Request) (*Response, error) {
	r.Ignore("local")
	if _, err := a.timeouts(r); err != nil {
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
	cs := a.view().Settings()
	o := xcontent.Obj("persistent", renderSettings(visible(cs.Persistent), flat), "transient", renderSettings(visible(cs.Transient), flat))
	if defaults {
		d := visible(a.Settings)
		for k, v := range settings.Cluster.Defaults(a.Settings) {
			d[k] = v
		}
		for _, set := range []settings.Settings{cs.Persistent, cs.Transient} {
			for k := range set {
				delete(d, k)
			}
		}
		o.Add("defaults", renderSettings(visible(d), flat))
	}
	return OK(o)
}

func (a *API) putClusterSettings(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	flat, err := r.Bool("flat_settings", false)
	if err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	update := map[string]settings.Settings{"transient": {}, "persistent": {}}
	if body != nil {
		for _, m := range body.Members {
			if _, known := update[m.Key]; !known {
				return nil, apierr.XContentParse("[cluster_update_settings_request] unknown field [%s]", m.Key)
			}
			if update[m.Key], err = settingsOf(m.Value, m.Key); err != nil {
				return nil, err
			}
		}
	}
	if len(update["transient"])+len(update["persistent"]) == 0 {
		return nil, apierr.Validation("no settings to update")
	}
	for _, kind := range []string{"transient", "persistent"} {
		if err := settings.Cluster.ValidateUpdate(update[kind], kind, true); err != nil {
			return nil, apierr.IllegalArgument("%v", err)
		}
		for k := range update[kind] {
			if settings.IsSecret(k) {
				return nil, apierr.IllegalArgument("[%s] is a secret: it belongs into the key store of each node, not into the cluster's settings", k)
			}
		}
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	err = a.Store.Update(r.Context(), func(tx *state.Tx) error {
		next := *tx.Settings()
		next.Transient = next.Transient.Apply(expandNulls(next.Transient, update["transient"]))
		next.Persistent = next.Persistent.Apply(expandNulls(next.Persistent, update["persistent"]))
		tx.Put(&next)
		return nil
	})
	if err != nil {
		return nil, err
	}
	changed := func(kind string) any {
		set := settings.Settings{}
		for k, v := range update[kind] {
			if v != nil {
				set[k] = v
			}
		}
		return renderSettings(set, flat)
	}
	return OK(xcontent.Obj("acknowledged", true, "persistent", changed("persistent"), "transient", changed("transient")))
}

// expandNulls lets a null of a prefix such as cluster.routing.* take away what matches.
func expandNulls(have, update settings.Settings) settings.Settings {
	out := settings.Settings{}
	for k, v := range update {
		out[k] = v
		if v == nil && strings.HasSuffix(k, ".") {
			for name := range have {
				if strings.HasPrefix(name, k) {
					out[name] = nil
				}
			}
		}
	}
	return out
}
