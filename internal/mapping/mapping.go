package mapping

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/analysis"
)

// Mapping is the mapping of an index. It is immutable and safe for concurrent use.
type Mapping struct {
	index *Index
	root  *Object

	dateFormats      []string // dynamic_date_formats; used only with dateFormatsGiven
	dateFormatsGiven bool
	templates        []*dynamicTemplate
	templatesGiven   bool
	dateDetection    explicit
	numericDetection explicit
	meta             *xcontent.Object // _meta
	metadata         metadata

	// Look-up tables over the tree.
	fields  map[string]*Field  // by full name, multi-fields and sub-fields too
	objects map[string]*Object // without the root
	aliases map[string]*Alias
	nested  bool
}

// ParseOptions say how a mapping is read.
type ParseOptions struct {
	// Lenient keeps field types that are not known: of an index that exists already.
	Lenient bool
}

// Parse reads a mapping: the object that stands under "mappings", with or without "_doc" around it.
func Parse(index *Index, def *xcontent.Object, opts ParseOptions) (*Mapping, error) {
	m, err := parse(index, def, opts)
	if err != nil {
		reason := err.Error()
		if e := apierr.As(err); e != nil {
			reason = e.Reason
		}
		return nil, apierr.MapperParsing("Failed to parse mapping [_doc]: %s", reason).Because(err)
	}
	return m, nil
}

// ParseJSON is Parse for JSON text; empty text is an empty mapping.
func ParseJSON(index *Index, source []byte, opts ParseOptions) (*Mapping, error) {
	if len(source) == 0 {
		return Parse(index, xcontent.Obj(), opts)
	}
	v, err := xcontent.Decode(source)
	if err != nil {
		return nil, apierr.MapperParsing("failed to parse mapping definition").Because(err)
	}
	o, ok := v.(*xcontent.Object)
	if !ok {
		return nil, apierr.MapperParsing("failed to parse mapping definition")
	}
	return Parse(index, o, opts)
}

func parse(index *Index, def *xcontent.Object, opts ParseOptions) (*Mapping, error) {
	if def.Len() == 1 && def.Members[0].Key == "_doc" {
		inner, ok := def.Members[0].Value.(*xcontent.Object)
		if !ok {
			return nil, apierr.MapperParsing("Root mapping definition has unsupported parameters:  [_doc : %s]", javaValue(def.Members[0].Value))
		}
		def = inner
	}
	m := &Mapping{index: index, root: newObject("", ""), dateDetection: explicit{value: true}, metadata: defaultMetadata}
	c := &parseContext{index: index, lenient: opts.Lenient}
	var left []string
	for _, e := range def.Members {
		known, err := m.root.parseCommon(c, e.Key, e.Value)
		if err == nil && !known {
			known, err = m.parseRoot(c, e.Key, e.Value)
		}
		if err == nil && !known {
			known, err = m.metadata.parse(e.Key, e.Value, opts.Lenient)
		}
		if err != nil {
			return nil, err
		}
		if !known {
			left = append(left, " ["+e.Key+" : "+javaValue(e.Value)+"]")
		}
	}
	if len(left) > 0 {
		return nil, apierr.MapperParsing("Root mapping definition has unsupported parameters: %s", strings.Join(left, ""))
	}
	return m.finish()
}

// parseRoot reads what only the root has.
func (m *Mapping) parseRoot(c *parseContext, key string, v any) (bool, error) {
	var err error
	switch key {
	case "_meta":
		o, ok := v.(*xcontent.Object)
		if !ok && v != nil {
			return true, apierr.MapperParsing("[_meta] must be an object")
		}
		m.meta = o
	case "date_formats", "dynamic_date_formats":
		m.dateFormatsGiven = true
		m.dateFormats, err = parseDynamicFormats(v)
	case "dynamic_templates":
		m.templatesGiven = true
		m.templates, err = parseTemplates(v)
	case "date_detection":
		m.dateDetection.given = true
		m.dateDetection.value, err = namedBool(v, "date_detection")
	case "numeric_detection":
		m.numericDetection.given = true
		m.numericDetection.value, err = namedBool(v, "numeric_detection")
	default:
		return false, nil
	}
	return true, err
}

// Merge joins an update into a mapping; old may be nil. The result is checked against the limits.
func Merge(old, update *Mapping) (*Mapping, error) { return merge(old, update, mergeUpdate, true) }

// MergeTemplate is Merge for the mappings of composed templates, where later ones win.
func MergeTemplate(old, update *Mapping) (*Mapping, error) {
	return merge(old, update, mergeTemplate, true)
}

