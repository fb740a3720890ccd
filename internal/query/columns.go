package query

import (
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/aggregation"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/search"
)

// Aggregations returns what aggregations need to know of an index whose shard s searches.
func (c *Context) Aggregations(s *search.Searcher) aggregation.Resolver { return &resolver{c, s} }

type resolver struct {
	c *Context
	s *search.Searcher
}

// Now implements aggregation.Resolver.
func (r *resolver) Now() time.Time { return r.c.now() }

// CheckRegex implements aggregation.Resolver.
func (r *resolver) CheckRegex(expr string) error { return r.c.checkRegex(expr, "request") }

// Filter implements aggregation.Resolver.
func (r *resolver) Filter(raw any) (aggregation.Filter, error) {
	q, err := Parse(raw, r.c)
	if err != nil {
		return nil, err
	}
	return leafFilter{r.s, q}, nil
}

type leafFilter struct {
	s *search.Searcher
	q search.Query
}

// Leaf implements aggregation.Filter.
func (f leafFilter) Leaf(leaf *lucene.LeafContext) (lucene.DocIDSetIterator, error) {
	return matching(f.s, f.q, leaf)
}

// Column implements aggregation.Resolver.
func (r *resolver) Column(field, format, zone string) (*aggregation.Column, error) {
	f := r.c.lookup(field)
	if f == nil {
		return nil, nil
	}
	if err := r.c.aggregatable(f); err != nil {
		return nil, err
	}
	vf, err := r.c.valueFormat(f, format, zone)
	if err != nil {
		return nil, err
	}
	col := &aggregation.Column{Field: f.Name(), Type: typeName(f), Format: vf, ShowFormatted: vf.shown}
	kind, numeric := columnKind(f)
	switch {
	case numeric && f.Kind() == mapping.KindScaledFloat:
		inverse := 1 / f.ScalingFactor()
		col.Class = aggregation.ClassDouble
		col.Double = func(raw int64) float64 { return float64(raw) * inverse }
	case numeric && (kind == search.KindLong || kind == search.KindUnsigned):
		col.Class, col.Unsigned = aggregation.ClassLong, kind == search.KindUnsigned
	case numeric:
		col.Class = aggregation.ClassDouble
		col.Double = func(raw int64) float64 { return search.KindDouble.Double(rawKey(kind, raw)) }
	case f.Kind() == mapping.KindKeyword || f.Kind() == mapping.KindIP:
		col.Class = aggregation.ClassBytes
	default:
		col.Class = aggregation.ClassOther
	}
	return col, nil
}

// aggregatable fails for fields whose values cannot be read by document.
func (c *Context) aggregatable(r *ref) error {
	if err := r.Usable(); err != nil {
		return err
	}
	switch r.Kind() {
	case mapping.KindText:
		return textFielddata(r)
	case mapping.KindMetadata:
		switch r.Name() {
		case "_seq_no", "_version", "_primary_term", "_doc_count":
			return nil
		case "_id", "_index":
			return apierr.NotImplemented("aggregating by [%s] is not built in this server", r.Name())
		}
		return apierr.IllegalArgument("Fielddata is not supported on field [%s] of type [%s]", r.Name(), r.Name())
	case mapping.KindConstant, mapping.KindFlatObject:
		return apierr.NotImplemented("aggregating by the field [%s] of type [%s] is not built in this server", r.Name(), r.Type())
	}
	return needColumn(r)
}

// valueFormat shows values of a field to people, and reads them.
type valueFormat struct {
	c       *Context
	r       *ref
	date    *dateformat.Formatter // of dates, else nil
	zone    *time.Location
	decimal *decimalFormat // of numbers, else nil
	shown   bool           // the text differs from the number
}

// valueFormat returns the format that a request asks for, or the field's own.
func (c *Context) valueFormat(r *ref, format, zone string) (*valueFormat, error) {
	v := &valueFormat{c: c, r: r, zone: time.UTC}
	if r.Kind() == mapping.KindDate {
		v.shown = true
		v.date = r.DateFormat()
		var err error
		if format != "" {
			if v.date, err = dateformat.Parse(format); err != nil {
				return nil, err
			}
		}
		if zone != "" {
			v.zone, err = dateformat.ParseZone(zone)
		}
		return v, err
	}
	switch r.Kind() {
	case mapping.KindKeyword, mapping.KindIP, mapping.KindBoolean, mapping.KindGeoPoint, mapping.KindRange, mapping.KindBinary:
		v.shown = r.Kind() == mapping.KindBoolean
		if format != "" {
			return nil, apierr.IllegalArgument("Field [%s] of type [%s] does not support custom formats", r.Name(), r.Type())
		}
	default:
		if format != "" {
			v.decimal, v.shown = parseDecimalFormat(format), true
		}
	}
	if zone != "" && r.Kind() != mapping.KindRange {
		return nil, apierr.IllegalArgument("Field [%s] of type [%s] does not support custom time zones", r.Name(), typeName(r))
	}
	return v, nil
}

// Long implements aggregation.Format.
func (v *valueFormat) Long(n int64) string {
	switch {
	case v.date != nil:
		if v.r.Nanos() {
			return v.date.Format(time.Unix(0, n).In(v.zone))
		}
		return v.date.FormatMillis(n, v.zone)
	case v.decimal != nil:
		if v.r.Kind() == mapping.KindUnsignedLong {
			return v.decimal.format(float64(uint64(n)))
		}
		return v.decimal.format(float64(n))
	case v.r.Kind() == mapping.KindBoolean:
		return strconv.FormatBool(n != 0)
	case v.r.Kind() == mapping.KindUnsignedLong:
		return strconv.FormatUint(uint64(n), 10)
	}
	return strconv.FormatInt(n, 10)
}

// Double implements aggregation.Format.
func (v *valueFormat) Double(f float64) string {
	switch {
	case v.date != nil:
		return v.Long(saturate(f))
	case v.decimal != nil:
		return v.decimal.format(f)
	case v.r.Kind() == mapping.KindBoolean:
		return strconv.FormatBool(f != 0)
	}
	return javavalue.Float(f, 64)
}

// Bytes implements aggregation.Format.
func (v *valueFormat) Bytes(b []byte) string {
	if v.r.Kind() == mapping.KindIP {
		return mapping.FormatIP(b)
	}
	return string(b)
}

// ParseLong implements aggregation.Format.
func (v *valueFormat) ParseLong(text string, roundUp bool) (int64, error) {
	switch {
	case v.date != nil:
		return v.c.date(v.date, text, roundUp, v.zone, v.r.Nanos())
	case v.r.Kind() == mapping.KindBoolean:
		switch text {
		case "true":
			return 1, nil
		case "false":
			return 0, nil
		}
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return 0, apierr.IllegalArgument("Cannot parse boolean [%s]", text)
	case v.r.Kind() == mapping.KindUnsignedLong:
		u, err := toUnsigned(text)
		return int64(u), err
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	f, err := parseDouble(text, 64)
	return javaRound(f), err
}

// ParseDouble implements aggregation.Format.
func (v *valueFormat) ParseDouble(text string) (float64, error) {
	if v.date != nil || v.r.Kind() == mapping.KindBoolean {
		n, err := v.ParseLong(text, false)
		return float64(n), err
	}
	return parseDouble(text, 64)
}

// ParseBytes implements aggregation.Format.
func (v *valueFormat) ParseBytes(text string) ([]byte, error) {
	if v.r.Kind() == mapping.KindIP {
		return mapping.ParseIP(text)
	}
	return []byte(text), nil
}
