//go:build unix

package cluster

import "golang.org/x/sys/unix"

// DiskSpace returns the size of the file system that holds a folder, and what is left of it for this process, in bytes; zeros
// where it cannot be told.
func DiskSpace(path string) (total, available int64) {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return 0, 0
	}
	size := s.Bsize
	return int64(s.Blocks) * size, int64(s.Bavail) * size
}
