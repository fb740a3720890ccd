package snapshot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// ShardStatus is a shard in the status of a snapshot.
type ShardStatus struct {
	Stage   string // INIT, STARTED, FINALIZE, DONE, FAILURE
	Node    string
	Reason  string
	Numbers ShardNumbers
	// Done counts what was uploaded so far.
	DoneFiles, DoneBytes int64
}

// Status is a snapshot with all its shards, by index.
type Status struct {
	Repository         string
	ID                 repository.SnapshotID
	State              string
	IncludeGlobalState bool
	Start, End         int64 // milliseconds since 1970; End 0 while it runs
	Indices            map[string]map[int]ShardStatus
}

// Current returns the status of all snapshots that are being taken, of one repository or, with "", of all.
func (s *Service) Current(repo string) []Status {
	v := s.store.View()
	out := []Status{}
	jobs := v.SnapshotJobs()
	slices.SortFunc(jobs, func(a, b *state.SnapshotJob) int { return cmp.Compare(a.Order, b.Order) })
	for _, j := range jobs {
		if repo == "" || j.Repository == repo {
			out = append(out, s.statusOfJob(v, j))
		}
	}
	return out
}

func (s *Service) statusOfJob(v *state.View, j *state.SnapshotJob) Status {
	st := Status{Repository: j.Repository, ID: repository.SnapshotID{Name: j.Name, UUID: j.UUID}, State: j.State, IncludeGlobalState: j.IncludeGlobalState,
		Start: j.Started.UnixMilli(), Indices: map[string]map[int]ShardStatus{}}
	for _, p := range v.SnapshotShards(j.UUID) {
		one := ShardStatus{Stage: stageOf(p.State), Node: p.Node, Reason: p.Reason}
		s.mu.Lock()
		run := s.running[shardKey(p)]
		s.mu.Unlock()
		switch {
		case run != nil && p.State == shardInit:
			c := run.progress.Counts()
			one.Stage = "STARTED"
			one.Numbers = ShardNumbers{TotalFiles: int(c.TotalFiles), TotalBytes: c.TotalBytes, IncrementalFiles: int(c.TotalFiles - c.ReusedFiles),
				IncrementalBytes: c.TotalBytes - c.ReusedBytes, Start: run.started.UnixMilli(), Time: time.Since(run.started).Milliseconds()}
			one.DoneFiles, one.DoneBytes = c.MovedFiles, c.MovedBytes
		case len(p.Result) > 0:
			if json.Unmarshal(p.Result, &one.Numbers) == nil { // we wrote it ourselves
				one.DoneFiles, one.DoneBytes = int64(one.Numbers.IncrementalFiles), one.Numbers.IncrementalBytes
			}
		}
		if st.Indices[p.Index] == nil {
			st.Indices[p.Index] = map[int]ShardStatus{}
		}
		st.Indices[p.Index][p.Shard] = one
	}
	return st
}

func stageOf(shardState string) string {
	switch shardState {
	case shardSuccess:
		return "DONE"
	case shardFailed, shardAborted, shardMissing:
		return "FAILURE"
	}
	return "INIT"
}

// OpenStatus finds snapshots by name and returns, in the order of the names, what reads the status of each; with indices only of these.
// Those that are being taken come first.
func (s *Service) OpenStatus(ctx context.Context, repo string, names, indices []string, ignoreUnavailable bool) ([]func(context.Context) (*Status, error), error) {
	o, err := s.open(repo)
	if err != nil {
		return nil, err
	}
	v := s.store.View()
	var out []func(context.Context) (*Status, error)
	add := func(read func(context.Context) (*Status, error)) {
		out = append(out, func(ctx context.Context) (*Status, error) {
			st, err := read(ctx)
			if err == nil {
				err = st.only(indices, ignoreUnavailable)
			}
			return st, err
		})
	}
	asked := slices.Clone(names)
	for _, j := range v.SnapshotJobs() {
		if j.Repository == repo && slices.Contains(asked, j.Name) {
			st := s.statusOfJob(v, j)
			add(func(context.Context) (*Status, error) { return &st, nil })
			asked = slices.DeleteFunc(asked, func(n string) bool { return n == j.Name })
		}
	}
	if len(asked) == 0 { // what is being taken is answered without a look into the repository
		return out, nil
	}
	data, err := o.root(ctx)
	if err != nil {
		return nil, s.describe(repo, err)
	}
	for _, name := range slices.Compact(asked) {
		e, err := data.Snapshot(name)
		if err != nil {
			if ignoreUnavailable {
				continue
			}
			return nil, apierr.SnapshotMissing(repo, name)
		}
		add(func(ctx context.Context) (*Status, error) {
			st, err := o.status(ctx, repo, data, e, indices)
			return st, s.describe(repo, err)
		})
	}
	return out, nil
}

