package query

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene/search"
)

// bounds are the sides of a range; nil is open.
type bounds struct {
	from, to                   any
	includeLower, includeUpper bool
	zone                       *time.Location
	format                     *dateformat.Formatter
	relation                   string // of range fields: intersects, contains, within
}

// numberTerms seeks exact numbers. Numbers with a fraction are in no integer field.
func (c *Context) numberTerms(r *ref, values []any, single bool) (search.Query, error) {
	var points [][]byte
	var column []int64
	for _, v := range values {
		switch r.Kind() {
		case mapping.KindInteger, mapping.KindLong, mapping.KindUnsignedLong, mapping.KindMetadata:
			fraction, err := hasDecimalPart(v)
			if err != nil {
				return nil, err
			}
			if fraction {
				continue
			}
		}
		p, key, err := r.number(v)
		if err != nil {
			return nil, err
		}
		points, column = append(points, p), append(column, key)
	}
	if len(points) == 0 {
		return search.MatchNone{}, nil
	}
	if single || len(points) == 1 {
		return either(r, &search.PointRange{Field: r.Name(), Dims: 1, Lower: points[0], Upper: points[0]},
			&search.NumericRange{Field: r.Name(), Lo: column[0], Hi: column[0]}), nil
	}
	return either(r, &search.PointSet{Field: r.Name(), Dims: 1, Values: points}, &search.NumericSet{Field: r.Name(), Values: column}), nil
}

// number encodes a value as point and column of a numeric field hold it.
func (r *ref) number(v any) (point []byte, column int64, err error) {
	switch r.Kind() {
	case mapping.KindInteger:
		n, err := toWhole(v, "integer") // short and byte too: their points are ints
		return search.EncodeInt(int32(n)), n, err
	case mapping.KindLong, mapping.KindMetadata:
		n, err := toWhole(v, "long")
		return search.EncodeLong(n), n, err
	case mapping.KindUnsignedLong:
		u, err := toUnsigned(v)
		return unsignedPoint(u), int64(u), err
	}
	bits := 64
	if r.Kind() == mapping.KindFloat || r.Kind() == mapping.KindHalfFloat {
		bits = 32
	}
	f, err := parseDouble(valueText(v), bits)
	if err != nil {
		return nil, 0, err
	}
	if err := r.finite(f); err != nil {
		return nil, 0, err
	}
	switch r.Kind() {
	case mapping.KindHalfFloat:
		h := halfFloat(float32(f))
		return halfPoint(h), int64(h), nil
	case mapping.KindFloat:
		s := search.SortableFloat(float32(f))
		return search.EncodeInt(s), int64(s), nil
	case mapping.KindScaledFloat:
		n := javaRound(f * r.ScalingFactor())
		return search.EncodeLong(n), n, nil
	}
	s := search.SortableDouble(f)
	return search.EncodeLong(s), s, nil
}

func (r *ref) finite(f float64) error {
	bad := math.IsNaN(f) || math.IsInf(f, 0)
	bits := 64
	switch r.Kind() {
	case mapping.KindHalfFloat:
		bits = 32
		bad = bad || math.IsInf(halfValue(halfFloat(float32(f))), 0)
	case mapping.KindFloat:
		bits = 32
	case mapping.KindScaledFloat:
		return nil
	}
	if bad {
		return apierr.IllegalArgument("[%s] supports only finite values, but got [%s]", r.Type(), javavalue.Float(f, bits))
	}
	return nil
}

func unsignedPoint(u uint64) []byte {
	b := make([]byte, 16)
	b[0] = 0x80
	binary.BigEndian.PutUint64(b[8:], u)
	return b
}

func halfPoint(h int16) []byte { return binary.BigEndian.AppendUint16(nil, uint16(h)^0x8000) }

// javaRound is Java's Math.round.
func javaRound(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	fl := math.Floor(f)
	if f-fl >= 0.5 {
		fl++
	}
	return int64(fl)
}

