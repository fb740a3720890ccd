package snapshot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// remoteSegments tells, for reading, where the repository lies in which shallow snapshots have their data: what is registered
// here under the name that OpenSearch had it.
func (s *Service) remoteSegments(_ context.Context, name string) (*repository.RemotePlace, error) {
	o, err := s.open(name)
	if err != nil {
		if apierr.Is(err, "repository_missing_exception") {
			err = fmt.Errorf("%w: it is not registered here; register the repository of remote segments under that name, with \"readonly\": true", &repository.ShallowError{Repository: name})
		}
		return nil, err
	}
	return remotePlace(o, blob.ReadOnly(o.store), o.bucket), nil
}

// remotePlace is where a registered repository lies; bucket opens what its base path is relative to.
func remotePlace(o *opened, store blob.Container, bucket func() (blob.Container, error)) *repository.RemotePlace {
	return &repository.RemotePlace{Store: store, Above: func(context.Context) ([]repository.RemoteAbove, error) {
		c, err := bucket()
		if err != nil {
			return nil, err
		}
		base := strings.Trim(o.record.Settings.GetOr("base_path", ""), "/")
		return []repository.RemoteAbove{{Store: c, BasePath: base}}, nil
	}}
}

// remoteLocks tells the same for releasing the locks of shallow snapshots that are deleted.
func (s *Service) remoteLocks(_ context.Context, name string) (*repository.RemotePlace, error) {
	o, err := s.open(name)
	if err != nil { // as text: it is not the answer to who deletes from another repository
		return nil, fmt.Errorf("it cannot be opened here: %v", err) //nolint:errorlint // see above
	}
	if readOnly(o.record) {
		return nil, errors.New("it is registered as read-only here")
	}
	return remotePlace(o, o.store, func() (blob.Container, error) { return s.openAbove(o.record) }), nil
}

// openBucket opens, for reading, what the base_path of a repository is relative to.
func (s *Service) openBucket(rec *state.Repository) (blob.Container, error) {
	c, err := s.openAbove(rec)
	if err != nil {
		return nil, err
	}
	return blob.ReadOnly(c), nil
}

func (s *Service) openAbove(rec *state.Repository) (blob.Container, error) {
	above := *rec
	above.Settings = rec.Settings.Clone()
	delete(above.Settings, "base_path")
	return s.openStore(&above)
}

// checkRemoteStore refuses to restore a shallow snapshot whose data cannot be found, before anything is changed. It looks at the
// first shard of each index that did not fail.
func (s *Service) checkRemoteStore(ctx context.Context, repo *repository.Repository, p *restorePlan) error {
	if !p.info.Shallow() {
		return nil
	}
	for _, ix := range p.indices {
		for n := range ix.meta.NumberOfShards {
			if _, failed := p.failed[ix.from][n]; failed {
				continue
			}
			rs, err := repo.Shard(ctx, ix.id, n)
			if err != nil {
				break // the shard says so itself
			}
			if _, _, err := rs.State(ctx, p.entry.SnapshotID); errors.Is(err, repository.ErrShallow) {
				return restoreError(p.req, p.entry.UUID, "%v", err)
			}
			break
		}
	}
	return ctx.Err()
}

// stayLocal takes from an index what binds it to a remote store: its data is kept by this cluster.
func (p *restorePlan) stayLocal(ix *state.Index) {
	remote := ix.Settings.GetOr("index.remote_store.enabled", "") == "true"
	for _, k := range ix.Settings.Keys() {
		if strings.HasPrefix(k, "index.remote_store.") {
			delete(ix.Settings, k)
		}
	}
	delete(ix.Custom, "remote_store") // the form of its paths there
	if !remote {
		return
	}
	dropped := "its settings [index.remote_store.*] were dropped"
	if _, ok := ix.Settings["index.replication.type"]; ok {
		dropped = "its settings [index.remote_store.*] and [index.replication.type], which comes with them, were dropped"
		delete(ix.Settings, "index.replication.type")
	}
	p.warn("index [%s] was kept in a remote store, which this server has not: %s", ix.Name, dropped)
}
