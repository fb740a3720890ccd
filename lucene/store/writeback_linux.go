package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteBack begins to write a range of a file out and does not wait. It is a hint: what fails shows when the file is synced.
func startWriteBack(f *os.File, off, n int64) {
	if n > 0 {
		_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
	}
}
