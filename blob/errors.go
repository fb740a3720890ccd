package blob

import (
	"context"
	"errors"
	"fmt"
	"sort"
)

// Kind is the closed set of reasons why a store refuses or fails.
type Kind uint8

const (
	// KindOther is any error that fits nowhere else.
	KindOther Kind = iota
	// KindNotFound: no blob of that name.
	KindNotFound
	// KindAlreadyExists: Put with IfAbsent found a blob.
	KindAlreadyExists
	// KindUnavailable: the store did not answer, or says so; the same request may succeed later.
	KindUnavailable
	// KindThrottled: the store asks to slow down.
	KindThrottled
	// KindPermission: the credentials or file permissions do not allow it.
	KindPermission
	// KindReadOnly: the container never takes writes.
	KindReadOnly
	// KindCorrupt: the store returned content that cannot be right.
	KindCorrupt
	// KindNoSpace: disk or quota is full.
	KindNoSpace
	// KindInvalidName: the name is not allowed.
	KindInvalidName
	// KindInvalid: other arguments are wrong (sizes, offsets).
	KindInvalid
	// KindUnsupported: this store cannot do that at all.
	KindUnsupported
	// KindCanceled: the context ended.
	KindCanceled
	// KindArchived: the blob lies in an archive and must be brought back before it can be read.
	KindArchived
)

var kindNames = [...]string{"other", "not_found", "already_exists", "unavailable", "throttled", "permission", "read_only",
	"corrupt", "no_space", "invalid_name", "invalid", "unsupported", "canceled", "archived"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Retryable says whether the same request may succeed when sent again later.
func (k Kind) Retryable() bool { return k == KindUnavailable || k == KindThrottled }

// Error is a failed request. Location and Name say on what, Op what, Err why.
type Error struct {
	Op       string
	Location string
	Name     string
	Kind     Kind
	Err      error
}

func (e *Error) Error() string {
	on := e.Name
	if e.Location != "" {
		on = e.Location
		if e.Name != "" {
			on += "/" + e.Name
		}
	}
	if e.Err == nil {
		return fmt.Sprintf("%s [%s]: %s", e.Op, on, e.Kind)
	}
	return fmt.Sprintf("%s [%s]: %s: %v", e.Op, on, e.Kind, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error, however deeply it is wrapped. A nil error is KindOther.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return KindCanceled
	}
	return KindOther
}

// BatchError lists the blobs that DeleteBatch could not remove.
type BatchError struct {
	Failed map[string]error
}

func (e *BatchError) Error() string {
	names := make([]string, 0, len(e.Failed))
	for n := range e.Failed {
		names = append(names, n)
	}
	sort.Strings(names)
	return fmt.Sprintf("%d blobs could not be deleted, first [%s]: %v", len(names), names[0], e.Failed[names[0]])
}

// Unwrap gives all causes, so that KindOf finds the kind of one of them.
func (e *BatchError) Unwrap() []error {
	out := make([]error, 0, len(e.Failed))
	for _, err := range e.Failed {
		out = append(out, err)
	}
	return out
}
