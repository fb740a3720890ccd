package mapping

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/xcontent"
)

// ValueFormat prints and parses the column values of a field, as docvalue_fields, sort values and the
// keys of aggregations show them. It is immutable.
type ValueFormat struct {
	f       *Field
	date    *dateformat.Formatter
	zone    *time.Location
	decimal *decimalFormat
	// Shown tells that values print as text even where they are numbers.
	Shown bool
}

// Format returns the format of the field's values; format and zone may be "".
func (f *Field) Format(format, zone string) (*ValueFormat, error) {
	v := &ValueFormat{f: f, zone: time.UTC}
	switch f.def.kind {
	case KindDate:
		v.date, v.Shown = f.format, true
		if format != "" && format != "use_field_mapping" {
			d, err := dateformat.Parse(format)
			if err != nil {
				return nil, err
			}
			v.date = d
		}
		if zone != "" {
			z, err := dateformat.ParseZone(zone)
			if err != nil {
				return nil, err
			}
			v.zone = z
		}
		return v, nil
	case KindInteger, KindLong, KindUnsignedLong, KindHalfFloat, KindFloat, KindDouble, KindScaledFloat:
		if zone != "" {
			return nil, apierr.IllegalArgument("Field [%s] of type [%s] does not support custom time zones", f.name, f.def.name)
		}
		if format != "" && format != "use_field_mapping" {
			d, err := parseDecimal(format)
			if err != nil {
				return nil, err
			}
			v.decimal, v.Shown = d, true
		}
		return v, nil
	}
	if format != "" && format != "use_field_mapping" {
		return nil, apierr.IllegalArgument("Field [%s] of type [%s] does not support custom formats", f.name, f.def.name)
	}
	if zone != "" {
		return nil, apierr.IllegalArgument("Field [%s] of type [%s] does not support custom time zones", f.name, f.def.name)
	}
	v.Shown = f.def.kind == KindBoolean
	return v, nil
}

// ColumnDouble returns a raw column value as a double.
func (f *Field) ColumnDouble(raw int64) float64 {
	switch f.def.kind {
	case KindHalfFloat:
		return float64(sortableToHalf(int16(raw)))
	case KindFloat:
		return float64(sortableToFloat(int32(raw)))
	case KindDouble:
		return sortableToDouble(raw)
	case KindScaledFloat:
		return float64(raw) / f.scaling
	case KindUnsignedLong:
		return float64(uint64(raw))
	}
	return float64(raw)
}

// Floating tells whether column values stand for floating point numbers.
func (f *Field) Floating() bool {
	switch f.def.kind {
	case KindHalfFloat, KindFloat, KindDouble, KindScaledFloat:
		return true
	}
	return false
}

// Number prints a raw value of a numeric column as JSON: a number, a boolean, a date's text.
func (v *ValueFormat) Number(raw int64) any {
	switch f := v.f; {
	case v.decimal != nil && f.Floating():
		return v.decimal.format(f.ColumnDouble(raw))
	case v.decimal != nil:
		return v.decimal.format(float64(raw))
	case f.def.kind == KindBoolean:
		return raw != 0
	case f.def.kind == KindDate:
		return v.dateText(raw)
	case f.def.kind == KindUnsignedLong:
		return json.Number(strconv.FormatUint(uint64(raw), 10))
	case f.def.kind == KindGeoPoint:
		p := DecodeGeo(raw)
		return xcontent.Obj("lat", javaNumber{p.Lat, 64}, "lon", javaNumber{p.Lon, 64})
	case f.Floating():
		return javaNumber{f.ColumnDouble(raw), 64}
	}
	return raw
}

func (v *ValueFormat) dateText(raw int64) string {
	if v.f.Nanos() {
		return v.date.Format(time.Unix(0, raw).In(v.zone))
	}
	return v.date.FormatMillis(raw, v.zone)
}

// Value prints a value of a column of bytes as JSON.
func (v *ValueFormat) Value(b []byte) any { return v.Bytes(b) }

// Long prints a number that is no raw value: an aggregation's, in milliseconds for dates.
func (v *ValueFormat) Long(n int64) string {
	switch {
	case v.date != nil:
		return v.date.FormatMillis(n, v.zone)
	case v.decimal != nil:
		return v.decimal.format(float64(n))
	case v.f.def.kind == KindBoolean:
		return strconv.FormatBool(n != 0)
	case v.f.def.kind == KindUnsignedLong:
		return strconv.FormatUint(uint64(n), 10)
	}
	return strconv.FormatInt(n, 10)
}

