package coordinator

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

// searchIndex is an index that a search asks.
type searchIndex struct {
	meta    *state.Index
	shards  []int // that routing leaves
	filters []any // one of which must match, from aliases; nil: no filter
	names   []string
}

// searchShard is a shard that a search asks, with its view once it was acquired.
type searchShard struct {
	ix   *searchIndex
	id   int
	view *shard.Searcher // nil: not acquired
	err  error           // why not
}

// searchIndices finds the indices of a search, the filters of the aliases by which they were named, and the shards that
// routing leaves.
func (s *Service) searchIndices(v *state.View, o wildcard.Options, expressions, routing []string) ([]*searchIndex, error) {
	now := time.Now()
	asked := make([]string, 0, len(expressions))
	for _, e := range expressions {
		e, err := wildcard.DateMath(e, now)
		if err != nil {
			return nil, err
		}
		asked = append(asked, e)
	}
	names, err := v.Names().Indices(o, asked...)
	if err != nil {
		return nil, err
	}
	expanded, err := v.Names().Expressions(o, asked...)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]bool, len(expanded))
	for _, e := range expanded {
		byName[e] = true
	}
	everything := len(asked) == 0 || len(asked) == 1 && (asked[0] == "_all" || asked[0] == "*")
	var out []*searchIndex
	for _, n := range names {
		meta := v.Index(n)
		if meta == nil {
			continue
		}
		ix := &searchIndex{meta: meta, names: []string{n}}
		route := routing
		if !everything && !byName[n] {
			if ix.filters, route, err = aliasLimits(meta, byName, routing); err != nil {
				return nil, err
			}
		}
		if route == nil || len(route) > 0 {
			ix.shards = ShardsFor(meta, route)
		}
		out = append(out, ix)
	}
	return out, nil
}

// aliasLimits returns the filters and the routing that the aliases impose by which an index was named. An empty
// routing that is not nil leaves no shard.
func aliasLimits(meta *state.Index, named map[string]bool, routing []string) (filters []any, route []string, err error) {
	unfiltered, unrouted := false, false
	var values []string
	for _, name := range slices.Sorted(maps.Keys(meta.Aliases)) {
		if !named[name] {
			continue
		}
		a := meta.Aliases[name]
		if len(a.Filter) == 0 || string(a.Filter) == "null" {
			unfiltered = true
		} else if !unfiltered {
			f, err := xcontent.Decode(a.Filter)
			if err != nil {
				return nil, nil, err
			}
			filters = append(filters, f)
		}
		if a.SearchRouting == "" {
			unrouted = true
		} else {
			values = append(values, wildcard.Split(a.SearchRouting)...)
		}
	}
	if unfiltered {
		filters = nil
	}
	if unrouted || len(values) == 0 {
		return filters, routing, nil
	}
	if len(routing) == 0 {
		return filters, values, nil
	}
	both := []string{}
	for _, r := range routing {
		if slices.Contains(values, r) {
			both = append(both, r)
		}
	}
	return filters, both, nil
}

// shardsOf lists the shards of indices in the order that breaks ties between equal hits: by number, then by index.
func shardsOf(indices []*searchIndex) []*searchShard {
	var out []*searchShard
	for _, ix := range indices {
		for _, id := range ix.shards {
			out = append(out, &searchShard{ix: ix, id: id})
		}
	}
	slices.SortStableFunc(out, func(a, b *searchShard) int {
		if c := cmp.Compare(a.id, b.id); c != 0 {
			return c
		}
		return cmp.Compare(a.ix.meta.Name, b.ix.meta.Name)
	})
	return out
}

// context returns what queries of an index are bound to.
func (s *Service) context(ix *state.Index, now time.Time) (*query.Context, error) {
	local := s.node.Index(ix.Name)
	if local == nil || local.Mapping() == nil {
		return nil, unavailable(ix, 0)
	}
	c, err := query.NewContext(local.Mapping(), ix.Name, ix.UUID, slices.Sorted(maps.Keys(ix.Aliases)), ix.Settings)
	if err != nil {
		return nil, err
	}
	c.Now = func() time.Time { return now }
	cs := s.clusterSettings()
	if allowed, err := cs.Bool("search.allow_expensive_queries", true); err == nil {
		c.ForbidExpensive = !allowed
	}
	if n, err := cs.Int("indices.query.bool.max_clause_count", 0); err == nil {
		c.MaxClauses = n
	}
	return c, nil
}

// clusterSettings are those of the cluster; transient ones win.
func (s *Service) clusterSettings() settings.Settings {
	out := settings.Settings{}
	cs := s.store.View().Settings()
	if cs == nil {
		return out
	}
	for k, v := range cs.Persistent {
		out[k] = v
	}
	for k, v := range cs.Transient {
		out[k] = v
	}
	return out
}

// boostOf returns what the first fitting entry says of an index.
func boostOf(boosts []IndexBoost, v *state.View, name string) (float32, error) {
	for _, b := range boosts {
		names, err := v.Names().Indices(wildcard.Options{ExpandOpen: true, ExpandClosed: true}, b.Name)
		if err != nil {
			return 0, err
		}
		if slices.Contains(names, name) {
			return b.Boost, nil
		}
	}
	return 1, nil
}
