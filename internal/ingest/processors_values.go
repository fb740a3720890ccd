package ingest

import (
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/varve-search/varve/internal/javavalue"
)

// This file has the processors that change the values of fields.

// conversions are the types that convert makes, by name.
var conversions = map[string]func(v any) (any, error){
	"integer": func(v any) (any, error) {
		return convertNumber(v, "integer", func(s string) (any, error) { return decodeInt(s, 32) })
	},
	"long": func(v any) (any, error) {
		return convertNumber(v, "long", func(s string) (any, error) { return decodeInt(s, 64) })
	},
	"float": func(v any) (any, error) {
		return convertNumber(v, "float", func(s string) (any, error) { return parseFloat(s, 32) })
	},
	"double": func(v any) (any, error) {
		return convertNumber(v, "double", func(s string) (any, error) { return parseFloat(s, 64) })
	},
	"boolean": convertBoolean,
	"string":  func(v any) (any, error) { return javavalue.String(v), nil },
	"ip":      convertIP,
}

func convertNumber(v any, typ string, parse func(string) (any, error)) (any, error) {
	text := javavalue.String(v)
	n, err := parse(text)
	if err != nil {
		return nil, illegalArgumentBecause(err, "unable to convert [%s] to %s", text, typ)
	}
	return n, nil
}

func convertBoolean(v any) (any, error) {
	switch text := javavalue.String(v); {
	case strings.EqualFold(text, "true"):
		return true, nil
	case strings.EqualFold(text, "false"):
		return false, nil
	default:
		return nil, illegalArgument("[%s] is not a boolean value, cannot convert to boolean", text)
	}
}

func convertIP(v any) (any, error) {
	if s, ok := v.(string); ok {
		if _, err := netip.ParseAddr(s); err == nil {
			return s, nil
		}
	}
	return nil, illegalArgument("[%s] is not a valid ipv4/ipv6 address", javavalue.String(v))
}

// convertAuto gives a text the first type that it fits.
func convertAuto(v any) (any, error) {
	if _, ok := v.(string); !ok {
		return v, nil
	}
	for _, typ := range []string{"boolean", "integer", "long", "float", "double"} {
		if out, err := conversions[typ](v); err == nil {
			return out, nil
		}
	}
	return v, nil
}

func buildConvert(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	name, err := c.text("type")
	if err != nil {
		return err
	}
	target, err := c.textOr("target_field", field)
	if err != nil {
		return err
	}
	typ := strings.ToLower(name)
	convert, ok := conversions[typ]
	if typ == "auto" {
		convert, ok = convertAuto, true
	}
	if !ok {
		return c.fault("type", "type [%s] not supported, cannot convert field.", name)
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		v, err := d.getOr(field, ignoreMissing)
		if err != nil {
			return false, err
		}
		if v == nil {
			if ignoreMissing {
				return true, nil
			}
			return false, illegalArgument("Field [%s] is null, cannot be converted to type [%s]", field, typ)
		}
		l, ok := v.(*list)
		if !ok {
			if v, err = convert(v); err != nil {
				return false, err
			}
			return true, d.set(target, v)
		}
		out := &list{Items: make([]any, len(l.Items))}
		for i, e := range l.Items {
			if e == nil {
				return false, nullPointerPlain()
			}
			if out.Items[i], err = convert(e); err != nil {
				return false, err
			}
		}
		return true, d.set(target, out)
	}
	return nil
}

func buildJoin(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	separator, err := c.text("separator")
	if err != nil {
		return err
	}
	target, err := c.textOr("target_field", field)
	if err != nil {
		return err
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		l, err := d.getList(field, false)
		if err != nil {
			return false, err
		}
		if l == nil {
			return false, illegalArgument("field [%s] is null, cannot join.", field)
		}
		parts := make([]string, len(l.Items))
		for i, e := range l.Items {
			if e == nil {
				return false, nullPointerPlain()
			}
			parts[i] = javavalue.String(e)
		}
		return true, d.set(target, strings.Join(parts, separator))
	}
	return nil
}

func buildSplit(c *config, s *step) error {
	field, target, ignoreMissing, err := c.field()
	if err != nil {
		return err
	}
	preserve, err := c.flag("preserve_trailing", false)
	if err != nil {
		return err
	}
	separator, err := c.text("separator")
	if err != nil {
		return err
	}
	p, err := compileRegex(separator, javaRegex)
	if err != nil {
		return c.fault("separator", "Invalid regex pattern. %v", err)
	}
	limit := 0
	if preserve {
		limit = -1
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		text, there, err := d.textFor("split.", field, ignoreMissing)
		if err != nil || !there {
			return err == nil, err
		}
		parts, err := p.split(text, limit)
		if err != nil {
			return false, err
		}
		l := &list{Items: make([]any, len(parts))}
		for i := range parts {
			l.Items[i] = parts[i]
		}
		return true, d.set(target, l)
	}
	return nil
}

