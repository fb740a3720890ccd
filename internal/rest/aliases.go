package rest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeAliases(rt *Router) {
	rt.Handle("GET", "/_alias", a.getAliases)
	rt.Handle("GET", "/_aliases", a.getAliases)
	rt.Handle("GET", "/_alias/{name}", a.getAliases)
	rt.Handle("GET", "/{index}/_alias", a.getAliases)
	rt.Handle("GET", "/{index}/_alias/{name}", a.getAliases)
	rt.Handle("HEAD", "/_alias/{name}", a.aliasExists)
	rt.Handle("HEAD", "/{index}/_alias", a.aliasExists)
	rt.Handle("HEAD", "/{index}/_alias/{name}", a.aliasExists)
	for _, p := range []string{"/{index}/_alias/{name}", "/_alias/{name}", "/{index}/_aliases/{name}", "/_aliases/{name}"} {
		rt.Handle("PUT|POST", p, a.putAlias)
	}
	for _, p := range []string{"/{index}/_alias", "/{index}/_aliases", "/_alias"} {
		rt.Handle("PUT", p, a.putAlias)
	}
	rt.Handle("DELETE", "/{index}/_alias/{name}", a.deleteAlias)
	rt.Handle("DELETE", "/{index}/_aliases/{name}", a.deleteAlias)
	rt.Handle("POST", "/_aliases", a.updateAliases)
}

// aliasObject renders an alias as the API shows it.
func aliasObject(a state.Alias) *xcontent.Object {
	o := &xcontent.Object{}
	if len(a.Filter) > 0 {
		o.Add("filter", a.Filter)
	}
	if a.IndexRouting != "" {
		o.Add("index_routing", a.IndexRouting)
	}
	if a.SearchRouting != "" {
		o.Add("search_routing", a.SearchRouting)
	}
	if a.IsWriteIndex != nil {
		o.Add("is_write_index", *a.IsWriteIndex)
	}
	if a.IsHidden != nil {
		o.Add("is_hidden", *a.IsHidden)
	}
	return o
}

// aliasesObject renders those aliases of an index that match; nil patterns are all.
func aliasesObject(ix *state.Index, patterns []string) *xcontent.Object {
	o := &xcontent.Object{}
	for _, name := range matchAliases(sortedKeys(ix.Aliases), patterns) {
		o.Add(name, aliasObject(ix.Aliases[name]))
	}
	return o
}

// matchAliases returns the names that the patterns choose, in turn: one with a leading - takes away. No patterns are all.
func matchAliases(names, patterns []string) []string {
	if len(patterns) == 0 || len(patterns) == 1 && patterns[0] == "_all" {
		return names
	}
	var out []string
	for _, name := range names {
		matched := false
		for _, p := range patterns {
			if not, ok := strings.CutPrefix(p, "-"); ok && not != "" {
				matched = matched && !(not == "_all" || settings.Match(not, name))
			} else {
				matched = matched || p == "_all" || settings.Match(p, name)
			}
		}
		if matched {
			out = append(out, name)
		}
	}
	return out
}

// aliasesOf reads the object "aliases" of a request.
func aliasesOf(v any) (map[string]state.Alias, error) {
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "key [aliases] must be an object")
	}
	out := map[string]state.Alias{}
	for _, m := range o.Members {
		a, err := aliasOf(m.Value, nil)
		if err != nil {
			return nil, err
		}
		out[m.Key] = a
	}
	return out, nil
}

// aliasOf reads one alias. other gets the fields that are not an alias's own.
func aliasOf(v any, other func(key string, value any) (bool, error)) (state.Alias, error) {
	var a state.Alias
	o, ok := v.(*xcontent.Object)
	if !ok {
		if v == nil {
			return a, nil
		}
		return a, apierr.New(http.StatusBadRequest, "parse_exception", "an alias must be an object")
	}
	routing := ""
	text := func(v any) string {
		if v == nil {
			return ""
		}
		s, _ := plainText(v)
		return s
	}
	for _, m := range o.Members {
		switch m.Key {
		case "filter":
			f, ok := m.Value.(*xcontent.Object)
			if ok && f.Len() > 0 {
				raw, err := json.Marshal(f)
				if err != nil {
					return a, err
				}
				a.Filter = raw
			} else if s, isText := m.Value.(string); isText && json.Valid([]byte(s)) {
				a.Filter = json.RawMessage(s)
			}
		case "routing":
			routing = text(m.Value)
		case "index_routing", "indexRouting", "index-routing":
			a.IndexRouting = text(m.Value)
		case "search_routing", "searchRouting", "search-routing":
			a.SearchRouting = text(m.Value)
		case "is_write_index", "is_hidden":
			b, err := boolean(m.Key, m.Value)
			if err != nil {
				return a, err
			}
			if m.Key == "is_write_index" {
				a.IsWriteIndex = &b
			} else {
				a.IsHidden = &b
			}
		default:
			known := false
			if other != nil {
				var err error
				if known, err = other(m.Key, m.Value); err != nil {
					return a, err
				}
			}
			if !known {
				return a, apierr.IllegalArgument("unknown field [%s]", m.Key)
			}
		}
	}
	if a.IndexRouting == "" {
		a.IndexRouting = routing
	}
	if a.SearchRouting == "" {
		a.SearchRouting = routing
	}
	if strings.Contains(a.IndexRouting, ",") {
		return a, apierr.IllegalArgument("alias [] has several index routing values associated with it")
	}
	return a, nil
}

