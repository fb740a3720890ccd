package query

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

// SortSpec is the sort of a request, without an index. It is immutable; nil is by score.
type SortSpec struct{ keys []sortSpec }

type sortSpec struct {
	field        string // _score, _doc, or a field
	desc         bool
	missing      any // nil: _last
	unmappedType string
	mode         string
	numericType  string
	nested       string
	nestedFilter node
	geo          *geoSort
}

type geoSort struct {
	points         []point
	unit           float64
	ignoreUnmapped bool
}

// ParseSort reads the parameter sort: a name, an object, or a list of them. nil, and a sort by score alone, is a nil
// SortSpec.
func ParseSort(raw any) (*SortSpec, error) {
	if raw == nil {
		return nil, nil
	}
	list, ok := raw.([]any)
	if !ok {
		list = []any{raw}
	}
	s := &SortSpec{}
	for _, e := range list {
		switch x := e.(type) {
		case string:
			s.keys = append(s.keys, sortSpec{field: x, desc: x == "_score"})
		case *xcontent.Object:
			for _, m := range x.Members {
				k, err := parseSortKey(m.Key, m.Value)
				if err != nil {
					return nil, err
				}
				s.keys = append(s.keys, k)
			}
		default:
			return nil, apierr.IllegalArgument("malformed sort format, within the sort array, an object, or an actual string are allowed")
		}
	}
	if len(s.keys) == 0 || len(s.keys) == 1 && s.keys[0].field == "_score" && s.keys[0].desc {
		return nil, nil
	}
	return s, nil
}

func parseOrder(v any) (desc bool, err error) {
	switch s := strings.ToLower(valueText(v)); s {
	case "asc":
		return false, nil
	case "desc":
		return true, nil
	default:
		return false, apierr.IllegalArgument("No enum constant org.opensearch.search.sort.SortOrder.%s", strings.ToUpper(s))
	}
}

func parseSortKey(field string, v any) (sortSpec, error) {
	k := sortSpec{field: field, desc: field == "_score"}
	o, ok := v.(*xcontent.Object)
	if !ok {
		var err error
		if field == "_geo_distance" || field == "_script" || !isScalar(v) {
			return k, apierr.IllegalArgument("malformed sort format, either start array, start object, or an actual string")
		}
		k.desc, err = parseOrder(v)
		return k, err
	}
	switch field {
	case "_script":
		return k, apierr.NotImplemented("sorting by a script is not built in this server")
	case "_geo_distance":
		return parseGeoSort(o)
	}
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "order":
			k.desc, err = parseOrder(m.Value)
		case "missing":
			k.missing = m.Value
		case "unmapped_type":
			k.unmappedType = valueText(m.Value)
		case "mode":
			k.mode, err = parseSortMode(m.Value)
		case "numeric_type":
			k.numericType = strings.ToLower(valueText(m.Value))
			switch k.numericType {
			case "long", "double", "date", "date_nanos":
			default:
				err = apierr.IllegalArgument("invalid value for [numeric_type], must be [long, double, date, date_nanos], got %s", k.numericType)
			}
		case "nested":
			err = k.parseNested(m.Value)
		case "nested_path":
			k.nested = valueText(m.Value)
		case "nested_filter":
			k.nestedFilter, err = parseQuery(m.Value, 0)
		default:
			err = apierr.XContentParse("[field_sort] unknown field [%s]", m.Key)
		}
		if err != nil {
			return k, err
		}
	}
	return k, nil
}

func parseSortMode(v any) (string, error) {
	s := strings.ToLower(valueText(v))
	if _, ok := valueModes[s]; !ok {
		return "", apierr.IllegalArgument("Unknown SortMode [%s]", valueText(v))
	}
	return s, nil
}

