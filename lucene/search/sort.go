package search

import (
	"bytes"
	"cmp"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
)

// SortType is what hits are sorted by.
type SortType uint8

// The sort types.
const (
	SortScore  SortType = iota // best first; Reverse: worst first
	SortDoc                    // index order
	SortNumber                 // a column or Source, of Kind
	SortString                 // a column of byte strings
)

// Missing says where documents without a value go.
type Missing uint8

// The places. They hold whatever Reverse says.
const (
	MissingLast Missing = iota
	MissingFirst
	MissingAs // SortNumber: as if the value were MissingKey
)

// SortField is one criterion of a sort.
type SortField struct {
	Type       SortType
	Field      string
	Kind       Kind // of SortNumber
	Mode       Mode // which of several values; for SortString min or max
	Reverse    bool // descending
	Missing    Missing
	MissingKey int64       // a key of Kind: see Values.Key
	Source     ValueSource // SortNumber: instead of the column of Field
}

// sortKey is the value of a hit under one criterion.
type sortKey struct {
	n       int64
	b       []byte
	missing bool
}

// criterion compares hits by one SortField. Slots hold the keys of the hits that a collector keeps.
type criterion interface {
	leaf(leaf *lucene.LeafContext) error
	setScorer(sc Scorable)
	// load reads the key of a document.
	load(doc int32) error
	// compareBottom compares the key that was loaded with the worst hit's: negative if it comes before.
	compareBottom() int
	// compareTop compares the key that was loaded with that of the hit to search after.
	compareTop() int
	store(slot int) error
	setBottom(slot int) error
	compare(a, b int) int
	key(slot int) sortKey
	compareKeys(a, b sortKey) int
	// value renders a key as Hit.Sort has it.
	value(k sortKey) any
}

func newCriterion(f SortField, slots int, after any, hasAfter bool) (criterion, error) {
	switch f.Type {
	case SortString:
		c := &stringCriterion{f: f, sign: 1}
		if f.Reverse {
			c.sign = -1
		}
		c.slots = make([]stringSlot, slots)
		if hasAfter {
			b, ok := after.([]byte)
			if !ok && after != nil {
				return nil, fmt.Errorf("search_after for the strings of %q is a %T", f.Field, after)
			}
			c.top = sortKey{b: b, missing: after == nil}
		}
		return c, nil
	case SortNumber, SortScore, SortDoc:
		c := &numberCriterion{f: f, sign: 1}
		if f.Reverse != (f.Type == SortScore) {
			c.sign = -1
		}
		c.slots = make([]int64, slots)
		c.missing = f.MissingKey
		if f.Missing != MissingAs {
			// the largest key is last when ascending and first when descending
			if (f.Missing == MissingLast) != f.Reverse {
				c.missing = f.extreme(math.MaxInt64, math.Inf(1))
			} else {
				c.missing = f.extreme(math.MinInt64, math.Inf(-1))
			}
		}
		if hasAfter {
			k, err := f.parse(after, c.missing)
			if err != nil {
				return nil, err
			}
			c.top = k
		}
		return c, nil
	}
	return nil, fmt.Errorf("unknown sort type %d", f.Type)
}

// extreme is the key of the smallest or largest number of the kind.
func (f SortField) extreme(n int64, d float64) int64 {
	if f.Kind == KindLong || f.Kind == KindUnsigned {
		return n
	}
	return SortableDouble(d)
}

// parse turns a value of Hit.Sort into a key.
func (f SortField) parse(v any, missing int64) (int64, error) {
	switch x := v.(type) {
	case nil:
		return missing, nil
	case int64:
		switch {
		case f.Type == SortScore:
			return int64(SortableFloat(float32(x))), nil
		case f.Type == SortDoc || f.Kind == KindLong:
			return x, nil
		case f.Kind == KindUnsigned:
			return x ^ math.MinInt64, nil
		}
		return SortableDouble(float64(x)), nil
	case uint64:
		if f.Type == SortNumber && f.Kind == KindUnsigned {
			return int64(x ^ 1<<63), nil
		}
	case float64:
		switch {
		case f.Type == SortScore:
			return int64(SortableFloat(float32(x))), nil
		case f.Type == SortNumber && f.Kind != KindLong && f.Kind != KindUnsigned:
			return SortableDouble(x), nil
		}
	}
	return 0, fmt.Errorf("search_after value %v of type %T does not fit the sort on %q", v, v, f.Field)
}

// numberCriterion compares by an int64 key: numbers, scores and doc IDs.
type numberCriterion struct {
	f       SortField
	sign    int
	missing int64
	slots   []int64
	vals    Values
	batch   lucene.NumericBatch
	sc      Scorable
	base    int32
	cur     int64
	bottom  int64
	top     int64
}

func (c *numberCriterion) leaf(leaf *lucene.LeafContext) error {
	c.base = leaf.DocBase
	if c.f.Type != SortNumber {
		return nil
	}
	src := c.f.Source
	if src == nil {
		src = Column{c.f.Field, c.f.Kind, c.f.Mode}
	}
	var err error
	if c.vals, err = src.Values(leaf); err != nil {
		return err
	}
	c.batch = nil
	if s, ok := c.vals.(*singleColumn); ok {
		c.batch, _ = s.dv.(lucene.NumericBatch)
	}
	return nil
}

func (c *numberCriterion) setScorer(sc Scorable) { c.sc = sc }

func (c *numberCriterion) load(doc int32) error {
	switch c.f.Type {
	case SortDoc:
		c.cur = int64(c.base) + int64(doc)
		return nil
	case SortScore:
		s, err := c.sc.Score()
		c.cur = int64(SortableFloat(s))
		return err
	}
	ok, err := c.vals.AdvanceExact(doc)
	if ok {
		c.cur = c.vals.Key()
	} else {
		c.cur = c.missing
	}
	return err
}

