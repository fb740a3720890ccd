package mapping

import (
	"sort"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/xcontent"
)

// This file maps the fields and objects of a document that the mapping does not have yet.

// dynamicNode is a field or an object that the mapping does not have yet.
type dynamicNode struct {
	path string
	node node
}

func strictError(mode dynamicMode, o *Object, name string) error {
	return apierr.New(400, "strict_dynamic_mapping_exception", "mapping set to %s, dynamic introduction of [%s] within [%s] is not allowed", mode, name, o.shown())
}

// newObject maps a new object: by a template, or plainly.
func (d *docParser) newObject(name string, mode dynamicMode, within *Object) (node, error) {
	n, err := d.fromTemplate(name, "object", mode, within, "")
	if err != nil {
		return nil, err
	}
	if n == nil {
		n = newObject(d.full(name), name)
	}
	d.dynamics = append(d.dynamics, dynamicNode{d.full(name), n})
	return n, nil
}

// fromTemplate maps a new field by the first template that fits; nil where none does.
func (d *docParser) fromTemplate(name, jsonType string, mode dynamicMode, within *Object, format string) (node, error) {
	typ, def, ok := d.m.findTemplate(d.full(name), name, jsonType)
	if !ok {
		if mode == dynamicTemplates {
			return nil, strictError(mode, within, name)
		}
		return nil, nil
	}
	c := &parseContext{index: d.m.index, path: d.path, format: format}
	if typ != "object" && typ != "nested" && typ != "alias" && d.m.index.typeDef(typ, false) == nil {
		return nil, apierr.MapperParsing("failed to find type parsed [%s] for [%s]", typ, name)
	}
	if _, given := def.Get("type"); given {
		def.Set("type", typ)
	}
	return parseNode(c, typ, name, name, def)
}

// mode returns what an object does with unknown fields.
func (d *docParser) mode(o *Object) dynamicMode {
	for o.dynamic == dynamicUnset && o.name != "" {
		i := strings.LastIndexByte(o.name, '.')
		if i < 0 {
			o = d.m.root
			break
		}
		parent := d.m.objects[o.name[:i]]
		if parent == nil {
			return dynamicTrue
		}
		o = parent
	}
	if o.dynamic == dynamicUnset {
		o = d.m.root
	}
	if o.dynamic == dynamicUnset {
		return dynamicTrue
	}
	return o.dynamic
}

// dynamicParent goes down to the object that a dotted name's last part belongs to, and makes the objects
// that are missing. It moves d.path, which the caller restores.
func (d *docParser) dynamicParent(o *Object, parts []string) (*Object, error) {
	for _, part := range parts[:len(parts)-1] {
		full := d.full(part)
		if f := d.m.fields[full]; f != nil {
			return nil, apierr.MapperParsing("Could not dynamically add mapping for field [%s]. Existing mapping for [%s] must be of type object but found [%s].",
				strings.Join(parts, "."), full, f.def.name)
		}
		next := d.m.objects[full]
		if next == nil {
			switch mode := d.mode(o); mode {
			case dynamicStrict:
				return nil, strictError(mode, o, part)
			case dynamicFalse:
				return o, nil
			default:
				n, err := d.newObject(part, mode, o)
				if err != nil {
					return nil, err
				}
				obj, ok := n.(*Object)
				if !ok || obj.nested {
					return nil, apierr.MapperParsing("It is forbidden to create dynamic nested objects ([%s]) through `copy_to` or dots in field names", full)
				}
				next = obj
			}
		}
		d.path = full
		o = next
	}
	return o, nil
}

// dynamicValue maps a new field after its first value.
func (d *docParser) dynamicValue(o *Object, name string) error {
	mode := d.mode(o)
	switch mode {
	case dynamicStrict:
		return strictError(mode, o, name)
	case dynamicFalse:
		return nil
	}
	n, err := d.dynamicField(o, name, mode)
	if err != nil {
		return err
	}
	d.dynamics = append(d.dynamics, dynamicNode{nodeName(n), n})
	return d.into(n, name)
}

