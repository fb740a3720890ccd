package xcontent

import "strings"

// FilterSource returns the parts of a document that includes name (none: all) and excludes do not. A pattern
// stands for a path and everything below it; "*" stands for any characters, dots too.
func FilterSource(source []byte, includes, excludes []string) (any, error) {
	v, err := Decode(source)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*Object)
	if !ok {
		return v, nil
	}
	f := &sourceFilter{includes, excludes}
	return f.object(o, "", len(includes) == 0), nil
}

type sourceFilter struct{ includes, excludes []string }

// object filters one object; all says that what is not excluded stays.
func (f *sourceFilter) object(o *Object, prefix string, all bool) *Object {
	out := &Object{}
	for _, m := range o.Members {
		path := prefix + m.Key
		if f.matches(f.excludes, path) {
			continue
		}
		whole := all || f.matches(f.includes, path)
		if !whole && !f.leadsTo(path) {
			continue
		}
		if v, ok := f.value(m.Value, path, whole); ok {
			out.Add(m.Key, v)
		}
	}
	return out
}

func (f *sourceFilter) value(v any, path string, whole bool) (any, bool) {
	switch v := v.(type) {
	case *Object:
		sub := f.object(v, path+".", whole)
		return sub, whole || sub.Len() > 0
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if kept, ok := f.value(e, path, whole); ok {
				out = append(out, kept)
			}
		}
		return out, whole || len(out) > 0
	}
	return v, whole
}

// matches tells whether a pattern stands for the path, or for an object that it lies in.
func (f *sourceFilter) matches(patterns []string, path string) bool {
	for _, p := range patterns {
		if glob(p, path) {
			return true
		}
	}
	return false
}

// leadsTo tells whether something below the path may be included.
func (f *sourceFilter) leadsTo(path string) bool {
	for _, p := range f.includes {
		if strings.HasPrefix(p, path+".") {
			return true
		}
		if i := strings.IndexByte(p, '*'); i >= 0 && strings.HasPrefix(path+".", p[:min(i, len(path)+1)]) {
			return true
		}
	}
	return false
}

// glob matches a pattern in which * stands for any characters.
func glob(pattern, s string) bool {
	first, rest, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == s
	}
	if !strings.HasPrefix(s, first) {
		return false
	}
	s = s[len(first):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], after
	}
}
