package query

import (
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/search"
)

// conversion is what numeric_type does with numbers.
type conversion uint8

const (
	toLong conversion = iota
	toDouble
	millisToNanos
	nanosToMillis
)

// convert are the numbers of another source in another type.
type convert struct {
	src  search.ValueSource
	from search.Kind
	to   conversion
}

func (c convert) String() string { return fmt.Sprintf("convert(%s,%d,%d)", c.src, c.from, c.to) }

// Values implements search.ValueSource.
func (c convert) Values(leaf *lucene.LeafContext) (search.Values, error) {
	v, err := c.src.Values(leaf)
	return &convertValues{v, c}, err
}

type convertValues struct {
	search.Values
	c convert
}

func (v *convertValues) Key() int64 {
	key := v.Values.Key()
	switch v.c.to {
	case toDouble:
		return search.SortableDouble(v.c.from.Double(key))
	case millisToNanos:
		if key > math.MaxInt64/1_000_000 {
			return math.MaxInt64
		}
		return key * 1e6
	case nanosToMillis:
		return key / 1e6
	}
	if v.c.from == search.KindLong {
		return key
	}
	return saturate(v.c.from.Double(key))
}

// distances are those from several points, in a unit.
type distances struct {
	srcs []search.ValueSource
	mode search.Mode
	unit float64
}

func (d distances) String() string { return fmt.Sprintf("distances(%v,%d,%v)", d.srcs, d.mode, d.unit) }

// Values implements search.ValueSource.
func (d distances) Values(leaf *lucene.LeafContext) (search.Values, error) {
	out := &distancesValues{d: d}
	for _, s := range d.srcs {
		v, err := s.Values(leaf)
		if err != nil {
			return nil, err
		}
		out.in = append(out.in, v)
	}
	return out, nil
}

type distancesValues struct {
	d   distances
	in  []search.Values
	key int64
}

func (v *distancesValues) AdvanceExact(doc int32) (bool, error) {
	var all []float64
	for _, in := range v.in {
		ok, err := in.AdvanceExact(doc)
		if err != nil || !ok {
			return false, err
		}
		all = append(all, search.KindDouble.Double(in.Key()))
	}
	v.key = search.SortableDouble(combine(all, v.d.mode) / v.d.unit)
	return true, nil
}

func (v *distancesValues) Key() int64 { return v.key }

// combine makes one number of several.
func combine(vals []float64, mode search.Mode) float64 {
	switch mode {
	case search.ModeMin:
		return slices.Min(vals)
	case search.ModeMax:
		return slices.Max(vals)
	case search.ModeMedian:
		slices.Sort(vals)
		if n := len(vals); n%2 == 0 {
			return (vals[n/2-1] + vals[n/2]) / 2
		}
		return vals[len(vals)/2]
	}
	sum := 0.0
	for _, v := range vals {
		sum += v
	}
	if mode == search.ModeAvg {
		return sum / float64(len(vals))
	}
	return sum
}

// nestedSort is which nested documents give a root its value.
type nestedSort struct {
	path    string
	parents *search.ParentFilter
	child   search.Query
	// Leaf gives the children of a segment; set by a Searcher that the sort is bound to.
	searcher func() *search.Searcher
}

func (c *Context) nestedSort(k sortSpec, r *ref) (*nestedSort, error) {
	path := k.nested
	if path == "" {
		return nil, nil
	}
	o := c.Mapping.Object(path)
	if o == nil {
		return nil, c.shardError("[nested] failed to find nested object under path [%s]", path)
	}
	if !o.Nested() {
		return nil, c.shardError("[nested] nested object under path [%s] is not of nested type", path)
	}
	if c.Searcher == nil {
		return nil, apierr.NotImplemented("sorting by the field [%s] of nested documents needs a searcher", r.Name())
	}
	n := &nestedSort{path: path, parents: c.within("").parentFilter(), child: nestedDocuments(path), searcher: c.Searcher}
	if k.nestedFilter != nil {
		q, err := k.nestedFilter.build(c.within(path))
		if err != nil {
			return nil, err
		}
		if q != nil {
			n.child = &search.Boolean{Clauses: []search.Clause{{Query: q, Occur: search.Filter}, {Query: n.child, Occur: search.Filter}}}
		}
	}
	return n, nil
}

