package mapping

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/analysis"
)

// param is one parameter of a field type: how it is read, printed and merged.
type param struct {
	name       string
	updateable bool
	nullable   bool
	deprecated string // another name under which it is accepted
	def        func(f *Field) any
	parse      func(c *parseContext, f *Field, v any) (any, error)
	show       func(v any) any             // the value as JSON
	text       func(v any) string          // the value in messages
	printed    func(f *Field, v any) bool  // instead of "differs from the default"
	mergeable  func(old, value any) bool   // instead of updateable
	valid      func(f *Field, v any) error // after parsing and merging
	hidden     bool                        // never printed
}

// explicit is a switch that remembers whether it was given.
type explicit struct {
	value bool
	given bool
}

func constant(v any) func(*Field) any { return func(*Field) any { return v } }

func (p *param) json(v any) any {
	if p.show != nil {
		return p.show(v)
	}
	return v
}

func (p *param) message(v any) string {
	if p.text != nil {
		return p.text(v)
	}
	return javaString(v)
}

// reasonOf returns the text of an error without the names of its type.
func reasonOf(err error) string {
	if e := apierr.As(err); e != nil {
		return e.Reason
	}
	return err.Error()
}

// nodeBool reads a JSON boolean, also one in quotes.
func nodeBool(v any) (bool, error) {
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		switch x {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, apierr.IllegalArgument("Failed to parse value [%s] as only [true] or [false] are allowed.", javaValue(v))
}

func namedBool(v any, name string) (bool, error) {
	b, err := nodeBool(v)
	if err != nil {
		return false, apierr.IllegalArgument("Could not convert [%s] to boolean", name).Because(err)
	}
	return b, nil
}

func nodeInt(v any) (int, error) {
	s := javaValue(v)
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return int(n), nil
	}
	if num, ok := v.(json.Number); ok {
		if f, err := num.Float64(); err == nil && f >= -1<<31 && f < 1<<31 {
			return int(f), nil
		}
	}
	return 0, numberFormat(s)
}

func nodeFloat(v any) (float64, error) { return parseJavaDouble(javaValue(v), 64) }