func (k *sortSpec) parseNested(v any) error {
	o, ok := v.(*xcontent.Object)
	if !ok {
		return apierr.IllegalArgument("malformed nested format, must start with an object")
	}
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "path":
			k.nested = valueText(m.Value)
		case "filter":
			k.nestedFilter, err = parseQuery(m.Value, 0)
		default:
			err = apierr.NotImplemented("[%s] in the nested part of a sort is not built in this server", m.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseGeoSort(o *xcontent.Object) (sortSpec, error) {
	k := sortSpec{field: "", geo: &geoSort{unit: 1}}
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "order":
			k.desc, err = parseOrder(m.Value)
		case "mode":
			k.mode, err = parseSortMode(m.Value)
		case "unit":
			u, ok := units[valueText(m.Value)]
			if !ok {
				err = apierr.IllegalArgument("No geo distance unit match [%s]", valueText(m.Value))
			}
			k.geo.unit = u
		case "distance_type", "validation_method":
		case "ignore_unmapped":
			k.geo.ignoreUnmapped, err = toBool(m.Value)
		case "nested", "nested_path", "nested_filter":
			err = apierr.NotImplemented("a geo distance sort on nested documents is not built in this server")
		default:
			if k.field != "" {
				return k, apierr.Parsing("Trying to reset fieldName to [%s], already set to [%s].", m.Key, k.field)
			}
			k.field = m.Key
			k.geo.points, err = parsePoints(m.Value)
		}
		if err != nil {
			return k, err
		}
	}
	if k.field == "" || len(k.geo.points) == 0 {
		return k, apierr.IllegalArgument("Cannot sort by _geo_distance: no point was provided")
	}
	return k, nil
}

// parsePoints reads one point or a list of points.
func parsePoints(v any) ([]point, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	} else if len(list) >= 2 {
		if _, number := list[0].(json.Number); number {
			list = []any{v}
		}
	}
	var out []point
	for _, e := range list {
		p, err := parsePoint(e)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// Sort is the sort of a request on one index.
type Sort struct {
	// Fields are the criteria, for search.ByFields; nil is by score, for search.ByScore.
	Fields []search.SortField
	keys   []sortKey
}

// sortKey is how the values of one criterion look outside.
type sortKey struct {
	field  search.SortField
	format func(v any) any          // a value of search.Hit.Sort as JSON
	parse  func(v any) (any, error) // and back
	desc   bool
}

// Bind returns the sort for an index; a nil spec is by score.
func (s *SortSpec) Bind(c *Context) (*Sort, error) {
	out := &Sort{}
	if s == nil {
		return out, nil
	}
	for _, k := range s.keys {
		key, err := c.sortKey(k)
		if err != nil {
			return nil, err
		}
		out.keys = append(out.keys, key)
		out.Fields = append(out.Fields, key.field)
	}
	return out, nil
}

// NeedsScores tells whether scores decide about the order.
func (s *Sort) NeedsScores() bool {
	for _, f := range s.Fields {
		if f.Type == search.SortScore {
			return true
		}
	}
	return s.Fields == nil
}

// Render returns the values of a hit as they stand in the answer under "sort".
func (s *Sort) Render(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = s.keys[i].format(v)
	}
	return out
}