// nestedValues gives roots a number of those of their nested documents.
type nestedValues struct {
	src    search.ValueSource
	mode   search.Mode
	kind   search.Kind
	nested *nestedSort
}

func (v *nestedValues) String() string {
	return fmt.Sprintf("nested(%s,%d,%s,%s)", v.src, v.mode, v.nested.path, v.nested.child)
}

// Values implements search.ValueSource.
func (v *nestedValues) Values(leaf *lucene.LeafContext) (search.Values, error) {
	s := v.nested.searcher()
	parents, err := v.nested.parents.Bits(s, leaf)
	if err != nil {
		return nil, err
	}
	children, err := matching(s, v.nested.child, leaf)
	if err != nil {
		return nil, err
	}
	in, err := v.src.Values(leaf)
	if err != nil {
		return nil, err
	}
	return &nestedLeaf{v: v, parents: parents, children: children, in: in}, nil
}

type nestedLeaf struct {
	v        *nestedValues
	parents  *lucene.FixedBits
	children lucene.DocIDSetIterator
	in       search.Values
	key      int64
}

func (n *nestedLeaf) AdvanceExact(doc int32) (bool, error) {
	if n.children == nil || n.parents == nil || doc == 0 {
		return false, nil
	}
	first := doc
	for first > 0 && !n.parents.Get(first-1) {
		first--
	}
	var keys []int64
	at := n.children.DocID()
	var err error
	if at < first {
		if at, err = n.children.Advance(first); err != nil {
			return false, err
		}
	}
	for at < doc {
		ok, err := n.in.AdvanceExact(at)
		if err != nil {
			return false, err
		}
		if ok {
			keys = append(keys, n.in.Key())
		}
		if at, err = n.children.Next(); err != nil {
			return false, err
		}
	}
	if len(keys) == 0 {
		return false, nil
	}
	switch n.v.mode {
	case search.ModeMin:
		n.key = slices.Min(keys)
	case search.ModeMax:
		n.key = slices.Max(keys)
	default:
		vals := make([]float64, len(keys))
		for i, k := range keys {
			vals[i] = n.v.kind.Double(k)
			if n.v.kind == search.KindLong {
				vals[i] = float64(k)
			}
		}
		x := combine(vals, n.v.mode)
		if n.v.kind == search.KindLong {
			n.key = javaRound(x)
		} else {
			n.key = search.SortableDouble(x)
		}
	}
	return true, nil
}

func (n *nestedLeaf) Key() int64 { return n.key }

// matching returns an iterator over the documents of a query in a segment, nil if there are none.
func matching(s *search.Searcher, q search.Query, leaf *lucene.LeafContext) (lucene.DocIDSetIterator, error) {
	rq, err := s.Rewrite(&search.ConstantScore{Query: q})
	if err != nil {
		return nil, err
	}
	w, err := s.Weight(rq, search.CompleteNoScores, 1)
	if err != nil {
		return nil, err
	}
	sup, err := w.Supplier(leaf)
	if err != nil || sup == nil {
		return nil, err
	}
	sc, err := sup.Scorer(math.MaxInt64)
	if err != nil || sc == nil {
		return nil, err
	}
	if two := sc.TwoPhase(); two != nil {
		return &twoPhase{two}, nil
	}
	return sc.Iterator(), nil
}

// twoPhase checks the matches of an approximation one by one.
type twoPhase struct{ in search.TwoPhase }

func (t *twoPhase) DocID() int32 { return t.in.Approximation().DocID() }
func (t *twoPhase) Cost() int64  { return t.in.Approximation().Cost() }

func (t *twoPhase) Next() (int32, error) { return t.settle(t.in.Approximation().Next()) }

func (t *twoPhase) Advance(target int32) (int32, error) {
	return t.settle(t.in.Approximation().Advance(target))
}

func (t *twoPhase) settle(doc int32, err error) (int32, error) {
	for err == nil && doc != lucene.NoMoreDocs {
		var ok bool
		if ok, err = t.in.Matches(); err != nil || ok {
			return doc, err
		}
		doc, err = t.in.Approximation().Next()
	}
	return doc, err
}
