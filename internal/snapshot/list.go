package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/repository"
)

// Entry is a snapshot in a list: one that is done, with its info, or one that is being taken.
type Entry struct {
	Repository string
	ID         repository.SnapshotID
	State      string
	Info       *repository.SnapshotInfo // nil while it is being taken, and where only names were asked for
	Job        *state.SnapshotJob
	Version    string
	Indices    []string // from the root, where Info is nil
}

// List returns the snapshots of a repository that names and wildcards choose ("_all", "_current" too), oldest first.
// Without details only the root of the repository is read.
func (s *Service) List(ctx context.Context, repo string, patterns []string, ignoreUnavailable, details bool) ([]Entry, error) {
	o, err := s.open(repo)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	jobs := map[string]bool{}
	for _, j := range s.store.View().SnapshotJobs() {
		if j.Repository == repo {
			entries = append(entries, Entry{Repository: repo, ID: repository.SnapshotID{Name: j.Name, UUID: j.UUID}, State: "IN_PROGRESS", Job: j})
			jobs[j.UUID] = true
		}
	}
	if len(patterns) == 1 && patterns[0] == "_current" {
		return entries, nil
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return nil, s.describe(repo, err)
	}
	for _, e := range data.Snapshots {
		if jobs[e.UUID] {
			continue
		}
		one := Entry{Repository: repo, ID: e.SnapshotID, State: e.State.String(), Version: e.Version}
		for _, ix := range data.SnapshotIndices(e.SnapshotID) {
			one.Indices = append(one.Indices, ix.Name)
		}
		entries = append(entries, one)
	}
	chosen, err := choose(entries, repo, patterns, ignoreUnavailable)
	if err != nil || !details {
		return chosen, err
	}
	infos, err := o.repo.ListSnapshots(ctx, only(data, chosen))
	if err != nil {
		return nil, s.describe(repo, err)
	}
	byUUID := map[string]*repository.SnapshotInfo{}
	for _, i := range infos {
		byUUID[i.UUID] = i
	}
	for i := range chosen {
		chosen[i].Info = byUUID[chosen[i].ID.UUID]
	}
	slices.SortStableFunc(chosen, func(a, b Entry) int {
		if c := a.start().Compare(b.start()); c != 0 {
			return c
		}
		return strings.Compare(a.ID.UUID, b.ID.UUID)
	})
	return chosen, nil
}

func (e *Entry) start() time.Time {
	if e.Job != nil {
		return e.Job.Started
	}
	if e.Info != nil {
		return time.UnixMilli(e.Info.StartTime)
	}
	return time.Time{}
}

// only returns a root with the chosen snapshots alone, so that no others are read.
func only(data *repository.Data, chosen []Entry) *repository.Data {
	d := *data
	d.Snapshots = nil
	for _, e := range data.Snapshots {
		if slices.ContainsFunc(chosen, func(c Entry) bool { return c.ID == e.SnapshotID && c.Job == nil }) {
			d.Snapshots = append(d.Snapshots, e)
		}
	}
	return &d
}

func choose(entries []Entry, repo string, patterns []string, ignoreUnavailable bool) ([]Entry, error) {
	if len(patterns) == 0 || slices.Contains(patterns, "_all") {
		return entries, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.ID.Name
	}
	picked := map[string]bool{}
	for _, p := range patterns {
		if p == "_current" {
			for _, e := range entries {
				picked[e.ID.Name] = picked[e.ID.Name] || e.Job != nil
			}
			continue
		}
		found := wildcard.MatchNames(names, p)
		if len(found) == 0 && !strings.Contains(p, "*") && !ignoreUnavailable {
			return nil, apierr.SnapshotMissing(repo, p)
		}
		for _, n := range found {
			picked[n] = true
		}
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return !picked[e.ID.Name] }), nil
}

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
	for _, j := range v.SnapshotJobs() {
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

// Status returns the status of snapshots by name.
func (s *Service) Status(ctx context.Context, repo string, patterns []string, ignoreUnavailable bool) ([]Status, error) {
	o, err := s.open(repo)
	if err != nil {
		return nil, err
	}
	entries, err := s.List(ctx, repo, patterns, ignoreUnavailable, true)
	if err != nil {
		return nil, err
	}
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return nil, s.describe(repo, err)
	}
	v := s.store.View()
	var out []Status
	for _, e := range entries {
		if e.Job != nil {
			out = append(out, s.statusOfJob(v, e.Job))
			continue
		}
		st, err := s.statusOfDone(ctx, o.repo, data, e)
		if err != nil {
			return nil, s.describe(repo, err)
		}
		out = append(out, *st)
	}
	return out, nil
}

func (s *Service) statusOfDone(ctx context.Context, repo *repository.Repository, data *repository.Data, e Entry) (*Status, error) {
	st := &Status{Repository: e.Repository, ID: e.ID, State: e.State, Indices: map[string]map[int]ShardStatus{}}
	failed := map[string]map[int]repository.ShardFailure{}
	if i := e.Info; i != nil {
		st.State, st.Start, st.End = i.State.String(), i.StartTime, i.EndTime
		st.IncludeGlobalState = i.IncludeGlobalState == nil || *i.IncludeGlobalState
		for _, f := range i.Failures {
			if failed[f.Index] == nil {
				failed[f.Index] = map[int]repository.ShardFailure{}
			}
			failed[f.Index][f.Shard] = f
		}
	}
	for _, ix := range data.SnapshotIndices(e.ID) {
		meta, err := repo.IndexMetadata(ctx, data, e.ID, ix.Name)
		if err != nil {
			return nil, err
		}
		shards := map[int]ShardStatus{}
		for n := range meta.Shards() {
			if f, ok := failed[ix.Name][n]; ok {
				shards[n] = ShardStatus{Stage: "FAILURE", Node: f.NodeID, Reason: f.Reason}
				continue
			}
			rs, err := repo.Shard(ctx, ix.IndexID, n)
			if err != nil {
				return nil, err
			}
			snap, err := rs.Snapshot(ctx, e.ID)
			if errors.Is(err, repository.ErrShallow) {
				shards[n] = ShardStatus{Stage: "DONE"}
				continue
			}
			if err != nil {
				return nil, err
			}
			shards[n] = ShardStatus{Stage: "DONE", Numbers: ShardNumbers{IncrementalFiles: snap.IncrementalFiles, IncrementalBytes: snap.IncrementalSize,
				TotalFiles: len(snap.Files), TotalBytes: snap.TotalSize(), Start: snap.StartTime, Time: snap.Time},
				DoneFiles: int64(snap.IncrementalFiles), DoneBytes: snap.IncrementalSize}
		}
		st.Indices[ix.Name] = shards
	}
	return st, nil
}
