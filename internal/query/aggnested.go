package query

import (
	"net/http"

	"github.com/varve-search/varve/internal/aggregation"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/search"
)

// Within implements aggregation.Resolver.
func (r *resolver) Within(path string) aggregation.Resolver { return &resolver{r.c.within(path), r.s} }

// InNested implements aggregation.Resolver.
func (r *resolver) InNested() bool { return r.c.scope != "" }

// Nested implements aggregation.Resolver.
func (r *resolver) Nested(path string) (aggregation.Nested, error) {
	if ok, err := r.c.isNested("nested", path); !ok {
		return nil, err
	}
	return &nestedDocs{r.s, nestedDocuments(path), r.c.parentFilter()}, nil
}

// Around implements aggregation.Resolver.
func (r *resolver) Around(path string) (aggregation.Nested, error) {
	if path != "" {
		if ok, err := r.c.isNested("reverse_nested", path); !ok {
			return nil, err
		}
	}
	return &nestedDocs{r.s, nil, r.c.within(path).parentFilter()}, nil
}

// isNested tells whether the mapping has a nested object; one that is not nested is an error.
func (c *Context) isNested(agg, path string) (bool, error) {
	switch o := c.Mapping.Object(path); {
	case o == nil:
		return false, nil
	case !o.Nested():
		return false, apierr.New(http.StatusInternalServerError, "aggregation_execution_exception", "[%s] nested path [%s] is not nested", agg, path)
	}
	return true, nil
}

type nestedDocs struct {
	s        *search.Searcher
	children search.Query // nil: not wanted
	parents  *search.ParentFilter
}

// Leaf implements aggregation.Nested.
func (n *nestedDocs) Leaf(leaf *lucene.LeafContext) (lucene.DocIDSetIterator, *lucene.FixedBits, error) {
	parents, err := n.parents.Bits(n.s, leaf)
	if err != nil || n.children == nil {
		return nil, parents, err
	}
	children, err := matching(n.s, n.children, leaf)
	return children, parents, err
}
