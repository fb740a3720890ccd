package mapping

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene"
)

// GeoPoint is a point on the earth, in degrees.
type GeoPoint struct{ Lat, Lon float64 }

func geoPointType() *typeDef {
	malformed := &param{name: "ignore_malformed", updateable: true, def: func(f *Field) any { return explicit{value: f.index.IgnoreMalformed} },
		parse: func(_ *parseContext, f *Field, v any) (any, error) {
			b, err := namedBool(v, f.simple+".ignore_malformed")
			return explicit{b, true}, err
		}, show: func(v any) any { return v.(explicit).value }, printed: func(_ *Field, v any) bool { return v.(explicit).given }}
	zValue := &param{name: "ignore_z_value", updateable: true, def: constant(explicit{value: true}),
		parse: func(_ *parseContext, f *Field, v any) (any, error) {
			b, err := namedBool(v, f.simple+".ignore_z_value")
			return explicit{b, true}, err
		}, show: func(v any) any { return v.(explicit).value }, printed: func(_ *Field, v any) bool { return v.(explicit).given }}
	nullValue := &param{name: "null_value", updateable: true, nullable: true, def: constant(nil), parse: func(_ *parseContext, f *Field, v any) (any, error) {
		if v == nil {
			return nil, nil
		}
		raw, err := jsonOf(v)
		if err != nil {
			return nil, err
		}
		var p jsonParser
		p.reset(raw)
		if err := p.next(); err != nil {
			return nil, err
		}
		pt, err := parseGeoPoint(&p, true)
		if err != nil {
			return nil, err
		}
		return f.checkPoint(pt, "")
	}, show: func(v any) any {
		p := v.(GeoPoint)
		return xcontent.Obj("lat", javaNumber{p.Lat, 64}, "lon", javaNumber{p.Lon, 64})
	}}
	return &typeDef{name: "geo_point", kind: KindGeoPoint, legacy: true, arrays: true,
		params: []*param{boostParam(), boolParam("index", false, true), boolParam("doc_values", false, true), boolParam("store", false, false), metaParam(),
			malformed, zValue, nullValue},
		render: func(f *Field, o *xcontent.Object) {
			f.renderNamed(o, "boost", "doc_values", "store")
			f.renderMulti(o)
			f.renderCopyTo(o)
			f.renderNamed(o, "meta", "ignore_malformed", "ignore_z_value", "null_value")
		},
		resolve: func(f *Field) error {
			f.searchable = true // whatever "index" says
			ft := &lucene.FieldType{PointDims: 2, PointIndexDims: 2, PointBytes: 4}
			if f.docValues {
				ft.DocValuesType = lucene.DocValuesSortedNumeric
			}
			f.schema = ft
			f.nullValue = f.get("null_value")
			return nil
		},
		parse: parseGeo}
}

func jsonOf(v any) ([]byte, error) {
	if o, ok := v.(*xcontent.Object); ok {
		return o.MarshalJSON()
	}
	o := xcontent.Obj("v", v)
	b, err := o.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return b[len(`{"v":`) : len(b)-1], nil
}

// checkPoint refuses what lies outside of the earth, or brings it back where ignore_malformed says so.
func (f *Field) checkPoint(p GeoPoint, where string) (GeoPoint, error) {
	if f.bool("ignore_malformed") {
		return normalizePoint(p), nil
	}
	if p.Lat > 90 || p.Lat < -90 {
		return p, apierr.IllegalArgument("illegal latitude value [%s]%s", javaDouble(p.Lat), where)
	}
	if p.Lon > 180 || p.Lon < -180 {
		return p, apierr.IllegalArgument("illegal longitude value [%s]%s", javaDouble(p.Lon), where)
	}
	return p, nil
}

