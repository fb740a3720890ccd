//go:build unix

package rest

import "golang.org/x/sys/unix"

// readDisk returns the size of the file system that holds a folder, and what is free and available of it, in bytes.
func readDisk(path string) (total, free, available int64) {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return 0, 0, 0
	}
	size := s.Bsize
	return int64(s.Blocks) * size, int64(s.Bfree) * size, int64(s.Bavail) * size
}
