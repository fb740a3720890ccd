package snapshot

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

type smileObject = *smile.Object

// globalMetadata writes the cluster's metadata as a snapshot holds it: settings, templates, pipelines, scripts, and what earlier
// restores brought that nobody here reads.
func globalMetadata(v *state.View) (*smile.Object, error) {
	g := repository.EmptyGlobalMetadata()
	if c := v.Cluster(); c != nil {
		g.Set("cluster_uuid", c.UUID)
	}
	set := smile.NewObject()
	persistent := v.Settings().Persistent
	for _, k := range persistent.Keys() {
		switch val := persistent[k].(type) {
		case string:
			set.Set(k, val)
		case []string:
			list := make([]any, len(val))
			for i := range val {
				list[i] = val[i]
			}
			set.Set(k, list)
		}
	}
	g.Set("settings", set)
	legacy := smile.NewObject()
	for _, t := range v.LegacyTemplates() {
		o, err := parseObject(t.Body)
		if err != nil {
			return nil, fmt.Errorf("template [%s]: %w", t.Name, err)
		}
		// A snapshot wraps the mapping in the name of its type.
		if m, ok := o.Get("mappings"); ok {
			if mo, ok := m.(*smile.Object); ok && mo.Len() > 0 {
				c := smile.NewObject(slices.Clone(o.Members)...)
				c.Set("mappings", smile.NewObject(smile.Member{Name: "_doc", Value: mo}))
				o = c
			}
		}
		legacy.Set(t.Name, o)
	}
	g.Set("templates", legacy)
	byName := func(section string, names []string, bodies []json.RawMessage) error {
		list := smile.NewObject()
		for i := range names {
			o, err := parseObject(bodies[i])
			if err != nil {
				return fmt.Errorf("%s [%s]: %w", section, names[i], err)
			}
			list.Set(names[i], o)
		}
		g.Set(section, smile.NewObject(smile.Member{Name: section, Value: list}))
		return nil
	}
	var names []string
	var bodies []json.RawMessage
	for _, t := range v.IndexTemplates() {
		names, bodies = append(names, t.Name), append(bodies, t.Body)
	}
	if err := byName("index_template", names, bodies); err != nil {
		return nil, err
	}
	names, bodies = nil, nil
	for _, t := range v.ComponentTemplates() {
		names, bodies = append(names, t.Name), append(bodies, t.Body)
	}
	if err := byName("component_template", names, bodies); err != nil {
		return nil, err
	}
	return g, addScripts(g, v)
}

func addScripts(g *smile.Object, v *state.View) error {
	scripts := smile.NewObject()
	for _, sc := range v.Scripts() {
		o, err := parseObject(sc.Body)
		if err != nil {
			return fmt.Errorf("script [%s]: %w", sc.Name, err)
		}
		scripts.Set(sc.Name, o)
	}
	if scripts.Len() > 0 {
		g.Set("stored_scripts", scripts)
	}
	var pipelines []any
	for _, p := range v.Pipelines() {
		o, err := parseObject(p.Body)
		if err != nil {
			return fmt.Errorf("pipeline [%s]: %w", p.Name, err)
		}
		pipelines = append(pipelines, smile.NewObject(smile.Member{Name: "id", Value: p.Name}, smile.Member{Name: "config", Value: o}))
	}
	if len(pipelines) > 0 {
		g.Set("ingest", smile.NewObject(smile.Member{Name: "pipeline", Value: pipelines}))
	}
	for _, c := range v.Customs() {
		o, err := parseObject(c.Body)
		if err != nil {
			return fmt.Errorf("metadata [%s]: %w", c.Name, err)
		}
		g.Set(c.Name, o)
	}
	return nil
}

// ownGlobal are the parts of global metadata that are read, or that belong to one cluster only.
var ownGlobal = map[string]bool{"version": true, "cluster_uuid": true, "cluster_uuid_committed": true, "cluster_coordination": true, "settings": true,
	"hashes_of_consistent_settings": true, "transient_settings": true, "templates": true, "index_template": true, "component_template": true, "stored_scripts": true, "ingest": true,
	"index-graveyard": true, "repositories": true, "data_stream": true, "indices": true}

