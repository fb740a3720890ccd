package mapping

import (
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/uid"
)

// Bounds is a range of values of one field as points and as column values, both ends included.
type Bounds struct {
	Empty    bool   // nothing can match
	Min, Max []byte // packed points
	// MinNum and MaxNum are the same as column values. Those of unsigned_long compare as unsigned numbers.
	// Addresses have none: their column holds the bytes of the points.
	MinNum, MaxNum int64
}

// RangeOptions are the parameters of a range query beside its bounds.
type RangeOptions struct {
	IncludeLower, IncludeUpper bool
	Format                     *dateformat.Formatter // of the query; nil: the field's
	Zone                       *time.Location        // nil: UTC
	Now                        func() time.Time      // nil: time.Now
}

// CheckIndexed returns an error where the field has neither terms nor points.
func (f *Field) CheckIndexed() error {
	if err := f.Usable(); err != nil {
		return err
	}
	if !f.searchable {
		return apierr.IllegalArgument("Cannot search on field [%s] since it is not indexed.", f.name)
	}
	return nil
}

// CheckSearchable returns an error where the field has neither terms, nor points, nor a column.
func (f *Field) CheckSearchable() error {
	if err := f.Usable(); err != nil {
		return err
	}
	if !f.searchable && !f.docValues {
		return apierr.IllegalArgument("Cannot search on field [%s] since it is both not indexed, and does not have doc_values enabled.", f.name)
	}
	return nil
}

// CheckColumn returns an error where the field cannot be sorted, aggregated or fetched by its column.
func (f *Field) CheckColumn() error {
	switch {
	case f.def.opaque || f.broken != nil:
		return f.Usable()
	case f.docValues:
		return nil
	case f.def.kind == KindText:
		return apierr.IllegalArgument("Text fields are not optimised for operations that require per-document field data like aggregations and sorting, "+
			"so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [%s] in order to load "+
			"field data by uninverting the inverted index. Note that this can use significant memory.", f.name)
	}
	return apierr.IllegalArgument("Can't load fielddata on [%s] because fielddata is unsupported on fields of type [%s]. Use doc values instead.", f.name, f.def.name)
}

// Fielddata tells whether a text field allows its terms to be loaded as a column.
func (f *Field) Fielddata() bool { return f.def.kind == KindText && f.bool("fielddata") }

// Numeric tells whether the column holds numbers.
func (f *Field) Numeric() bool {
	switch f.def.kind {
	case KindInteger, KindLong, KindUnsignedLong, KindHalfFloat, KindFloat, KindDouble, KindScaledFloat, KindDate, KindBoolean:
		return true
	}
	return f.name == "_seq_no" || f.name == "_version" || f.name == "_primary_term" || f.name == "_doc_count"
}

// Term returns the indexed term of a value of a query: for keywords after their normalizer. Types that
// have points and no terms are an error.
func (f *Field) Term(v any) ([]byte, error) {
	s := javaValue(v)
	switch f.def.kind {
	case KindText, KindFlatObject:
		return []byte(s), nil
	case KindKeyword:
		return f.NormalizeTerm([]byte(s))
	case KindBoolean:
		switch s {
		case "true":
			return []byte("T"), nil
		case "false", "null":
			return []byte("F"), nil
		}
		return nil, apierr.IllegalArgument("Can't parse boolean value [%s], expected [true] or [false]", s)
	case KindGeoPoint:
		return nil, apierr.New(400, "query_shard_exception", "Geometry fields do not support exact searching, use dedicated geometry queries instead: [%s]", f.name)
	case KindMetadata:
		if f.name == "_id" {
			return uid.Encode(nil, s), nil
		}
		return []byte(s), nil
	}
	return nil, apierr.IllegalArgument("field [%s] of type [%s] has no terms", f.name, f.def.name)
}