// rangeQuery matches documents whose field lies within bounds.
func (c *Context) rangeQuery(r *ref, b *bounds) (search.Query, error) {
	if err := r.Usable(); err != nil {
		return nil, err
	}
	switch r.Kind() {
	case mapping.KindText, mapping.KindKeyword, mapping.KindFlatObject:
		return c.stringRange(r, b)
	case mapping.KindMetadata:
		if r.Name() == "_seq_no" {
			return c.wholeRange(r, b)
		}
		if r.textual() {
			return c.stringRange(r, b)
		}
		return nil, apierr.IllegalArgument("Field [%s] of type [%s] does not support range queries", r.Name(), r.Name())
	case mapping.KindGeoPoint, mapping.KindBinary, mapping.KindConstant:
		return nil, apierr.IllegalArgument("Field [%s] of type [%s] does not support range queries", r.Name(), r.Type())
	}
	if err := r.indexedOrColumn(); err != nil {
		return nil, err
	}
	switch r.Kind() {
	case mapping.KindBoolean:
		return c.boolRange(r, b)
	case mapping.KindDate:
		lo, hi, err := c.dateBounds(r, b)
		if err != nil {
			return nil, err
		}
		return longRange(r, lo, hi), nil
	case mapping.KindIP:
		lo, hi, ok, err := ipBounds(b)
		if err != nil || !ok {
			return search.MatchNone{}, err
		}
		return ipRange(r, lo, hi), nil
	case mapping.KindRange:
		return c.rangeFieldQuery(r, b)
	case mapping.KindInteger, mapping.KindLong:
		return c.wholeRange(r, b)
	case mapping.KindUnsignedLong:
		return unsignedRange(r, b)
	}
	return fractionRange(r, b)
}

func (c *Context) stringRange(r *ref, b *bounds) (search.Query, error) {
	if c.ForbidExpensive {
		return nil, expensive("[range] queries on [text] or [keyword] fields cannot be executed when 'search.allow_expensive_queries' is set to false.")
	}
	if err := r.mustSearch(); err != nil {
		return nil, err
	}
	side := func(v any) ([]byte, error) {
		if v == nil {
			return nil, nil
		}
		t, err := r.term(valueText(v))
		if t == nil {
			t = []byte{}
		}
		return t, err
	}
	lo, err := side(b.from)
	if err != nil {
		return nil, err
	}
	hi, err := side(b.to)
	if err != nil {
		return nil, err
	}
	if r.Kind() == mapping.KindFlatObject && r.path != "" {
		if lo == nil {
			lo = []byte(r.path + "=")
		}
		if hi == nil {
			hi = []byte(r.path + ">") // the character after =
		}
	}
	if !r.Searchable() {
		return &search.StringRange{Field: r.Name(), Lower: lo, Upper: hi, IncludeLower: b.includeLower, IncludeUpper: b.includeUpper}, nil
	}
	return search.NewTermRange(r.termField(), lo, hi, b.includeLower, b.includeUpper), nil
}

func (c *Context) boolRange(r *ref, b *bounds) (search.Query, error) {
	from, to, lower, upper := false, true, b.includeLower, b.includeUpper
	var err error
	if b.from == nil {
		lower = true
	} else if from, err = boolTerm(b.from); err != nil {
		return nil, err
	}
	if b.to == nil {
		upper = true
	} else if to, err = boolTerm(b.to); err != nil {
		return nil, err
	}
	switch {
	case from == to:
		if !lower || !upper {
			return search.MatchNone{}, nil
		}
		return withBoost(c.boolQuery(r, from), r), nil
	case from, !lower && !upper:
		return search.MatchNone{}, nil
	case !lower:
		return withBoost(c.boolQuery(r, true), r), nil
	case !upper:
		return withBoost(c.boolQuery(r, false), r), nil
	}
	return c.existsField(r), nil
}

func longRange(r *ref, lo, hi int64) search.Query {
	if lo > hi {
		return search.MatchNone{}
	}
	return either(r, search.NewLongRange(r.Name(), lo, hi), &search.NumericRange{Field: r.Name(), Lo: lo, Hi: hi})
}

