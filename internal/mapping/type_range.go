package mapping

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"sort"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/lucene"
)

// rangeType is one of the range field types. A bound is an int64 (whole numbers, dates), a float64, or
// the 16 bytes of an address.
type rangeType struct {
	name     string
	kind     rangeKind
	min, max any
	bytes    int32
}

type rangeKind uint8

const (
	rangeInt rangeKind = iota
	rangeLong
	rangeDate
	rangeFloat
	rangeDouble
	rangeIP
)

var rangeTypes = []*rangeType{
	{"integer_range", rangeInt, int64(math.MinInt32), int64(math.MaxInt32), 4},
	{"long_range", rangeLong, int64(math.MinInt64), int64(math.MaxInt64), 8},
	{"date_range", rangeDate, int64(math.MinInt64), int64(math.MaxInt64), 8},
	{"float_range", rangeFloat, math.Inf(-1), math.Inf(1), 4},
	{"double_range", rangeDouble, math.Inf(-1), math.Inf(1), 8},
	{"ip_range", rangeIP, make([]byte, 16), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 16},
}

// valueRange is a range with both bounds included.
type valueRange struct{ from, to any }

func rangeTypeDef(r *rangeType) *typeDef {
	format := stringParam("format", false, dateformat.Default)
	locale := stringParam("locale", false, "")
	if r.kind != rangeDate {
		format.hidden, locale.hidden = true, true
	}
	return &typeDef{name: r.name, kind: KindRange,
		params: []*param{boolParam("index", false, true), boolParam("doc_values", false, true), boolParam("store", false, false),
			explicitParam("coerce", coerceDefault), format, locale, boostParam(), metaParam(), settingBoolParam("ignore_malformed", ignoreMalformedDefault)},
		resolve: func(f *Field) error {
			f.rangeOf = r
			ft := &lucene.FieldType{}
			if f.searchable {
				ft.PointDims, ft.PointIndexDims, ft.PointBytes = 2, 2, r.bytes
			}
			if f.docValues {
				ft.DocValuesType = lucene.DocValuesBinary
			}
			f.schema = ft
			if f.str("format") != dateformat.Default && r.kind != rangeDate {
				return apierr.IllegalArgument("field [%s] of type [range] should not define a dateTimeFormatter unless it is a DATE type", f.simple)
			}
			if r.kind == rangeDate {
				var err error
				if f.format, err = dateformat.Parse(f.str("format")); err != nil {
					return err
				}
			}
			return nil
		},
		parse: parseRange}
}

// RangeKind tells what the bounds of a range field are: "integer", "long", "date", "float", "double", "ip".
func (f *Field) RangeKind() string {
	if f.rangeOf == nil {
		return ""
	}
	return strings.TrimSuffix(f.rangeOf.name, "_range")
}

// parseRange adds one range.
func parseRange(d *docParser, f *Field) error {
	p := &d.json
	r := f.rangeOf
	var v valueRange
	switch {
	case p.kind == tokNull:
		return nil
	case p.kind == tokObjectStart:
		ok, err := f.readRange(p, &v)
		if err != nil {
			return err
		}
		if !ok {
			d.ignored(f.name)
			return nil
		}
	case r.kind == rangeIP && p.kind == tokString:
		var err error
		if v, err = parseCIDR(string(p.text)); err != nil {
			if f.bool("ignore_malformed") {
				d.ignored(f.name)
				return nil
			}
			return err
		}
	default:
		return apierr.MapperParsing("error parsing field [%s], expected an object but got %s", f.name, d.lastName)
	}
	if f.stillEmpty() {
		return nil
	}
	if f.searchable {
		if r.less(v.to, v.from) {
			return apierr.IllegalArgument("min value (%s) is greater than max value (%s)", r.text(v.from), r.text(v.to))
		}
		d.add(lucene.Field{Name: f.name, Type: f.schema, NoDocValue: true, Point: append(r.point(v.from), r.point(v.to)...)})
	}
	if f.stored {
		d.add(lucene.Field{Name: f.name, Type: f.schema, NoDocValue: true, Stored: lucene.StoredValue{Kind: lucene.StoredString,
			Bytes: []byte("[" + r.text(v.from) + " : " + r.text(v.to) + "]")}})
	}
	if f.docValues {
		d.collect(f, func(c *collected) { c.ranges = append(c.ranges, v) })
	} else {
		d.fieldName(f)
	}
	return nil
}

