package query

import (
	"sort"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/uid"
	"github.com/varve-search/varve/lucene/search"
)

// ref is what the name of a field in a request leads to.
type ref struct {
	*mapping.Field
	// path is the full name of a leaf below a flat_object, whose Field this is then; else "".
	path string
}

// lookup finds a field, through aliases; nil where the mapping does not have it.
func (c *Context) lookup(name string) *ref {
	if f := c.Mapping.Field(name); f != nil {
		return &ref{Field: f}
	}
	if f := c.Mapping.FlatPath(name); f != nil {
		path := name
		if target := c.Mapping.AliasPath(name); target != "" {
			path = target
		}
		return &ref{Field: f, path: path}
	}
	return nil
}

// matchNames returns the fields and aliases whose names match a pattern with *, sorted; a name without * stands for itself.
func (c *Context) matchNames(pattern string) []string {
	if !strings.Contains(pattern, "*") {
		return []string{pattern}
	}
	var out []string
	for _, n := range c.Mapping.FieldNames() {
		if pattern == "*" || settings.Match(pattern, n) {
			out = append(out, n)
		}
	}
	for _, n := range []string{"_id", "_ignored", "_index", "_routing", "_field_names", "_seq_no"} {
		if settings.Match(pattern, n) {
			out = append(out, n)
		}
	}
	sort.Strings(out)
	return out
}

// textual tells whether the terms of a field are strings that prefixes and patterns can be sought among.
func (r *ref) textual() bool {
	switch r.Kind() {
	case mapping.KindText, mapping.KindKeyword, mapping.KindFlatObject:
		return true
	case mapping.KindMetadata:
		switch r.Name() {
		case "_routing", "_ignored", "_field_names", "_nested_path":
			return true
		}
	}
	return false
}

// indexed fails for fields that have no terms or points.
func (r *ref) indexed() error {
	if err := r.Usable(); err != nil {
		return err
	}
	if !r.Searchable() {
		return apierr.IllegalArgument("Cannot search on field [%s] since it is not indexed.", r.Name())
	}
	return nil
}

// indexedOrColumn fails for fields that have neither index nor column.
func (r *ref) indexedOrColumn() error {
	if err := r.Usable(); err != nil {
		return err
	}
	if !r.Searchable() && !r.HasDocValues() {
		return apierr.IllegalArgument("Cannot search on field [%s] since it is both not indexed, and does not have doc_values enabled.", r.Name())
	}
	return nil
}

func (r *ref) mustSearch() error {
	if r.Kind() == mapping.KindText || r.Kind() == mapping.KindMetadata || r.Kind() == mapping.KindBinary {
		return r.indexed()
	}
	return r.indexedOrColumn()
}

// termField returns the name of the inverted field that string terms of the field are sought in.
func (r *ref) termField() string {
	if r.Kind() == mapping.KindFlatObject {
		values, paths := r.FlatFields()
		if r.path != "" {
			return paths.Name()
		}
		return values.Name()
	}
	return r.Name()
}

// term encodes a value as a term of the field.
func (r *ref) term(text string) ([]byte, error) {
	switch r.Kind() {
	case mapping.KindFlatObject:
		if r.path != "" {
			return []byte(r.path + "=" + text), nil
		}
		return []byte(text), nil
	case mapping.KindKeyword:
		if n := r.SearchAnalyzer(); n != nil && r.Normalizer() != nil {
			s, err := n.Normalize(text)
			return []byte(s), err
		}
		if n := r.Normalizer(); n != nil {
			s, err := n.Normalize(text)
			return []byte(s), err
		}
	}
	return []byte(text), nil
}

// columnTerm is how the column of the field holds a term.
func (r *ref) columnTerm(term []byte) []byte {
	if r.Kind() == mapping.KindFlatObject {
		return append([]byte(r.Name()+"."), term...)
	}
	return term
}

func withBoost(q search.Query, r *ref) search.Query { return boosted(q, r.Boost()) }

