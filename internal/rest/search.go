package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

func (a *API) routeSearch(rt *Router) {
	rt.Handle("GET|POST", "/_search", a.search)
	rt.Handle("GET|POST", "/{index}/_search", a.search)
	rt.Handle("GET|POST", "/_count", a.count)
	rt.Handle("GET|POST", "/{index}/_count", a.count)
	rt.Handle("GET|POST", "/_msearch", a.multiSearch)
	rt.Handle("GET|POST", "/{index}/_msearch", a.multiSearch)
	rt.Handle("GET|POST", "/_search/scroll", a.scroll)
	rt.Handle("GET|POST", "/_search/scroll/{scroll_id}", a.scroll)
	rt.Handle("DELETE", "/_search/scroll", a.clearScroll)
	rt.Handle("DELETE", "/_search/scroll/{scroll_id}", a.clearScroll)
	rt.Handle("POST", "/{index}/_search/point_in_time", a.createPIT)
	rt.Handle("DELETE", "/_search/point_in_time", a.deletePIT)
	rt.Handle("DELETE", "/_search/point_in_time/_all", a.deleteAllPITs)
	rt.Handle("GET", "/_search/point_in_time/_all", a.listPITs)
	rt.Handle("GET|POST", "/_validate/query", a.validateQuery)
	rt.Handle("GET|POST", "/{index}/_validate/query", a.validateQuery)
	rt.Handle("GET|POST", "/_search_shards", a.searchShards)
	rt.Handle("GET|POST", "/{index}/_search_shards", a.searchShards)
}

// searchOptions are the options that searches start from.
var searchOptions = wildcard.StrictExpandOpenForbidClosed

