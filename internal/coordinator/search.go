package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/aggregation"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
	"github.com/varve-search/varve/lucene/store"
)

// SearchRequest is a search.
type SearchRequest struct {
	Indices []string // expressions; none: all indices
	Options wildcard.Options
	Routing []string
	Source  *SearchSource
	Scroll  time.Duration // how long to keep it open; 0: it is no scroll
	// DFS scores with the statistics of all shards together.
	DFS bool
	// RefusePartial fails the search where any shard fails; nil: as the cluster's setting says.
	RefusePartial *bool
	TypedKeys     bool
	// CountOnly answers with the total alone, and is what _count asks for.
	CountOnly bool
}

// ShardFailure is a shard that could not answer.
type ShardFailure struct {
	Index string
	Shard int
	Node  string
	Err   error
}

// PhaseError is a search that failed on all shards, or on one where none may fail.
type PhaseError struct {
	Phase, Reason string
	Failures      []ShardFailure
	Cause         error // of a failure that is no shard's; nil: none
}

func (e *PhaseError) Error() string {
	s := e.Reason
	if e.Cause != nil {
		s += e.Cause.Error()
	}
	if len(e.Failures) > 0 {
		s += ": " + e.Failures[0].Err.Error()
	}
	return s
}

// ShardCounts is the header _shards.
type ShardCounts struct {
	Total, Successful, Skipped int
	Failures                   []ShardFailure
}

// SearchResult is the answer to a search.
type SearchResult struct {
	Took            time.Duration
	ScrollID, PITID string
	TimedOut        bool
	TerminatedEarly *bool
	Shards          ShardCounts
	Total           *search.TotalHits // nil: not tracked
	MaxScore        float32           // NaN: none
	Hits            []*xcontent.Object
	Aggs            *xcontent.Object
}

// searchPlan is a search that was read and is bound to indices as shards need it.
type searchPlan struct {
	src         *SearchSource
	view        *state.View
	query, post *query.Compiled
	sort        *query.SortSpec // nil: by score
	scroll      bool
	countOnly   bool
	now         time.Time
	deadline    time.Time // zero: none
	stats       search.StatsProvider
	workers     int

	mu    sync.Mutex
	bound map[string]*boundIndex // by UUID
}

// boundIndex is a plan bound to an index.
type boundIndex struct {
	once        sync.Once
	err         error
	ctx         *query.Context
	query, post search.Query
	sort        *query.Sort // nil: by score
	after       *search.Hit
	fetch       *fetcher
}

// shardHits is what a shard found.
type shardHits struct {
	top        *search.TopDocs
	sort       *query.Sort
	aggs       *aggregation.Results
	timedOut   bool
	terminated bool
	err        error
	failed     bool
}

// newPlan reads what can be read without an index.
func (s *Service) newPlan(req *SearchRequest) (*searchPlan, error) {
	src := req.Source
	p := &searchPlan{src: src, view: s.store.View(), scroll: req.Scroll > 0, countOnly: req.CountOnly, now: time.Now(), bound: map[string]*boundIndex{}}
	if src.Timeout > 0 {
		p.deadline = p.now.Add(src.Timeout)
	}
	var err error
	if p.query, err = query.Compile(src.Query); err != nil {
		return nil, err
	}
	if src.PostFilter != nil {
		if p.post, err = query.Compile(src.PostFilter); err != nil {
			return nil, err
		}
	}
	if src.Sort != nil {
		if p.sort, err = query.ParseSort(src.Sort); err != nil {
			return nil, err
		}
	}
	return p, validateSearch(req)
}

func validateSearch(req *SearchRequest) error {
	src := req.Source
	var faults []string
	if req.Scroll > 0 {
		if src.TrackTotalGiven && src.TrackTotal != TrackAll {
			faults = append(faults, "disabling [track_total_hits] is not allowed in a scroll context")
		}
		if src.From > 0 {
			faults = append(faults, "using [from] is not allowed in a scroll context")
		}
		if src.Size == 0 {
			faults = append(faults, "[size] cannot be [0] in a scroll context")
		}
		if src.PIT != "" {
			faults = append(faults, "using [point in time] is not allowed in a scroll context")
		}
	}
	if len(faults) > 0 {
		return apierr.Validation(faults...)
	}
	return nil
}

// Search answers a search.
func (s *Service) Search(ctx context.Context, req *SearchRequest) (*SearchResult, error) {
	start := time.Now()
	p, err := s.newPlan(req)
	if err != nil {
		return nil, err
	}
	var shards []*searchShard
	res := &SearchResult{}
	if pit := req.Source.PIT; pit != "" {
		rc, release, err := s.scrolls.use(pit, kindPIT, req.Source.PITKeepAlive)
		if err != nil {
			return nil, err
		}
		defer release()
		shards, res.PITID = rc.shards, pit
	} else {
		indices, err := s.searchIndices(p.view, req.Options, req.Indices, req.Routing)
		if err != nil {
			return nil, err
		}
		shards = shardsOf(indices)
	}
	if req.Scroll > 0 {
		p.src.TrackTotal = TrackAll
		return s.startScroll(ctx, req, p, shards, start)
	}
	if err := s.run(ctx, req, p, shards, nil, res); err != nil {
		return nil, err
	}
	res.Took = time.Since(start)
	return res, nil
}

