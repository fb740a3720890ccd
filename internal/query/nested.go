package query

import (
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

var joinModes = map[string]search.JoinMode{"avg": search.JoinAvg, "sum": search.JoinSum, "min": search.JoinMin, "max": search.JoinMax, "none": search.JoinNone}

func parseNested(name string, o *xcontent.Object, depth int) (node, error) {
	k := common{boost: 1}
	var inner node
	path, mode, ignoreUnmapped := "", search.JoinAvg, false
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		var err error
		switch m.Key {
		case "query":
			inner, err = parseQuery(m.Value, depth)
		case "path":
			path = valueText(m.Value)
		case "ignore_unmapped":
			ignoreUnmapped, err = toBool(m.Value)
		case "score_mode":
			var ok bool
			if mode, ok = joinModes[valueText(m.Value)]; !ok {
				err = apierr.IllegalArgument("No score mode for child query [%s] found", valueText(m.Value))
			}
		case "inner_hits":
			err = apierr.NotImplemented("[inner_hits] of a [nested] query is not built in this server")
		default:
			err = unknown(name, m.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	if inner == nil {
		return nil, apierr.IllegalArgument("[nested] requires 'query' field")
	}
	if path == "" {
		return nil, apierr.IllegalArgument("[nested] requires 'path' field")
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		if c.ForbidExpensive {
			return nil, expensive("[joining] queries cannot be executed when 'search.allow_expensive_queries' is set to false.")
		}
		object := c.Mapping.Object(path)
		switch {
		case object == nil && ignoreUnmapped:
			return search.MatchNone{}, nil
		case object == nil:
			return nil, apierr.New(400, "illegal_state_exception", "[nested] failed to find nested object under path [%s]", path)
		case !object.Nested():
			return nil, apierr.New(400, "illegal_state_exception", "[nested] nested object under path [%s] is not of nested type", path)
		}
		q, err := inner.build(c.within(path))
		if err != nil || q == nil {
			return nil, err
		}
		child := &search.Boolean{Clauses: []search.Clause{{Query: q, Occur: search.Must}, {Query: nestedDocuments(path), Occur: search.Filter}}}
		return &search.ToParent{Child: child, Parents: c.parentFilter(), Mode: mode}, nil
	})), nil
}

// nestedDocuments matches the documents of a nested object.
func nestedDocuments(path string) search.Query { return search.NewTerm("_nested_path", path) }

// within returns the context of a query on the documents of a nested object.
func (c *Context) within(path string) *Context {
	in := *c
	in.scope = path
	return &in
}

// parentFilter tells the documents that the current scope's nested ones belong to.
func (c *Context) parentFilter() *search.ParentFilter {
	if c.scope != "" {
		return search.NewParentFilter(nestedDocuments(c.scope))
	}
	if c.parents != nil {
		return c.parents
	}
	return search.NewParentFilter(rootDocuments)
}

// mayMatchNested tells whether a query might match nested documents. A doubt is a yes.
func (c *Context) mayMatchNested(q search.Query) bool {
	switch x := q.(type) {
	case *search.ToParent, search.MatchNone:
		return false
	case *search.Term:
		return c.nestedField(x.Field)
	case *search.Phrase:
		return c.nestedField(x.Field)
	case *search.PointRange:
		return c.nestedField(x.Field)
	case *search.IndexOrDocValues:
		return c.mayMatchNested(x.Index)
	case *search.ConstantScore:
		return c.mayMatchNested(x.Query)
	case *search.Boost:
		return c.mayMatchNested(x.Query)
	case *search.Boolean:
		required, any := false, false
		for _, cl := range x.Clauses {
			may := cl.Occur != search.MustNot && c.mayMatchNested(cl.Query)
			switch {
			case cl.Occur == search.Must || cl.Occur == search.Filter:
				if !may {
					return false
				}
				required = true
			case cl.Occur == search.Should:
				any = any || may
			}
		}
		return required || any
	}
	return true
}

// nestedField tells whether nested documents may hold a field.
func (c *Context) nestedField(field string) bool {
	if strings.HasPrefix(field, "_") {
		return true
	}
	r := c.lookup(field)
	return r == nil || c.Mapping.NestedScope(r.Name()) != ""
}
