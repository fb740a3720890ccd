package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// parseObject reads JSON as an object of the repository's trees; nil for nothing.
func parseObject(raw []byte) (*smile.Object, error) {
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		return nil, nil
	}
	v, err := smile.ParseJSON(raw, smile.Limits{})
	if err != nil {
		return nil, err
	}
	o, ok := v.(*smile.Object)
	if !ok {
		return nil, fmt.Errorf("%.80s is no JSON object", raw)
	}
	return o, nil
}

func parseUserMetadata(raw json.RawMessage) (*smile.Object, error) {
	o, err := parseObject(raw)
	if err != nil {
		return nil, fmt.Errorf("the snapshot's metadata: %w", err)
	}
	return o, nil
}

func rawJSON(v any) (json.RawMessage, error) { return smile.AppendJSON(nil, v) }

// indexMetadata writes an index's metadata as a snapshot holds it.
func indexMetadata(ix *state.Index) (*repository.IndexMetadata, error) {
	b := smile.NewObject()
	b.Set("version", ix.Version)
	b.Set("mapping_version", ix.MappingVersion)
	b.Set("settings_version", ix.SettingsVersion)
	b.Set("aliases_version", ix.AliasesVersion)
	b.Set("routing_num_shards", int64(ix.RoutingNumShards))
	b.Set("state", string(ix.State))
	set := smile.NewObject()
	for _, k := range ix.Settings.Keys() {
		switch v := ix.Settings[k].(type) {
		case string:
			set.Set(k, lowered(k, v))
		case []string:
			list := make([]any, len(v))
			for i, s := range v {
				list[i] = s
			}
			set.Set(k, list)
		}
	}
	b.Set("settings", set)
	mappings := []any{}
	m, err := parseObject(ix.Mapping)
	if err != nil {
		return nil, fmt.Errorf("the mapping of index [%s]: %w", ix.Name, err)
	}
	if m != nil && m.Len() > 0 {
		mappings = append(mappings, smile.NewObject(smile.Member{Name: "_doc", Value: m}))
	}
	b.Set("mappings", mappings)
	aliases := smile.NewObject()
	for _, name := range slices.Sorted(maps.Keys(ix.Aliases)) {
		a, err := aliasObject(ix.Aliases[name])
		if err != nil {
			return nil, fmt.Errorf("alias [%s] of index [%s]: %w", name, ix.Name, err)
		}
		aliases.Set(name, a)
	}
	b.Set("aliases", aliases)
	terms := make([]any, len(ix.PrimaryTerms))
	for i, t := range ix.PrimaryTerms {
		terms[i] = t
	}
	b.Set("primary_terms", terms)
	inSync := smile.NewObject()
	for i, ids := range ix.InSync {
		list := make([]any, len(ids))
		for j, id := range ids {
			list[j] = id
		}
		inSync.Set(strconv.Itoa(i), list)
	}
	b.Set("in_sync_allocations", inSync)
	for _, name := range slices.Sorted(maps.Keys(ix.Custom)) {
		o, err := parseObject(ix.Custom[name])
		if err != nil {
			return nil, fmt.Errorf("metadata [%s] of index [%s]: %w", name, ix.Name, err)
		}
		b.Set(name, o)
	}
	rollover, err := parseObject(ix.RolloverInfo)
	if err != nil {
		return nil, fmt.Errorf("the rollover info of index [%s]: %w", ix.Name, err)
	}
	if rollover == nil {
		rollover = smile.NewObject()
	}
	b.Set("rollover_info", rollover)
	b.Set("system", ix.System)
	return &repository.IndexMetadata{Name: ix.Name, Body: b}, nil
}

func aliasObject(a state.Alias) (*smile.Object, error) {
	o := smile.NewObject()
	if len(a.Filter) > 0 {
		f, err := parseObject(a.Filter)
		if err != nil {
			return nil, err
		}
		o.Set("filter", f)
	}
	if a.IndexRouting != "" {
		o.Set("index_routing", a.IndexRouting)
	}
	if a.SearchRouting != "" {
		o.Set("search_routing", a.SearchRouting)
	}
	if a.IsWriteIndex != nil {
		o.Set("is_write_index", *a.IsWriteIndex)
	}
	if a.IsHidden != nil {
		o.Set("is_hidden", *a.IsHidden)
	}
	return o, nil
}

// knownIndexKeys are the parts of index metadata that state.Index has fields for.
var knownIndexKeys = map[string]bool{"version": true, "mapping_version": true, "settings_version": true, "aliases_version": true,
	"routing_num_shards": true, "state": true, "settings": true, "mappings": true, "aliases": true, "primary_terms": true,
	"in_sync_allocations": true, "rollover_info": true, "system": true}

