package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/ingest"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/lucene/search"
)

// Service answers document and search requests. Its methods are safe for concurrent use.
type Service struct {
	node  *cluster.Node
	store *state.Store
	tasks *task.Registry
	ids   idSource
	// AutoCreate makes an index that a write names and that is not there; nil refuses such writes.
	AutoCreate func(ctx context.Context, name string) error
	// Pipelines are the ingest pipelines of the cluster state.
	Pipelines *ingest.Registry
	scrolls   scrolls
	filters   *search.LRUCache // sets of documents of filters that are used often
}

// filterCacheBytes is how much memory the sets of documents of filters may take.
const filterCacheBytes = 64 << 20

// New returns a service over a node's shards.
func New(n *cluster.Node, tasks *task.Registry) *Service {
	s := &Service{node: n, store: n.Store(), tasks: tasks}
	_, _ = rand.Read(s.ids.node[:]) // never fails on the systems that Go supports
	s.ids.counter.Store(uint32(time.Now().UnixNano()))
	s.Pipelines = ingest.NewRegistry(func(id string) json.RawMessage {
		if p := s.store.View().Pipeline(id); p != nil {
			return p.Body
		}
		return nil
	})
	s.scrolls.init()
	s.filters = search.NewLRUCache(filterCacheBytes)
	return s
}

// idSource makes ids of documents that have none: neighbours in time share a prefix, so that the index
// keeps them in little space.
type idSource struct {
	node    [6]byte
	counter atomic.Uint32
}

// next returns 20 characters of URL-safe base64.
func (s *idSource) next() string {
	var b [17]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Now().UnixMilli())<<16)
	copy(b[6:], s.node[:])
	binary.BigEndian.PutUint32(b[12:], s.counter.Add(1)<<8)
	return base64.RawURLEncoding.EncodeToString(b[:15])
}

// writeTarget is where a write goes.
type writeTarget struct {
	name    string       // that the operation names, without date math
	ix      *state.Index // that takes the write
	routing string       // that an alias asks for
	view    *state.View
}

// writeIndex returns the index that takes an operation, making it if need be.
func (s *Service) writeIndex(ctx context.Context, it *Item, names bulkNames) (*writeTarget, error) {
	name, err := wildcard.DateMath(it.Index, time.Now())
	if err != nil {
		return nil, err
	}
	v := s.store.View()
	lookup := v.Names()
	if it.RequireAlias && !lookup.HasAlias(name) {
		return nil, apierr.New(404, "index_not_found_exception", "no such index [%s] and [require_alias] request flag is [true] and [%s] is not an alias", name, name).
			With("index", name).With("index_uuid", "_na_")
	}
	if !lookup.HasIndex(name) && !lookup.HasAlias(name) && !lookup.HasStream(name) {
		if s.AutoCreate == nil {
			return nil, apierr.IndexNotFound(name)
		}
		if err := autoCreates(v, it, name, names); err != nil {
			return nil, err
		}
		if err := s.AutoCreate(ctx, name); err != nil && !apierr.Is(err, "resource_already_exists_exception") {
			return nil, err
		}
		v = s.store.View()
		lookup = v.Names()
	}
	if lookup.HasStream(name) && it.Type != OpCreate {
		return nil, cluster.OnlyCreates()
	}
	concrete, err := lookup.WriteIndex(wildcard.SingleIndex, name)
	if err != nil {
		return nil, err
	}
	ix := v.Index(concrete)
	if ix == nil {
		return nil, apierr.IndexNotFound(concrete)
	}
	if ix.State == state.IndexClosed {
		return nil, apierr.IndexClosed(ix.Name, ix.UUID)
	}
	t := &writeTarget{name: name, ix: ix, routing: it.Routing, view: v}
	if a, ok := ix.Aliases[name]; ok && a.IndexRouting != "" {
		if t.routing != "" && t.routing != a.IndexRouting {
			return nil, apierr.IllegalArgument("Alias [%s] has index routing associated with it [%s], and was provided with routing value [%s], rejecting operation",
				name, a.IndexRouting, t.routing)
		}
		t.routing = a.IndexRouting
	}
	return t, nil
}
