package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/varve-search/varve/blob"
)

// Why and when: docs/decisions/0015-one-sync-for-many-blobs.md

// dirtyPerBlob is how much may be waiting to be written, by anybody, for each blob that a batch expects: syncing the blobs one by
// one, which waits for them alone, takes about as long as writing so much.
const dirtyPerBlob = 128 << 10

// What tests replace.
var (
	syncFS      = unix.Syncfs
	statFS      = unix.Fstatfs
	memInfoPath = "/proc/meminfo"
)

// devices are the file systems on which a batch has blobs.
type devices struct {
	expected int

	mu   sync.Mutex
	byID map[uint64]*device
}

// device is a file system whose blobs are made durable by one sync of all of it. The folder was opened before the first of them was
// written, so that the sync tells of each error since. It is nil where each blob is synced by itself.
type device struct {
	folder *os.File
}

type devicesKey struct{}

// deferred tells whether syncing a new file, which is open and empty, is left to the batch.
func deferred(b *blob.Batch, dir string, f *os.File) bool {
	d := b.Store(devicesKey{}, func() blob.Flusher { return &devices{expected: b.Expected(), byID: map[uint64]*device{}} })
	return d.(*devices).has(dir, f)
}

func (d *devices) has(dir string, f *os.File) bool {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dev := d.byID[st.Dev]
	if dev == nil {
		dev = &device{}
		if oneSync(f, d.expected) {
			dev.folder, _ = openFile(dir, os.O_RDONLY, 0) // else each file is synced, and tells what is wrong
		}
		d.byID[st.Dev] = dev
	}
	return dev.folder != nil
}

// Flush implements blob.Flusher.
func (d *devices) Flush(ctx context.Context) error {
	d.mu.Lock()
	devs := slices.Collect(maps.Values(d.byID))
	d.mu.Unlock() // blobs may be put meanwhile
	var errs []error
	for _, dev := range devs {
		if dev.folder == nil {
			continue
		}
		err := ctx.Err()
		if err == nil {
			err = ignoringInterrupts(func() error { return syncFS(int(dev.folder.Fd())) })
		}
		if err != nil {
			errs = append(errs, &blob.Error{Op: "flush", Location: "fs:" + dev.folder.Name(), Kind: kindOf(err), Err: fmt.Errorf("sync the file system: %w", err)})
		}
	}
	return errors.Join(errs...)
}

// Close implements blob.Flusher.
func (d *devices) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dev := range d.byID {
		if dev.folder != nil {
			dev.folder.Close()
		}
	}
	clear(d.byID)
}

func ignoringInterrupts(do func() error) error {
	for {
		if err := do(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// oneSync tells whether one sync of the file system with this file is as sure as syncing each of so many blobs, and takes less time.
func oneSync(f *os.File, blobs int) bool {
	var st unix.Statfs_t
	err := ignoringInterrupts(func() error { return statFS(int(f.Fd()), &st) })
	if err != nil || !syncsWhole(int64(st.Type)) || !syncTellsErrors() { //nolint:unconvert // its width differs by architecture
		return false
	}
	if errors.Is(syncFS(-1), unix.EBADF) { // anything else: the call is not there, or not allowed
		dirty, err := dirtyBytes()
		return err == nil && dirty < int64(blobs)*dirtyPerBlob
	}
	return false
}

// syncsWhole tells of which file systems syncfs(2) is known to bring all to the disk. Of those over a network, and of what FUSE shows, it
// is not: there the kernel may have nothing to send.
func syncsWhole(magic int64) bool {
	switch uint32(magic) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// syncTellsErrors tells whether the kernel is new enough (5.8) for syncfs(2) to fail when a page could not be written before it.
var syncTellsErrors = sync.OnceValue(func() bool {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false
	}
	return tellsErrors(unix.ByteSliceToString(u.Release[:]))
})

func tellsErrors(release string) bool {
	var major, minor int
	if n, err := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 || err != nil {
		return false
	}
	return major > 5 || major == 5 && minor >= 8
}

// dirtyBytes is how much the kernel has yet to write to all disks.
func dirtyBytes() (int64, error) {
	b, err := os.ReadFile(memInfoPath)
	if err != nil {
		return 0, err
	}
	total, found := int64(0), 0
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) < 2 || string(f[0]) != "Dirty:" && string(f[0]) != "Writeback:" {
			continue
		}
		kb, err := strconv.ParseInt(string(f[1]), 10, 64)
		if err != nil || kb < 0 || kb > 1<<50 {
			return 0, fmt.Errorf("%s: %q", memInfoPath, line)
		}
		total += kb << 10
		found++
	}
	if found != 2 {
		return 0, fmt.Errorf("%s does not tell what is dirty", memInfoPath)
	}
	return total, nil
}
