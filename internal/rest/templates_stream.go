package rest

import (
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/xcontent"
)

// streamTemplate reads the object data_stream of an index template and returns it as it is kept. Unknown keys are ignored.
func streamTemplate(v any) (any, error) {
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.XContentParse("[index_template] data_stream doesn't support values of type: %s", jsonKind(v))
	}
	field := mapping.DefaultTimestamp
	if f, given := o.Get("timestamp_field"); given && f != nil {
		fo, ok := f.(*xcontent.Object)
		if !ok {
			return nil, failedField("index_template", "data_stream", apierr.XContentParse("[data_stream_template] timestamp_field doesn't support values of type: %s", jsonKind(f)))
		}
		var err error
		if field, err = timestampField(fo); err != nil {
			return nil, failedField("index_template", "data_stream", failedField("data_stream_template", "timestamp_field", err))
		}
	}
	return xcontent.Obj("timestamp_field", xcontent.Obj("name", field)), nil
}

func timestampField(o *xcontent.Object) (string, error) {
	name, given := "", false
	for _, m := range o.Members {
		if m.Key != "name" {
			text := "[timestamp_field] unknown field [" + m.Key + "]"
			if len(nearest(m.Key, []string{"name"})) > 0 {
				text += " did you mean [name]?"
			}
			return "", apierr.XContentParse("%s", text)
		}
		if name, given = m.Value.(string); !given {
			return "", apierr.XContentParse("[timestamp_field] name doesn't support values of type: %s", jsonKind(m.Value))
		}
	}
	if !given {
		return "", apierr.IllegalArgument("Required [name]")
	}
	return name, nil
}

// unreferenced returns the data streams that no template makes any more.
func unreferenced(v *state.View) ([]string, error) {
	var out []string
	for _, s := range v.DataStreams() {
		_, t, err := cluster.FindIndexTemplate(v, s.Name, false)
		if err != nil {
			return nil, err
		}
		if t != nil {
			if _, ok := t.TimestampField(); ok {
				continue
			}
		}
		out = append(out, s.Name)
	}
	return out, nil
}

// streamsKeepTemplates refuses an index template by which a data stream would lose the one that makes its indices.
func streamsKeepTemplates(tx *state.Tx, name string, t *cluster.Template, rec state.Record) error {
	if len(tx.DataStreams()) == 0 {
		return nil
	}
	before, err := unreferenced(tx.View)
	if err != nil {
		return err
	}
	tx.Put(rec)
	after, err := unreferenced(tx.View)
	if err != nil || len(after) <= len(before) {
		return err
	}
	without := ""
	if _, ok := t.TimestampField(); !ok {
		without = "and no data stream configuration "
	}
	priority := "null"
	if t.Priority != nil {
		priority = itoa(*t.Priority)
	}
	return apierr.IllegalArgument("composable template [%s] with index patterns %s, priority [%s] %swould cause data streams %s to no longer match a data stream template",
		name, javaList(t.IndexPatterns), priority, without, javaList(after))
}

// streamsInUse refuses to delete index templates that make the indices of data streams.
func streamsInUse(v *state.View, found []stored) error {
	var templates, streams []string
	for _, s := range found {
		templates = append(templates, s.name)
		t, err := cluster.ParseTemplate(v.IndexTemplate(s.name).Body)
		if err != nil {
			return err
		}
		if _, ok := t.TimestampField(); !ok {
			continue
		}
		for _, d := range v.DataStreams() {
			if slices.ContainsFunc(t.IndexPatterns, func(p string) bool { return settings.Match(p, d.Name) }) && !slices.Contains(streams, d.Name) {
				streams = append(streams, d.Name)
			}
		}
	}
	if len(streams) == 0 {
		return nil
	}
	slices.Sort(templates)
	slices.Sort(streams)
	return apierr.IllegalArgument("unable to remove composable templates [%s] as they are in use by a data streams [%s]", strings.Join(templates, ", "), strings.Join(streams, ", "))
}
