package query

import (
	"math"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/javavalue"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/search"
)

// point is a place on the earth, in degrees.
type point struct{ lat, lon float64 }

// parsePoint reads a point as an object, a list [lon, lat] or a text.
func parsePoint(v any) (point, error) {
	switch x := v.(type) {
	case []any:
		if len(x) < 2 || len(x) > 3 {
			return point{}, apierr.New(400, "parse_exception", "only two or three values expected, but found: [%d]", len(x))
		}
		lon, err := toFloat(x[0])
		if err != nil {
			return point{}, apierr.New(400, "parse_exception", "numeric value expected")
		}
		lat, err := toFloat(x[1])
		if err != nil {
			return point{}, apierr.New(400, "parse_exception", "numeric value expected")
		}
		return point{lat, lon}, nil
	case *xcontent.Object:
		p := point{math.NaN(), math.NaN()}
		for _, m := range x.Members {
			var err error
			switch m.Key {
			case "lat":
				p.lat, err = toFloat(m.Value)
			case "lon":
				p.lon, err = toFloat(m.Value)
			case "geohash":
				return parsePoint(valueText(m.Value))
			case "type":
			case "coordinates":
				return parsePoint(m.Value)
			default:
				return p, apierr.New(400, "parse_exception", "field must be either [lat], [lon] or [geohash]")
			}
			if err != nil {
				return p, apierr.New(400, "parse_exception", "[%s] must be a valid double value", map[string]string{"lat": "latitude", "lon": "longitude"}[m.Key])
			}
		}
		if math.IsNaN(p.lat) {
			return p, apierr.New(400, "parse_exception", "field [lat] missing")
		}
		if math.IsNaN(p.lon) {
			return p, apierr.New(400, "parse_exception", "field [lon] missing")
		}
		return p, nil
	case string:
		g, err := mapping.ParseGeoText(x, true)
		return point{g.Lat, g.Lon}, err
	}
	return point{}, apierr.New(400, "parse_exception", "geo_point expected")
}

// units of distances, in metres.
var units = map[string]float64{"in": 0.0254, "inch": 0.0254, "yd": 0.9144, "yards": 0.9144, "ft": 0.3048, "feet": 0.3048, "km": 1000, "kilometers": 1000,
	"NM": 1852, "nmi": 1852, "nauticalmiles": 1852, "mm": 0.001, "millimeters": 0.001, "cm": 0.01, "centimeters": 0.01, "mi": 1609.344,
	"miles": 1609.344, "m": 1, "meters": 1}

// parseDistance reads "12km" as metres; unit is that of a plain number.
func parseDistance(s string, unit float64) (float64, error) {
	s = strings.TrimSpace(s)
	end := len(s)
	for end > 0 && (s[end-1] >= 'a' && s[end-1] <= 'z' || s[end-1] >= 'A' && s[end-1] <= 'Z') {
		end--
	}
	if end < len(s) {
		u, ok := units[s[end:]]
		if !ok {
			return 0, apierr.IllegalArgument("No geo distance unit match [%s]", s[end:])
		}
		unit = u
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s[:end]), 64)
	if err != nil {
		return 0, numberFormat(s[:end])
	}
	return f * unit, nil
}

// geoBody are the parameters that queries of points share.
type geoBody struct {
	common
	field          string
	value          any
	ignoreUnmapped bool
	validation     string // strict, coerce, ignore_malformed
}

func (b *geoBody) take(query string, m xcontent.Member) (bool, error) {
	if known, err := b.common.take(query, m); known {
		return true, err
	}
	var err error
	switch m.Key {
	case "ignore_unmapped":
		b.ignoreUnmapped, err = toBool(m.Value)
	case "validation_method":
		b.validation = strings.ToLower(valueText(m.Value))
		switch b.validation {
		case "strict", "coerce", "ignore_malformed":
		default:
			err = apierr.IllegalArgument("operator needs to be either STRICT, COERCE, or IGNORE_MALFORMED, but not [%s]", valueText(m.Value))
		}
	default:
		return false, nil
	}
	return true, err
}

