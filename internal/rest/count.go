package rest

import (
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/xcontent"
)

// onlyQuery reads a body that has a query and nothing else.
func onlyQuery(r *Request) (any, error) {
	o, err := r.object()
	if err != nil || o == nil {
		return nil, err
	}
	var q any
	for _, m := range o.Members {
		if m.Key != "query" {
			return nil, apierr.Parsing("request does not support [%s]", m.Key)
		}
		q = m.Value
	}
	return q, nil
}

// count answers _count.
func (a *API) count(r *Request) (*Response, error) {
	r.Ignore("preference")
	req := &coordinator.SearchRequest{Indices: indexList(r.Param("index")), Source: coordinator.NewSearchSource(), Routing: r.List("routing")}
	var err error
	if req.Options, err = indicesOptions(r, searchOptions); err != nil {
		return nil, err
	}
	uri, err := uriQuery(r)
	if err != nil {
		return nil, err
	}
	if req.Source.Query, err = onlyQuery(r); err != nil {
		return nil, err
	}
	if req.Source.Query == nil {
		req.Source.Query = uri
	}
	if r.Has("min_score") {
		f, err := strconv.ParseFloat(r.Param("min_score"), 32)
		if err != nil {
			return nil, apierr.IllegalArgument("Failed to parse float parameter [min_score] with value [%s]", r.Param("min_score"))
		}
		min := float32(f)
		req.Source.MinScore = &min
	}
	if req.Source.TerminateAfter, err = r.Int("terminate_after", 0); err != nil {
		return nil, err
	}
	if req.Source.TerminateAfter < 0 {
		return nil, apierr.IllegalArgument("terminateAfter must be > 0")
	}
	res, err := a.Docs.Count(r.Context(), req)
	if err != nil {
		return nil, searchError(err)
	}
	o := &xcontent.Object{}
	if res.TerminatedEarly != nil {
		o.Add("terminated_early", *res.TerminatedEarly)
	}
	return &Response{Status: searchStatus(res), Body: o.Add("count", res.Total.Value).Add("_shards", shardCountsObject(&res.Shards, true))}, nil
}