// plainText renders a string, number or boolean.
func plainText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

func (a *API) getAliases(r *Request) (*Response, error) {
	r.Ignore("local")
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	list, err := a.indices(r, strictExpandHidden.WithoutStreams())
	if err != nil {
		return nil, err
	}
	named := r.Has("name")
	patterns := r.List("name")
	shown := &xcontent.Object{}
	returned := map[string]bool{}
	for _, ix := range list {
		o := aliasesObject(ix, patterns)
		for _, m := range o.Members {
			returned[m.Key] = true
		}
		if !named || o.Len() > 0 {
			shown.Add(ix.Name, xcontent.Obj("aliases", o))
		}
	}
	missing := missingAliases(patterns, returned)
	if len(missing) == 0 {
		return OK(shown)
	}
	text := "alias [" + missing[0] + "] missing"
	if len(missing) > 1 {
		text = "aliases [" + strings.Join(missing, ",") + "] missing"
	}
	out := xcontent.Obj("error", text, "status", http.StatusNotFound)
	out.Members = append(out.Members, shown.Members...)
	return &Response{Status: http.StatusNotFound, Body: out}, nil
}

// missingAliases are those that were asked for by name, were not excluded by a later pattern, and were not found.
func missingAliases(patterns []string, returned map[string]bool) []string {
	firstWild := len(patterns)
	for i, p := range patterns {
		if strings.Contains(p, "*") {
			firstWild = i
			break
		}
	}
	missing := map[string]bool{}
	for i, p := range patterns {
		if p == "_all" || strings.Contains(p, "*") || i > firstWild && strings.HasPrefix(p, "-") || returned[p] {
			continue
		}
		excluded := false
		for j := max(i+1, firstWild); j < len(patterns); j++ {
			if not, ok := strings.CutPrefix(patterns[j], "-"); ok && (not == "_all" || settings.Match(not, p)) {
				excluded = true
			}
		}
		if !excluded {
			missing[p] = true
		}
	}
	return sortedKeys(missing)
}

func (a *API) aliasExists(r *Request) (*Response, error) {
	r.Ignore("local")
	o, err := indicesOptions(r, strictExpandHidden.WithoutStreams())
	if err != nil {
		return nil, err
	}
	patterns := r.List("name")
	list, err := a.concrete(o, r.Param("index"))
	if err != nil {
		return Exists(false)
	}
	returned := map[string]bool{}
	for _, ix := range list {
		for _, name := range matchAliases(sortedKeys(ix.Aliases), patterns) {
			returned[name] = true
		}
	}
	return Exists(len(returned) > 0 && len(missingAliases(patterns, returned)) == 0)
}

func (a *API) putAlias(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	index, name := r.Param("index"), r.Param("name")
	var al state.Alias
	if body != nil {
		if al, err = aliasOf(body, func(key string, v any) (bool, error) {
			s, _ := v.(string)
			switch key {
			case "index":
				index = s
			case "alias":
				name = s
			default:
				return false, nil
			}
			return true, nil
		}); err != nil {
			return nil, err
		}
	}
	return a.applyAliases(r, []aliasAction{{kind: "add", indices: wildcard.Split(index), aliases: []string{name}, alias: al}})
}

func (a *API) deleteAlias(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	return a.applyAliases(r, []aliasAction{{kind: "remove", indices: wildcard.Split(r.Param("index")), aliases: wildcard.Split(r.Param("name"))}})
}

// aliasAction is one action of a request, before names are resolved.
type aliasAction struct {
	kind      string
	indices   []string
	aliases   []string
	alias     state.Alias
	mustExist *bool
}

func (a *API) updateAliases(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	body, err := r.object()
	if err != nil {
		return nil, err
	}
	var actions []aliasAction
	if body != nil {
		for _, m := range body.Members {
			if m.Key != "actions" {
				return nil, apierr.XContentParse("[aliases] unknown field [%s]", m.Key)
			}
			list, ok := m.Value.([]any)
			if !ok {
				list = []any{m.Value}
			}
			for _, e := range list {
				act, err := readAliasAction(e)
				if err != nil {
					return nil, err
				}
				actions = append(actions, *act)
			}
		}
	}
	if len(actions) == 0 {
		return nil, apierr.IllegalArgument("No action specified")
	}
	return a.applyAliases(r, actions)
}