// Exact returns the bounds of one value, for term queries on numbers, dates and addresses. An address
// may be a block such as 10.0.0.0/8.
func (f *Field) Exact(v any, o RangeOptions) (Bounds, error) {
	switch f.def.kind {
	case KindInteger, KindLong, KindUnsignedLong:
		if fractional(v) {
			return Bounds{Empty: true}, nil
		}
	case KindScaledFloat:
		r, err := f.scaled(v)
		if err != nil {
			return Bounds{}, err
		}
		x, _ := r.Float64()
		n := javaRound(x)
		return f.longs(n, n), nil
	case KindIP:
		if s := javaValue(v); strings.Contains(s, "/") {
			p, err := netip.ParsePrefix(s)
			if err != nil {
				return Bounds{}, apierr.IllegalArgument("'%s' is not an IP string literal.", s)
			}
			r, err := parseCIDR(p.String())
			if err != nil {
				return Bounds{}, err
			}
			return Bounds{Min: r.from.([]byte), Max: r.to.([]byte)}, nil
		}
	}
	o.IncludeLower, o.IncludeUpper = true, true
	return f.Range(v, v, o)
}

// Range returns the bounds of a range query; nil is no bound.
func (f *Field) Range(lower, upper any, o RangeOptions) (Bounds, error) {
	if f.name == "_seq_no" {
		return f.longRange(lower, upper, o)
	}
	switch f.def.kind {
	case KindInteger:
		return f.intRange(lower, upper, o)
	case KindLong:
		return f.longRange(lower, upper, o)
	case KindUnsignedLong:
		return f.unsignedRange(lower, upper, o)
	case KindHalfFloat, KindFloat, KindDouble:
		return f.floatRange(lower, upper, o)
	case KindScaledFloat:
		return f.scaledRange(lower, upper, o)
	case KindDate:
		return f.dateRange(lower, upper, o)
	case KindIP:
		return f.ipRange(lower, upper, o)
	}
	return Bounds{}, apierr.IllegalArgument("Field [%s] of type [%s] does not support range queries", f.name, f.def.name)
}

// number reads a bound as an exact number; infinite and undefined ones have none.
func number(v any) (*big.Rat, float64, error) {
	s := javaValue(v)
	f, err := parseJavaDouble(s, 64)
	if err != nil {
		return nil, 0, err
	}
	r, ok := decimalOf(strings.TrimSpace(s))
	if !ok {
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, f, nil
		}
		r = new(big.Rat).SetFloat64(f)
	}
	return r, f, nil
}

// fractional tells whether a value is a number with a fraction.
func fractional(v any) bool {
	r, _, err := number(v)
	return err == nil && r != nil && !r.IsInt()
}

// wholeBounds cuts the bounds of a range over whole numbers between lo and hi. A bound outside is an
// error, as OpenSearch has it.
func (f *Field) wholeBounds(lower, upper any, o RangeOptions, lo, hi *big.Int, kind string) (min, max *big.Int, empty bool, err error) {
	min, max = lo, hi
	one := big.NewInt(1)
	cut := func(v any) (*big.Int, bool, error) {
		r, x, err := number(v)
		if err != nil {
			return nil, false, err
		}
		if r == nil {
			return nil, false, apierr.IllegalArgument("Value [%s] is out of range for %s", javaDouble(x), kind)
		}
		n := new(big.Int).Quo(r.Num(), r.Denom())
		if n.Cmp(lo) < 0 || n.Cmp(hi) > 0 {
			return nil, false, apierr.IllegalArgument("Value [%s] is out of range for %s", javaValue(v), kind)
		}
		return n, !r.IsInt(), nil
	}
	if lower != nil {
		n, frac, err := cut(lower)
		if err != nil {
			return nil, nil, false, err
		}
		r, _, _ := number(lower)
		if !frac && !o.IncludeLower || frac && r.Sign() > 0 {
			if n.Cmp(hi) == 0 {
				return nil, nil, true, nil
			}
			n.Add(n, one)
		}
		min = n
	}
	if upper != nil {
		n, frac, err := cut(upper)
		if err != nil {
			return nil, nil, false, err
		}
		r, _, _ := number(upper)
		if !frac && !o.IncludeUpper || frac && r.Sign() < 0 {
			if n.Cmp(lo) == 0 {
				return nil, nil, true, nil
			}
			n.Sub(n, one)
		}
		max = n
	}
	return min, max, min.Cmp(max) > 0, nil
}

func (f *Field) intRange(lower, upper any, o RangeOptions) (Bounds, error) {
	lo, hi, empty, err := f.wholeBounds(lower, upper, o, big.NewInt(math.MinInt32), big.NewInt(math.MaxInt32), "an integer")
	if err != nil || empty {
		return Bounds{Empty: true}, err
	}
	a, b := lo.Int64(), hi.Int64()
	return Bounds{Min: intPoint(int32(a)), Max: intPoint(int32(b)), MinNum: a, MaxNum: b}, nil
}

