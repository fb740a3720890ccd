package repotool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/repository"
)

// Copied says what Copy did.
type Copied struct {
	Source      string           `json:"source"`
	Destination string           `json:"destination"`
	Copied      []CopiedSnapshot `json:"copied"`
	Skipped     []string         `json:"skipped"` // the destination has them already
	Warnings    []string         `json:"warnings,omitempty"`
}

// CopiedSnapshot is one snapshot that was copied.
type CopiedSnapshot struct {
	Snapshot    string `json:"snapshot"`
	UUID        string `json:"uuid"`
	Indices     int    `json:"indices"`
	Shards      int    `json:"shards"`
	Files       int64  `json:"files"` // that were sent
	Bytes       int64  `json:"size_in_bytes"`
	ReusedFiles int64  `json:"reused_files"` // that the destination had
	ReusedBytes int64  `json:"reused_in_bytes"`
}

// Copy brings snapshots, all without names, into another repository, oldest first. Files that the destination has of
// the same index are not sent again, and each byte that is sent is verified. Of a shallow snapshot the copy is an ordinary one. A snapshot becomes visible when
// it is complete; what an interrupted copy leaves is found by Prune and by the clean-up of a cluster.
func Copy(ctx context.Context, p *Printer, source, destination string, names []string) error {
	src, err := Open(ctx, source)
	if err != nil {
		return err
	}
	dst, unreadable, err := openAny(ctx, destination, true)
	if err == nil {
		err = unreadable
	}
	if err != nil {
		return err
	}
	if src.Store.String() == dst.Store.String() {
		return fmt.Errorf("copy %s to %s: these are the same repository", source, destination)
	}
	chosen, err := src.snapshots(names)
	if err != nil {
		return err
	}
	if err := src.copyable(ctx, chosen); err != nil {
		return err
	}
	if err := dst.Data.Writable(); err != nil {
		return fmt.Errorf("copy into %s: %w", destination, err)
	}
	out := Copied{Source: source, Destination: destination, Copied: []CopiedSnapshot{}, Skipped: []string{}}
	for _, s := range chosen {
		if there, err := dst.Data.Snapshot(s.Name); err == nil {
			if there.UUID != s.UUID {
				return fmt.Errorf("copy snapshot [%s]: another snapshot of this name, with the uuid [%s] instead of [%s], is in %s", s.Name, there.UUID, s.UUID, destination)
			}
			out.Skipped = append(out.Skipped, s.Name)
			continue
		}
		c := &copier{p: p, src: src, dst: dst, entry: s}
		one, warnings, err := c.run(ctx)
		if err != nil {
			return fmt.Errorf("copy snapshot [%s]: %w", s.Name, err)
		}
		out.Copied = append(out.Copied, *one)
		for _, w := range warnings {
			out.Warnings = append(out.Warnings, w.Error())
		}
		if p.JSON {
			continue
		}
		if err := p.printf("%s: %s sent (%s), %s reused (%s)\n", one.Snapshot, plural(int(one.Files), "file", "files"), settings.FormatBytes(one.Bytes),
			plural(int(one.ReusedFiles), "file", "files"), settings.FormatBytes(one.ReusedBytes)); err != nil {
			return err
		}
	}
	if p.JSON {
		return p.object(out)
	}
	for _, s := range out.Skipped {
		if err := p.printf("%s: is there already\n", s); err != nil {
			return err
		}
	}
	for _, w := range out.Warnings {
		if err := p.printf("%s %s\n", p.paint(yellow, "warning:"), w); err != nil {
			return err
		}
	}
	return nil
}