// restoreGlobal puts a snapshot's global metadata into the state: settings and named things replace those of the same name; where the
// snapshot has pipelines or scripts, those that it does not have go.
func restoreGlobal(tx *state.Tx, g *smile.Object) error {
	stored := func(name string, v any) (state.Stored, error) {
		raw, err := rawJSON(v)
		return state.Stored{Name: name, Body: raw}, err
	}
	if set := member(g, "settings"); set != nil {
		raw, err := rawJSON(set)
		if err != nil {
			return err
		}
		persistent, err := settings.Parse(raw)
		if err != nil {
			return fmt.Errorf("the persistent settings of the snapshot: %w", err)
		}
		next := *tx.Settings()
		next.Persistent = persistent
		tx.Put(&next)
	}
	if t := member(g, "templates"); t != nil {
		for _, m := range t.Members {
			st, err := stored(m.Name, unwrapType(m.Value))
			if err != nil {
				return err
			}
			tx.Put(&state.LegacyTemplate{Stored: st})
		}
	}
	for _, section := range []string{"index_template", "component_template"} {
		list := member(member(g, section), section)
		if list == nil {
			continue
		}
		for _, m := range list.Members {
			st, err := stored(m.Name, m.Value)
			if err != nil {
				return err
			}
			if section == "index_template" {
				tx.Put(&state.IndexTemplate{Stored: st})
			} else {
				tx.Put(&state.ComponentTemplate{Stored: st})
			}
		}
	}
	if sc := member(g, "stored_scripts"); sc != nil {
		for _, old := range tx.Scripts() { // all scripts together are one part of the metadata, which is replaced as a whole
			if _, stays := sc.Get(old.Name); !stays {
				tx.Delete(old)
			}
		}
		for _, m := range sc.Members {
			st, err := stored(m.Name, m.Value)
			if err != nil {
				return err
			}
			tx.Put(&state.StoredScript{Stored: st})
		}
	}
	if err := restorePipelines(tx, member(g, "ingest")); err != nil {
		return err
	}
	for _, m := range g.Members {
		o, ok := m.Value.(*smile.Object)
		if !ok || ownGlobal[m.Name] {
			continue
		}
		st, err := stored(m.Name, o)
		if err != nil {
			return err
		}
		tx.Put(&state.CustomMetadata{Stored: st})
	}
	return nil
}

func restorePipelines(tx *state.Tx, ingest *smile.Object) error {
	v, _ := ingest.Get("pipeline")
	list, _ := v.([]any)
	stays := map[string]bool{}
	for _, e := range list {
		o, _ := e.(*smile.Object)
		id, _ := o.Get("id")
		name, ok := id.(string)
		if !ok {
			return fmt.Errorf("a pipeline of the snapshot has no id")
		}
		config, _ := o.Get("config")
		raw, err := rawJSON(config)
		if err != nil {
			return err
		}
		tx.Put(&state.Pipeline{Stored: state.Stored{Name: name, Body: raw}})
		stays[name] = true
	}
	if ingest == nil {
		return nil
	}
	for _, old := range tx.Pipelines() { // as with scripts
		if !stays[old.Name] {
			tx.Delete(old)
		}
	}
	return nil
}

// unwrapType takes the type's name off a template's mapping.
func unwrapType(v any) any {
	o, ok := v.(*smile.Object)
	if !ok {
		return v
	}
	m, _ := o.Get("mappings")
	mo, ok := m.(*smile.Object)
	if !ok || mo.Len() != 1 {
		return v
	}
	inner, ok := mo.Members[0].Value.(*smile.Object)
	if !ok || mo.Members[0].Name != "_doc" {
		return v
	}
	c := smile.NewObject(slices.Clone(o.Members)...)
	c.Set("mappings", inner)
	return c
}
