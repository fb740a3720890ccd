package coordinator

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/lucene/search"
)

// contextKind is what a context is kept open for.
type contextKind byte

const (
	kindScroll contextKind = 's'
	kindPIT    contextKind = 'p'
)

// The limits of contexts, where the cluster's settings do not say otherwise.
const (
	maxScrolls       = 500
	maxPITs          = 300
	defaultMaxScroll = 24 * time.Hour
	defaultMaxPIT    = 24 * time.Hour
)

// searchContext keeps the views of shards open for later requests.
type searchContext struct {
	id        string
	number    uint64
	kind      contextKind
	shards    []*searchShard
	release   func()
	keepAlive time.Duration
	created   time.Time
	timer     *time.Timer
	users     int  // guarded by scrolls.mu
	gone      bool // no more to be found; released by the last user

	busy   sync.Mutex // one page at a time
	req    *SearchRequest
	plan   *searchPlan
	lasts  []*search.Hit
	total  *search.TotalHits
	max    float32
	counts ShardCounts
}

// scrolls are the searches that go on with a later request, and the points in time.
type scrolls struct {
	mu     sync.Mutex
	byID   map[string]*searchContext
	number uint64
	closed bool
}

func (s *scrolls) init() { s.byID = map[string]*searchContext{} }

// add keeps a context.
func (s *scrolls) add(c *searchContext, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, other := range s.byID {
		if other.kind == c.kind {
			n++
		}
	}
	if s.closed || n >= limit {
		what, setting := "Trying to create too many scroll contexts. Must be less than or equal to: [%d]. This limit can be set by changing the [%s] setting.", "search.max_open_scroll_context"
		if c.kind == kindPIT {
			what, setting = "Trying to create too many Point In Time contexts. Must be less than or equal to: [%d]. This limit can be set by changing the [%s] setting.", "search.max_open_pit_context"
		}
		return apierr.New(http.StatusTooManyRequests, "rejected_execution_exception", what, limit, setting)
	}
	s.number++
	var b [24]byte
	b[0] = byte(c.kind)
	binary.BigEndian.PutUint64(b[1:], s.number)
	_, _ = rand.Read(b[9:]) // never fails on the systems that Go supports
	c.id, c.number, c.created = base64.URLEncoding.EncodeToString(b[:]), s.number, time.Now()
	c.timer = time.AfterFunc(c.keepAlive, func() { s.drop(c.id) })
	s.byID[c.id] = c
	return nil
}

// contextNumber reads the number of a context from its id.
func contextNumber(id string, kind contextKind) (uint64, bool) {
	b, err := base64.URLEncoding.DecodeString(id)
	if err != nil || len(b) != 24 || b[0] != byte(kind) {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[1:]), true
}