func normalizePoint(p GeoPoint) GeoPoint {
	if math.IsNaN(p.Lat) || math.IsInf(p.Lat, 0) || math.IsNaN(p.Lon) || math.IsInf(p.Lon, 0) {
		return p
	}
	shift := false
	if p.Lat > 90 || p.Lat < -90 {
		lat := math.Mod(p.Lat, 360)
		if lat < -180 {
			lat += 360
		} else if lat > 180 {
			lat -= 360
		}
		if lat < -90 {
			lat, shift = -180-lat, true
		} else if lat > 90 {
			lat, shift = 180-lat, true
		}
		p.Lat = lat
	}
	if shift {
		p.Lon += 180
	}
	if p.Lon > 180 || p.Lon <= -180 {
		lon := math.Mod(p.Lon, 360)
		if lon <= -180 {
			lon += 360
		} else if lon > 180 {
			lon -= 360
		}
		p.Lon = lon
	}
	return p
}

func geoError(format string, args ...any) *apierr.Error {
	return apierr.New(400, "parse_exception", format, args...)
}

const invalidGeoFields = "field must be either [lon|lat], [type|coordinates], or [geohash]"

// parseGeoPoint reads one point in any notation; an array is [lon, lat].
func parseGeoPoint(p *jsonParser, ignoreZ bool) (GeoPoint, error) {
	switch p.kind {
	case tokObjectStart:
		return parseGeoObject(p, ignoreZ)
	case tokArrayStart:
		return parseGeoArray(p, ignoreZ)
	case tokString:
		return ParseGeoText(string(p.text), ignoreZ)
	}
	return GeoPoint{}, geoError("geo_point expected")
}

func parseGeoArray(p *jsonParser, ignoreZ bool) (GeoPoint, error) {
	var v []float64
	for {
		if err := p.next(); err != nil {
			return GeoPoint{}, err
		}
		if p.kind == tokArrayEnd {
			break
		}
		if p.kind != tokNumber {
			return GeoPoint{}, geoError("numeric value expected")
		}
		v = append(v, p.double())
		switch {
		case len(v) == 3 && !ignoreZ:
			return GeoPoint{}, zValueError(v[2])
		case len(v) > 3:
			return GeoPoint{}, geoError("[geo_point] field type does not accept more than 3 values")
		}
	}
	if len(v) < 2 {
		return GeoPoint{}, geoError("[geo_point] field type should have at least two dimensions")
	}
	return GeoPoint{Lat: v[1], Lon: v[0]}, nil
}

func zValueError(z float64) error {
	return geoError("Exception parsing coordinates: found Z value [%s] but [ignore_z_value] parameter is [false]", javaDouble(z))
}

func parseGeoObject(p *jsonParser, ignoreZ bool) (GeoPoint, error) {
	var pt GeoPoint
	seen := map[string]bool{}
	for {
		if err := p.next(); err != nil {
			return pt, err
		}
		if p.kind == tokObjectEnd {
			break
		}
		name := string(p.text)
		seen[name] = true
		if err := p.next(); err != nil {
			return pt, err
		}
		switch name {
		case "lat", "lon":
			var v float64
			var err error
			switch p.kind {
			case tokNumber:
				v = p.double()
			case tokString:
				if v, err = parseJavaDouble(string(p.text), 64); err != nil {
					return pt, geoError("[lon] and [lat] must be valid double values").Because(err)
				}
			default:
				return pt, geoError("%s must be a number", name)
			}
			if name == "lat" {
				pt.Lat = v
			} else {
				pt.Lon = v
			}
		case "geohash":
			if p.kind != tokString {
				return pt, geoError("geohash must be a string")
			}
			var err error
			if pt, err = parseGeohash(string(p.text)); err != nil {
				return pt, err
			}
		case "type":
			if p.kind != tokString {
				return pt, geoError("type must be a string")
			}
			if !strings.EqualFold(string(p.text), "point") {
				return pt, geoError("type must be Point")
			}
		case "coordinates":
			if p.kind != tokArrayStart {
				return pt, geoError("coordinates must be an array")
			}
			var err error
			if pt, err = parseGeoArray(p, ignoreZ); err != nil {
				return pt, err
			}
		default:
			return pt, geoError(invalidGeoFields)
		}
	}
	switch {
	case seen["geohash"] && len(seen) == 1, seen["type"] && seen["coordinates"] && len(seen) == 2, seen["lat"] && seen["lon"] && len(seen) == 2:
		return pt, nil
	case seen["type"]:
		return pt, geoError("field [coordinates] missing")
	case seen["coordinates"]:
		return pt, geoError("field [type] missing")
	case len(seen) == 1 && seen["lat"]:
		return pt, geoError("field [lon] missing")
	case len(seen) == 1 && seen["lon"]:
		return pt, geoError("field [lat] missing")
	}
	return pt, geoError(invalidGeoFields)
}

