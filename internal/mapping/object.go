package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// dynamicMode says what happens with fields that the mapping does not know.
type dynamicMode uint8

const (
	dynamicUnset dynamicMode = iota // as the parent has it
	dynamicTrue
	dynamicFalse
	dynamicStrict
	dynamicTemplates // strict_allow_templates
)

var dynamicNames = [...]string{"", "true", "false", "strict", "strict_allow_templates"}

func (m dynamicMode) String() string { return dynamicNames[m] }

// Object is an object of a mapping. It is immutable.
type Object struct {
	name     string // full path; "" for the root
	simple   string
	nested   bool
	inParent explicit // include_in_parent
	inRoot   explicit
	enabled  explicit
	dynamic  dynamicMode
	children map[string]node
}

// Alias is another name of a field.
type Alias struct {
	name, simple, path string
}

// node is a child of an object: *Object, *Field or *Alias.
type node interface{ isNode() }

func (*Object) isNode() {}
func (*Field) isNode()  {}
func (*Alias) isNode()  {}

// Name returns the full path of the object.
func (o *Object) Name() string { return o.name }

// Nested tells whether the object's documents are indexed apart.
func (o *Object) Nested() bool { return o.nested }

// Enabled tells whether the object's content is looked at.
func (o *Object) Enabled() bool { return o.enabled.value }

func newObject(full, simple string) *Object {
	return &Object{name: full, simple: simple, enabled: explicit{value: true}, children: map[string]node{}}
}

// shown is the path by which messages call an object.
func (o *Object) shown() string {
	if o.name == "" {
		return "_doc"
	}
	return o.name
}

