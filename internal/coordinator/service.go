package coordinator

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
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
	scrolls    scrolls
	filters    *search.LRUCache // sets of documents of filters that are used often
}

// filterCacheBytes is how much memory the sets of documents of filters may take.
const filterCacheBytes = 64 << 20

// New returns a service over a node's shards.
func New(n *cluster.Node, tasks *task.Registry) *Service {
	s := &Service{node: n, store: n.Store(), tasks: tasks}
	_, _ = rand.Read(s.ids.node[:]) // never fails on the systems that Go supports
	s.ids.counter.Store(uint32(time.Now().UnixNano()))
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

// writeIndex returns the index that takes a write to a name, making it if need be, and the routing that an alias asks for.
func (s *Service) writeIndex(ctx context.Context, name, routing string, requireAlias bool) (*state.Index, string, error) {
	resolved, err := wildcard.DateMath(name, time.Now())
	if err != nil {
		return nil, "", err
	}
	v := s.store.View()
	if requireAlias && !v.Names().HasAlias(resolved) {
		return nil, "", apierr.New(404, "index_not_found_exception", "no such index [%s] and [require_alias] request flag is [true] and [%s] is not an alias", resolved, resolved).
			With("index", resolved).With("index_uuid", "_na_")
	}
	if !v.Names().HasIndex(resolved) && !v.Names().HasAlias(resolved) {
		if s.AutoCreate == nil {
			return nil, "", apierr.IndexNotFound(resolved)
		}
		if err := s.AutoCreate(ctx, resolved); err != nil && !apierr.Is(err, "resource_already_exists_exception") {
			return nil, "", err
		}
		v = s.store.View()
	}
	concrete, err := v.Names().WriteIndex(wildcard.SingleIndex, resolved)
	if err != nil {
		return nil, "", err
	}
	ix := v.Index(concrete)
	if ix == nil {
		return nil, "", apierr.IndexNotFound(concrete)
	}
	if ix.State == state.IndexClosed {
		return nil, "", apierr.IndexClosed(ix.Name, ix.UUID)
	}
	if a, ok := ix.Aliases[resolved]; ok && a.IndexRouting != "" {
		if routing != "" && routing != a.IndexRouting {
			return nil, "", apierr.IllegalArgument("Alias [%s] has index routing associated with it [%s], and was provided with routing value [%s], rejecting operation",
				resolved, a.IndexRouting, routing)
		}
		routing = a.IndexRouting
	}
	return ix, routing, nil
}