// ParseGeoText reads "lat,lon", a geohash or WKT.
func ParseGeoText(s string, ignoreZ bool) (GeoPoint, error) {
	var pt GeoPoint
	switch lower := strings.ToLower(s); {
	case strings.Contains(lower, "point"):
		body, ok := strings.CutPrefix(strings.TrimSpace(lower), "point")
		body = strings.TrimSpace(body)
		if !ok || !strings.HasPrefix(body, "(") || !strings.HasSuffix(body, ")") {
			return pt, geoError("Invalid WKT format")
		}
		parts := strings.Fields(body[1 : len(body)-1])
		if len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && !ignoreZ {
			return pt, geoError("Invalid WKT format")
		}
		var err error
		if pt.Lon, err = parseJavaDouble(parts[0], 64); err == nil {
			pt.Lat, err = parseJavaDouble(parts[1], 64)
		}
		if err != nil {
			return pt, geoError("Invalid WKT format").Because(err)
		}
		return pt, nil
	case strings.Contains(s, ","):
		parts := strings.Split(s, ",")
		if len(parts) > 3 {
			return pt, geoError("failed to parse [%s], expected 2 or 3 coordinates but found: [%d]", s, len(parts))
		}
		var err error
		if pt.Lat, err = parseJavaDouble(parts[0], 64); err != nil {
			return pt, geoError("latitude must be a number")
		}
		if pt.Lon, err = parseJavaDouble(parts[1], 64); err != nil {
			return pt, geoError("longitude must be a number")
		}
		if len(parts) == 3 {
			z, err := parseJavaDouble(parts[2], 64)
			if err != nil {
				return pt, err
			}
			if !ignoreZ {
				return pt, zValueError(z)
			}
		}
		return pt, nil
	}
	return parseGeohash(s)
}

const geohashAlphabet = "0123456789bcdefghjkmnpqrstuvwxyz"

// parseGeohash returns the south-west corner of a geohash's cell.
func parseGeohash(s string) (GeoPoint, error) {
	if s == "" {
		return GeoPoint{}, geoError("empty geohash")
	}
	if len(s) > 12 {
		s = s[:12]
	}
	var lat, lon uint64
	latBits, lonBits := 0, 0
	even := true
	for _, c := range s {
		v := strings.IndexRune(geohashAlphabet, c)
		if v < 0 {
			cause := apierr.IllegalArgument("unsupported symbol [%c] in geohash [%s]", c, s)
			return GeoPoint{}, geoError("%s", cause.Reason).Because(cause)
		}
		for bit := 4; bit >= 0; bit-- {
			b := uint64(v>>bit) & 1
			if even {
				lon = lon<<1 | b
				lonBits++
			} else {
				lat = lat<<1 | b
				latBits++
			}
			even = !even
		}
	}
	return GeoPoint{
		Lat: float64(lat)/float64(uint64(1)<<latBits)*180 - 90,
		Lon: float64(lon)/float64(uint64(1)<<lonBits)*360 - 180,
	}, nil
}

// Geohash returns the geohash of twelve characters of a point.
func (p GeoPoint) Geohash() string {
	lat, lon := p.encoded()
	ulat, ulon := uint32(lat)^0x80000000, uint32(lon)^0x80000000
	out := make([]byte, 12)
	bit := 0
	for i := range out {
		v := 0
		for k := 0; k < 5; k++ {
			src := ulon
			if bit&1 == 1 {
				src = ulat
			}
			v = v<<1 | int(src>>(31-bit/2)&1)
			bit++
		}
		out[i] = geohashAlphabet[v]
	}
	return string(out)
}

