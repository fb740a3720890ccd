package search

import (
	"encoding/binary"
	"math"

	"github.com/varve-search/varve/lucene"
)

// A search for the best K hits by a number that is indexed as a point need not look at all matches: the tree knows which
// documents have the most extreme values. The matches among those are collected first; if they fill the queue, all other
// documents are worse, and at most counted.

// minExtremes is the size of segments from which it pays.
const minExtremes = 1 << 15

// afterExtremes is what remains to be done once the extreme documents were collected.
type afterExtremes uint8

const (
	collectRest afterExtremes = iota // the others may be among the best
	countAll                         // only the number of matches is missing
	nothingLeft
)

// extremesFirst is implemented by leaf collectors that want some documents before all others.
type extremesFirst interface {
	// extremes returns documents whose sort values are better than those of all others, or nil. cost is how many
	// documents the query matches, at most.
	extremes(leaf *lucene.LeafContext, cost int64) (*DocIDSet, error)
	// after tells what is left to do after they were collected.
	after(leaf *lucene.LeafContext, w Weight) (afterExtremes, error)
}

// begin starts a segment: it collects extreme documents first, where that helps, and returns what remains to be
// collected, nil if nothing does.
func (s *Searcher) begin(leaf *lucene.LeafContext, w Weight, c Collector, lc LeafCollector) (bulkScorer, LeafCollector, error) {
	bulk := func() (bulkScorer, LeafCollector, error) {
		b, err := bulkFor(w, leaf, c.Mode())
		return b, lc, err
	}
	ef, ok := lc.(extremesFirst)
	maxDoc := leaf.Reader.MaxDoc()
	if !ok || maxDoc < minExtremes || c.Mode().NeedsScores() {
		return bulk()
	}
	sup, err := w.Supplier(leaf)
	if err != nil || sup == nil {
		return nil, lc, err
	}
	set, err := ef.extremes(leaf, sup.Cost())
	if err != nil {
		return nil, lc, err
	}
	if set == nil {
		return bulk()
	}
	sc, err := sup.Scorer(int64(set.Len()))
	if err != nil {
		return nil, lc, err
	}
	both := newConjunctionScorer([]Scorer{setScorer(set), sc}, nil)
	if _, err := newDefaultBulk(both, CompleteNoScores).score(lc, leaf.Reader.LiveDocs(), 0, maxDoc); err != nil {
		return nil, lc, err
	}
	left, err := ef.after(leaf, w)
	if left == nothingLeft || err != nil {
		return nil, lc, err
	}
	// from the start of the segment again
	if lc, err = c.Leaf(leaf, w); lc == nil || err != nil {
		return nil, lc, err
	}
	if left == countAll {
		return bulk()
	}
	rest, err := bulkFor(w, leaf, c.Mode())
	return rest, &othersCollector{LeafCollector: lc, it: set.Iterator()}, err
}

// othersCollector leaves out documents that were collected before.
type othersCollector struct {
	LeafCollector
	it lucene.DocIDSetIterator // of those
}

func (o *othersCollector) before(doc int32) (bool, error) {
	d := o.it.DocID()
	if d < doc {
		var err error
		if d, err = o.it.Advance(doc); err != nil {
			return false, err
		}
	}
	return d == doc, nil
}

// Collect implements LeafCollector.
func (o *othersCollector) Collect(doc int32) error {
	if seen, err := o.before(doc); seen || err != nil {
		return err
	}
	return o.LeafCollector.Collect(doc)
}

// CollectBatch implements BatchCollector.
func (o *othersCollector) CollectBatch(docs []int32) error {
	n := 0
	next := o.it.DocID()
	for _, d := range docs {
		if next < d {
			var err error
			if next, err = o.it.Advance(d); err != nil {
				return err
			}
		}
		if next != d {
			docs[n] = d
			n++
		}
	}
	return collectBatch(o.LeafCollector, docs[:n])
}

