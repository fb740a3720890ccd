package rest

import (
	"encoding/json"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// sourceSelection is what a request wants of the source.
type sourceSelection struct {
	given              bool
	none               bool
	includes, excludes []string
}

// sourceParams reads _source, _source_includes and _source_excludes.
func sourceParams(r *Request) *sourceSelection {
	s := &sourceSelection{}
	if r.Has("_source") {
		s.given = true
		switch v := r.Param("_source"); v {
		case "true", "":
		case "false":
			s.none = true
		default:
			s.includes = r.List("_source")
		}
	}
	if inc := append(r.List("_source_includes"), r.List("_source_include")...); len(inc) > 0 {
		s.given, s.includes = true, inc
	}
	if exc := append(r.List("_source_excludes"), r.List("_source_exclude")...); len(exc) > 0 {
		s.given, s.excludes = true, exc
	}
	return s
}

// sourceValue reads _source of a body: a boolean, a pattern, patterns, or an object of includes and excludes.
func sourceValue(v any) (*sourceSelection, error) {
	s := &sourceSelection{given: true}
	var err error
	switch v := v.(type) {
	case bool:
		s.none = !v
	case string:
		if v == "true" || v == "false" {
			s.none = v == "false"
		} else {
			s.includes = []string{v}
		}
	case []any:
		s.includes, err = names("_source", v)
	case *xcontent.Object:
		for _, m := range v.Members {
			switch m.Key {
			case "includes", "include":
				s.includes, err = names(m.Key, m.Value)
			case "excludes", "exclude":
				s.excludes, err = names(m.Key, m.Value)
			default:
				err = apierr.Parsing("Unknown key for a %s in [%s].", jsonKind(m.Value), m.Key)
			}
			if err != nil {
				return nil, err
			}
		}
	default:
		err = apierr.Parsing("Expected one of [VALUE_BOOLEAN, VALUE_STRING, START_ARRAY, START_OBJECT] but found [%s]", jsonKind(v))
	}
	return s, err
}

// wanted tells whether the request asks for the source where the answer has none by default.
func (s *sourceSelection) wanted() bool { return s.given && !s.none }

// apply returns the parts of a source that are wanted.
func (s *sourceSelection) apply(source []byte) (any, error) {
	if len(s.includes) == 0 && len(s.excludes) == 0 {
		return json.RawMessage(source), nil
	}
	return xcontent.FilterSource(source, s.includes, s.excludes)
}
