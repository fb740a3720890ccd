package aggregation

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// params are the arguments of one aggregation; it notes which are known.
type params struct {
	agg, typ string
	o        *xcontent.Object
	used     map[string]bool
}

func (p *params) get(name string) (any, bool) {
	p.used[name] = true
	return p.o.Get(name)
}

func (p *params) unknown() error {
	for _, m := range p.o.Members {
		if !p.used[m.Key] {
			return apierr.XContentParse("[%s] unknown field [%s]", p.typ, m.Key)
		}
	}
	return nil
}

// text returns a string or a number as text, "" if it is missing.
func (p *params) text(name string) (string, error) {
	v, ok := p.get(name)
	if !ok || v == nil {
		return "", nil
	}
	s, ok := scalarText(v)
	if !ok {
		return "", apierr.XContentParse("[%s] %s doesn't support values of type: %s", p.typ, name, describe(v))
	}
	return s, nil
}

func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func (p *params) boolean(name string, def bool) (bool, error) {
	s, err := p.text(name)
	switch {
	case err != nil || s == "":
		return def, err
	case s == "true" || s == "false":
		return s == "true", nil
	}
	return def, apierr.XContentParse("[%s] failed to parse field [%s]", p.typ, name)
}

func (p *params) integer(name string, def int64) (int64, error) {
	s, err := p.text(name)
	if err != nil || s == "" {
		return def, err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return def, apierr.XContentParse("[%s] failed to parse field [%s]", p.typ, name)
	}
	return int64(f), nil
}

func (p *params) float(name string, def float64) (float64, bool, error) {
	s, err := p.text(name)
	if err != nil || s == "" {
		return def, false, err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return def, false, apierr.XContentParse("[%s] failed to parse field [%s]", p.typ, name)
	}
	return f, true, nil
}

// source is the field of an aggregation: nil Column where the index does not have it.
type source struct {
	field   string
	col     *Column
	missing *string // the value for documents without one
}

// source reads field, missing, format, time_zone and value_type. Of required, the first fitting class wins the messages.
func (p *params) source(r Resolver, zone string) (*source, error) {
	field, err := p.text("field")
	if err != nil {
		return nil, err
	}
	if _, ok := p.get("script"); ok {
		return nil, apierr.NotImplemented("aggregation [%s] asks for a script; scripts are not built in this server", p.agg)
	}
	format, err := p.text("format")
	if err != nil {
		return nil, err
	}
	p.used["value_type"] = true
	if field == "" {
		return nil, apierr.IllegalArgument("Required one of fields [field, script], but none were specified. ")
	}
	s := &source{field: field}
	if s.col, err = r.Column(field, format, zone); err != nil {
		return nil, err
	}
	if s.col != nil && format != "" && s.col.numeric() {
		c := *s.col
		c.ShowFormatted = true
		s.col = &c
	}
	if v, ok := p.get("missing"); ok {
		text, ok := scalarText(v)
		if !ok {
			return nil, apierr.XContentParse("[%s] missing doesn't support values of type: %s", p.typ, describe(v))
		}
		s.missing = &text
	}
	return s, nil
}

// needNumeric refuses columns that are not numbers.
func (p *params) needNumeric(s *source) error {
	if s.col != nil && !s.col.numeric() {
		return apierr.IllegalArgument("Field [%s] of type [%s] is not supported for aggregation [%s]", s.field, s.col.Type, p.typ)
	}
	return nil
}

// missingRaw returns the raw number for documents without a value.
func (s *source) missingRaw() (raw int64, f float64, ok bool, err error) {
	if s.missing == nil {
		return 0, 0, false, nil
	}
	if s.col == nil {
		f, err = strconv.ParseFloat(*s.missing, 64)
		return int64(f), f, err == nil, nil
	}
	if s.col.Class == ClassDouble {
		f, err = s.col.Format.ParseDouble(*s.missing)
		return 0, f, true, err
	}
	raw, err = s.col.Format.ParseLong(*s.missing, false)
	return raw, s.col.float(raw), true, err
}

// order is one criterion of the order of buckets.
type order struct {
	path string // "_key", "_count", or the path of a sub-aggregation
	desc bool
}

func parseOrder(p *params, def []order) ([]order, error) {
	v, ok := p.get("order")
	if !ok {
		return def, nil
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	var out []order
	for _, e := range list {
		o, ok := e.(*xcontent.Object)
		if !ok || len(o.Members) != 1 {
			return nil, apierr.Parsing("Must specify at least one field for [order]")
		}
		dir, _ := o.Members[0].Value.(string)
		if !strings.EqualFold(dir, "asc") && !strings.EqualFold(dir, "desc") {
			return nil, apierr.Parsing("Unknown order direction [%s]", dir)
		}
		path := o.Members[0].Key
		if path == "_term" || path == "_time" {
			path = "_key"
		}
		out = append(out, order{path, strings.EqualFold(dir, "desc")})
	}
	if !slices.ContainsFunc(out, func(o order) bool { return o.path == "_key" }) {
		out = append(out, order{path: "_key"})
	}
	return out, nil
}

// checkOrder refuses orders by sub-aggregations that are not there.
func checkOrder(orders []order, subs []*node) error {
	for _, o := range orders {
		if o.path == "_key" || o.path == "_count" {
			continue
		}
		path, _, _ := cutProperty(o.path)
		list := subs
		for part := range strings.SplitSeq(path, ">") {
			i := slices.IndexFunc(list, func(n *node) bool { return n.name == part })
			if i < 0 {
				return apierr.New(http.StatusInternalServerError, "aggregation_execution_exception",
					"Invalid aggregation order path [%s]. The provided aggregation [%s] either does not exist, or is a pipeline aggregation and cannot be used to sort the buckets.", o.path, part)
			}
			list = list[i].subs
		}
	}
	return nil
}

// cutProperty splits a path such as "a>b.avg" or "a[avg]" before its property.
func cutProperty(path string) (agg, property string, ok bool) {
	last := strings.LastIndexByte(path, '>') + 1
	if i := strings.IndexByte(path[last:], '['); i >= 0 {
		return path[:last+i], strings.Trim(path[last+i:], "[]\"'"), true
	}
	if i := strings.LastIndexByte(path[last:], '.'); i >= 0 {
		return path[:last+i], path[last+i+1:], true
	}
	return path, "", false
}
