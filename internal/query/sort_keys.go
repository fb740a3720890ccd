package query

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene/search"
)

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