func (d *docParser) dynamicField(o *Object, name string, mode dynamicMode) (node, error) {
	p := &d.json
	try := func(jsonType, typ string, def *xcontent.Object, format string) (node, error) {
		n, err := d.fromTemplate(name, jsonType, mode, o, format)
		if err != nil || n != nil {
			return n, err
		}
		c := &parseContext{index: d.m.index, path: d.path, format: format}
		return newField(c, typeDefs[typ], name, def)
	}
	plain := xcontent.Obj()
	switch p.kind {
	case tokNumber:
		if p.isFloat() {
			return try("double", "float", plain, "")
		}
		return try("long", "long", plain, "")
	case tokTrue, tokFalse:
		return try("boolean", "boolean", plain, "")
	}
	text := string(p.text)
	_, isLong := parseJavaLong(text)
	_, notDouble := parseJavaDouble(text, 64)
	switch {
	case isLong && d.m.numericDetection.value:
		return try("long", "long", plain, "")
	case notDouble == nil && d.m.numericDetection.value:
		return try("double", "float", plain, "")
	case !isLong && notDouble != nil && d.m.dateDetection.value:
		for _, spec := range d.m.dateFormatters() {
			f, err := dateformat.Parse(spec)
			if err != nil {
				return nil, err
			}
			if _, err := f.ParseTime(text, nil); err == nil {
				return try("date", "date", plain, spec)
			}
		}
	}
	return try("string", "text", xcontent.Obj("fields", xcontent.Obj("keyword", xcontent.Obj("type", "keyword", "ignore_above", 256))), "")
}

// dynamicUpdate makes the mapping of what was new; nil where nothing was.
func (d *docParser) dynamicUpdate() (*Mapping, error) {
	if len(d.dynamics) == 0 {
		return nil, nil
	}
	sort.SliceStable(d.dynamics, func(i, j int) bool { return d.dynamics[i].path < d.dynamics[j].path })
	update := &Mapping{index: d.m.index, root: newObject("", ""), dateDetection: explicit{value: true}, metadata: defaultMetadata}
	for i, dyn := range d.dynamics {
		at := update.root
		parts := strings.Split(dyn.path, ".")
		full := ""
		for _, part := range parts[:len(parts)-1] {
			if full != "" {
				full += "."
			}
			full += part
			next, ok := at.children[part].(*Object)
			if !ok {
				if at.children[part] != nil {
					return nil, apierr.IllegalArgument("can't merge a non object mapping [%s] with an object mapping", full)
				}
				next = newObject(full, part)
				if old := d.m.objects[full]; old != nil {
					same := *old
					same.children = map[string]node{}
					next = &same
				}
				at.children[part] = next
			}
			at = next
		}
		last := parts[len(parts)-1]
		old := at.children[last]
		if old == nil {
			at.children[last] = copyNode(dyn.node)
			continue
		}
		a, b := old, dyn.node
		if i > 0 && d.dynamics[0].path != dyn.path {
			a, b = b, a // in which order OpenSearch compares them
		}
		if f, ok := a.(*Field); ok && i > 0 && d.dynamics[0].path != dyn.path {
			if _, isObject := b.(*Object); isObject {
				return nil, apierr.IllegalArgument("mapper [%s] cannot be changed from type [%s] to [ObjectMapper]", f.name, f.def.name)
			}
		}
		merged, err := mergeNode(a, b, mergeUpdate)
		if err != nil {
			return nil, err
		}
		if obj, ok := old.(*Object); ok && obj != merged {
			merged = obj
		}
		at.children[last] = merged
	}
	return update.finish()
}

// copyNode copies an object so that children can be added.
func copyNode(n node) node {
	o, ok := n.(*Object)
	if !ok {
		return n
	}
	c := *o
	c.children = make(map[string]node, len(o.children))
	for k, v := range o.children {
		c.children[k] = v
	}
	return &c
}