// restoredIndex reads an index's metadata from a snapshot.
func restoredIndex(m *repository.IndexMetadata) (*state.Index, error) {
	fail := func(what string, err error) (*state.Index, error) {
		return nil, fmt.Errorf("%s of index [%s] in the snapshot: %w", what, m.Name, err)
	}
	ix := &state.Index{Name: m.Name, State: state.IndexOpen, NumberOfShards: m.Shards(), NumberOfReplicas: 0, Aliases: map[string]state.Alias{}}
	number := func(key string, def int64) int64 {
		v, _ := m.Body.Get(key)
		if n, ok := v.(int64); ok {
			return n
		}
		return def
	}
	ix.Version, ix.MappingVersion, ix.SettingsVersion, ix.AliasesVersion = number("version", 1), number("mapping_version", 1), number("settings_version", 1), number("aliases_version", 1)
	ix.RoutingNumShards = int(number("routing_num_shards", int64(ix.NumberOfShards)))
	if ix.RoutingNumShards < ix.NumberOfShards || ix.RoutingNumShards%ix.NumberOfShards != 0 {
		return fail("routing_num_shards", fmt.Errorf("%d is no multiple of %d shards", ix.RoutingNumShards, ix.NumberOfShards))
	}
	if v, ok := m.Body.Get("system"); ok {
		ix.System, _ = v.(bool)
	}
	raw, ok := m.Body.Get("settings")
	if ok {
		text, err := rawJSON(raw)
		if err != nil {
			return fail("the settings", err)
		}
		if ix.Settings, err = settings.Parse(text); err != nil {
			return fail("the settings", err)
		}
	}
	mappings, err := m.Mappings()
	if err != nil {
		return fail("the mapping", err)
	}
	switch mappings.Len() {
	case 0:
	case 1:
		if ix.Mapping, err = rawJSON(mappings.Members[0].Value); err != nil {
			return fail("the mapping", err)
		}
	default:
		names := make([]string, 0, mappings.Len())
		for _, t := range mappings.Members {
			names = append(names, t.Name)
		}
		return fail("the mapping", fmt.Errorf("it has several types %v; an index with more than one type cannot be restored", names))
	}
	if err := restoreAliases(ix, m); err != nil {
		return fail("the aliases", err)
	}
	ix.PrimaryTerms = make([]int64, ix.NumberOfShards)
	v, _ := m.Body.Get("primary_terms")
	list, _ := v.([]any)
	for i := range ix.PrimaryTerms {
		ix.PrimaryTerms[i] = 1
		if i < len(list) {
			if n, ok := list[i].(int64); ok && n > 0 {
				ix.PrimaryTerms[i] = n + 1
			}
		}
	}
	if v, ok := m.Body.Get("rollover_info"); ok {
		if ix.RolloverInfo, err = rawJSON(v); err != nil {
			return fail("the rollover info", err)
		}
	}
	for _, e := range m.Body.Members {
		if o, ok := e.Value.(*smile.Object); ok && !knownIndexKeys[e.Name] {
			if ix.Custom == nil {
				ix.Custom = map[string]json.RawMessage{}
			}
			if ix.Custom[e.Name], err = rawJSON(o); err != nil {
				return fail(e.Name, err)
			}
		}
	}
	return ix, nil
}

func restoreAliases(ix *state.Index, m *repository.IndexMetadata) error {
	v, _ := m.Body.Get("aliases")
	o, _ := v.(*smile.Object)
	if o == nil {
		return nil
	}
	for _, e := range o.Members {
		body, ok := e.Value.(*smile.Object)
		if !ok {
			return fmt.Errorf("alias [%s] is no object", e.Name)
		}
		var a state.Alias
		if f, ok := body.Get("filter"); ok {
			var err error
			if a.Filter, err = rawJSON(f); err != nil {
				return err
			}
		}
		text := func(key string) string {
			v, _ := body.Get(key)
			s, _ := v.(string)
			return s
		}
		flag := func(key string) *bool {
			v, _ := body.Get(key)
			if b, ok := v.(bool); ok {
				return &b
			}
			return nil
		}
		a.IndexRouting, a.SearchRouting, a.IsWriteIndex, a.IsHidden = text("index_routing"), text("search_routing"), flag("is_write_index"), flag("is_hidden")
		ix.Aliases[e.Name] = a
	}
	return nil
}