// wholeRange rounds bounds inwards.
func (c *Context) wholeRange(r *ref, b *bounds) (search.Query, error) {
	typ := r.Type()
	if r.Kind() == mapping.KindMetadata {
		typ = "long"
	}
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	switch r.Kind() {
	case mapping.KindInteger: // short and byte too: their points are ints
		lo, hi = math.MinInt32, math.MaxInt32
		typ = "integer"
	}
	least, most := lo, hi
	var err error
	if b.from != nil {
		if lo, err = toWhole(b.from, typ); err != nil {
			return nil, err
		}
		fraction, err := hasDecimalPart(b.from)
		if err != nil {
			return nil, err
		}
		if !fraction && !b.includeLower || fraction && signum(b.from) > 0 {
			if lo == most {
				return search.MatchNone{}, nil
			}
			lo++
		}
	}
	if b.to != nil {
		if hi, err = toWhole(b.to, typ); err != nil {
			return nil, err
		}
		fraction, err := hasDecimalPart(b.to)
		if err != nil {
			return nil, err
		}
		if !fraction && !b.includeUpper || fraction && signum(b.to) < 0 {
			if hi == least {
				return search.MatchNone{}, nil
			}
			hi--
		}
	}
	if lo > hi {
		return search.MatchNone{}, nil
	}
	if r.Kind() == mapping.KindInteger {
		return either(r, search.NewIntRange(r.Name(), int32(lo), int32(hi)), &search.NumericRange{Field: r.Name(), Lo: lo, Hi: hi}), nil
	}
	return longRange(r, lo, hi), nil
}

func unsignedRange(r *ref, b *bounds) (search.Query, error) {
	lo, hi := uint64(0), uint64(math.MaxUint64)
	var err error
	if b.from != nil {
		if lo, err = toUnsigned(b.from); err != nil {
			return nil, err
		}
		if fraction, _ := hasDecimalPart(b.from); !fraction && !b.includeLower || fraction {
			if lo == math.MaxUint64 {
				return search.MatchNone{}, nil
			}
			lo++
		}
	}
	if b.to != nil {
		if hi, err = toUnsigned(b.to); err != nil {
			return nil, err
		}
		if fraction, _ := hasDecimalPart(b.to); !fraction && !b.includeUpper {
			if hi == 0 {
				return search.MatchNone{}, nil
			}
			hi--
		}
	}
	if lo > hi {
		return search.MatchNone{}, nil
	}
	var column search.Query = &search.NumericRange{Field: r.Name(), Lo: int64(lo), Hi: int64(hi)}
	if lo <= math.MaxInt64 && hi > math.MaxInt64 { // the column orders its bits as signed numbers
		column = &search.ConstantScore{Query: search.NewDisjunction(&search.NumericRange{Field: r.Name(), Lo: int64(lo), Hi: math.MaxInt64},
			&search.NumericRange{Field: r.Name(), Lo: math.MinInt64, Hi: int64(hi)})}
	}
	return either(r, &search.PointRange{Field: r.Name(), Dims: 1, Lower: unsignedPoint(lo), Upper: unsignedPoint(hi)}, column), nil
}

