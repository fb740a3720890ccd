package query

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/search"
)

// columnKind returns what the numeric column of a field holds; ok is false where it has none.
func columnKind(r *ref) (kind search.Kind, ok bool) {
	switch r.Kind() {
	case mapping.KindInteger, mapping.KindLong, mapping.KindDate, mapping.KindBoolean, mapping.KindScaledFloat:
		return search.KindLong, true
	case mapping.KindUnsignedLong:
		return search.KindUnsigned, true
	case mapping.KindHalfFloat:
		return search.KindHalfFloat, true
	case mapping.KindFloat:
		return search.KindFloat, true
	case mapping.KindDouble:
		return search.KindDouble, true
	case mapping.KindMetadata:
		switch r.Name() {
		case "_seq_no", "_version", "_primary_term", "_doc_count":
			return search.KindLong, true
		}
	}
	return 0, false
}

// needColumn fails for fields without a column, as fielddata does.
func needColumn(r *ref) error {
	if r.HasDocValues() {
		return nil
	}
	return apierr.IllegalArgument("Can't load fielddata on [%s] because fielddata is unsupported on fields of type [%s]. Use doc values instead.", r.Name(), r.Type())
}

// scaled are the numbers of a scaled_float: whole numbers of its column times a factor.
type scaled struct {
	search.Column
	factor float64
}

func (s scaled) String() string { return fmt.Sprintf("scaled(%s,%v)", s.Column, s.factor) }

// Values implements search.ValueSource.
func (s scaled) Values(leaf *lucene.LeafContext) (search.Values, error) {
	v, err := s.Column.Values(leaf)
	if err != nil {
		return nil, err
	}
	return &scaledValues{v, s.factor}, nil
}

type scaledValues struct {
	search.Values
	factor float64
}

func (s *scaledValues) Key() int64 { return search.SortableDouble(float64(s.Values.Key()) * s.factor) }

// distance is how far the numbers of a field are from an origin.
type distance struct {
	field  string
	kind   search.Kind
	mode   search.Mode
	origin float64
	factor float64 // of a scaled_float; else 0
}

func (d distance) String() string {
	return fmt.Sprintf("distance(%q,%d,%d,%v,%v)", d.field, d.kind, d.mode, d.origin, d.factor)
}

// Values implements search.ValueSource. The nearest value counts with ModeMin, the farthest with ModeMax: distances are
// compared, not values, so that both ends of a document's values are looked at.
func (d distance) Values(leaf *lucene.LeafContext) (search.Values, error) {
	if d.mode == search.ModeMin || d.mode == search.ModeMax {
		return d.all(leaf)
	}
	v, err := search.Column{Field: d.field, Kind: d.kind, Mode: d.mode}.Values(leaf)
	if err != nil {
		return nil, err
	}
	return &distanceValues{d: d, in: v}, nil
}

type distanceValues struct {
	d  distance
	in search.Values
}

func (v *distanceValues) AdvanceExact(doc int32) (bool, error) { return v.in.AdvanceExact(doc) }

func (v *distanceValues) Key() int64 { return search.SortableDouble(v.d.of(v.in.Key())) }

func (d distance) of(key int64) float64 {
	x := d.kind.Double(key)
	if d.factor != 0 {
		x = float64(key) * d.factor
	}
	return math.Abs(x - d.origin)
}

// all looks at every value of a document.
func (d distance) all(leaf *lucene.LeafContext) (search.Values, error) {
	fi := leaf.Reader.FieldInfos().ByName(d.field)
	none, err := search.Column{Field: d.field, Kind: d.kind}.Values(leaf)
	if err != nil || fi == nil || fi.DocValuesType != lucene.DocValuesSortedNumeric {
		return &distanceValues{d: d, in: none}, err
	}
	dv, err := leaf.Reader.DocValues().SortedNumeric(fi)
	if err != nil || dv == nil {
		return &distanceValues{d: d, in: none}, err
	}
	return &allDistances{d: d, dv: dv}, nil
}

type allDistances struct {
	d   distance
	dv  lucene.SortedNumericDocValues
	key int64
}

func (a *allDistances) AdvanceExact(doc int32) (bool, error) {
	ok, err := a.dv.AdvanceExact(doc)
	if err != nil || !ok {
		return false, err
	}
	best := math.NaN()
	for range a.dv.Count() {
		v, err := a.dv.NextValue()
		if err != nil {
			return false, err
		}
		x := a.d.of(rawKey(a.d.kind, v))
		if math.IsNaN(best) || (x < best) == (a.d.mode == search.ModeMin) {
			best = x
		}
	}
	a.key = search.SortableDouble(best)
	return true, nil
}

func (a *allDistances) Key() int64 { return a.key }

// rawKey turns a raw column value into a key of search.Values.
func rawKey(kind search.Kind, v int64) int64 {
	switch kind {
	case search.KindLong, search.KindDouble:
		return v
	case search.KindUnsigned:
		return v ^ math.MinInt64
	case search.KindFloat:
		b := int32(v)
		return search.SortableDouble(float64(math.Float32frombits(uint32(b ^ b>>31&0x7fffffff))))
	}
	return search.SortableDouble(halfValue(int16(v)))
}

// random is the function random_score.
type random struct {
	seed int32
	src  search.ValueSource // nil: by document
}

func (r *random) NeedsScores() bool { return false }

func (r *random) String() string { return fmt.Sprintf("random(%d,%v)", r.seed, r.src) }

// Leaf implements search.ScoreFunction.
func (r *random) Leaf(leaf *lucene.LeafContext) (search.LeafScoreFunction, error) {
	l := &leafRandom{r: r, base: leaf.DocBase}
	if r.src != nil {
		var err error
		if l.values, err = r.src.Values(leaf); err != nil {
			return nil, err
		}
	}
	return l, nil
}

type leafRandom struct {
	r      *random
	base   int32
	values search.Values
}

func (l *leafRandom) Score(doc int32, _ float32) (float64, error) {
	hash := l.r.seed
	if l.values == nil {
		hash = mix(l.base+doc, l.r.seed)
	} else {
		ok, err := l.values.AdvanceExact(doc)
		if err != nil {
			return 0, err
		}
		if ok {
			hash = murmur3(strconv.AppendInt(nil, l.values.Key(), 10), l.r.seed)
		}
	}
	return float64(float32(hash&0x00ffffff) / (1 << 24)), nil
}

// mix is the finalizer of MurmurHash3 over a number and a seed.
func mix(v, seed int32) int32 { return int32(mix32(uint32(v ^ seed))) }

func mix32(k uint32) uint32 {
	k = (k ^ k>>16) * 0x85ebca6b
	k = (k ^ k>>13) * 0xc2b2ae35
	return k ^ k>>16
}

// murmur3 is MurmurHash3 x86 of 32 bits.
func murmur3(data []byte, seed int32) int32 {
	const c1, c2 = 0xcc9e2d51, 0x1b873593
	h := uint32(seed)
	n := len(data) &^ 3
	for i := 0; i < n; i += 4 {
		k := uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16 | uint32(data[i+3])<<24
		k = bits.RotateLeft32(k*c1, 15) * c2
		h = bits.RotateLeft32(h^k, 13)*5 + 0xe6546b64
	}
	var k uint32
	for i := len(data) - 1; i >= n; i-- {
		k = k<<8 | uint32(data[i])
	}
	if len(data) > n {
		h ^= bits.RotateLeft32(k*c1, 15) * c2
	}
	return int32(mix32(h ^ uint32(len(data))))
}
