package query

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
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

// Compare orders the values of two hits, perhaps of different indices: negative if a comes first. Ties are the caller's. Texts of one
// index and numbers of another have no order: that is an error, as in a real node.
func (s *Sort) Compare(a, b []any) (int, error) {
	for i, k := range s.keys {
		c, ok := compareValues(k, a[i], b[i])
		if !ok {
			return 0, apierr.New(http.StatusInternalServerError, "class_cast_exception",
				"cannot sort by criterion [%d]: it has texts in one of the indices and numbers in another; sort by a field that has the same type in all of them", i+1)
		}
		if c != 0 {
			return c, nil
		}
	}
	return 0, nil
}

// compareValues orders two values of a criterion; false where they have no order.
func compareValues(k sortKey, a, b any) (int, bool) {
	switch {
	case a == nil && b == nil:
		return 0, true
	case a == nil || b == nil:
		first := -1
		if (k.field.Missing == search.MissingFirst) != (a == nil) {
			first = 1
		}
		return first, true
	}
	c := 0
	x, aText := a.([]byte)
	y, bText := b.([]byte)
	switch {
	case aText != bText:
		return 0, false
	case aText:
		c = bytes.Compare(x, y)
	default:
		c = compareNumbers(a, b)
	}
	if k.desc {
		return -c, true
	}
	return c, true
}

func compareNumbers(a, b any) int {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	case uint64:
		if y, ok := b.(uint64); ok {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(asFloat(a), asFloat(b))
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