// only leaves out other indices.
func (st *Status) only(indices []string, ignoreUnavailable bool) error {
	if len(indices) == 0 {
		return nil
	}
	var missing []string
	kept := map[string]map[int]ShardStatus{}
	for _, name := range indices {
		if shards, ok := st.Indices[name]; ok {
			kept[name] = shards
		} else {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 && !ignoreUnavailable {
		list := strings.Join(missing, ", ")
		if len(missing) == len(indices) {
			list += " and possibly more indices" // a real node says so of a single one, too
		}
		return apierr.New(http.StatusNotFound, "index_not_found_exception", "no such index [%s]", list).With("index", list).With("index_uuid", "_na_").Because(apierr.IllegalArgument("indices [%s] missing in snapshot [%s] of repository [%s]", list, st.ID.Name, st.Repository))
	}
	st.Indices = kept
	return nil
}

// status reads the status of a snapshot that is done: of all its shards several at a time, or from the cache.
func (o *opened) status(ctx context.Context, name string, data *repository.Data, e repository.SnapshotEntry, indices []string) (*Status, error) {
	info, err := o.info(ctx, e.SnapshotID)
	if err != nil {
		return nil, err
	}
	st := &Status{Repository: name, ID: e.SnapshotID, State: info.State.String(), Start: info.StartTime, End: info.EndTime,
		IncludeGlobalState: info.IncludeGlobalState == nil || *info.IncludeGlobalState, Indices: map[string]map[int]ShardStatus{}}
	failed := map[string]map[int]repository.ShardFailure{}
	for _, f := range info.Failures {
		if failed[f.Index] == nil {
			failed[f.Index] = map[int]repository.ShardFailure{}
		}
		failed[f.Index][f.Shard] = f
	}
	counts := data.ShardCounts(info)
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(listParallel)
	for _, ix := range data.SnapshotIndices(e.SnapshotID) {
		if len(indices) > 0 && !slices.Contains(indices, ix.Name) {
			continue
		}
		g.Go(func() error {
			shards, err := o.indexStatus(gctx, data, info, ix.IndexID, counts[ix.ID], failed[ix.Name])
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			st.Indices[ix.Name] = shards
			return nil
		})
	}
	return st, g.Wait()
}

// indexStatus reads the shards' numbers of an index in a snapshot; count is how many there are, if that is known, or 0.
func (o *opened) indexStatus(ctx context.Context, data *repository.Data, info *repository.SnapshotInfo, ix repository.IndexID, count int, failed map[int]repository.ShardFailure) (map[int]ShardStatus, error) {
	id := info.SnapshotID
	key := id.UUID + "/" + ix.ID
	if shards, ok := o.shards.get(key); ok {
		return shards, nil
	}
	if count == 0 {
		var err error
		if count, err = o.repo.ShardCount(ctx, data, id, ix.Name); err != nil {
			return nil, err
		}
	}
	shards := map[int]ShardStatus{}
	for n := range count {
		if f, ok := failed[n]; ok {
			shards[n] = ShardStatus{Stage: "FAILURE", Node: f.NodeID, Reason: f.Reason}
			continue
		}
		rs, err := o.repo.Shard(ctx, ix, n)
		if err != nil {
			return nil, err
		}
		snap, err := rs.Snapshot(ctx, id)
		if errors.Is(err, repository.ErrShallow) {
			shallow, err := rs.ShallowSnapshot(ctx, id)
			if err != nil {
				return nil, err
			}
			shards[n] = ShardStatus{Stage: "DONE", Numbers: ShardNumbers{TotalFiles: shallow.TotalFiles, TotalBytes: shallow.TotalSize, Start: shallow.StartTime, Time: shallow.Time}}
			continue
		}
		var missing *repository.MissingSnapshotError
		if errors.As(err, &missing) && info.PinnedTimestamp != 0 {
			shards[n] = ShardStatus{Stage: "DONE"} // as OpenSearch: it names no files
			continue
		}
		if err != nil {
			return nil, err
		}
		shards[n] = ShardStatus{Stage: "DONE", Numbers: ShardNumbers{IncrementalFiles: snap.IncrementalFiles, IncrementalBytes: snap.IncrementalSize,
			TotalFiles: len(snap.Files), TotalBytes: snap.TotalSize(), Start: snap.StartTime, Time: snap.Time},
			DoneFiles: int64(snap.IncrementalFiles), DoneBytes: snap.IncrementalSize}
	}
	o.shards.put(key, shards, 100+150*len(shards))
	return shards, nil
}
