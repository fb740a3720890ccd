package mapping

import (
	"fmt"
	"sort"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
)

// docParser turns one document into lucene documents.
type docParser struct {
	m            *Mapping
	src          Source
	json         jsonParser
	uid          []byte
	root, cur    *docBuilder
	docs         []*lucene.Document // of nested objects that ended
	nestedCount  int64
	streams      []*analysis.Stream
	ignoredNames map[string]bool
	external     []byte // text that stands in for the current token in multi-fields
	inCopy       bool
	path         string // of the object that is read
	lastName     string // the name before the current value
	depth        int64
	arrays       int64
	dynamics     []dynamicNode
}

// ParseDocument reads a document. Its error is what OpenSearch answers: a mapper_parsing_exception with
// its cause. The result must be released.
func (m *Mapping) ParseDocument(src Source) (*ParsedDocument, error) {
	d := &docParser{m: m, src: src}
	p, err := d.run()
	if err != nil {
		for _, s := range d.streams {
			s.Close()
		}
		return nil, err
	}
	return p, nil
}

func (d *docParser) run() (*ParsedDocument, error) {
	if err := d.readDocument(); err != nil {
		return nil, wrapDocument(d.src, err)
	}
	update, err := d.dynamicUpdate()
	if err != nil {
		return nil, err
	}
	return &ParsedDocument{ID: d.src.ID, Routing: d.src.Routing, Source: d.src.JSON, Docs: append(d.docs, d.root.doc), Update: update, UID: d.uid,
		streams: d.streams}, nil
}

// isMapperParsing tells whether an error is one that is not wrapped again.
func isMapperParsing(err error) bool {
	e, ok := err.(*apierr.Error) //nolint:errorlint // the outermost error is meant
	return ok && (e.Type == "mapper_parsing_exception" || e.Type == "strict_dynamic_mapping_exception")
}

func wrapDocument(src Source, err error) error {
	if isMapperParsing(err) {
		return err
	}
	if len(src.JSON) == 0 {
		return apierr.MapperParsing("failed to parse, document is empty")
	}
	return apierr.MapperParsing("failed to parse").Because(err)
}

func (d *docParser) readDocument() error {
	p := &d.json
	p.reset(d.src.JSON)
	if err := p.next(); err != nil {
		return err
	}
	if p.kind != tokObjectStart {
		return apierr.MapperParsing("Malformed content, must start with an object")
	}
	if err := d.begin(d.src); err != nil {
		return err
	}
	if !d.m.root.enabled.value {
		if err := p.skip(); err != nil {
			return err
		}
	} else if err := d.members(d.m.root); err != nil {
		return err
	}
	if err := p.next(); err != nil {
		return err
	}
	if p.kind != tokNone {
		return apierr.IllegalArgument("Malformed content, found extra data after parsing: %s", p.kind)
	}
	d.root.flush()
	if err := d.m.metadata.timestamp.check(d.root.doc); err != nil {
		return err
	}
	names := make([]string, 0, len(d.ignoredNames))
	for n := range d.ignoredNames {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		d.root.doc.Fields = append(d.root.doc.Fields, lucene.Field{Name: "_ignored", Type: ignoredSchema, Term: []byte(n),
			Stored: lucene.StoredValue{Kind: lucene.StoredString, Bytes: []byte(n)}})
	}
	return nil
}

// members reads the members of an object up to its end. The opening brace was read.
func (d *docParser) members(o *Object) error {
	d.depth++
	defer func() { d.depth-- }()
	if limit := d.m.index.DepthLimit; d.depth > limit {
		return apierr.New(400, "parse_exception", "The depth of the field has exceeded the allowed limit of [%d]. This limit can be set by changing the [index.mapping.depth.limit] index level setting.", limit)
	}
	p := &d.json
	for {
		if err := p.next(); err != nil {
			return err
		}
		if p.kind == tokObjectEnd {
			return nil
		}
		name := string(p.text)
		d.lastName = name
		if err := p.next(); err != nil {
			return err
		}
		if err := d.member(o, name); err != nil {
			return err
		}
	}
}

