package snapshotdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// Directory is the files of a shard in a snapshot. It is safe for concurrent use.
type Directory struct {
	ctx   context.Context //nolint:containedctx // a store.Directory's calls carry none
	shard *repository.Shard
	cache *Cache
	files map[string]*file
	names []string
}

// file is one Lucene file in the repository.
type file struct {
	shard *repository.Shard
	info  repository.FileInfo
}

// Open reads the shard's list of files in a snapshot. ctx ends all later reads too.
func Open(ctx context.Context, shard *repository.Shard, id repository.SnapshotID, cache *Cache) (*Directory, error) {
	snap, err := shard.Snapshot(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &Directory{ctx: ctx, shard: shard, cache: cache, files: make(map[string]*file, len(snap.Files))}
	for _, f := range snap.Files {
		if err := store.CheckName(f.PhysicalName); err != nil {
			return nil, fmt.Errorf("%s of snapshot %s: %w", shard, id, err)
		}
		d.files[f.PhysicalName] = &file{shard, f}
		d.names = append(d.names, f.PhysicalName)
	}
	slices.Sort(d.names)
	return d, nil
}

func (f *file) fetch(ctx context.Context, block int64) ([]byte, error) {
	off := block * BlockSize
	b := make([]byte, min(BlockSize, f.info.Length-off))
	n, err := f.shard.ReadFileAt(ctx, f.info, b, off)
	if n == len(b) {
		return b, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return nil, store.Corruptf(f.info.PhysicalName, off+int64(n), "the repository's blob %s ends early", f.info.Name)
	}
	return nil, fmt.Errorf("read %s (blob %s) of %s: %w", f.info.PhysicalName, f.info.Name, f.shard, err)
}

func (d *Directory) find(op, name string) (*file, error) {
	f, ok := d.files[name]
	if !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

// List implements store.Directory.
func (d *Directory) List() ([]string, error) { return slices.Clone(d.names), nil }

// Length implements store.Directory.
func (d *Directory) Length(name string) (int64, error) {
	f, err := d.find("stat", name)
	if err != nil {
		return 0, err
	}
	return f.info.Length, nil
}

// Open implements store.Directory.
func (d *Directory) Open(name string, _ store.Access) (store.Input, error) {
	f, err := d.find("open", name)
	if err != nil {
		return nil, err
	}
	if f.info.Virtual() {
		return store.NewBytesInput(name, f.info.MetaHash), nil
	}
	return &input{d: d, f: f, n: f.info.Length}, nil
}

// input is an Input over the blocks of a file, or of a part of it.
type input struct {
	d       *Directory
	f       *file
	base, n int64
}

func (in *input) Name() string  { return in.f.info.PhysicalName }
func (in *input) Length() int64 { return in.n }
func (in *input) Close() error  { return nil }

func (in *input) check(off, n int64) error {
	if off < 0 || n < 0 || off > in.n || n > in.n-off {
		return store.Corruptf(in.Name(), in.base+off, "%d bytes are asked for where %d remain", n, max(0, in.n-off))
	}
	return nil
}

// Window gives the rest of a block where that is enough, else a copy across blocks.
func (in *input) Window(off int64, min int) ([]byte, error) {
	if err := in.check(off, int64(min)); err != nil {
		return nil, err
	}
	if off == in.n {
		return nil, nil
	}
	at := in.base + off
	b, err := in.d.cache.get(in.d.ctx, in.f, at/BlockSize)
	if err != nil {
		return nil, err
	}
	b = b[at%BlockSize:]
	if rest := in.n - off; int64(len(b)) > rest {
		b = b[:rest]
	}
	if len(b) >= min {
		return b, nil
	}
	out := append(make([]byte, 0, min), b...)
	for len(out) < min {
		b, err := in.d.cache.get(in.d.ctx, in.f, (at+int64(len(out)))/BlockSize)
		if err != nil {
			return nil, err
		}
		want := min - len(out)
		if want > len(b) {
			want = len(b)
		}
		out = append(out, b[:want]...)
	}
	return out, nil
}

// Slice implements store.Input.
func (in *input) Slice(off, n int64) (store.Input, error) {
	if err := in.check(off, n); err != nil {
		return nil, err
	}
	return &input{d: in.d, f: in.f, base: in.base + off, n: n}, nil
}

// errReadOnly answers whatever would write.
var errReadOnly = errors.New("a snapshot's files cannot be changed")

// Create implements store.Directory; it fails.
func (d *Directory) Create(string) (*store.Output, error) { return nil, errReadOnly }

// Remove implements store.Directory; it fails.
func (d *Directory) Remove(string) error { return errReadOnly }

// Rename implements store.Directory; it fails.
func (d *Directory) Rename(string, string) error { return errReadOnly }

// Sync implements store.Directory; it fails.
func (d *Directory) Sync([]string) error { return errReadOnly }

// SyncMetadata implements store.Directory; it fails.
func (d *Directory) SyncMetadata() error { return errReadOnly }

// Lock implements store.Directory; it fails.
func (d *Directory) Lock(string) (io.Closer, error) { return nil, errReadOnly }

// Close implements store.Directory.
func (d *Directory) Close() error { return nil }