// parseObject reads the definition of an object or a nested object.
func parseObject(c *parseContext, simple string, def *xcontent.Object) (*Object, error) {
	o := newObject(c.full(simple), simple)
	if t, ok := def.Get("type"); ok {
		switch name := javaValue(t); name {
		case "object":
		case "nested":
			o.nested = true
		default:
			return nil, apierr.MapperParsing("Trying to parse an object but has a different type [%s] for [%s]", name, simple)
		}
	}
	inner := *c
	inner.path = o.name
	for _, m := range def.Members {
		var err error
		switch m.Key {
		case "type":
		case "include_in_parent":
			o.inParent.value, err = namedBool(m.Value, simple+".include_in_parent")
			o.inParent.given = true
		case "include_in_root":
			o.inRoot.value, err = namedBool(m.Value, simple+".include_in_root")
			o.inRoot.given = true
		default:
			var known bool
			if known, err = o.parseCommon(&inner, m.Key, m.Value); err == nil && !known {
				err = apierr.MapperParsing("Mapping definition for [%s] has unsupported parameters:  [%s : %s]", simple, m.Key, javaValue(m.Value))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// parseCommon reads what objects and the root have in common.
func (o *Object) parseCommon(c *parseContext, key string, v any) (bool, error) {
	switch key {
	case "dynamic":
		switch text := strings.ToLower(javaValue(v)); text {
		case "strict":
			o.dynamic = dynamicStrict
		case "strict_allow_templates":
			o.dynamic = dynamicTemplates
		default:
			b, err := namedBool(v, "dynamic.dynamic")
			if err != nil {
				return true, err
			}
			o.dynamic = dynamicFalse
			if b {
				o.dynamic = dynamicTrue
			}
		}
	case "enabled":
		b, err := namedBool(v, "enabled.enabled")
		o.enabled = explicit{b, true}
		return true, err
	case "properties":
		if list, ok := v.([]any); ok && len(list) == 0 {
			return true, nil
		}
		props, ok := v.(*xcontent.Object)
		if !ok {
			return true, apierr.New(400, "parse_exception", "properties must be a map type")
		}
		return true, o.parseProperties(c, props)
	case "include_in_all":
	default:
		return false, nil
	}
	return true, nil
}

func (o *Object) parseProperties(c *parseContext, props *xcontent.Object) error {
	for _, m := range props.Members {
		def, ok := m.Value.(*xcontent.Object)
		if !ok {
			if list, ok := m.Value.([]any); ok && len(list) == 0 {
				continue
			}
			return apierr.MapperParsing("Expected map for property [fields] on field [%s] but got a class java.lang.String", m.Key)
		}
		typ := ""
		if t, ok := def.Get("type"); ok {
			typ = javaValue(t)
		} else if _, ok := def.Get("properties"); ok {
			typ = "object"
		} else if _, ok := def.Get("enabled"); ok && def.Len() == 1 {
			typ = "object"
		} else {
			return apierr.MapperParsing("No type specified for field [%s]", m.Key)
		}
		parts := splitDots(m.Key)
		if len(parts) == 0 {
			return apierr.MapperParsing("Invalid field name %s", m.Key)
		}
		// A dotted name stands for objects within each other.
		target, inner := o, *c
		for _, part := range parts[:len(parts)-1] {
			if part == "" {
				return apierr.IllegalArgument("name cannot be empty string")
			}
			next, ok := target.children[part].(*Object)
			if !ok {
				if target.children[part] != nil {
					return apierr.IllegalArgument("can't merge a non object mapping [%s] with an object mapping", inner.full(part))
				}
				next = newObject(inner.full(part), part)
				target.children[part] = next
			}
			target, inner.path = next, next.name
		}
		simple := parts[len(parts)-1]
		if simple == "" {
			return apierr.IllegalArgument("name cannot be empty string")
		}
		child, err := parseNode(&inner, typ, m.Key, simple, def)
		if err != nil {
			return err
		}
		if old := target.children[simple]; old != nil {
			if child, err = mergeNode(old, child, mergeUpdate); err != nil {
				return err
			}
		}
		target.children[simple] = child
	}
	return nil
}

// splitDots splits a name at dots as Java's split does: empty parts at the end vanish.
func splitDots(s string) []string {
	parts := strings.Split(s, ".")
	for len(parts) > 0 && parts[len(parts)-1] == "" {
		if len(parts) == 1 && s == "" {
			break
		}
		parts = parts[:len(parts)-1]
	}
	return parts
}

func parseNode(c *parseContext, typ, key, simple string, def *xcontent.Object) (node, error) {
	switch typ {
	case "object", "nested":
		return parseObject(c, simple, def)
	case "alias":
		path, ok := def.Get("path")
		if !ok || path == nil {
			return nil, apierr.MapperParsing("The [path] property must be specified for field [%s].", simple)
		}
		for _, m := range def.Members {
			if m.Key != "type" && m.Key != "path" {
				return nil, apierr.MapperParsing("Mapping definition for [%s] has unsupported parameters:  [%s : %s]", simple, m.Key, javaValue(m.Value))
			}
		}
		return &Alias{name: c.full(simple), simple: simple, path: javaValue(path)}, nil
	}
	t := c.index.typeDef(typ, c.lenient)
	if t == nil {
		return nil, apierr.MapperParsing("No handler for type [%s] declared on field [%s]", typ, key)
	}
	return newField(c, t, simple, def)
}

// mergeReason says why mappings are merged: templates may change what an index may not.
type mergeReason uint8

const (
	mergeUpdate mergeReason = iota
	mergeTemplate
)

func mergeNode(old, update node, reason mergeReason) (node, error) {
	switch o := old.(type) {
	case *Object:
		u, ok := update.(*Object)
		if !ok {
			return nil, apierr.IllegalArgument("can't merge a non object mapping [%s] with an object mapping", nodeName(update))
		}
		return mergeObject(o, u, reason)
	case *Alias:
		u, ok := update.(*Alias)
		if !ok {
			if _, isObject := update.(*Object); isObject {
				return nil, apierr.IllegalArgument("can't merge a non object mapping [%s] with an object mapping", nodeName(update))
			}
			if reason == mergeTemplate {
				return update, nil
			}
			return nil, apierr.IllegalArgument("Cannot merge a field alias mapping [%s] with a mapping that is not for a field alias.", o.name)
		}
		return u, nil
	}
	f := old.(*Field)
	switch u := update.(type) {
	case *Object:
		return nil, apierr.IllegalArgument("can't merge a non object mapping [%s] with an object mapping", u.name)
	case *Field:
		if reason == mergeTemplate {
			return u, nil
		}
		return mergeField(f, u)
	}
	if reason == mergeTemplate {
		return update, nil
	}
	return nil, apierr.IllegalArgument("mapper [%s] cannot be changed from type [%s] to [FieldAliasMapper]", f.name, f.def.name)
}

func nodeName(n node) string {
	switch x := n.(type) {
	case *Object:
		return x.name
	case *Alias:
		return x.name
	}
	return n.(*Field).name
}

// mergeObject joins a new definition of an object into an old one.
func mergeObject(old, update *Object, reason mergeReason) (*Object, error) {
	merged := *old
	if update.nested != old.nested {
		return nil, apierr.IllegalArgument("cannot change object mapping from %s", nestedChange(old.nested))
	}
	if reason == mergeTemplate {
		if update.inParent.given {
			merged.inParent = update.inParent
		}
		if update.inRoot.given {
			merged.inRoot = update.inRoot
		}
	} else {
		if old.nested && update.inParent.value != old.inParent.value {
			return nil, apierr.New(500, "mapper_exception", "the [include_in_parent] parameter can't be updated on a nested object mapping")
		}
		if old.nested && update.inRoot.value != old.inRoot.value {
			return nil, apierr.New(500, "mapper_exception", "the [include_in_root] parameter can't be updated on a nested object mapping")
		}
	}
	if update.dynamic != dynamicUnset {
		merged.dynamic = update.dynamic
	}
	if reason == mergeTemplate {
		if update.enabled.given {
			merged.enabled = update.enabled
		}
	} else if old.enabled.value != update.enabled.value {
		return nil, apierr.New(500, "mapper_exception", "the [enabled] parameter can't be updated for the object mapping [%s]", old.shown())
	}
	merged.children = make(map[string]node, len(old.children)+len(update.children))
	for k, v := range old.children {
		merged.children[k] = v
	}
	for _, k := range slices.Sorted(maps.Keys(update.children)) {
		child := update.children[k]
		if was := merged.children[k]; was != nil {
			var err error
			if child, err = mergeNode(was, child, reason); err != nil {
				return nil, err
			}
		}
		merged.children[k] = child
	}
	return &merged, nil
}

func nestedChange(wasNested bool) string {
	if wasNested {
		return "nested to non-nested"
	}
	return "non-nested to nested"
}

// render prints an object; the root prints its own members between.
func (o *Object) render(out *xcontent.Object, own func(*xcontent.Object)) {
	if o.nested {
		out.Add("type", "nested")
		if o.inParent.value {
			out.Add("include_in_parent", true)
		}
		if o.inRoot.value {
			out.Add("include_in_root", true)
		}
	} else if len(o.children) == 0 && own == nil {
		out.Add("type", "object")
	}
	if o.dynamic != dynamicUnset {
		out.Add("dynamic", o.dynamic.String())
	}
	if !o.enabled.value {
		out.Add("enabled", false)
	}
	if own != nil {
		own(out)
	}
	if len(o.children) == 0 {
		return
	}
	props := xcontent.Obj()
	for _, k := range slices.Sorted(maps.Keys(o.children)) {
		switch c := o.children[k].(type) {
		case *Object:
			child := xcontent.Obj()
			c.render(child, nil)
			props.Add(k, child)
		case *Alias:
			props.Add(k, xcontent.Obj("type", "alias", "path", c.path))
		case *Field:
			props.Add(k, c.render())
		}
	}
	out.Add("properties", props)
}
