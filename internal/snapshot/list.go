package snapshot

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

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
	Indices    []string
}

// List returns the snapshots of a repository that names and wildcards choose ("_all", "_current" too), oldest first.
// Without details only the root of the repository is read; they are then in the order of their names.
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
	if len(patterns) == 1 && strings.EqualFold(patterns[0], "_current") {
		return entries, nil
	}
	data, err := o.root(ctx)
	if err != nil {
		return nil, s.describe(repo, err)
	}
	for _, e := range data.Snapshots {
		if !jobs[e.UUID] {
			entries = append(entries, Entry{Repository: repo, ID: e.SnapshotID, State: e.State.String(), Version: e.Version})
		}
	}
	all := len(entries)
	chosen, err := choose(entries, repo, patterns, ignoreUnavailable)
	if err != nil {
		return nil, err
	}
	if details {
		o.adoptInfos(ctx, data, chosen)
		if chosen, err = s.readInfos(ctx, o, chosen, ignoreUnavailable); err == nil && len(chosen) == all {
			s.saveInfosSoon(o, data)
		}
	} else {
		addIndices(data, chosen)
	}
	slices.SortFunc(chosen, func(a, b Entry) int {
		if c := a.start().Compare(b.start()); details && c != 0 {
			return c
		}
		return strings.Compare(a.ID.Name, b.ID.Name)
	})
	return chosen, err
}

// listParallel is how many blobs a list or a status reads at once.
const listParallel = 16

// readInfos reads the infos of snapshots that are done. With ignoreUnavailable those that cannot be read are left out.
func (s *Service) readInfos(ctx context.Context, o *opened, entries []Entry, ignoreUnavailable bool) ([]Entry, error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(listParallel)
	for i := range entries {
		e := &entries[i]
		if e.Job != nil {
			continue
		}
		g.Go(func() error {
			info, err := o.info(gctx, e.ID)
			switch {
			case err == nil:
				e.Info, e.State, e.Indices = info, info.State.String(), info.Indices
			case gctx.Err() != nil || !ignoreUnavailable:
				return apierr.New(http.StatusInternalServerError, "snapshot_exception", "[%s:%s] Snapshot could not be read", e.Repository, e.ID).Because(err)
			default:
				s.log.Warn("a snapshot could not be read", "repository", e.Repository, "snapshot", e.ID.String(), "error", err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Job == nil && e.Info == nil }), nil
}

// addIndices takes the names of the snapshots' indices from the root.
func addIndices(data *repository.Data, entries []Entry) {
	at := map[string]*Entry{}
	for i := range entries {
		at[entries[i].ID.UUID] = &entries[i]
	}
	for _, ix := range data.Indices {
		for _, uuid := range ix.Snapshots {
			if e := at[uuid]; e != nil && e.Job == nil {
				e.Indices = append(e.Indices, ix.Name)
			}
		}
	}
	for i := range entries {
		slices.Sort(entries[i].Indices)
	}
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

// choose picks entries by names and wildcards. "_all" counts alone; a plain name that is not there is an error, and so are patterns that
// find nothing at all.
func choose(entries []Entry, repo string, patterns []string, ignoreUnavailable bool) ([]Entry, error) {
	if len(patterns) == 0 || len(patterns) == 1 && strings.EqualFold(patterns[0], "_all") {
		return entries, nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.ID.Name
	}
	picked, any := map[string]bool{}, false
	for _, p := range patterns {
		if strings.EqualFold(p, "_current") {
			for _, e := range entries {
				if e.Job != nil {
					picked[e.ID.Name], any = true, true
				}
			}
			continue
		}
		var found []string
		if !strings.EqualFold(p, "_all") { // it counts alone
			found = wildcard.MatchNames(names, p)
		}
		if len(found) == 0 && !strings.Contains(p, "*") && !ignoreUnavailable {
			return nil, apierr.SnapshotMissing(repo, p)
		}
		for _, n := range found {
			picked[n], any = true, true
		}
	}
	if !any && !ignoreUnavailable {
		return nil, apierr.SnapshotMissing(repo, patterns[0])
	}
	return slices.DeleteFunc(entries, func(e Entry) bool { return !picked[e.ID.Name] }), nil
}