func (c *numberCriterion) compareBottom() int           { return c.sign * cmp.Compare(c.cur, c.bottom) }
func (c *numberCriterion) compareTop() int              { return c.sign * cmp.Compare(c.cur, c.top) }
func (c *numberCriterion) store(slot int) error         { c.slots[slot] = c.cur; return nil }
func (c *numberCriterion) setBottom(slot int) error     { c.bottom = c.slots[slot]; return nil }
func (c *numberCriterion) compare(a, b int) int         { return c.sign * cmp.Compare(c.slots[a], c.slots[b]) }
func (c *numberCriterion) key(slot int) sortKey         { return sortKey{n: c.slots[slot]} }
func (c *numberCriterion) compareKeys(a, b sortKey) int { return c.sign * cmp.Compare(a.n, b.n) }

func (c *numberCriterion) value(k sortKey) any {
	switch {
	case c.f.Type == SortScore:
		return float64(math.Float32frombits(uint32(flipFloat(int32(k.n)))))
	case c.f.Type == SortDoc || c.f.Kind == KindLong:
		return k.n
	case c.f.Kind == KindUnsigned:
		return uint64(k.n) ^ 1<<63
	}
	return c.f.Kind.Double(k.n)
}

// stringCriterion compares by the ordinals of a segment while it can, and by bytes across segments.
type stringCriterion struct {
	f     SortField
	sign  int
	slots []stringSlot
	dv    lucene.SortedSetDocValues
	ord   int32 // number of the segment, to tell ordinals apart
	top   sortKey
	topO  ordPlace

	cur     int64 // ordinal, -1: none
	bottomO ordPlace
}

type stringSlot struct {
	key  sortKey
	ord  int64
	leaf int32
}

// ordPlace is where a string lies among the ordinals of a segment: at ord, or just before it.
type ordPlace struct {
	ord     int64
	exact   bool
	missing bool
}

func (c *stringCriterion) leaf(leaf *lucene.LeafContext) error {
	dv, err := sortedSet(leaf.Reader, c.f.Field)
	if err != nil {
		return err
	}
	c.dv, c.ord = dv, leaf.DocBase
	if c.topO, err = c.place(c.top); err != nil {
		return err
	}
	return nil
}

func (c *stringCriterion) place(k sortKey) (ordPlace, error) {
	if k.missing || c.dv == nil {
		return ordPlace{missing: k.missing}, nil
	}
	o, err := c.dv.LookupTerm(k.b)
	if o < 0 {
		return ordPlace{ord: -o - 1}, err
	}
	return ordPlace{ord: o, exact: true}, err
}

func (c *stringCriterion) setScorer(Scorable) {}

func (c *stringCriterion) load(doc int32) error {
	c.cur = -1
	if c.dv == nil {
		return nil
	}
	ok, err := c.dv.AdvanceExact(doc)
	if !ok || err != nil {
		return err
	}
	c.cur, err = c.dv.NextOrd()
	if c.f.Mode == ModeMax {
		for i := c.dv.Count() - 1; i > 0 && err == nil; i-- {
			c.cur, err = c.dv.NextOrd()
		}
	}
	return err
}

// missingFirst orders a document that lacks a value against one that has one.
func (c *stringCriterion) missingFirst() int {
	if c.f.Missing == MissingFirst {
		return -1
	}
	return 1
}

func (c *stringCriterion) comparePlace(p ordPlace) int {
	switch {
	case c.cur < 0 && p.missing:
		return 0
	case c.cur < 0:
		return c.missingFirst()
	case p.missing:
		return -c.missingFirst()
	case c.cur < p.ord:
		return -c.sign
	case c.cur == p.ord && p.exact:
		return 0
	}
	return c.sign
}

func (c *stringCriterion) compareBottom() int { return c.comparePlace(c.bottomO) }
func (c *stringCriterion) compareTop() int    { return c.comparePlace(c.topO) }

func (c *stringCriterion) store(slot int) error {
	s := &c.slots[slot]
	s.ord, s.leaf = c.cur, c.ord
	s.key.missing = c.cur < 0
	s.key.b = s.key.b[:0]
	if c.cur < 0 {
		return nil
	}
	b, err := c.dv.LookupOrd(c.cur)
	s.key.b = append(s.key.b, b...)
	return err
}

func (c *stringCriterion) setBottom(slot int) error {
	s := &c.slots[slot]
	if s.leaf == c.ord && s.ord >= 0 {
		c.bottomO = ordPlace{ord: s.ord, exact: true}
		return nil
	}
	var err error
	c.bottomO, err = c.place(s.key)
	return err
}

func (c *stringCriterion) compare(a, b int) int {
	x, y := &c.slots[a], &c.slots[b]
	if x.leaf == y.leaf && x.ord >= 0 && y.ord >= 0 {
		return c.sign * cmp.Compare(x.ord, y.ord)
	}
	return c.compareKeys(x.key, y.key)
}

func (c *stringCriterion) key(slot int) sortKey {
	k := c.slots[slot].key
	k.b = bytes.Clone(k.b)
	return k
}

func (c *stringCriterion) compareKeys(a, b sortKey) int {
	switch {
	case a.missing && b.missing:
		return 0
	case a.missing:
		return c.missingFirst()
	case b.missing:
		return -c.missingFirst()
	}
	return c.sign * bytes.Compare(a.b, b.b)
}

func (c *stringCriterion) value(k sortKey) any {
	if k.missing {
		return nil
	}
	return k.b
}
