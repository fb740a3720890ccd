package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// Download is one shard's way out of a repository into a directory that nobody reads yet.
type Download struct {
	Shard    *repository.Shard
	Files    []repository.FileInfo
	Dir      store.Directory
	Parallel int // files at once; at least 1
	Limits   []*Limit
	Progress *Progress
}

// Run brings the files that the directory lacks, each verified and durable before the commit file among
// them, segments_N, is written last. A file of the same name with other bytes is replaced; other files
// of the directory are left alone.
func (d *Download) Run(ctx context.Context) error {
	var commit, jobs []repository.FileInfo
	for _, f := range d.Files {
		d.Progress.TotalFiles.Add(1)
		d.Progress.TotalBytes.Add(f.Length)
		if strings.HasPrefix(f.PhysicalName, "segments_") {
			commit = append(commit, f)
			continue
		}
		same, err := d.have(f)
		if err != nil {
			return err
		}
		if same {
			d.Progress.ReusedFiles.Add(1)
			d.Progress.ReusedBytes.Add(f.Length)
			continue
		}
		jobs = append(jobs, f)
	}
	// The largest first: the last ones to finish are then small.
	slices.SortStableFunc(jobs, func(a, b repository.FileInfo) int { return int(min(max(b.Length-a.Length, -1), 1)) })
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(d.Parallel, 1))
	for _, f := range jobs {
		g.Go(func() error { return d.one(gctx, f) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := d.sync(jobs); err != nil {
		return err
	}
	for _, f := range commit {
		if err := d.one(ctx, f); err != nil {
			return err
		}
	}
	return d.sync(commit)
}

func (d *Download) sync(files []repository.FileInfo) error {
	names := make([]string, 0, len(files))
	for _, f := range files {
		names = append(names, f.PhysicalName)
	}
	if err := d.Dir.Sync(names); err != nil {
		return err
	}
	return d.Dir.SyncMetadata()
}

// have tells whether the directory holds the file already, its bytes whole.
func (d *Download) have(f repository.FileInfo) (bool, error) {
	n, err := d.Dir.Length(f.PhysicalName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || n != f.Length {
		return false, err
	}
	in, err := d.Dir.Open(f.PhysicalName, store.Sequential)
	if err != nil {
		return false, err
	}
	defer in.Close()
	sum, err := codec.ReadFooter(in)
	if err != nil || strconv.FormatUint(uint64(sum), 36) != f.Checksum {
		return false, nil
	}
	return codec.VerifyChecksum(in) == nil, nil
}

func (d *Download) one(ctx context.Context, f repository.FileInfo) error {
	if err := d.Dir.Remove(f.PhysicalName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace %s: %w", f.PhysicalName, err)
	}
	src, err := d.Shard.OpenFile(ctx, f)
	if err != nil {
		return fmt.Errorf("download %s of %s: %w", f.PhysicalName, d.Shard, err)
	}
	defer src.Close()
	out, err := d.Dir.Create(f.PhysicalName)
	if err != nil {
		return fmt.Errorf("download %s of %s: %w", f.PhysicalName, d.Shard, err)
	}
	_, err = io.CopyBuffer(onlyWriter{out}, &limited{ctx: ctx, r: src, limits: d.Limits, p: d.Progress}, make([]byte, limitStep))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		if rerr := d.Dir.Remove(f.PhysicalName); rerr != nil {
			err = fmt.Errorf("%w (and the rest of it could not be removed: %w)", err, rerr)
		}
		return fmt.Errorf("download %s of %s: %w", f.PhysicalName, d.Shard, err)
	}
	d.Progress.MovedFiles.Add(1)
	return nil
}

// onlyWriter hides all but Write, so that the copy goes through its buffer.
type onlyWriter struct{ io.Writer }