// run asks shards and puts their answers together. lasts are the hits to go on after, by shard; nil: from the start.
// It sets in lasts the last hit of each shard that was shown.
func (s *Service) run(ctx context.Context, req *SearchRequest, p *searchPlan, shards []*searchShard, lasts []*search.Hit, res *SearchResult) error {
	res.MaxScore = float32(math.NaN())
	res.Shards.Total = len(shards)
	if len(shards) == 0 {
		res.MaxScore = 0
		if p.src.TrackTotal != TrackNone {
			res.Total = &search.TotalHits{}
		}
		return nil
	}
	release, err := s.acquire(ctx, shards)
	if err != nil {
		return err
	}
	defer release()
	p.workers = max(1, runtime.GOMAXPROCS(0)/len(shards))
	results := make([]shardHits, len(shards))
	if req.DFS {
		s.gatherStats(ctx, p, shards, results)
	}
	s.eachShard(shards, func(i int) {
		var last *search.Hit
		if lasts != nil {
			last = lasts[i]
		}
		if results[i].failed {
			return
		}
		r, err := s.queryShard(ctx, p, shards[i], last)
		if err != nil {
			results[i].err, results[i].failed = err, true
			return
		}
		results[i] = *r
	})
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := s.failures(req, shards, results, res); err != nil {
		return err
	}
	return s.reduce(ctx, req, p, shards, results, lasts, res)
}

// eachShard runs f for all shards, several at once.
func (s *Service) eachShard(shards []*searchShard, f func(i int)) {
	if len(shards) == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(len(shards), max(2, runtime.GOMAXPROCS(0))) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				f(i)
			}
		}()
	}
	for i := range shards {
		next <- i
	}
	close(next)
	wg.Wait()
}

// acquire takes views of the shards that have none; release gives those back. Shards that are not here keep nil.
func (s *Service) acquire(ctx context.Context, shards []*searchShard) (release func(), err error) {
	var mine []*searchShard
	release = func() {
		for _, sh := range mine {
			sh.view.Release()
			sh.view = nil
		}
	}
	for _, sh := range shards {
		if sh.view != nil {
			continue
		}
		open, err := s.node.Shard(sh.ix.meta.Name, sh.id)
		if err == nil {
			sh.view, err = open.Acquire(ctx)
		}
		if ctx.Err() != nil {
			release()
			return nil, context.Cause(ctx)
		}
		sh.err = err
		if err == nil {
			mine = append(mine, sh)
		}
	}
	return release, nil
}

func unavailable(ix *state.Index, shard int) error {
	return apierr.New(http.StatusServiceUnavailable, "no_shard_available_action_exception", "No shard available for [%s][%d]", ix.Name, shard).
		With("index", ix.Name).With("shard", itoa(shard)).With("index_uuid", ix.UUID)
}

// wholeRequest tells whether an error of a shard is one of the request, which no shard can answer.
func wholeRequest(err error) bool {
	e := apierr.As(err)
	if e == nil {
		return false
	}
	switch e.Type {
	case "parsing_exception", "x_content_parse_exception", "not_implemented_exception", "named_object_not_found_exception":
		return true
	}
	return false
}

// refusesPartial says whether a search must answer for all shards, and for all their documents, or fail.
func (s *Service) refusesPartial(req *SearchRequest) bool {
	if req.RefusePartial != nil {
		return *req.RefusePartial
	}
	allowed, err := s.clusterSettings().Bool("search.default_allow_partial_results", true)
	return err == nil && !allowed
}

// failures counts the shards that failed, and fails where none is left or none may fail.
func (s *Service) failures(req *SearchRequest, shards []*searchShard, results []shardHits, res *SearchResult) error {
	refuse := s.refusesPartial(req)
	for i := range results {
		r := &results[i]
		if refuse && r.timedOut {
			r.failed, r.err = true, apierr.New(http.StatusInternalServerError, "query_phase_execution_exception", "Time exceeded")
		}
		if !r.failed {
			res.Shards.Successful++
			continue
		}
		if wholeRequest(r.err) {
			return r.err
		}
		if !apierr.Is(r.err, "no_shard_available_action_exception") {
			res.Shards.Failures = append(res.Shards.Failures, ShardFailure{shards[i].ix.meta.Name, shards[i].id, s.store.NodeID(), r.err})
		}
	}
	if res.Shards.Successful == 0 {
		return &PhaseError{Phase: "query", Reason: "all shards failed", Failures: res.Shards.Failures}
	}
	if refuse && res.Shards.Successful < res.Shards.Total {
		return &PhaseError{Phase: "query", Reason: "Partial shards failure", Failures: res.Shards.Failures}
	}
	return nil
}

// guard runs what reads the files of a shard. A fault of this program is the failure of the shard, not the end of the
// process.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("a search of a shard panicked", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("an internal fault stopped the search of the shard: %v", p)
		}
	}()
	err = store.Guard(f)
	if errors.Is(err, search.ErrTerminated) {
		return nil
	}
	return err
}