// check validates the coordinates of a point.
func (b *geoBody) check(p point, query string) (point, error) {
	if b.validation == "coerce" {
		if p.lat > 90 || p.lat < -90 || p.lon > 180 || p.lon < -180 {
			p = normalizePoint(p)
		}
		return p, nil
	}
	if b.validation == "ignore_malformed" {
		return p, nil
	}
	if !(p.lat >= -90 && p.lat <= 90) {
		return p, apierr.IllegalArgument("illegal latitude value [%s] for [%s]", javavalue.Float(p.lat, 64), query)
	}
	if !(p.lon >= -180 && p.lon <= 180) {
		return p, apierr.IllegalArgument("illegal longitude value [%s] for [%s]", javavalue.Float(p.lon, 64), query)
	}
	return p, nil
}

// normalizePoint brings coordinates beyond the poles and the date line back.
func normalizePoint(p point) point {
	lat := math.Mod(p.lat, 360)
	if lat < -180 {
		lat += 360
	} else if lat > 180 {
		lat -= 360
	}
	shift := 0.0
	switch {
	case lat < -90:
		lat, shift = -180-lat, 180
	case lat > 90:
		lat, shift = 180-lat, 180
	}
	lon := math.Mod(p.lon+shift, 360)
	if lon <= -180 {
		lon += 360
	} else if lon > 180 {
		lon -= 360
	}
	return point{lat, lon}
}

func (b *geoBody) on(shape search.GeoShape) node {
	return b.wrap(buildFunc(func(c *Context) (search.Query, error) {
		r := c.lookup(b.field)
		if r == nil {
			if b.ignoreUnmapped {
				return search.MatchNone{}, nil
			}
			return nil, c.shardError("failed to find geo field [%s]", b.field)
		}
		if err := r.Usable(); err != nil {
			return nil, err
		}
		if r.Kind() != mapping.KindGeoPoint {
			return nil, c.shardError("field [%s] is not a geo_point field", b.field)
		}
		if !r.Searchable() {
			return nil, c.shardError("failed to find geo field [%s]", b.field)
		}
		if !r.HasDocValues() {
			return &search.Geo{Field: r.Name(), Shape: shape}, nil
		}
		return search.NewGeoQuery(r.Name(), shape), nil
	}))
}

func parseGeoDistance(name string, o *xcontent.Object, _ int) (node, error) {
	b := &geoBody{common: common{boost: 1}}
	unit := 1.0
	var distance any
	var err error
	lat, lon := math.NaN(), math.NaN()
	for _, m := range o.Members {
		if known, err := b.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		switch {
		case m.Key == "distance":
			distance = m.Value
		case m.Key == "unit":
			u, ok := units[valueText(m.Value)]
			if !ok {
				return nil, apierr.IllegalArgument("No geo distance unit match [%s]", valueText(m.Value))
			}
			unit = u
		case m.Key == "distance_type":
			switch valueText(m.Value) {
			case "plane", "arc":
			default:
				return nil, apierr.IllegalArgument("No geo distance for [%s]", valueText(m.Value))
			}
		case strings.HasSuffix(m.Key, ".lat") && isScalar(m.Value):
			b.field = strings.TrimSuffix(m.Key, ".lat")
			if lat, err = toFloat(m.Value); err != nil {
				return nil, err
			}
		case strings.HasSuffix(m.Key, ".lon") && isScalar(m.Value):
			b.field = strings.TrimSuffix(m.Key, ".lon")
			if lon, err = toFloat(m.Value); err != nil {
				return nil, err
			}
		case b.field == "":
			b.field, b.value = m.Key, m.Value
		default:
			return nil, apierr.Parsing("failed to parse [geo_distance] query. unexpected field [%s]", m.Key)
		}
	}
	if distance == nil {
		return nil, apierr.Parsing("geo_distance requires 'distance' to be specified")
	}
	if b.field == "" {
		return nil, apierr.IllegalArgument("fieldName must not be null or empty")
	}
	p := point{lat, lon}
	if b.value != nil {
		if p, err = parsePoint(b.value); err != nil {
			return nil, err
		}
	}
	metres, err := parseDistance(valueText(distance), unit)
	if err != nil {
		return nil, err
	}
	if !(metres > 0) {
		return nil, apierr.IllegalArgument("distance must be greater than zero")
	}
	if p, err = b.check(p, "geo_distance"); err != nil {
		return nil, err
	}
	return b.on(search.GeoDistance{Lat: p.lat, Lon: p.lon, Metres: metres}), nil
}