// validName splits a name at its dots.
func validName(name string) ([]string, error) {
	if strings.IndexByte(name, '.') < 0 {
		if name == "" {
			return nil, apierr.IllegalArgument("field name cannot be an empty string")
		}
		return []string{name}, nil
	}
	parts := splitDots(name)
	if len(parts) == 0 {
		return nil, apierr.IllegalArgument("field name cannot contain only the character [.]")
	}
	for _, part := range parts {
		if strings.TrimSpace(part) == "" {
			if part != "" {
				return nil, apierr.IllegalArgument("object field cannot contain only whitespace: ['%s']", name)
			}
			return nil, apierr.IllegalArgument("object field starting or ending with a [.] makes object resolution ambiguous: [%s]", name)
		}
	}
	return parts, nil
}

func (d *docParser) full(name string) string {
	if d.path == "" {
		return name
	}
	return d.path + "." + name
}

// member reads the value of one member.
func (d *docParser) member(o *Object, name string) error {
	var single [1]string
	parts := single[:]
	if strings.IndexByte(name, '.') < 0 && name != "" {
		single[0] = name
	} else {
		var err error
		if parts, err = validName(name); err != nil {
			return err
		}
		// Nothing is looked at below a disabled object.
		for at, i := o, 0; i < len(parts)-1; i++ {
			next, ok := at.children[parts[i]].(*Object)
			if !ok {
				break
			}
			if !next.enabled.value {
				return d.json.skip()
			}
			at = next
		}
	}
	switch d.json.kind {
	case tokObjectStart:
		return d.object(o, name, parts)
	case tokArrayStart:
		return d.array(o, name, parts)
	case tokNull:
		return d.null(o, name, parts)
	}
	return d.value(o, name, parts)
}

// lookup finds the mapper of a name.
func (d *docParser) lookup(o *Object, name string, parts []string) (node, error) {
	if d.path == "" && name[0] == '_' {
		if f := metadataFields[name]; f != nil {
			return f, nil
		}
	}
	for _, part := range parts[:len(parts)-1] {
		next, ok := o.children[part].(*Object)
		if !ok {
			return nil, nil
		}
		o = next
		if o.nested {
			return nil, apierr.MapperParsing("Cannot add a value for field [%s] since one of the intermediate objects is mapped as a nested object: [%s]", name, o.name)
		}
	}
	return o.children[parts[len(parts)-1]], nil
}

// into reads the current value with a mapper.
func (d *docParser) into(n node, name string) error {
	switch x := n.(type) {
	case *Object:
		path := d.path
		d.path = d.full(name)
		err := d.objectValue(x, name)
		d.path = path
		return err
	case *Alias:
		return apierr.IllegalArgument("Cannot write to a field alias [%s].", x.name)
	}
	f := n.(*Field)
	if f.def.kind == KindMetadata {
		return d.metadataValue(f)
	}
	if len(f.copyTo) > 0 && !d.inCopy {
		return d.fieldWithCopies(f)
	}
	return d.field(f)
}

// objectValue reads the current value as an object.
func (d *docParser) objectValue(o *Object, name string) error {
	if !o.enabled.value {
		return d.json.skip()
	}
	switch k := d.json.kind; {
	case k == tokNull:
		return nil
	case k != tokObjectStart:
		return apierr.MapperParsing("object mapping for [%s] tried to parse field [%s] as object, but found a concrete value", o.name, name)
	}
	if o.nested {
		d.nestedCount++
		if limit := d.m.index.NestedObjectsLimit; d.nestedCount > limit {
			return apierr.MapperParsing("The number of nested documents has exceeded the allowed limit of [%d]. This limit can be set by changing the [index.mapping.nested_objects.limit] index level setting.", limit)
		}
		d.openNested(o)
		if err := d.members(o); err != nil {
			return err
		}
		d.closeNested()
		return nil
	}
	return d.members(o)
}

