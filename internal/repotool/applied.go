package repotool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/transfer"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// A snapshot that pins a timestamp may have operations that no file has yet. To be read, such a shard is brought into a temporary folder,
// and the operations are applied to it there.

// appliedShard is a shard in a temporary folder, with all that the snapshot has of it.
type appliedShard struct {
	folder string // removed by Close
	dir    *store.FSDirectory
	names  []string // the files of its last commit
}

// apply brings a shard into a folder below parent, "" being where temporary files go.
func (r *Repo) apply(ctx context.Context, p *Printer, sh *repository.Shard, id repository.SnapshotID, snap *repository.ShardSnapshot, ops *repository.Operations, parent string) (_ *appliedShard, err error) {
	meta, err := r.IndexMetadata(ctx, r.Data, id, sh.Index.Name)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(parent, ".varve-unfinished-")
	if err != nil {
		return nil, err
	}
	a := &appliedShard{folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("apply the operations that the files of shard %s lack: %w", sh, err), a.Close())
		}
	}()
	at := shard.IndexPath(folder)
	if err := os.Mkdir(at, 0o755); err != nil {
		return nil, err
	}
	if _, err := bring(ctx, p, sh, snap, at); err != nil {
		return nil, err
	}
	if a.dir, err = store.OpenFS(at); err != nil {
		return nil, err
	}
	if _, err := index.Rewrite(ctx, a.dir, nil); err != nil { // what Lucene 10 wrote cannot be written on
		return nil, err
	}
	cfg, err := snapshot.OfflineShardConfig(meta.WithoutRemoteStore(), folder, sh.ID)
	if err != nil {
		return nil, err
	}
	if _, err := snapshot.ApplyOperations(ctx, ops, cfg, nil); err != nil {
		return nil, err
	}
	infos, err := segments.ReadLatest(a.dir)
	if err != nil {
		return nil, err
	}
	a.names = infos.Files()
	slices.Sort(a.names)
	return a, nil
}

// Close removes the folder.
func (a *appliedShard) Close() error {
	var err error
	if a.dir != nil {
		err = a.dir.Close()
	}
	return errors.Join(err, os.RemoveAll(a.folder))
}

// list returns the shard's files as a list in a repository names them, but for their blobs.
func (a *appliedShard) list(snap *repository.ShardSnapshot) (*repository.ShardSnapshot, error) {
	out := *snap
	var err error
	out.Files, err = transfer.Describe(a.dir, a.names)
	return &out, err
}

// moveTo moves the files into a folder of the same file system.
func (a *appliedShard) moveTo(folder string) (counts transfer.Counts, err error) {
	for _, n := range a.names {
		from := filepath.Join(shard.IndexPath(a.folder), n)
		info, err := os.Stat(from)
		if err == nil {
			err = os.Rename(from, filepath.Join(folder, n))
		}
		if err != nil {
			return counts, err
		}
		counts.MovedFiles++
		counts.MovedBytes += info.Size()
	}
	return counts, syncFolder(folder)
}

// shardReader is an opened shard. Close also removes what was only there for it.
type shardReader struct {
	*index.DirectoryReader
	applied *appliedShard // nil: it is read where it lies
}

// Close implements io.Closer.
func (r *shardReader) Close() error {
	err := r.DirectoryReader.Close()
	if r.applied != nil {
		err = errors.Join(err, r.applied.Close())
	}
	return err
}