// Compare orders the values of two hits, perhaps of different indices: negative if a comes first. Ties are the caller's.
func (s *Sort) Compare(a, b []any) int {
	for i, k := range s.keys {
		if c := compareValues(k, a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareValues(k sortKey, a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil || b == nil:
		first := -1
		if (k.field.Missing == search.MissingFirst) != (a == nil) {
			first = 1
		}
		return first
	}
	c := 0
	switch x := a.(type) {
	case []byte:
		if y, ok := b.([]byte); ok {
			c = bytes.Compare(x, y)
		} else {
			c = strings.Compare(string(x), fmt.Sprint(b))
		}
	case int64:
		if y, ok := b.(int64); ok {
			c = cmp.Compare(x, y)
		} else {
			c = cmp.Compare(asFloat(a), asFloat(b))
		}
	case uint64:
		if y, ok := b.(uint64); ok {
			c = cmp.Compare(x, y)
		} else {
			c = cmp.Compare(asFloat(a), asFloat(b))
		}
	default:
		c = cmp.Compare(asFloat(a), asFloat(b))
	}
	if k.desc {
		return -c
	}
	return c
}

func asFloat(v any) float64 {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case uint64:
		return float64(x)
	case float64:
		return x
	}
	return math.NaN()
}

// After reads search_after; the hit is for ByFields.After (and, of a sort by score, for ByScore.After).
func (s *Sort) After(values []any) (*search.Hit, error) {
	keys := s.keys
	if keys == nil {
		keys = []sortKey{scoreKey(true)}
	}
	if len(values) != len(keys) {
		return nil, apierr.IllegalArgument("search_after has %d value(s) but sort has %d.", len(values), len(keys))
	}
	h := &search.Hit{Doc: math.MaxInt32}
	for i, v := range values {
		x, err := keys[i].parse(v)
		if err != nil {
			return nil, err
		}
		h.Sort = append(h.Sort, x)
	}
	if s.keys == nil {
		h.Score = float32(h.Sort[0].(float64))
		h.Sort = nil
	}
	return h, nil
}

func scoreKey(desc bool) sortKey {
	return sortKey{field: search.SortField{Type: search.SortScore, Reverse: !desc}, desc: desc,
		format: func(v any) any { return Float(v.(float64)) },
		parse:  func(v any) (any, error) { return parseSortNumber(v, "_score") }}
}

// Float is a score or another 32-bit number that JSON shows as Java does.
type Float float32

// MarshalJSON implements json.Marshaler.
func (f Float) MarshalJSON() ([]byte, error) { return number(float64(f), 32) }

// Double is a 64-bit number that JSON shows as Java does.
type Double float64

// MarshalJSON implements json.Marshaler.
func (d Double) MarshalJSON() ([]byte, error) { return number(float64(d), 64) }

func number(f float64, bits int) ([]byte, error) {
	s := javavalue.Float(f, bits)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		s = strconv.Quote(s)
	}
	return []byte(s), nil
}

func parseSortNumber(v any, field string) (any, error) {
	if v == nil {
		return nil, nil
	}
	f, err := toFloat(v)
	if err != nil {
		return nil, apierr.IllegalArgument("Failed to parse search_after value for field [%s].", field).Because(err)
	}
	return f, nil
}

func (c *Context) sortKey(k sortSpec) (sortKey, error) {
	switch {
	case k.geo != nil:
		return c.geoKey(k)
	case k.field == "_score":
		return scoreKey(k.desc), nil
	case k.field == "_doc":
		whole := func(v any) (any, error) { return parseWhole(v, "_doc", nil) }
		return sortKey{field: search.SortField{Type: search.SortDoc, Reverse: k.desc}, desc: k.desc, format: func(v any) any { return v }, parse: whole}, nil
	}
	r := c.lookup(k.field)
	if r == nil {
		if k.unmappedType == "" {
			return sortKey{}, c.shardError("No mapping found for [%s] in order to sort on", k.field)
		}
		return c.unmappedKey(k)
	}
	if err := c.sortable(r); err != nil {
		return sortKey{}, err
	}
	nested, err := c.nestedSort(k, r)
	if err != nil {
		return sortKey{}, err
	}
	f := search.SortField{Field: r.Name(), Reverse: k.desc, Mode: search.ModeMin}
	if k.desc {
		f.Mode = search.ModeMax
	}
	if k.mode != "" {
		f.Mode = valueModes[k.mode]
	}
	switch k.missing {
	case nil, "_last":
	case "_first":
		f.Missing = search.MissingFirst
	default:
		f.Missing = search.MissingAs
	}
	kind, numeric := columnKind(r)
	if !numeric {
		return c.stringKey(k, r, f, nested)
	}
	f.Type, f.Kind = search.SortNumber, kind
	return c.numberKey(k, r, f, nested)
}

