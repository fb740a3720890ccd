package check

import (
	"bytes"

	"github.com/varve-search/varve/lucene"
)

// points checks all fields with points.
func (s *segment) points() error {
	for _, f := range s.r.FieldInfos().All() {
		if f.PointDims == 0 {
			continue
		}
		s.runField(PartPoints, f.Name, func() error {
			values, err := s.r.Points(f.Name)
			if err != nil || values == nil {
				return err
			}
			return s.tree(f, values)
		})
	}
	return nil
}

func (s *segment) tree(f *lucene.FieldInfo, values lucene.PointValues) error {
	v := &pointVisitor{
		s: s, dims: values.NumDims(), indexDims: values.NumIndexDims(), width: values.BytesPerDim(),
		min: values.MinPacked(), max: values.MaxPacked(), seen: lucene.NewFixedBits(s.r.MaxDoc()), lastDoc: -1,
	}
	if v.dims != int(f.PointDims) || v.indexDims != int(f.PointIndexDims) || v.width != int(f.PointBytes) {
		return problemf("it has points of %d dimensions (%d in the tree) and %d bytes, its description says %d, %d and %d",
			v.dims, v.indexDims, v.width, f.PointDims, f.PointIndexDims, f.PointBytes)
	}
	if int64(values.DocCount()) > values.Size() || values.DocCount() > s.r.MaxDoc() {
		return problemf("it has %d points in %d of %d documents", values.Size(), values.DocCount(), s.r.MaxDoc())
	}
	if n := v.indexDims * v.width; len(v.min) != n || len(v.max) != n {
		return problemf("its bounds have %d and %d bytes where %d are expected", len(v.min), len(v.max), n)
	}
	if err := values.Intersect(v); err != nil {
		return err
	}
	if v.err != nil {
		return v.err
	}
	if v.points != values.Size() {
		return problemf("it has %d points, its statistics say %d", v.points, values.Size())
	}
	if n := count(v.seen, s.r.MaxDoc()); n != values.DocCount() {
		return problemf("%d documents have points, its statistics say %d", n, values.DocCount())
	}
	s.report.Points += v.points
	return nil
}

// pointVisitor sees all points, as a query that crosses every cell.
type pointVisitor struct {
	s                      *segment
	dims, indexDims, width int
	min, max               []byte // of the whole tree
	cellMin, cellMax       []byte
	points                 int64
	seen                   *lucene.FixedBits
	last                   []byte // of one dimension
	lastDoc                int32
	err                    error // of Compare, which cannot return one
}

// outside tells in which dimension a value is below min or above max; -1: none.
func (v *pointVisitor) outside(packed, min, max []byte) int {
	for d := range v.indexDims {
		at, end := d*v.width, (d+1)*v.width
		if bytes.Compare(packed[at:end], min[at:end]) < 0 || bytes.Compare(packed[at:end], max[at:end]) > 0 {
			return d
		}
	}
	return -1
}

// Compare implements lucene.PointVisitor.
func (v *pointVisitor) Compare(min, max []byte) lucene.Relation {
	n := v.indexDims * v.width
	if v.err == nil {
		switch {
		case len(min) != n || len(max) != n:
			v.err = problemf("a cell's bounds have %d and %d bytes where %d are expected", len(min), len(max), n)
		case v.outside(min, v.min, v.max) >= 0 || v.outside(max, v.min, v.max) >= 0:
			v.err = problemf("the cell from %x to %x is not within %x to %x", min, max, v.min, v.max)
		case v.outside(min, min, max) >= 0:
			v.err = problemf("a cell goes from %x to %x", min, max)
		}
	}
	if v.err != nil {
		return lucene.CellOutside // what was found is enough
	}
	if len(v.cellMin) > 0 && bytes.Equal(min, max) && v.outside(min, v.cellMin, v.cellMax) < 0 {
		return lucene.CellCrosses // perhaps a run of equal points, after which those of the cell go on
	}
	v.cellMin, v.cellMax = append(v.cellMin[:0], min...), append(v.cellMax[:0], max...)
	return lucene.CellCrosses
}

// Visit implements lucene.PointVisitor.
func (v *pointVisitor) Visit(doc int32) error {
	return problemf("document %d comes without its point", doc)
}

// VisitAll implements lucene.PointVisitor.
func (v *pointVisitor) VisitAll(docs []int32) error {
	return problemf("%d documents come without their points", len(docs))
}

// Grow implements lucene.PointVisitor.
func (v *pointVisitor) Grow(int) {}

// VisitValue implements lucene.PointVisitor.
func (v *pointVisitor) VisitValue(doc int32, packed []byte) error {
	if err := v.s.tick(); err != nil {
		return err
	}
	if len(packed) != v.dims*v.width {
		return problemf("a point of document %d has %d bytes where %d are expected", doc, len(packed), v.dims*v.width)
	}
	if doc < 0 || doc >= v.s.r.MaxDoc() {
		return problemf("a point of document %d of %d", doc, v.s.r.MaxDoc())
	}
	if len(v.cellMin) > 0 && v.outside(packed, v.cellMin, v.cellMax) >= 0 {
		return problemf("point %x of document %d is not in its cell from %x to %x", packed, doc, v.cellMin, v.cellMax)
	}
	if v.dims == 1 {
		if c := bytes.Compare(v.last, packed); v.points > 0 && (c > 0 || c == 0 && doc < v.lastDoc) {
			return problemf("point %x of document %d follows %x of document %d", packed, doc, v.last, v.lastDoc)
		}
		v.last, v.lastDoc = append(v.last[:0], packed...), doc
	}
	v.points++
	v.seen.Set(doc)
	return nil
}
