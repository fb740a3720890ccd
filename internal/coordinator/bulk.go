package coordinator

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/lucene/store"
)

// OpType is what an operation of a bulk does.
type OpType uint8

// The operations.
const (
	OpIndex OpType = iota
	OpCreate
	OpUpdate
	OpDelete
)

func (t OpType) String() string { return [...]string{"index", "create", "update", "delete"}[t] }

// Refresh is when the effect of a write becomes visible.
type Refresh uint8

// The refresh policies.
const (
	RefreshNone Refresh = iota
	RefreshNow
	RefreshWait
)

// Item is one operation of a bulk.
type Item struct {
	Type                   OpType
	Index, ID, Routing     string
	Version                int64 // shard.MatchAny if not given
	VersionType            shard.VersionType
	IfSeqNo, IfPrimaryTerm int64 // -2 and 0 if not given
	RequireAlias           bool
	Source                 []byte // of index and create
	Update                 *Update
	Pipeline               string // "" leaves it to the index, _none is none
	// Check, if set, may refuse the operation once its index is known.
	Check func(ix *state.Index) error
}

// NewItem returns an operation without conditions.
func NewItem(t OpType, index, id string) Item {
	return Item{Type: t, Index: index, ID: id, Version: shard.MatchAny, IfSeqNo: -2}
}

// ItemResult is what became of an operation: Err, or the rest.
type ItemResult struct {
	Err           error
	Type          OpType
	Index, ID     string // the index that was written to
	UUID          string // of the index
	Shard         int
	Shards        int    // copies that the write is for
	Result        string // created, updated, deleted, not_found, noop
	Version       int64
	SeqNo         int64
	PrimaryTerm   int64
	ForcedRefresh bool
	Get           *GetResult // of an update that asks for the source
	Dropped       bool       // by a pipeline: nothing was written
	Ingested      bool       // it went through a pipeline, which took IngestTook
	IngestTook    time.Duration
}

// Status is the HTTP status of the operation.
func (r *ItemResult) Status() int {
	switch {
	case r.Err != nil:
		return apierr.StatusOf(r.Err)
	case r.Result == "created":
		return http.StatusCreated
	case r.Result == "not_found":
		return http.StatusNotFound
	}
	return http.StatusOK
}

// target is the shard that an operation goes to.
type target struct {
	index string
	shard int
}

// Bulk does operations; those on one shard one after another, different shards side by side. It returns when all of them
// are as durable as their index asks.
func (s *Service) Bulk(ctx context.Context, items []Item, refresh Refresh) []ItemResult {
	results := make([]ItemResult, len(items))
	s.ingestItems(ctx, items, results)
	groups := map[target][]int{}
	var order []target
	names := newBulkNames(items)
	for i := range items {
		if results[i].Err != nil || results[i].Dropped {
			continue
		}
		it := &items[i]
		results[i].Type, results[i].Index, results[i].ID = it.Type, it.Index, it.ID
		if ix, ok := names.written[it.Index]; ok {
			results[i].Index = ix
		}
		t, err := s.resolve(ctx, it, &results[i], names)
		if err != nil {
			results[i].Err = err
			continue
		}
		if _, ok := groups[t]; !ok {
			order = append(order, t)
		}
		groups[t] = append(groups[t], i)
	}
	if len(order) == 1 {
		s.runGroup(ctx, order[0], groups[order[0]], items, results, refresh)
		return results
	}
	var wg sync.WaitGroup
	for _, t := range order {
		wg.Go(func() { s.runGroup(ctx, t, groups[t], items, results, refresh) })
	}
	wg.Wait()
	return results
}

