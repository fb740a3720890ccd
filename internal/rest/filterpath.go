package rest

import (
	"strings"

	"github.com/varve-search/varve/internal/xcontent"
)

// pathFilter is the filter_path parameter: patterns over the keys of an answer. "*" stands for any part
// of a key, "**" for any number of keys, and a pattern that starts with "-" takes away.
type pathFilter struct {
	include, exclude [][]string
}

func parsePathFilter(s string) *pathFilter {
	f := &pathFilter{}
	for p := range strings.SplitSeq(s, ",") {
		p = strings.TrimSpace(p)
		if p == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(p, "-"); ok {
			f.exclude = append(f.exclude, strings.Split(rest, "."))
		} else {
			f.include = append(f.include, strings.Split(p, "."))
		}
	}
	if f.include == nil && f.exclude == nil {
		return nil
	}
	return f
}

// apply returns what the filter leaves of v, a decoded JSON value.
func (f *pathFilter) apply(v any) any {
	if len(f.exclude) > 0 {
		v, _ = dropPaths(v, f.exclude)
	}
	if len(f.include) > 0 {
		v, _ = keepPaths(v, f.include)
	}
	if v == nil {
		return &xcontent.Object{}
	}
	return v
}

// step returns the patterns that go on below key, and whether one of them ends here.
func step(patterns [][]string, key string) (rest [][]string, ends bool) {
	for _, p := range patterns {
		if p[0] == "**" {
			rest = append(rest, p)
			if len(p) == 1 {
				ends = true
				continue
			}
			p = p[1:]
		}
		if !matchKey(p[0], key) {
			continue
		}
		if len(p) == 1 {
			ends = true
		} else {
			rest = append(rest, p[1:])
		}
	}
	return rest, ends
}

func matchKey(pattern, key string) bool {
	if pattern == "*" {
		return true
	}
	return wildcardMatch(pattern, key)
}

// wildcardMatch matches a pattern in which "*" stands for any number of characters.
func wildcardMatch(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return strings.HasSuffix(s, last)
}

func keepPaths(v any, patterns [][]string) (any, bool) {
	switch v := v.(type) {
	case *xcontent.Object:
		out := &xcontent.Object{}
		for _, m := range v.Members {
			rest, ends := step(patterns, m.Key)
			if ends {
				out.Set(m.Key, m.Value)
			} else if len(rest) > 0 {
				if sub, ok := keepPaths(m.Value, rest); ok {
					out.Set(m.Key, sub)
				}
			}
		}
		return out, len(out.Members) > 0
	case []any:
		var out []any
		for _, e := range v {
			if sub, ok := keepPaths(e, patterns); ok {
				out = append(out, sub)
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}

func dropPaths(v any, patterns [][]string) (any, bool) {
	switch v := v.(type) {
	case *xcontent.Object:
		out := &xcontent.Object{}
		for _, m := range v.Members {
			rest, ends := step(patterns, m.Key)
			if ends {
				continue
			}
			if len(rest) == 0 {
				out.Set(m.Key, m.Value)
				continue
			}
			if sub, ok := dropPaths(m.Value, rest); ok {
				out.Set(m.Key, sub)
			}
		}
		return out, len(out.Members) > 0 || len(v.Members) == 0
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if sub, ok := dropPaths(e, patterns); ok {
				out = append(out, sub)
			}
		}
		return out, len(out) > 0 || len(v) == 0
	}
	return v, true
}
