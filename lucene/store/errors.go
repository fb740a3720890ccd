package store

import (
	"errors"
	"fmt"
)

// CorruptError says that a file of the index holds what no writer wrote: it is damaged, truncated, or
// of another index.
type CorruptError struct {
	File    string // name of the file within its directory
	Offset  int64  // where in the file, in bytes; -1 if the problem has no one place
	Problem string
	Err     error // the cause, if another error led here
}

func (e *CorruptError) Error() string {
	s := "corrupt index file " + e.File
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at offset %d", e.Offset)
	}
	s += ": " + e.Problem
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// Corruptf makes a CorruptError. An offset of -1 means that the problem has no one place.
func Corruptf(file string, offset int64, format string, args ...any) error {
	return &CorruptError{File: file, Offset: offset, Problem: fmt.Sprintf(format, args...)}
}

// IsCorrupt tells whether err or a cause of it is a CorruptError.
func IsCorrupt(err error) bool {
	var c *CorruptError
	return errors.As(err, &c)
}

// ErrClosed is returned by what was closed before.
var ErrClosed = errors.New("already closed")

// ErrLocked says that another writer, of this process or another, holds the lock of a directory.
var ErrLocked = errors.New("the index is locked by another writer")
