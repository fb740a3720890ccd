package ingest

import (
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/javavalue"
)

// config is the configuration of one processor while it is read: what was read is taken out, and what is left is unknown.
type config struct {
	typ, tag string
	o        *object
	c        *compiler
}

func (c *config) fault(property, format string, args ...any) error {
	return configError(c.typ, c.tag, property, format, args...)
}

func (c *config) missing(property string) error {
	return c.fault(property, "required property is missing")
}

func (c *config) wrongType(property, want string, v any) error {
	return c.fault(property, "property isn't %s, but of type [%s]", want, javavalue.TypeName(v))
}

// optional returns a text, or "" and false where it is missing or null.
func (c *config) optional(property string) (string, bool, error) {
	v := c.o.Remove(property)
	if v == nil {
		return "", false, nil
	}
	s, ok := v.(string)
	if !ok {
		return "", false, c.wrongType(property, "a string", v)
	}
	return s, true, nil
}

func (c *config) text(property string) (string, error) {
	s, ok, err := c.optional(property)
	if err == nil && !ok {
		err = c.missing(property)
	}
	return s, err
}

func (c *config) textOr(property, def string) (string, error) {
	s, ok, err := c.optional(property)
	if !ok {
		s = def
	}
	return s, err
}

func (c *config) flag(property string, def bool) (bool, error) {
	v := c.o.Remove(property)
	if v == nil {
		return def, nil
	}
	b, ok := v.(bool)
	if !ok {
		return false, c.wrongType(property, "a boolean", v)
	}
	return b, nil
}

// number returns an integer, also from a text, or nil.
func (c *config) number(property string) (*int32, error) {
	v := c.o.Remove(property)
	if v == nil {
		return nil, nil
	}
	n, err := strconv.ParseInt(javavalue.String(v), 10, 32)
	if err != nil {
		return nil, c.fault(property, "property cannot be converted to an int [%s]", javavalue.String(v))
	}
	i := int32(n)
	return &i, nil
}

// optionalList returns a list, or nil.
func (c *config) optionalList(property string) (*list, error) {
	v := c.o.Remove(property)
	if v == nil {
		return nil, nil
	}
	l, ok := v.(*list)
	if !ok {
		return nil, c.wrongType(property, "a list", v)
	}
	return l, nil
}

// texts returns a list of texts, or nil.
func (c *config) texts(property string) ([]string, error) {
	l, err := c.optionalList(property)
	if l == nil || err != nil {
		return nil, err
	}
	out := make([]string, len(l.Items))
	for i, v := range l.Items {
		s, ok := v.(string)
		if !ok {
			return nil, c.fault(property, "the list holds a value of type [%s] that is no string", javavalue.TypeName(v))
		}
		out[i] = s
	}
	return out, nil
}

func (c *config) requiredTexts(property string) ([]string, error) {
	if v, _ := c.o.Get(property); v == nil {
		return nil, c.missing(property)
	}
	return c.texts(property)
}

// oneOrMore returns a text or a list of texts, nil where there is neither.
func (c *config) oneOrMore(property string) ([]string, error) {
	v, _ := c.o.Get(property)
	if s, ok := v.(string); ok {
		c.o.Remove(property)
		return []string{s}, nil
	}
	return c.texts(property)
}

func (c *config) template(property string) (*template, error) {
	s, err := c.text(property)
	if err != nil {
		return nil, err
	}
	return c.compileTemplate(property, s)
}

func (c *config) optionalTemplate(property string) (*template, error) {
	s, ok, err := c.optional(property)
	if err != nil || !ok {
		return nil, err
	}
	return c.compileTemplate(property, s)
}

func (c *config) compileTemplate(property, s string) (*template, error) {
	t, err := newTemplate(s)
	if err != nil {
		return nil, describe(err, c.typ, c.tag, property)
	}
	return t, nil
}

// field reads what most processors have in common.
func (c *config) field() (field, target string, ignoreMissing bool, err error) {
	if field, err = c.text("field"); err != nil {
		return
	}
	if ignoreMissing, err = c.flag("ignore_missing", false); err != nil {
		return
	}
	target, err = c.textOr("target_field", field)
	return
}

func javaList(l []string) string { return "[" + strings.Join(l, ", ") + "]" }