func parseGeoBox(name string, o *xcontent.Object, _ int) (node, error) {
	b := &geoBody{common: common{boost: 1}}
	for _, m := range o.Members {
		if known, err := b.take(name, m); known {
			if err != nil {
				return nil, err
			}
			continue
		}
		if m.Key == "type" && isScalar(m.Value) {
			continue
		}
		if isScalar(m.Value) {
			return nil, apierr.Parsing("failed to parse [geo_bounding_box] query. unexpected field [%s]", m.Key)
		}
		if b.field != "" {
			return nil, apierr.Parsing("[geo_bounding_box] query doesn't support multiple fields, found [%s] and [%s]", b.field, m.Key)
		}
		b.field, b.value = m.Key, m.Value
	}
	corners, ok := b.value.(*xcontent.Object)
	if !ok {
		return nil, apierr.Parsing("failed to parse bounding box")
	}
	box, err := parseBox(corners)
	if err != nil {
		return nil, err
	}
	if b.validation != "ignore_malformed" {
		topLeft, err := b.check(point{box.Top, box.Left}, "geo_bounding_box")
		if err != nil {
			return nil, err
		}
		bottomRight, err := b.check(point{box.Bottom, box.Right}, "geo_bounding_box")
		if err != nil {
			return nil, err
		}
		whole := b.validation == "coerce" && math.Mod(box.Right-box.Left, 360) == 0 && box.Right > box.Left
		box = search.GeoBox{Top: topLeft.lat, Left: topLeft.lon, Bottom: bottomRight.lat, Right: bottomRight.lon}
		if whole {
			box.Left, box.Right = -180, 180
		}
	}
	if box.Top < box.Bottom {
		return nil, apierr.IllegalArgument("top is below bottom corner: %s vs. %s", javavalue.Float(box.Top, 64), javavalue.Float(box.Bottom, 64))
	}
	return b.on(box), nil
}

// parseBox reads two corners, four sides or WKT.
func parseBox(o *xcontent.Object) (search.GeoBox, error) {
	box := search.GeoBox{Top: math.NaN(), Left: math.NaN(), Bottom: math.NaN(), Right: math.NaN()}
	for _, m := range o.Members {
		var p point
		var err error
		switch m.Key {
		case "top":
			box.Top, err = toFloat(m.Value)
		case "bottom":
			box.Bottom, err = toFloat(m.Value)
		case "left":
			box.Left, err = toFloat(m.Value)
		case "right":
			box.Right, err = toFloat(m.Value)
		case "top_left", "topLeft":
			p, err = parsePoint(m.Value)
			box.Top, box.Left = p.lat, p.lon
		case "bottom_right", "bottomRight":
			p, err = parsePoint(m.Value)
			box.Bottom, box.Right = p.lat, p.lon
		case "top_right", "topRight":
			p, err = parsePoint(m.Value)
			box.Top, box.Right = p.lat, p.lon
		case "bottom_left", "bottomLeft":
			p, err = parsePoint(m.Value)
			box.Bottom, box.Left = p.lat, p.lon
		case "wkt":
			box, err = parseEnvelope(valueText(m.Value))
		default:
			err = apierr.New(400, "parse_exception", "failed to parse bounding box. unexpected field [%s]", m.Key)
		}
		if err != nil {
			return box, err
		}
	}
	for _, side := range []struct {
		v    float64
		name string
	}{{box.Top, "top"}, {box.Bottom, "bottom"}, {box.Left, "left"}, {box.Right, "right"}} {
		if math.IsNaN(side.v) {
			return box, apierr.IllegalArgument("cannot create bounding box, %s is not set", side.name)
		}
	}
	return box, nil
}

// parseEnvelope reads BBOX (minLon, maxLon, maxLat, minLat).
func parseEnvelope(s string) (search.GeoBox, error) {
	body, ok := strings.CutPrefix(strings.ToUpper(strings.TrimSpace(s)), "BBOX")
	body = strings.TrimSpace(body)
	bad := apierr.New(400, "parse_exception", "failed to parse WKT bounding box")
	if !ok || len(body) < 2 || body[0] != '(' || body[len(body)-1] != ')' {
		return search.GeoBox{}, bad
	}
	parts := strings.Split(body[1:len(body)-1], ",")
	if len(parts) != 4 {
		return search.GeoBox{}, bad
	}
	var v [4]float64
	for i, p := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil {
			return search.GeoBox{}, bad
		}
		v[i] = f
	}
	return search.GeoBox{Left: v[0], Right: v[1], Top: v[2], Bottom: v[3]}, nil
}