func (f *Field) longs(a, b int64) Bounds {
	if a > b {
		return Bounds{Empty: true}
	}
	return Bounds{Min: longPoint(a), Max: longPoint(b), MinNum: a, MaxNum: b}
}

func (f *Field) longRange(lower, upper any, o RangeOptions) (Bounds, error) {
	lo, hi, empty, err := f.wholeBounds(lower, upper, o, minLong, maxLong, "a long")
	if err != nil || empty {
		return Bounds{Empty: true}, err
	}
	return f.longs(lo.Int64(), hi.Int64()), nil
}

func (f *Field) unsignedRange(lower, upper any, o RangeOptions) (Bounds, error) {
	lo, hi, empty, err := f.wholeBounds(lower, upper, o, bigZero, maxULong, "an unsigned long")
	if err != nil || empty {
		return Bounds{Empty: true}, err
	}
	a, b := lo.Uint64(), hi.Uint64()
	return Bounds{Min: unsignedPoint(a), Max: unsignedPoint(b), MinNum: int64(a), MaxNum: int64(b)}, nil
}

func (f *Field) floatRange(lower, upper any, o RangeOptions) (Bounds, error) {
	bits := 64
	if f.def.kind != KindDouble {
		bits = 32
	}
	lo, hi := math.Inf(-1), math.Inf(1)
	var err error
	if lower != nil {
		if lo, err = parseJavaDouble(javaValue(lower), bits); err != nil {
			return Bounds{}, err
		}
	}
	if upper != nil {
		if hi, err = parseJavaDouble(javaValue(upper), bits); err != nil {
			return Bounds{}, err
		}
	}
	if f.def.kind != KindDouble {
		if lower != nil {
			if err := numberByName(f.def.name).finite(lo); err != nil {
				return Bounds{}, err
			}
		}
		if upper != nil {
			if err := numberByName(f.def.name).finite(hi); err != nil {
				return Bounds{}, err
			}
		}
	}
	var b Bounds
	switch f.def.kind {
	case KindHalfFloat:
		a, z := halfToSortable(float32(math.Inf(-1))), halfToSortable(float32(math.Inf(1)))
		if lower != nil {
			if a = halfToSortable(float32(lo)); sortableToHalf(a) < float32(lo) || !o.IncludeLower && sortableToHalf(a) == float32(lo) {
				a++
			}
		}
		if upper != nil {
			if z = halfToSortable(float32(hi)); sortableToHalf(z) > float32(hi) || !o.IncludeUpper && sortableToHalf(z) == float32(hi) {
				z--
			}
		}
		b.MinNum, b.MaxNum = int64(a), int64(z)
		b.Min, b.Max = shortPoint(a), shortPoint(z)
	case KindFloat:
		a, z := floatToSortable(float32(lo)), floatToSortable(float32(hi))
		if lower != nil && !o.IncludeLower {
			a++
		}
		if upper != nil && !o.IncludeUpper {
			z--
		}
		b.MinNum, b.MaxNum = int64(a), int64(z)
		b.Min, b.Max = intPoint(a), intPoint(z)
	default:
		b.MinNum, b.MaxNum = doubleToSortable(lo), doubleToSortable(hi)
		if lower != nil && !o.IncludeLower {
			b.MinNum++
		}
		if upper != nil && !o.IncludeUpper {
			b.MaxNum--
		}
		b.Min, b.Max = longPoint(b.MinNum), longPoint(b.MaxNum)
	}
	b.Empty = b.MinNum > b.MaxNum
	return b, nil
}

func shortPoint(v int16) []byte { u := uint16(v) ^ 0x8000; return []byte{byte(u >> 8), byte(u)} }

// scaled multiplies a value exactly with the factor of a scaled_float.
func (f *Field) scaled(v any) (*big.Rat, error) {
	x, err := parseJavaDouble(javaValue(v), 64)
	if err != nil {
		return nil, err
	}
	if err := numberByName("scaled_float").finite(x); err != nil {
		return nil, err
	}
	r, ok := decimalOf(javaDouble(x))
	if !ok {
		r = new(big.Rat).SetFloat64(x)
	}
	factor, ok := decimalOf(javaDouble(f.scaling))
	if !ok {
		factor = new(big.Rat).SetFloat64(f.scaling)
	}
	return r.Mul(r, factor), nil
}

