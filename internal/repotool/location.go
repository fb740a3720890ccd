package repotool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/varve-search/varve/blob"
	_ "github.com/varve-search/varve/blob/fs"  // the scheme fs:
	_ "github.com/varve-search/varve/blob/oss" // oss:
	_ "github.com/varve-search/varve/blob/s3"  // s3:
	_ "github.com/varve-search/varve/blob/url" // http: and https:
	"github.com/varve-search/varve/repository"
)

// Repo is an opened repository and its root as it was then.
type Repo struct {
	*repository.Repository
	Data     *repository.Data
	Location string
	Store    blob.Container // read-only unless it was opened for writing
}

// container is the only way in which the tool comes to a store: the schemes are those that the blob package
// has registered.
func container(ctx context.Context, location string, write bool) (blob.Container, error) {
	c, err := blob.Open(ctx, location)
	if err != nil {
		if path := strings.TrimPrefix(strings.TrimPrefix(location, "file:"), "//"); !strings.Contains(path, ":") && path != "" {
			if _, serr := os.Stat(path); serr == nil {
				return nil, fmt.Errorf("%w: did you mean fs:%s?", err, path)
			}
		}
		return nil, err
	}
	if !write {
		c = blob.ReadOnly(c)
	}
	return c, nil
}

// openAny opens a location that may be empty or whose root may be lost: Data is nil if the root cannot be read,
// and the error says why.
func openAny(ctx context.Context, location string, write bool) (*Repo, error, error) {
	c, err := container(ctx, location, write)
	if err != nil {
		return nil, nil, err
	}
	r, err := repository.Open(ctx, c, options(ctx))
	if err != nil {
		return nil, nil, fmt.Errorf("open the repository at %s: %w", location, err)
	}
	repo := &Repo{Repository: r, Location: location, Store: c}
	data, err := r.LoadData(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return repo, fmt.Errorf("open the repository at %s: %w", location, err), nil
	}
	repo.Data = data
	return repo, nil, nil
}

// Open opens the repository at a location such as fs:/backups, read-only, and loads its root.
func Open(ctx context.Context, location string) (*Repo, error) { return openRoot(ctx, location, false) }

// openWritable is Open for what changes the repository.
func openWritable(ctx context.Context, location string) (*Repo, error) {
	return openRoot(ctx, location, true)
}

// FolderThere says early, and clearly, that the folder of a location is not there, or none: what is read there would look empty, and what
// is written would make a folder out of a slip of the pen.
func FolderThere(location string) error {
	path, ok := strings.CutPrefix(location, "fs:")
	if !ok || path == "" {
		return nil
	}
	switch st, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such folder")
	case err == nil && !st.IsDir():
		return errors.New("this is a file; a location is the folder in which index.latest lies")
	}
	return nil
}

func openRoot(ctx context.Context, location string, write bool) (*Repo, error) {
	if err := FolderThere(location); err != nil {
		return nil, fmt.Errorf("open the repository at %s: %w", location, err)
	}
	r, unreadable, err := openAny(ctx, location, write)
	if err != nil {
		return nil, err
	}
	if unreadable != nil {
		switch blob.KindOf(unreadable) {
		case blob.KindPermission, blob.KindUnavailable, blob.KindThrottled, blob.KindInvalid, blob.KindUnsupported, blob.KindArchived:
			return nil, unreadable // nothing is known of the repository
		}
		return nil, fmt.Errorf("%w (`varve repo repair %s` shows what can be saved)", unreadable, location)
	}
	if r.Data.Generation == repository.NoGeneration {
		hint := ""
		if below := foldersOf(ctx, r.Store); below != "" {
			hint = ". There are " + below
		}
		return nil, fmt.Errorf("open the repository at %s: there is no index-N, so this is no snapshot repository, an empty one, or one that lost its root (then see `varve repo repair`)%s", location, hint)
	}
	return r, nil
}

// snapshots returns the named snapshots, or all without names, in the order of the root.
func (r *Repo) snapshots(names []string) ([]repository.SnapshotEntry, error) {
	if len(names) == 0 {
		return r.Data.Snapshots, nil
	}
	var out []repository.SnapshotEntry
	for _, n := range names {
		s, err := r.named(n)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}