// termQuery matches documents whose field holds a value.
func (c *Context) termQuery(r *ref, v any) (search.Query, error) {
	switch r.Kind() {
	case mapping.KindMetadata:
		return c.metadataTerms(r, []any{v})
	case mapping.KindConstant:
		if valueText(v) == r.ConstantValue() {
			return search.MatchAll{}, nil
		}
		return search.MatchNone{}, nil
	}
	if err := r.mustSearch(); err != nil {
		return nil, err
	}
	switch r.Kind() {
	case mapping.KindText, mapping.KindKeyword, mapping.KindFlatObject:
		term, err := r.term(valueText(v))
		if err != nil {
			return nil, err
		}
		if !r.Searchable() {
			t := r.columnTerm(term)
			return withBoost(&search.StringRange{Field: r.Name(), Lower: t, Upper: t, IncludeLower: true, IncludeUpper: true}, r), nil
		}
		q := search.Query(&search.Term{Field: r.termField(), Bytes: term})
		if r.Type() == "match_only_text" {
			q = &search.ConstantScore{Query: q}
		}
		return withBoost(q, r), nil
	case mapping.KindBoolean:
		b, err := boolTerm(v)
		if err != nil {
			return nil, err
		}
		return withBoost(c.boolQuery(r, b), r), nil
	case mapping.KindDate:
		q, err := c.rangeQuery(r, &bounds{from: v, to: v, includeLower: true, includeUpper: true})
		if err != nil {
			return nil, err
		}
		return withBoost(q, r), nil
	case mapping.KindIP:
		return c.ipTerms(r, []any{v})
	case mapping.KindRange:
		q, err := c.rangeQuery(r, &bounds{from: v, to: v, includeLower: true, includeUpper: true})
		return q, err
	case mapping.KindGeoPoint:
		return nil, c.shardError("Geometry fields do not support exact searching, use dedicated geometry queries instead: [%s]", r.Name())
	case mapping.KindBinary:
		return nil, c.shardError("Binary fields do not support searching")
	}
	return c.numberTerms(r, []any{v}, true)
}

func boolTerm(v any) (bool, error) {
	if v == nil {
		return false, nil
	}
	switch s := valueText(v); s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, apierr.IllegalArgument("Can't parse boolean value [%s], expected [true] or [false]", s)
	}
}

func (c *Context) boolQuery(r *ref, b bool) search.Query {
	if r.Searchable() {
		text := "F"
		if b {
			text = "T"
		}
		return search.NewTerm(r.Name(), text)
	}
	n := int64(0)
	if b {
		n = 1
	}
	return &search.NumericRange{Field: r.Name(), Lo: n, Hi: n}
}

// metadataTerms seeks values in a metadata field.
func (c *Context) metadataTerms(r *ref, values []any) (search.Query, error) {
	switch r.Name() {
	case "_index":
		for _, v := range values {
			if c.isIndex(valueText(v)) {
				return search.MatchAll{}, nil
			}
		}
		return search.MatchNone{}, nil
	case "_id":
		q := &search.Terms{Field: "_id"}
		for _, v := range values {
			q.Values = append(q.Values, uid.Encode(nil, valueText(v)))
		}
		return q, nil
	case "_seq_no":
		return c.numberTerms(r, values, len(values) == 1)
	case "_version", "_primary_term", "_source", "_doc_count":
		return nil, c.shardError("The [%s] field is not searchable", r.Name())
	}
	if len(values) == 1 {
		return search.NewTerm(r.Name(), valueText(values[0])), nil
	}
	q := &search.Terms{Field: r.Name()}
	for _, v := range values {
		q.Values = append(q.Values, []byte(valueText(v)))
	}
	return q, nil
}

// isIndex tells whether a pattern means this index.
func (c *Context) isIndex(pattern string) bool {
	if settings.Match(pattern, c.Index) {
		return true
	}
	for _, a := range c.Aliases {
		if settings.Match(pattern, a) {
			return true
		}
	}
	return false
}

