package rest

import (
	"net/http"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/wildcard"
)

func (a *API) cloneSnapshot(r *Request) (*Response, error) {
	if err := a.managerTimeout(r); err != nil {
		return nil, err
	}
	req := snapshot.CloneRequest{Repository: r.Param("repository"), Source: r.Param("snapshot"), Target: r.Param("target_snapshot")}
	o, err := r.lenientObject()
	if err != nil {
		return nil, err
	}
	if o == nil {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	for _, m := range o.Members {
		switch m.Key {
		case "indices":
			req.Indices, err = names(m.Key, m.Value)
		case "ignore_unavailable":
			req.IgnoreUnavailable, err = boolean(m.Key, m.Value)
		case "allow_no_indices":
			var allow bool
			allow, err = boolean(m.Key, m.Value)
			req.ForbidNoIndices = !allow
		default: // a real node reads no other key, and minds none
		}
		if err != nil {
			return nil, err
		}
	}
	if len(req.Indices) == 0 {
		return nil, apierr.Validation("indices patterns are empty")
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if req.Target, err = wildcard.DateMath(req.Target, time.Now()); err != nil {
		return nil, apierr.IllegalArgument("%v", err)
	}
	if err := a.Snapshots.Clone(r.Context(), req); err != nil {
		return nil, err
	}
	return Acknowledged()
}

// warnShown is how many things that went wrong a response names.
const warnShown = 10

// warnAll tells in the response's headers what did not work although the request did.
func warnAll(r *Request, what string, warnings []error) {
	for i, w := range warnings {
		if i == warnShown {
			r.Warn(what + ": there are more, see the log")
			return
		}
		r.Warn(what + ": " + w.Error())
	}
}