func (d *docParser) metadataValue(f *Field) error {
	if f.name != "_doc_count" {
		return d.fieldError(f, apierr.MapperParsing("Field [%s] is a metadata field and cannot be added inside a document. Use the index API request parameters.", f.name))
	}
	if d.json.kind != tokNumber {
		return d.fieldError(f, apierr.New(400, "parsing_exception", "Failed to parse object: expecting token of type [VALUE_NUMBER] but found [%s]", d.json.kind))
	}
	v, err := numberByName("long").integerToken(&d.json, false)
	if err == nil && v <= 0 {
		err = apierr.IllegalArgument("Field [_doc_count] must be a positive integer.")
	}
	if err != nil {
		return d.fieldError(f, err)
	}
	d.add(lucene.Field{Name: "_doc_count", Type: docCountSchema, Num: v})
	return nil
}

// field reads the current value as a field's, and its multi-fields'.
func (d *docParser) field(f *Field) error {
	if f.def.kind == KindGeoPoint {
		return f.def.parse(d, f) // which brings its own errors and feeds its multi-fields itself
	}
	err := f.broken
	if err == nil {
		err = f.def.parse(d, f)
	} else {
		err = f.Usable()
	}
	if err != nil && !(d.m.index.IgnoreMalformed && !f.def.opaque && f.broken == nil) {
		return d.fieldError(f, err)
	}
	return d.parseMulti(f)
}

func (d *docParser) parseMulti(f *Field) error {
	for _, sub := range f.multi {
		if err := d.field(sub); err != nil {
			return err
		}
	}
	return nil
}

// fieldError tells which field of which document could not be parsed, and what the value looks like that
// the parser stands at.
func (d *docParser) fieldError(f *Field, cause error) error {
	head := fmt.Sprintf("failed to parse field [%s] of type [%s] in document with id '%s'. ", f.name, f.def.name, d.src.ID)
	preview, ok := d.json.preview(f.def.kind == KindFloat || f.def.kind == KindHalfFloat)
	if !ok {
		return apierr.MapperParsing("%sCould not parse field value preview,", head).Because(cause)
	}
	return apierr.MapperParsing("%sPreview of field's value: '%s'", head, preview).Because(cause)
}

// preview prints the current value as Java would; single says that numbers were read as floats.
func (p *jsonParser) preview(single bool) (string, bool) {
	switch p.kind {
	case tokNumber:
		if !p.isFloat() {
			return string(p.text), true
		}
		if f := p.double(); single {
			return javavalue.Float(float64(float32(f)), 32), true
		}
		return javaDouble(p.double()), true
	case tokString, tokTrue, tokFalse:
		return string(p.text), true
	case tokObjectStart, tokArrayStart:
		start := p.start
		if err := p.skip(); err != nil {
			return "", false
		}
		v, err := xcontent.Decode(p.in[start:p.pos])
		if err != nil {
			return "", false
		}
		return javaValue(v), true
	}
	return "null", true
}

// textOrNull returns the current value as text; ok is false for null. Objects and arrays are refused.
func (d *docParser) textOrNull() (text []byte, ok bool, err error) {
	if d.external != nil {
		return d.external, true, nil
	}
	switch p := &d.json; p.kind {
	case tokNull:
		return nil, false, nil
	case tokString, tokNumber, tokTrue, tokFalse:
		return p.text, true, nil
	default:
		return nil, false, apierr.New(400, "illegal_state_exception", "Can't get text on a %s at %s", p.kind, p.location())
	}
}

// location returns line and column of the current token.
func (p *jsonParser) location() string {
	line, col := p.place(p.start)
	return fmt.Sprintf("%d:%d", line, col)
}

// fieldWithCopies reads a value into a field and those that it is copied to.
func (d *docParser) fieldWithCopies(f *Field) error {
	if err := d.field(f); err != nil {
		return err
	}
	d.inCopy = true
	cur := d.cur
	defer func() { d.inCopy, d.cur = false, cur }()
	for _, target := range f.copyTo {
		for d.cur = cur; !strings.HasPrefix(target, d.cur.prefix); d.cur = d.cur.parent {
		}
		if err := d.copyTo(target); err != nil {
			return err
		}
	}
	return nil
}

