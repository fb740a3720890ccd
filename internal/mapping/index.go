package mapping

import (
	"fmt"
	"strconv"

	"github.com/varve-search/varve/lucene/analysis"
)

// Index is what the mapping needs to know of its index's settings. It is immutable.
type Index struct {
	Analysis *analysis.Registry
	// IgnoreMalformed and Coerce are index.mapping.ignore_malformed and index.mapping.coerce.
	IgnoreMalformed bool
	Coerce          bool
	// Limits, of index.mapping.*.
	TotalFieldsLimit     int64
	DepthLimit           int64
	NestedFieldsLimit    int64
	NestedObjectsLimit   int64
	FieldNameLengthLimit int64
	// Similarities are the names under index.similarity.
	Similarities map[string]bool
}

// NewIndex reads flat index settings ("index.mapping.coerce": "false", …); what is missing has
// OpenSearch's default.
func NewIndex(settings map[string]string, registry *analysis.Registry) (*Index, error) {
	ix := &Index{Analysis: registry, Similarities: map[string]bool{}}
	var err error
	flag := func(key string, def bool) bool {
		v, ok := settings[key]
		if !ok {
			return def
		}
		b, perr := strconv.ParseBool(v)
		if perr != nil && err == nil {
			err = fmt.Errorf("Failed to parse value [%s] as only [true] or [false] are allowed.", v)
		}
		return b
	}
	number := func(key string, def int64) int64 {
		v, ok := settings[key]
		if !ok {
			return def
		}
		n, perr := strconv.ParseInt(v, 10, 64)
		if perr != nil && err == nil {
			err = fmt.Errorf("Failed to parse value [%s] for setting [%s]", v, key)
		}
		return n
	}
	ix.IgnoreMalformed = flag("index.mapping.ignore_malformed", false)
	ix.Coerce = flag("index.mapping.coerce", true)
	ix.TotalFieldsLimit = number("index.mapping.total_fields.limit", 1000)
	ix.DepthLimit = number("index.mapping.depth.limit", 20)
	ix.NestedFieldsLimit = number("index.mapping.nested_fields.limit", 50)
	ix.NestedObjectsLimit = number("index.mapping.nested_objects.limit", 10000)
	ix.FieldNameLengthLimit = number("index.mapping.field_name_length.limit", 50000)
	const prefix = "index.similarity."
	for k := range settings {
		if len(k) > len(prefix) && k[:len(prefix)] == prefix {
			name := k[len(prefix):]
			for i := range len(name) {
				if name[i] == '.' {
					name = name[:i]
					break
				}
			}
			ix.Similarities[name] = true
		}
	}
	return ix, err
}

func (ix *Index) similarity(name string) bool { return ix.Similarities[name] }

func ignoreMalformedDefault(ix *Index) bool { return ix.IgnoreMalformed }

func coerceDefault(ix *Index) bool { return ix.Coerce }
