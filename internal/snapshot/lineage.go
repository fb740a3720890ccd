package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// difference is what a root has more and less than another one.
type difference struct {
	added   []repository.SnapshotEntry
	removed []state.KnownSnapshot
}

func differenceOf(known []state.KnownSnapshot, data *repository.Data) difference {
	var d difference
	was, is := map[string]bool{}, map[string]bool{}
	for _, k := range known {
		was[k.UUID] = true
	}
	for _, e := range data.Snapshots {
		is[e.UUID] = true
		if !was[e.UUID] {
			d.added = append(d.added, e)
		}
	}
	for _, k := range known {
		if !is[k.UUID] {
			d.removed = append(d.removed, k)
		}
	}
	return d
}

func (d *difference) none() bool { return len(d.added)+len(d.removed) == 0 }

// ours says whether the change from the record's root to data is one that this cluster made, and could not record: the end of
// a snapshot in progress, or of a deletion or clean-up in progress.
func (d *difference) ours(v *state.View, rec *state.Repository, data *repository.Data) bool {
	switch {
	case data.Generation == rec.Generation:
		return d.none()
	case data.Generation != rec.Generation+1:
		return false
	case d.none():
		return rec.Cleanup != nil
	case len(d.removed) == 0:
		return len(d.added) == 1 && v.SnapshotJob(d.added[0].UUID) != nil
	case len(d.added) == 0:
		for _, del := range v.SnapshotDeletions() {
			if del.Repository == rec.Name && del.State != jobWaiting &&
				!slices.ContainsFunc(d.removed, func(k state.KnownSnapshot) bool { return !slices.Contains(del.Snapshots, k.UUID) }) {
				return true
			}
		}
	}
	return false
}

// unknownGeneration is the generation of a repository that was registered and not looked at yet.
const unknownGeneration = -2

// knownOf lists the snapshots of a root.
func knownOf(data *repository.Data) []state.KnownSnapshot {
	out := make([]state.KnownSnapshot, len(data.Snapshots))
	for i, e := range data.Snapshots {
		out[i] = state.KnownSnapshot{Name: e.Name, UUID: e.UUID}
	}
	return out
}

// remember returns the record of a repository whose root is data.
func remember(rec *state.Repository, data *repository.Data) *state.Repository {
	next := *rec
	next.Generation, next.PendingGeneration, next.Known = data.Generation, data.Generation, knownOf(data)
	if next.Epoch == 0 {
		next.Epoch = 1
	}
	return &next
}

