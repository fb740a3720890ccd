package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/migrate"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// sharedFrom is the setting of a repository that belongs to another cluster: that cluster's name. See
// docs/decisions/0013-shared-repositories.md.
const sharedFrom = "shared_from"

// sharedInfix is what stands in the name of a shared repository before the name of the cluster.
const sharedInfix = "_snapshot_from_"

// What became of a look at a shared repository.
const (
	SharedReachable   = "reachable"
	SharedEmpty       = "empty"
	SharedNewer       = "newer_version" // its newest snapshot is of a version that nobody here reads
	SharedUnreachable = "unreachable"
	SharedDamaged     = "damaged"
	SharedOther       = "other_owner" // another cluster than the one it is shared from wrote to it last
)

// SharedRepository is a repository of another cluster.
type SharedRepository struct {
	Name, Type string
	// Cluster is whose it was registered as.
	Cluster string
	// Owner wrote the root last; nil where the root does not tell, as that of a real node does not.
	Owner *repository.Writer
	// Version is the newest of the snapshots; nil where there are none, or it is not known.
	Version    *repository.Version
	Snapshots  int
	Restorable int // snapshots of versions that this server reads
	Generation int64
	Status     string
	Reason     string // what is wrong with it, and what to do; "" where nothing is
}

// sharedOf returns the cluster that a repository is shared from.
func sharedOf(r *state.Repository) (string, bool) {
	c, ok := r.Settings.Get(sharedFrom)
	return c, ok
}

// sharedSettings checks the settings of a repository that is registered as another cluster's, and makes it read-only for
// whoever reads them.
func sharedSettings(name string, cfg settings.Settings) (settings.Settings, error) {
	owner, ok := cfg.Get(sharedFrom)
	if !ok {
		return cfg, nil
	}
	prefix, named := strings.CutSuffix(name, sharedInfix+owner)
	switch {
	case owner == "":
		return nil, repositoryError(name, "the setting [%s] is empty: it is the name of the cluster that the repository belongs to", sharedFrom)
	case !named || prefix == "":
		return nil, repositoryError(name, "a repository with the setting [%s] is named after its cluster: [<prefix>%s%s]", sharedFrom, sharedInfix, owner)
	}
	if ro, err := cfg.Bool("readonly", true); err != nil {
		return nil, err
	} else if !ro {
		return nil, repositoryError(name, "[readonly] cannot be false: the repository belongs to cluster [%s], which alone writes to it", owner)
	}
	out := cfg.Clone()
	out["readonly"] = "true"
	return out, nil
}

// refuseWrite is the error of a change of a repository that is only read; doing is OpenSearch's text.
func refuseWrite(r *state.Repository, doing string) error {
	if owner, ok := sharedOf(r); ok {
		return repositoryError(r.Name, "%s: it belongs to cluster [%s]", doing, owner)
	}
	return repositoryError(r.Name, "%s", doing)
}

// Shared looks at those of the records that are repositories of other clusters: all of them at a time, none for longer than a
// store may take to answer.
func (s *Service) Shared(ctx context.Context, records []*state.Repository) []SharedRepository {
	records = slices.DeleteFunc(slices.Clone(records), func(r *state.Repository) bool { _, ok := sharedOf(r); return !ok })
	out := make([]SharedRepository, len(records))
	var g errgroup.Group
	g.SetLimit(listParallel)
	for i, rec := range records {
		g.Go(func() error {
			out[i] = s.lookAtShared(ctx, rec)
			return nil
		})
	}
	_ = g.Wait() // what failed is a status
	return out
}

func (s *Service) lookAtShared(ctx context.Context, rec *state.Repository) SharedRepository {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	out := SharedRepository{Name: rec.Name, Type: rec.Type, Generation: repository.NoGeneration}
	out.Cluster, _ = sharedOf(rec)
	o, err := s.open(rec.Name)
	if err == nil {
		err = checkStore(ctx, rec.Name, o)
	}
	var data *repository.Data
	if err == nil {
		data, err = o.root(ctx)
	}
	var corrupt *repository.CorruptError
	switch {
	case errors.As(err, &corrupt):
		out.Status, out.Reason = SharedDamaged, err.Error()
		return out
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		out.Status, out.Reason = SharedUnreachable, fmt.Sprintf("no answer within %s", verifyTime)
		return out
	case err != nil:
		out.Status, out.Reason = SharedUnreachable, err.Error()
		return out
	}
	out.judge(ctx, s.clusterName(), o, data)
	return out
}