// encoded returns the coordinates as Lucene keeps them: 32 bits each, rounded down.
func (p GeoPoint) encoded() (lat, lon int32) {
	if p.Lat == 90 {
		p.Lat = math.Nextafter(90, 0)
	}
	if p.Lon == 180 {
		p.Lon = math.Nextafter(180, 0)
	}
	return int32(math.Floor(p.Lat / (180.0 / (1 << 32)))), int32(math.Floor(p.Lon / (360.0 / (1 << 32))))
}

// DecodeGeo returns the point of a geo_point's column value.
func DecodeGeo(v int64) GeoPoint {
	return GeoPoint{Lat: float64(int32(v>>32)) * (180.0 / (1 << 32)), Lon: float64(int32(v)) * (360.0 / (1 << 32))}
}

// parseGeo adds one point or an array of points.
func parseGeo(d *docParser, f *Field) error {
	points, err := f.readPoints(&d.json)
	if err != nil {
		if f.bool("ignore_malformed") {
			d.ignored(f.name)
			return nil
		}
		return apierr.MapperParsing("failed to parse field [%s] of type [%s]", f.name, f.def.name).Because(err)
	}
	for _, pt := range points {
		lat, lon := pt.encoded()
		lf := lucene.Field{Name: f.name, Type: f.schema, Num: int64(lat)<<32 | int64(uint32(lon))}
		if f.searchable {
			lf.Point = binary.BigEndian.AppendUint32(intPoint(lat), uint32(lon)^0x80000000)
		}
		if f.stored {
			lf.Stored = lucene.StoredValue{Kind: lucene.StoredString, Bytes: []byte(javaDouble(pt.Lat) + ", " + javaDouble(pt.Lon))}
		}
		if !f.stillEmpty() {
			d.add(lf)
		}
	}
	if len(points) > 0 && !f.docValues && (f.stored || f.searchable) {
		d.fieldName(f)
	}
	if len(points) == 0 {
		return nil
	}
	hashes := make([]string, len(points))
	for i, pt := range points {
		hashes[i] = pt.Geohash()
	}
	text := strings.Join(hashes, ",")
	if len(points) > 1 {
		text = "[" + text + "]"
	}
	d.external = []byte(text)
	defer func() { d.external = nil }()
	return d.parseMulti(f)
}

// readPoints reads a point, an array of points, or null.
func (f *Field) readPoints(p *jsonParser) ([]GeoPoint, error) {
	ignoreZ := f.bool("ignore_z_value")
	one := func() (GeoPoint, error) {
		pt, err := parseGeoPoint(p, ignoreZ)
		if err != nil {
			return pt, err
		}
		return f.checkPoint(pt, " for "+f.simple)
	}
	switch p.kind {
	case tokNull:
		if pt, ok := f.nullValue.(GeoPoint); ok {
			return []GeoPoint{pt}, nil
		}
		return nil, nil
	case tokArrayStart:
	default:
		pt, err := one()
		return []GeoPoint{pt}, err
	}
	depth := len(p.stack)
	var points []GeoPoint
	fail := func(err error) ([]GeoPoint, error) {
		// The rest of the value is passed over, so that a malformed one can be ignored.
		for len(p.stack) >= depth {
			if e := p.next(); e != nil {
				return nil, e
			}
		}
		return nil, err
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.kind == tokNumber {
		v := []float64{p.double()}
		for {
			if err := p.next(); err != nil {
				return nil, err
			}
			if p.kind == tokArrayEnd && len(v) > 1 {
				break
			}
			if p.kind != tokNumber {
				err := notANumber(p, "Double")
				if p.kind == tokArrayEnd {
					return nil, err
				}
				return fail(err)
			}
			v = append(v, p.double())
		}
		switch {
		case len(v) > 3:
			return nil, geoError("field type does not accept > 3 dimensions")
		case len(v) == 3 && !ignoreZ:
			return nil, zValueError(v[2])
		}
		pt, err := f.checkPoint(GeoPoint{Lat: v[1], Lon: v[0]}, " for "+f.simple)
		return []GeoPoint{pt}, err
	}
	for p.kind != tokArrayEnd {
		pt, err := one()
		if err != nil {
			return fail(err)
		}
		points = append(points, pt)
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	return points, nil
}
