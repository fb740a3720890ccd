// Package apierr holds the errors that a user of the HTTP API sees: an OpenSearch error type, its
// reason, its HTTP status, and what it concerns.
//
// A package below the API layer returns an *Error where OpenSearch has a name for what went wrong, and
// a plain wrapped error otherwise; internal/rest renders both. An *Error is an ordinary error: it wraps
// its cause, and errors.As finds it through others.
package apierr
