package repotool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/transfer"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// transferParallel is how many files are brought side by side.
const transferParallel = 4

// Extracted says what Extract brought.
type Extracted struct {
	Folder string `json:"folder"`
	Files  int64  `json:"files"`
	Bytes  int64  `json:"size_in_bytes"`
	Commit string `json:"commit"`
}

// Extract writes a shard of a snapshot into a folder as a Lucene index, each file verified. The folder must not be
// there, or be empty; it appears whole or not at all.
func Extract(ctx context.Context, p *Printer, location, snapshot, index string, shard int, folder string) (err error) {
	r, err := Open(ctx, location)
	if err != nil {
		return err
	}
	entry, err := r.named(snapshot)
	if err != nil {
		return err
	}
	ix, err := r.indexIn(entry.SnapshotID, index)
	if err != nil {
		return err
	}
	if count, err := r.ShardCount(ctx, r.Data, entry.SnapshotID, index); err == nil && (shard < 0 || shard >= count) { // else the error comes with what is read next
		return fmt.Errorf("index [%s] has %s in snapshot [%s], from 0: there is no shard %d", index, plural(count, "shard", "shards"), snapshot, shard)
	}
	sh, err := r.Shard(ctx, ix.IndexID, shard)
	if err != nil {
		return err
	}
	snap, ops, err := sh.State(ctx, entry.SnapshotID)
	if err != nil {
		return withHint(err)
	}
	target, err := newFolder(folder)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(target.temp))
		}
	}()
	var counts transfer.Counts
	if ops == nil {
		counts, err = bring(ctx, p, sh, snap, target.temp)
	} else {
		counts, snap, err = r.extractApplied(ctx, p, sh, entry.SnapshotID, snap, ops, target.temp)
	}
	if err != nil {
		return err
	}
	if err := target.commit(); err != nil {
		return err
	}
	out := Extracted{Folder: target.path, Files: counts.MovedFiles, Bytes: counts.MovedBytes}
	for _, f := range snap.Files {
		if strings.HasPrefix(f.PhysicalName, "segments_") {
			out.Commit = f.PhysicalName
		}
	}
	if p.JSON {
		return p.object(out)
	}
	return p.printf("%s (%s) of shard [%s][%d] in %s\n", plural(int(out.Files), "file", "files"), settings.FormatBytes(out.Bytes), index, shard, out.Folder)
}

// extractApplied is bring for a shard with operations that its files lack.
func (r *Repo) extractApplied(ctx context.Context, p *Printer, sh *repository.Shard, id repository.SnapshotID, snap *repository.ShardSnapshot, ops *repository.Operations, folder string) (counts transfer.Counts, _ *repository.ShardSnapshot, err error) {
	a, err := r.apply(ctx, p, sh, id, snap, ops, filepath.Dir(folder))
	if err != nil {
		return counts, nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if snap, err = a.list(snap); err == nil {
		counts, err = a.moveTo(folder)
	}
	return counts, snap, err
}

// bring downloads the files of a shard into a folder.
func bring(ctx context.Context, p *Printer, sh *repository.Shard, snap *repository.ShardSnapshot, folder string) (transfer.Counts, error) {
	dir, err := store.OpenFS(folder)
	if err != nil {
		return transfer.Counts{}, err
	}
	d := &transfer.Download{Shard: sh, Files: snap.Files, Dir: dir, Parallel: transferParallel, Progress: &transfer.Progress{}}
	p.Progress.start("extract", snap.TotalSize(), true)
	stop := follow(p.Progress, func() int64 { return d.Progress.MovedBytes.Load() })
	err = d.Run(ctx)
	stop()
	if cerr := dir.Close(); err == nil {
		err = cerr
	}
	return d.Progress.Counts(), err
}

// freshFolder is a folder that gets its name when it is complete.
type freshFolder struct{ path, temp string }

func newFolder(path string) (*freshFolder, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(abs)
	switch {
	case err == nil && len(entries) > 0:
		return nil, fmt.Errorf("the folder %s is not empty: nothing is written over", abs)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o755); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(abs), ".varve-unfinished-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	return &freshFolder{abs, temp}, nil
}

func (f *freshFolder) commit() error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(f.temp, f.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

// OutputFile is a file that appears under its name only when it is complete. "-" and "" are the writer given; a device or a pipe is
// written to as it comes.
type OutputFile struct {
	io.Writer
	file *os.File
	path string
}

// CreateOutput opens the file that a command writes to.
func CreateOutput(path string, standard io.Writer) (*OutputFile, error) {
	if path == "" || path == "-" {
		return &OutputFile{Writer: standard}, nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	switch st, err := os.Stat(abs); {
	case err == nil && st.IsDir():
		return nil, fmt.Errorf("create the output: %s is a folder", abs)
	case err == nil && !st.Mode().IsRegular(): // must not be replaced by a file
		f, err := os.OpenFile(abs, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("open the output: %w", err)
		}
		return &OutputFile{Writer: f, file: f}, nil
	case err == nil:
		if abs, err = filepath.EvalSymlinks(abs); err != nil {
			return nil, fmt.Errorf("create the output: %w", err)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(abs), ".varve-unfinished-")
	if err != nil {
		return nil, fmt.Errorf("create the output: %w", err)
	}
	return &OutputFile{Writer: f, file: f, path: abs}, nil
}

// Close gives the file its name if the work went well, and removes it otherwise. It returns the first error.
func (o *OutputFile) Close(failed error) error {
	if o.file == nil {
		return failed
	}
	if o.path == "" {
		return errors.Join(failed, o.file.Close())
	}
	err := failed
	if err == nil {
		err = o.file.Chmod(0o644)
	}
	if err == nil {
		err = o.file.Sync()
	}
	if cerr := o.file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(o.file.Name()))
	}
	return syncFolder(filepath.Dir(o.path))
}
