package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// Download is one shard's way out of a repository into a directory that has no commit yet.
type Download struct {
	Shard    *repository.Shard
	Files    []repository.FileInfo
	Dir      store.Directory
	Parallel int // large files at once, or four times as many small ones; at least 1
	Limits   []*Limit
	Progress *Progress
	// Retry says how requests that fail are sent again; Attempts 0 is DefaultRetry.
	Retry repository.Resume
	// Landed, if set, is told of each file but the commit once all of it is in the directory and verified, also of those
	// that were there before. It is called from many goroutines.
	Landed func(name string)

	rangeSize    int64           // of tests; 0 is the usual one
	looked       []*FileProgress // of Files
	prepared     bool
	commit, jobs []job
}

// job is a file to be brought.
type job struct {
	repository.FileInfo
	p *FileProgress
}

// DefaultRetry waits some two minutes in all for a store that does not answer.
var DefaultRetry = repository.Resume{Attempts: 10, Pause: 250 * time.Millisecond, MaxPause: 30 * time.Second}

// CommitFile tells whether a file is a commit, segments_N: it is brought last, being what makes the others an index.
func CommitFile(name string) bool { return strings.HasPrefix(name, "segments_") }

// Look counts the files, and as reused those that are in the directory as far as their length and their footer tell. Prepare does
// so itself if it was not called.
func (d *Download) Look(ctx context.Context) error {
	if d.looked != nil {
		return nil
	}
	for _, f := range d.Files {
		if err := store.CheckName(f.PhysicalName); err != nil {
			return fmt.Errorf("download of %s: %w", d.Shard, err)
		}
	}
	looked := make([]*FileProgress, len(d.Files))
	for i, f := range d.Files { // all of them first: what is known of the whole does not grow
		looked[i] = d.Progress.Add(f.PhysicalName, f.Length, false)
	}
	d.looked = looked
	var there []*FileProgress
	for i, f := range d.Files {
		if CommitFile(f.PhysicalName) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		ok, err := have(d.Dir, f, false)
		if err != nil {
			return err
		}
		if ok {
			there = append(there, looked[i])
		}
	}
	d.Progress.reuseAll(there)
	return nil
}

// Prepare finds out what the directory has already, reading it. Run does so itself if it was not called.
func (d *Download) Prepare(ctx context.Context) error {
	if d.prepared {
		return nil
	}
	if err := d.Look(ctx); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(d.Parallel, 1))
	for i, f := range d.Files {
		if !d.looked[i].Reused() {
			continue
		}
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			whole, err := have(d.Dir, f, true)
			d.Progress.reuse(d.looked[i], whole)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var missing []repository.FileInfo
	progress := map[string]*FileProgress{}
	for i, f := range d.Files {
		p := d.looked[i]
		progress[f.PhysicalName] = p
		switch {
		case CommitFile(f.PhysicalName):
			d.commit = append(d.commit, job{f, p})
		case !p.Reused():
			missing = append(missing, f)
		case d.Landed != nil:
			d.Landed(f.PhysicalName)
		}
	}
	openFirst(missing)
	for _, f := range missing {
		d.jobs = append(d.jobs, job{f, progress[f.PhysicalName]})
	}
	d.prepared = true
	return nil
}

// Run brings the files that the directory lacks, each verified and durable before the commit file among
// them, segments_N, is written last. A file of the same name with other bytes is replaced; other files
// of the directory are left alone.
func (d *Download) Run(ctx context.Context) error {
	if err := d.Prepare(ctx); err != nil {
		return err
	}
	s := newSlots(ctx, d.Parallel)
	for _, f := range d.jobs {
		s.run(f.Length, func(ctx context.Context) error {
			if err := d.one(ctx, f); err != nil {
				return err
			}
			if d.Landed != nil {
				d.Landed(f.PhysicalName)
			}
			return nil
		})
	}
	if err := s.wait(ctx); err != nil {
		return err
	}
	if err := d.Dir.SyncMetadata(); err != nil {
		return err
	}
	for _, f := range d.commit {
		if err := d.one(ctx, f); err != nil {
			return err
		}
	}
	return d.Dir.SyncMetadata()
}

// have tells whether a directory holds the file already: as its length and its footer tell, or with whole as all of its bytes do.
func have(dir store.Directory, f repository.FileInfo, whole bool) (bool, error) {
	n, err := dir.Length(f.PhysicalName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || n != f.Length {
		return false, err
	}
	in, err := dir.Open(f.PhysicalName, store.Sequential)
	if err != nil {
		return false, err
	}
	defer in.Close()
	sum, err := codec.ReadFooter(in)
	if err != nil || strconv.FormatUint(uint64(sum), 36) != f.Checksum {
		return false, nil
	}
	return !whole || codec.VerifyChecksum(in) == nil, nil
}

// copyBuffer is what a file's bytes pass through. With more, what was read is no longer near the processor when it is written.
const copyBuffer = 64 << 10

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// create makes a file of bytes that are verified where they come from.
func create(dir store.Directory, name string) (io.WriteCloser, error) {
	if s, ok := dir.(store.Streamer); ok {
		return s.CreateStream(name)
	}
	return dir.Create(name)
}

func (d *Download) one(ctx context.Context, f job) error {
	fail := func(err error) error { return fmt.Errorf("download %s of %s: %w", f.PhysicalName, d.Shard, err) }
	how := d.Retry
	if how.Attempts == 0 {
		how = DefaultRetry
	}
	told := how.Retried
	how.Retried = func(off int64, err error) {
		d.Progress.Retries.Add(1)
		if told != nil {
			told(off, err)
		}
	}
	if err := d.remove(f.PhysicalName); err != nil {
		return fmt.Errorf("replace %s: %w", f.PhysicalName, err)
	}
	come, err := d.inRanges(ctx, f, how)
	if !come && err == nil {
		err = d.inOne(ctx, f, how)
	}
	if err == nil {
		err = d.Dir.Sync([]string{f.PhysicalName})
	}
	if err != nil {
		if rerr := d.remove(f.PhysicalName); rerr != nil {
			err = fmt.Errorf("%w (and the rest of it could not be removed: %w)", err, rerr)
		}
		return fail(err)
	}
	d.Progress.MovedFiles.Add(1)
	return nil
}

// remove removes a file that may be there.
func (d *Download) remove(name string) error {
	if err := d.Dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// inOne brings a file in one stream.
func (d *Download) inOne(ctx context.Context, f job, how repository.Resume) error {
	src := d.Shard.OpenFileResuming(ctx, f.FileInfo, how)
	defer src.Close()
	out, err := create(d.Dir, f.PhysicalName)
	if err != nil {
		return err
	}
	err = d.copy(ctx, out, src, f)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// copy moves a file's bytes, or a part of them, within the limits.
func (d *Download) copy(ctx context.Context, to io.Writer, from io.Reader, f job) error {
	b := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(b)
	in := &limited{ctx: ctx, r: from, limits: d.Limits, p: d.Progress, f: f.p}
	for {
		n, err := 0, error(nil)
		for n < len(*b) && err == nil { // a full buffer is written to whole pages
			var m int
			m, err = in.Read((*b)[n:])
			n += m
		}
		if n > 0 {
			if _, werr := to.Write((*b)[:n]); werr != nil {
				return werr
			}
		}
		switch {
		case err == io.EOF: //nolint:errorlint // the end itself
			return nil
		case err != nil:
			return err
		}
	}
}