func buildSort(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	target, err := c.textOr("target_field", field)
	if err != nil {
		return err
	}
	order, err := c.textOr("order", "asc")
	if err != nil {
		return err
	}
	if order != "asc" && order != "desc" {
		return c.fault("order", "Sort direction [%s] not recognized. Valid values are: [asc, desc]", order)
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		l, err := d.getList(field, false)
		if err != nil {
			return false, err
		}
		if l == nil {
			return false, illegalArgument("field [%s] is null, cannot sort.", field)
		}
		out := javavalue.Copy(l).(*list)
		var failed error
		slices.SortStableFunc(out.Items, func(a, b any) int {
			n, err := compareValues(a, b)
			if err != nil && failed == nil {
				failed = err
			}
			if order == "desc" {
				return -n
			}
			return n
		})
		if failed != nil {
			return false, failed
		}
		return true, d.set(target, out)
	}
	return nil
}

// compareValues orders two values of one class, as Java does.
func compareValues(a, b any) (int, error) {
	if a == nil || b == nil {
		return 0, nullPointerPlain()
	}
	mismatch := func() (int, error) {
		return 0, classCast("class %s cannot be cast to class %s", javavalue.TypeName(b), javavalue.TypeName(a))
	}
	if javavalue.TypeName(a) != javavalue.TypeName(b) {
		return mismatch()
	}
	switch a := a.(type) {
	case string:
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b.(string)))), nil
	case bool:
		switch {
		case a == b.(bool):
			return 0, nil
		case a:
			return 1, nil
		}
		return -1, nil
	case *big.Int:
		return a.Cmp(b.(*big.Int)), nil
	case *object, *list:
		return 0, classCast("class %s cannot be cast to class java.lang.Comparable", javavalue.TypeName(a))
	}
	x, okX := number(a)
	y, okY := number(b)
	if !okX || !okY {
		return mismatch()
	}
	return x.Cmp(y), nil
}

var brackets = regexp.MustCompile(`(^[(\[<"'])|([\])>"']$)`)

func buildKV(c *config, s *step) error {
	field, err := c.template("field")
	if err != nil {
		return err
	}
	target, err := c.optionalTemplate("target_field")
	if err != nil {
		return err
	}
	var splits [2]*pattern
	var sources [2]string
	for i, name := range []string{"field_split", "value_split"} {
		if sources[i], err = c.text(name); err != nil {
			return err
		}
		if splits[i], err = compileRegex(sources[i], javaRegex); err != nil {
			return c.fault(name, "Invalid regex pattern. %v", err)
		}
	}
	var trims [2]*pattern
	for i, name := range []string{"trim_key", "trim_value"} {
		chars, given, err := c.optional(name)
		if err != nil {
			return err
		}
		if given {
			if trims[i], err = compileRegex("(^(["+chars+"]+))|(["+chars+"]+$)", javaRegex); err != nil {
				return c.fault(name, "Invalid regex pattern. %v", err)
			}
		}
	}
	prefix, err := c.textOr("prefix", "")
	if err != nil {
		return err
	}
	strip, err := c.flag("strip_brackets", false)
	if err != nil {
		return err
	}
	include, err := c.texts("include_keys")
	if err != nil {
		return err
	}
	exclude, err := c.texts("exclude_keys")
	if err != nil {
		return err
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	trim := func(i int, s string) (string, error) {
		if trims[i] == nil {
			return s, nil
		}
		return trims[i].replaceAll(s, "")
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		before := prefix
		if target != nil {
			to, err := target.render(d)
			if err != nil {
				return false, err
			}
			if to != "" {
				before = to + "." + prefix
			}
		}
		path, there, err := present(d, field, true)
		if err != nil {
			return false, err
		}
		if !there {
			return ignoreMissing, missingField(path, ignoreMissing)
		}
		text, there, err := d.textFor("extract key-value pairs. ", path, ignoreMissing)
		if err != nil || !there {
			return err == nil, err
		}
		parts, err := splits[0].split(text, 0)
		if err != nil {
			return false, err
		}
		for _, part := range parts {
			kv, err := splits[1].split(part, 2)
			if err != nil {
				return false, err
			}
			if len(kv) != 2 {
				return false, illegalArgument("field [%s] does not contain value_split [%s]", path, sources[1])
			}
			key, err := trim(0, kv[0])
			if err != nil {
				return false, err
			}
			if include != nil && !slices.Contains(include, key) || slices.Contains(exclude, key) {
				continue
			}
			value := kv[1]
			if strip {
				value = brackets.ReplaceAllString(value, "")
			}
			if value, err = trim(1, value); err != nil {
				return false, err
			}
			if err := addOrSet(d, before+key, value); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return nil
}

func addOrSet(d *Document, path, value string) error {
	there, err := d.has(path, false)
	if err != nil {
		return err
	}
	if there {
		return d.add(path, value, true)
	}
	return d.set(path, value)
}
