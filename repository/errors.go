package repository

import (
	"errors"
	"fmt"
	"time"
)

// CorruptError says which metadata blob is damaged and how. (Damage in a Lucene file is a
// *store.CorruptError.)
type CorruptError struct {
	Blob    string // path below the repository's root
	Problem string
	Err     error
}

func (e *CorruptError) Error() string {
	s := fmt.Sprintf("corrupt repository blob [%s]: %s", e.Blob, e.Problem)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CorruptError) Unwrap() error { return e.Err }

func corrupt(blob string, err error, format string, args ...any) error {
	return &CorruptError{Blob: blob, Problem: fmt.Sprintf(format, args...), Err: err}
}

// ConcurrentModificationError says that somebody else moved the root pointer. Nothing that he wrote
// was touched; what we wrote is unreferenced.
type ConcurrentModificationError struct {
	Expected int64  // the generation that we started from; NoGeneration for an empty repository
	Found    int64  // the newest generation seen; NoGeneration when none was
	Writer   Writer // who wrote that one; empty when it does not say so
}

func (e *ConcurrentModificationError) Error() string {
	s := fmt.Sprintf("concurrent modification of the repository: expected generation [%d], found [%d]", e.Expected, e.Found)
	if e.Writer.Cluster != "" {
		s += fmt.Sprintf(", which cluster [%s] wrote at [%s]", e.Writer.Cluster, e.Writer.At.UTC().Format(time.RFC3339))
	}
	return s
}

// ReadOnlyFormatError says why a repository's format can be read but must not be written.
type ReadOnlyFormatError struct{ Reason string }

func (e *ReadOnlyFormatError) Error() string {
	return "this repository can be read but not written: " + e.Reason
}

// MissingSnapshotError says that a snapshot, or the index or shard asked for in it, is not there.
type MissingSnapshotError struct {
	Snapshot string
	Index    string // empty: the snapshot itself is missing
}

func (e *MissingSnapshotError) Error() string {
	if e.Index == "" {
		return fmt.Sprintf("snapshot [%s] is missing", e.Snapshot)
	}
	return fmt.Sprintf("index [%s] is missing in snapshot [%s]", e.Index, e.Snapshot)
}

var (
	// ErrShallow says that a shard's data is not in the repository but in a remote store: of a
	// shallow snapshot there are only references.
	ErrShallow = errors.New("shallow snapshot: the shard's data lies in the remote store")
	// ErrOperations says that a snapshot which pins a timestamp has operations that are in no file yet, only in the remote translog:
	// they have to be applied to the files. It is an ErrShallow.
	ErrOperations = fmt.Errorf("%w, and operations that its files lack in the remote translog", ErrShallow)
	// ErrSnapshotExists says that the name of a new snapshot is taken.
	ErrSnapshotExists = errors.New("a snapshot of this name exists")
)