func (f *Field) scaledRange(lower, upper any, o RangeOptions) (Bounds, error) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if lower != nil {
		r, err := f.scaled(lower)
		if err != nil {
			return Bounds{}, err
		}
		x, _ := r.Float64()
		if !o.IncludeLower {
			x = math.Nextafter(x, math.Inf(1))
		}
		lo = javaRound(math.Ceil(x))
	}
	if upper != nil {
		r, err := f.scaled(upper)
		if err != nil {
			return Bounds{}, err
		}
		x, _ := r.Float64()
		if !o.IncludeUpper {
			x = math.Nextafter(x, math.Inf(-1))
		}
		hi = javaRound(math.Floor(x))
	}
	return f.longs(lo, hi), nil
}

// date evaluates one bound of a date range; up rounds to the end of the unit that the text names.
func (f *Field) date(v any, up bool, o RangeOptions) (int64, error) {
	format := o.Format
	if format == nil {
		format = f.format
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	text := javaValue(v)
	if n, ok := v.(json.Number); ok {
		text = n.String()
	}
	t, err := format.Math(text, now, up, o.Zone)
	if err != nil {
		return 0, apierr.New(400, "parse_exception", "failed to parse date field [%s] with format [%s]: [%s]", text, format, reasonOf(err)).Because(err)
	}
	return f.dateValue(t)
}

func (f *Field) dateRange(lower, upper any, o RangeOptions) (Bounds, error) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	var err error
	if lower != nil {
		if lo, err = f.date(lower, !o.IncludeLower, o); err != nil {
			return Bounds{}, err
		}
		if !o.IncludeLower {
			lo++
		}
	}
	if upper != nil {
		if hi, err = f.date(upper, o.IncludeUpper, o); err != nil {
			return Bounds{}, err
		}
		if !o.IncludeUpper {
			hi--
		}
	}
	return f.longs(lo, hi), nil
}

func (f *Field) ipRange(lower, upper any, o RangeOptions) (Bounds, error) {
	b := Bounds{Min: make([]byte, 16), Max: []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")}
	var err error
	if lower != nil {
		if b.Min, err = ParseIP(javaValue(lower)); err != nil {
			return Bounds{}, err
		}
		if !o.IncludeLower {
			if string(b.Min) == string(b.Max) {
				return Bounds{Empty: true}, nil
			}
			b.Min = AddToIP(b.Min, 1)
		}
	}
	if upper != nil {
		if b.Max, err = ParseIP(javaValue(upper)); err != nil {
			return Bounds{}, err
		}
		if !o.IncludeUpper {
			if string(b.Max) == string(make([]byte, 16)) {
				return Bounds{Empty: true}, nil
			}
			b.Max = AddToIP(b.Max, -1)
		}
	}
	b.Empty = string(b.Min) > string(b.Max)
	return b, nil
}

// RangeBounds returns the packed bounds of a query on a range field, for comparing with the two
// dimensions of its points.
func (f *Field) RangeBounds(lower, upper any, o RangeOptions) (min, max []byte, empty bool, err error) {
	r := f.rangeOf
	if r == nil {
		return nil, nil, false, apierr.IllegalArgument("Field [%s] of type [%s] is not a range field", f.name, f.def.name)
	}
	from, to := r.min, r.max
	read := func(v any, up bool) (any, error) {
		switch r.kind {
		case rangeDate:
			return f.date(v, up, o)
		case rangeIP:
			return ParseIP(javaValue(v))
		case rangeInt:
			return numberByName("integer").whole(javaValue(v), f.bool("coerce"))
		case rangeLong:
			return numberByName("long").whole(javaValue(v), f.bool("coerce"))
		case rangeFloat:
			return parseJavaDouble(javaValue(v), 32)
		}
		return parseJavaDouble(javaValue(v), 64)
	}
	if lower != nil {
		if from, err = read(lower, !o.IncludeLower); err != nil {
			return nil, nil, false, err
		}
		if !o.IncludeLower {
			from = r.next(from)
		}
	}
	if upper != nil {
		if to, err = read(upper, o.IncludeUpper); err != nil {
			return nil, nil, false, err
		}
		if !o.IncludeUpper {
			to = r.previous(to)
		}
	}
	return r.point(from), r.point(to), r.less(to, from), nil
}
