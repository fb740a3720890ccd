package snapshot

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/migrate"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/transfer"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/snapshotdir"
)

// migrationCache is how many bytes of blocks are kept while an old shard is read; it is read from front to end.
const migrationCache = 8 << 20

// migrations are the places for shards that are indexed again at the same time: each parses with several goroutines.
var migrations = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// translate makes of the metadata of an index of an older version that of one of today. See docs/decisions/0010-old-sources.md.
func (p *restorePlan) translate(m *repository.IndexMetadata) (*repository.IndexMetadata, error) {
	next, warnings, err := migrate.Index(m)
	if err != nil {
		return nil, restoreError(p.req, p.entry.UUID, "%v", err)
	}
	if p.req.Remote && next != m {
		return nil, restoreError(p.req, p.entry.UUID, "index [%s] cannot be searched in its repository: it is of a version whose segments have to be indexed again", m.Name)
	}
	p.warnings = append(p.warnings, warnings...)
	return next, nil
}

// translateGlobal does the same with the global state.
func (p *restorePlan) translateGlobal(g smileObject) (smileObject, error) {
	next, warnings, err := migrate.Global(g, p.info.Version)
	if err != nil {
		return nil, restoreError(p.req, p.entry.UUID, "%v", err)
	}
	p.warnings = append(p.warnings, warnings...)
	return next, nil
}

// restoreOld restores a shard that has segments of Lucene 8 or older, by indexing its documents again. It returns false, having done
// nothing, if there are none: the files are to be brought as they are.
func (s *Service) restoreOld(ctx context.Context, r *state.ShardRouting, src *state.RecoverySource, rs *repository.Shard, files []repository.FileInfo, dst *store.FSDirectory, rec *cluster.Recovery) (bool, error) {
	v := repository.Version{Legacy: true}
	if taken, err := repository.VersionFromID(int64(src.Version)); err == nil {
		v = taken
	}
	if !v.Legacy && v.Major > 2 { // Lucene 10 does not read Lucene 8
		return false, nil
	}
	if name, content := commitOf(files); content != nil { // as it mostly is: nothing more need be read to know
		if old, err := migrate.OldCommit(name, content); err != nil || !old {
			return false, err
		}
	}
	dir, err := snapshotdir.Open(ctx, rs, repository.SnapshotID{Name: src.Snapshot, UUID: src.SnapshotUUID}, snapshotdir.NewCache(migrationCache))
	if err != nil {
		return false, err
	}
	if old, err := migrate.NeedsIndexing(dir); err != nil || !old {
		return false, err
	}
	select {
	case migrations <- struct{}{}:
		defer func() { <-migrations }()
	case <-ctx.Done():
		return true, ctx.Err()
	}
	index := src.Index
	if ix := s.store.View().IndexByUUID(r.IndexUUID); ix != nil {
		index = ix.Name
	}
	cfg, err := s.node.ShardConfig(index, r.IndexUUID, r.Shard)
	if err != nil {
		return true, err
	}
	if err := clearCommits(dst, nil); err != nil {
		return true, err
	}
	lim, err := s.limitsOf(src.Repository)
	if err != nil {
		return true, err
	}
	opts := migrate.Options{Progress: &migrate.Progress{}, Read: slowed(ctx, lim, rec, migrationProgress(files, rec))}
	if job := s.store.View().Restore(src.RestoreUUID); job != nil {
		opts.Partial = job.Partial
	}
	s.log.Info("a shard's segments are too old to be opened; its documents are indexed again", "index", index, "shard", r.Shard, "snapshot", src.Snapshot)
	if err := migrate.Shard(ctx, dir, dst, cfg, opts); err != nil {
		var refused *migrate.RefusedError
		if errors.As(err, &refused) {
			err = &cluster.PermanentError{Err: err}
		}
		return true, err
	}
	c := rec.Files.Counts()
	rec.Files.MovedFiles.Store(c.TotalFiles)
	rec.Files.MovedBytes.Store(c.TotalBytes)
	return true, nil
}

// commitOf returns name and content of a shard's commit, nil if its list of files does not hold the content.
func commitOf(files []repository.FileInfo) (string, []byte) {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.PhysicalName
	}
	commit := segments.FileName(max(0, segments.LastGeneration(names)))
	for _, f := range files {
		if f.PhysicalName == commit && int64(len(f.MetaHash)) == f.Length {
			return commit, f.MetaHash
		}
	}
	return commit, nil
}

// migrationProgress counts a recovery by the share of each segment's documents that were read, as if its files came over piece by piece.
func migrationProgress(files []repository.FileInfo, rec *cluster.Recovery) func(*migrate.Document) error {
	rec.Files.Reset()
	bytes, count := map[string]int64{}, map[string]int64{}
	for _, f := range files {
		rec.Files.TotalFiles.Add(1)
		rec.Files.TotalBytes.Add(f.Length)
		name := f.PhysicalName
		if i := strings.IndexAny(name[min(1, len(name)):], "_."); i >= 0 {
			name = name[:i+1]
		}
		bytes[name] += f.Length
		count[name]++
	}
	var segment string
	var doneBytes, doneFiles int64
	return func(d *migrate.Document) error {
		if d.Segment != segment {
			doneBytes, doneFiles = doneBytes+bytes[segment], doneFiles+count[segment]
			segment = d.Segment
			rec.Files.MovedFiles.Store(doneFiles)
		}
		rec.Files.MovedBytes.Store(doneBytes + bytes[segment]*int64(d.Doc+1)/int64(d.MaxDoc))
		rec.TranslogOps.Add(1)
		return nil
	}
}

// slowed keeps the reading of a shard's documents to the rate of restores: by the share of the files that the documents stand for.
func slowed(ctx context.Context, lim *limits, rec *cluster.Recovery, progress func(*migrate.Document) error) func(*migrate.Document) error {
	var passed int64
	return func(d *migrate.Document) error {
		if err := progress(d); err != nil {
			return err
		}
		moved := rec.Files.MovedBytes.Load()
		waited, err := transfer.Wait(ctx, lim.downloads(), moved-passed)
		passed = moved
		rec.Files.ThrottledNanos.Add(int64(waited))
		return err
	}
}
