package query

import (
	"math"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

var scoreModes = map[string]search.FunctionMode{"multiply": search.Multiply, "sum": search.Sum, "avg": search.Avg, "first": search.First,
	"max": search.Max, "min": search.Min}

var boostModes = map[string]search.FunctionMode{"multiply": search.Multiply, "replace": search.Replace, "sum": search.Sum, "avg": search.Avg,
	"max": search.Max, "min": search.Min}

// scoreFunc is a function of a function_score that is bound to no index yet.
type scoreFunc struct {
	filter node
	make   func(c *Context) (search.ScoreFunction, error)
	weight float64
}

func parseFunctionScore(name string, o *xcontent.Object, depth int) (node, error) {
	k := common{boost: 1}
	q := search.FunctionScore{ScoreMode: search.Multiply, BoostMode: search.Multiply}
	var inner node
	var functions []scoreFunc
	single, list := "", false
	var weight *float64
	for _, m := range o.Members {
		if known, err := k.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		var err error
		switch m.Key {
		case "query":
			inner, err = parseQuery(m.Value, depth)
		case "score_mode":
			var ok bool
			if q.ScoreMode, ok = scoreModes[strings.ToLower(valueText(m.Value))]; !ok {
				err = apierr.IllegalArgument("No enum constant org.opensearch.common.lucene.search.function.FunctionScoreQuery.ScoreMode.%s", strings.ToUpper(valueText(m.Value)))
			}
		case "boost_mode":
			var ok bool
			if q.BoostMode, ok = boostModes[strings.ToLower(valueText(m.Value))]; !ok {
				err = apierr.IllegalArgument("No enum constant org.opensearch.common.lucene.search.function.CombineFunction.%s", strings.ToUpper(valueText(m.Value)))
			}
		case "max_boost":
			var f float64
			f, err = toFloat(m.Value)
			q.MaxBoost = float32(f)
		case "min_score":
			var f float64
			f, err = toFloat(m.Value)
			least := float32(f)
			q.MinScore = &least
		case "weight":
			var f float64
			f, err = toFloat(m.Value)
			weight = &f
		case "functions":
			if single != "" {
				return nil, apierr.Parsing("failed to parse [function_score] query. already found [%s], now encountering [functions].", single)
			}
			list = true
			functions, err = parseFunctions(m.Value, depth)
		default:
			if list {
				return nil, apierr.Parsing("failed to parse [function_score] query. already found [functions] array, now encountering [%s].", m.Key)
			}
			if single != "" {
				return nil, apierr.Parsing("failed to parse [function_score] query. already found function [%s], now encountering [%s]. use [functions] array if you want to define several functions.", single, m.Key)
			}
			single = m.Key
			var f scoreFunc
			f.weight = 1
			f.make, err = parseFunction(m.Key, m.Value)
			functions = []scoreFunc{f}
		}
		if err != nil {
			return nil, err
		}
	}
	if weight != nil {
		if list {
			return nil, apierr.Parsing("failed to parse [function_score] query. already found [functions] array, now encountering [weight].")
		}
		if len(functions) == 0 {
			functions = []scoreFunc{{weight: *weight}}
		} else {
			functions[0].weight = *weight
		}
	}
	return k.wrap(buildFunc(func(c *Context) (search.Query, error) {
		out := q
		out.Query = search.MatchAll{}
		if inner != nil {
			in, err := inner.build(c)
			if err != nil {
				return nil, err
			}
			if in != nil {
				out.Query = in
			}
		}
		for _, f := range functions {
			w := search.WeightedFunction{Weight: f.weight}
			if f.filter != nil {
				var err error
				if w.Filter, err = f.filter.build(c); err != nil {
					return nil, err
				}
			}
			if f.make != nil {
				var err error
				if w.Function, err = f.make(c); err != nil {
					return nil, err
				}
			}
			out.Functions = append(out.Functions, w)
		}
		if len(out.Functions) == 0 && out.MinScore == nil {
			return out.Query, nil
		}
		return &out, nil
	})), nil
}

func parseFunctions(raw any, depth int) ([]scoreFunc, error) {
	list, ok := raw.([]any)
	if !ok {
		return nil, apierr.Parsing("failed to parse [function_score] query. [functions] must be an array")
	}
	var out []scoreFunc
	for _, e := range list {
		o, ok := e.(*xcontent.Object)
		if !ok {
			return nil, apierr.Parsing("failed to parse [function_score]. malformed query, expected a [START_OBJECT] while parsing functions but got a [%s] instead", describe(e))
		}
		f := scoreFunc{weight: 1}
		weighted := false
		for _, m := range o.Members {
			var err error
			switch m.Key {
			case "filter":
				f.filter, err = parseQuery(m.Value, depth)
			case "weight":
				weighted = true
				f.weight, err = toFloat(m.Value)
			case "_name":
			default:
				if f.make != nil {
					return nil, apierr.Parsing("failed to parse function_score functions. already found [%s], now encountering [%s]", "function", m.Key)
				}
				f.make, err = parseFunction(m.Key, m.Value)
			}
			if err != nil {
				return nil, err
			}
		}
		if f.make == nil && !weighted {
			return nil, apierr.Parsing("an entry in functions list is missing a function.")
		}
		out = append(out, f)
	}
	return out, nil
}

func parseFunction(name string, raw any) (func(c *Context) (search.ScoreFunction, error), error) {
	o, ok := raw.(*xcontent.Object)
	switch name {
	case "script_score":
		return nil, apierr.NotImplemented("[script_score] is not built in this server: it has no scripts")
	case "field_value_factor", "random_score", "gauss", "exp", "linear":
		if !ok {
			return nil, apierr.Parsing("failed to parse [function_score] query. field [%s] is not supported", name)
		}
	default:
		return nil, apierr.Parsing("failed to parse [function_score] query. field [%s] is not supported", name)
	}
	switch name {
	case "field_value_factor":
		return parseFieldFactor(o)
	case "random_score":
		return parseRandom(o)
	}
	return parseDecay(name, o)
}

func parseFieldFactor(o *xcontent.Object) (func(c *Context) (search.ScoreFunction, error), error) {
	const query = "field_value_factor"
	f := search.FieldFactor{Factor: 1, Modifier: "none"}
	field := ""
	for _, m := range o.Members {
		var err error
		switch m.Key {
		case "field":
			field = valueText(m.Value)
		case "factor":
			var x float64
			x, err = toFloat(m.Value)
			f.Factor = float32(x)
		case "modifier":
			f.Modifier = strings.ToLower(valueText(m.Value))
			switch f.Modifier {
			case "none", "log", "log1p", "log2p", "ln", "ln1p", "ln2p", "square", "sqrt", "reciprocal":
			default:
				err = apierr.IllegalArgument("No enum constant org.opensearch.common.lucene.search.function.FieldValueFactorFunction.Modifier.%s", strings.ToUpper(f.Modifier))
			}
		case "missing":
			var x float64
			x, err = toFloat(m.Value)
			f.Missing = &x
		default:
			err = apierr.Parsing("[%s] query does not support [%s]", query, m.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	if field == "" {
		return nil, apierr.Parsing("[field_value_factor] required field 'field' missing")
	}
	return func(c *Context) (search.ScoreFunction, error) {
		out := f
		r := c.lookup(field)
		if r == nil {
			if f.Missing == nil {
				return nil, apierr.New(500, "exception", "Unable to find a field mapper for field [%s]. No 'missing' value defined.", field)
			}
			out.Source = search.Column{Field: field}
			return &out, nil
		}
		src, kind, err := c.numbers(r, search.ModeMin)
		if err != nil {
			return nil, err
		}
		out.Source, out.Kind = src, kind
		return &out, nil
	}, nil
}

// numbers returns the column of a numeric field.
func (c *Context) numbers(r *ref, mode search.Mode) (search.ValueSource, search.Kind, error) {
	if err := r.Usable(); err != nil {
		return nil, 0, err
	}
	kind, ok := columnKind(r)
	if !ok {
		return nil, 0, apierr.IllegalArgument("field [%s] is of type [%s], but only numeric types are supported.", r.Name(), r.Type())
	}
	if err := needColumn(r); err != nil {
		return nil, 0, err
	}
	if r.Kind() == mapping.KindScaledFloat {
		return scaled{search.Column{Field: r.Name(), Kind: search.KindLong, Mode: mode}, 1 / r.ScalingFactor()}, search.KindDouble, nil
	}
	return search.Column{Field: r.Name(), Kind: kind, Mode: mode}, kind, nil
}

var valueModes = map[string]search.Mode{"min": search.ModeMin, "max": search.ModeMax, "sum": search.ModeSum, "avg": search.ModeAvg, "median": search.ModeMedian}

func parseDecay(shape string, o *xcontent.Object) (func(c *Context) (search.ScoreFunction, error), error) {
	mode := search.ModeMin
	field := ""
	var params *xcontent.Object
	for _, m := range o.Members {
		if m.Key == "multi_value_mode" {
			var ok bool
			if mode, ok = valueModes[strings.ToLower(valueText(m.Value))]; !ok {
				return nil, apierr.IllegalArgument("Illegal sort mode: %s", valueText(m.Value))
			}
			continue
		}
		p, ok := m.Value.(*xcontent.Object)
		if !ok {
			return nil, apierr.Parsing("malformed score function score parameters.")
		}
		field, params = m.Key, p
	}
	if params == nil {
		return nil, apierr.Parsing("malformed score function score parameters.")
	}
	given := map[string]any{}
	for _, m := range params.Members {
		switch m.Key {
		case "origin", "scale", "offset", "decay":
			given[m.Key] = m.Value
		default:
			return nil, apierr.New(400, "parse_exception", "parameter [%s] not supported!", m.Key)
		}
	}
	decay := 0.5
	if v, ok := given["decay"]; ok {
		var err error
		if decay, err = toFloat(v); err != nil {
			return nil, err
		}
	}
	if decay <= 0 || decay >= 1 {
		return nil, apierr.New(400, "illegal_state_exception", "decay must be in the range (0..1).").Because(nil)
	}
	return func(c *Context) (search.ScoreFunction, error) {
		r := c.lookup(field)
		if r == nil {
			return nil, apierr.Parsing("unknown field [%s]", field)
		}
		d := &search.Decay{Shape: shape, Decay: decay}
		var err error
		switch r.Kind() {
		case mapping.KindGeoPoint:
			err = c.decayOfPlace(d, r, given, mode)
		case mapping.KindDate:
			err = c.decayOfDate(d, r, given, mode)
		case mapping.KindScaledFloat:
			err = apierr.Parsing("field [%s] is of type [%s], but only numeric types are supported.", field, r.Type())
		default:
			err = c.decayOfNumber(d, r, given, mode)
		}
		if err == nil && !(d.Scale > 0) {
			err = apierr.IllegalArgument("scale must be > 0.0.")
		}
		if err == nil && d.Offset < 0 {
			err = apierr.IllegalArgument("offset must be > 0.0")
		}
		return d, err
	}, nil
}

func (c *Context) decayOfPlace(d *search.Decay, r *ref, given map[string]any, mode search.Mode) error {
	if given["origin"] == nil || given["scale"] == nil {
		return apierr.New(400, "parse_exception", "[origin] and [scale] must be set for geo fields.")
	}
	p, err := parsePoint(given["origin"])
	if err != nil {
		return err
	}
	if d.Scale, err = parseDistance(valueText(given["scale"]), 1); err != nil {
		return err
	}
	if v, ok := given["offset"]; ok {
		if d.Offset, err = parseDistance(valueText(v), 1); err != nil {
			return err
		}
	}
	d.Distances, d.Kind = search.GeoDistances{Field: r.Name(), Lat: p.lat, Lon: p.lon, Mode: mode}, search.KindDouble
	return nil
}

func (c *Context) decayOfDate(d *search.Decay, r *ref, given map[string]any, mode search.Mode) error {
	origin := c.now().UnixMilli()
	unit := 1.0
	if r.Nanos() {
		origin, unit = c.now().UnixNano(), 1e6
	}
	var err error
	if v, ok := given["origin"]; ok {
		if origin, err = c.date(r.DateFormat(), valueText(v), false, nil, r.Nanos()); err != nil {
			return err
		}
	}
	if given["scale"] == nil {
		return apierr.New(400, "parse_exception", "[scale] must be set for date fields.")
	}
	millis := func(v any) (float64, error) {
		t, err := settings.ParseDuration(valueText(v), "DecayFunctionParser.scale")
		return float64(t.Milliseconds()) * unit, err
	}
	if d.Scale, err = millis(given["scale"]); err != nil {
		return err
	}
	if v, ok := given["offset"]; ok {
		if d.Offset, err = millis(v); err != nil {
			return err
		}
	}
	return c.distances(d, r, float64(origin), mode)
}

func (c *Context) decayOfNumber(d *search.Decay, r *ref, given map[string]any, mode search.Mode) error {
	if given["origin"] == nil || given["scale"] == nil {
		return apierr.New(400, "parse_exception", "both [scale] and [origin] must be set for numeric fields.")
	}
	origin, err := toFloat(given["origin"])
	if err != nil {
		return err
	}
	if d.Scale, err = toFloat(given["scale"]); err != nil {
		return err
	}
	if v, ok := given["offset"]; ok {
		if d.Offset, err = toFloat(v); err != nil {
			return err
		}
	}
	return c.distances(d, r, origin, mode)
}

func (c *Context) distances(d *search.Decay, r *ref, origin float64, mode search.Mode) error {
	_, kind, err := c.numbers(r, mode)
	if err != nil {
		return err
	}
	factor := 0.0
	if r.Kind() == mapping.KindScaledFloat {
		kind, factor = search.KindLong, 1/r.ScalingFactor()
	}
	d.Distances, d.Kind = distance{field: r.Name(), kind: kind, mode: mode, origin: origin, factor: factor}, search.KindDouble
	return nil
}

func parseRandom(o *xcontent.Object) (func(c *Context) (search.ScoreFunction, error), error) {
	field := ""
	var seed *int32
	for _, m := range o.Members {
		switch m.Key {
		case "seed":
			s, ok := asText(m.Value)
			if !ok {
				return nil, apierr.Parsing("random_score seed must be an int/long or string, not '%s'", describe(m.Value))
			}
			var n int32
			if v, err := strconv.ParseInt(s, 10, 64); err == nil {
				n = int32(v)
				if int64(n) != v {
					n = int32(v ^ int64(uint64(v)>>32))
				}
			} else {
				n = javaHash(s)
			}
			seed = &n
		case "field":
			field = valueText(m.Value)
		default:
			return nil, apierr.Parsing("random_score query does not support [%s]", m.Key)
		}
	}
	return func(c *Context) (search.ScoreFunction, error) {
		salt := javaHash(c.Index) << 10
		n := int32(c.now().UnixMilli() ^ c.now().UnixMilli()>>32)
		if seed != nil {
			n = *seed
		}
		r := &random{seed: mix(n, salt)}
		if seed != nil && field != "" {
			f := c.lookup(field)
			if f == nil {
				return nil, apierr.IllegalArgument("Field [%s] is not mapped on [%s] and cannot be used as a source of random numbers.", field, c.Index)
			}
			src, _, err := c.numbers(f, search.ModeMin)
			if f.Name() == "_seq_no" {
				src, err = search.Column{Field: "_seq_no"}, nil
			}
			if err != nil {
				return nil, err
			}
			r.src = src
		}
		return r, nil
	}, nil
}

// javaHash is Java's String.hashCode.
func javaHash(s string) int32 {
	var h int32
	for _, r := range s {
		if r > math.MaxUint16 {
			r -= 0x10000
			h = 31*h + 0xd800 + r>>10
			r = 0xdc00 + r&0x3ff
		}
		h = 31*h + r
	}
	return h
}
