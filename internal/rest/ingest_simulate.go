package rest

import (
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/ingest"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/xcontent"
)

// simulatePipeline runs a stored or given pipeline on given documents and indexes nothing.
func (a *API) simulatePipeline(r *Request) (*Response, error) {
	verbose, err := r.Bool("verbose", false)
	if err != nil {
		return nil, err
	}
	id, stored := r.Param("id"), r.Has("id")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if _, err := bodyOrSource(r); err != nil {
		return nil, err
	}
	body, err := javavalue.DecodeObject(r.Body)
	if err != nil {
		return nil, ingest.BadJSON(err)
	}
	var p *ingest.Pipeline
	if stored {
		if p = a.Docs.Pipelines.Get(id); p == nil {
			return nil, apierr.IllegalArgument("pipeline [%s] does not exist", id)
		}
	} else if p, err = ingest.CompileSimulated(body); err != nil {
		return nil, err
	}
	docs, err := ingest.SimulatedDocuments(body)
	if err == nil {
		err = a.checkProcessors(p)
	}
	if err != nil {
		return nil, err
	}
	list := make([]any, len(docs))
	for i, d := range docs {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		if verbose {
			results, err := p.Simulate(d, a.Docs.Pipelines.Get)
			if err != nil {
				return nil, err
			}
			list[i] = xcontent.Obj("processor_results", processorResults(results))
			continue
		}
		keep, err := p.Run(d, a.Docs.Pipelines.Get)
		switch {
		case ingest.Escaped(err):
			return nil, err
		case err != nil:
			list[i] = xcontent.Obj("error", failureObject(err))
		case keep:
			list[i] = xcontent.Obj("doc", documentObject(d))
		}
	}
	return OK(xcontent.Obj("docs", list))
}

func processorResults(results []ingest.ProcessorResult) []any {
	list := make([]any, len(results))
	for i := range results {
		res := &results[i]
		o := xcontent.Obj("processor_type", res.Type, "status", res.Status)
		if res.Description != "" {
			o.Add("description", res.Description)
		}
		if res.Tag != "" {
			o.Add("tag", res.Tag)
		}
		if res.Condition != "" {
			o.Add("if", xcontent.Obj("condition", res.Condition, "result", res.Held))
		}
		switch {
		case res.Err != nil && res.Document != nil:
			o.Add("ignored_error", xcontent.Obj("error", failureObject(res.Err)))
		case res.Err != nil:
			o.Add("error", failureObject(res.Err))
		}
		if res.Document != nil {
			o.Add("doc", documentObject(res.Document))
		}
		list[i] = o
	}
	return list
}

// documentObject renders a document of a simulation; its metadata are texts.
func documentObject(d *ingest.Document) *xcontent.Object {
	o := &xcontent.Object{}
	for _, key := range ingest.MetadataKeys() {
		if v, _ := d.Fields.Get(key); v != nil {
			o.Add(key, javavalue.String(v))
		}
	}
	return o.Add("_source", javavalue.Plain(d.Source())).Add("_ingest", javavalue.Plain(d.Ingest))
}
