package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// globalKeys are the parts of old global metadata that are restored: what else there is belongs to plugins that are not here.
var globalKeys = map[string]bool{"version": true, "cluster_uuid": true, "cluster_uuid_committed": true, "cluster_coordination": true, "settings": true, "transient_settings": true,
	"hashes_of_consistent_settings": true, "templates": true, "index_template": true, "component_template": true, "stored_scripts": true, "ingest": true, "index-graveyard": true,
	"repositories": true, "data_stream": true, "indices": true}

// Global translates the global metadata of a snapshot that an old version took: persistent settings, templates, stored scripts. That of newer
// versions is returned as it is.
func Global(g *smile.Object, taken repository.Version) (*smile.Object, []string, error) {
	if !Old(taken) || g == nil {
		return g, nil, nil
	}
	t := newTranslator("the global state", taken)
	var warnings []string
	out := smile.NewObject()
	for _, m := range g.Members {
		o, _ := m.Value.(*smile.Object)
		switch {
		case !globalKeys[m.Name]:
			if o.Len() > 0 {
				t.lost("metadata of features that are not supported was dropped", m.Name)
			}
		case m.Name == "settings":
			set, err := settingsOf(g)
			if err != nil {
				return nil, nil, fmt.Errorf("the persistent settings: %w", err)
			}
			out.Set(m.Name, t.clusterSettings(set))
		case m.Name == "templates":
			list, more, err := templates(o, taken)
			if err != nil {
				return nil, nil, err
			}
			warnings = append(warnings, more...)
			out.Set(m.Name, list)
		case m.Name == "index_template" || m.Name == "component_template":
			list, more, err := composable(m.Name, o, taken)
			if err != nil {
				return nil, nil, err
			}
			warnings = append(warnings, more...)
			out.Set(m.Name, list)
		case m.Name == "stored_scripts":
			out.Set(m.Name, t.scripts(o))
		default:
			out.Set(m.Name, m.Value)
		}
	}
	return out, append(t.report(), warnings...), nil
}

func (t *translator) clusterSettings(s settings.Settings) *smile.Object {
	s = foldLists(s)
	for _, k := range s.Keys() {
		known := settings.Cluster.Lookup(k)
		if known == nil {
			t.lost("settings that are not supported any more were dropped", k)
			delete(s, k)
		} else if settings.Cluster.Validate(settings.Settings{k: s[k]}) != nil {
			t.lost("settings with values that are not understood any more were dropped", k)
			delete(s, k)
		}
	}
	return object(s)
}

// scripts drops the second name, lang#id, under which Elasticsearch 5 kept each script.
func (t *translator) scripts(o *smile.Object) *smile.Object {
	out := smile.NewObject()
	if o == nil {
		return out
	}
	for _, m := range o.Members {
		if lang, id, ok := strings.Cut(m.Name, "#"); ok {
			if def, isObject := o.Get(id); isObject {
				if d, _ := def.(*smile.Object); textOf(d, "lang") == lang {
					continue
				}
			}
		}
		def, ok := m.Value.(*smile.Object)
		if ok && (textOf(def, "lang") == "groovy" || textOf(def, "lang") == "python" || textOf(def, "lang") == "javascript") {
			t.lost("stored scripts of languages that are not supported were dropped", m.Name)
			continue
		}
		out.Set(m.Name, m.Value)
	}
	return out
}

// templates translates templates of the old style.
func templates(o *smile.Object, taken repository.Version) (*smile.Object, []string, error) {
	out := smile.NewObject()
	var warnings []string
	if o == nil {
		return out, nil, nil
	}
	for _, m := range o.Members {
		def, ok := m.Value.(*smile.Object)
		if !ok {
			return nil, nil, fmt.Errorf("template [%s] is no object", m.Name)
		}
		next, more, err := template(m.Name, def, taken)
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("template [%s] was dropped: %v", m.Name, err))
			continue
		}
		warnings = append(warnings, more...)
		out.Set(m.Name, next)
	}
	return out, warnings, nil
}

func template(name string, def *smile.Object, taken repository.Version) (*smile.Object, []string, error) {
	t := newTranslator("template ["+name+"]", taken)
	out := smile.NewObject()
	for _, m := range def.Members {
		switch m.Name {
		case "template":
			out.Set("index_patterns", []any{m.Value})
		case "settings":
			s, err := settingsOf(def)
			if err != nil {
				return nil, nil, err
			}
			out.Set(m.Name, t.templateSettings(s))
		case "mappings":
			types, err := typesOf(m.Value)
			if err != nil {
				return nil, nil, err
			}
			mapping, err := t.types(types)
			if err != nil {
				return nil, nil, err
			}
			// As newer versions keep it: within the name of the type.
			out.Set(m.Name, smile.NewObject(smile.Member{Name: "_doc", Value: mapping}))
		default:
			out.Set(m.Name, m.Value)
		}
	}
	return out, t.report(), nil
}

// typesOf reads mappings by type: an object, or a list of objects.
func typesOf(v any) (*smile.Object, error) {
	if o, ok := v.(*smile.Object); ok {
		return o, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("its mappings are neither an object nor a list")
	}
	out := smile.NewObject()
	for _, e := range list {
		o, ok := e.(*smile.Object)
		if !ok {
			return nil, fmt.Errorf("a mapping is no object")
		}
		for _, m := range o.Members {
			out.Set(m.Name, m.Value)
		}
	}
	return out, nil
}

func (t *translator) templateSettings(s settings.Settings) *smile.Object {
	o := t.settings(s.WithPrefix("index."))
	return smile.NewObject(slices.DeleteFunc(o.Members, func(m smile.Member) bool { return m.Name == "index.version.created" })...)
}

// composable translates index and component templates, whose content lies in [template].
func composable(section string, o *smile.Object, taken repository.Version) (*smile.Object, []string, error) {
	inner, _ := o.Get(section)
	list, _ := inner.(*smile.Object)
	out := smile.NewObject()
	var warnings []string
	if list == nil {
		return smile.NewObject(smile.Member{Name: section, Value: out}), nil, nil
	}
	for _, m := range list.Members {
		def, ok := m.Value.(*smile.Object)
		if !ok {
			return nil, nil, fmt.Errorf("%s [%s] is no object", section, m.Name)
		}
		next := smile.NewObject(slices.Clone(def.Members)...)
		if v, ok := def.Get("template"); ok {
			body, _ := v.(*smile.Object)
			t := newTranslator(section+" ["+m.Name+"]", taken)
			b, err := t.composed(body)
			if err != nil {
				warnings = append(warnings, fmt.Sprintf("%s [%s] was dropped: %v", section, m.Name, err))
				continue
			}
			next.Set("template", b)
			warnings = append(warnings, t.report()...)
		}
		out.Set(m.Name, next)
	}
	return smile.NewObject(smile.Member{Name: section, Value: out}), warnings, nil
}

func (t *translator) composed(body *smile.Object) (*smile.Object, error) {
	out := smile.NewObject()
	if body == nil {
		return out, nil
	}
	for _, m := range body.Members {
		switch m.Name {
		case "settings":
			s, err := settingsOf(body)
			if err != nil {
				return nil, err
			}
			out.Set(m.Name, t.templateSettings(s))
		case "mappings":
			o, _ := m.Value.(*smile.Object)
			if doc, ok := o.Get("_doc"); ok && o.Len() == 1 {
				o, _ = doc.(*smile.Object)
			}
			mapping, err := t.root(o)
			if err != nil {
				return nil, err
			}
			out.Set(m.Name, mapping)
		default:
			out.Set(m.Name, m.Value)
		}
	}
	return out, nil
}