// fractionRange is for floating point numbers: an excluded bound moves to the next number of the type.
func fractionRange(r *ref, b *bounds) (search.Query, error) {
	bits := 64
	if r.Kind() == mapping.KindFloat || r.Kind() == mapping.KindHalfFloat {
		bits = 32
	}
	lo, hi := math.Inf(-1), math.Inf(1)
	var err error
	if b.from != nil {
		if lo, err = parseDouble(valueText(b.from), bits); err != nil {
			return nil, err
		}
	}
	if b.to != nil {
		if hi, err = parseDouble(valueText(b.to), bits); err != nil {
			return nil, err
		}
	}
	for _, f := range []float64{lo, hi} {
		if r.Kind() == mapping.KindFloat || r.Kind() == mapping.KindHalfFloat || math.IsNaN(f) {
			if !math.IsInf(f, 0) || f == lo && b.from != nil || f == hi && b.to != nil {
				if err := r.finite(f); err != nil {
					return nil, err
				}
			}
		}
	}
	above, below := b.from != nil && !b.includeLower, b.to != nil && !b.includeUpper
	switch r.Kind() {
	case mapping.KindHalfFloat:
		l, h := halfFloat(float32(lo)), halfFloat(float32(hi))
		// A bound between two numbers of half precision is rounded to a near one; it must not let in what lies outside.
		if b.from != nil && (above && halfValue(l) <= lo || halfValue(l) < lo) {
			l++
		}
		if b.to != nil && (below && halfValue(h) >= hi || halfValue(h) > hi) {
			h--
		}
		if l > h {
			return search.MatchNone{}, nil
		}
		return either(r, &search.PointRange{Field: r.Name(), Dims: 1, Lower: halfPoint(l), Upper: halfPoint(h)},
			&search.NumericRange{Field: r.Name(), Lo: int64(l), Hi: int64(h)}), nil
	case mapping.KindFloat:
		l, h := search.SortableFloat(float32(lo)), search.SortableFloat(float32(hi))
		if above {
			l = search.SortableFloat(math.Nextafter32(float32(lo), float32(math.Inf(1))))
		}
		if below {
			h = search.SortableFloat(math.Nextafter32(float32(hi), float32(math.Inf(-1))))
		}
		if l > h {
			return search.MatchNone{}, nil
		}
		return either(r, search.NewIntRange(r.Name(), l, h), &search.NumericRange{Field: r.Name(), Lo: int64(l), Hi: int64(h)}), nil
	case mapping.KindScaledFloat:
		l, h := int64(math.MinInt64), int64(math.MaxInt64)
		if b.from != nil {
			v := lo * r.ScalingFactor()
			if above {
				v = nextUp(v)
			}
			l = saturate(math.Ceil(v))
		}
		if b.to != nil {
			v := hi * r.ScalingFactor()
			if below {
				v = nextDown(v)
			}
			h = saturate(math.Floor(v))
		}
		return longRange(r, l, h), nil
	}
	if above {
		lo = nextUp(lo)
	}
	if below {
		hi = nextDown(hi)
	}
	l, h := search.SortableDouble(lo), search.SortableDouble(hi)
	return longRange(r, l, h), nil
}

// nextUp and nextDown tell the two zeros apart, as the sortable encoding does.
func nextUp(f float64) float64 {
	if f == 0 && math.Signbit(f) {
		return 0
	}
	return math.Nextafter(f, math.Inf(1))
}

func nextDown(f float64) float64 {
	if f == 0 && !math.Signbit(f) {
		return math.Copysign(0, -1)
	}
	return math.Nextafter(f, math.Inf(-1))
}

