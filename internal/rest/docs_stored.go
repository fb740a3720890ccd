package rest

import (
	"encoding/base64"
	"math"
	"slices"

	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// storedFields reads the stored values of fields of a document, as lists by field.
func storedFields(m *mapping.Mapping, leaf *lucene.LeafContext, doc int32, want []string) (*xcontent.Object, error) {
	v := &storedVisitor{want: want, found: map[string][]any{}, m: m}
	if err := leaf.Reader.StoredFields().Document(doc, v); err != nil {
		return nil, err
	}
	o := &xcontent.Object{}
	for _, name := range sortedKeys(v.found) {
		o.Add(name, v.found[name])
	}
	return o, nil
}

type storedVisitor struct {
	want  []string
	found map[string][]any
	m     *mapping.Mapping
}

// Needs implements lucene.StoredFieldVisitor.
func (v *storedVisitor) Needs(f *lucene.FieldInfo) (lucene.VisitStatus, error) {
	if f.Name[0] != '_' && (slices.Contains(v.want, f.Name) || slices.Contains(v.want, "*")) {
		return lucene.VisitYes, nil
	}
	return lucene.VisitNo, nil
}

// Field implements lucene.StoredFieldVisitor.
func (v *storedVisitor) Field(f *lucene.FieldInfo, val lucene.StoredValue) error {
	v.found[f.Name] = append(v.found[f.Name], v.render(f.Name, val))
	return nil
}

func (v *storedVisitor) render(name string, val lucene.StoredValue) any {
	field := v.m.Field(name)
	typ := ""
	if field != nil {
		typ = field.Type()
	}
	switch val.Kind {
	case lucene.StoredString:
		if typ == "boolean" {
			return string(val.Bytes) == "T"
		}
		return string(val.Bytes)
	case lucene.StoredBytes:
		switch {
		case typ == "ip" && len(val.Bytes) == 16:
			return mapping.FormatIP(val.Bytes)
		case typ == "keyword": // stored as the bytes of its term
			return string(val.Bytes)
		}
		return base64.StdEncoding.EncodeToString(val.Bytes)
	case lucene.StoredFloat:
		return math.Float32frombits(uint32(val.Num))
	case lucene.StoredDouble:
		return math.Float64frombits(uint64(val.Num))
	}
	if typ == "date" {
		return field.DateFormat().FormatMillis(val.Num, nil)
	}
	return val.Num
}
