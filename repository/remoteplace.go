package repository

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/varve-search/varve/blob"
)

// Format: docs/formats/remote-segments.md, "Paths".

// RemotePlace is where the repository of a remote store lies.
type RemotePlace struct {
	Store blob.Container // the repository, at its base path
	// Above opens what the base path is relative to: paths that begin with a hash lie there. Where nobody knows which part of a
	// location is base path it returns several readings, the likeliest first. Nil: there is no base path.
	Above func(ctx context.Context) ([]RemoteAbove, error)
}

// RemoteAbove is a store with the base path of a repository in it.
type RemoteAbove struct {
	Store    blob.Container
	BasePath string
}

// RemoteStore tells where the repository lies that a snapshot names for its remote segments or translog.
type RemoteStore func(ctx context.Context, repository string) (*RemotePlace, error)

const (
	maxHashFolders  = 16  // folders whose names end in one hash
	maxBaseFolders  = 256 // folders that are looked into for the rest of a base path
	maxBasePathDeep = 16
)

// remoteDir is where the paths of shards begin in a remote store.
type remoteDir struct {
	c      blob.Container
	base   string // what stands between a hash that comes first and the index
	prefix string // what stands before the hash: nodes have it in their settings, and snapshots do not tell it
}

// remoteDirKey names what was found out about a remoteDir.
type remoteDirKey struct {
	repository, category string
	pathType             int
}

// folder opens a folder of a shard.
func (d remoteDir) folder(at *ShallowSnapshot, shard int, category, kind string) (*remoteBlobs, error) {
	path, err := at.remotePath(d, shard, category, kind)
	if err != nil {
		return nil, err
	}
	c, err := d.c.Container(path)
	return &remoteBlobs{c, path}, err
}

