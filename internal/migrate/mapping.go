package migrate

import (
	"fmt"
	"strings"

	"github.com/varve-search/varve/repository/smile"
)

// types takes the mapping of the one type off an index's types.
func (t *translator) types(types *smile.Object) (*smile.Object, error) {
	var names []string
	var mapping *smile.Object
	for _, m := range types.Members {
		if m.Name == "_default_" {
			if o, ok := m.Value.(*smile.Object); ok && o.Len() > 0 {
				t.lost("the mapping of [_default_] was dropped: it was for types that are yet to come", "")
			}
			continue
		}
		names = append(names, m.Name)
		o, ok := m.Value.(*smile.Object)
		if !ok {
			return nil, fmt.Errorf("the mapping of type [%s] of %s is no object", m.Name, t.what)
		}
		mapping = o
	}
	if len(names) > 1 {
		return nil, fmt.Errorf("%s has the types [%s]; an index with more than one type cannot be restored: reindex it into one index per type where it comes from", t.what, strings.Join(names, ", "))
	}
	return t.root(mapping)
}

// goneMetadata are the parts of a mapping's root that mean nothing any more.
var goneMetadata = map[string]bool{"_all": true, "_parent": true, "_timestamp": true, "_ttl": true, "_index": true, "_type": true, "_uid": true, "_id": true, "_analyzer": true,
	"_boost": true, "_size": true, "_field_names": true, "_doc_count": true, "_tier": true, "_version": true, "runtime": true, "include_in_all": true}

func (t *translator) root(def *smile.Object) (*smile.Object, error) {
	out := smile.NewObject()
	if def == nil {
		return out, nil
	}
	for _, m := range def.Members {
		switch {
		case m.Name == "_all":
			if o, _ := m.Value.(*smile.Object); !isFalse(o, "enabled") {
				t.lost("[_all] was dropped: queries without a field search all fields instead", "")
			}
		case goneMetadata[m.Name]:
			if o, ok := m.Value.(*smile.Object); !ok || o.Len() > 0 {
				t.lost("["+m.Name+"] of the mapping was dropped: it is not supported any more", "")
			}
		case m.Name == "_data_stream_timestamp":
			if o, ok := m.Value.(*smile.Object); ok {
				out.Set(m.Name, keep(o, "enabled", "timestamp_field"))
			}
		case m.Name == "_source":
			o, _ := m.Value.(*smile.Object)
			if isFalse(o, "enabled") {
				return nil, fmt.Errorf("%s has its _source disabled: its documents cannot be indexed again, and its segments are too old to be opened", t.what)
			}
			if o.Len() > 0 {
				if _, filtered := o.Get("excludes"); filtered || hasAny(o, "includes") {
					t.lost("its _source is filtered: what it lacks was not indexed again and cannot be searched any more", "")
				}
				out.Set(m.Name, keep(o, "includes", "excludes", "enabled"))
			}
		case m.Name == "dynamic":
			out.Set(m.Name, t.dynamic(m.Value, ""))
		case m.Name == "dynamic_templates":
			out.Set(m.Name, t.dynamicTemplates(m.Value))
		case m.Name == "dynamic_date_formats":
			out.Set(m.Name, t.dateFormats(m.Value))
		case m.Name == "properties":
			out.Set(m.Name, t.properties("", m.Value))
		default:
			out.Set(m.Name, m.Value)
		}
	}
	return out, nil
}

func (t *translator) dynamic(v any, path string) any {
	if v == "runtime" {
		t.lost("[dynamic: runtime] became [dynamic: false]: there are no runtime fields", path)
		return "false"
	}
	return v
}

func (t *translator) properties(prefix string, v any) any {
	o, ok := v.(*smile.Object)
	if !ok {
		return v
	}
	out := smile.NewObject()
	for _, m := range o.Members {
		def, ok := m.Value.(*smile.Object)
		if !ok {
			out.Set(m.Name, m.Value)
			continue
		}
		out.Set(m.Name, t.field(prefix+m.Name, def))
	}
	return out
}

// Types that OpenSearch or this server does not have, and what becomes of them.
var (
	renamedTypes = map[string]string{"flattened": "flat_object", "version": "keyword"}
	// sourceOnly types stay in the documents and cannot be searched.
	sourceOnly = map[string]bool{"attachment": true, "point": true, "shape": true, "histogram": true, "aggregate_metric_double": true, "dense_vector": true,
		"sparse_vector": true, "murmur3": true, "annotated_text": true, "icu_collation_keyword": true, "data_tiering": true, "knn_vector": true, "lookup": true}
)

// field translates the definition of a field, or of an object with its fields.
func (t *translator) field(path string, def *smile.Object) *smile.Object {
	typ := textOf(def, "type")
	if sourceOnly[typ] {
		t.lost("fields of type ["+typ+"] are kept in the documents and cannot be searched", path)
		return smile.NewObject(smile.Member{Name: "type", Value: "object"}, smile.Member{Name: "enabled", Value: false})
	}
	if to := renamedTypes[typ]; to != "" {
		t.lost("fields of type ["+typ+"] became ["+to+"]", path)
		return smile.NewObject(smile.Member{Name: "type", Value: to})
	}
	was := typ
	if typ == "string" {
		if typ = "text"; textOf(def, "index") == "not_analyzed" || textOf(def, "index") == "no" {
			typ = "keyword"
		}
		t.lost("fields of type [string] became [text] or, where they were not analyzed, [keyword]", path)
	}
	out := smile.NewObject()
	for _, m := range def.Members {
		if v, ok := t.param(path, typ, was, m); ok {
			name := m.Name
			if name == "position_offset_gap" {
				name = "position_increment_gap"
			}
			out.Set(name, v)
		}
	}
	return out
}