// javaValue prints a JSON value as Java's toString would: maps as {a=1, b=2}, lists as [1, 2].
func javaValue(v any) string {
	switch x := v.(type) {
	case *xcontent.Object:
		var b strings.Builder
		b.WriteByte('{')
		for i, m := range x.Members {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(m.Key + "=" + javaValue(m.Value))
		}
		b.WriteByte('}')
		return b.String()
	case []any:
		parts := make([]string, len(x))
		for i, e := range x {
			parts[i] = javaValue(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case json.Number:
		if s := x.String(); strings.ContainsAny(s, ".eE") {
			if f, err := x.Float64(); err == nil {
				return javaDouble(f)
			}
		}
		return x.String()
	}
	return javaString(v)
}

func boolParam(name string, updateable, def bool) *param {
	return &param{name: name, updateable: updateable, def: constant(def), parse: func(_ *parseContext, _ *Field, v any) (any, error) { return nodeBool(v) }}
}

// settingBoolParam is a switch whose default is an index setting.
func settingBoolParam(name string, def func(c *Index) bool) *param {
	return &param{name: name, updateable: true, def: func(f *Field) any { return def(f.index) },
		parse: func(_ *parseContext, _ *Field, v any) (any, error) { return nodeBool(v) }}
}

func explicitParam(name string, def func(c *Index) bool) *param {
	return &param{name: name, updateable: true,
		def: func(f *Field) any { return explicit{value: def(f.index)} },
		parse: func(_ *parseContext, _ *Field, v any) (any, error) {
			b, err := nodeBool(v)
			return explicit{b, true}, err
		},
		show: func(v any) any { return v.(explicit).value },
		text: func(v any) string { return strconv.FormatBool(v.(explicit).value) },
	}
}

func stringParam(name string, updateable bool, def any) *param {
	return &param{name: name, updateable: updateable, def: constant(def), parse: func(_ *parseContext, _ *Field, v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		return javaValue(v), nil
	}}
}

// nullString is a string that may be null.
func nullString(name string) *param {
	p := stringParam(name, false, nil)
	p.nullable = true
	return p
}

func oneOf(name string, values ...string) *param {
	p := stringParam(name, false, values[0])
	p.valid = func(_ *Field, v any) error {
		for _, w := range values {
			if v == w {
				return nil
			}
		}
		return apierr.MapperParsing("Unknown value [%v] for field [%s] - accepted values are [%s]", v, name, strings.Join(values, ", "))
	}
	return p
}

func intParam(name string, updateable bool, def int) *param {
	return &param{name: name, updateable: updateable, def: constant(def), parse: func(_ *parseContext, _ *Field, v any) (any, error) { return nodeInt(v) }}
}

// javaNumber is a floating point number that prints as Java prints it.
type javaNumber struct {
	v    float64
	bits int
}

func (n javaNumber) String() string { return javavalue.Float(n.v, n.bits) }

// MarshalJSON implements json.Marshaler.
func (n javaNumber) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

func floatParam(name string, updateable bool, def float64) *param {
	return &param{name: name, updateable: updateable, def: constant(javaNumber{def, 32}), parse: func(_ *parseContext, _ *Field, v any) (any, error) {
		f, err := parseJavaDouble(javaValue(v), 32)
		return javaNumber{f, 32}, err
	}, text: func(v any) string { return v.(javaNumber).String() }}
}

func boostParam() *param { return floatParam("boost", true, 1) }

func normsParam(def bool) *param {
	p := boolParam("norms", true, def)
	p.mergeable = func(old, value any) bool { return old == value || old == true && value == false }
	return p
}

func metaParam() *param {
	return &param{name: "meta", updateable: true, def: constant(map[string]string(nil)), parse: func(_ *parseContext, f *Field, v any) (any, error) {
		return parseMeta(f.simple, v)
	}, show: func(v any) any { return sortedStrings(v.(map[string]string)) }}
}

func sortedStrings(m map[string]string) *xcontent.Object {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	o := xcontent.Obj()
	for _, k := range keys {
		o.Add(k, m[k])
	}
	return o
}

func javaClass(v any) string {
	switch x := v.(type) {
	case bool:
		return "Boolean"
	case string:
		return "String"
	case json.Number:
		if strings.ContainsAny(x.String(), ".eE") {
			return "Double"
		}
		if n, err := x.Int64(); err == nil && n >= -1<<31 && n < 1<<31 {
			return "Integer"
		}
		return "Long"
	case []any:
		return "ArrayList"
	case *xcontent.Object:
		return "LinkedHashMap"
	}
	return "null"
}

func parseMeta(field string, v any) (any, error) {
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.MapperParsing("[meta] must be an object, got %s[%s] for field [%s]", javaClass(v), javaValue(v), field)
	}
	if o.Len() > 5 {
		return nil, apierr.MapperParsing("[meta] can't have more than 5 entries, but got %d on field [%s]", o.Len(), field)
	}
	for _, m := range o.Members {
		if utf8.RuneCountInString(m.Key) > 20 {
			return nil, apierr.MapperParsing("[meta] keys can't be longer than 20 chars, but got [%s] for field [%s]", m.Key, field)
		}
	}
	meta := map[string]string{}
	for _, m := range o.Members {
		switch s := m.Value.(type) {
		case string:
			if utf8.RuneCountInString(s) > 50 {
				return nil, apierr.MapperParsing("[meta] values can't be longer than 50 chars, but got [%s] for field [%s]", s, field)
			}
			meta[m.Key] = s
		case nil:
			return nil, apierr.MapperParsing("[meta] values can't be null (field [%s])", field)
		default:
			return nil, apierr.MapperParsing("[meta] values can only be strings, but got %s[%s] for field [%s]", javaClass(s), javaValue(s), field)
		}
	}
	if len(meta) == 0 {
		return map[string]string(nil), nil
	}
	return meta, nil
}

func similarityParam() *param {
	return &param{name: "similarity", nullable: true, def: constant(nil), parse: func(c *parseContext, f *Field, v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		name := javaValue(v)
		if name != "BM25" && name != "boolean" && !c.index.similarity(name) {
			return nil, apierr.MapperParsing("Unknown Similarity type [%s] for field [%s]", name, f.simple)
		}
		return name, nil
	}}
}

// analyzerParam names an analyzer.
func analyzerParam(name string, updateable bool, def func(f *Field) any) *param {
	return &param{name: name, updateable: updateable, def: def, parse: func(c *parseContext, _ *Field, v any) (any, error) {
		n := javaValue(v)
		if !c.index.analyzerExists(n) {
			return nil, apierr.IllegalArgument("analyzer [%s] has not been configured in mappings", n)
		}
		return n, nil
	}}
}

// get returns the value of a parameter: what was set, or the default.
func (f *Field) get(name string) any {
	if v, ok := f.set[name]; ok {
		return v
	}
	for _, p := range f.def.params {
		if p.name == name {
			return p.def(f)
		}
	}
	return nil
}

func (f *Field) bool(name string) bool {
	switch v := f.get(name).(type) {
	case bool:
		return v
	case explicit:
		return v.value
	}
	return false
}

func (f *Field) str(name string) string {
	s, _ := f.get(name).(string)
	return s
}

// configured reports whether a parameter was set to something else than its default.
func (f *Field) configured(p *param) bool {
	v, ok := f.set[p.name]
	return ok && !reflect.DeepEqual(v, p.def(f))
}

func (f *Field) renderParam(o *xcontent.Object, p *param) {
	if p.hidden {
		return
	}
	v := f.get(p.name)
	show := f.configured(p)
	if p.printed != nil {
		show = p.printed(f, v)
	}
	if show {
		o.Set(p.name, p.json(v))
	}
}

// deprecatedParams have no effect on types that do not know them, but are accepted.
var deprecatedParams = map[string]bool{"store": true, "meta": true, "boost": true, "index": true, "doc_values": true, "index_options": true, "similarity": true}

// parseParams reads the parameters of a field.
func (f *Field) parseParams(c *parseContext, node *xcontent.Object) error {
	byName := map[string]*param{}
	for _, p := range f.def.params {
		byName[p.name] = p
		if p.deprecated != "" {
			byName[p.deprecated] = p
		}
	}
	for _, m := range node.Members {
		switch m.Key {
		case "type":
			continue
		case "fields":
			if err := f.parseMulti(c, m.Value); err != nil {
				return err
			}
			continue
		case "copy_to":
			if c.multi && f.def.legacy {
				return apierr.MapperParsing("copy_to in multi fields is not allowed. Found the copy_to in field [%s] which is within a multi field.", f.simple)
			}
			f.copyTo = parseCopyTo(m.Value)
			continue
		}
		p := byName[m.Key]
		if p == nil {
			if deprecatedParams[m.Key] && !f.def.legacy {
				continue
			}
			if f.def.legacy {
				if m.Key == "similarity" || m.Key == "index_options" {
					continue
				}
				return apierr.MapperParsing("Mapping definition for [%s] has unsupported parameters:  [%s : %s]", f.simple, m.Key, javaValue(m.Value))
			}
			return apierr.MapperParsing("unknown parameter [%s] on mapper [%s] of type [%s]", m.Key, f.simple, f.def.name)
		}
		if m.Value == nil && !p.nullable {
			return apierr.MapperParsing("[%s] on mapper [%s] of type [%s] must not have a [null] value", m.Key, f.simple, f.def.name)
		}
		v, err := p.parse(c, f, m.Value)
		if err != nil {
			return err
		}
		f.set[p.name] = v
	}
	return f.validate()
}

func (f *Field) validate() error {
	for _, p := range f.def.params {
		if p.valid != nil {
			if err := p.valid(f, f.get(p.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func parseCopyTo(v any) []string {
	if list, ok := v.([]any); ok {
		var out []string
		for _, e := range list {
			out = append(out, javaValue(e))
		}
		return out
	}
	return []string{javaValue(v)}
}

// parseMulti reads the multi-fields of a field.
func (f *Field) parseMulti(c *parseContext, v any) error {
	if list, ok := v.([]any); ok && len(list) == 0 {
		return nil
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return apierr.MapperParsing("expected map for property [fields] on field [%s] or [fields] but got a class java.lang.%s", javaValue(v), javaClass(v))
	}
	inner := *c
	inner.multi = true
	inner.path = f.name
	for _, m := range o.Members {
		if strings.Contains(m.Key, ".") {
			return apierr.MapperParsing("Field name [%s] which is a multi field of [%s] cannot contain '.'", m.Key, f.simple)
		}
		node, ok := m.Value.(*xcontent.Object)
		if !ok {
			return apierr.MapperParsing("illegal field [%s], only fields can be specified inside fields", m.Key)
		}
		typ, ok := node.Get("type")
		if !ok {
			return apierr.MapperParsing("no type specified for property [%s]", m.Key)
		}
		name := javaValue(typ)
		if name == "object" || name == "nested" || name == "alias" {
			return apierr.MapperParsing("Type [%s] cannot be used in multi field", name)
		}
		def := c.index.typeDef(name, c.lenient)
		if def == nil {
			return apierr.MapperParsing("no handler for type [%s] declared on field [%s]", name, m.Key)
		}
		sub, err := newField(&inner, def, m.Key, node)
		if err != nil {
			return err
		}
		f.multi = append(f.multi, sub)
	}
	sort.Slice(f.multi, func(i, j int) bool { return f.multi[i].simple < f.multi[j].simple })
	return nil
}

// mergeField joins a new definition of a field into an old one.
func mergeField(old, update *Field) (*Field, error) {
	if old.def != update.def {
		return nil, apierr.IllegalArgument("mapper [%s] cannot be changed from type [%s] to [%s]", old.name, old.def.name, update.def.name)
	}
	if old.def.opaque {
		return mergeOpaque(old, update)
	}
	merged := *old
	merged.set = map[string]any{}
	for k, v := range old.set {
		merged.set[k] = v
	}
	var conflicts []string
	for _, p := range old.def.params {
		was, is := old.get(p.name), update.get(p.name)
		ok := p.updateable || reflect.DeepEqual(was, is)
		if p.mergeable != nil {
			ok = p.mergeable(was, is)
		}
		if !ok {
			if old.def.legacy {
				conflicts = append(conflicts, fmt.Sprintf("mapper [%s] has different [%s] values", old.name, p.name))
			} else {
				conflicts = append(conflicts, fmt.Sprintf("Cannot update parameter [%s] from [%s] to [%s]", p.name, p.message(was), p.message(is)))
			}
			continue
		}
		if old.def.legacy {
			if _, given := update.set[p.name]; !given {
				continue
			}
		}
		merged.set[p.name] = is
	}
	multi, err := mergeMulti(old.multi, update.multi)
	if err != nil {
		return nil, err
	}
	if len(conflicts) > 0 {
		if old.def.legacy {
			return nil, apierr.IllegalArgument("Mapper for [%s] conflicts with existing mapping:\n[%s]", old.name, strings.Join(conflicts, ", "))
		}
		return nil, apierr.IllegalArgument("Mapper for [%s] conflicts with existing mapper:\n\t%s", old.name, strings.Join(conflicts, "\n\t"))
	}
	merged.multi = multi
	merged.copyTo = update.copyTo
	if err := merged.validate(); err != nil {
		return nil, err
	}
	if err := merged.resolve(); err != nil {
		return nil, err
	}
	return &merged, nil
}

func mergeMulti(old, update []*Field) ([]*Field, error) {
	if len(update) == 0 {
		return old, nil
	}
	out := append([]*Field(nil), old...)
	for _, u := range update {
		found := false
		for i, o := range out {
			if o.simple == u.simple {
				m, err := mergeField(o, u)
				if err != nil {
					return nil, err
				}
				out[i] = m
				found = true
			}
		}
		if !found {
			out = append(out, u)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].simple < out[j].simple })
	return out, nil
}

// render prints a field's definition.
func (f *Field) render() *xcontent.Object {
	if f.def.opaque {
		return f.verbatim
	}
	o := xcontent.Obj("type", f.def.name)
	if f.def.render != nil {
		f.def.render(f, o)
		return o
	}
	for _, p := range f.def.params {
		f.renderParam(o, p)
	}
	f.renderMulti(o)
	f.renderCopyTo(o)
	return o
}

func (f *Field) renderNamed(o *xcontent.Object, names ...string) {
	for _, n := range names {
		for _, p := range f.def.params {
			if p.name == n {
				f.renderParam(o, p)
			}
		}
	}
}

func (f *Field) renderMulti(o *xcontent.Object) {
	if len(f.multi) == 0 {
		return
	}
	fields := xcontent.Obj()
	for _, m := range f.multi {
		fields.Add(m.simple, m.render())
	}
	o.Add("fields", fields)
}

func (f *Field) renderCopyTo(o *xcontent.Object) {
	if len(f.copyTo) == 0 {
		return
	}
	list := make([]any, len(f.copyTo))
	for i, c := range f.copyTo {
		list[i] = c
	}
	o.Add("copy_to", list)
}

// searchDefault returns the analyzer that an index defines under a reserved name, or "".
func (ix *Index) searchDefault(name string) string {
	for _, n := range ix.Analysis.Names() {
		if n == name {
			return name
		}
	}
	return ""
}

func (ix *Index) analyzerExists(name string) bool {
	return ix.Analysis.Has(name)
}

func (ix *Index) analyzer(name string) (*analysis.Analyzer, error) {
	if name == "default" {
		if a := ix.Analysis.Default(); a != nil {
			return a, nil
		}
	}
	return ix.Analysis.Analyzer(name)
}
