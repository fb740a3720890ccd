//go:build unix

package cluster

import "golang.org/x/sys/unix"

// DiskSpace returns the size of the file system that holds a folder, what is free of it, and what of that is left for this process,
// in bytes; zeros where it cannot be told.
func DiskSpace(path string) (total, free, available int64) {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return 0, 0, 0
	}
	size := uint64(s.Bsize) // systems differ in the types of these
	return int64(s.Blocks) * int64(size), int64(s.Bfree) * int64(size), int64(s.Bavail) * int64(size)
}
