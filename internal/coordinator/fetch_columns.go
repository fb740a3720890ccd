package coordinator

import (
	"strings"

	"github.com/varve-search/varve/internal/aggregation"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/query"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/search"
)

// columnField is a field of docvalue_fields.
type columnField struct {
	name string
	col  *aggregation.Column
}

// bindColumns finds the fields of docvalue_fields: names or patterns, with or without a format. Fields that the mapping does
// not have show nothing.
func bindColumns(src *FetchSource, c *query.Context, limit int) ([]columnField, error) {
	if n := len(src.DocValueFields); n > limit {
		return nil, apierr.IllegalArgument("Trying to retrieve too many docvalue_fields. Must be less than or equal to: [%d] but was [%d]. This limit can be set by changing the [index.max_docvalue_fields_search] index level setting.", limit, n)
	}
	resolver := c.Aggregations(search.NewSearcher(nil, search.Options{}))
	var out []columnField
	for _, e := range src.DocValueFields {
		name, format, err := fieldAndFormat(e)
		if err != nil {
			return nil, err
		}
		names := []string{name}
		if strings.Contains(name, "*") {
			names = nil
			for _, n := range c.Mapping.FieldNames() {
				if settings.Match(name, n) {
					names = append(names, n)
				}
			}
		}
		for _, n := range names {
			col, err := resolver.Column(n, format, "")
			if err != nil && len(names) > 1 {
				continue // a pattern takes what has values
			}
			if err != nil {
				return nil, err
			}
			if col == nil {
				continue
			}
			if col.Class == aggregation.ClassOther {
				return nil, apierr.NotImplemented("docvalue_fields of the field [%s] of type [%s] are not built in this server", n, col.Type)
			}
			out = append(out, columnField{n, col})
		}
	}
	return out, nil
}

func fieldAndFormat(e any) (name, format string, err error) {
	switch e := e.(type) {
	case string:
		return e, "", nil
	case *xcontent.Object:
		for _, m := range e.Members {
			text, ok := m.Value.(string)
			switch {
			case m.Key == "field" && ok:
				name = text
			case m.Key == "format" && (ok || m.Value == nil):
				format = text
			default:
				return "", "", apierr.XContentParse("[docvalue_field] unknown field [%s]", m.Key)
			}
		}
		if format == "use_field_mapping" {
			format = ""
		}
		if name != "" {
			return name, format, nil
		}
	}
	return "", "", apierr.IllegalArgument("Required [field]")
}

// columnValues reads the values of a document, as they are shown.
func columnValues(leaf *lucene.LeafContext, f columnField, doc int32) ([]any, error) {
	fi := leaf.Reader.FieldInfos().ByName(f.col.Field)
	if fi == nil {
		return nil, nil
	}
	dv := leaf.Reader.DocValues()
	switch fi.DocValuesType {
	case lucene.DocValuesNumeric:
		n, ok, err := number(leaf, f.col.Field, doc)
		if !ok || err != nil {
			return nil, err
		}
		return []any{showNumber(f.col, n)}, nil
	case lucene.DocValuesSortedNumeric:
		v, err := dv.SortedNumeric(fi)
		if v == nil || err != nil {
			return nil, err
		}
		ok, err := v.AdvanceExact(doc)
		if !ok || err != nil {
			return nil, err
		}
		var out []any
		for range v.Count() {
			n, err := v.NextValue()
			if err != nil {
				return nil, err
			}
			out = append(out, showNumber(f.col, n))
		}
		return out, nil
	case lucene.DocValuesSortedSet:
		v, err := dv.SortedSet(fi)
		if v == nil || err != nil {
			return nil, err
		}
		ok, err := v.AdvanceExact(doc)
		if !ok || err != nil {
			return nil, err
		}
		var out []any
		for range v.Count() {
			ord, err := v.NextOrd()
			if err != nil {
				return nil, err
			}
			b, err := v.LookupOrd(ord)
			if err != nil {
				return nil, err
			}
			out = append(out, f.col.Format.Bytes(b))
		}
		return out, nil
	}
	return nil, leaf.Reader.Unsupported(f.col.Field)
}

func showNumber(c *aggregation.Column, n int64) any {
	switch {
	case c.Type == "boolean":
		return n != 0
	case c.Class == aggregation.ClassDouble && c.ShowFormatted:
		return c.Format.Double(c.Double(n))
	case c.Class == aggregation.ClassDouble:
		return query.Double(c.Double(n))
	case c.ShowFormatted:
		return c.Format.Long(n)
	case c.Unsigned:
		return uint64(n)
	}
	return n
}