// readRange reads the object {"gte": …, "lt": …}; ok is false where a bound is malformed and to be ignored.
func (f *Field) readRange(p *jsonParser, v *valueRange) (ok bool, err error) {
	r := f.rangeOf
	v.from, v.to = r.min, r.max
	ok = true
	depth := len(p.stack)
	for {
		if err := p.next(); err != nil {
			return false, err
		}
		if p.kind == tokObjectEnd && len(p.stack) < depth {
			return ok, nil
		}
		name := string(p.text)
		if err := p.next(); err != nil {
			return false, err
		}
		included := name == "gte" || name == "lte"
		switch name {
		case "gt", "gte", "lt", "lte":
		default:
			return false, apierr.MapperParsing("error parsing field [%s], with unknown parameter [%s]", f.name, name)
		}
		if p.kind == tokNull {
			continue
		}
		b, err := f.readBound(p)
		if err != nil {
			if f.bool("ignore_malformed") {
				ok = false
				if err := p.skip(); err != nil {
					return false, err
				}
				continue
			}
			return false, err
		}
		if name[0] == 'g' {
			v.from = b
			if !included {
				v.from = r.next(b)
			}
		} else {
			v.to = b
			if !included {
				v.to = r.previous(b)
			}
		}
	}
}

func (f *Field) readBound(p *jsonParser) (any, error) {
	coerce := f.bool("coerce")
	switch f.rangeOf.kind {
	case rangeInt:
		return numberByName("integer").integerToken(p, coerce)
	case rangeLong:
		return numberByName("long").integerToken(p, coerce)
	case rangeFloat, rangeDouble:
		n := numberByName("double")
		if f.rangeOf.kind == rangeFloat {
			n = numberByName("float")
		}
		v, err := n.floatToken(p, coerce)
		if err == nil {
			err = n.finite(v)
		}
		return v, err
	case rangeIP:
		return ParseIP(string(p.text))
	}
	t, err := f.format.Math(string(p.text), func() time.Time { return time.Time{} }, false, nil)
	if err != nil {
		return nil, apierr.New(400, "parse_exception", "failed to parse date field [%s] with format [%s]: [%s]", p.text, f.format, reasonOf(err)).Because(err)
	}
	return t.UnixMilli(), nil
}

func numberByName(name string) *numberType {
	for _, n := range numberTypes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// parseCIDR reads an address block such as 10.0.0.0/8, or a single address.
func parseCIDR(s string) (valueRange, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return valueRange{}, apierr.IllegalArgument("Expected [ip/prefix] but was [%s]", s)
	}
	lo := p.Masked().Addr().As16()
	hi := lo
	start := p.Bits()
	if p.Addr().Is4() {
		start += 96
	}
	for i := start; i < 128; i++ {
		hi[i/8] |= 1 << (7 - i%8)
	}
	return valueRange{lo[:], hi[:]}, nil
}

// next returns the smallest value above v.
func (r *rangeType) next(v any) any {
	switch r.kind {
	case rangeInt:
		return int64(int32(v.(int64)) + 1)
	case rangeLong, rangeDate:
		if v.(int64) == math.MaxInt64 {
			return v
		}
		return v.(int64) + 1
	case rangeFloat:
		return float64(math.Nextafter32(float32(v.(float64)), float32(math.Inf(1))))
	case rangeDouble:
		return math.Nextafter(v.(float64), math.Inf(1))
	}
	return AddToIP(v.([]byte), 1)
}

