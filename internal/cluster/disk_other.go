//go:build !unix

package cluster

// DiskSpace returns the size of the file system that holds a folder, what is free of it, and what of that is left for this process,
// in bytes: here it cannot be told.
func DiskSpace(string) (total, free, available int64) { return 0, 0, 0 }
