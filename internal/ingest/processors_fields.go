package ingest

import (
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/settings"
)

// This file has the processors that move, set and remove fields.

// fieldAndValue reads what append and set have in common.
func (c *config) fieldAndValue() (field *template, value valueSource, err error) {
	if field, err = c.template("field"); err != nil {
		return nil, value, err
	}
	v := c.o.Remove("value")
	if v == nil {
		return nil, value, c.missing("value")
	}
	value, err = newValueSource(v)
	return field, value, err
}

func buildAppend(c *config, s *step) error {
	field, value, err := c.fieldAndValue()
	if err != nil {
		return err
	}
	duplicates, err := c.flag("allow_duplicates", true)
	if err != nil {
		return err
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		path, err := field.render(d)
		if err != nil {
			return false, err
		}
		v, err := value.value(d)
		if err != nil {
			return false, err
		}
		return true, d.add(path, v, duplicates)
	}
	return nil
}

func buildSet(c *config, s *step) error {
	field, value, err := c.fieldAndValue()
	if err != nil {
		return err
	}
	override, err := c.flag("override", true)
	if err != nil {
		return err
	}
	ignoreEmpty, err := c.flag("ignore_empty_value", false)
	if err != nil {
		return err
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		path, err := field.render(d)
		if err != nil {
			return false, err
		}
		if !override {
			there, err := d.has(path, false)
			if err != nil {
				return false, err
			}
			if there {
				old, err := d.get(path)
				if err != nil || old != nil {
					return err == nil, err
				}
			}
		}
		v, err := value.value(d)
		if err != nil {
			return false, err
		}
		if ignoreEmpty && value.text != nil && v == "" {
			return true, nil
		}
		return true, d.set(path, v)
	}
	return nil
}

func buildCopy(c *config, s *step) error {
	source, err := c.template("source_field")
	if err != nil {
		return err
	}
	target, err := c.template("target_field")
	if err != nil {
		return err
	}
	var flags [3]bool
	for i, name := range []string{"ignore_missing", "remove_source", "override_target"} {
		if flags[i], err = c.flag(name, false); err != nil {
			return err
		}
	}
	ignoreMissing, removeSource, override := flags[0], flags[1], flags[2]
	s.run = func(_ *run, d *Document) (bool, error) {
		from, there, err := present(d, source, true)
		if err != nil {
			return false, err
		}
		if !there {
			switch {
			case ignoreMissing:
				return true, nil
			case from == "":
				return false, illegalArgument("source field path cannot be null nor empty")
			}
			return false, illegalArgument("source field [%s] doesn't exist", from)
		}
		to, err := target.render(d)
		if err != nil {
			return false, err
		}
		switch to {
		case "":
			return false, illegalArgument("target field path cannot be null nor empty")
		case from:
			return false, illegalArgument("source field path and target field path cannot be same")
		}
		if !override {
			taken, err := d.has(to, true)
			if err != nil {
				return false, err
			}
			if taken {
				if old, err := d.get(to); err != nil || old != nil {
					if err == nil {
						err = illegalArgument("target field [%s] already exists", to)
					}
					return false, err
				}
			}
		}
		v, err := d.get(from)
		if err != nil {
			return false, err
		}
		if err := d.set(to, javavalue.Copy(v)); err != nil {
			return false, err
		}
		if removeSource {
			return true, d.remove(from)
		}
		return true, nil
	}
	return nil
}

// present renders the path of a field and tells whether the field is there.
func present(d *Document, field *template, strict bool) (path string, there bool, err error) {
	if path, err = field.render(d); err != nil || path == "" {
		return path, false, err
	}
	there, err = d.has(path, strict)
	return path, there, err
}

