package coordinator

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

// CheckQuery reads a query without any index.
func CheckQuery(raw any) error {
	_, err := query.Compile(raw)
	return err
}

// QueryValidation tells whether a query fits an index.
type QueryValidation struct {
	Index, Explanation string
	Err                error
}

// ValidateQuery binds a query to each index.
func (s *Service) ValidateQuery(_ context.Context, o wildcard.Options, expressions []string, raw any) ([]QueryValidation, *ShardCounts, error) {
	indices, err := s.searchIndices(s.store.View(), o, expressions, nil)
	if err != nil {
		return nil, nil, err
	}
	c, err := query.Compile(raw)
	if err != nil {
		return nil, nil, err
	}
	counts := &ShardCounts{Total: len(indices), Successful: len(indices)}
	if len(indices) == 0 {
		counts.Total, counts.Successful = 1, 1
	}
	var out []QueryValidation
	for _, ix := range indices {
		v := QueryValidation{Index: ix.meta.Name}
		qc, err := s.context(ix.meta, time.Now())
		if err == nil {
			q, qerr := c.Query(qc)
			if err = qerr; err == nil {
				filter, ferr := aliasFilter(qc, ix.filters)
				if err = ferr; err == nil {
					v.Explanation = qc.Filtered(q, filter).String()
				}
			}
		}
		v.Err = err
		out = append(out, v)
	}
	return out, counts, nil
}

// ShardTarget is a shard that a search would ask.
type ShardTarget struct {
	Index, UUID string
	Shard       int
	Aliases     []string // by which the index was named
	Filter      any      // of those; nil: none
}

// SearchShards lists the shards that a search would ask.
func (s *Service) SearchShards(o wildcard.Options, expressions, routing []string) ([]ShardTarget, error) {
	indices, err := s.searchIndices(s.store.View(), o, expressions, routing)
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, e := range expressions {
		named[e] = true
	}
	var out []ShardTarget
	for _, sh := range shardsOf(indices) {
		t := ShardTarget{Index: sh.ix.meta.Name, UUID: sh.ix.meta.UUID, Shard: sh.id}
		for _, a := range slices.Sorted(maps.Keys(sh.ix.meta.Aliases)) {
			if named[a] {
				t.Aliases = append(t.Aliases, a)
			}
		}
		switch len(sh.ix.filters) {
		case 0:
		case 1:
			t.Filter = sh.ix.filters[0]
		default:
			t.Filter = xcontent.Obj("bool", xcontent.Obj("should", sh.ix.filters, "adjust_pure_negative", true, "boost", 1.0))
		}
		out = append(out, t)
	}
	return out, nil
}
