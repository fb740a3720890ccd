//go:build !unix

package store

import "os"

// flock relies on the lock within the process where the system has no flock.
func flock(*os.File) error { return nil }
