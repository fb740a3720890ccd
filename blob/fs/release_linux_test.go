package fs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/varve-search/varve/blob"
)

// nameless counts this process's open files below a folder that have no name any more.
func nameless(t *testing.T, dir string) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && strings.HasPrefix(to, dir) && strings.HasSuffix(to, " (deleted)") {
			n++
		}
	}
	return n
}

func fill(t *testing.T, c *Container, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		name := fmt.Sprintf("blob-%03d", i)
		if err := c.Put(context.Background(), name, strings.NewReader("abc"), 3, blob.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// slowly lets nobody close a removed file until the function that it returns is called.
func slowly(t *testing.T) func() {
	t.Helper()
	releases.wait(context.Background())
	releases.mu.Lock()
	releases.workers += releasesAtOnce
	releases.mu.Unlock()
	return func() {
		for range releasesAtOnce {
			go releases.work()
		}
		releases.wait(context.Background())
	}
}

func TestSpaceIsGivenBackLater(t *testing.T) {
	ctx := context.Background()
	for _, magic := range []int64{unix.EXT4_SUPER_MAGIC, unix.NFS_SUPER_MAGIC} {
		system(t, magic, nil, "")
		c := fresh(t)
		names := fill(t, c, 100)
		begin := slowly(t)
		if err := c.DeleteBatch(ctx, append(names, "was-never-there")); err != nil {
			t.Fatal(err)
		}
		if left, err := blob.Names(ctx, c, ""); err != nil || len(left) != 0 {
			t.Fatal(left, err)
		}
		want := 0
		if magic == unix.EXT4_SUPER_MAGIC {
			want = len(names)
		}
		if n := nameless(t, c.Dir()); n != want {
			t.Errorf("%x: %d files are open without a name, not %d", magic, n, want)
		}
		begin()
		if n := nameless(t, c.Dir()); n != 0 || releases.pending != 0 || releases.bytes != 0 {
			t.Errorf("%x: %d files stay open; %d with %d bytes are counted", magic, n, releases.pending, releases.bytes)
		}
	}
}

// What has no place among the files that are kept open is removed all the same, and so is what is no usual file.
func TestNotHeld(t *testing.T) {
	ctx := context.Background()
	system(t, unix.EXT4_SUPER_MAGIC, nil, "")
	c := fresh(t)
	names := fill(t, c, 10)
	begin := slowly(t)
	was := releases.limit
	defer func() { releases.limit = was }()
	releases.limit = 4
	if err := c.DeleteBatch(ctx, names); err != nil {
		t.Fatal(err)
	}
	if left, err := blob.Names(ctx, c, ""); err != nil || len(left) != 0 || nameless(t, c.Dir()) != 4 {
		t.Fatal(left, err, nameless(t, c.Dir()))
	}
	begin()
	releases.limit = was

	begin = slowly(t)
	defer begin()
	fill(t, c, 2)
	if err := os.Link(filepath.Join(c.Dir(), "blob-000"), filepath.Join(c.Dir(), "hard")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("blob-001", filepath.Join(c.Dir(), "soft")); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(c.Dir(), "blob-001"), releasedBytes+1); err != nil { // takes no room
		t.Fatal(err)
	}
	if err := c.DeleteBatch(ctx, []string{"hard", "soft", "blob-001"}); err != nil {
		t.Fatal(err)
	}
	if left, err := blob.Names(ctx, c, ""); err != nil || len(left) != 1 || nameless(t, c.Dir()) != 0 {
		t.Fatal(left, err, nameless(t, c.Dir()))
	}
}

// A full disk has room again when a deletion has returned.
func TestRoomIsAwaited(t *testing.T) {
	ctx := context.Background()
	system(t, unix.EXT4_SUPER_MAGIC, nil, "")
	wasDir := statDir
	t.Cleanup(func() { statDir = wasDir })
	c := fresh(t)
	begin := slowly(t)
	if err := c.DeleteBatch(ctx, fill(t, c, 3)); err != nil {
		t.Fatal(err)
	}
	put := func(name string, free uint64) chan error {
		done := make(chan error, 1)
		statDir = func(_ string, st *unix.Statfs_t) error {
			st.Bavail, st.Bsize = free, 1
			return nil
		}
		go func() { done <- c.Put(ctx, name, strings.NewReader("abc"), 3, blob.PutOptions{}) }()
		return done
	}
	if err := <-put("room", 1<<40); err != nil {
		t.Fatal(err)
	}
	full := put("full", 0)
	select {
	case err := <-full:
		t.Fatal("a blob was put before there was room:", err)
	case <-time.After(50 * time.Millisecond):
	}
	begin()
	if err := <-full; err != nil {
		t.Fatal(err)
	}
}
