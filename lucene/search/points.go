package search

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// sortableInt is the point encoding of an int32.
func sortableInt(v int32) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(v)^0x80000000)
}

// sortableLong is the point encoding of an int64.
func sortableLong(v int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(v)^1<<63)
}

// EncodeInt returns the point encoding of an int32: four bytes that sort like the numbers.
func EncodeInt(v int32) []byte { return sortableInt(v) }

// EncodeLong returns the point encoding of an int64: eight bytes that sort like the numbers.
func EncodeLong(v int64) []byte { return sortableLong(v) }

// SortableDouble returns the bits of a double as a number that sorts like it; doc values hold that.
func SortableDouble(v float64) int64 { return flipDouble(int64(math.Float64bits(v))) }

// SortableFloat returns the bits of a float as a number that sorts like it; doc values hold that.
func SortableFloat(v float32) int32 { return flipFloat(int32(math.Float32bits(v))) }

func flipDouble(b int64) int64 { return b ^ (b>>63)&math.MaxInt64 }
func flipFloat(b int32) int32  { return b ^ (b>>31)&math.MaxInt32 }

// PointRange matches documents with a point within a box.
type PointRange struct {
	Field string
	Dims  int
	Lower []byte // packed, inclusive
	Upper []byte
}

// NewLongRange matches an 8-byte point from lo to hi, both inclusive.
func NewLongRange(field string, lo, hi int64) *PointRange {
	return &PointRange{Field: field, Dims: 1, Lower: sortableLong(lo), Upper: sortableLong(hi)}
}

// NewIntRange matches a 4-byte point from lo to hi, both inclusive.
func NewIntRange(field string, lo, hi int32) *PointRange {
	return &PointRange{Field: field, Dims: 1, Lower: sortableInt(lo), Upper: sortableInt(hi)}
}

func (q *PointRange) String() string {
	return fmt.Sprintf("points(%q,%d,%x,%x)", q.Field, q.Dims, q.Lower, q.Upper)
}

// Rewrite implements Query.
func (q *PointRange) Rewrite(*Searcher) (Query, error) {
	if q.Dims < 1 || len(q.Lower) != len(q.Upper) || len(q.Lower)%q.Dims != 0 {
		return nil, fmt.Errorf("a point range on %q of %d dimensions has bounds of %d and %d bytes", q.Field, q.Dims, len(q.Lower), len(q.Upper))
	}
	return q, nil
}

func (q *PointRange) width() int { return len(q.Lower) / q.Dims }

// contains tells whether a packed value lies in the box.
func (q *PointRange) contains(v []byte) bool {
	if q.Dims == 1 {
		return bytes.Compare(v, q.Lower) >= 0 && bytes.Compare(v, q.Upper) <= 0
	}
	w := q.width()
	for i := 0; i < len(q.Lower); i += w {
		if bytes.Compare(v[i:i+w], q.Lower[i:i+w]) < 0 || bytes.Compare(v[i:i+w], q.Upper[i:i+w]) > 0 {
			return false
		}
	}
	return true
}

func (q *PointRange) relate(lo, hi []byte) lucene.Relation {
	r := lucene.CellInside
	w := q.width()
	for i := 0; i < len(lo); i += w {
		if bytes.Compare(lo[i:i+w], q.Upper[i:i+w]) > 0 || bytes.Compare(hi[i:i+w], q.Lower[i:i+w]) < 0 {
			return lucene.CellOutside
		}
		if bytes.Compare(lo[i:i+w], q.Lower[i:i+w]) < 0 || bytes.Compare(hi[i:i+w], q.Upper[i:i+w]) > 0 {
			r = lucene.CellCrosses
		}
	}
	return r
}

// Weight implements Query.
func (q *PointRange) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return pointWeight(q, boost, q.Field, q.Dims, q.width(), func() pointTest { return q }), nil
}

// pointTest is a set of points. It is used by one goroutine.
type pointTest interface {
	relate(lo, hi []byte) lucene.Relation
	contains(v []byte) bool
}

// collectPoints is a PointVisitor that adds matching documents to a set.
type collectPoints struct {
	pointTest
	b *DocIDSetBuilder
}

func (c *collectPoints) Compare(lo, hi []byte) lucene.Relation { return c.relate(lo, hi) }
func (c *collectPoints) Visit(doc int32) error                 { c.b.Add(doc); return nil }
func (c *collectPoints) VisitAll(docs []int32) error           { c.b.AddAll(docs); return nil }
func (c *collectPoints) Grow(n int)                            { c.b.Grow(n) }
func (c *collectPoints) VisitValue(doc int32, v []byte) error {
	if c.contains(v) {
		c.b.Add(doc)
	}
	return nil
}

// excludePoints clears the documents of points that do not match, where each document has one point.
type excludePoints struct {
	pointTest
	bits *lucene.FixedBits
}

