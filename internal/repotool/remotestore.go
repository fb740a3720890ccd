package repotool

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository"
)

type remoteStoreKey struct{}

// WithRemoteStore says where the commands that are run with the context find the data of shallow snapshots: in the
// repository that OpenSearch knows as the one of remote segments, or, where its paths begin with a hash, in the bucket
// that holds it. "" says nothing.
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

// options are those of a repository that is opened with a context.
func options(ctx context.Context) repository.Options {
	open := func(key any, write bool) repository.RemoteStore {
		location, ok := ctx.Value(key).(string)
		if !ok {
			return nil
		}
		return func(ctx context.Context, _ string, _ bool) (blob.Container, error) {
			err := FolderThere(location)
			var c blob.Container
			if err == nil {
				c, err = container(ctx, location, write)
			}
			if err != nil {
				return nil, fmt.Errorf("open the remote store at %s: %w", location, err)
			}
			return c, nil
		}
	}
	return repository.Options{RemoteStore: open(remoteStoreKey{}, false), RemoteTranslog: open(remoteTranslogKey{}, false), RemoteLocks: open(remoteStoreKey{}, true)}
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
