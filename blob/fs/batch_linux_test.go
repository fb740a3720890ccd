package fs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/varve-search/varve/blob"
)

// system replaces the kernel's answers during a test: the type of the file system, what it says to a sync, and what is dirty. It returns
// the number of syncs.
func system(t *testing.T, magic int64, answer func(fd int) error, memInfo string) *int {
	t.Helper()
	wasSync, wasStat, wasPath := syncFS, statFS, memInfoPath
	t.Cleanup(func() { syncFS, statFS, memInfoPath = wasSync, wasStat, wasPath })
	n := 0
	syncFS = func(fd int) error {
		if fd >= 0 {
			n++
		}
		return answer(fd)
	}
	statFS = func(_ int, st *unix.Statfs_t) error {
		st.Type = magic
		return nil
	}
	memInfoPath = filepath.Join(t.TempDir(), "meminfo")
	if err := os.WriteFile(memInfoPath, []byte(memInfo), 0o600); err != nil {
		t.Fatal(err)
	}
	return &n
}

func there(fd int) error {
	if fd < 0 {
		return unix.EBADF
	}
	return nil
}

const clean = "MemTotal:       100 kB\nDirty:             12 kB\nWriteback:         0 kB\nWritebackTmp:      99 kB\n"

// putThree puts three blobs with a batch for so many.
func putThree(t *testing.T, expected int) *blob.Batch {
	t.Helper()
	c := fresh(t)
	b := blob.NewBatch(expected)
	t.Cleanup(b.Close)
	for _, name := range []string{"a", "b", "c"} {
		if err := c.Put(t.Context(), name, strings.NewReader(name), 1, blob.PutOptions{Batch: b}); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := blob.Names(t.Context(), c, ""); err != nil || len(names) != 3 {
		t.Fatal(names, err)
	}
	return b
}

// TestBatch says when one sync of the file system takes the place of those of each blob.
func TestBatch(t *testing.T) {
	for name, x := range map[string]struct {
		magic    int64
		answer   func(int) error
		memInfo  string
		expected int
		want     int
	}{
		"together":         {unix.EXT4_SUPER_MAGIC, there, clean, 100, 1},
		"xfs":              {unix.XFS_SUPER_MAGIC, there, clean, 100, 1},
		"nfs":              {unix.NFS_SUPER_MAGIC, there, clean, 100, 0},
		"fuse":             {unix.FUSE_SUPER_MAGIC, there, clean, 100, 0},
		"few":              {unix.EXT4_SUPER_MAGIC, there, "Dirty: 300 kB\nWriteback: 100 kB\n", 3, 0},
		"not so few":       {unix.EXT4_SUPER_MAGIC, there, "Dirty: 300 kB\nWriteback: 100 kB\n", 4, 1},
		"others write":     {unix.EXT4_SUPER_MAGIC, there, "Dirty: 10000000 kB\nWriteback: 0 kB\n", 5000, 0},
		"no meminfo":       {unix.EXT4_SUPER_MAGIC, there, "", 100, 0},
		"odd meminfo":      {unix.EXT4_SUPER_MAGIC, there, "Dirty: -4 kB\nWriteback: x kB\n", 100, 0},
		"no such call":     {unix.EXT4_SUPER_MAGIC, func(int) error { return unix.ENOSYS }, clean, 100, 0},
		"call not allowed": {unix.EXT4_SUPER_MAGIC, func(int) error { return unix.EPERM }, clean, 100, 0},
	} {
		t.Run(name, func(t *testing.T) {
			syncs := system(t, x.magic, x.answer, x.memInfo)
			b := putThree(t, x.expected)
			if *syncs != 0 {
				t.Fatalf("%d syncs before the flush", *syncs)
			}
			if err := b.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if *syncs != x.want {
				t.Fatalf("%d syncs, not %d", *syncs, x.want)
			}
		})
	}
}

// TestBatchFails lets the sync fail: that stands, though a second one would not tell of it any more.
func TestBatchFails(t *testing.T) {
	answer := error(unix.EIO)
	system(t, unix.EXT4_SUPER_MAGIC, func(fd int) error {
		if fd < 0 {
			return unix.EBADF
		}
		return answer
	}, clean)
	b := putThree(t, 100)
	err := b.Flush(t.Context())
	if !errors.Is(err, unix.EIO) || blob.KindOf(err) != blob.KindCorrupt {
		t.Fatal(err)
	}
	answer = nil
	if err := b.Flush(t.Context()); !errors.Is(err, unix.EIO) {
		t.Fatal(err)
	}
	answer = unix.ENOSPC
	if err := putThree(t, 100).Flush(t.Context()); blob.KindOf(err) != blob.KindNoSpace {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := putThree(t, 100).Flush(ctx); blob.KindOf(err) != blob.KindCanceled {
		t.Fatal(err)
	}
}

// TestBatchInterrupted sends a sync again that a signal ended.
func TestBatchInterrupted(t *testing.T) {
	left := 2
	syncs := system(t, unix.EXT4_SUPER_MAGIC, func(fd int) error {
		if left--; fd >= 0 && left > 0 {
			return unix.EINTR
		}
		return there(fd)
	}, clean)
	left = 4
	if err := putThree(t, 100).Flush(t.Context()); err != nil || *syncs < 2 {
		t.Fatal(*syncs, err)
	}
}

// TestBatchOfSystem goes to the kernel itself.
func TestBatchOfSystem(t *testing.T) {
	if err := putThree(t, 1<<30).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTellsErrors(t *testing.T) {
	for release, want := range map[string]bool{"5.8.0": true, "5.10.0-19-amd64": true, "6.1": true, "5.7.19": false, "4.18.0-553.el8_10.x86_64": false, "": false, "x.y": false} {
		if tellsErrors(release) != want {
			t.Errorf("%q: not %t", release, want)
		}
	}
}