// sortable fails for fields that cannot be sorted by.
func (c *Context) sortable(r *ref) error {
	if err := r.Usable(); err != nil {
		return err
	}
	switch r.Kind() {
	case mapping.KindText:
		return textFielddata(r)
	case mapping.KindGeoPoint:
		return apierr.IllegalArgument("can't sort on geo_point field without using specific sorting feature, like geo_distance")
	case mapping.KindMetadata:
		switch r.Name() {
		case "_seq_no", "_version", "_primary_term", "_doc_count":
			return nil
		case "_id":
			return apierr.NotImplemented("sorting by [_id] is not built in this server: it needs the ids of all documents in memory")
		}
		return apierr.IllegalArgument("Fielddata is not supported on field [%s] of type [%s]", r.Name(), r.Name())
	case mapping.KindRange, mapping.KindBinary, mapping.KindFlatObject:
		return apierr.IllegalArgument("Fielddata is not supported on field [%s] of type [%s]", r.Name(), r.Type())
	}
	return needColumn(r)
}

func textFielddata(r *ref) error {
	if r.Type() == "match_only_text" {
		return apierr.IllegalArgument("Fielddata is not supported on field [%s] of type [%s]", r.Name(), r.Type())
	}
	return apierr.IllegalArgument("Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [%s] in order to load field data by uninverting the inverted index. Note that this can use significant memory.", r.Name())
}

func (c *Context) stringKey(k sortSpec, r *ref, f search.SortField, n *nestedSort) (sortKey, error) {
	if f.Mode == search.ModeSum || f.Mode == search.ModeAvg || f.Mode == search.ModeMedian {
		return sortKey{}, c.shardError("we only support AVG, MEDIAN and SUM on number based fields")
	}
	if k.numericType != "" {
		return sortKey{}, c.shardError("[numeric_type] option cannot be set on a non-numeric field, got %s", r.Type())
	}
	if n != nil {
		return sortKey{}, apierr.NotImplemented("sorting by strings of nested documents is not built in this server")
	}
	if f.Missing == search.MissingAs {
		return sortKey{}, apierr.NotImplemented("[missing] with a value is not built for the strings of field [%s]", r.Name())
	}
	f.Type = search.SortString
	key := sortKey{field: f, desc: k.desc}
	if r.Kind() == mapping.KindIP {
		key.format = func(v any) any {
			if b, ok := v.([]byte); ok {
				return mapping.FormatIP(b)
			}
			return nil
		}
		key.parse = func(v any) (any, error) {
			if v == nil {
				return nil, nil
			}
			return mapping.ParseIP(valueText(v))
		}
		return key, nil
	}
	key.format = func(v any) any {
		if b, ok := v.([]byte); ok {
			return string(b)
		}
		return nil
	}
	key.parse = func(v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		return []byte(valueText(v)), nil
	}
	return key, nil
}

func (c *Context) numberKey(k sortSpec, r *ref, f search.SortField, n *nestedSort) (sortKey, error) {
	key := sortKey{desc: k.desc}
	double := f.Kind == search.KindDouble || f.Kind == search.KindFloat || f.Kind == search.KindHalfFloat
	if r.Kind() == mapping.KindScaledFloat {
		double = true
		f.Kind = search.KindDouble
		f.Source = scaled{search.Column{Field: r.Name(), Kind: search.KindLong, Mode: f.Mode}, 1 / r.ScalingFactor()}
	}
	nanos := r.Kind() == mapping.KindDate && r.Nanos()
	if k.numericType != "" {
		src := f.Source
		if src == nil {
			src = search.Column{Field: r.Name(), Kind: f.Kind, Mode: f.Mode}
		}
		conv := convert{src: src, from: f.Kind}
		switch k.numericType {
		case "double":
			conv.to, double = toDouble, true
			f.Kind = search.KindDouble
		case "long":
			conv.to, double = toLong, false
			f.Kind = search.KindLong
		case "date":
			double = false
			if nanos {
				conv.to = nanosToMillis
			} else {
				conv.to = toLong
			}
			f.Kind, nanos = search.KindLong, false
		case "date_nanos":
			double = false
			if !nanos {
				conv.to = millisToNanos
			} else {
				conv.to = toLong
			}
			f.Kind, nanos = search.KindLong, true
		}
		f.Source = conv
	}
	if n != nil {
		src := f.Source
		if src == nil {
			src = search.Column{Field: r.Name(), Kind: f.Kind, Mode: f.Mode}
		}
		f.Source = &nestedValues{src: src, mode: f.Mode, kind: f.Kind, nested: n}
	}
	c.missingKey(k, r, &f)
	if f.Missing == search.MissingAs && k.missing != nil && k.missing != "_first" && k.missing != "_last" {
		var err error
		if f.MissingKey, err = c.missingValue(k, r, f.Kind, double); err != nil {
			return key, err
		}
	}
	key.field = f
	switch {
	case r.Kind() == mapping.KindDate || nanos:
		return c.dateKey(key, r, nanos)
	case double:
		single := f.Kind == search.KindFloat || f.Kind == search.KindHalfFloat
		key.format = func(v any) any {
			x, ok := v.(float64)
			if !ok {
				return nil
			}
			if single {
				return Float(x)
			}
			return Double(x)
		}
		key.parse = func(v any) (any, error) { return parseSortNumber(v, k.field) }
	case f.Kind == search.KindUnsigned:
		key.format = func(v any) any { return v }
		key.parse = func(v any) (any, error) {
			if v == nil {
				return nil, nil
			}
			u, err := toUnsigned(v)
			return u, err
		}
	default:
		key.format = func(v any) any { return v }
		key.parse = func(v any) (any, error) { return parseWhole(v, k.field, r) }
	}
	return key, nil
}

