package rest

import (
	"bytes"
	"context"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/xcontent"
)

// multiSearch answers _msearch: pairs of lines, a header and a body.
func (a *API) multiSearch(r *Request) (*Response, error) { return a.multiSearchOf(r, nil) }

// multiSearchOf answers _msearch; render, if set, makes the body of a search of a line. An error of it is that search's.
func (a *API) multiSearchOf(r *Request, render renderLine) (*Response, error) {
	start := time.Now()
	r.Ignore("max_concurrent_searches", "pre_filter_shard_size", "max_concurrent_shard_requests", "ccs_minimize_roundtrips", "search_pipeline")
	def := coordinator.SearchRequest{Indices: indexList(r.Param("index"))}
	var err error
	if def.Options, err = indicesOptions(r, searchOptions); err != nil {
		return nil, err
	}
	if def.TypedKeys, err = r.Bool("typed_keys", false); err != nil {
		return nil, err
	}
	asInt, err := r.Bool("rest_total_hits_as_int", false)
	if err != nil {
		return nil, err
	}
	if def.DFS, err = searchType(r.Param("search_type")); err != nil {
		return nil, err
	}
	if n, err := r.Int("max_concurrent_searches", 1); err != nil || n < 1 {
		if err == nil {
			err = apierr.IllegalArgument("maxConcurrentSearchRequests must be positive")
		}
		return nil, err
	}
	reqs, errs, err := readMultiSearch(r.Body, def, render)
	if err != nil {
		return nil, err
	}
	list := make([]any, len(reqs))
	eachSearch(len(reqs), func(i int) {
		list[i] = a.searchItem(r.Context(), reqs[i], errs[i], asInt)
	})
	return OK(xcontent.Obj("took", time.Since(start).Milliseconds(), "responses", list))
}

// eachSearch runs several searches at once.
func eachSearch(n int, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				f(i)
			}
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func (a *API) searchItem(ctx context.Context, req *coordinator.SearchRequest, err error, asInt bool) *xcontent.Object {
	if err == nil && asInt && !req.Source.TrackTotalGiven {
		req.Source.TrackTotal = coordinator.TrackAll
	}
	var res *coordinator.SearchResult
	if err == nil {
		res, err = a.Docs.Search(ctx, req)
	}
	if err != nil {
		return renderError(searchError(translate(err))).Body.(*xcontent.Object)
	}
	return searchObject(res, asInt).Add("status", searchStatus(res))
}

func searchType(t string) (dfs bool, err error) {
	switch t {
	case "", "query_then_fetch":
		return false, nil
	case "dfs_query_then_fetch":
		return true, nil
	}
	return false, apierr.IllegalArgument("No search type for [%s]", t)
}

// renderLine makes the body of a search of a line. failed is the fault of that search, err one of the whole request.
type renderLine func(line []byte) (body []byte, failed, err error)

// readMultiSearch reads the lines. An error of one search is that search's.
func readMultiSearch(body []byte, def coordinator.SearchRequest, render renderLine) ([]*coordinator.SearchRequest, []error, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil, apierr.New(http.StatusBadRequest, "parse_exception", "request body or source parameter is required")
	}
	if body[len(body)-1] != '\n' {
		return nil, nil, apierr.IllegalArgument("The msearch request must be terminated by a newline [\\n]")
	}
	var reqs []*coordinator.SearchRequest
	var errs []error
	for len(body) > 0 {
		var header, line []byte
		header, body = cutLine(body)
		if len(bytes.TrimSpace(header)) == 0 && len(reqs) == 0 && len(body) > 0 && bytes.IndexByte(body, '\n') < 0 {
			continue
		}
		req := def
		if err := readSearchHeader(header, &req); err != nil {
			return nil, nil, err
		}
		if len(body) == 0 {
			break
		}
		line, body = cutLine(body)
		if render != nil {
			rendered, failed, err := render(line)
			if err != nil {
				return nil, nil, err
			}
			if failed != nil {
				reqs, errs = append(reqs, &req), append(errs, failed)
				continue
			}
			line = rendered
		}
		v, err := xcontent.Decode(line)
		if len(bytes.TrimSpace(line)) == 0 {
			v, err = (*xcontent.Object)(nil), nil
		}
		if err != nil {
			return nil, nil, apierr.Parsing("the body of search [%d] is not JSON: %v", len(reqs)+1, err)
		}
		o, ok := v.(*xcontent.Object)
		if !ok {
			return nil, nil, apierr.Parsing("the body of search [%d] is not a JSON object", len(reqs)+1)
		}
		if req.Source, err = coordinator.ParseSearchSource(o); err != nil {
			return nil, nil, err
		}
		req.Source.Fetch.ReadStored = storedFields
		reqs, errs = append(reqs, &req), append(errs, nil)
	}
	if len(reqs) == 0 {
		return nil, nil, apierr.Validation("no requests added")
	}
	return reqs, errs, nil
}

func readSearchHeader(line []byte, req *coordinator.SearchRequest) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	v, err := xcontent.Decode(line)
	if err != nil {
		return apierr.Parsing("the header of a search is not JSON: %v", err)
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return apierr.Parsing("the header of a search is not a JSON object")
	}
	for _, m := range o.Members {
		switch m.Key {
		case "index", "indices":
			if s, ok := m.Value.(string); ok {
				req.Indices = indexList(s)
			} else if m.Value != nil {
				req.Indices, err = names(m.Key, m.Value)
			}
		case "search_type", "searchType":
			text, _ := textOf(m.Value)
			req.DFS, err = searchType(text)
		case "routing":
			text, _ := textOf(m.Value)
			req.Routing = indexList(text)
		case "allow_partial_search_results":
			var allowed bool
			allowed, err = boolean(m.Key, m.Value)
			refuse := !allowed
			req.RefusePartial = &refuse
		case "ignore_unavailable", "ignoreUnavailable":
			req.Options.IgnoreUnavailable, err = boolean(m.Key, m.Value)
		case "allow_no_indices", "allowNoIndices":
			req.Options.AllowNoIndices, err = boolean(m.Key, m.Value)
		case "expand_wildcards", "expandWildcards":
			text, ok := textOf(m.Value)
			if list, isList := m.Value.([]any); isList {
				ok = true
				for i, e := range list {
					t, _ := textOf(e)
					if i > 0 {
						text += ","
					}
					text += t
				}
			}
			if !ok {
				return apierr.IllegalArgument("expand_wildcards must be a text or an array")
			}
			if req.Options, err = req.Options.WithExpandWildcards(text); err != nil {
				err = apierr.IllegalArgument("%v", err)
			}
		case "preference", "request_cache", "requestCache", "ccs_minimize_roundtrips", "ccsMinimizeRoundtrips", "ignore_throttled",
			"ignoreThrottled", "cancel_after_time_interval", "cancelAfterTimeInterval", "search_pipeline":
		default:
			return apierr.IllegalArgument("key [%s] is not supported in the metadata section", m.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
