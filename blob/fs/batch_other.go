//go:build !linux

package fs

import (
	"os"

	"github.com/varve-search/varve/blob"
)

// deferred tells whether syncing a file is left to the batch: not where no call syncs a whole file system and tells of errors.
func deferred(*blob.Batch, string, *os.File) bool { return false }