// Double prints a number that an aggregation computed.
func (v *ValueFormat) Double(x float64) string {
	switch {
	case v.date != nil:
		return v.date.FormatMillis(int64(x), v.zone)
	case v.decimal != nil:
		return v.decimal.format(x)
	case v.f.def.kind == KindBoolean:
		return strconv.FormatBool(x != 0)
	}
	return javaDouble(x)
}

// Bytes prints a value of a column of bytes.
func (v *ValueFormat) Bytes(b []byte) string {
	switch v.f.def.kind {
	case KindIP:
		return FormatIP(b)
	case KindBinary:
		return base64.StdEncoding.EncodeToString(b)
	}
	return string(b)
}

// ParseLong reads a value of a request, for numbers and dates (milliseconds).
func (v *ValueFormat) ParseLong(text string, roundUp bool) (int64, error) {
	switch {
	case v.date != nil:
		t, err := v.date.Math(text, time.Now, roundUp, v.zone)
		if err != nil {
			return 0, err
		}
		return t.UnixMilli(), nil
	case v.f.def.kind == KindBoolean:
		switch text {
		case "true":
			return 1, nil
		case "false":
			return 0, nil
		}
		return 0, apierr.IllegalArgument("Cannot parse boolean [%s], expected either [true] or [false]", text)
	case v.f.def.kind == KindUnsignedLong:
		u, err := stringToULong(text, false)
		return int64(u), err
	}
	if n, ok := parseJavaLong(text); ok {
		return n, nil
	}
	x, err := parseJavaDouble(text, 64)
	if err != nil {
		return 0, err
	}
	if roundUp {
		x = math.Ceil(x)
	} else {
		x = math.Floor(x)
	}
	return javaRound(x), nil
}

// ParseDouble reads a value of a request.
func (v *ValueFormat) ParseDouble(text string) (float64, error) {
	if v.date != nil || v.f.def.kind == KindBoolean {
		n, err := v.ParseLong(text, false)
		return float64(n), err
	}
	return parseJavaDouble(text, 64)
}

// ParseBytes reads a value of a request, for columns of bytes.
func (v *ValueFormat) ParseBytes(text string) ([]byte, error) {
	if v.f.def.kind == KindIP {
		return ParseIP(text)
	}
	return []byte(text), nil
}

// decimalFormat is a pattern of Java's DecimalFormat, such as #,##0.00.
type decimalFormat struct {
	prefix, suffix   string
	minInt           int
	minFrac, maxFrac int
	group            int
	percent          float64
}

func parseDecimal(p string) (*decimalFormat, error) {
	p, _, _ = strings.Cut(p, ";")
	d := &decimalFormat{percent: 1}
	start := strings.IndexAny(p, "#0,.")
	if start < 0 {
		return nil, apierr.IllegalArgument("Malformed pattern %q", p)
	}
	end := strings.LastIndexAny(p, "#0,.") + 1
	d.prefix, d.suffix = p[:start], p[end:]
	if strings.ContainsAny(d.suffix, "%") {
		d.percent = 100
	}
	if strings.ContainsAny(p[start:end], "E") {
		return nil, apierr.IllegalArgument("the exponent in the number format [%s] is not supported by Varve", p)
	}
	whole, frac, _ := strings.Cut(p[start:end], ".")
	if i := strings.LastIndexByte(whole, ','); i >= 0 {
		d.group = len(whole) - i - 1
	}
	for _, c := range strings.ReplaceAll(whole, ",", "") {
		switch c {
		case '0':
			d.minInt++
		case '#':
			if d.minInt > 0 {
				return nil, apierr.IllegalArgument("Unexpected '0' in pattern %q", p)
			}
		default:
			return nil, apierr.IllegalArgument("Malformed pattern %q", p)
		}
	}
	for _, c := range frac {
		switch c {
		case '0':
			d.minFrac++
			d.maxFrac++
		case '#':
			d.maxFrac++
		default:
			return nil, apierr.IllegalArgument("Malformed pattern %q", p)
		}
	}
	return d, nil
}

func (d *decimalFormat) format(x float64) string {
	s := strconv.FormatFloat(math.Abs(x)*d.percent, 'f', d.maxFrac, 64)
	whole, frac, _ := strings.Cut(s, ".")
	for len(frac) > d.minFrac && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	if whole == "0" && d.minInt == 0 && frac != "" {
		whole = ""
	}
	for len(whole) < d.minInt {
		whole = "0" + whole
	}
	if d.group > 0 {
		for i := len(whole) - d.group; i > 0; i -= d.group {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	out := d.prefix + whole
	if x < 0 && strings.Trim(whole+frac, "0,") != "" {
		out = "-" + out
	}
	if frac != "" {
		out += "." + frac
	}
	return out + d.suffix
}
