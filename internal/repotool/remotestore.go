package repotool

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository"
)

type remoteStoreKey struct{}

// WithRemoteStore says where the commands that are run with the context find the data of shallow snapshots: in the
// repository that OpenSearch knows as the one of remote segments, its base path included. Where its paths begin with a hash it may also
// be the bucket that holds it. "" says nothing.
func WithRemoteStore(ctx context.Context, location string) context.Context {
	if location == "" {
		return ctx
	}
	return context.WithValue(ctx, remoteStoreKey{}, location)
}

type remoteTranslogKey struct{}

// WithRemoteTranslog says where the commands that are run with the context find the operations that were not refreshed when a snapshot
// pinned a timestamp: in the repository that OpenSearch knows as the one of the remote translog. "" says nothing.
func WithRemoteTranslog(ctx context.Context, location string) context.Context {
	if location == "" {
		return ctx
	}
	return context.WithValue(ctx, remoteTranslogKey{}, location)
}

// RemoteThere says early that the place which WithRemoteStore or WithRemoteTranslog names is not there, or empty: what is looked for in it
// would be taken for what nobody named.
func RemoteThere(ctx context.Context) error {
	for _, key := range []any{remoteStoreKey{}, remoteTranslogKey{}} {
		location, ok := ctx.Value(key).(string)
		if !ok {
			continue
		}
		err := FolderThere(location)
		if err == nil {
			err = foldersThere(ctx, location)
		}
		if err != nil {
			return fmt.Errorf("open the remote store at %s: %w", location, err)
		}
	}
	return nil
}

func foldersThere(ctx context.Context, location string) error {
	c, err := container(ctx, location, false)
	if err != nil || !c.Capabilities().Has(blob.CanList) {
		return err
	}
	found := errors.New("found")
	switch err := c.Children(ctx, func(string) error { return found }); {
	case errors.Is(err, found):
		return nil
	case err != nil:
		return err
	}
	return errors.New("there is no folder that could hold the data of shallow snapshots")
}

// options are those of a repository that is opened with a context.
func options(ctx context.Context) repository.Options {
	open := func(key any, write bool) repository.RemoteStore {
		location, ok := ctx.Value(key).(string)
		if !ok {
			return nil
		}
		place := sync.OnceValues(func() (*repository.RemotePlace, error) {
			err := FolderThere(location)
			var c blob.Container
			if err == nil {
				c, err = container(ctx, location, write)
			}
			if err != nil {
				return nil, fmt.Errorf("open the remote store at %s: %w", location, err)
			}
			readings := sync.OnceValues(func() ([]repository.RemoteAbove, error) { return above(ctx, c, location, write) })
			return &repository.RemotePlace{Store: c, Above: func(context.Context) ([]repository.RemoteAbove, error) { return readings() }}, nil
		})
		return func(context.Context, string) (*repository.RemotePlace, error) { return place() }
	}
	return repository.Options{RemoteStore: open(remoteStoreKey{}, false), RemoteTranslog: open(remoteTranslogKey{}, false), RemoteLocks: open(remoteStoreKey{}, true)}
}

// above returns how a location can be read as a store and a base path in it. In a bucket its path is the base path. Of a folder any
// number of its last parts may be; it may also be the one that a base path begins in, which the hashes then show.
func above(ctx context.Context, c blob.Container, location string, write bool) ([]repository.RemoteAbove, error) {
	whole := repository.RemoteAbove{Store: c}
	if f, ok := strings.CutPrefix(location, "fs:"); ok {
		dir, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		readings := []repository.RemoteAbove{whole}
		for base := ""; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
			base = strings.TrimSuffix(filepath.Base(dir)+"/"+base, "/")
			up, err := container(ctx, "fs:"+filepath.Dir(dir), write)
			if err != nil {
				return nil, err
			}
			readings = append(readings, repository.RemoteAbove{Store: up, BasePath: base})
		}
		return readings, nil
	}
	scheme, rest, _ := strings.Cut(location, ":")
	u, err := url.Parse(location)
	if err != nil || strings.Trim(u.Path, "/") == "" || scheme != "s3" && scheme != "oss" || !strings.HasPrefix(rest, "//") {
		return []repository.RemoteAbove{whole}, nil //nolint:nilerr // the store was opened: it understands its location
	}
	base := strings.Trim(u.Path, "/")
	u.Path, u.RawPath = "", ""
	up, err := container(ctx, u.String(), write)
	if err != nil {
		return nil, fmt.Errorf("open the remote store at %s without its base path: %w", location, err)
	}
	return []repository.RemoteAbove{{Store: up, BasePath: base}, whole}, nil
}

// withHint says what to do where the data of a shallow snapshot is asked for and nobody said where it is.
func withHint(err error) error {
	var shallow *repository.ShallowError
	if errors.As(err, &shallow) && shallow.Translog {
		return fmt.Errorf("%w: say where that is with --remote-translog LOCATION, such as fs:PATH", err)
	}
	if shallow != nil {
		return fmt.Errorf("%w: say where that is with --remote-store LOCATION, such as fs:PATH", err)
	}
	return err
}

// reachable says early what the data of a shallow snapshot lacks to be read. It looks at the first shard of each index.
func (r *Repo) reachable(ctx context.Context, id repository.SnapshotID, indices []repository.IndexEntry) error {
	info, err := r.SnapshotInfo(ctx, id)
	if err != nil || !info.Shallow() {
		return err
	}
	for _, ix := range indices {
		sh, err := r.Shard(ctx, ix.IndexID, 0)
		if err == nil {
			_, _, err = sh.State(ctx, id)
		}
		var missing *repository.MissingSnapshotError
		if err != nil && !errors.As(err, &missing) {
			return fmt.Errorf("index [%s] in snapshot [%s]: %w", ix.Name, id.Name, withHint(err))
		}
	}
	return nil
}