// has tells whether the metadata of a shard is there.
func (d remoteDir) has(ctx context.Context, at *ShallowSnapshot, shard int, category string) (bool, error) {
	f, err := d.folder(at, shard, category, remoteMetadata)
	if err != nil {
		return false, err
	}
	found := errors.New("found")
	err = f.c.List(ctx, remoteMetadataPrefix, func(blob.Info) error { return found })
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// remoteDirFound is what was found out about a remoteDir. The store is opened anew each time: it may be registered anew meanwhile.
type remoteDirFound struct {
	reading      int    // of those that RemotePlace.Above returns
	base, prefix string // base where the reading has none
}

func (f remoteDirFound) in(a RemoteAbove) remoteDir {
	return remoteDir{c: a.Store, base: cmp.Or(a.BasePath, f.base), prefix: f.prefix}
}

// remoteDir finds where the paths of the shard begin. Fixed paths are told by the repository alone. For others one request looks whether they
// are where they should be; if not, a prefix of the hash or an unknown base path is looked for. What was found serves the other shards.
func (s *Shard) remoteDir(ctx context.Context, open RemoteStore, repository string, at *ShallowSnapshot, category string) (remoteDir, error) {
	place, err := open(ctx, repository)
	if err != nil {
		return remoteDir{}, err
	}
	above := []RemoteAbove{{Store: place.Store}}
	if at.PathType == pathFixed {
		return remoteDir{c: place.Store}, nil
	}
	if at.PathType == pathHashedPrefix && place.Above != nil {
		if above, err = place.Above(ctx); err != nil {
			return remoteDir{}, err
		}
	}
	key := remoteDirKey{repository, category, at.PathType}
	s.r.mu.Lock()
	f, known := s.r.remoteDirs[key]
	s.r.mu.Unlock()
	if !known || f.reading >= len(above) {
		if f, known, err = s.findRemoteDir(ctx, above, at, category); err != nil {
			return remoteDir{}, err
		}
		if known {
			s.r.mu.Lock()
			s.r.remoteDirs[key] = f
			s.r.mu.Unlock()
		}
	}
	return f.in(above[f.reading]), nil
}

// findRemoteDir returns the likeliest reading where the shard is in none.
func (s *Shard) findRemoteDir(ctx context.Context, above []RemoteAbove, at *ShallowSnapshot, category string) (remoteDirFound, bool, error) {
	for _, look := range []func(context.Context, RemoteAbove, *ShallowSnapshot, string) (remoteDirFound, bool, error){s.straight, s.searchRemoteDir} {
		for i, a := range above {
			f, found, err := look(ctx, a, at, category)
			if found {
				f.reading = i
				return f, true, nil
			}
			if err != nil && (i == 0 || ctx.Err() != nil) { // other readings may be places that nobody may see
				return f, false, err
			}
		}
	}
	return remoteDirFound{}, false, nil
}

// straight looks where the shard is if nothing is unknown.
func (s *Shard) straight(ctx context.Context, a RemoteAbove, at *ShallowSnapshot, category string) (f remoteDirFound, found bool, err error) {
	found, err = f.in(a).has(ctx, at, s.ID, category)
	return f, found, err
}

// searchRemoteDir looks for folders whose names end in the hash of a shard's metadata, and in them for the index.
func (s *Shard) searchRemoteDir(ctx context.Context, a RemoteAbove, at *ShallowSnapshot, category string) (f remoteDirFound, found bool, err error) {
	hash, err := at.remoteHash(s.ID, category, remoteMetadata)
	if err != nil {
		return f, false, err
	}
	var folders []string
	if err := a.Store.Children(ctx, func(name string) error {
		if strings.HasSuffix(name, hash) && len(folders) < maxHashFolders {
			folders = append(folders, name)
		}
		return nil
	}); err != nil {
		return f, false, err
	}
	for _, name := range folders {
		f = remoteDirFound{prefix: strings.TrimSuffix(name, hash)}
		if at.PathType == pathHashedPrefix && a.BasePath == "" {
			if f.base, err = baseBelow(ctx, a.Store, name, at.IndexUUID); err != nil {
				return f, false, err
			}
		}
		if found, err = f.in(a).has(ctx, at, s.ID, category); found || err != nil {
			return f, found, err
		}
	}
	return f, false, nil
}

// baseBelow finds what stands between a folder and an index in it; "" if it is not there.
func baseBelow(ctx context.Context, store blob.Container, folder, index string) (string, error) {
	queue := []string{""}
	for visited := 0; visited < len(queue) && visited < maxBaseFolders; visited++ {
		path := queue[visited]
		c, err := store.Container(join(folder, path))
		if err != nil {
			return "", err
		}
		found := false
		if err := c.Children(ctx, func(name string) error {
			if found = found || name == index; !found && len(queue) < maxBaseFolders && strings.Count(path, "/") < maxBasePathDeep && blob.CheckName(name) == nil {
				queue = append(queue, join(path, name))
			}
			return nil
		}); err != nil {
			return "", err
		}
		if found {
			return path, nil
		}
	}
	return "", nil
}

// remoteFolder opens a folder of the shard's segments in a remote store.
func (s *Shard) remoteFolder(ctx context.Context, open RemoteStore, repository string, at *ShallowSnapshot, kind string) (*remoteBlobs, error) {
	d, err := s.remoteDir(ctx, open, repository, at, remoteSegmentsDir)
	if err != nil {
		return nil, err
	}
	return d.folder(at, s.ID, remoteSegmentsDir, kind)
}

// remoteFolders opens the folders with the metadata and the data of the shard's segments or translog.
func (s *Shard) remoteFolders(ctx context.Context, open RemoteStore, repository string, at *ShallowSnapshot, category string) (metadata, data *remoteBlobs, err error) {
	d, err := s.remoteDir(ctx, open, repository, at, category)
	if err != nil {
		return nil, nil, err
	}
	if metadata, err = d.folder(at, s.ID, category, remoteMetadata); err != nil {
		return nil, nil, err
	}
	data, err = d.folder(at, s.ID, category, remoteData)
	return metadata, data, err
}
