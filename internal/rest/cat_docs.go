package rest

import (
	"github.com/varve-search/varve/internal/coordinator"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
)

// rootDocs counts the documents of an index that a search can find: nested ones are part of theirs.
func (a *API) rootDocs(r *Request, ix *state.Index) (int64, error) {
	res, err := a.Docs.Count(r.Context(), &coordinator.SearchRequest{Indices: []string{ix.Name}, Options: wildcard.StrictExpandOpen, Source: coordinator.NewSearchSource()})
	if err != nil {
		return 0, searchError(err)
	}
	return res.Total.Value, nil
}