// goneParams are parameters of fields that are ignored or refused today.
var goneParams = map[string]bool{"include_in_all": true, "precision_step": true, "lat_lon": true, "geohash": true, "geohash_prefix": true, "geohash_precision": true,
	"validate": true, "validate_lat": true, "validate_lon": true, "normalize": true, "normalize_lat": true, "normalize_lon": true, "index_name": true,
	"postings_format": true, "doc_values_format": true, "payloads": true, "omit_norms": true, "omit_term_freq_and_positions": true, "time_series_dimension": true,
	"time_series_metric": true, "script": true, "on_script_error": true, "tree": true, "tree_levels": true, "distance_error_pct": true, "points_only": true, "strategy": true,
	"index_analyzer": true}

// keywordOnly and textOnly are what a string may have said that only the other of its successors understands.
var (
	keywordOnly = map[string]bool{"ignore_above": true, "doc_values": true, "null_value": true}
	textOnly    = map[string]bool{"analyzer": true, "search_analyzer": true, "search_quote_analyzer": true, "position_increment_gap": true, "position_offset_gap": true, "fielddata": true,
		"term_vector": true, "fielddata_frequency_filter": true, "index_prefixes": true, "index_phrases": true}
)

// param translates a parameter of a field whose type is now typ and was once was; false drops it.
func (t *translator) param(path, typ, was string, m smile.Member) (any, bool) {
	drop := func() (any, bool) {
		t.lost("the parameter ["+m.Name+"] was dropped: it is not supported any more", path)
		return nil, false
	}
	if goneParams[m.Name] || m.Name == "precision" && typ == "geo_shape" {
		return drop()
	}
	if was == "string" && (typ == "text" && keywordOnly[m.Name] || typ == "keyword" && textOnly[m.Name]) {
		return nil, false
	}
	switch m.Name {
	case "type":
		return typ, true
	case "properties":
		return t.properties(path+".", m.Value), true
	case "fields":
		return t.properties(path+".", m.Value), true
	case "dynamic":
		return t.dynamic(m.Value, path), true
	case "index":
		switch m.Value {
		case "no", "false":
			return false, true
		case "analyzed", "not_analyzed", "yes", "true":
			return nil, false
		}
	case "norms":
		if o, ok := m.Value.(*smile.Object); ok {
			return !isFalse(o, "enabled"), true
		}
	case "fielddata":
		if o, ok := m.Value.(*smile.Object); ok {
			if format := textOf(o, "format"); typ != "text" || format == "" || format == "disabled" {
				return nil, false
			}
			return true, true
		}
	case "doc_values":
		if _, ok := m.Value.(*smile.Object); ok {
			return nil, false
		}
	case "similarity":
		if name, ok := m.Value.(string); ok && t.classic[name] {
			t.lost("the similarity ["+name+"] became [BM25]", path)
			return nil, false
		}
	case "format":
		return t.dateFormat(m.Value), true
	}
	if b, ok := boolOf(m.Value); ok && flagParams[m.Name] {
		return b, true
	}
	return m.Value, true
}

// flagParams may have been written as strings.
var flagParams = map[string]bool{"index": true, "store": true, "doc_values": true, "coerce": true, "ignore_malformed": true, "norms": true, "enabled": true, "include_in_parent": true,
	"include_in_root": true, "eager_global_ordinals": true, "fielddata": true}

func boolOf(v any) (bool, bool) {
	switch v {
	case "true", "yes", "on", "1":
		return true, true
	case "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// dynamicTemplates translates the mappings within a list of {name: {match…, mapping}}.
func (t *translator) dynamicTemplates(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	out := make([]any, 0, len(list))
	for _, e := range list {
		o, ok := e.(*smile.Object)
		if !ok || o.Len() != 1 {
			out = append(out, e)
			continue
		}
		name := o.Members[0].Name
		def, ok := o.Members[0].Value.(*smile.Object)
		if !ok {
			out = append(out, e)
			continue
		}
		next := smile.NewObject()
		for _, m := range def.Members {
			mapping, ok := m.Value.(*smile.Object)
			switch {
			case m.Name == "mapping" && ok:
				next.Set(m.Name, t.field("dynamic template "+name, mapping))
			case m.Name == "runtime":
				t.lost("a dynamic template for runtime fields was dropped", name)
				next = nil
			default:
				next.Set(m.Name, m.Value)
			}
			if next == nil {
				break
			}
		}
		if next != nil {
			out = append(out, smile.NewObject(smile.Member{Name: name, Value: next}))
		}
	}
	return out
}

func isFalse(o *smile.Object, name string) bool {
	v, ok := o.Get(name)
	if b, isText := boolOf(v); isText {
		return !b
	}
	return ok && v == false
}

func hasAny(o *smile.Object, names ...string) bool {
	for _, n := range names {
		if _, ok := o.Get(n); ok {
			return true
		}
	}
	return false
}

func keep(o *smile.Object, names ...string) *smile.Object {
	out := smile.NewObject()
	for _, n := range names {
		if v, ok := o.Get(n); ok {
			out.Set(n, v)
		}
	}
	return out
}

func textOf(o *smile.Object, name string) string {
	v, _ := o.Get(name)
	s, _ := v.(string)
	return s
}
