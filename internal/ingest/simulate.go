package ingest

import (
	"slices"

	"github.com/varve-search/varve/internal/javavalue"
)

// simulatedID is the name of a pipeline that a simulation brings along.
const simulatedID = "_simulate_pipeline"

// MetadataKeys are the keys of a document's metadata, in the order in which answers show them.
func MetadataKeys() []string { return slices.Clone(metadataKeys) }

// CompileSimulated reads the pipeline of a simulation's body, which it takes apart.
func CompileSimulated(body *javavalue.Object) (*Pipeline, error) {
	c := &config{o: body}
	v := body.Remove("pipeline")
	if v == nil {
		return nil, c.missing("pipeline")
	}
	o, ok := v.(*object)
	if !ok {
		return nil, c.wrongType("pipeline", "a map", v)
	}
	return compile(simulatedID, o)
}

// SimulatedDocuments reads the documents of a simulation's body, which it takes apart.
func SimulatedDocuments(body *javavalue.Object) ([]*Document, error) {
	c := &config{o: body}
	if v, _ := body.Get("docs"); v == nil {
		return nil, c.missing("docs")
	}
	l, err := c.optionalList("docs")
	if err != nil {
		return nil, err
	}
	if len(l.Items) == 0 {
		return nil, illegalArgument("must specify at least one document in [docs]")
	}
	docs := make([]*Document, len(l.Items))
	for i, e := range l.Items {
		o, ok := e.(*object)
		if !ok {
			return nil, illegalArgument("malformed [docs] section, should include an inner object")
		}
		if docs[i], err = simulatedDocument(&config{o: o}); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

func simulatedDocument(c *config) (*Document, error) {
	v := c.o.Remove("_source")
	if v == nil {
		return nil, c.missing("_source")
	}
	source, ok := v.(*object)
	if !ok {
		return nil, c.wrongType("_source", "a map", v)
	}
	texts := map[string]string{"_index": "_index", "_id": "_id", "_routing": ""}
	for _, key := range []string{"_index", "_id", "_routing"} {
		switch v := c.o.Remove(key).(type) {
		case nil:
		case string:
			texts[key] = v
		case int32:
			texts[key] = javavalue.String(v)
		default:
			return nil, c.wrongType(key, "a string or int", v)
		}
	}
	numbers := map[string]*int64{}
	for _, key := range []string{"_version", "_if_seq_no", "_if_primary_term"} {
		if !c.o.Has(key) {
			continue
		}
		var n int64
		switch v := c.o.Remove(key).(type) {
		case nil:
			return nil, c.missing(key)
		case int32:
			n = int64(v)
		case int64:
			n = v
		default:
			return nil, illegalArgument("Failed to parse parameter [%s], only int or long is accepted", key)
		}
		numbers[key] = &n
	}
	versionType := ""
	if c.o.Has("_version_type") {
		var err error
		if versionType, err = c.text("_version_type"); err != nil {
			return nil, err
		}
		if versionType == "external_gt" {
			versionType = "external"
		}
		if !slices.Contains([]string{"internal", "external", "external_gte"}, versionType) {
			return nil, illegalArgument("No version type match [%s]", versionType)
		}
	}
	d := NewDocument(source, texts["_index"], texts["_id"], texts["_routing"], numbers["_version"], versionType)
	for _, key := range []string{"_if_seq_no", "_if_primary_term"} {
		if n := numbers[key]; n != nil {
			d.Fields.Put(key, *n)
		}
	}
	return d, nil
}
