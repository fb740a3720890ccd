package rest

import (
	"math"
	"net/http"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/ingest"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeIngest(rt *Router) {
	rt.Handle("PUT", "/_ingest/pipeline/{id}", a.putPipeline)
	rt.Handle("GET", "/_ingest/pipeline", a.getPipelines)
	rt.Handle("GET", "/_ingest/pipeline/{id}", a.getPipelines)
	rt.Handle("DELETE", "/_ingest/pipeline/{id}", a.deletePipelines)
	rt.Handle("GET|POST", "/_ingest/pipeline/_simulate", a.simulatePipeline)
	rt.Handle("GET|POST", "/_ingest/pipeline/{id}/_simulate", a.simulatePipeline)
	rt.Handle("GET", "/_ingest/processor/grok", a.grokPatterns)
}

var errEmptyPipeline = apierr.Validation("pipeline cannot be an empty string")

// pipelineParam reads the pipeline that a write asks for.
func pipelineParam(r *Request) (string, error) {
	p := r.Param("pipeline")
	if p == "" && r.Has("pipeline") {
		return "", errEmptyPipeline
	}
	return p, nil
}

// checkProcessors refuses pipelines with more processors than a cluster setting allows.
func (a *API) checkProcessors(p *ingest.Pipeline) error {
	limit, err := a.clusterNumber("cluster.ingest.max_number_processors", math.MaxInt32)
	if n := int64(len(p.Processors())); err == nil && n > limit {
		err = apierr.New(http.StatusInternalServerError, "illegal_state_exception",
			"Cannot use more than the maximum processors allowed. Number of processors being configured is [%d] which exceeds the maximum allowed configuration of [%d] processors.", n, limit)
	}
	return err
}

// bodyOrSource returns the body as a JSON object.
func bodyOrSource(r *Request) (*xcontent.Object, error) {
	o, err := r.object()
	if err == nil && o == nil {
		err = apierr.New(http.StatusBadRequest, "parse_exception", "request body or source parameter is required")
	}
	return o, err
}

func (a *API) putPipeline(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	body, err := bodyOrSource(r)
	if err != nil {
		return nil, err
	}
	id := r.Param("id")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	raw, err := body.MarshalJSON()
	if err != nil {
		return nil, err
	}
	p, err := ingest.Compile(id, raw)
	if err == nil {
		err = a.checkProcessors(p)
	}
	if err != nil {
		return nil, err
	}
	return a.updateState(r.Context(), func(tx *state.Tx) error {
		tx.Put(&state.Pipeline{Stored: state.Stored{Name: id, Body: raw}})
		return nil
	})
}

func (a *API) getPipelines(r *Request) (*Response, error) {
	r.Ignore("local")
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	wanted := r.List("id")
	out := &xcontent.Object{}
	for _, p := range a.view().Pipelines() {
		if len(wanted) > 0 && len(wildcard.MatchNames([]string{p.Name}, wanted...)) == 0 {
			continue
		}
		out.Add(p.Name, p.Body)
	}
	status := http.StatusOK
	if out.Len() == 0 {
		status = http.StatusNotFound
	}
	return &Response{Status: status, Body: out}, nil
}

func (a *API) deletePipelines(r *Request) (*Response, error) {
	if _, err := a.timeouts(r); err != nil {
		return nil, err
	}
	id := r.Param("id")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	return a.updateState(r.Context(), func(tx *state.Tx) error {
		found := false
		for _, p := range tx.Pipelines() {
			if wildcardMatch(id, p.Name) {
				found = true
				tx.Delete(&state.Pipeline{Stored: state.Stored{Name: p.Name}})
			}
		}
		if !found && id != "*" {
			return apierr.New(http.StatusNotFound, "resource_not_found_exception", "pipeline [%s] is missing", id)
		}
		return nil
	})
}

func (a *API) grokPatterns(r *Request) (*Response, error) {
	r.Ignore("s") // they are sorted anyway
	patterns := ingest.Patterns()
	out := &xcontent.Object{}
	for _, n := range sortedKeys(patterns) {
		out.Add(n, patterns[n])
	}
	return OK(xcontent.Obj("patterns", out))
}

// ingestInfo names the processors that pipelines may use.
func ingestInfo() *xcontent.Object {
	list := []any{}
	for _, t := range ingest.Types() {
		list = append(list, xcontent.Obj("type", t))
	}
	return xcontent.Obj("processors", list)
}

// ingestStats are the counts of pipelines and processors.
func (a *API) ingestStats() *xcontent.Object {
	count := func(c ingest.Count) *xcontent.Object {
		return xcontent.Obj("count", c.Count, "time_in_millis", c.Millis, "current", c.Current, "failed", c.Failed)
	}
	pipelines := &xcontent.Object{}
	for _, rec := range a.view().Pipelines() {
		p := a.Docs.Pipelines.Get(rec.Name)
		if p == nil {
			continue
		}
		own, steps := p.Stats()
		processors := []any{}
		for _, s := range steps {
			processors = append(processors, xcontent.Obj(s.Name, xcontent.Obj("type", s.Type, "stats", count(s))))
		}
		pipelines.Add(rec.Name, count(own).Add("processors", processors))
	}
	return xcontent.Obj("total", count(a.Docs.Pipelines.Total.Read()), "pipelines", pipelines)
}

// failureObject renders an error as simulations show it.
func failureObject(err error) *xcontent.Object {
	err = translate(err)
	roots := []any{}
	for _, root := range rootCauses(err) {
		o := errorObject(root)
		o.Members = withoutCause(o.Members)
		roots = append(roots, o)
	}
	o := xcontent.Obj("root_cause", roots)
	o.Members = append(o.Members, errorObject(err).Members...)
	return o
}
