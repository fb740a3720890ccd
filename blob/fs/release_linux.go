package fs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Why and when: docs/decisions/0019-space-of-removed-blobs.md

// statDir is unix.Statfs, but in tests.
var statDir = unix.Statfs

const (
	releasesAtOnce  = 2
	releasesPending = 16384     // files without a name that this process keeps open at most
	releasedBytes   = 256 << 20 // that they have at most
)

// releases are the removed files that are kept open, so that the kernel gives back their space behind the removal and not in it.
var releases releaseQueue

type releaseQueue struct {
	mu      sync.Mutex
	limit   int // of pending; 0 until the first
	files   []removed
	pending int           // files, those that are about to be removed, and those that are being closed
	bytes   int64         // of them
	workers int           // end when there is nothing to close
	empty   chan struct{} // closed when pending is 0; nil where nobody waits
}

// removed is an open file without a name.
type removed struct {
	fd   int
	size int64
}

// hold keeps a regular file on ext4 open until its name is gone. The function that it returns lets go of it: later where the name is
// gone, at once else. It is nil where removing a file costs the same either way, or is better not delayed.
func hold(path string) func(gone bool) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // what is wrong with it, the removal tells
	}
	var st unix.Stat_t
	var sys unix.Statfs_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 ||
		statFS(fd, &sys) != nil || uint32(sys.Type) != unix.EXT4_SUPER_MAGIC || !releases.reserve(st.Size) {
		_ = unix.Close(fd)
		return nil
	}
	return func(gone bool) {
		if gone {
			releases.put(removed{fd, st.Size})
			return
		}
		_ = unix.Close(fd)
		releases.done(st.Size)
	}
}

// reserve tells whether there is a place for a file, and keeps it.
func (q *releaseQueue) reserve(size int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.limit == 0 {
		q.limit = releasesPending
		var r unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err == nil {
			q.limit = int(min(uint64(q.limit), r.Cur/2))
		}
	}
	if q.pending >= q.limit || q.bytes+size > releasedBytes {
		return false
	}
	q.pending++
	q.bytes += size
	return true
}

// put takes a file for which there is a place.
func (q *releaseQueue) put(f removed) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.files = append(q.files, f)
	if q.workers < releasesAtOnce {
		q.workers++
		go q.work()
	}
}

// done gives a place back.
func (q *releaseQueue) done(size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending--
	q.bytes -= size
	if q.pending == 0 && q.empty != nil {
		close(q.empty)
		q.empty = nil
	}
}

func (q *releaseQueue) next() (removed, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.files) - 1
	if n < 0 {
		q.workers--
		return removed{}, false
	}
	f := q.files[n]
	q.files = q.files[:n]
	return f, true
}

func (q *releaseQueue) work() {
	for f, ok := q.next(); ok; f, ok = q.next() {
		_ = unix.Close(f.fd)
		q.done(f.size)
	}
}

// wait returns when the space of all removed files has been given back.
func (q *releaseQueue) wait(ctx context.Context) {
	q.mu.Lock()
	if q.pending == 0 {
		q.mu.Unlock()
		return
	}
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	empty := q.empty
	q.mu.Unlock()
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

// awaitRoom waits for the space of removed files where a disk has little else.
func awaitRoom(ctx context.Context, dir string, size int64) {
	releases.mu.Lock()
	pending := releases.pending
	releases.mu.Unlock()
	if pending == 0 {
		return
	}
	var sys unix.Statfs_t
	for errors.Is(statDir(dir, &sys), unix.ENOENT) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	if int64(sys.Bavail)*int64(sys.Bsize) < size+releasedBytes { //nolint:unconvert // their widths differ by system
		releases.wait(ctx)
	}
}

// removeFile is os.Remove; the space of what it removes may be given back a little later.
func removeFile(path string) error {
	release := hold(path)
	err := os.Remove(path)
	if release != nil {
		release(err == nil)
	}
	return err
}
