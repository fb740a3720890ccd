package search

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
)

// EarthRadius is the mean radius of the earth in metres that distances are computed with.
const EarthRadius = 6371008.7714

// EncodeLat returns the 32-bit form of a latitude, rounded down.
func EncodeLat(lat float64) int32 {
	if lat >= 90 {
		lat = math.Nextafter(90, 0)
	}
	return int32(math.Floor(lat / (180.0 / (1 << 32))))
}

// EncodeLon returns the 32-bit form of a longitude, rounded down.
func EncodeLon(lon float64) int32 {
	if lon >= 180 {
		lon = math.Nextafter(180, 0)
	}
	return int32(math.Floor(lon / (360.0 / (1 << 32))))
}

// encodeLatCeil rounds up, for the lower bounds of boxes.
func encodeLatCeil(lat float64) int32 {
	if lat >= 90 {
		lat = math.Nextafter(90, 0)
	}
	return int32(math.Ceil(lat / (180.0 / (1 << 32))))
}

func encodeLonCeil(lon float64) int32 {
	if lon >= 180 {
		lon = math.Nextafter(180, 0)
	}
	return int32(math.Ceil(lon / (360.0 / (1 << 32))))
}

// DecodeLat returns the latitude of a 32-bit form.
func DecodeLat(v int32) float64 { return float64(v) * (180.0 / (1 << 32)) }

// DecodeLon returns the longitude of a 32-bit form.
func DecodeLon(v int32) float64 { return float64(v) * (360.0 / (1 << 32)) }

// Distance returns the distance of two points on a sphere, in metres (haversine formula).
func Distance(lat1, lon1, lat2, lon2 float64) float64 {
	const rad = math.Pi / 180
	a := math.Sin((lat2 - lat1) * rad / 2)
	b := math.Sin((lon2 - lon1) * rad / 2)
	h := a*a + math.Cos(lat1*rad)*math.Cos(lat2*rad)*b*b
	return 2 * EarthRadius * math.Asin(min(1, math.Sqrt(h)))
}

// GeoShape is a set of points on the earth.
type GeoShape interface {
	// has tells whether an encoded point lies within.
	has(lat, lon int32) bool
	// box relates a box of encoded points.
	box(minLat, maxLat, minLon, maxLon int32) lucene.Relation
	String() string
}

// Geo matches documents with a point within a shape.
type Geo struct {
	Field string
	Shape GeoShape
	// DocValues makes it look at the column instead of the points.
	DocValues bool
}

func (q *Geo) String() string { return fmt.Sprintf("geo(%q,%s,%v)", q.Field, q.Shape, q.DocValues) }

// Rewrite implements Query.
func (q *Geo) Rewrite(*Searcher) (Query, error) { return q, nil }

// Weight implements Query.
func (q *Geo) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	if q.DocValues {
		return numericWeight(q, boost, q.Field, func(v int64) bool { return q.Shape.has(int32(v>>32), int32(v)) }), nil
	}
	return pointWeight(q, boost, q.Field, 2, 4, func() pointTest { return geoTest{q.Shape} }), nil
}

type geoTest struct{ s GeoShape }

func geoInt(b []byte) int32 { return int32(binary.BigEndian.Uint32(b) ^ 1<<31) }

func (g geoTest) contains(v []byte) bool { return g.s.has(geoInt(v), geoInt(v[4:])) }
func (g geoTest) relate(lo, hi []byte) lucene.Relation {
	return g.s.box(geoInt(lo), geoInt(hi), geoInt(lo[4:]), geoInt(hi[4:]))
}

// NewGeoQuery matches points within a shape; it takes index or column by cost.
func NewGeoQuery(field string, shape GeoShape) Query {
	return &IndexOrDocValues{&Geo{Field: field, Shape: shape}, &Geo{Field: field, Shape: shape, DocValues: true}}
}

// GeoBox is a box; where Left is greater than Right, it crosses the date line.
type GeoBox struct{ Top, Left, Bottom, Right float64 }

func (b GeoBox) String() string {
	return fmt.Sprintf("box(%v,%v,%v,%v)", b.Top, b.Left, b.Bottom, b.Right)
}

func (b GeoBox) bounds() (minLat, maxLat, minLon, maxLon int32) {
	return encodeLatCeil(b.Bottom), EncodeLat(b.Top), encodeLonCeil(b.Left), EncodeLon(b.Right)
}

func (b GeoBox) has(lat, lon int32) bool {
	minLat, maxLat, minLon, maxLon := b.bounds()
	if lat < minLat || lat > maxLat {
		return false
	}
	if b.Left > b.Right {
		return lon >= minLon || lon <= maxLon
	}
	return lon >= minLon && lon <= maxLon
}