func (c *excludePoints) Compare(lo, hi []byte) lucene.Relation {
	switch r := c.relate(lo, hi); r {
	case lucene.CellInside:
		return lucene.CellOutside
	case lucene.CellOutside:
		return lucene.CellInside
	default:
		return r
	}
}
func (c *excludePoints) Visit(doc int32) error { c.bits.Clear(doc); return nil }
func (c *excludePoints) Grow(int)              {}
func (c *excludePoints) VisitAll(docs []int32) error {
	for _, d := range docs {
		c.bits.Clear(d)
	}
	return nil
}
func (c *excludePoints) VisitValue(doc int32, v []byte) error {
	if !c.contains(v) {
		c.bits.Clear(doc)
	}
	return nil
}

// countPoints counts matching points.
type countPoints struct {
	pointTest
	n int
}

func (c *countPoints) Compare(lo, hi []byte) lucene.Relation { return c.relate(lo, hi) }
func (c *countPoints) Visit(int32) error                     { c.n++; return nil }
func (c *countPoints) VisitAll(docs []int32) error           { c.n += len(docs); return nil }
func (c *countPoints) Grow(int)                              {}
func (c *countPoints) VisitValue(_ int32, v []byte) error {
	if c.contains(v) {
		c.n++
	}
	return nil
}

// pointWeight matches the documents with a point that passes a test.
func pointWeight(q Query, boost float32, field string, dims, width int, test func() pointTest) Weight {
	open := func(leaf *lucene.LeafContext) (lucene.PointValues, error) {
		pv, err := leaf.Reader.Points(field)
		if pv == nil || err != nil {
			return nil, err
		}
		if pv.NumDims() != dims || pv.BytesPerDim() != width {
			return nil, fmt.Errorf("field %q was indexed with %d dimensions of %d bytes, but the query has %d of %d", field, pv.NumDims(), pv.BytesPerDim(), dims, width)
		}
		return pv, nil
	}
	return &constantWeight{q: q, score: boost,
		supply: func(leaf *lucene.LeafContext) (int64, opener, error) {
			pv, err := open(leaf)
			if pv == nil || err != nil {
				return 0, nil, err
			}
			max := leaf.Reader.MaxDoc()
			switch pointBounds(pv, test()) {
			case lucene.CellOutside:
				return 0, nil, nil
			case lucene.CellInside:
				if pv.DocCount() == max {
					return int64(max), func(int64) (lucene.DocIDSetIterator, TwoPhase, error) { return newAllIterator(max), nil, nil }, nil
				}
			}
			points, err := pv.EstimatePointCount(&countPoints{pointTest: test()})
			if err != nil {
				return 0, nil, err
			}
			cost := estimateDocs(points, pv.Size(), int64(pv.DocCount()))
			return cost, func(int64) (lucene.DocIDSetIterator, TwoPhase, error) {
				set, err := pointSet(pv, test(), max, cost)
				if err != nil {
					return nil, nil, err
				}
				return set.Iterator(), nil, nil
			}, nil
		},
		count: func(leaf *lucene.LeafContext) (int, error) {
			pv, err := open(leaf)
			if pv == nil || err != nil {
				return 0, err
			}
			t := test()
			switch pointBounds(pv, t) {
			case lucene.CellOutside:
				return 0, nil
			case lucene.CellInside:
				if pv.DocCount() == leaf.Reader.MaxDoc() {
					return int(leaf.Reader.NumDocs()), nil
				}
			}
			if leaf.Reader.LiveDocs() != nil || pv.Size() != int64(pv.DocCount()) {
				return -1, nil
			}
			c := &countPoints{pointTest: t}
			err = pv.Intersect(c)
			return c.n, err
		},
	}
}

// pointBounds relates all points of a segment to a test.
func pointBounds(pv lucene.PointValues, t pointTest) lucene.Relation {
	if pv.NumDims() != pv.NumIndexDims() {
		return lucene.CellCrosses // the bounds do not tell of all dimensions
	}
	lo, hi := pv.MinPacked(), pv.MaxPacked()
	if lo == nil {
		return lucene.CellOutside
	}
	return t.relate(lo, hi)
}

// estimateDocs estimates documents from points, where documents may have several.
func estimateDocs(points, size, docs int64) int64 {
	if points >= size {
		return docs
	}
	if size == docs || points == 0 {
		return points
	}
	// each document has size/docs points; how many documents do so many points hit, if drawn at random
	d := float64(docs) * (1 - math.Pow(float64(size-points)/float64(size), float64(size)/float64(docs)))
	return max(1, int64(d))
}

func pointSet(pv lucene.PointValues, t pointTest, maxDoc int32, cost int64) (*DocIDSet, error) {
	if pv.DocCount() == maxDoc && pv.Size() == int64(maxDoc) && cost > int64(maxDoc/2) {
		// visiting what does not match is less work
		bits := lucene.NewFixedBits(maxDoc)
		for i := range bits.Words {
			bits.Words[i] = math.MaxUint64
		}
		if r := uint(maxDoc) & 63; r != 0 {
			bits.Words[len(bits.Words)-1] = 1<<r - 1
		}
		if err := pv.Intersect(&excludePoints{t, bits}); err != nil {
			return nil, err
		}
		return &DocIDSet{bits: bits, count: cardinality(bits)}, nil
	}
	b := NewDocIDSetBuilder(maxDoc)
	if err := pv.Intersect(&collectPoints{t, b}); err != nil {
		return nil, err
	}
	return b.Build(), nil
}

