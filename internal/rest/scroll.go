package rest

import (
	"net/http"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/xcontent"
)

// scroll answers the next page of a scroll.
func (a *API) scroll(r *Request) (*Response, error) {
	id := r.Param("scroll_id")
	keep, err := r.Time("scroll", 0)
	if err != nil {
		return nil, err
	}
	asInt, err := r.Bool("rest_total_hits_as_int", false)
	if err != nil {
		return nil, err
	}
	o, err := r.object()
	if err != nil {
		return nil, err
	}
	if o != nil {
		for _, m := range o.Members {
			text, ok := m.Value.(string)
			switch {
			case m.Key == "scroll_id" && ok:
				id = text
			case m.Key == "scroll" && ok:
				if keep, err = settings.ParseDuration(text, "scroll"); err != nil {
					return nil, err
				}
			default:
				return nil, apierr.IllegalArgument("Unknown parameter [%s] in request body or parameter is of the wrong type[%s] ", m.Key, jsonKind(m.Value))
			}
		}
	}
	if id == "" {
		return nil, apierr.Validation("scrollId is missing")
	}
	res, err := a.Docs.Scroll(r.Context(), id, keep)
	if err != nil {
		return nil, searchError(err)
	}
	return &Response{Status: searchStatus(res), Body: searchObject(res, asInt)}, nil
}

// idsOf reads ids of a body: a text or an array under a key.
func idsOf(o *xcontent.Object, key string) ([]string, error) {
	var ids []string
	for _, m := range o.Members {
		if m.Key != key {
			return nil, apierr.IllegalArgument("Unknown parameter [%s] in request body or parameter is of the wrong type[%s] ", m.Key, jsonKind(m.Value))
		}
		switch v := m.Value.(type) {
		case string:
			ids = append(ids, v)
		case []any:
			for _, e := range v {
				s, ok := e.(string)
				if !ok {
					return nil, apierr.IllegalArgument("%s array element should only contain %s", key, key)
				}
				ids = append(ids, s)
			}
		default:
			return nil, apierr.IllegalArgument("%s element should only contain %s", key, key)
		}
	}
	return ids, nil
}

// clearScroll ends scrolls.
func (a *API) clearScroll(r *Request) (*Response, error) {
	ids := r.List("scroll_id")
	o, err := r.object()
	if err != nil {
		return nil, err
	}
	if o != nil {
		if ids, err = idsOf(o, "scroll_id"); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return nil, apierr.Validation("no scroll ids specified")
	}
	n, err := a.Docs.ClearScrolls(ids)
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if n == 0 {
		status = http.StatusNotFound
	}
	return &Response{Status: status, Body: xcontent.Obj("succeeded", true, "num_freed", n)}, nil
}

func milliseconds(t time.Time) int64 { return t.UnixMilli() }