func merge(old, update *Mapping, reason mergeReason, check bool) (*Mapping, error) {
	if old == nil {
		if check {
			if err := update.validate(); err != nil {
				return nil, err
			}
		}
		return update, nil
	}
	root, err := mergeObject(old.root, update.root, reason)
	if err != nil {
		return nil, err
	}
	m := *old
	m.root = root
	if update.dateFormatsGiven {
		m.dateFormats, m.dateFormatsGiven = update.dateFormats, true
	}
	if update.templatesGiven {
		if reason == mergeTemplate {
			m.templates = mergeTemplates(old.templates, update.templates)
		} else {
			m.templates = update.templates
		}
		m.templatesGiven = true
	}
	if update.dateDetection.given {
		m.dateDetection = update.dateDetection
	}
	if update.numericDetection.given {
		m.numericDetection = update.numericDetection
	}
	if update.meta != nil {
		m.meta = update.meta
		if reason == mergeTemplate && old.meta != nil {
			m.meta = mergeMeta(old.meta, update.meta)
		}
	}
	if m.metadata, err = old.metadata.merge(update.metadata, reason); err != nil {
		return nil, err
	}
	out, err := m.finish()
	if err != nil {
		return nil, err
	}
	if check {
		if err := out.validate(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// validate checks what can only be seen in the whole mapping, and its size.
func (m *Mapping) validate() error {
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		if err := m.checkCopyTo(m.fields[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.aliases)) {
		if err := m.checkAlias(m.aliases[name]); err != nil {
			return err
		}
	}
	return m.checkLimits()
}

// mergeMeta joins two objects deeply.
func mergeMeta(old, update *xcontent.Object) *xcontent.Object {
	out := &xcontent.Object{Members: append([]xcontent.Member(nil), old.Members...)}
	for _, m := range update.Members {
		if was, ok := out.Get(m.Key); ok {
			a, aok := was.(*xcontent.Object)
			b, bok := m.Value.(*xcontent.Object)
			if aok && bok {
				out.Set(m.Key, mergeMeta(a, b))
				continue
			}
		}
		out.Set(m.Key, m.Value)
	}
	return out
}

// finish fills the look-up tables and checks what concerns the whole.
func (m *Mapping) finish() (*Mapping, error) {
	m.fields, m.objects, m.aliases, m.nested = map[string]*Field{}, map[string]*Object{}, map[string]*Alias{}, false
	var walk func(o *Object) error
	var addField func(f *Field) error
	addField = func(f *Field) error {
		if m.fields[f.name] != nil {
			return apierr.IllegalArgument("Field [%s] is defined more than once", f.name)
		}
		m.fields[f.name] = f
		for _, sub := range []*Field{f.prefixes, f.phrases, f.values, f.paths} {
			if sub != nil {
				m.fields[sub.name] = sub
			}
		}
		for _, sub := range f.multi {
			if err := addField(sub); err != nil {
				return err
			}
		}
		return nil
	}
	walk = func(o *Object) error {
		if o.name != "" {
			m.objects[o.name] = o
			m.nested = m.nested || o.nested
		}
		for _, k := range slices.Sorted(maps.Keys(o.children)) {
			var err error
			switch c := o.children[k].(type) {
			case *Object:
				err = walk(c)
			case *Alias:
				m.aliases[c.name] = c
			case *Field:
				err = addField(c)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(m.root); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		if m.objects[name] != nil {
			return nil, apierr.IllegalArgument("Field [%s] is defined both as an object and a field", name)
		}
	}
	return m, nil
}

func (m *Mapping) checkCopyTo(f *Field) error {
	if len(f.copyTo) > 0 && m.isMultiField(f.name) {
		return apierr.IllegalArgument("[copy_to] may not be used to copy from a multi-field: [%s]", f.name)
	}
	for _, target := range f.copyTo {
		if m.isMultiField(target) {
			return apierr.IllegalArgument("[copy_to] may not be used to copy to a multi-field: [%s]", target)
		}
		if m.objects[target] != nil {
			return apierr.IllegalArgument("Cannot copy to field [%s] since it is mapped as an object", target)
		}
		from, to := m.NestedScope(f.name), m.NestedScope(target)
		if from == to || to == "" {
			continue
		}
		if from == "" || !strings.HasPrefix(from+".", to+".") {
			if from == "" {
				from = "null"
			}
			return apierr.IllegalArgument("Illegal combination of [copy_to] and [nested] mappings: [copy_to] may only copy data to the current nested document or any of its parents, however one [copy_to] directive is trying to copy data from nested object [%s] to [%s]",
				from, to)
		}
	}
	return nil
}

func (m *Mapping) isMultiField(name string) bool {
	i := strings.LastIndexByte(name, '.')
	return i > 0 && m.fields[name[:i]] != nil
}

func (m *Mapping) checkAlias(a *Alias) error {
	const head = "Invalid [path] value [%s] for field alias [%s]: "
	switch {
	case a.path == a.name:
		return apierr.MapperParsing(head+"an alias cannot refer to itself.", a.path, a.name)
	case m.aliases[a.path] != nil:
		return apierr.MapperParsing(head+"an alias cannot refer to another alias.", a.path, a.name)
	case m.fields[a.path] == nil && metadataFields[a.path] == nil:
		return apierr.MapperParsing(head+"an alias must refer to an existing field in the mappings.", a.path, a.name)
	}
	from, to := m.NestedScope(a.name), m.NestedScope(a.path)
	if from == to {
		return nil
	}
	own, target := "The alias is not nested", "the target is not nested."
	if from != "" {
		own = "The alias's nested scope is [" + from + "]"
	}
	if to != "" {
		target = "the target's nested scope is [" + to + "]."
	}
	return apierr.IllegalArgument(head+"an alias must have the same nested scope as its target. %s, but %s", a.path, a.name, own, target)
}

// checkLimits refuses mappings that are too large.
func (m *Mapping) checkLimits() error {
	ix := m.index
	total := len(m.objects) + len(m.aliases)
	nested := int64(0)
	for _, o := range m.objects {
		if o.nested {
			nested++
		}
	}
	for _, f := range m.fields {
		if f.def != flatPartDef {
			total++
		}
	}
	if int64(total) > ix.TotalFieldsLimit {
		return apierr.IllegalArgument("Limit of total fields [%d] has been exceeded", ix.TotalFieldsLimit)
	}
	for _, name := range slices.Sorted(maps.Keys(m.objects)) {
		if depth := int64(strings.Count(name, ".") + 2); depth > ix.DepthLimit {
			return apierr.IllegalArgument("Limit of mapping depth [%d] has been exceeded due to object field [%s]", ix.DepthLimit, name)
		}
	}
	if nested > ix.NestedFieldsLimit {
		return apierr.IllegalArgument("Limit of nested fields [%d] has been exceeded", ix.NestedFieldsLimit)
	}
	check := func(simple string) error {
		if int64(utf16Length([]byte(simple))) > ix.FieldNameLengthLimit {
			return apierr.IllegalArgument("Field name [%s] is longer than the limit of [%d] characters", simple, ix.FieldNameLengthLimit)
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.objects)) {
		if err := check(m.objects[name].simple); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.fields)) {
		if err := check(m.fields[name].simple); err != nil {
			return err
		}
	}
	return nil
}

// Render prints the mapping as GET _mapping does, without "_doc".
func (m *Mapping) Render() *xcontent.Object {
	out := xcontent.Obj()
	m.root.render(out, func(o *xcontent.Object) {
		if m.meta != nil {
			o.Add("_meta", javaHashOrder(m.meta))
		}
		if m.dateFormatsGiven {
			list := make([]any, len(m.dateFormats))
			for i, f := range m.dateFormats {
				list[i] = f
			}
			o.Add("dynamic_date_formats", list)
		}
		if m.templatesGiven {
			list := make([]any, len(m.templates))
			for i, t := range m.templates {
				list[i] = xcontent.Obj(t.name, t.render())
			}
			o.Add("dynamic_templates", list)
		}
		if m.dateDetection.given {
			o.Add("date_detection", m.dateDetection.value)
		}
		if m.numericDetection.given {
			o.Add("numeric_detection", m.numericDetection.value)
		}
		m.metadata.render(o)
	})
	return out
}

// Index returns the settings that the mapping was read with.
func (m *Mapping) Index() *Index { return m.index }

// Field returns a field by its full name, through aliases: one of the mapping, a metadata field such as
// _id, or a path below a flat_object. It is nil where there is none.
func (m *Mapping) Field(name string) *Field {
	if f := m.fields[name]; f != nil {
		return f
	}
	if a := m.aliases[name]; a != nil {
		if f := m.fields[a.path]; f != nil {
			return f
		}
		name = a.path
	}
	if f := metadataFields[name]; f != nil {
		return f
	}
	return nil
}

// FlatPath returns the flat_object above a path such as "labels.env.name", and nil where there is none.
func (m *Mapping) FlatPath(name string) *Field {
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		if f := m.Field(name[:i]); f != nil && f.def.kind == KindFlatObject {
			return f
		}
	}
	return nil
}

// FieldNames returns the names of all fields and aliases, sorted; metadata fields are not among them.
func (m *Mapping) FieldNames() []string {
	names := make([]string, 0, len(m.fields)+len(m.aliases))
	for n := range m.fields {
		names = append(names, n)
	}
	for n := range m.aliases {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Object returns an object by its full name, or nil.
func (m *Mapping) Object(name string) *Object { return m.objects[name] }

// HasNested tells whether any object is nested.
func (m *Mapping) HasNested() bool { return m.nested }

// NestedScope returns the path of the innermost nested object around a field, or "".
func (m *Mapping) NestedScope(name string) string {
	for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
		if o := m.objects[name[:i]]; o != nil && o.nested {
			return o.name
		}
	}
	return ""
}

// AliasPath returns the field that an alias stands for, or "".
func (m *Mapping) AliasPath(name string) string {
	if a := m.aliases[name]; a != nil {
		return a.path
	}
	return ""
}

// RoutingRequired tells whether every document needs a routing value.
func (m *Mapping) RoutingRequired() bool { return m.metadata.routingRequired }

// SourceEnabled tells whether _source is kept.
func (m *Mapping) SourceEnabled() bool { return m.metadata.sourceEnabled }

// DefaultAnalyzer returns the analyzer of text fields that name none.
func (m *Mapping) DefaultAnalyzer() *analysis.Analyzer { return m.index.Analysis.Default() }
