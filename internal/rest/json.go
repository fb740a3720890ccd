package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// decode decodes the body, in which no key may stand twice and nothing may follow.
func (r *Request) decode() (any, error) {
	v, err := xcontent.DecodeStrict(r.Body)
	var twice *xcontent.DuplicateError
	if errors.As(err, &twice) {
		return nil, apierr.New(http.StatusBadRequest, "json_parse_exception", "Duplicate field '%s'\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]",
			twice.Key, twice.Line, twice.Column)
	}
	if err != nil {
		return nil, apierr.Parsing("the request body is not JSON: %v", err)
	}
	return v, nil
}

// object decodes the body, which must be a JSON object or empty (nil).
func (r *Request) object() (*xcontent.Object, error) {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil, nil
	}
	v, err := r.decode()
	if err != nil {
		return nil, err
	}
	return asObject(v)
}

func asObject(v any) (*xcontent.Object, error) {
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.Parsing("the request body is not a JSON object")
	}
	return o, nil
}

// lenientObject is object for requests whose bodies a real node reads whatever they are: what says nothing, null and an empty array (as
// some languages write an empty object), is an empty object. What says something that would mean nothing is refused.
func (r *Request) lenientObject() (*xcontent.Object, error) {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil, nil
	}
	v, err := r.decode()
	if err != nil {
		return nil, err
	}
	if list, isList := v.([]any); v == nil || isList && len(list) == 0 {
		return &xcontent.Object{}, nil
	}
	return asObject(v)
}

// BodyObject decodes the body, which must be a JSON object, null or empty (both nil), into maps. decode only judges it: the bodies are small.
func (r *Request) BodyObject() (map[string]any, error) {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil, nil
	}
	if _, err := r.decode(); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(r.Body))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, apierr.Parsing("the request body is not a JSON object: %v", err)
	}
	return m, nil
}