// settle reads the root and compares it with the one that this cluster knows. It returns the repository's epoch, which it has
// raised when somebody else changed the root. Where somebody wrote over snapshots of ours, the repository is blocked.
// Only the one that drives the repository's jobs may call it: what it reads must not be changed by this cluster meanwhile.
func (s *Service) settle(ctx context.Context, name string, o *opened) (*repository.Data, int64, error) {
	data, err := o.repo.LoadData(ctx)
	if err != nil {
		return nil, 0, s.describe(name, err)
	}
	o.keep(data)
	v := s.store.View()
	rec := v.Repository(name)
	if rec == nil {
		return nil, 0, fmt.Errorf("the repository [%s] is not registered any more", name)
	}
	d := differenceOf(rec.Known, data)
	if rec.Generation == data.Generation && d.none() {
		return data, rec.Epoch, blocked(rec)
	}
	next := remember(rec, data)
	if rec.Generation != unknownGeneration && !d.ours(v, rec, data) {
		next.Epoch, next.Untidy = rec.Epoch+1, true
		if next.Blocked, err = s.overwritten(ctx, o, rec, data, d); err != nil {
			return nil, 0, err
		}
		s.log.Warn("somebody else changed a repository", "repository", name, "generation", data.Generation, "expected", rec.Generation,
			"added", len(d.added), "removed", len(d.removed), "written by", writtenBy(data))
	}
	err = s.store.Update(ctx, func(tx *state.Tx) error {
		cur := tx.Repository(name)
		if cur == nil || cur.Generation != rec.Generation || cur.Epoch != rec.Epoch {
			return fmt.Errorf("the repository [%s] was registered anew meanwhile", name)
		}
		n := *next
		n.Cleanup = cur.Cleanup
		tx.Put(&n)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return data, next.Epoch, blocked(next)
}

// unmoved reads the root that this cluster wrote last, by its name. That is settle without a list, for who swings the root next and
// hears then whether there is a newer one. It returns false where there is more to say: settle says it.
func (s *Service) unmoved(ctx context.Context, name string, o *opened) (*repository.Data, int64, bool) {
	rec := s.store.View().Repository(name)
	// Only one that this process has seen as the newest: a process before it may have swung it away, and died before it could say so.
	last, _ := o.kept()
	if rec == nil || rec.Generation < 0 || rec.Blocked != "" || last == nil || last.Generation != rec.Generation {
		return nil, 0, false
	}
	data, err := o.repo.LoadGeneration(ctx, rec.Generation)
	if err != nil {
		return nil, 0, false
	}
	d := differenceOf(rec.Known, data)
	return data, rec.Epoch, d.none()
}

// onRoot does what changes the root: on the one that this cluster wrote last, or, where there turns out to be a newer one of this cluster
// before anything is changed, on that.
func (s *Service) onRoot(ctx context.Context, name string, o *opened, do func(data *repository.Data, epoch int64) error) error {
	if data, epoch, ok := s.unmoved(ctx, name, o); ok {
		err := do(data, epoch)
		var newer *repository.ConcurrentModificationError
		if !errors.As(err, &newer) {
			return err
		}
	}
	data, epoch, err := s.settle(ctx, name, o)
	if err != nil {
		return err
	}
	for {
		failed := do(data, epoch)
		var newer *repository.ConcurrentModificationError
		if !errors.As(failed, &newer) {
			return failed
		}
		// It may have been a manager of this cluster before this one, which did not know yet that it is none: settle raises the epoch
		// if it was somebody else, who won.
		before, at := epoch, data.Generation
		if data, epoch, err = s.settle(ctx, name, o); err != nil || epoch != before || data.Generation <= at {
			return failed
		}
	}
}

// settled is settle for the begin of work whose end settles: a root that was looked for just now, and that is ours, is taken as it is.
func (s *Service) settled(ctx context.Context, name string, o *opened) (*repository.Data, int64, error) {
	rec := s.store.View().Repository(name)
	data, at := o.kept()
	if rec != nil && data != nil && time.Since(at) < rootFresh && rec.Generation == data.Generation && rec.Blocked == "" {
		if d := differenceOf(rec.Known, data); d.none() {
			return data, rec.Epoch, nil
		}
	}
	return s.settle(ctx, name, o)
}

// rootFresh is for how long a root that was found is not looked for again.
const rootFresh = 2 * time.Second

// root reads the newest root, or takes it from memory if it has the generation of the newest.
func (o *opened) root(ctx context.Context) (*repository.Data, error) {
	known, _ := o.kept()
	data, err := o.repo.LoadDataSince(ctx, known)
	if err == nil {
		o.keep(data)
	}
	return data, err
}

// rootAsked is root for the begin of a write: the root that this process saw last is taken where nothing points to a newer one. The
// swing at the write's end lists, and fails on one that was missed.
func (o *opened) rootAsked(ctx context.Context) (*repository.Data, error) {
	if known, _ := o.kept(); known != nil && o.repo.Unmoved(ctx, known.Generation) {
		o.keep(known)
		return known, nil
	}
	return o.root(ctx)
}

// rootNow opens a repository and returns its newest root.
func (s *Service) rootNow(ctx context.Context, repo string) (*opened, *repository.Data, error) {
	o, err := s.open(repo)
	if err != nil {
		return nil, nil, err
	}
	data, err := o.root(ctx)
	return o, data, s.describe(repo, err)
}

func (o *opened) keep(data *repository.Data) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last, o.lastAt = data, time.Now()
}

func (o *opened) kept() (*repository.Data, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last, o.lastAt
}

// peek refuses a new operation where the repository is blocked, or is to be because of what the root has become. It judges only
// while nothing of this cluster is writing; else whoever does the operation will.
func (s *Service) peek(ctx context.Context, o *opened, before *state.View, data *repository.Data) error {
	name := o.record.Name
	rec := before.Repository(name)
	if rec == nil || rec.Generation == unknownGeneration {
		return nil
	}
	if err := blocked(rec); err != nil {
		return err
	}
	now := s.store.View()
	if now.Repository(name) != rec || len(queueOf(before, name))+len(queueOf(now, name)) > 0 || rec.Cleanup != nil {
		return nil
	}
	d := differenceOf(rec.Known, data)
	if rec.Generation == data.Generation && d.none() || len(d.removed) == 0 {
		return nil
	}
	why, err := s.overwritten(ctx, o, rec, data, d)
	if err != nil || why == "" {
		return err
	}
	next := remember(rec, data)
	next.Epoch, next.Blocked = rec.Epoch+1, why
	if err := s.store.Update(ctx, func(tx *state.Tx) error {
		if tx.Repository(name) == rec {
			tx.Put(next)
		}
		return nil
	}); err != nil {
		return err
	}
	return blocked(next)
}

// lostShown is how many lost snapshots are looked for and named.
const lostShown = 20

// overwritten says what was lost when somebody wrote a root that does not know of snapshots that are still there. A snapshot that
// was deleted in order has no info any more.
func (s *Service) overwritten(ctx context.Context, o *opened, rec *state.Repository, data *repository.Data, d difference) (string, error) {
	var lost []string
	more := 0
	for _, k := range d.removed {
		if len(lost) >= lostShown {
			more = len(d.removed) - lostShown
			break
		}
		_, err := o.repo.SnapshotInfo(ctx, repository.SnapshotID{Name: k.Name, UUID: k.UUID})
		switch {
		case err == nil:
			lost = append(lost, k.Name+"/"+k.UUID)
		case blob.KindOf(err) != blob.KindNotFound:
			return "", s.describe(rec.Name, err)
		}
	}
	if len(lost) == 0 {
		return "", nil
	}
	text := fmt.Sprintf("generation [%d]%s was written over generation [%d] of this cluster, from an older content: the snapshots [%s]",
		data.Generation, writtenBy(data), rec.Generation, strings.Join(lost, ", "))
	if more > 0 {
		text += fmt.Sprintf(" and up to %d more", more)
	}
	return text + " are no longer in it, although their blobs are still there. Nothing is written to the repository until it is registered anew, " +
		"as the next deletion or clean-up would remove those blobs for good; make sure that only one cluster writes to it", nil
}

func writtenBy(data *repository.Data) string {
	if w, ok := data.LastWriter(); ok {
		return fmt.Sprintf(" by cluster [%s] at [%s]", w.Cluster, w.At.UTC().Format("2006-01-02T15:04:05Z"))
	}
	return ""
}

// blocked is the error of a repository that is not written to any more.
func blocked(rec *state.Repository) error {
	if rec.Blocked == "" {
		return nil
	}
	return repositoryError(rec.Name, "concurrent modification of the repository: %s", rec.Blocked)
}
