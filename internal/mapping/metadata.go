package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// metadata holds what the mapping says about metadata fields.
type metadata struct {
	sourceEnabled   bool
	sourceGiven     bool
	includes        []string
	excludes        []string
	routingRequired bool
	routingGiven    bool
	fieldNames      explicit
	timestamp       streamTimestamp
	recovery        []xcontent.Member
}

var defaultMetadata = metadata{sourceEnabled: true, fieldNames: explicit{value: true}}

// parse reads one metadata field's definition.
func (md *metadata) parse(key string, v any, lenient bool) (bool, error) {
	switch key {
	case "_source", "_routing", "_field_names", "_doc_count", "_data_stream_timestamp":
	case "_id", "_index", "_ignored", "_seq_no", "_version", "_nested_path", "_type", "_feature":
		return true, apierr.MapperParsing("%s is not configurable", key)
	case "_size":
		return true, apierr.MapperParsing("Root mapping definition has unsupported parameters:  [_size : %s]", javaValue(v))
	default:
		return false, nil
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return true, apierr.IllegalArgument("[_parent] must be an object containing [type]")
	}
	for _, m := range o.Members {
		var err error
		switch {
		case m.Key == "type":
		case key == "_source" && m.Key == "enabled":
			md.sourceEnabled, err = nodeBool(m.Value)
			md.sourceGiven = true
		case key == "_source" && m.Key == "includes":
			md.includes, err = stringList(m.Value)
			md.sourceGiven = true
		case key == "_source" && m.Key == "excludes":
			md.excludes, err = stringList(m.Value)
			md.sourceGiven = true
		case key == "_source" && (m.Key == "recovery_source_enabled" || m.Key == "recovery_source_includes" || m.Key == "recovery_source_excludes"):
			md.recovery = append(md.recovery, m)
		case key == "_routing" && m.Key == "required":
			md.routingRequired, err = nodeBool(m.Value)
			md.routingGiven = true
		case key == "_field_names" && m.Key == "enabled":
			md.fieldNames.given = true
			md.fieldNames.value, err = nodeBool(m.Value)
		case key == "_data_stream_timestamp":
			err = md.timestamp.set(m.Key, m.Value)
		default:
			err = apierr.MapperParsing("unknown parameter [%s] on mapper [%s] of type [null]", m.Key, key)
		}
		if err != nil {
			return true, err
		}
	}
	if key == "_data_stream_timestamp" {
		md.timestamp.given = true
	}
	return true, nil
}

func stringList(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, apierr.IllegalArgument("class java.lang.%s cannot be cast to class java.util.List", javaClass(v))
	}
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = javaValue(e)
	}
	return out, nil
}

func (md metadata) merge(update metadata, reason mergeReason) (metadata, error) {
	var conflicts []string
	compare := func(same bool, param, old, value string) {
		if !same && reason == mergeUpdate {
			conflicts = append(conflicts, fmt.Sprintf("Cannot update parameter [%s] from [%s] to [%s]", param, old, value))
		}
	}
	failed := func(name string) error {
		if len(conflicts) == 0 {
			return nil
		}
		return apierr.IllegalArgument("Mapper for [%s] conflicts with existing mapper:\n\t%s", name, strings.Join(conflicts, "\n\t"))
	}
	if update.sourceGiven {
		compare(md.sourceEnabled == update.sourceEnabled, "enabled", javaString(md.sourceEnabled), javaString(update.sourceEnabled))
		compare(slices.Equal(md.includes, update.includes), "includes", javaList(md.includes), javaList(update.includes))
		compare(slices.Equal(md.excludes, update.excludes), "excludes", javaList(md.excludes), javaList(update.excludes))
		if err := failed("_source"); err != nil {
			return md, err
		}
		md.sourceGiven, md.sourceEnabled, md.includes, md.excludes = true, update.sourceEnabled, update.includes, update.excludes
	}
	if update.routingGiven {
		compare(md.routingRequired == update.routingRequired, "required", javaString(md.routingRequired), javaString(update.routingRequired))
		if err := failed("_routing"); err != nil {
			return md, err
		}
		md.routingGiven, md.routingRequired = true, update.routingRequired
	}
	if update.fieldNames.given {
		md.fieldNames = update.fieldNames
	}
	if update.timestamp.given {
		if reason == mergeUpdate {
			conflicts = md.timestamp.conflicts(update.timestamp)
			if err := failed("_data_stream_timestamp"); err != nil {
				return md, err
			}
		}
		md.timestamp = update.timestamp
	}
	if update.recovery != nil {
		md.recovery = update.recovery
	}
	return md, nil
}

func javaList(list []string) string {
	v := make([]any, len(list))
	for i, s := range list {
		v[i] = s
	}
	return javaValue(v)
}

// render prints the metadata fields that differ from their defaults.
func (md metadata) render(o *xcontent.Object) {
	md.timestamp.render(o)
	if md.fieldNames.given {
		o.Add("_field_names", xcontent.Obj("enabled", md.fieldNames.value))
	}
	if md.routingRequired {
		o.Add("_routing", xcontent.Obj("required", true))
	}
	src := xcontent.Obj()
	if !md.sourceEnabled {
		src.Add("enabled", false)
	}
	add := func(key string, list []string) {
		if len(list) > 0 {
			v := make([]any, len(list))
			for i, s := range list {
				v[i] = s
			}
			src.Add(key, v)
		}
	}
	add("includes", md.includes)
	add("excludes", md.excludes)
	src.Members = append(src.Members, md.recovery...)
	if src.Len() > 0 {
		o.Add("_source", src)
	}
}

// Schemas of the metadata fields.
var (
	idSchema          = &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true}
	sourceSchema      = &lucene.FieldType{}
	routingSchema     = idSchema
	nestedPathSchema  = idSchema
	fieldNamesSchema  = idSchema
	ignoredSchema     = idSchema
	seqNoSchema       = &lucene.FieldType{DocValuesType: lucene.DocValuesNumeric, PointDims: 1, PointIndexDims: 1, PointBytes: 8}
	versionSchema     = &lucene.FieldType{DocValuesType: lucene.DocValuesNumeric}
	primaryTermSchema = versionSchema
	docCountSchema    = versionSchema
)

// metadataFields are the fields that every index has, for queries.
var metadataFields = map[string]*Field{}

func init() {
	add := func(name string, schema *lucene.FieldType, searchable, stored bool) {
		metadataFields[name] = &Field{name: name, simple: name, def: &typeDef{name: name, kind: KindMetadata}, schema: schema, searchable: searchable,
			docValues: schema.DocValuesType != lucene.DocValuesNone, stored: stored}
	}
	add("_id", idSchema, true, true)
	add("_routing", routingSchema, true, true)
	add("_ignored", ignoredSchema, true, true)
	add("_field_names", fieldNamesSchema, true, false)
	add("_nested_path", nestedPathSchema, true, false)
	add("_seq_no", seqNoSchema, true, false)
	add("_version", versionSchema, false, false)
	add("_primary_term", primaryTermSchema, false, false)
	add("_doc_count", docCountSchema, false, false)
	add("_source", sourceSchema, false, true)
	add("_index", sourceSchema, true, false)
}

// SourceFilters returns which parts of a source the index keeps: includes (none: all) without excludes.
func (m *Mapping) SourceFilters() (includes, excludes []string) {
	return m.metadata.includes, m.metadata.excludes
}
