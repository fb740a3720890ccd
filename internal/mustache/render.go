package mustache

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/javavalue"
)

// The limits of one rendering: how much it may make, and of how many parts. Sections over lists within each other multiply.
const (
	maxOutput = 100 << 20
	maxParts  = 5_000_000
)

// Render fills the template from an object.
func (t *Template) Render(model *javavalue.Object) (string, error) {
	r := &renderer{escape: t.escape, parts: new(int)}
	if err := r.nodes(t.nodes, []any{model}); err != nil {
		return "", err
	}
	return r.b.String(), nil
}

type renderer struct {
	b      strings.Builder
	escape Escape
	parts  *int // that were rendered
}

func (r *renderer) write(s string) error {
	if r.b.Len()+len(s) > maxOutput {
		return fmt.Errorf("the template makes more than %d bytes", maxOutput)
	}
	r.b.WriteString(s)
	return nil
}

func (r *renderer) nodes(list []node, scopes []any) error {
	for i := range list {
		if err := r.node(&list[i], scopes); err != nil {
			return err
		}
	}
	return nil
}

func (r *renderer) node(n *node, scopes []any) error {
	if *r.parts += len(scopes); *r.parts > maxParts { // a name is looked for in all scopes
		return fmt.Errorf("the template has more than %d parts to render", maxParts)
	}
	switch n.kind {
	case text:
		return r.write(n.text)
	case variable:
		if v, ok := lookup(scopes, n.text); ok && v != nil {
			return r.write(r.escape.apply(display(v)))
		}
	case raw:
		if v, ok := lookup(scopes, n.text); ok && v != nil {
			return r.write(display(v))
		}
	case section:
		v, _ := lookup(scopes, n.text)
		return r.section(n, v, scopes)
	case inverted:
		if v, _ := lookup(scopes, n.text); falsy(v) {
			return r.nodes(n.body, scopes)
		}
	case toJSON:
		return r.toJSON(n.text, scopes)
	case join:
		return r.join(n, scopes)
	case urlEncode:
		for i := range n.body {
			sub := &renderer{escape: r.escape, parts: r.parts}
			if err := sub.node(&n.body[i], scopes); err != nil {
				return err
			}
			if err := r.write(url.QueryEscape(sub.b.String())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *renderer) section(n *node, v any, scopes []any) error {
	if falsy(v) {
		return nil
	}
	inner := append(scopes[:len(scopes):len(scopes)], nil)
	if l, ok := v.(*javavalue.List); ok {
		for _, e := range l.Items {
			inner[len(inner)-1] = e
			if err := r.nodes(n.body, inner); err != nil {
				return err
			}
		}
		return nil
	}
	inner[len(inner)-1] = v
	return r.nodes(n.body, inner)
}

func falsy(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case *javavalue.List:
		return len(v.Items) == 0
	}
	return false
}

func (r *renderer) toJSON(name string, scopes []any) error {
	v, ok := lookup(scopes, name)
	if !ok || v == nil {
		return nil
	}
	switch v.(type) {
	case *javavalue.Object, *javavalue.List:
		var b bytes.Buffer
		if err := javavalue.Append(&b, v); err != nil {
			return err
		}
		return r.write(b.String())
	}
	return r.write(javavalue.String(v))
}

func (r *renderer) join(n *node, scopes []any) error {
	v, _ := lookup(scopes, n.text)
	l, ok := v.(*javavalue.List)
	if !ok {
		return r.nodes(n.body, scopes) // OpenSearch shows what stands between the tags
	}
	parts := make([]string, len(l.Items))
	for i, e := range l.Items {
		parts[i] = display(e)
	}
	return r.write(strings.Join(parts, n.join))
}

// lookup finds a name in the innermost scope that has its first part.
func lookup(scopes []any, name string) (any, bool) {
	if name == "." {
		return scopes[len(scopes)-1], true
	}
	if v, ok := inScopes(scopes, name); ok {
		return v, true
	}
	first, rest, dotted := strings.Cut(name, ".")
	if !dotted {
		return nil, false
	}
	v, ok := inScopes(scopes, first)
	for ok && rest != "" {
		first, rest, _ = strings.Cut(rest, ".")
		v, ok = step(v, first)
	}
	return v, ok
}

func inScopes(scopes []any, key string) (any, bool) {
	for i := len(scopes) - 1; i >= 0; i-- {
		if v, ok := step(scopes[i], key); ok {
			return v, true
		}
	}
	return nil, false
}

// step returns a member; a list has numbered ones, and a size.
func step(v any, key string) (any, bool) {
	switch v := v.(type) {
	case *javavalue.Object:
		return v.Get(key)
	case *javavalue.List:
		if key == "size" {
			return int32(len(v.Items)), true
		}
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v.Items) {
			return v.Items[i], true
		}
	}
	return nil, false
}

// display prints a value as templates do: a list is a map of its numbered members.
func display(v any) string {
	l, ok := v.(*javavalue.List)
	if !ok {
		return javavalue.String(v)
	}
	parts := make([]string, len(l.Items))
	for i, e := range l.Items {
		parts[i] = strconv.Itoa(i) + "=" + javavalue.String(e)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (e Escape) apply(s string) string {
	switch e {
	case EscapeNone:
		return s
	case EscapeURL:
		return url.QueryEscape(s)
	}
	if !strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c == '"' || c == '\\' }) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c >= 0x20:
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\f':
			b.WriteString(`\f`)
		default:
			fmt.Fprintf(&b, `\u%04X`, c)
		}
	}
	return b.String()
}