func (d *docParser) copyTo(target string) error {
	if f := d.m.fields[target]; f != nil {
		return d.field(f)
	}
	if d.m.aliases[target] != nil {
		return apierr.IllegalArgument("Cannot copy to a field alias [%s].", target)
	}
	parts, err := validName(target)
	if err != nil {
		return err
	}
	path := d.path
	d.path = ""
	defer func() { d.path = path }()
	parent, err := d.dynamicParent(d.m.root, parts)
	if err != nil || parent == nil {
		return err
	}
	return d.dynamicValue(parent, parts[len(parts)-1])
}

func (d *docParser) object(o *Object, name string, parts []string) error {
	n, err := d.lookup(o, name, parts)
	if err != nil {
		return err
	}
	if n != nil {
		return d.into(n, name)
	}
	path := d.path
	defer func() { d.path = path }()
	parent, err := d.dynamicParent(o, parts)
	if err != nil {
		return err
	}
	last := parts[len(parts)-1]
	switch mode := d.mode(parent); mode {
	case dynamicStrict:
		return strictError(mode, o, last)
	case dynamicFalse:
		return d.json.skip()
	default:
		child, err := d.newObject(last, mode, o)
		if err != nil {
			return err
		}
		return d.into(child, last)
	}
}

func (d *docParser) array(o *Object, name string, parts []string) error {
	d.arrays++
	defer func() { d.arrays-- }()
	if limit := d.m.index.DepthLimit; d.arrays > limit {
		return apierr.New(400, "parse_exception", "The depth of the nested array field has exceeded the allowed limit of [%d]. This limit can be set by changing the [index.mapping.depth.limit] index level setting.", limit)
	}
	n, err := d.lookup(o, name, parts)
	if err != nil {
		return err
	}
	if f, ok := n.(*Field); ok && (f.def.arrays || f.def.opaque) {
		return d.into(n, name)
	}
	if n != nil {
		return d.elements(o, name, parts)
	}
	path := d.path
	defer func() { d.path = path }()
	parent, err := d.dynamicParent(o, parts)
	if err != nil {
		return err
	}
	last := parts[len(parts)-1]
	switch mode := d.mode(parent); mode {
	case dynamicStrict:
		return strictError(mode, parent, last)
	case dynamicFalse:
	default:
		n, err := d.fromTemplate(last, "object", mode, parent, "")
		if err != nil {
			return err
		}
		if f, ok := n.(*Field); ok && (f.def.arrays || f.def.opaque) {
			d.dynamics = append(d.dynamics, dynamicNode{f.name, f})
			return d.into(f, last)
		}
	}
	return d.elements(parent, last, parts[len(parts)-1:])
}

// elements reads the elements of an array, each as a value of its own.
func (d *docParser) elements(o *Object, name string, parts []string) error {
	p := &d.json
	for {
		if err := p.next(); err != nil {
			return err
		}
		var err error
		switch p.kind {
		case tokArrayEnd:
			return nil
		case tokObjectStart:
			err = d.object(o, name, parts)
		case tokArrayStart:
			err = d.array(o, name, parts)
		case tokNull:
			err = d.null(o, name, parts)
		default:
			err = d.value(o, name, parts)
		}
		if err != nil {
			return err
		}
	}
}

func (d *docParser) null(o *Object, name string, parts []string) error {
	n, err := d.lookup(o, name, parts)
	if err != nil {
		return err
	}
	if n != nil {
		return d.into(n, name)
	}
	if o.dynamic == dynamicStrict || o.dynamic == dynamicTemplates {
		return strictError(o.dynamic, o, name)
	}
	return nil
}

func (d *docParser) value(o *Object, name string, parts []string) error {
	n, err := d.lookup(o, name, parts)
	if err != nil {
		return err
	}
	if n != nil {
		return d.into(n, name)
	}
	path := d.path
	defer func() { d.path = path }()
	parent, err := d.dynamicParent(o, parts)
	if err != nil {
		return err
	}
	return d.dynamicValue(parent, parts[len(parts)-1])
}