func readAliasAction(v any) (*aliasAction, error) {
	o, ok := v.(*xcontent.Object)
	if !ok || o.Len() == 0 {
		return nil, apierr.XContentParse("[alias_action] an action must be an object")
	}
	if o.Len() > 1 {
		return nil, apierr.IllegalArgument("Too many operations declared on operation entry")
	}
	act := &aliasAction{kind: o.Members[0].Key}
	if act.kind != "add" && act.kind != "remove" && act.kind != "remove_index" {
		return nil, apierr.XContentParse("[alias_action] unknown field [%s]", act.kind)
	}
	given := map[string]bool{}
	var err error
	act.alias, err = aliasOf(o.Members[0].Value, func(key string, v any) (bool, error) {
		given[key] = true
		var list []string
		switch key {
		case "index", "alias":
			s, _ := v.(string)
			if s == "" {
				return true, apierr.IllegalArgument("[%s] can't be empty string", key)
			}
			list = []string{s}
			if key == "index" {
				list = wildcard.Split(s)
			}
		case "indices", "aliases":
			if list, err = names(key, v); err != nil {
				return true, err
			}
			if len(list) == 0 {
				return true, apierr.IllegalArgument("[%s] can't be empty", key)
			}
		case "must_exist":
			b, err := boolean(key, v)
			act.mustExist = &b
			return true, err
		default:
			return false, nil
		}
		if key == "index" || key == "indices" {
			if act.indices != nil {
				return true, apierr.IllegalArgument("Only one of [index] and [indices] is supported")
			}
			act.indices = list
		} else {
			if act.aliases != nil {
				return true, apierr.IllegalArgument("Only one of [alias] and [aliases] is supported")
			}
			act.aliases = list
		}
		return true, nil
	})
	if err != nil {
		return nil, apierr.XContentParse("[alias_action] failed to parse field [%s]", act.kind).Because(
			apierr.XContentParse("[%s] failed to parse", act.kind).Because(err))
	}
	if act.indices == nil {
		return nil, apierr.IllegalArgument("One of [index] or [indices] is required")
	}
	if act.aliases == nil && act.kind != "remove_index" {
		return nil, apierr.IllegalArgument("One of [alias] or [aliases] is required")
	}
	return act, nil
}

// applyAliases resolves names and applies all actions in one step.
func (a *API) applyAliases(r *Request, actions []aliasAction) (*Response, error) {
	v := a.view()
	opts := wildcard.Options{ExpandOpen: true, IgnoreAliases: true, ExcludeStreams: true}
	var list []cluster.AliasAction
	var asked []string
	onlyRemoves, lenient := true, false
	for _, act := range actions {
		if len(act.indices) == 0 {
			return nil, apierr.IllegalArgument("[indices] can't be empty")
		}
		indices, err := concreteIn(v, opts, strings.Join(act.indices, ","))
		if err != nil {
			return nil, err
		}
		for _, ix := range indices {
			if stream := v.Names().StreamOf(ix.Name); stream != "" {
				return nil, apierr.IllegalArgument("The provided expressions [%s] match a backing index belonging to data stream [%s]. Data streams and their backing indices don't support aliases.",
					strings.Join(act.indices, ","), stream)
			}
		}
		onlyRemoves = onlyRemoves && act.kind == "remove"
		lenient = lenient || act.mustExist != nil && !*act.mustExist
		asked = append(asked, act.aliases...)
		found := map[string]bool{}
		for _, ix := range indices {
			switch act.kind {
			case "remove_index":
				list = append(list, cluster.AliasAction{RemoveIndex: true, Index: ix.Name})
			case "add":
				for _, name := range act.aliases {
					list = append(list, cluster.AliasAction{Add: true, Index: ix.Name, Alias: name, Settings: act.alias})
				}
			case "remove":
				for _, name := range act.aliases {
					for _, have := range wildcard.MatchNames(sortedKeys(ix.Aliases), name) {
						found[name] = true
						list = append(list, cluster.AliasAction{Remove: true, Index: ix.Name, Alias: have})
					}
				}
			}
		}
		if act.kind == "remove" && act.mustExist != nil && *act.mustExist {
			for _, name := range act.aliases {
				if !found[name] {
					return nil, cluster.AliasesMissing(name)
				}
			}
		}
	}
	if len(list) == 0 {
		if onlyRemoves && !lenient {
			return nil, cluster.AliasesMissing(asked...)
		}
		return Acknowledged()
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Node.UpdateAliases(r.Context(), list); err != nil {
		return nil, err
	}
	return Acknowledged()
}