// indexList splits the {index} of a path.
func indexList(expr string) []string {
	var list []string
	for _, s := range wildcard.Split(expr) {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// search answers _search.
func (a *API) search(r *Request) (*Response, error) {
	req, asInt, err := readSearch(r)
	if err != nil {
		return nil, err
	}
	res, err := a.Docs.Search(r.Context(), req)
	if err != nil {
		return nil, searchError(err)
	}
	return &Response{Status: searchStatus(res), Body: searchObject(res, asInt)}, nil
}

// readSearch reads the body of a search and the parameters over it.
func readSearch(r *Request) (req *coordinator.SearchRequest, totalAsInt bool, err error) {
	o, err := r.object()
	if err != nil {
		return nil, false, err
	}
	req = &coordinator.SearchRequest{Indices: indexList(r.Param("index"))}
	if req.Source, err = coordinator.ParseSearchSource(o); err != nil {
		return nil, false, err
	}
	if req.Options, err = indicesOptions(r, searchOptions); err != nil {
		return nil, false, err
	}
	req.Source.Fetch.ReadStored = storedFields
	if err := searchParams(r, req); err != nil {
		return nil, false, err
	}
	if err := sourceOverrides(r, req.Source); err != nil {
		return nil, false, err
	}
	if totalAsInt, err = totalAsIntParam(r, req); err != nil {
		return nil, false, err
	}
	if req.Source.PIT != "" {
		var faults []string
		if len(req.Indices) > 0 {
			faults = append(faults, "[indices] cannot be used with point in time")
		}
		if len(req.Routing) > 0 {
			faults = append(faults, "[routing] cannot be used with point in time")
		}
		if r.Param("preference") != "" {
			faults = append(faults, "[preference] cannot be used with point in time")
		}
		if len(faults) > 0 {
			return nil, false, apierr.Validation(faults...)
		}
	}
	return req, totalAsInt, nil
}

// totalAsIntParam reads rest_total_hits_as_int, which asks for an exact total.
func totalAsIntParam(r *Request, req *coordinator.SearchRequest) (bool, error) {
	asInt, err := r.Bool("rest_total_hits_as_int", false)
	if err != nil || !asInt {
		return false, err
	}
	src := req.Source
	switch {
	case !src.TrackTotalGiven:
		src.TrackTotal = coordinator.TrackAll
	case src.TrackTotal != coordinator.TrackAll && src.TrackTotal != coordinator.TrackNone:
		return false, apierr.IllegalArgument("[rest_total_hits_as_int] cannot be used if the tracking of total hits is not accurate, got %d", src.TrackTotal)
	}
	return true, nil
}

// searchParams reads what is about the search and not of its body.
func searchParams(r *Request, req *coordinator.SearchRequest) error {
	r.Ignore("preference", "batched_reduce_size", "max_concurrent_shard_requests", "pre_filter_shard_size", "request_cache", "ccs_minimize_roundtrips",
		"stats", "cancel_after_time_interval", "phase_took", "include_named_queries_score", "verbose_pipeline")
	switch t := r.Param("search_type"); t {
	case "", "query_then_fetch":
	case "dfs_query_then_fetch":
		req.DFS = true
	case "query_and_fetch", "dfs_query_and_fetch":
		return apierr.IllegalArgument("Unsupported search type [%s]", t)
	default:
		return apierr.IllegalArgument("No search type for [%s]", t)
	}
	if p := r.Param("search_pipeline"); p != "" && p != "_none" {
		return apierr.NotImplemented("search pipelines are not built in this server")
	}
	if r.Has("suggest_field") || r.Has("suggest_text") || r.Has("suggest_mode") || r.Has("suggest_size") {
		return apierr.NotImplemented("[suggest] of a search is not built in this server")
	}
	if n, err := r.Int("batched_reduce_size", 512); err != nil || n < 2 {
		if err == nil {
			err = apierr.IllegalArgument("batchedReduceSize must be >= 2")
		}
		return err
	}
	if n, err := r.Int("max_concurrent_shard_requests", 5); err != nil || n < 1 {
		if err == nil {
			err = apierr.IllegalArgument("maxConcurrentShardRequests must be >= 1")
		}
		return err
	}
	if r.Has("pre_filter_shard_size") {
		if n, err := r.Int("pre_filter_shard_size", 128); err != nil || n < 1 {
			if err == nil {
				err = apierr.IllegalArgument("preFilterShardSize must be >= 1")
			}
			return err
		}
	}
	req.Routing = r.List("routing")
	var err error
	if req.Scroll, err = r.Time("scroll", 0); err != nil {
		return err
	}
	if cached, err := r.Bool("request_cache", false); err != nil || cached && req.Scroll > 0 {
		if err == nil {
			err = apierr.Validation("[request_cache] cannot be used in a scroll context")
		}
		return err
	}
	if req.TypedKeys, err = r.Bool("typed_keys", false); err != nil {
		return err
	}
	if r.Has("allow_partial_search_results") {
		allowed, err := r.Bool("allow_partial_search_results", true)
		if err != nil {
			return err
		}
		refuse := !allowed
		req.RefusePartial = &refuse
	}
	return nil
}

// uriQuery makes the query of the parameter q, or nil.
func uriQuery(r *Request) (any, error) {
	r.Ignore("df", "analyzer", "default_operator", "lenient", "analyze_wildcard")
	if !r.Has("q") {
		return nil, nil
	}
	o := xcontent.Obj("query", r.Param("q"))
	if r.Has("df") {
		o.Add("default_field", r.Param("df"))
	}
	if r.Has("analyzer") {
		o.Add("analyzer", r.Param("analyzer"))
	}
	if r.Has("default_operator") {
		switch op := r.Param("default_operator"); strings.ToLower(op) {
		case "and", "or":
			o.Add("default_operator", op)
		default:
			return nil, apierr.IllegalArgument("operator needs to be either AND or OR, but not [%s]", op)
		}
	}
	for _, name := range []string{"lenient", "analyze_wildcard"} {
		if r.Has(name) {
			v, err := r.Bool(name, false)
			if err != nil {
				return nil, err
			}
			o.Add(name, v)
		}
	}
	return xcontent.Obj("query_string", o), nil
}

// sourceOverrides reads the parameters that change the body.
func sourceOverrides(r *Request, s *coordinator.SearchSource) error {
	q, err := uriQuery(r)
	if err != nil {
		return err
	}
	if q != nil {
		s.Query = q
	}
	if s.From, err = r.Int("from", s.From); err != nil {
		return err
	}
	if s.Size, err = r.Int("size", s.Size); err != nil {
		return err
	}
	if r.Has("from") && s.From < 0 {
		return apierr.IllegalArgument("[from] parameter cannot be negative, found [%d]", s.From)
	}
	if r.Has("size") && s.Size < 0 {
		return apierr.IllegalArgument("[size] parameter cannot be negative, found [%d]", s.Size)
	}
	if explain, err := r.Bool("explain", false); err != nil || explain {
		if err == nil {
			err = apierr.NotImplemented("[explain] of a search is not built in this server")
		}
		return err
	}
	if s.Fetch.Version, err = r.Bool("version", s.Fetch.Version); err != nil {
		return err
	}
	if s.Fetch.SeqNoAndPrimaryTerm, err = r.Bool("seq_no_primary_term", s.Fetch.SeqNoAndPrimaryTerm); err != nil {
		return err
	}
	if s.TrackScores, err = r.Bool("track_scores", s.TrackScores); err != nil {
		return err
	}
	if s.Timeout, err = r.Time("timeout", s.Timeout); err != nil {
		return err
	}
	if s.TerminateAfter, err = r.Int("terminate_after", s.TerminateAfter); err != nil {
		return err
	}
	if s.TerminateAfter < 0 {
		return apierr.IllegalArgument("terminateAfter must be > 0")
	}
	if r.Has("track_total_hits") {
		if err := s.SetTrackTotal(r.Param("track_total_hits")); err != nil {
			return err
		}
	}
	if stored := r.List("stored_fields"); len(stored) > 0 {
		if err := s.Fetch.SetStored(stored); err != nil {
			return err
		}
	}
	for _, f := range r.List("docvalue_fields") {
		s.Fetch.DocValueFields = append(s.Fetch.DocValueFields, f)
	}
	return sortAndSource(r, s)
}

func sortAndSource(r *Request, s *coordinator.SearchSource) error {
	if list := r.List("sort"); len(list) > 0 {
		sorts := []any{}
		for _, e := range list {
			if i := strings.LastIndexByte(e, ':'); i >= 0 {
				if order := e[i+1:]; order == "asc" || order == "desc" {
					sorts = append(sorts, xcontent.Obj(e[:i], xcontent.Obj("order", order)))
				}
				continue
			}
			sorts = append(sorts, e)
		}
		if body, ok := s.Sort.([]any); ok {
			sorts = append(slices.Clone(body), sorts...)
		} else if s.Sort != nil {
			sorts = append([]any{s.Sort}, sorts...)
		}
		s.Sort = sorts
	}
	sel := sourceParams(r)
	if sel.given {
		switch {
		case sel.none:
			s.Fetch.Source = false
		default:
			s.Fetch.Source = xcontent.Obj("includes", anyList(sel.includes), "excludes", anyList(sel.excludes))
		}
	}
	return nil
}

func anyList(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// searchStatus is the status of a search that some shards answered.
func searchStatus(res *coordinator.SearchResult) int {
	if res.Shards.Total == 0 || res.Shards.Successful > 0 {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// searchObject renders the answer to a search.
func searchObject(res *coordinator.SearchResult, totalAsInt bool) *xcontent.Object {
	o := &xcontent.Object{}
	if res.ScrollID != "" {
		o.Add("_scroll_id", res.ScrollID)
	}
	if res.PITID != "" {
		o.Add("pit_id", res.PITID)
	}
	o.Add("took", res.Took.Milliseconds()).Add("timed_out", res.TimedOut)
	if res.TerminatedEarly != nil {
		o.Add("terminated_early", *res.TerminatedEarly)
	}
	o.Add("_shards", shardCountsObject(&res.Shards, true))
	hits := &xcontent.Object{}
	switch {
	case totalAsInt && res.Total == nil:
		hits.Add("total", -1)
	case totalAsInt:
		hits.Add("total", res.Total.Value)
	case res.Total != nil:
		hits.Add("total", totalObject(res.Total))
	}
	list := res.Hits
	if list == nil {
		list = []*xcontent.Object{}
	}
	hits.Add("max_score", coordinator.Score(res.MaxScore)).Add("hits", list)
	o.Add("hits", hits)
	if res.Aggs != nil {
		o.Add("aggregations", res.Aggs)
	}
	return o
}

func totalObject(t *search.TotalHits) *xcontent.Object {
	return xcontent.Obj("value", t.Value, "relation", t.Relation.String())
}

// shardCountsObject renders the header _shards; skipped is left out by some APIs.
func shardCountsObject(c *coordinator.ShardCounts, skipped bool) *xcontent.Object {
	o := xcontent.Obj("total", c.Total, "successful", c.Successful)
	if skipped {
		o.Add("skipped", c.Skipped)
	}
	o.Add("failed", len(c.Failures))
	if len(c.Failures) > 0 {
		o.Add("failures", failureList(c.Failures))
	}
	return o
}

// failureList renders failures, of equal ones of an index the first.
func failureList(failures []coordinator.ShardFailure) []any {
	list := []any{}
	for _, f := range distinctFailures(failures) {
		e := translate(f.Err)
		o := xcontent.Obj("shard", f.Shard, "index", nullable(f.Index))
		if f.Node != "" {
			o.Add("node", f.Node)
		}
		list = append(list, o.Add("reason", errorObject(e)))
	}
	return list
}

func distinctFailures(failures []coordinator.ShardFailure) []coordinator.ShardFailure {
	type key struct{ index, typ, reason string }
	seen := map[key]bool{}
	var out []coordinator.ShardFailure
	for _, f := range failures {
		k := key{index: f.Index, reason: f.Err.Error()}
		if e := apierr.As(f.Err); e != nil {
			k.typ, k.reason = e.Type, e.Reason
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, f)
		}
	}
	return out
}

// javaErrors are the types that OpenSearch does not count as its own; they are shown once more as causes.
var javaErrors = map[string]bool{"illegal_argument_exception": true, "number_format_exception": true, "illegal_state_exception": true,
	"unsupported_operation_exception": true, "null_pointer_exception": true, "too_many_clauses": true}

// searchError gives the error of a search OpenSearch's shape.
func searchError(err error) error {
	var phase *coordinator.PhaseError
	if !errors.As(err, &phase) {
		return err
	}
	status := http.StatusServiceUnavailable
	out := apierr.New(status, "search_phase_execution_exception", "%s", phase.Reason).
		With("phase", phase.Phase).With("grouped", true).With("failed_shards", failureList(phase.Failures))
	if phase.Cause != nil {
		out.Cause = translate(phase.Cause)
		out.Status = apierr.StatusOf(out.Cause)
	}
	for i, f := range phase.Failures {
		e := translate(f.Err)
		if s := apierr.StatusOf(e); i == 0 || s >= http.StatusInternalServerError {
			out.Status = s
		}
	}
	for _, f := range distinctFailures(phase.Failures) {
		out.RootCauses = append(out.RootCauses, rootCauses(translate(f.Err))...)
	}
	if len(out.RootCauses) > 0 {
		if e := apierr.As(out.RootCauses[0]); e != nil && javaErrors[e.Type] {
			out.Cause = apierr.New(e.Status, e.Type, "%s", e.Reason).Because(e)
		}
	}
	return out
}