// previous returns the largest value below v.
func (r *rangeType) previous(v any) any {
	switch r.kind {
	case rangeInt:
		return int64(int32(v.(int64)) - 1)
	case rangeLong, rangeDate:
		if v.(int64) == math.MinInt64 {
			return v
		}
		return v.(int64) - 1
	case rangeFloat:
		return float64(math.Nextafter32(float32(v.(float64)), float32(math.Inf(-1))))
	case rangeDouble:
		return math.Nextafter(v.(float64), math.Inf(-1))
	}
	return AddToIP(v.([]byte), -1)
}

// AddToIP adds 1 or -1 to an address as it is indexed; it wraps around.
func AddToIP(b []byte, delta int) []byte {
	out := append([]byte(nil), b...)
	for i := len(out) - 1; i >= 0; i-- {
		if delta > 0 {
			if out[i]++; out[i] != 0 {
				break
			}
		} else if out[i]--; out[i] != 0xFF {
			break
		}
	}
	return out
}

func (r *rangeType) less(a, b any) bool {
	switch x := a.(type) {
	case int64:
		return x < b.(int64)
	case float64:
		return x < b.(float64)
	}
	return string(a.([]byte)) < string(b.([]byte))
}

func (r *rangeType) text(v any) string {
	switch x := v.(type) {
	case int64:
		return javaString(x)
	case float64:
		if r.kind == rangeFloat {
			return javavalue.Float(x, 32)
		}
		return javaDouble(x)
	}
	return FormatIP(v.([]byte))
}

// point encodes one bound.
func (r *rangeType) point(v any) []byte {
	switch r.kind {
	case rangeInt:
		return intPoint(int32(v.(int64)))
	case rangeLong, rangeDate:
		return longPoint(v.(int64))
	case rangeFloat:
		return intPoint(floatToSortable(float32(v.(float64))))
	case rangeDouble:
		return longPoint(doubleToSortable(v.(float64)))
	}
	return append([]byte(nil), v.([]byte)...)
}

// encodeRanges is the column value of a range field: the distinct ranges, sorted, bounds included
// (docs/formats/field-encodings.md).
func (r *rangeType) encodeRanges(ranges []valueRange) []byte {
	sort.SliceStable(ranges, func(i, j int) bool {
		a, b := ranges[i], ranges[j]
		if r.less(a.from, b.from) || r.less(b.from, a.from) {
			return r.less(a.from, b.from)
		}
		return r.less(a.to, b.to)
	})
	distinct := ranges[:0]
	for i, v := range ranges {
		if i > 0 {
			last := distinct[len(distinct)-1]
			if !r.less(last.from, v.from) && !r.less(last.to, v.to) && !r.less(v.to, last.to) {
				continue
			}
		}
		distinct = append(distinct, v)
	}
	out := binary.AppendUvarint(nil, uint64(len(distinct)))
	for _, v := range distinct {
		out = r.bound(r.bound(out, v.from), v.to)
	}
	return out
}

func (r *rangeType) bound(out []byte, v any) []byte {
	switch r.kind {
	case rangeInt, rangeLong, rangeDate:
		return appendVarLong(out, v.(int64))
	}
	return append(out, r.point(v)...)
}

// appendVarLong writes a number so that bytes sort as numbers: the sign, four bits with the count of
// further bytes (inverted below zero), three bits of the number, then the further bytes.
func appendVarLong(out []byte, v int64) []byte {
	negative := v < 0
	u := uint64(v)
	if negative {
		u = ^u
	}
	extra := (bits.Len64(u) + 7 - 3) / 8
	if extra < 0 {
		extra = 0
	}
	start := len(out)
	for i := extra; i >= 0; i-- {
		out = append(out, byte(u>>(8*i)))
	}
	if extra == 8 {
		out[start] = 0
	}
	first := out[start] & 0x07
	if negative {
		for i := start; i < len(out); i++ {
			out[i] = ^out[i]
		}
		first = out[start] & 0x07
		out[start] = first | byte(15-extra)<<3
	} else {
		out[start] = first | 0x80 | byte(extra)<<3
	}
	return out
}