// use returns a context and keeps it for at least keepAlive more (0: as long as before) once it is released.
func (s *scrolls) use(id string, kind contextKind, keepAlive time.Duration) (*searchContext, func(), error) {
	number, ok := contextNumber(id, kind)
	if !ok {
		if kind == kindPIT {
			return nil, nil, apierr.IllegalArgument("invalid id: [%s]", id)
		}
		return nil, nil, apierr.IllegalArgument("Cannot parse scroll id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byID[id]
	if c == nil {
		missing := apierr.New(http.StatusNotFound, "search_context_missing_exception", "No search context found for id [%d]", number)
		return nil, nil, &PhaseError{Phase: "query", Reason: "all shards failed", Failures: []ShardFailure{{Shard: -1, Err: missing}}}
	}
	c.users++
	c.timer.Stop()
	c.keepAlive = max(c.keepAlive, keepAlive) // a request may lengthen it, never shorten it
	return c, func() { s.leave(c) }, nil
}

// leave ends a use of a context.
func (s *scrolls) leave(c *searchContext) {
	s.mu.Lock()
	c.users--
	last := c.users == 0 && c.gone
	if c.users == 0 && !c.gone {
		c.timer.Reset(c.keepAlive)
	}
	s.mu.Unlock()
	if last {
		c.release()
	}
}

// drop forgets a context; it tells whether there was one.
func (s *scrolls) drop(id string) bool {
	s.mu.Lock()
	c := s.byID[id]
	if c == nil {
		s.mu.Unlock()
		return false
	}
	delete(s.byID, id)
	c.timer.Stop()
	c.gone = true
	idle := c.users == 0
	s.mu.Unlock()
	if idle {
		c.release()
	}
	return true
}

func (s *scrolls) all(kind contextKind) []*searchContext {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*searchContext
	for _, c := range s.byID {
		if c.kind == kind {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *searchContext) int { return cmp.Compare(b.number, a.number) })
	return out
}

// Close gives up all scrolls and points in time; no more can be opened.
func (s *Service) Close() {
	s.scrolls.mu.Lock()
	s.scrolls.closed = true
	var ids []string
	for id := range s.scrolls.byID {
		ids = append(ids, id)
	}
	s.scrolls.mu.Unlock()
	for _, id := range ids {
		s.scrolls.drop(id)
	}
}

// stale tells whether an index of a context was deleted.
func (s *Service) stale(c *searchContext) bool {
	v := s.store.View()
	for _, sh := range c.shards {
		if v.IndexByUUID(sh.ix.meta.UUID) == nil {
			return true
		}
	}
	return false
}

func (s *Service) checkKeepAlive(d time.Duration, key string, def time.Duration) error {
	limit, err := s.clusterSettings().Duration(key, def)
	if err != nil {
		return err
	}
	if d > limit {
		return apierr.IllegalArgument("Keep alive for request (%s) is too large. It must be less than (%s). This limit can be set by changing the [%s] cluster level setting.",
			settings.FormatDuration(d), settings.FormatDuration(limit), key)
	}
	return nil
}

func (s *Service) startScroll(ctx context.Context, req *SearchRequest, p *searchPlan, shards []*searchShard, start time.Time) (*SearchResult, error) {
	if err := s.checkKeepAlive(req.Scroll, "search.max_keep_alive", defaultMaxScroll); err != nil {
		return nil, err
	}
	release, err := s.acquire(ctx, shards)
	if err != nil {
		return nil, err
	}
	c := &searchContext{kind: kindScroll, shards: shards, release: release, keepAlive: req.Scroll, req: req, plan: p, lasts: make([]*search.Hit, len(shards))}
	res := &SearchResult{}
	if err := s.run(ctx, req, p, shards, c.lasts, res); err != nil {
		release()
		return nil, err
	}
	p.src.Aggs = nil // on the first page only
	c.total, c.max, c.counts = res.Total, res.MaxScore, res.Shards
	limit, err := s.clusterSettings().Int("search.max_open_scroll_context", maxScrolls)
	if err != nil {
		limit = maxScrolls
	}
	if err := s.scrolls.add(c, limit); err != nil {
		release()
		return nil, err
	}
	res.ScrollID, res.Took = c.id, time.Since(start)
	return res, nil
}

// Scroll returns the next page of a scroll.
func (s *Service) Scroll(ctx context.Context, id string, keepAlive time.Duration) (*SearchResult, error) {
	start := time.Now()
	if err := s.checkKeepAlive(keepAlive, "search.max_keep_alive", defaultMaxScroll); err != nil {
		return nil, err
	}
	c, done, err := s.scrolls.use(id, kindScroll, keepAlive)
	if err != nil {
		return nil, err
	}
	defer done()
	c.busy.Lock()
	defer c.busy.Unlock()
	if s.stale(c) {
		s.scrolls.drop(id)
		missing := apierr.New(http.StatusNotFound, "search_context_missing_exception", "No search context found for id [%d]", c.number)
		return nil, &PhaseError{Phase: "query", Reason: "all shards failed", Failures: []ShardFailure{{Shard: -1, Err: missing}}}
	}
	res := &SearchResult{ScrollID: id}
	lasts := append([]*search.Hit(nil), c.lasts...)
	if err := s.run(ctx, c.req, c.plan, c.shards, lasts, res); err != nil {
		return nil, err
	}
	c.lasts = lasts
	res.Total, res.MaxScore, res.Took = c.total, c.max, time.Since(start)
	return res, nil
}

// ClearScrolls ends scrolls; "_all" alone ends all. It returns how many there were.
func (s *Service) ClearScrolls(ids []string) (int, error) {
	freed := 0
	if len(ids) == 1 && ids[0] == "_all" {
		for _, c := range s.scrolls.all(kindScroll) {
			if s.scrolls.drop(c.id) {
				freed++
			}
		}
		return freed, nil
	}
	for _, id := range ids {
		if _, ok := contextNumber(id, kindScroll); !ok {
			return freed, apierr.IllegalArgument("Cannot parse scroll id")
		}
	}
	for _, id := range ids {
		if s.scrolls.drop(id) {
			freed++
		}
	}
	return freed, nil
}

// PIT is a point in time.
type PIT struct {
	ID        string
	Created   time.Time
	KeepAlive time.Duration
	Shards    ShardCounts
}

// CreatePIT keeps the views of indices' shards open.
func (s *Service) CreatePIT(ctx context.Context, o wildcard.Options, expressions, routing []string, keepAlive time.Duration, refusePartial bool) (*PIT, error) {
	if err := s.checkKeepAlive(keepAlive, "point_in_time.max_keep_alive", defaultMaxPIT); err != nil {
		return nil, err
	}
	indices, err := s.searchIndices(s.store.View(), o, expressions, routing)
	if err != nil {
		return nil, err
	}
	shards := shardsOf(indices)
	release, err := s.acquire(ctx, shards)
	if err != nil {
		return nil, err
	}
	out := &PIT{KeepAlive: keepAlive, Shards: ShardCounts{Total: len(shards)}}
	for _, sh := range shards {
		if sh.view != nil {
			out.Shards.Successful++
		} else {
			out.Shards.Failures = append(out.Shards.Failures, ShardFailure{sh.ix.meta.Name, sh.id, s.store.NodeID(), sh.err})
		}
	}
	if n := len(out.Shards.Failures); n > 0 && (refusePartial || n == len(shards)) {
		release()
		return nil, &PhaseError{Phase: "create_pit", Reason: "all shards failed", Failures: out.Shards.Failures}
	}
	c := &searchContext{kind: kindPIT, shards: shards, release: release, keepAlive: keepAlive}
	limit, err := s.clusterSettings().Int("search.max_open_pit_context", maxPITs)
	if err != nil {
		limit = maxPITs
	}
	if err := s.scrolls.add(c, limit); err != nil {
		release()
		return nil, err
	}
	out.ID, out.Created = c.id, c.created
	return out, nil
}

// PITs lists the points in time.
func (s *Service) PITs() []PIT {
	var out []PIT
	for _, c := range s.scrolls.all(kindPIT) {
		out = append(out, PIT{ID: c.id, Created: c.created, KeepAlive: c.keepAlive})
	}
	return out
}

// DeletePITs ends points in time and returns those that there were; nil ends all.
func (s *Service) DeletePITs(ids []string) ([]string, error) {
	if ids == nil {
		for _, c := range s.scrolls.all(kindPIT) {
			ids = append(ids, c.id)
		}
	}
	for _, id := range ids {
		if _, ok := contextNumber(id, kindPIT); !ok {
			return nil, apierr.IllegalArgument("invalid id: [%s]", id)
		}
	}
	var freed []string
	for _, id := range ids {
		if s.scrolls.drop(id) {
			freed = append(freed, id)
		}
	}
	return freed, nil
}
