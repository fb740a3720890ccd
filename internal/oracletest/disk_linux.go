package oracletest

import (
	"fmt"
	"syscall"
	"testing"
)

// SmallDisk mounts a file system that holds so many bytes until the test ends, or skips the test where it may not.
func SmallDisk(t testing.TB, bytes int64) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("%s a test of a full disk needs the right to mount a file system: %v", SkipMark, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