func parseWhole(v any, field string, r *ref) (any, error) {
	if v == nil {
		return nil, nil
	}
	if r != nil && r.Kind() == mapping.KindBoolean {
		if b, err := toBool(v); err == nil {
			if b {
				return int64(1), nil
			}
			return int64(0), nil
		}
	}
	n, err := toWhole(v, "long")
	if err != nil {
		return nil, apierr.IllegalArgument("Failed to parse search_after value for field [%s].", field).Because(err)
	}
	return n, nil
}

// missingKey gives documents without a value the number that OpenSearch shows for them: the extreme of the type that
// it sorts by, which for small integers and booleans is that of an int.
func (c *Context) missingKey(k sortSpec, r *ref, f *search.SortField) {
	if f.Missing == search.MissingAs || k.numericType != "" || c.WideSort {
		return
	}
	if r.Kind() != mapping.KindInteger && r.Kind() != mapping.KindBoolean {
		return
	}
	key := int64(math.MaxInt32)
	if (f.Missing == search.MissingFirst) != k.desc {
		key = math.MinInt32
	}
	f.Missing, f.MissingKey = search.MissingAs, key
}

func (c *Context) missingValue(k sortSpec, r *ref, kind search.Kind, double bool) (int64, error) {
	if double {
		f, err := toFloat(k.missing)
		return search.SortableDouble(f), err
	}
	switch {
	case kind == search.KindUnsigned:
		u, err := toUnsigned(k.missing)
		return int64(u ^ 1<<63), err
	case r.Kind() == mapping.KindDate:
		if s, ok := k.missing.(string); ok {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				return n, nil
			}
		}
	case r.Kind() == mapping.KindBoolean:
		if b, ok := k.missing.(bool); ok {
			if b {
				return 1, nil
			}
			return 0, nil
		}
	}
	return toWhole(k.missing, "long")
}

// dateKey shows dates as milliseconds and reads them in the format of the field too.
func (c *Context) dateKey(key sortKey, r *ref, nanos bool) (sortKey, error) {
	format := r.DateFormat()
	if format == nil {
		format = dateformat.MustParse(dateformat.Default)
	}
	key.format = func(v any) any {
		n, ok := v.(int64)
		if !ok {
			return nil
		}
		return n
	}
	key.parse = func(v any) (any, error) {
		switch x := v.(type) {
		case nil:
			return nil, nil
		case json.Number:
			if n, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
				return n, nil
			}
		case string:
			if n, err := strconv.ParseInt(x, 10, 64); err == nil && len(x) > 4 {
				return n, nil
			}
		}
		return c.date(format, valueText(v), false, nil, nanos)
	}
	return key, nil
}

