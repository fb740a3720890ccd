package rest

import (
	"net/http"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) createPIT(r *Request) (*Response, error) {
	r.Ignore("preference")
	keep, err := r.Time("keep_alive", 0)
	if err != nil {
		return nil, err
	}
	if keep <= 0 {
		return nil, apierr.Validation("keep alive not specified")
	}
	partial, err := r.Bool("allow_partial_pit_creation", true)
	if err != nil {
		return nil, err
	}
	o, err := indicesOptions(r, searchOptions)
	if err != nil {
		return nil, err
	}
	p, err := a.Docs.CreatePIT(r.Context(), o, indexList(r.Param("index")), r.List("routing"), keep, !partial)
	if err != nil {
		return nil, searchError(err)
	}
	return OK(xcontent.Obj("pit_id", p.ID, "_shards", shardCountsObject(&p.Shards, true), "creation_time", milliseconds(p.Created)))
}

func (a *API) deletePIT(r *Request) (*Response, error) {
	o, err := r.object()
	if err != nil {
		return nil, err
	}
	var ids []string
	if o != nil {
		if ids, err = idsOf(o, "pit_id"); err != nil {
			return nil, err
		}
	}
	if len(ids) == 0 {
		return nil, apierr.Validation("no pit ids specified")
	}
	return a.deletePITs(ids)
}

func (a *API) deleteAllPITs(*Request) (*Response, error) { return a.deletePITs(nil) }

func (a *API) deletePITs(ids []string) (*Response, error) {
	freed, err := a.Docs.DeletePITs(ids)
	if err != nil {
		return nil, err
	}
	was := map[string]bool{}
	list := []any{}
	for _, id := range freed {
		was[id] = true
		list = append(list, xcontent.Obj("successful", true, "pit_id", id))
	}
	status := http.StatusOK
	for _, id := range ids {
		if !was[id] { // one that is gone counts as deleted, and is told as such
			list = append(list, xcontent.Obj("successful", true, "pit_id", id))
		}
	}
	return &Response{Status: status, Body: xcontent.Obj("pits", list)}, nil
}

func (a *API) listPITs(*Request) (*Response, error) {
	list := []any{}
	for _, p := range a.Docs.PITs() {
		list = append(list, xcontent.Obj("pit_id", p.ID, "creation_time", milliseconds(p.Created), "keep_alive", p.KeepAlive.Milliseconds()))
	}
	return OK(xcontent.Obj("pits", list))
}
