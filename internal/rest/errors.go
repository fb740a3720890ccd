package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/store"
)

// renderError returns the answer to a request that failed.
func renderError(err error) *Response {
	err = translate(err)
	status := http.StatusInternalServerError
	if e := apierr.As(err); e != nil && e.Status != 0 {
		status = e.Status
	}
	body := errorObject(err)
	roots := []any{}
	for _, root := range rootCauses(err) {
		o := errorObject(root)
		o.Members = withoutCause(o.Members)
		roots = append(roots, o)
	}
	full := xcontent.Obj("root_cause", roots)
	full.Members = append(full.Members, body.Members...)
	return &Response{Status: status, Body: xcontent.Obj("error", full, "status", status), whole: true}
}

func withoutCause(members []xcontent.Member) []xcontent.Member {
	for i, m := range members {
		if m.Key == "caused_by" {
			return append(members[:i:i], members[i+1:]...)
		}
	}
	return members
}

// rootCauses follows the causes as long as they have OpenSearch's names.
func rootCauses(err error) []error {
	e := apierr.As(err)
	if e == nil {
		return []error{err}
	}
	if len(e.RootCauses) > 0 {
		var all []error
		for _, r := range e.RootCauses {
			all = append(all, rootCauses(r)...)
		}
		return all
	}
	if wrapsOnly[e.Type] {
		if cause := apierr.As(e.Cause); cause != nil {
			return rootCauses(cause)
		}
	}
	return []error{e}
}

// wrapsOnly are the types of errors that only say where another one happened.
var wrapsOnly = map[string]bool{"search_phase_execution_exception": true, "remote_transport_exception": true}

// errorObject renders one error and its causes, as it stands below "error".
func errorObject(err error) *xcontent.Object {
	e := apierr.As(err)
	if e == nil {
		return xcontent.Obj("type", plainType(err), "reason", err.Error())
	}
	o := xcontent.Obj("type", e.Type, "reason", e.Reason)
	for _, kv := range e.Meta {
		o.Set(kv.Key, kv.Value)
	}
	if e.Cause != nil {
		o.Set("caused_by", errorObject(e.Cause))
	}
	return o
}

// translate gives errors of the layers below OpenSearch's names, where they have none yet.
func translate(err error) error {
	var (
		missing *wildcard.NotFoundError
		closed  *wildcard.ClosedError
		invalid *wildcard.InvalidNameError
		illegal *wildcard.IllegalError
		corrupt *store.CorruptError
	)
	switch {
	case apierr.As(err) != nil:
		return err
	case errors.As(err, &missing) && missing.ExcludedStream:
		return apierr.New(http.StatusNotFound, "index_not_found_exception", "no such index [null]").With("resource.id", strings.Join(missing.Expressions, ",")).
			With("resource.type", "index_expression").With("excluded_ds", "true")
	case errors.As(err, &missing):
		name := missing.Index
		if name == "" {
			name = strings.Join(missing.Expressions, ",")
		}
		e := apierr.New(http.StatusNotFound, "index_not_found_exception", "%s", strings.Replace(missing.Error(), "[null]", "["+name+"]", 1)).With("index", name)
		return e.With("resource.id", name).With("resource.type", "index_or_alias").With("index_uuid", "_na_")
	case errors.As(err, &closed):
		return apierr.IndexClosed(closed.Index, "_na_")
	case errors.As(err, &invalid):
		return apierr.InvalidIndexName(invalid.Index, invalid.Reason)
	case errors.As(err, &illegal):
		return apierr.IllegalArgument("%s", illegal.Reason)
	case errors.As(err, &corrupt):
		return apierr.New(http.StatusInternalServerError, "corrupt_index_exception", "%v", err)
	case errors.Is(err, task.ErrNotFound):
		return apierr.New(http.StatusNotFound, "resource_not_found_exception", "%v", err)
	case errors.Is(err, state.ErrNotManager):
		return apierr.New(http.StatusServiceUnavailable, "cluster_manager_not_discovered_exception", "%v", err)
	case errors.Is(err, context.DeadlineExceeded):
		return apierr.New(http.StatusServiceUnavailable, "timeout_exception", "%v", err)
	}
	return err
}

// plainType names errors that no layer below gave a name of OpenSearch's.
func plainType(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout_exception"
	case errors.Is(err, context.Canceled):
		return "task_cancelled_exception"
	}
	return "exception"
}