func (c *Context) geoKey(k sortSpec) (sortKey, error) {
	mode := search.ModeMin
	if k.desc {
		mode = search.ModeMax
	}
	if k.mode != "" {
		if k.mode == "sum" {
			return sortKey{}, apierr.IllegalArgument("sort_mode [sum] isn't supported for sorting by geo distance")
		}
		mode = valueModes[k.mode]
	}
	key := sortKey{desc: k.desc, field: search.SortField{Type: search.SortNumber, Kind: search.KindDouble, Reverse: k.desc},
		format: func(v any) any {
			x, ok := v.(float64)
			if !ok {
				return nil
			}
			return Double(x)
		},
		parse: func(v any) (any, error) { return parseSortNumber(v, "_geo_distance") }}
	r := c.lookup(k.field)
	if r == nil {
		if k.geo.ignoreUnmapped {
			key.field.Field = k.field
			key.field.Missing, key.field.MissingKey = search.MissingAs, search.SortableDouble(math.Inf(1))
			return key, nil
		}
		return key, apierr.IllegalArgument("failed to find mapper for [%s] for geo distance based sort", k.field)
	}
	if r.Kind() != mapping.KindGeoPoint {
		return key, apierr.IllegalArgument("unable to apply geo distance sort to field [%s] of type [%s]", k.field, r.Type())
	}
	if err := needColumn(r); err != nil {
		return key, err
	}
	key.field.Field = r.Name()
	var srcs []search.ValueSource
	for _, p := range k.geo.points {
		srcs = append(srcs, search.GeoDistances{Field: r.Name(), Lat: p.lat, Lon: p.lon, Mode: mode})
	}
	key.field.Source = distances{srcs, mode, k.geo.unit}
	// Without a point a document counts as infinitely far, in either direction.
	key.field.Missing, key.field.MissingKey = search.MissingAs, search.SortableDouble(math.Inf(1))
	return key, nil
}

// unmappedKey sorts by a field that the index does not have: every document lacks it.
func (c *Context) unmappedKey(k sortSpec) (sortKey, error) {
	f := search.SortField{Field: k.field, Reverse: k.desc}
	if k.missing == "_first" {
		f.Missing = search.MissingFirst
	}
	switch k.unmappedType {
	case "keyword", "ip", "text":
		if k.unmappedType == "text" {
			return sortKey{}, apierr.IllegalArgument("Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [__anonymous_text] in order to load field data by uninverting the inverted index. Note that this can use significant memory.")
		}
		f.Type = search.SortString
		return sortKey{field: f, desc: k.desc, format: func(any) any { return nil }, parse: func(v any) (any, error) {
			if v == nil {
				return nil, nil
			}
			return []byte(valueText(v)), nil
		}}, nil
	}
	f.Type = search.SortNumber
	key := sortKey{desc: k.desc, format: func(v any) any { return v }, parse: func(v any) (any, error) { return parseWhole(v, k.field, nil) }}
	switch k.unmappedType {
	case "integer", "short", "byte", "boolean":
		if !c.WideSort {
			f.MissingKey = math.MaxInt32
			if (f.Missing == search.MissingFirst) != k.desc {
				f.MissingKey = math.MinInt32
			}
			f.Missing = search.MissingAs
		}
	case "long", "date", "date_nanos":
	case "unsigned_long":
		f.Kind = search.KindUnsigned
		key.parse = func(v any) (any, error) {
			if v == nil {
				return nil, nil
			}
			return toUnsigned(v)
		}
	case "double", "float", "half_float", "scaled_float":
		f.Kind = search.KindDouble
		single := k.unmappedType == "float" || k.unmappedType == "half_float"
		key.format = func(v any) any {
			if x, ok := v.(float64); ok && single {
				return Float(x)
			} else if ok {
				return Double(x)
			}
			return nil
		}
		key.parse = func(v any) (any, error) { return parseSortNumber(v, k.field) }
	default:
		return key, apierr.IllegalArgument("No mapper found for type [%s]", k.unmappedType)
	}
	key.field = f
	return key, nil
}
