package ingest

import (
	"errors"
	"net/http"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

func illegalArgument(format string, args ...any) error {
	return apierr.IllegalArgument(format, args...)
}

func illegalState(format string, args ...any) error {
	return apierr.New(http.StatusInternalServerError, "illegal_state_exception", format, args...)
}

func classCast(format string, args ...any) error {
	return apierr.New(http.StatusInternalServerError, "class_cast_exception", format, args...)
}

func numberFormat(s string) error { return numberFormatReason(`For input string: "` + s + `"`) }

// BadJSON is the error of a document or a pipeline that is no JSON object.
func BadJSON(cause error) error {
	return apierr.New(http.StatusBadRequest, "parse_exception", "Failed to parse content to map").
		Because(apierr.New(http.StatusBadRequest, "json_parse_exception", "%v", cause))
}

// javaClass is the class of the errors whose class shows in texts.
var javaClass = map[string]string{"illegal_argument_exception": "java.lang.IllegalArgumentException", "illegal_state_exception": "java.lang.IllegalStateException",
	"class_cast_exception": "java.lang.ClassCastException", "number_format_exception": "java.lang.NumberFormatException", "null_pointer_exception": "java.lang.NullPointerException",
	"pattern_parse": "org.opensearch.dissect.DissectException$PatternParse", "key_parse": "org.opensearch.dissect.DissectException$KeyParse"}

// configError is a fault of a pipeline's configuration.
func configError(typ, tag, property, format string, args ...any) *apierr.Error {
	if property != "" {
		format = "[" + property + "] " + format
	}
	return describe(apierr.New(http.StatusBadRequest, "parse_exception", format, args...), typ, tag, property)
}

// describe notes which processor an error concerns.
func describe(e *apierr.Error, typ, tag, property string) *apierr.Error {
	for _, kv := range []apierr.KV{{Key: "processor_type", Value: typ}, {Key: "processor_tag", Value: tag}, {Key: "property_name", Value: property}} {
		if kv.Value == "" {
			continue
		}
		set := false
		for i := range e.Meta {
			if e.Meta[i].Key == kv.Key {
				e.Meta[i].Value, set = kv.Value, true
			}
		}
		if !set {
			e.Meta = append(e.Meta, kv)
		}
	}
	return e
}

// processorError makes any error one that names its processor: errors that are none of OpenSearch's own are wrapped.
func processorError(err error, typ, tag string) *apierr.Error {
	e := apierr.As(err)
	if e == nil {
		e = apierr.IllegalArgument("%v", err)
	}
	if class := javaClass[e.Type]; class != "" {
		e = apierr.New(http.StatusInternalServerError, "exception", "%s: %s", class, e.Reason).Because(e)
	}
	return describe(e, typ, tag, "")
}

// suppress adds errors that came after the first.
func suppress(first error, later []error) error {
	e := apierr.As(first)
	if e == nil || len(later) == 0 {
		return first
	}
	var list []any
	for _, l := range later {
		if s := apierr.As(l); s != nil {
			o := xcontent.Obj("type", s.Type, "reason", s.Reason)
			for _, kv := range s.Meta {
				o.Set(kv.Key, kv.Value)
			}
			list = append(list, o)
		}
	}
	return e.With("suppressed", list)
}

// deepest is the message of the error that all began with.
func deepest(err error) string {
	for {
		e := apierr.As(err)
		if e == nil {
			return err.Error()
		}
		if e.Cause == nil {
			return e.Reason
		}
		err = e.Cause
	}
}

// failure is an error with the processor that failed.
type failure struct {
	err      error
	typ, tag string
	origin   []string // the pipelines that were at work, the innermost first, where there were several
}

func (f *failure) Error() string { return f.err.Error() }

func (f *failure) Unwrap() error { return f.err }

func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return nil
}

func illegalArgumentBecause(cause error, format string, args ...any) error {
	return apierr.IllegalArgument(format, args...).Because(cause)
}

// arrayBounds is what a path of nothing but dots leads to.
func arrayBounds() error {
	return apierr.New(http.StatusInternalServerError, "array_index_out_of_bounds_exception", "Index -1 out of bounds for length 0")
}

// escaped is an error that passes by everything that handles failures, as some do in OpenSearch.
type escaped struct{ error }

func (e escaped) Unwrap() error { return e.error }

// Escaped tells whether an error ends a simulation as a whole.
func Escaped(err error) bool {
	var e escaped
	return errors.As(err, &e)
}

func isCycle(err error) bool {
	e := apierr.As(err)
	return e != nil && e.Type == "illegal_state_exception" && strings.HasPrefix(e.Reason, cycle)
}

func outOfGroups(n int) error {
	return apierr.New(http.StatusInternalServerError, "index_out_of_bounds_exception", "No group %d", n)
}

func numberFormatReason(reason string) error {
	return apierr.New(http.StatusBadRequest, "number_format_exception", "%s", reason)
}

func nullPointerPlain() error {
	return apierr.New(http.StatusInternalServerError, "null_pointer_exception", "a value of the list is null")
}
