package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// SourceFilter says which part of _source a request wants. It is immutable; nil is all of it.
type SourceFilter struct {
	none               bool
	includes, excludes []*pathPattern
}

// ParseSource reads the parameter _source: a switch, a pattern, a list of patterns, or {"includes": …, "excludes": …}.
func ParseSource(raw any) (*SourceFilter, error) {
	switch x := raw.(type) {
	case nil:
		return nil, nil
	case bool:
		if x {
			return nil, nil
		}
		return &SourceFilter{none: true}, nil
	case string:
		switch x {
		case "true":
			return nil, nil
		case "false":
			return &SourceFilter{none: true}, nil
		}
		return NewSourceFilter([]string{x}, nil), nil
	case []any:
		list, err := patternList(x, "_source")
		return NewSourceFilter(list, nil), err
	case *xcontent.Object:
		var includes, excludes []string
		for _, m := range x.Members {
			var err error
			switch m.Key {
			case "includes", "include":
				includes, err = patternList(m.Value, m.Key)
			case "excludes", "exclude":
				excludes, err = patternList(m.Value, m.Key)
			default:
				if isScalar(m.Value) {
					err = apierr.Parsing("Unknown key for a %s in [%s].", describe(m.Value), m.Key)
				} else {
					err = apierr.Parsing("Unknown key for a %s in [%s].", describe(m.Value), m.Key)
				}
			}
			if err != nil {
				return nil, err
			}
		}
		return NewSourceFilter(includes, excludes), nil
	}
	return nil, apierr.Parsing("Expected one of [VALUE_BOOLEAN, START_OBJECT] but found [%s]", describe(raw))
}

func patternList(v any, key string) ([]string, error) {
	switch x := v.(type) {
	case string:
		return []string{x}, nil
	case []any:
		var out []string
		for _, e := range x {
			s, ok := e.(string)
			if !ok {
				return nil, apierr.Parsing("Unknown key for a %s in [%s].", describe(e), key)
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, apierr.Parsing("Unknown key for a %s in [%s].", describe(v), key)
}

// NewSourceFilter returns a filter of patterns such as those of _source_includes and _source_excludes; nil where both
// are empty.
func NewSourceFilter(includes, excludes []string) *SourceFilter {
	if len(includes) == 0 && len(excludes) == 0 {
		return nil
	}
	f := &SourceFilter{}
	for _, p := range includes {
		f.includes = append(f.includes, newPathPattern(p))
	}
	for _, p := range excludes {
		f.excludes = append(f.excludes, newPathPattern(p))
	}
	return f
}

// NoSource is the filter that leaves _source out.
func NoSource() *SourceFilter { return &SourceFilter{none: true} }

// Wanted tells whether _source is shown at all.
func (f *SourceFilter) Wanted() bool { return f == nil || !f.none }

// Apply returns what the filter leaves of a document's JSON: keys in their order and numbers as they were written.
// Without a filter that is the document itself.
func (f *SourceFilter) Apply(source []byte) ([]byte, error) {
	if f == nil {
		return source, nil
	}
	dec := json.NewDecoder(bytes.NewReader(source))
	dec.UseNumber()
	w := &sourceWriter{f: f, dec: dec}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if tok != json.Delim('{') {
		return source, nil
	}
	w.out.WriteByte('{')
	if _, err := w.object("", len(f.includes) == 0); err != nil {
		return nil, err
	}
	w.out.WriteByte('}')
	return w.out.Bytes(), nil
}

// sourceWriter copies the wanted part of a document.
type sourceWriter struct {
	f     *SourceFilter
	dec   *json.Decoder
	out   bytes.Buffer
	depth int
}

// decide tells about a path whether it is wanted whole, whether something below it may be, or neither.
func (w *sourceWriter) decide(path string, included bool) (whole, below bool) {
	for _, p := range w.f.excludes {
		if p.covers(path) {
			return false, false
		}
	}
	if included {
		return true, true
	}
	for _, p := range w.f.includes {
		if p.covers(path) {
			return true, true
		}
		below = below || p.reaches(path)
	}
	return false, below
}

// object copies the members of an object that was opened, and tells whether there were any.
func (w *sourceWriter) object(path string, included bool) (any bool, err error) {
	for w.dec.More() {
		tok, err := w.dec.Token()
		if err != nil {
			return any, err
		}
		key := tok.(string)
		full := key
		if path != "" {
			full = path + "." + key
		}
		whole, below := w.decide(full, included)
		mark := w.out.Len()
		if any {
			w.out.WriteByte(',')
		}
		if err := xcontent.Append(&w.out, key); err != nil {
			return any, err
		}
		w.out.WriteByte(':')
		wrote, err := w.value(full, whole, below)
		if err != nil {
			return any, err
		}
		if wrote {
			any = true
		} else {
			w.out.Truncate(mark)
		}
	}
	_, err = w.dec.Token()
	return any, err
}

// value copies one value, if it is wanted. Objects and lists that lie on the way to something wanted are kept, even
// empty ones.
func (w *sourceWriter) value(path string, whole, below bool) (bool, error) {
	tok, err := w.dec.Token()
	if err != nil {
		return false, err
	}
	if !whole && !below {
		return false, w.skip(tok)
	}
	if w.depth++; w.depth > xcontent.MaxDepth { // no server takes such a document, but what is restored may hold one
		return false, fmt.Errorf("the document is nested more than %d deep", xcontent.MaxDepth)
	}
	defer func() { w.depth-- }()
	switch tok {
	case json.Delim('{'):
		w.out.WriteByte('{')
		any, err := w.object(path, whole)
		w.out.WriteByte('}')
		return any || whole, err
	case json.Delim('['):
		w.out.WriteByte('[')
		any := false
		for w.dec.More() {
			mark := w.out.Len()
			if any {
				w.out.WriteByte(',')
			}
			wrote, err := w.value(path, whole, below)
			if err != nil {
				return any, err
			}
			if wrote {
				any = true
			} else {
				w.out.Truncate(mark)
			}
		}
		_, err := w.dec.Token()
		w.out.WriteByte(']')
		return any || whole, err
	}
	if !whole {
		return false, nil
	}
	return true, xcontent.Append(&w.out, tok)
}

// skip passes over the value that tok begins.
func (w *sourceWriter) skip(tok json.Token) error {
	depth := 0
	for {
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		var err error
		if tok, err = w.dec.Token(); err != nil {
			return err
		}
	}
}

// pathPattern is a path with *, which stands for any text, dots too. It covers the paths it matches and all below.
type pathPattern struct{ parts []string }

func newPathPattern(s string) *pathPattern { return &pathPattern{strings.Split(s, "*")} }

// covers tells whether path, or an object around it, matches.
func (p *pathPattern) covers(path string) bool {
	for i := 0; i <= len(path); i++ {
		if (i == len(path) || path[i] == '.') && p.match(path[:i]) {
			return true
		}
	}
	return false
}

func (p *pathPattern) match(path string) bool {
	if len(p.parts) == 1 {
		return path == p.parts[0]
	}
	rest, ok := strings.CutPrefix(path, p.parts[0])
	if !ok {
		return false
	}
	for _, part := range p.parts[1 : len(p.parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, p.parts[len(p.parts)-1])
}

// reaches tells whether something below path may match.
func (p *pathPattern) reaches(path string) bool {
	prefix := path + "."
	first := p.parts[0]
	if len(p.parts) == 1 || len(first) >= len(prefix) {
		return strings.HasPrefix(first, prefix)
	}
	return strings.HasPrefix(prefix, first)
}