// resolve finds index and shard of an operation, and gives it an id if it has none.
func (s *Service) resolve(ctx context.Context, it *Item, r *ItemResult, names bulkNames) (target, error) {
	to, err := s.writeIndex(ctx, it, names)
	if err != nil {
		return target{}, err
	}
	ix, routing := to.ix, to.routing
	r.Index, r.UUID, r.Shards = ix.Name, ix.UUID, 1+ix.NumberOfReplicas
	if to.view.Names().HasStream(to.name) {
		names.written[it.Index] = ix.Name
	}
	if err := appendOnly(to.view.Names(), it, to.name, ix); err != nil {
		return target{}, err
	}
	it.Routing = routing
	if it.Check != nil {
		if err := it.Check(ix); err != nil {
			return target{}, err
		}
	}
	if routing == "" {
		if idx := s.node.Index(ix.Name); idx != nil && idx.Mapping() != nil && idx.Mapping().RoutingRequired() {
			return target{}, apierr.New(http.StatusBadRequest, "routing_missing_exception", "routing is required for [%s]/[%s]", ix.Name, orNull(it.ID)).
				With("index", ix.Name).With("index_uuid", "_na_")
		}
	}
	if it.ID != "" && len(it.ID) > 512 {
		return target{}, apierr.Validation(fmt.Sprintf("id [%s] is too long, must be no longer than 512 bytes but was: %d", it.ID, len(it.ID)))
	}
	if it.ID == "" {
		if it.Type == OpUpdate || it.Type == OpDelete {
			return target{}, apierr.Validation("id is missing")
		}
	}
	r.ID = it.ID
	if it.ID == "" {
		r.ID = s.ids.next()
	}
	r.Shard = ShardFor(ix, r.ID, routing)
	return target{ix.Name, r.Shard}, nil
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

func (s *Service) runGroup(ctx context.Context, t target, at []int, items []Item, results []ItemResult, refresh Refresh) {
	fail := func(err error) {
		for _, i := range at {
			if results[i].Err == nil {
				results[i].Err = err
			}
		}
	}
	sh, err := s.startedShard(ctx, t)
	if err != nil {
		fail(err)
		return
	}
	var last shard.Result
	wrote := false
	err = store.Guard(func() error {
		for _, i := range at {
			if err := ctx.Err(); err != nil {
				return err
			}
			res, err := s.runItem(ctx, sh, &items[i], &results[i])
			if err != nil {
				results[i].Err = err
				continue
			}
			if res != nil {
				if !wrote || last.Location.Less(res.Location) {
					last = *res
				}
				wrote = true
			}
		}
		return nil
	})
	if err == nil && wrote {
		err = sh.Ensure(last.Location)
	}
	if err == nil && wrote {
		switch refresh {
		case RefreshNow:
			err = sh.Refresh(ctx)
			for _, i := range at {
				results[i].ForcedRefresh = err == nil && results[i].Err == nil
			}
		case RefreshWait:
			err = sh.WaitVisible(ctx, last)
		}
	}
	if err != nil {
		fail(err)
	}
}

// shardWait is how long a write waits for a shard that is still starting, or that answers searches only as yet.
const shardWait = time.Minute

func (s *Service) startedShard(ctx context.Context, t target) (*shard.Shard, error) {
	sh, err := s.node.Shard(t.index, t.shard)
	if err == nil && !sh.SearchOnly() || apierr.Is(err, "index_closed_exception") {
		return sh, err
	}
	if _, werr := s.node.WaitFor(ctx, shardWait, func(v *state.View) bool {
		ix := v.Index(t.index)
		if ix == nil {
			return true
		}
		r := v.Shard(ix.UUID, t.shard)
		return r == nil || r.Primary() == nil || r.Primary().State == state.ShardStarted || r.Primary().State == state.ShardUnassigned && r.Primary().Unassigned != nil && r.Primary().Unassigned.Failures > 0
	}); werr != nil {
		return nil, werr
	}
	if sh, err = s.node.Shard(t.index, t.shard); err != nil {
		return nil, apierr.New(http.StatusServiceUnavailable, "unavailable_shards_exception", "[%s][%d] primary shard is not active", t.index, t.shard).Because(err)
	}
	return sh, nil
}

func (it *Item) op(id string) shard.Op {
	return shard.Op{ID: id, Routing: it.Routing, Version: it.Version, VersionType: it.VersionType, IfSeqNo: it.IfSeqNo, IfPrimaryTerm: it.IfPrimaryTerm}
}

// runItem does one operation. A nil result without error changed nothing.
func (s *Service) runItem(ctx context.Context, sh *shard.Shard, it *Item, r *ItemResult) (*shard.Result, error) {
	switch it.Type {
	case OpDelete:
		res, err := sh.Delete(ctx, it.op(r.ID))
		if err != nil {
			return nil, err
		}
		r.take(res, "not_found")
		if res.Found {
			r.Result = "deleted"
		}
		return &res, nil
	case OpUpdate:
		return s.runUpdate(ctx, sh, it, r)
	}
	res, err := sh.Index(ctx, shard.IndexOp{Op: it.op(r.ID), Source: it.Source, Create: it.Type == OpCreate, AutoID: it.ID == ""})
	if err != nil {
		return nil, err
	}
	r.take(res, "updated")
	if res.Created {
		r.Result = "created"
	}
	return &res, nil
}

func (r *ItemResult) take(res shard.Result, what string) {
	r.Version, r.SeqNo, r.PrimaryTerm, r.Result = res.Version, res.SeqNo, res.PrimaryTerm, what
}