// copyable refuses, before anything is written, snapshots whose data cannot be read.
func (r *Repo) copyable(ctx context.Context, list []repository.SnapshotEntry) error {
	// One of these in a repository, and every node goes back to numbered generations there, beside ours.
	if err := (&repository.Data{Snapshots: list}).Writable(); err != nil {
		return fmt.Errorf("copy: %w; a repository that holds it could not be written any more. Copy all files of this repository instead, or restore the snapshot and take a new one, or `varve repo export` its documents", err)
	}
	for _, s := range list {
		if err := r.reachable(ctx, s.SnapshotID, r.Data.SnapshotIndices(s.SnapshotID)); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	return nil
}

// copier copies one snapshot.
type copier struct {
	p        *Printer
	src, dst *Repo
	entry    repository.SnapshotEntry
	shallow  bool
	out      CopiedSnapshot
	sent     atomic.Int64
	jobs     []*copyShard
	applied  []*appliedShard // to be closed
}

// copyShard is one shard of the snapshot.
type copyShard struct {
	from, to *repository.Shard
	snap     *repository.ShardSnapshot
	base     string
	stateID  string
	files    []repository.FileInfo // as the destination has them; those of missing are filled in
	missing  []int
	applied  *appliedShard // nil: the files come from where they lie
	gen      *string
}

func (c *copier) run(ctx context.Context) (_ *CopiedSnapshot, _ []error, err error) {
	defer func() {
		for _, a := range c.applied {
			err = errors.Join(err, a.Close())
		}
	}()
	info, err := c.src.SnapshotInfo(ctx, c.entry.SnapshotID)
	if err != nil {
		return nil, nil, err
	}
	global, err := c.src.GlobalMetadata(ctx, c.entry.SnapshotID)
	if err != nil {
		return nil, nil, err
	}
	base := c.dst.Data
	if err := base.Writable(); err != nil {
		return nil, nil, err
	}
	c.out = CopiedSnapshot{Snapshot: info.Name, UUID: info.UUID}
	if c.shallow = info.Shallow(); c.shallow { // the copy has its data itself
		whole := false
		info.ShallowCopy = &whole
	}
	n := repository.NewSnapshot{Info: *info, Global: global}
	for _, ix := range c.src.Data.SnapshotIndices(c.entry.SnapshotID) {
		f, err := c.plan(ctx, base, ix)
		if err != nil {
			return nil, nil, err
		}
		n.Indices = append(n.Indices, f)
		c.out.Indices++
	}
	if err := c.send(ctx, info); err != nil {
		return nil, nil, err
	}
	res, err := c.dst.Finalize(ctx, base, n)
	if err != nil {
		return nil, nil, err
	}
	c.dst.Data = res.Data
	return &c.out, res.Warnings, nil
}

// plan compares an index's shards with what the destination has of them.
func (c *copier) plan(ctx context.Context, base *repository.Data, ix repository.IndexEntry) (repository.FinalizeIndex, error) {
	meta, err := c.src.IndexMetadata(ctx, c.src.Data, c.entry.SnapshotID, ix.Name)
	if err != nil {
		return repository.FinalizeIndex{}, err
	}
	if c.shallow {
		meta = meta.WithoutRemoteStore()
	}
	f := repository.FinalizeIndex{Index: base.ResolveIndex(ix.Name, 0), Metadata: meta, Generations: make([]string, meta.Shards())}
	if err := c.dst.PrepareIndex(ctx, base, f.Index, meta.Shards()); err != nil {
		return f, err
	}
	known, _ := base.Index(ix.Name)
	for n := range f.Generations {
		s := &copyShard{gen: &f.Generations[n]}
		if s.from, err = c.src.Shard(ctx, ix.IndexID, n); err != nil {
			return f, err
		}
		var ops *repository.Operations
		s.snap, ops, err = s.from.State(ctx, c.entry.SnapshotID)
		var missing *repository.MissingSnapshotError
		if errors.As(err, &missing) {
			continue // the snapshot is partial, and so will its copy be
		}
		if err != nil {
			return f, err
		}
		if ops != nil {
			if s.applied, err = c.src.apply(ctx, c.p, s.from, c.entry.SnapshotID, s.snap, ops, ""); err != nil {
				return f, err
			}
			c.applied = append(c.applied, s.applied)
			if s.snap, err = s.applied.list(s.snap); err != nil {
				return f, err
			}
		}
		// The state's id spares the next snapshot of an unchanged shard all comparisons; it is no loss without.
		if x, _, err := s.from.FileIndex(ctx, ix.ShardGeneration(n)); err == nil {
			if had, ok := x.Snapshot(c.entry.Name); ok {
				s.stateID = had.StateID
			}
		}
		if s.to, err = c.dst.Shard(ctx, f.Index, n); err != nil {
			return f, err
		}
		x, gen, err := s.to.FileIndex(ctx, known.ShardGeneration(n))
		if err != nil {
			return f, err
		}
		s.base = gen
		s.files = make([]repository.FileInfo, len(s.snap.Files))
		for i, file := range s.snap.Files {
			if have, ok := x.Find(file.PhysicalName, file.Length, file.Checksum, file.MetaHash); ok {
				s.files[i] = have
				c.out.ReusedFiles++
				c.out.ReusedBytes += file.Length
				continue
			}
			s.missing = append(s.missing, i)
			c.out.Files++
			c.out.Bytes += file.Length
		}
		c.jobs = append(c.jobs, s)
		c.out.Shards++
	}
	return f, nil
}

// send uploads what is missing, and then writes the shards' lists.
func (c *copier) send(ctx context.Context, info *repository.SnapshotInfo) error {
	c.p.Progress.start(info.Name, c.out.Bytes, true)
	stop := follow(c.p.Progress, c.sent.Load)
	defer stop()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(transferParallel)
	for _, s := range c.jobs {
		for _, i := range s.missing {
			g.Go(func() (err error) {
				s.files[i], err = c.file(gctx, s, s.snap.Files[i])
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	batch := blob.NewBatch(2 * len(c.jobs))
	defer batch.Close()
	g, gctx = errgroup.WithContext(ctx)
	g.SetLimit(transferParallel)
	for _, s := range c.jobs {
		g.Go(func() (err error) {
			n := repository.NewShardSnapshot{Batch: batch, Snapshot: info.SnapshotID, BaseGeneration: s.base, IndexVersion: s.snap.IndexVersion, StateID: s.stateID,
				StartTime: s.snap.StartTime, Time: s.snap.Time, IncrementalFiles: len(s.missing), Files: s.files}
			for _, i := range s.missing {
				n.IncrementalSize += s.files[i].Length
			}
			*s.gen, err = s.to.WriteSnapshot(gctx, n)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return batch.Flush(ctx)
}

func (c *copier) file(ctx context.Context, s *copyShard, f repository.FileInfo) (out repository.FileInfo, err error) {
	var r io.ReadCloser
	if s.applied != nil {
		r, err = os.Open(filepath.Join(shard.IndexPath(s.applied.folder), f.PhysicalName))
	} else {
		r, err = s.from.OpenFile(ctx, f)
	}
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return s.to.UploadFile(ctx, repository.Upload{PhysicalName: f.PhysicalName, Length: f.Length, Checksum: f.Checksum, WrittenBy: f.WrittenBy,
		Content: &countingReader{r, &c.sent}})
}

// countingReader counts what is read.
type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}