func (b GeoBox) box(loLat, hiLat, loLon, hiLon int32) lucene.Relation {
	minLat, maxLat, minLon, maxLon := b.bounds()
	if hiLat < minLat || loLat > maxLat {
		return lucene.CellOutside
	}
	latIn := loLat >= minLat && hiLat <= maxLat
	if b.Left > b.Right {
		if hiLon < minLon && loLon > maxLon {
			return lucene.CellOutside
		}
		if latIn && (loLon >= minLon || hiLon <= maxLon) {
			return lucene.CellInside
		}
		return lucene.CellCrosses
	}
	if hiLon < minLon || loLon > maxLon {
		return lucene.CellOutside
	}
	if latIn && loLon >= minLon && hiLon <= maxLon {
		return lucene.CellInside
	}
	return lucene.CellCrosses
}

// GeoDistance is the points within a distance, in metres.
type GeoDistance struct{ Lat, Lon, Metres float64 }

func (d GeoDistance) String() string {
	return fmt.Sprintf("distance(%v,%v,%v)", d.Lat, d.Lon, d.Metres)
}

func (d GeoDistance) has(lat, lon int32) bool {
	return Distance(d.Lat, d.Lon, DecodeLat(lat), DecodeLon(lon)) <= d.Metres
}

func (d GeoDistance) box(loLat, hiLat, loLon, hiLon int32) lucene.Relation {
	lat0, lat1, lon0, lon1 := DecodeLat(loLat), DecodeLat(hiLat), DecodeLon(loLon), DecodeLon(hiLon)
	reach := d.Metres/EarthRadius*180/math.Pi*(1+1e-9) + 1e-7 // degrees of latitude
	if lat1 < d.Lat-reach || lat0 > d.Lat+reach {
		return lucene.CellOutside
	}
	if top, bottom := d.Lat+reach, d.Lat-reach; top < 90 && bottom > -90 {
		// no pole within: longitudes are bounded
		w := math.Sin(min(reach*math.Pi/180, math.Pi/2)) / math.Cos(d.Lat*math.Pi/180)
		if w < 1 {
			width := math.Asin(w)*180/math.Pi*(1+1e-9) + 1e-7
			out := true
			for _, turn := range []float64{-360, 0, 360} {
				if lon1 >= d.Lon-width+turn && lon0 <= d.Lon+width+turn {
					out = false
				}
			}
			if out {
				return lucene.CellOutside
			}
		}
	}
	// Within less than a quarter of the earth, the farthest point of a box is a corner, unless the box reaches around to
	// the other side of a pole.
	in := lon1-lon0 < 90 && d.Metres < EarthRadius
	for _, far := range []float64{d.Lon - 180, d.Lon + 180} {
		in = in && !(lon0 <= far && far <= lon1)
	}
	for _, la := range []float64{lat0, lat1} {
		for _, lo := range []float64{lon0, lon1} {
			in = in && Distance(d.Lat, d.Lon, la, lo) <= d.Metres
		}
	}
	if in {
		return lucene.CellInside
	}
	return lucene.CellCrosses
}

// GeoDistances are the distances of documents from a point, in metres, as SortableDouble keys.
type GeoDistances struct {
	Field    string
	Lat, Lon float64
	Mode     Mode // among several points of a document
}

func (g GeoDistances) String() string {
	return fmt.Sprintf("distances(%q,%v,%v,%d)", g.Field, g.Lat, g.Lon, g.Mode)
}

// Values implements ValueSource.
func (g GeoDistances) Values(leaf *lucene.LeafContext) (Values, error) {
	dv, err := sortedNumeric(leaf.Reader, g.Field)
	if err != nil {
		return nil, err
	}
	if dv == nil {
		return noValues{}, nil
	}
	return &geoDistances{g: g, dv: dv}, nil
}

type geoDistances struct {
	g    GeoDistances
	dv   lucene.SortedNumericDocValues
	k    int64
	vals []int64
}

func (g *geoDistances) Key() int64 { return g.k }

func (g *geoDistances) AdvanceExact(doc int32) (bool, error) {
	ok, err := g.dv.AdvanceExact(doc)
	if !ok || err != nil {
		return false, err
	}
	g.vals = g.vals[:0]
	for range g.dv.Count() {
		v, err := g.dv.NextValue()
		if err != nil {
			return false, err
		}
		d := Distance(g.g.Lat, g.g.Lon, DecodeLat(int32(v>>32)), DecodeLon(int32(v)))
		g.vals = append(g.vals, SortableDouble(d))
	}
	g.k = pick(g.vals, g.g.Mode)
	return true, nil
}