// termsQuery matches documents whose field holds one of several values; all score alike.
func (c *Context) termsQuery(r *ref, values []any) (search.Query, error) {
	switch r.Kind() {
	case mapping.KindMetadata:
		return c.metadataTerms(r, values)
	case mapping.KindConstant:
		for _, v := range values {
			if valueText(v) == r.ConstantValue() {
				return search.MatchAll{}, nil
			}
		}
		return search.MatchNone{}, nil
	}
	if err := r.mustSearch(); err != nil {
		return nil, err
	}
	switch r.Kind() {
	case mapping.KindText, mapping.KindKeyword, mapping.KindFlatObject:
		terms := &search.Terms{Field: r.termField()}
		column := &search.StringSet{Field: r.termField()}
		for _, v := range values {
			t, err := r.term(valueText(v))
			if err != nil {
				return nil, err
			}
			terms.Values = append(terms.Values, t)
			column.Values = append(column.Values, r.columnTerm(t))
		}
		return either(r, terms, column), nil
	case mapping.KindBoolean:
		var yes, no bool
		for _, v := range values {
			b, err := boolTerm(v)
			if err != nil {
				return nil, err
			}
			yes, no = yes || b, no || !b
		}
		switch {
		case yes && no:
			return c.existsField(r), nil
		case yes || no:
			return c.boolQuery(r, yes), nil
		}
		return search.MatchNone{}, nil
	case mapping.KindIP:
		return c.ipTerms(r, values)
	case mapping.KindDate, mapping.KindRange, mapping.KindGeoPoint, mapping.KindBinary:
		var qs []search.Query
		for _, v := range values {
			q, err := c.termQuery(r, v)
			if err != nil {
				return nil, err
			}
			qs = append(qs, q)
		}
		return &search.ConstantScore{Query: search.NewDisjunction(qs...)}, nil
	}
	return c.numberTerms(r, values, false)
}

// either takes the index or the column of a field, or both where it has both.
func either(r *ref, index, column search.Query) search.Query {
	switch {
	case !r.HasDocValues():
		return index
	case !r.Searchable():
		return column
	}
	return &search.IndexOrDocValues{Index: index, DocValues: column}
}

// existsField matches documents that have a field.
func (c *Context) existsField(r *ref) search.Query {
	switch {
	case r.path != "":
		return &search.Term{Field: r.Name(), Bytes: []byte(r.path)}
	case r.Kind() == mapping.KindConstant:
		return search.MatchAll{}
	case r.Kind() == mapping.KindMetadata:
		switch r.Name() {
		case "_id", "_index", "_seq_no", "_version", "_primary_term":
			return search.MatchAll{}
		case "_doc_count":
			return &search.Exists{Field: "_doc_count"}
		}
		q, err := search.NewWildcard(r.Name(), "*", false)
		if err != nil {
			return search.MatchNone{}
		}
		return q
	case r.HasDocValues() || r.HasNorms():
		return &search.Exists{Field: r.Name()}
	}
	return search.NewTerm("_field_names", r.Name())
}

// existsQuery matches documents that have a field, any of the fields of a pattern, or any field of an object.
func (c *Context) existsQuery(pattern string) search.Query {
	if o := c.Mapping.Object(pattern); o != nil {
		return c.objectExists(pattern)
	}
	names := c.matchNames(pattern)
	var qs []search.Query
	for _, n := range names {
		if r := c.lookup(n); r != nil {
			qs = append(qs, &search.ConstantScore{Query: c.existsField(r)})
		}
	}
	switch len(qs) {
	case 0:
		return search.MatchNone{}
	case 1:
		if len(names) == 1 {
			return qs[0]
		}
	}
	return &search.ConstantScore{Query: search.NewDisjunction(qs...)}
}

func (c *Context) objectExists(object string) search.Query {
	var qs []search.Query
	for _, n := range c.matchNames(object + ".*") {
		if i := strings.LastIndexByte(n, '.'); i > 0 && strings.HasPrefix(n[i+1:], "_") {
			continue
		}
		if r := c.lookup(n); r != nil {
			qs = append(qs, c.existsField(r))
		}
	}
	if len(qs) == 0 {
		return search.MatchNone{}
	}
	return &search.ConstantScore{Query: search.NewDisjunction(qs...)}
}
