package rest

import (
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/repository"
)

func (a *API) routeShared(rt *Router) {
	rt.Handle("GET", "/_snapshot/_shared", a.sharedRepositories)
	rt.Handle("GET", "/_snapshot/{repository}/_shared", a.sharedRepositories)
}

// sharedRepositories lists the repositories of other clusters, with their owners and in what state they are.
func (a *API) sharedRepositories(r *Request) (*Response, error) {
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	patterns := r.Names("repository")
	records, err := a.repositories(patterns)
	if err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	found := a.Snapshots.Shared(r.Context(), records)
	if len(found) == 0 && len(patterns) == 1 && len(records) == 1 && records[0].Name == patterns[0] {
		return nil, apierr.IllegalArgument("the repository [%s] is this cluster's own: it has no setting [shared_from]", patterns[0])
	}
	list := []any{}
	for _, s := range found {
		list = append(list, sharedObject(s))
	}
	return OK(xcontent.Obj("version", repository.WriteVersion.String(), "repositories", list))
}

func sharedObject(s snapshot.SharedRepository) *xcontent.Object {
	o := xcontent.Obj("repository", s.Name, "type", s.Type, "shared_from", s.Cluster, "status", s.Status)
	if s.Reason != "" {
		o.Add("reason", s.Reason)
	}
	if s.Status == snapshot.SharedUnreachable || s.Status == snapshot.SharedDamaged {
		return o
	}
	if s.Owner != nil {
		o.Add("owner", xcontent.Obj("cluster", s.Owner.Cluster, "last_write", s.Owner.At.UTC().Format(time.RFC3339)))
	}
	if s.Version != nil {
		o.Add("version", s.Version.String())
	}
	return o.Add("generation", s.Generation).Add("snapshots", s.Snapshots).Add("restorable_snapshots", s.Restorable)
}
