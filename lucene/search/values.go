package search

import (
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// ValueSource gives documents a number.
type ValueSource interface {
	Values(leaf *lucene.LeafContext) (Values, error)
	// String describes it completely.
	String() string
}

// Values are the numbers of a segment's documents, asked for in ascending order.
type Values interface {
	// AdvanceExact moves to a document and tells whether it has a number.
	AdvanceExact(doc int32) (bool, error)
	// Key returns the number as one that sorts like it: itself for integers, SortableDouble of fractions,
	// with the top bit flipped for unsigned ones.
	Key() int64
}

// Kind is what a numeric column holds.
type Kind uint8

// The kinds.
const (
	KindLong      Kind = iota // integers
	KindDouble                // SortableDouble
	KindFloat                 // SortableFloat
	KindHalfFloat             // the same of 16 bits
	KindUnsigned              // 64 bits without sign, as Lucene's writer got them: the bits of a long
)

// Mode chooses one of several values of a document.
type Mode uint8

// The modes.
const (
	ModeMin Mode = iota
	ModeMax
	ModeSum
	ModeAvg
	ModeMedian
)

// Integer tells whether keys of the kind are integers.
func (k Kind) Integer() bool { return k == KindLong }

// Double decodes a key into a number.
func (k Kind) Double(key int64) float64 {
	switch k {
	case KindLong:
		return float64(key)
	case KindUnsigned:
		return float64(uint64(key) ^ 1<<63)
	}
	return math.Float64frombits(uint64(flipDouble(key)))
}

// decode turns a value of a column into a fraction.
func (k Kind) decode(v int64) float64 {
	switch k {
	case KindFloat:
		return float64(math.Float32frombits(uint32(flipFloat(int32(v)))))
	case KindHalfFloat:
		return float64(halfFloat(int16(v)))
	case KindLong:
		return float64(v)
	case KindUnsigned:
		return float64(uint64(v))
	}
	return math.Float64frombits(uint64(flipDouble(v)))
}

// key turns a value of a column into one that sorts like it.
func (k Kind) key(v int64) int64 {
	switch k {
	case KindFloat, KindHalfFloat:
		return SortableDouble(k.decode(v))
	case KindUnsigned:
		return v ^ math.MinInt64
	}
	return v
}

// halfFloat decodes sortable bits of a half-precision number.
func halfFloat(s int16) float32 {
	b := uint16(s ^ (s>>15)&0x7fff)
	sign := uint32(b>>15) << 31
	exp, frac := uint32(b>>10)&0x1f, uint32(b)&0x3ff
	switch {
	case exp == 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
	f := float32(frac) / (1 << 24)
	if sign != 0 {
		f = -f
	}
	return f
}

// Column is the numbers of a field's doc values.
type Column struct {
	Field string
	Kind  Kind
	Mode  Mode
}

func (c Column) String() string { return fmt.Sprintf("column(%q,%d,%d)", c.Field, c.Kind, c.Mode) }

// Values implements ValueSource.
func (c Column) Values(leaf *lucene.LeafContext) (Values, error) {
	dv, err := sortedNumeric(leaf.Reader, c.Field)
	if err != nil {
		return nil, err
	}
	if dv == nil {
		return noValues{}, nil
	}
	if s := lucene.UnwrapNumeric(dv); s != nil {
		return &singleColumn{dv: s, kind: c.Kind}, nil
	}
	return &multiColumn{dv: dv, c: c}, nil
}

type noValues struct{}

func (noValues) AdvanceExact(int32) (bool, error) { return false, nil }
func (noValues) Key() int64                       { return 0 }

type singleColumn struct {
	dv   lucene.NumericDocValues
	kind Kind
	k    int64
}

func (s *singleColumn) AdvanceExact(doc int32) (bool, error) {
	ok, err := s.dv.AdvanceExact(doc)
	if !ok || err != nil {
		return false, err
	}
	v, err := s.dv.Value()
	s.k = s.kind.key(v)
	return true, err
}

func (s *singleColumn) Key() int64 { return s.k }

type multiColumn struct {
	dv lucene.SortedNumericDocValues
	c  Column
	k  int64
}

func (m *multiColumn) Key() int64 { return m.k }

func (m *multiColumn) AdvanceExact(doc int32) (bool, error) {
	ok, err := m.dv.AdvanceExact(doc)
	if !ok || err != nil {
		return false, err
	}
	n := m.dv.Count()
	v, err := m.dv.NextValue()
	if err != nil {
		return false, err
	}
	if n == 1 || m.c.Mode == ModeMin {
		m.k = m.c.Kind.key(v)
		return true, nil
	}
	unsigned := m.c.Kind == KindUnsigned
	if m.c.Mode == ModeMax && !unsigned {
		for range n - 1 {
			if v, err = m.dv.NextValue(); err != nil {
				return false, err
			}
		}
		m.k = m.c.Kind.key(v)
		return true, nil
	}
	vals := make([]int64, n)
	vals[0] = v
	for i := range vals[1:] {
		if vals[i+1], err = m.dv.NextValue(); err != nil {
			return false, err
		}
	}
	m.k = m.c.combine(vals)
	return true, nil
}

// combine applies the mode to the values of a document, which ascend as signed numbers.
func (c Column) combine(vals []int64) int64 {
	n := len(vals)
	if c.Kind == KindUnsigned {
		best := vals[0]
		for _, v := range vals {
			if c.Mode == ModeMax && uint64(v) > uint64(best) || c.Mode == ModeMin && uint64(v) < uint64(best) {
				best = v
			}
		}
		return c.Kind.key(best)
	}
	if c.Kind == KindLong {
		var sum int64
		for _, v := range vals {
			sum += v
		}
		switch c.Mode {
		case ModeSum:
			return sum
		case ModeAvg:
			if n == 1 {
				return sum // which a float64 might not hold
			}
			return roundHalfUp(float64(sum) / float64(n))
		}
		if n%2 == 0 {
			return roundHalfUp((float64(vals[n/2-1]) + float64(vals[n/2])) / 2) // their sum may not fit an int64
		}
		return vals[n/2]
	}
	var sum float64
	for _, v := range vals {
		sum += c.Kind.decode(v)
	}
	switch c.Mode {
	case ModeAvg:
		sum /= float64(n)
	case ModeMedian:
		sum = c.Kind.decode(vals[n/2])
		if n%2 == 0 {
			sum = (c.Kind.decode(vals[n/2-1]) + sum) / 2
		}
	}
	return SortableDouble(sum)
}

// roundHalfUp rounds halves towards the greater number, and to the greatest int64 what is beyond.
func roundHalfUp(v float64) int64 {
	if v >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(math.Floor(v + 0.5))
}

// pick applies a mode to numbers in any order, given as SortableDouble keys.
func pick(keys []int64, m Mode) int64 {
	slices.Sort(keys)
	switch m {
	case ModeMin:
		return keys[0]
	case ModeMax:
		return keys[len(keys)-1]
	}
	return Column{Kind: KindDouble, Mode: m}.combine(keys)
}
