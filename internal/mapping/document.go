package mapping

import (
	"strings"

	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/analysis"
)

// Source is a document as it comes in.
type Source struct {
	ID      string
	Routing string // "" without
	JSON    []byte // must stay unchanged while the ParsedDocument is in use
}

// ParsedDocument is a document ready to be indexed.
type ParsedDocument struct {
	ID      string
	Routing string
	Source  []byte
	// Docs are the lucene documents: nested ones before those they belong to, the root last.
	Docs []*lucene.Document
	// Update is the mapping of fields that the mapping does not have yet, or nil. It has to be merged into
	// the mapping, and the document to be parsed again, before the document is indexed.
	Update *Mapping
	// UID is the term of _id.
	UID []byte

	streams []*analysis.Stream
}

// Root returns the root document.
func (p *ParsedDocument) Root() *lucene.Document { return p.Docs[len(p.Docs)-1] }

// SetSequence fills in _seq_no, _primary_term and _version, which are known only when the document is
// about to be indexed.
func (p *ParsedDocument) SetSequence(seqNo, primaryTerm, version int64) {
	point := longPoint(seqNo)
	for _, d := range p.Docs {
		for i := range d.Fields {
			f := &d.Fields[i]
			switch f.Name {
			case "_seq_no":
				f.Num, f.Point = seqNo, point
			case "_primary_term":
				f.Num = primaryTerm
			case "_version":
				f.Num = version
			}
		}
	}
}

// Release gives back what the document borrowed. Its token streams must not be used afterwards.
func (p *ParsedDocument) Release() {
	for _, s := range p.streams {
		s.Close()
	}
	p.streams = nil
}

// docBuilder is a lucene document under construction.
type docBuilder struct {
	doc       *lucene.Document
	parent    *docBuilder
	prefix    string // path of the nested object with a dot, "" for the root
	nested    *Object
	names     map[string]bool // _field_names
	collected map[*Field]*collected
	order     []*Field // of collected
}

// collected are the values of a column that holds all of a document's values in one.
type collected struct {
	ranges   []valueRange
	binaries [][]byte
}

// targets calls f for the document that values go to, and for those that include it.
func (d *docParser) targets(f func(b *docBuilder)) {
	b := d.cur
	f(b)
	root := false
	for n := b; n.nested != nil && (n.nested.inParent.value || n.nested.inRoot.value); n = n.parent {
		if n.nested.inRoot.value && !root && n.parent != d.root {
			root = true
			f(d.root)
		}
		if n.nested.inRoot.value && n.parent == d.root && !n.nested.inParent.value {
			f(d.root)
			return
		}
		if !n.nested.inParent.value {
			return
		}
		if n.parent == d.root && root {
			return
		}
		f(n.parent)
	}
}

// add adds a value to the current document.
func (d *docParser) add(lf lucene.Field) {
	first := true
	d.targets(func(b *docBuilder) {
		if !first && lf.Tokens != nil {
			if s, ok := lf.Tokens.(*analysis.Stream); ok {
				again := s.Again()
				d.streams = append(d.streams, again)
				lf.Tokens = again
			}
		}
		first = false
		b.doc.Fields = append(b.doc.Fields, lf)
	})
}

// stream analyzes a text.
func (d *docParser) stream(a *analysis.Analyzer, text []byte) lucene.TokenStream {
	s := a.Stream(text)
	d.streams = append(d.streams, s)
	return s
}

// fieldName notes a field in _field_names: those that neither column nor norms tell to exist.
func (d *docParser) fieldName(f *Field) {
	if !d.m.metadata.fieldNames.value {
		return
	}
	d.targets(func(b *docBuilder) { b.fieldName(f.name) })
}

// fieldName notes a name and those of the objects above it.
func (b *docBuilder) fieldName(name string) {
	if b.names[name] {
		return
	}
	if b.names == nil {
		b.names = map[string]bool{}
	}
	b.names[name] = true
	b.doc.Fields = append(b.doc.Fields, lucene.Field{Name: "_field_names", Type: fieldNamesSchema, Term: []byte(name)})
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		b.fieldName(name[:i])
	}
}

// ignored notes a field whose malformed value was left out.
func (d *docParser) ignored(name string) {
	if d.ignoredNames[name] {
		return
	}
	if d.ignoredNames == nil {
		d.ignoredNames = map[string]bool{}
	}
	d.ignoredNames[name] = true
}

// collect adds to a column that holds all values in one.
func (d *docParser) collect(f *Field, add func(*collected)) {
	d.targets(func(b *docBuilder) {
		c := b.collected[f]
		if c == nil {
			if b.collected == nil {
				b.collected = map[*Field]*collected{}
			}
			c = &collected{}
			b.collected[f] = c
			b.order = append(b.order, f)
		}
		add(c)
	})
}

// flush adds the columns that were collected.
func (b *docBuilder) flush() {
	for _, f := range b.order {
		c := b.collected[f]
		lf := lucene.Field{Name: f.name, Type: f.schema}
		if f.def.kind == KindRange {
			lf.Bytes = f.rangeOf.encodeRanges(c.ranges)
		} else {
			lf.Bytes = encodeBinaries(c.binaries)
		}
		b.doc.Fields = append(b.doc.Fields, lf)
	}
}

// begin adds the metadata fields of the root document.
func (d *docParser) begin(src Source) error {
	d.uid = uid.Encode(nil, src.ID)
	d.root = &docBuilder{doc: &lucene.Document{Fields: make([]lucene.Field, 0, 32)}}
	d.cur = d.root
	b := d.root.doc
	b.Fields = append(b.Fields, lucene.Field{Name: "_id", Type: idSchema, Term: d.uid, Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: d.uid}})
	if src.Routing != "" {
		r := []byte(src.Routing)
		b.Fields = append(b.Fields, lucene.Field{Name: "_routing", Type: routingSchema, Term: r, Stored: lucene.StoredValue{Kind: lucene.StoredString, Bytes: r}})
		if d.m.metadata.fieldNames.value {
			d.root.fieldName("_routing")
		}
	}
	kept, err := d.m.filterSource(src.JSON)
	if err != nil {
		return err
	}
	if kept != nil {
		b.Fields = append(b.Fields, lucene.Field{Name: "_source", Type: sourceSchema, Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: kept}})
	}
	b.Fields = append(b.Fields,
		lucene.Field{Name: "_version", Type: versionSchema, Num: -1},
		lucene.Field{Name: "_seq_no", Type: seqNoSchema, Num: -2, Point: longPoint(-2)},
		lucene.Field{Name: "_primary_term", Type: primaryTermSchema})
	return nil
}

// openNested starts the document of a nested object.
func (d *docParser) openNested(o *Object) {
	b := &docBuilder{doc: &lucene.Document{}, parent: d.cur, prefix: o.name + ".", nested: o}
	b.doc.Fields = append(b.doc.Fields,
		lucene.Field{Name: "_id", Type: idSchema, Term: d.uid},
		lucene.Field{Name: "_nested_path", Type: nestedPathSchema, Term: []byte(o.name)})
	d.cur = b
}

// closeNested ends it.
func (d *docParser) closeNested() {
	b := d.cur
	b.flush()
	b.doc.Fields = append(b.doc.Fields,
		lucene.Field{Name: "_version", Type: versionSchema, Num: -1},
		lucene.Field{Name: "_seq_no", Type: seqNoSchema, Num: -2, Point: longPoint(-2)})
	d.docs = append(d.docs, b.doc)
	d.cur = b.parent
}