// judge fills in what the root tells.
func (r *SharedRepository) judge(ctx context.Context, us string, o *opened, data *repository.Data) {
	r.Generation, r.Snapshots, r.Status = data.Generation, len(data.Snapshots), SharedReachable
	if w, ok := data.LastWriter(); ok {
		r.Owner = &w
	}
	for _, e := range data.Snapshots {
		v, err := repository.ParseVersion(e.Version)
		if err != nil { // roots before 7.6 have none; the snapshot's own blob does
			info, err := o.info(ctx, e.SnapshotID)
			if err != nil {
				continue
			}
			v = info.Version
		}
		if r.Version == nil || r.Version.Before(v) {
			r.Version = &v
		}
		if !tooNew(v) && migrate.CheckVersion("snapshot", v) == nil {
			r.Restorable++
		}
	}
	switch err := r.strange(us); {
	case err != nil:
		r.Status, r.Reason = SharedOther, err.Error()
	case r.Snapshots == 0:
		r.Status = SharedEmpty
	case r.Version != nil && (tooNew(*r.Version) || r.Version.Legacy && migrate.CheckVersion("snapshot", *r.Version) != nil && r.Version.Major > 6):
		r.Status, r.Reason = SharedNewer, fmt.Sprintf("its newest snapshot is of version [%s], this server has version [%s] and reads snapshots up to [%s]; %d of its %d snapshots can be restored here",
			r.Version, repository.WriteVersion, newestReadText(), r.Restorable, r.Snapshots)
	}
}

// strange says that somebody else than the cluster it is shared from wrote to the repository last. us is this cluster, as it signs.
func (r *SharedRepository) strange(us string) error {
	switch {
	case r.Owner == nil:
		return nil
	case r.Owner.Cluster == us:
		return fmt.Errorf("this cluster itself, [%s], wrote to the repository last, at [%s]: it is not another one's", us, r.Owner.At.UTC().Format(time.RFC3339))
	}
	name, uuid, _ := strings.Cut(r.Owner.Cluster, "/")
	if r.Cluster == name || r.Cluster == uuid || r.Cluster == r.Owner.Cluster {
		return nil
	}
	return fmt.Errorf("cluster [%s] wrote to the repository last, at [%s], not [%s]", r.Owner.Cluster, r.Owner.At.UTC().Format(time.RFC3339), r.Cluster)
}

// verifyShared refuses to register what is not the repository of the cluster that its settings name.
func (s *Service) verifyShared(ctx context.Context, o *opened) error {
	owner, ok := sharedOf(o.record)
	if !ok {
		return nil
	}
	data, err := o.root(ctx)
	if err != nil {
		return s.describe(o.record.Name, err)
	}
	r := SharedRepository{Cluster: owner}
	if w, ok := data.LastWriter(); ok {
		r.Owner = &w
	}
	if err := r.strange(s.clusterName()); err != nil {
		return apierr.New(http.StatusInternalServerError, "repository_verification_exception", "[%s] the setting [%s] does not name the repository's owner: %v", o.record.Name, sharedFrom, err)
	}
	return nil
}

// warnSystem warns of system indices that a restore takes from another cluster: here they would stand in the place of this one's.
func (p *restorePlan) warnSystem(rec *state.Repository, names []string) {
	owner, ok := sharedOf(rec)
	if !ok {
		return
	}
	var system []string
	for _, n := range names {
		if strings.HasPrefix(n, ".") && !strings.HasPrefix(n, state.BackingPrefix) {
			system = append(system, n)
		}
	}
	if len(system) > 0 {
		p.warn("the restore takes system indices of cluster [%s] with it: [%s]; leave them out with \"indices\": \"*,-.*\"", owner, strings.Join(system, ", "))
	}
}
