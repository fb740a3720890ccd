package repository

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/repository/smile"
)

// Format: docs/formats/repository.md, "Paths of shards".

const (
	pathFixed        = 0
	pathHashedPrefix = 1
	pathHashedInfix  = 2

	indicesDir    = "indices"
	shardPathsDir = "snapshot_shard_paths"
	shardPathFile = "snapshot_path_"

	base64Chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// hashShard is FNV-1a (64 bits) of the shard's number and the index's id, its first six bits as a
// character of URL-safe base64 and the next fourteen as binary digits.
func hashShard(indexID string, shard int) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d%s", shard, indexID)
	return compositeHash(h.Sum64())
}

// compositeHash is OpenSearch's FNV_1A_COMPOSITE_1.
func compositeHash(v uint64) string {
	return string(base64Chars[v>>58]) + fmt.Sprintf("%014b", v>>44&(1<<14-1))
}

func join(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "/")
}

// shardPath returns a shard's path below the store that the repository lies in.
func (r *Repository) shardPath(i IndexID, shard int) (string, error) {
	fixed := join(indicesDir, i.ID, strconv.Itoa(shard))
	if i.ShardPathType == pathFixed {
		return join(r.opts.BasePath, fixed), nil
	}
	hash := r.opts.ShardPathPrefix + hashShard(i.ID, shard)
	switch i.ShardPathType {
	case pathHashedPrefix:
		return join(hash, r.opts.BasePath, fixed), nil
	case pathHashedInfix:
		return join(r.opts.BasePath, hash, fixed), nil
	}
	return "", fmt.Errorf("index [%s]: shard path type %d is not known", i, i.ShardPathType)
}

// recordedPaths reads the shard paths that were recorded for an index with hashed paths: they show a
// prefix that only the writing nodes' settings have. Nil when there is no record.
func (r *Repository) recordedPaths(ctx context.Context, i IndexID) ([]string, error) {
	dir, err := r.root.Container(shardPathsDir)
	if err != nil || !dir.Capabilities().Has(blob.CanList) {
		return nil, err
	}
	var best []string
	err = dir.List(ctx, shardPathFile+i.ID+".", func(info blob.Info) error {
		b, err := blob.ReadAll(ctx, dir, info.Name, r.opts.MaxMetadata)
		if err != nil {
			return err
		}
		v, err := smile.ParseJSON(b, smile.Limits{})
		f := newFields(v, "the content")
		if err == nil {
			err = f.err
		}
		if err == nil {
			paths := f.texts("paths")
			for n, p := range paths {
				paths[n] = strings.Trim(p, "/")
				if err = blob.CheckPath(paths[n]); err != nil {
					break
				}
			}
			if len(paths) > len(best) {
				best = paths
			}
			if f.err != nil {
				err = f.err
			}
		}
		if err != nil {
			return corrupt(join(shardPathsDir, info.Name), err, "cannot be read")
		}
		return nil
	})
	return best, err
}

// PrepareIndex must be called before the first file of a snapshot's index is uploaded. Where the
// index is new, or has more shards than before, and its paths are hashed, it records them: otherwise
// nobody could find what a process that dies before Finalize has uploaded. For fixed paths it makes
// no request.
func (r *Repository) PrepareIndex(ctx context.Context, base *Data, i IndexID, shards int) error {
	known, ok := base.Index(i.Name)
	if i.ShardPathType == pathFixed || ok && len(known.Generations) >= shards {
		return nil
	}
	if err := r.recordPaths(ctx, i, shards); err != nil {
		return fmt.Errorf("record the shard paths of index [%s]: %w", i, err)
	}
	return nil
}

// recordPaths writes the record of an index's shard paths, as OpenSearch does at the first snapshot.
func (r *Repository) recordPaths(ctx context.Context, i IndexID, shards int) error {
	paths := make([]any, shards)
	for n := range paths {
		// Shards that are recorded already keep their path.
		s, err := r.Shard(ctx, i, n)
		if err != nil {
			return err
		}
		paths[n] = s.path + "/"
	}
	dir, err := r.root.Container(shardPathsDir)
	if err != nil {
		return err
	}
	b, err := smile.AppendJSON(nil, smile.NewObject(
		member{Name: "indexId", Value: i.ID},
		member{Name: "indexName", Value: i.Name},
		member{Name: "number_of_shards", Value: int64(shards)},
		member{Name: "shard_path_type", Value: int64(i.ShardPathType)},
		member{Name: "shard_path_hash_algorithm", Value: int64(1)},
		member{Name: "paths", Value: paths}))
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s%s.%s.%d.%d.1", shardPathFile, i.ID, i.Name, shards, i.ShardPathType)
	return putBytes(ctx, dir, name, b, blob.PutOptions{})
}
