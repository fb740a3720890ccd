package mapping

import (
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

var flatPartDef = &typeDef{name: "keyword", kind: KindKeyword}

func flatObjectType() *typeDef {
	return &typeDef{name: "flat_object", kind: KindFlatObject, legacy: true,
		render: func(f *Field, o *xcontent.Object) { f.renderMulti(o); f.renderCopyTo(o) },
		resolve: func(f *Field) error {
			f.searchable, f.docValues, f.stored = true, true, false
			f.schema = &lucene.FieldType{IndexOptions: lucene.IndexDocs, OmitNorms: true, DocValuesType: lucene.DocValuesSortedSet}
			part := func(suffix string) *Field {
				return &Field{name: f.name + suffix, simple: f.simple + suffix, def: flatPartDef, index: f.index, schema: f.schema,
					searchable: true, docValues: true, ignoreAbove: 2147483647}
			}
			f.values, f.paths = part("._value"), part("._valueAndPath")
			return nil
		},
		parse: parseFlat}
}

// parseFlat indexes every leaf of an object as "value" and "path=value", and every name on the way.
func parseFlat(d *docParser, f *Field) error {
	p := &d.json
	if p.kind == tokNull {
		return nil
	}
	if p.kind != tokObjectStart {
		return apierr.New(400, "parsing_exception", "[%s] unexpected token [%s] in flat_object field value", f.name, p.kind)
	}
	parts := map[string]bool{}
	var order []string
	depth := len(p.stack)
	path := []string{f.name}
	// popAt holds the depths of the stack at which a name ends with its value.
	var open []int
	done := func() { // a value ended: so does the name before it, unless within an array
		if n := len(open); n > 0 && open[n-1] == len(p.stack) {
			open = open[:n-1]
			path = path[:len(path)-1]
		}
	}
	for {
		if err := p.next(); err != nil {
			return err
		}
		switch p.kind {
		case tokObjectEnd, tokArrayEnd:
			if len(p.stack) < depth {
				for _, part := range order {
					v := []byte(f.name + "." + part)
					d.add(lucene.Field{Name: f.name, Type: f.schema, Term: v, Bytes: v})
				}
				return nil
			}
			done()
		case tokName:
			path = append(path, string(p.text))
			open = append(open, len(p.stack))
		case tokObjectStart, tokArrayStart:
		case tokNull:
			done()
		default:
			leaf := strings.Join(path, ".")
			value := string(p.text)
			both := leaf + "=" + value
			d.add(lucene.Field{Name: f.values.name, Type: f.schema, Term: []byte(value), Bytes: []byte(f.name + "." + value)})
			d.add(lucene.Field{Name: f.paths.name, Type: f.schema, Term: []byte(both), Bytes: []byte(f.name + "." + both)})
			for _, part := range strings.Split(leaf[len(f.name)+1:], ".") {
				if !parts[part] {
					parts[part] = true
					order = append(order, part)
				}
			}
			done()
		}
	}
}
