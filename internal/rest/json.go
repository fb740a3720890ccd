package rest

import (
	"bytes"
	"encoding/json"

	"github.com/varve-search/varve/internal/apierr"
)

// BodyObject decodes the body, which must be a JSON object or empty (nil).
func (r *Request) BodyObject() (map[string]any, error) {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(r.Body))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return nil, apierr.Parsing("the request body is not a JSON object: %v", err)
	}
	return m, nil
}
