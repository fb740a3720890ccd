package apierr

import (
	"errors"
	"fmt"
	"net/http"
)

// KV is one detail of an error, such as the index it concerns.
type KV struct {
	Key   string
	Value any
}

// Error is an error as OpenSearch names it.
type Error struct {
	Type   string // such as index_not_found_exception
	Reason string
	Status int
	Meta   []KV  // rendered between reason and cause, in this order
	Cause  error // rendered as caused_by, and wrapped
	// RootCauses, if set, is rendered as root_cause instead of what the chain of causes gives.
	RootCauses []error
}

func (e *Error) Error() string {
	s := e.Type + ": " + e.Reason
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// With adds a detail and returns e.
func (e *Error) With(key string, value any) *Error {
	e.Meta = append(e.Meta, KV{key, value})
	return e
}

// Because sets the cause and returns e.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Get returns the detail of that key, or nil.
func (e *Error) Get(key string) any {
	for _, kv := range e.Meta {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

// New makes an error of any type.
func New(status int, typ, format string, args ...any) *Error {
	return &Error{Type: typ, Status: status, Reason: fmt.Sprintf(format, args...)}
}

// As returns the *Error in the chain of err, or nil.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// Is tells whether the chain of err holds an *Error of that type.
func Is(err error, typ string) bool {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return false
		}
		if e.Type == typ {
			return true
		}
		err = e.Cause
	}
	return false
}

// IllegalArgument is a request that can never be right: 400.
func IllegalArgument(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "illegal_argument_exception", format, args...)
}

// Validation is a request with one or more faults: 400, "Validation Failed: 1: …;2: …;".
func Validation(faults ...string) *Error {
	s := "Validation Failed: "
	for i, f := range faults {
		s += fmt.Sprintf("%d: %s;", i+1, f)
	}
	return New(http.StatusBadRequest, "action_request_validation_exception", "%s", s)
}

// Parsing is a body that cannot be understood: 400.
func Parsing(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "parsing_exception", format, args...)
}

// XContentParse is a body whose JSON has an unknown or wrong field: 400.
func XContentParse(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "x_content_parse_exception", format, args...)
}

// MapperParsing is a document or a mapping that does not fit: 400.
func MapperParsing(format string, args ...any) *Error {
	return New(http.StatusBadRequest, "mapper_parsing_exception", format, args...)
}

// IndexNotFound is an index (or alias, or pattern) that is not there: 404.
func IndexNotFound(name string) *Error {
	return New(http.StatusNotFound, "index_not_found_exception", "no such index [%s]", name).
		With("index", name).With("resource.id", name).With("resource.type", "index_or_alias").With("index_uuid", "_na_")
}

// IndexClosed is an index that is closed: 400.
func IndexClosed(name, uuid string) *Error {
	return New(http.StatusBadRequest, "index_closed_exception", "closed").With("index", name).With("index_uuid", uuid)
}

// ResourceExists is something that is there already: 400.
func ResourceExists(name, uuid string) *Error {
	return New(http.StatusBadRequest, "resource_already_exists_exception", "index [%s/%s] already exists", name, uuid).
		With("index", name).With("index_uuid", uuid)
}

// InvalidIndexName is a name that no index may have: 400.
func InvalidIndexName(name, why string) *Error {
	return New(http.StatusBadRequest, "invalid_index_name_exception", "Invalid index name [%s], %s", name, why).
		With("index", name).With("index_uuid", "_na_")
}

// RepositoryMissing is a repository that is not registered: 404.
func RepositoryMissing(name string) *Error {
	return New(http.StatusNotFound, "repository_missing_exception", "[%s] missing", name)
}

// SnapshotMissing is a snapshot that its repository does not hold: 404.
func SnapshotMissing(repo, snapshot string) *Error {
	return New(http.StatusNotFound, "snapshot_missing_exception", "[%s:%s] is missing", repo, snapshot)
}

// NotImplemented is an API or an option that this server does not have: 501.
func NotImplemented(format string, args ...any) *Error {
	return New(http.StatusNotImplemented, "not_implemented_exception", format, args...)
}

// StatusOf returns the HTTP status that err is answered with.
func StatusOf(err error) int {
	if e := As(err); e != nil && e.Status != 0 {
		return e.Status
	}
	return http.StatusInternalServerError
}
