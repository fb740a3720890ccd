package lucene

// Relation is how the box of a tree's cell lies to what a query asks for.
type Relation uint8

// The relations.
const (
	CellInside  Relation = iota // the cell lies wholly within the query
	CellOutside                 // no point of the cell matches
	CellCrosses                 // some may
)

// PointVisitor is a query over points.
type PointVisitor interface {
	// Compare relates a cell, given by its smallest and largest packed values, to the query.
	Compare(minPacked, maxPacked []byte) Relation
	// Visit is called for each document of a cell inside of the query.
	Visit(doc int32) error
	// VisitAll is Visit for many documents.
	VisitAll(docs []int32) error
	// VisitValue is called for each point of a cell that crosses the query.
	VisitValue(doc int32, packed []byte) error
	// Grow announces that at most n more documents come.
	Grow(n int)
}

// PointValues are the points of one field of a segment: values of NumDims dimensions of
// BytesPerDim bytes, compared as unsigned big-endian bytes, in a tree over the first NumIndexDims.
type PointValues interface {
	Intersect(v PointVisitor) error
	// EstimatePointCount guesses how many points Intersect would visit, without reading leaves.
	EstimatePointCount(v PointVisitor) (int64, error)
	MinPacked() []byte // smallest value of each index dimension
	MaxPacked() []byte
	NumDims() int
	NumIndexDims() int
	BytesPerDim() int
	Size() int64     // points
	DocCount() int32 // documents
}

// PointsProducer hands out the points of a segment.
type PointsProducer interface {
	// Points returns those of a field, or nil if it has none.
	Points(field string) (PointValues, error)
}
