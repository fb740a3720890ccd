package mapping

import (
	"encoding/json"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// filterSource returns what of a document's source is to be stored; nil for nothing.
func (m *Mapping) filterSource(src []byte) ([]byte, error) {
	md := &m.metadata
	switch {
	case !md.sourceEnabled:
		return nil, nil
	case len(md.includes) == 0 && len(md.excludes) == 0:
		return src, nil
	}
	v, err := xcontent.Decode(src)
	if err != nil {
		return nil, apierr.New(400, "json_parse_exception", "%s", err)
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.MapperParsing("Malformed content, must start with an object")
	}
	return FilterSource(o, md.includes, md.excludes).MarshalJSON()
}

// FilterSource keeps of a source what includes name (all, where there are none) and excludes do not.
// A pattern names a path and all below it; * stands for any characters, dots too.
func FilterSource(o *xcontent.Object, includes, excludes []string) *xcontent.Object {
	f := sourceFilter{includes, excludes}
	out, _ := f.object(o, "")
	return out
}

type sourceFilter struct{ includes, excludes []string }

// covers reports whether a pattern names a path or one above it.
func covers(pattern, path string) bool {
	for {
		if simpleMatch(pattern, path) {
			return true
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return false
		}
		path = path[:i]
	}
}

func anyCovers(patterns []string, path string) bool {
	for _, p := range patterns {
		if covers(p, path) || strings.HasSuffix(p, ".*") && covers(p, path+".") {
			return true
		}
	}
	return false
}

func (f *sourceFilter) included(path string) bool {
	return len(f.includes) == 0 || anyCovers(f.includes, path)
}

func (f *sourceFilter) object(o *xcontent.Object, prefix string) (*xcontent.Object, bool) {
	out := xcontent.Obj()
	for _, m := range o.Members {
		path := prefix + m.Key
		if anyCovers(f.excludes, path) {
			continue
		}
		if v, ok := f.value(m.Value, path); ok {
			out.Add(m.Key, v)
		}
	}
	return out, out.Len() > 0
}

func (f *sourceFilter) value(v any, path string) (any, bool) {
	included := f.included(path)
	switch x := v.(type) {
	case *xcontent.Object:
		out, some := f.object(x, path+".")
		return out, some || included
	case []any:
		out := []any{}
		for _, e := range x {
			switch e.(type) {
			case *xcontent.Object, []any:
				if k, ok := f.value(e, path); ok {
					out = append(out, k)
				}
			default:
				if included {
					out = append(out, canonical(e))
				}
			}
		}
		return out, len(out) > 0 || included
	}
	return canonical(v), included
}

// canonical prints a number as Java would after reading it.
func canonical(v any) any {
	if n, ok := v.(json.Number); ok && strings.ContainsAny(n.String(), ".eE") {
		if f, err := n.Float64(); err == nil {
			return javaNumber{f, 64}
		}
	}
	return v
}