func saturate(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// dateBounds returns the instants of a range, both included, in the field's resolution.
func (c *Context) dateBounds(r *ref, b *bounds) (lo, hi int64, err error) {
	if b.relation == "disjoint" {
		return 0, 0, apierr.IllegalArgument("Field [%s] of type [%s] does not support DISJOINT ranges", r.Name(), r.Type())
	}
	format := b.format
	if format == nil {
		format = r.DateFormat()
	}
	lo, hi = math.MinInt64, math.MaxInt64
	if b.from != nil {
		if lo, err = c.date(format, valueText(b.from), !b.includeLower, b.zone, r.Nanos()); err != nil {
			return 0, 0, err
		}
		if !b.includeLower && lo != math.MaxInt64 {
			lo++
		}
	}
	if b.to != nil {
		if hi, err = c.date(format, valueText(b.to), b.includeUpper, b.zone, r.Nanos()); err != nil {
			return 0, 0, err
		}
		if !b.includeUpper && hi != math.MinInt64 {
			hi--
		}
	}
	return lo, hi, nil
}

// date evaluates a date or date math.
func (c *Context) date(format *dateformat.Formatter, text string, up bool, zone *time.Location, nanos bool) (int64, error) {
	t, err := format.Math(text, c.now, up, zone)
	if err != nil {
		if e := apierr.As(err); e != nil && e.Type == "illegal_argument_exception" {
			return 0, apierr.New(400, "parse_exception", "failed to parse date field [%s] with format [%s]: [%s]", text, format, e.Reason).Because(e)
		}
		return 0, err
	}
	if !nanos {
		return t.UnixMilli(), nil
	}
	if t.Before(time.Unix(0, 0)) {
		return 0, apierr.IllegalArgument("date[%s] is before the epoch in 1970 and cannot be stored in nanosecond resolution", t.UTC().Format(time.RFC3339Nano))
	}
	if t.After(time.Unix(0, math.MaxInt64)) {
		return 0, apierr.IllegalArgument("date[%s] is after 2262-04-11T23:47:16.854775807 and cannot be stored in nanosecond resolution", t.UTC().Format(time.RFC3339Nano))
	}
	return t.UnixNano(), nil
}

// rangeFieldQuery matches range fields by how their ranges lie to the bounds.
func (c *Context) rangeFieldQuery(r *ref, b *bounds) (search.Query, error) {
	if !r.Searchable() {
		return nil, apierr.NotImplemented("field [%s] of type [%s] is not indexed, and this server does not search its column", r.Name(), r.Type())
	}
	var lo, hi, least, most []byte
	switch kind := r.RangeKind(); kind {
	case "integer", "long":
		typ, encode := kind, func(n int64) []byte { return search.EncodeLong(n) }
		from, to := int64(math.MinInt64), int64(math.MaxInt64)
		if kind == "integer" {
			encode = func(n int64) []byte { return search.EncodeInt(int32(n)) }
			from, to = math.MinInt32, math.MaxInt32
		}
		least, most = encode(from), encode(to)
		whole := func(v any, step int64, up bool, limit int64) (int64, error) {
			n, err := toWhole(v, typ)
			if err != nil {
				return 0, err
			}
			fraction, err := hasDecimalPart(v)
			if err != nil {
				return 0, err
			}
			if fraction && (up && signum(v) > 0 || !up && signum(v) < 0) || !fraction && step != 0 {
				if n != limit {
					if up {
						n++
					} else {
						n--
					}
				}
			}
			return n, nil
		}
		excluded := func(included bool) int64 {
			if included {
				return 0
			}
			return 1
		}
		top, bottom := to, from
		var err error
		if b.from != nil {
			if from, err = whole(b.from, excluded(b.includeLower), true, top); err != nil {
				return nil, err
			}
		}
		if b.to != nil {
			if to, err = whole(b.to, excluded(b.includeUpper), false, bottom); err != nil {
				return nil, err
			}
		}
		lo, hi = encode(from), encode(to)
	case "date":
		from, to, err := c.dateBounds(r, b)
		if err != nil {
			return nil, err
		}
		least, most = search.EncodeLong(math.MinInt64), search.EncodeLong(math.MaxInt64)
		lo, hi = search.EncodeLong(from), search.EncodeLong(to)
	case "float", "double":
		bits, encode := 64, func(f float64) []byte { return search.EncodeLong(search.SortableDouble(f)) }
		up, down := nextUp, nextDown
		if kind == "float" {
			bits = 32
			encode = func(f float64) []byte { return search.EncodeInt(search.SortableFloat(float32(f))) }
			up = func(f float64) float64 { return float64(math.Nextafter32(float32(f), float32(math.Inf(1)))) }
			down = func(f float64) float64 { return float64(math.Nextafter32(float32(f), float32(math.Inf(-1)))) }
		}
		from, to := math.Inf(-1), math.Inf(1)
		least, most = encode(from), encode(to)
		var err error
		if b.from != nil {
			if from, err = parseDouble(valueText(b.from), bits); err != nil {
				return nil, err
			}
			if !b.includeLower {
				from = up(from)
			}
		}
		if b.to != nil {
			if to, err = parseDouble(valueText(b.to), bits); err != nil {
				return nil, err
			}
			if !b.includeUpper {
				to = down(to)
			}
		}
		lo, hi = encode(from), encode(to)
	default:
		var ok bool
		var err error
		least, most = leastIP, greatestIP
		if lo, hi, ok, err = ipBounds(b); err != nil || !ok {
			return search.MatchNone{}, err
		}
	}
	if string(lo) > string(hi) {
		return search.MatchNone{}, nil
	}
	box := func(fromMin, fromMax, toMin, toMax []byte) search.Query {
		return &search.PointRange{Field: r.Name(), Dims: 2, Lower: join(fromMin, toMin), Upper: join(fromMax, toMax)}
	}
	switch b.relation {
	case "within":
		return box(lo, hi, lo, hi), nil
	case "contains":
		return box(least, lo, hi, most), nil
	}
	return box(least, hi, lo, most), nil
}

func join(a, b []byte) []byte { return append(append(make([]byte, 0, len(a)+len(b)), a...), b...) }

func expensive(text string) error { return apierr.New(500, "exception", "%s", text) }