func buildRename(c *config, s *step) error {
	field, err := c.template("field")
	if err != nil {
		return err
	}
	target, err := c.template("target_field")
	if err != nil {
		return err
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	override, err := c.flag("override_target", false)
	if err != nil {
		return err
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		path, there, err := present(d, field, true)
		if err != nil {
			return false, err
		}
		if !there {
			return ignoreMissing, missingField(path, ignoreMissing)
		}
		to, err := target.render(d)
		if err != nil {
			return false, err
		}
		taken, err := d.has(to, true)
		if err != nil {
			return false, err
		}
		if taken && !override {
			return false, illegalArgument("field [%s] already exists", to)
		}
		v, err := d.get(path)
		if err != nil {
			return false, err
		}
		if err := d.remove(path); err != nil {
			return false, err
		}
		if err := d.set(to, javavalue.Copy(v)); err != nil {
			if back := d.set(path, v); back != nil {
				return false, back
			}
			return false, err
		}
		return true, nil
	}
	return nil
}

func missingField(path string, ignore bool) error {
	switch {
	case ignore:
		return nil
	case path == "":
		return illegalArgument("field path cannot be null nor empty")
	}
	return illegalArgument("field [%s] doesn't exist", path)
}

func buildRemove(c *config, s *step) error {
	fields, err := c.oneOrMore("field")
	if err != nil {
		return err
	}
	keep, err := c.oneOrMore("exclude_field")
	if err != nil {
		return err
	}
	if (fields == nil) == (keep == nil) {
		return c.fault("field", "either field or exclude_field must be set")
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	property := "field"
	if keep != nil {
		property = "exclude_field"
	}
	var paths []*template
	for _, f := range append(fields, keep...) {
		t, err := c.compileTemplate(property, f)
		if err != nil {
			return err
		}
		paths = append(paths, t)
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		if keep != nil {
			return true, keepOnly(d, paths)
		}
		for _, p := range paths {
			path, there, err := present(d, p, false)
			if err != nil {
				return false, err
			}
			if !there {
				if err := missingField(path, ignoreMissing); err != nil {
					return false, err
				}
				continue
			}
			if err := removable(d, path); err != nil {
				return false, err
			}
			if err := d.remove(path); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return nil
}

// removable refuses to remove metadata that a write needs.
func removable(d *Document, path string) error {
	switch path {
	case "_index", "_version", "_version_type":
		return illegalArgument("cannot remove metadata field [%s]", path)
	case "_id":
		if v, ok := d.Fields.Get("_version_type"); ok && v != "internal" {
			version, _ := d.Fields.Get("_version")
			return illegalArgument("cannot remove metadata field [_id] when specifying external version for the document, version: %s, version_type: %s",
				javavalue.String(version), javavalue.String(v))
		}
	}
	return nil
}

func keepOnly(d *Document, paths []*template) error {
	keep := map[string]bool{}
	for _, p := range paths {
		path, err := p.render(d)
		if err != nil {
			return err
		}
		if path != "" {
			keep[path] = true
		}
	}
	if len(keep) == 0 {
		return nil
	}
	return removeKeys(d, func(k string) bool { return !keep[k] })
}

// removeKeys removes fields of the top level; a key with dots is a path, as in OpenSearch.
func removeKeys(d *Document, drop func(string) bool) error {
	for _, k := range d.Fields.Keys() {
		if !isMetadata(k) && drop(k) {
			if err := d.remove(k); err != nil {
				return err
			}
		}
	}
	return nil
}

func buildRemoveByPattern(c *config, s *step) error {
	patterns, err := c.oneOrMore("field_pattern")
	if err != nil {
		return err
	}
	keep, err := c.oneOrMore("exclude_field_pattern")
	if err != nil {
		return err
	}
	if (patterns == nil) == (keep == nil) {
		return c.fault("field_pattern", "either field_pattern or exclude_field_pattern must be set")
	}
	property := "field_pattern"
	if keep != nil {
		property = "exclude_field_pattern"
	}
	var faults []string
	for _, p := range append(patterns, keep...) {
		if strings.Contains(p, "#") {
			faults = append(faults, property+" ["+p+"] must not contain a '#'")
		}
		if strings.Contains(p, ":") {
			faults = append(faults, property+" ["+p+"] must not contain a ':'")
		}
		if strings.HasPrefix(p, "_") {
			faults = append(faults, property+" ["+p+"] must not start with '_'")
		}
		if strings.ContainsAny(p, "\\/?\"<>| ,") {
			faults = append(faults, property+" ["+p+`] must not contain the following characters [ , ", *, \, <, |, ,, >, /, ?]`)
		}
	}
	if len(faults) > 0 {
		return c.fault(property, "%s", apierr.Validation(faults...).Reason)
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		list, wanted := patterns, true
		if keep != nil {
			list, wanted = keep, false
		}
		return true, removeKeys(d, func(k string) bool {
			return slices.ContainsFunc(list, func(p string) bool { return settings.Match(p, k) }) == wanted
		})
	}
	return nil
}

func buildDotExpander(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	switch {
	case !strings.Contains(field, "."):
		return c.fault("field", "field does not contain a dot")
	case strings.HasPrefix(field, ".") || strings.HasSuffix(field, "."):
		return c.fault("field", "Field can't start or end with a dot")
	case strings.Contains(field, ".."):
		return c.fault("field", "No space between dots")
	}
	prefix, given, err := c.optional("path")
	if err != nil {
		return err
	}
	s.description = "" // this processor's is lost in OpenSearch
	s.run = func(_ *run, d *Document) (bool, error) {
		in, path := d.Fields, field
		if given {
			path = prefix + "." + field
			var err error
			var null bool
			if in, null, err = getAs[*object](d, prefix, "java.util.Map", false); err != nil {
				return false, err
			}
			if null {
				return false, nullPointerPlain()
			}
		}
		if !in.Has(field) {
			return true, nil
		}
		there, err := d.has(path, false)
		if err != nil {
			return false, err
		}
		if there {
			return true, d.add(path, javavalue.Copy(in.Remove(field)), true)
		}
		for i := strings.IndexByte(path, '.'); i >= 0; {
			partial := path[:i]
			if ok, err := d.has(partial, false); err != nil || !ok {
				break
			}
			v, err := d.get(partial)
			if err != nil {
				return false, err
			}
			if _, ok := v.(*object); !ok {
				return false, illegalArgument("cannot expend [%s], because [%s] is not an object field, but a value field", path, partial)
			}
			next := strings.IndexByte(path[i+1:], '.')
			if next < 0 {
				break
			}
			i += 1 + next
		}
		return true, d.set(path, javavalue.Copy(in.Remove(field)))
	}
	return nil
}
