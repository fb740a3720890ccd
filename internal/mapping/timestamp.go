package mapping

import (
	"fmt"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// DefaultTimestamp is the field that orders a data stream where nothing else was said.
const DefaultTimestamp = "@timestamp"

// streamTimestamp is the metadata field _data_stream_timestamp: where enabled, each document has exactly one value of a date field.
type streamTimestamp struct {
	given, enabled bool
	field          string
}

// set reads one parameter.
func (s *streamTimestamp) set(key string, v any) (err error) {
	switch key {
	case "enabled":
		s.enabled, err = nodeBool(v)
	case "timestamp_field":
		var name any
		if o, ok := v.(*xcontent.Object); ok {
			name, _ = o.Get("name")
		}
		text, ok := name.(string)
		if !ok || text == "" {
			return apierr.MapperParsing("[timestamp_field] of [_data_stream_timestamp] must be an object with the field's [name]")
		}
		s.field = text
	default:
		err = apierr.MapperParsing("unknown parameter [%s] on mapper [_data_stream_timestamp] of type [null]", key)
	}
	return err
}

func (s streamTimestamp) name() string {
	if s.field == "" {
		return DefaultTimestamp
	}
	return s.field
}

func (s streamTimestamp) render(o *xcontent.Object) {
	out := &xcontent.Object{}
	if s.enabled {
		out.Add("enabled", true)
	}
	if s.name() != DefaultTimestamp {
		out.Add("timestamp_field", xcontent.Obj("name", s.name()))
	}
	if out.Len() > 0 {
		o.Add("_data_stream_timestamp", out)
	}
}

// check refuses a document without exactly one time.
func (s streamTimestamp) check(doc *lucene.Document) error {
	if !s.enabled {
		return nil
	}
	values := 0
	for i := range doc.Fields {
		if f := &doc.Fields[i]; f.Name == s.name() && f.Type.DocValuesType == lucene.DocValuesSortedNumeric {
			values++
		}
	}
	if values != 1 {
		return apierr.IllegalArgument("documents must contain a single-valued timestamp field '%s' of date type", s.name())
	}
	return nil
}

// conflicts names what an update of a mapping must not change.
func (s streamTimestamp) conflicts(update streamTimestamp) []string {
	var out []string
	if s.enabled != update.enabled {
		out = append(out, fmt.Sprintf("Cannot update parameter [enabled] from [%t] to [%t]", s.enabled, update.enabled))
	}
	if s.name() != update.name() {
		out = append(out, fmt.Sprintf("Cannot update parameter [timestamp_field] from [%s] to [%s]", s.name(), update.name()))
	}
	return out
}
