package rest

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Handler answers one kind of request.
type Handler func(*Request) (*Response, error)

// route is the handlers of one path pattern, by method.
type route struct {
	methods map[string]routeTarget
}

type routeTarget struct {
	handler Handler
	names   []string // of the path's parameters, in order
	pattern string
}

// node is a place in the tree of path segments. Literal segments win over parameters; the search goes
// back where a literal leads to no handler.
type node struct {
	literal map[string]*node
	param   *node
	route   *route
}

// Router maps methods and paths to handlers. It is built once and then only read.
type Router struct{ root node }

// Handle registers a handler for a pattern such as /{index}/_doc/{id}. Methods are separated by "|".
func (rt *Router) Handle(methods, pattern string, h Handler) {
	n := &rt.root
	var names []string
	for seg := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		switch {
		case seg == "":
		case strings.HasPrefix(seg, "{"):
			names = append(names, strings.Trim(seg, "{}"))
			if n.param == nil {
				n.param = &node{}
			}
			n = n.param
		default:
			if n.literal == nil {
				n.literal = map[string]*node{}
			}
			next := n.literal[seg]
			if next == nil {
				next = &node{}
				n.literal[seg] = next
			}
			n = next
		}
	}
	if n.route == nil {
		n.route = &route{methods: map[string]routeTarget{}}
	}
	for m := range strings.SplitSeq(methods, "|") {
		if _, dup := n.route.methods[m]; dup {
			panic("rest: two handlers for " + m + " " + pattern)
		}
		n.route.methods[m] = routeTarget{h, names, pattern}
	}
}

// find returns the target for a method and a path, its path parameters, and, where the path is known
// for other methods only, those. Slashes at the end count for nothing. Between two there is an empty parameter: a script
// that leaves a name out must not meet what is one level above.
func (rt *Router) find(method, rawPath string) (target *routeTarget, params map[string]string, allowed []string) {
	rawPath = strings.TrimRight(strings.TrimPrefix(rawPath, "/"), "/")
	if strings.HasPrefix(rawPath, "/") { // an index that was left out
		return nil, nil, nil
	}
	segments := make([]string, 0, 8)
	for seg := range strings.SplitSeq(rawPath, "/") {
		if rawPath == "" {
			break
		}
		s, err := url.PathUnescape(seg)
		if err != nil {
			s = seg
		}
		segments = append(segments, s)
	}
	// The first place with handlers counts, whatever their methods: DELETE of /_snapshot is not that of an index of this name.
	var walk func(n *node, i int, values []string) (*route, []string)
	walk = func(n *node, i int, values []string) (*route, []string) {
		if i == len(segments) {
			return n.route, values
		}
		if next := n.literal[segments[i]]; next != nil {
			if r, v := walk(next, i+1, values); r != nil {
				return r, v
			}
		}
		if n.param == nil {
			return nil, nil
		}
		return walk(n.param, i+1, append(values, segments[i]))
	}
	r, values := walk(&rt.root, 0, make([]string, 0, 4))
	if r == nil {
		return nil, nil, nil
	}
	t, ok := r.methods[method]
	if !ok {
		return nil, nil, slices.Sorted(maps.Keys(r.methods))
	}
	params = make(map[string]string, len(t.names))
	for i, name := range t.names {
		params[name] = values[i]
	}
	return &t, params, nil
}
