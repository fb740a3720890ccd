package snapshotdir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
	"weak"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
)

// Directory is the files of a shard in a snapshot.
type Directory struct {
	ctx    context.Context //nolint:containedctx // a store.Directory's calls carry none
	blocks Blocks
	files  map[string]*file
	names  []string
}

// file is one Lucene file in the repository.
type file struct {
	shard *repository.Shard
	info  repository.FileInfo
	key   string // of its blocks
}

// Open reads the shard's list of files in a snapshot. ctx ends all later reads too.
func Open(ctx context.Context, shard *repository.Shard, id repository.SnapshotID, blocks Blocks) (*Directory, error) {
	snap, err := shard.Files(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := OpenFiles(ctx, shard, snap.Files, blocks, "")
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", id, err)
	}
	return d, nil
}

// OpenFiles returns the directory of files of a shard. Space tells the repository from others whose blocks go through
// the same Blocks. ctx ends all later reads.
func OpenFiles(ctx context.Context, shard *repository.Shard, files []repository.FileInfo, blocks Blocks, space string) (*Directory, error) {
	d := &Directory{ctx: ctx, blocks: blocks, files: make(map[string]*file, len(files))}
	for _, f := range files {
		if err := store.CheckName(f.PhysicalName); err != nil {
			return nil, fmt.Errorf("%s: %w", shard, err)
		}
		if f.Length < 0 || f.Virtual() && int64(len(f.MetaHash)) != f.Length {
			return nil, store.Corruptf(f.PhysicalName, -1, "%s lists it with %d bytes, of which it has %d", shard, f.Length, len(f.MetaHash))
		}
		// Before Elasticsearch 7 blobs were numbered in each shard, so a name alone is not enough.
		key := fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%d", space, shard.Path(), f.Name, f.Checksum, f.Length)
		if d.files[f.PhysicalName] == nil {
			d.names = append(d.names, f.PhysicalName)
		}
		d.files[f.PhysicalName] = &file{shard, f, key}
	}
	slices.Sort(d.names)
	return d, nil
}

// A block is asked for several times where the store fails in a way that may pass.
const (
	fetchAttempts = 5
	fetchPause    = 100 * time.Millisecond
)

// fetch reads a block from the repository.
func (f *file) fetch(ctx context.Context, block int64, b []byte) error {
	off := block * BlockSize
	for attempt := 0; ; attempt++ {
		n, err := f.shard.ReadFileAt(ctx, f.info, b, off)
		if n == len(b) {
			return f.verify(b)
		}
		if err == nil || errors.Is(err, io.EOF) {
			return store.Corruptf(f.info.PhysicalName, off+int64(n), "the repository's blob %s ends early", f.info.Name)
		}
		if attempt+1 < fetchAttempts && repository.Transient(err) {
			select {
			case <-time.After(fetchPause << attempt):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		return fmt.Errorf("read %s (blob %s) of %s: %w", f.info.PhysicalName, f.info.Name, f.shard, err)
	}
}

// verify checks the checksum of a file that is one block. Of a larger file no part can be checked alone.
func (f *file) verify(b []byte) error {
	if int64(len(b)) != f.info.Length || f.info.Checksum == "" {
		return nil
	}
	in := store.NewBytesInput(f.info.PhysicalName, b)
	sum, err := codec.ReadFooter(in)
	if err != nil {
		return err
	}
	if got := strconv.FormatUint(uint64(sum), 36); got != f.info.Checksum {
		return store.Corruptf(f.info.PhysicalName, -1, "its checksum is [%s], but the repository says [%s]", got, f.info.Checksum)
	}
	return codec.VerifyChecksum(in)
}

// read returns a block through the Blocks.
func (d *Directory) read(f *file, block int64) (*Block, error) {
	n := min(BlockSize, f.info.Length-block*BlockSize)
	return d.blocks.Block(d.ctx, Key{f.key, block}, int(n), func(ctx context.Context, p []byte) error { return f.fetch(ctx, block, p) })
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
	return &input{d: d, f: f, n: f.info.Length, last: new(atomic.Pointer[held])}, nil
}

// held is the block that an input read last: much is read from it before the next. It is the Blocks that keeps it in
// memory; inputs are too many for that.
type held struct {
	block int64
	b     weak.Pointer[Block]
}

// input is an Input over the blocks of a file, or of a part of it.
type input struct {
	d       *Directory
	f       *file
	base, n int64
	last    *atomic.Pointer[held]
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

func (in *input) block(i int64) ([]byte, error) {
	if h := in.last.Load(); h != nil && h.block == i {
		if b := h.b.Value(); b != nil {
			return b.Bytes, nil
		}
	}
	b, err := in.d.read(in.f, i)
	if err != nil {
		return nil, err
	}
	in.last.Store(&held{i, weak.Make(b)})
	return b.Bytes, nil
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
	b, err := in.block(at / BlockSize)
	if err != nil {
		return nil, err
	}
	b = b[at%BlockSize:]
	if rest := in.n - off; int64(len(b)) > rest {
		b = b[:rest]
	}
	if len(b) >= min {
		return b[:len(b):len(b)], nil
	}
	out := append(make([]byte, 0, min), b...)
	for len(out) < min {
		b, err := in.block((at + int64(len(out))) / BlockSize)
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
	return &input{d: in.d, f: in.f, base: in.base + off, n: n, last: new(atomic.Pointer[held])}, nil
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