// pointOf returns the point encoding of a number in the order of points of a width, and its sort key.
func (f SortField) pointOf(v int64, width int) (packed []byte, key int64) {
	if width == 8 {
		return binary.BigEndian.AppendUint64(nil, uint64(v)^1<<63), v
	}
	packed = binary.BigEndian.AppendUint32(nil, uint32(v)^1<<31)
	if f.Kind == KindFloat {
		return packed, KindFloat.key(v)
	}
	return packed, v
}

// extremePoints tells whether the points of a field hold the values of its column in a form that pointOf makes.
func (f SortField) extremePoints(pv lucene.PointValues) bool {
	if f.Type != SortNumber || f.Source != nil || f.Mode == ModeSum || pv == nil || pv.NumDims() != 1 {
		return false
	}
	switch f.Kind {
	case KindLong:
		return pv.BytesPerDim() == 4 || pv.BytesPerDim() == 8
	case KindDouble:
		return pv.BytesPerDim() == 8
	case KindFloat:
		return pv.BytesPerDim() == 4
	}
	return false
}

// pointRange is the points at or before (in the order of the sort) a number.
func (f SortField) pointRange(v int64, width int) *PointRange {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if width == 4 {
		lo, hi = math.MinInt32, math.MaxInt32
	}
	if f.Reverse {
		lo = v
	} else {
		hi = v
	}
	lower, _ := f.pointOf(lo, width)
	upper, _ := f.pointOf(hi, width)
	return &PointRange{Field: f.Field, Dims: 1, Lower: lower, Upper: upper}
}

func (c *fieldCollector) extremes(leaf *lucene.LeafContext, cost int64) (*DocIDSet, error) {
	maxDoc := int64(leaf.Reader.MaxDoc())
	n, ok := c.by[0].(*numberCriterion)
	if !ok || c.m.K == 0 || c.m.After != nil || c.sorted || c.countOnly || cost < maxDoc/8 {
		return nil, nil
	}
	// Enough documents that K of them match, if matches are spread evenly, and few enough to be cheap.
	want := max(4*int64(c.m.K)*maxDoc/cost, 1024)
	if want > maxDoc/16 {
		return nil, nil
	}
	pv, err := leaf.Reader.Points(n.f.Field)
	if err != nil || pv == nil || !n.f.extremePoints(pv) || pv.Size() < want {
		return nil, err
	}
	width := pv.BytesPerDim()
	count := func(v int64) (int64, error) {
		return pv.EstimatePointCount(&countPoints{pointTest: n.f.pointRange(v, width)})
	}
	// the nearest bound with at least so many points
	near, far := int64(math.MinInt64), int64(math.MaxInt64)
	if width == 4 {
		near, far = math.MinInt32, math.MaxInt32
	}
	if n.f.Reverse {
		near, far = far, near
	}
	for {
		mid := near&far + (near^far)>>1 // the mean, rounded down
		if mid == near || mid == far {
			break
		}
		points, err := count(mid)
		if err != nil {
			return nil, err
		}
		if points >= want {
			far = mid
		} else {
			near = mid
		}
	}
	points, err := count(far)
	if err != nil || points > maxDoc/8 { // many documents share a value
		return nil, err
	}
	if _, c.extreme = n.f.pointOf(far, width); int64(pv.DocCount()) < maxDoc && n.sign*compareKey(n.missing, c.extreme) <= 0 {
		return nil, nil // documents without a value are as good
	}
	c.before = c.total
	return pointSet(pv, n.f.pointRange(far, width), int32(maxDoc), points)
}

func (c *fieldCollector) after(leaf *lucene.LeafContext, w Weight) (afterExtremes, error) {
	n := c.by[0].(*numberCriterion)
	if len(c.heap) < c.m.K || n.sign*compareKey(n.bottom, c.extreme) > 0 {
		return collectRest, nil
	}
	if c.total > c.m.Threshold {
		c.ended = true
		return nothingLeft, nil
	}
	known, err := w.Count(leaf)
	if err != nil {
		return nothingLeft, err
	}
	c.total = c.before
	if known >= 0 {
		c.total += int64(known)
		return nothingLeft, nil
	}
	c.countNext = true
	return countAll, nil
}
