package coordinator

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

func itoa(n int) string { return strconv.Itoa(n) }

// GetRequest asks for a document.
type GetRequest struct {
	Index, ID, Routing string
	Realtime           bool
	Refresh            bool
	Version            int64 // shard.MatchAny if not given
	StoredFields       []string
	// Mapping of the document's index is given to Fields, which reads stored fields. nil: none are wanted.
	Fields func(m *mapping.Mapping, leaf *lucene.LeafContext, doc int32) (any, error)
}

// GetResult is a document, or that it is not there.
type GetResult struct {
	Index, ID, Routing          string
	Found                       bool
	Version, SeqNo, PrimaryTerm int64
	Source                      []byte // nil where the index keeps none
	Fields                      any
}

// readIndex returns the one index that a name stands for, and the routing that an alias asks for.
func (s *Service) readIndex(name, routing string) (*state.Index, string, error) {
	v := s.store.View()
	concrete, err := v.Names().Indices(wildcard.Options{ForbidMultiIndexAliases: true, ForbidClosed: true, ExcludeStreams: true}, name)
	if err != nil {
		return nil, "", err
	}
	if len(concrete) != 1 {
		return nil, "", apierr.IndexNotFound(name)
	}
	ix := v.Index(concrete[0])
	if ix == nil {
		return nil, "", apierr.IndexNotFound(name)
	}
	if a, ok := ix.Aliases[name]; ok && routing == "" {
		routing = a.SearchRouting
	}
	return ix, routing, nil
}

// Get returns a document.
func (s *Service) Get(ctx context.Context, req GetRequest) (*GetResult, error) {
	ix, routing, err := s.readIndex(req.Index, req.Routing)
	if err != nil {
		return nil, err
	}
	local := s.node.Index(ix.Name)
	if local == nil || local.Mapping() == nil {
		return nil, apierr.IndexNotFound(req.Index)
	}
	if routing == "" && local.Mapping().RoutingRequired() {
		return nil, apierr.New(http.StatusBadRequest, "routing_missing_exception", "routing is required for [%s]/[%s]", ix.Name, req.ID).
			With("index", ix.Name).With("index_uuid", "_na_")
	}
	sh, err := s.startedShard(ctx, target{ix.Name, ShardFor(ix, req.ID, routing)})
	if err != nil {
		return nil, err
	}
	res := &GetResult{Index: ix.Name, ID: req.ID}
	err = store.Guard(func() error {
		if req.Refresh || req.Fields != nil && req.Realtime {
			if err := sh.Refresh(ctx); err != nil {
				return err
			}
		}
		doc, release, err := sh.Get(ctx, req.ID, req.Realtime)
		if err != nil || doc == nil {
			return err
		}
		defer release()
		if req.Version >= 0 && doc.Version != req.Version {
			return apierr.New(http.StatusConflict, "version_conflict_engine_exception", "[%s]: version conflict, current version [%d] is different than the one provided [%d]",
				req.ID, doc.Version, req.Version).With("index", ix.Name).With("shard", itoa(ShardFor(ix, req.ID, routing))).With("index_uuid", ix.UUID)
		}
		res.Found, res.Routing, res.Version, res.SeqNo, res.PrimaryTerm = true, doc.Routing, doc.Version, doc.SeqNo, doc.PrimaryTerm
		res.Source = bytes.Clone(doc.Source)
		if doc.Leaf == nil { // from the translog, which has the source whole
			if res.Source, err = storedSource(local.Mapping(), res.Source); err != nil {
				return err
			}
		}
		if req.Fields != nil && doc.Leaf != nil {
			res.Fields, err = req.Fields(local.Mapping(), doc.Leaf, doc.Doc)
		}
		return err
	})
	return res, err
}

// storedSource returns of a source what the index keeps of it.
func storedSource(m *mapping.Mapping, source []byte) ([]byte, error) {
	if !m.SourceEnabled() {
		return nil, nil
	}
	includes, excludes := m.SourceFilters()
	if len(includes) == 0 && len(excludes) == 0 {
		return source, nil
	}
	v, err := xcontent.FilterSource(source, includes, excludes)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = xcontent.Append(&b, v)
	return b.Bytes(), err
}