// PointSet matches documents that have one of several points.
type PointSet struct {
	Field  string
	Dims   int
	Values [][]byte // packed, of one length
}

func (q *PointSet) String() string {
	return fmt.Sprintf("pointset(%q,%d,%x)", q.Field, q.Dims, q.Values)
}

// Rewrite implements Query.
func (q *PointSet) Rewrite(*Searcher) (Query, error) {
	if len(q.Values) == 0 {
		return MatchNone{}, nil
	}
	for _, v := range q.Values {
		if q.Dims < 1 || len(v) != len(q.Values[0]) || len(v)%q.Dims != 0 || len(v) == 0 {
			return nil, fmt.Errorf("a point set on %q of %d dimensions holds a value of %d bytes", q.Field, q.Dims, len(v))
		}
	}
	if !slices.IsSortedFunc(q.Values, bytes.Compare) {
		out := *q
		out.Values = slices.Clone(q.Values)
		slices.SortFunc(out.Values, bytes.Compare)
		return &out, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *PointSet) Weight(_ *Searcher, _ ScoreMode, boost float32) (Weight, error) {
	return pointWeight(q, boost, q.Field, q.Dims, len(q.Values[0])/q.Dims, func() pointTest { return pointSetTest{q} }), nil
}

type pointSetTest struct{ q *PointSet }

func (t pointSetTest) contains(v []byte) bool {
	_, ok := slices.BinarySearchFunc(t.q.Values, v, bytes.Compare)
	return ok
}

func (t pointSetTest) relate(lo, hi []byte) lucene.Relation {
	if t.q.Dims == 1 {
		i, _ := slices.BinarySearchFunc(t.q.Values, lo, bytes.Compare)
		switch {
		case i == len(t.q.Values) || bytes.Compare(t.q.Values[i], hi) > 0:
			return lucene.CellOutside
		case bytes.Equal(lo, hi):
			return lucene.CellInside
		}
		return lucene.CellCrosses
	}
	w := len(lo) / t.q.Dims
values:
	for _, v := range t.q.Values {
		for i := 0; i < len(lo); i += w {
			if bytes.Compare(v[i:i+w], lo[i:i+w]) < 0 || bytes.Compare(v[i:i+w], hi[i:i+w]) > 0 {
				continue values
			}
		}
		return lucene.CellCrosses
	}
	return lucene.CellOutside
}

// IndexOrDocValues runs one of two queries of the same matches: one that is good at finding all, over the index, or
// one that is good at checking few, over a column.
type IndexOrDocValues struct {
	Index     Query
	DocValues Query
}

func (q *IndexOrDocValues) String() string {
	return fmt.Sprintf("either(%s,%s)", q.Index, q.DocValues)
}

// Rewrite implements Query.
func (q *IndexOrDocValues) Rewrite(s *Searcher) (Query, error) {
	i, err := q.Index.Rewrite(s)
	if err != nil {
		return nil, err
	}
	d, err := q.DocValues.Rewrite(s)
	if err != nil {
		return nil, err
	}
	switch i.(type) {
	case MatchAll, MatchNone:
		return i, nil
	}
	if i != q.Index || d != q.DocValues {
		return &IndexOrDocValues{i, d}, nil
	}
	return q, nil
}

// Weight implements Query.
func (q *IndexOrDocValues) Weight(s *Searcher, mode ScoreMode, boost float32) (Weight, error) {
	i, err := q.Index.Weight(s, mode, boost)
	if err != nil {
		return nil, err
	}
	d, err := q.DocValues.Weight(s, mode, boost)
	if err != nil {
		return nil, err
	}
	return &eitherWeight{q, i, d}, nil
}

type eitherWeight struct {
	q          *IndexOrDocValues
	index, col Weight
}

func (w *eitherWeight) Query() Query { return w.q }

func (w *eitherWeight) Count(leaf *lucene.LeafContext) (int, error) {
	n, err := w.index.Count(leaf)
	if n >= 0 || err != nil {
		return n, err
	}
	return w.col.Count(leaf)
}

func (w *eitherWeight) Supplier(leaf *lucene.LeafContext) (ScorerSupplier, error) {
	i, err := w.index.Supplier(leaf)
	if i == nil || err != nil {
		return nil, err
	}
	cost := i.Cost()
	return supplierFunc{cost, func(leadCost int64) (Scorer, error) {
		if cost>>3 <= leadCost {
			return i.Scorer(leadCost)
		}
		d, err := w.col.Supplier(leaf)
		if err != nil {
			return nil, err
		}
		if d == nil {
			return newConstantScorer(&lucene.EmptyIterator{}, 0), nil
		}
		return d.Scorer(leadCost)
	}}, nil
}
