package mapping

import (
	"math"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/lucene"
)

func dateType(name string) *typeDef {
	locale := stringParam("locale", false, "")
	return &typeDef{name: name, kind: KindDate,
		params: []*param{boolParam("index", false, true), boolParam("doc_values", false, true), boolParam("store", false, false),
			stringParam("format", false, dateformat.Default), nullablePrintFormat(), locale, nullString("null_value"),
			settingBoolParam("ignore_malformed", ignoreMalformedDefault), boostParam(), metaParam()},
		resolve: resolveDate,
		parse:   parseDate}
}

func nullablePrintFormat() *param {
	first, _, _ := strings.Cut(dateformat.Default, "||")
	p := stringParam("print_format", false, first)
	p.nullable = true
	return p
}

func resolveDate(f *Field) error {
	ft := numberSchema(f, 8)
	f.schema = ft
	var err error
	if f.format, err = dateformat.Parse(f.str("format")); err != nil {
		return apierr.IllegalArgument("Error parsing [format] on field [%s]: %s", f.simple, reasonOf(err)).Because(err)
	}
	f.nullValue = nil
	if s, ok := f.get("null_value").(string); ok {
		if v, err := f.ParseDate(s); err == nil { // a null_value that is no date is ignored
			f.nullValue = v
		}
	}
	return nil
}

// maxNanos is the last instant that date_nanos can hold.
var maxNanos = time.Unix(0, math.MaxInt64)

// ParseDate returns the value of a date as the field keeps it.
func (f *Field) ParseDate(s string) (int64, error) {
	t, err := f.format.ParseTime(s, nil)
	if err != nil {
		return 0, err
	}
	return f.dateValue(t)
}

// dateValue converts an instant into the field's resolution.
func (f *Field) dateValue(t time.Time) (int64, error) {
	if !f.Nanos() {
		return t.UnixMilli(), nil
	}
	if t.Before(time.Unix(0, 0)) {
		return 0, apierr.IllegalArgument("date[%s] is before the epoch in 1970 and cannot be stored in nanosecond resolution", javaInstant(t))
	}
	if t.After(maxNanos) {
		return 0, apierr.IllegalArgument("date[%s] is after 2262-04-11T23:47:16.854775807 and cannot be stored in nanosecond resolution", javaInstant(t))
	}
	return t.UnixNano(), nil
}

// javaInstant prints an instant as Java does: with three, six or nine digits of the second, or none.
func javaInstant(t time.Time) string {
	t = t.UTC()
	layout := "2006-01-02T15:04:05Z"
	switch ns := t.Nanosecond(); {
	case ns == 0:
	case ns%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case ns%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	default:
		layout = "2006-01-02T15:04:05.000000000Z"
	}
	return t.Format(layout)
}

func parseDate(d *docParser, f *Field) error {
	text, ok, err := d.textOrNull()
	if err != nil {
		return err
	}
	var v int64
	if !ok {
		n, is := f.nullValue.(int64)
		if !is {
			return nil
		}
		v = n
	} else if v, err = f.ParseDate(string(text)); err != nil {
		if f.bool("ignore_malformed") {
			d.ignored(f.name)
			return nil
		}
		return err
	}
	d.number(f, v, longPoint(v), lucene.StoredValue{Kind: lucene.StoredLong, Num: v})
	return nil
}
