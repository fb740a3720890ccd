package translog

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by a log that was closed.
	ErrClosed = errors.New("translog is closed")
	// ErrTrimmed is returned by Read for a location in a generation that was trimmed.
	ErrTrimmed = errors.New("translog generation was trimmed")
	// ErrNotFound is returned by Open where there is no checkpoint file.
	ErrNotFound = errors.New("no translog")
)

// CorruptError says that bytes which the log had declared to be on disk are missing or damaged.
type CorruptError struct {
	File   string // path of the damaged file
	Offset int64  // where in it, in bytes
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("translog file %s is corrupt at offset %d: %s", e.File, e.Offset, e.Reason)
}

// FailedError is returned by every operation after a write or an fsync failed. Err is that first
// failure. The shard must be closed and opened again, which recovers what was acknowledged.
type FailedError struct {
	Dir string
	Err error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("translog in %s has failed: %v", e.Dir, e.Err)
}

func (e *FailedError) Unwrap() error { return e.Err }

// UUIDMismatchError says that the folder holds a log other than the one that the commit points to.
type UUIDMismatchError struct {
	Dir, Expected, Found string
}

func (e *UUIDMismatchError) Error() string {
	return fmt.Sprintf("translog in %s has UUID %s, expected %s: it belongs to another history of the shard", e.Dir, e.Found, e.Expected)
}
