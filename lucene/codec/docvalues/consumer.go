package docvalues

// Writing; see docs/formats/docvalues.md.

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/disi"
	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// Consumer writes the columns of one pair of files. It asks for each column several times and keeps none of its values,
// but for a block of numbers, a block of terms and, for dictionaries, eight bytes for each 64 terms.
type Consumer struct {
	data, meta *store.Output
	maxDoc     int32
	direct     packed.DirectWriter
	fast       *lz4.Fast
	terms      []byte // a block of terms
	lz         []byte // the block compressed
}

var _ codec.DocValuesConsumer = (*Consumer)(nil)

// NewConsumer creates the files that state names.
func NewConsumer(state *codec.WriteState) (*Consumer, error) {
	data, err := state.Dir.Create(state.FileName(dataExtension))
	if err != nil {
		return nil, err
	}
	meta, err := state.Dir.Create(state.FileName(metaExtension))
	if err != nil {
		return nil, errors.Join(err, data.Close())
	}
	codec.WriteIndexHeader(data, dataCodec, version, state.Info.ID, state.Suffix)
	codec.WriteIndexHeader(meta, metaCodec, version, state.Info.ID, state.Suffix)
	return &Consumer{data: data, meta: meta, maxDoc: state.Info.MaxDoc}, nil
}

// Close writes the footers and closes the files.
func (c *Consumer) Close() error {
	c.meta.PutInt32(-1)
	codec.WriteFooter(c.meta)
	codec.WriteFooter(c.data)
	return errors.Join(c.data.Close(), c.meta.Close())
}

var errNoColumn = errors.New("the source has no such column")

// done adds what failed to an error, or returns that of the files.
func (c *Consumer) done(f *lucene.FieldInfo, err error) error {
	if err != nil {
		return fmt.Errorf("write the doc values of field %q: %w", f.Name, err)
	}
	return errors.Join(c.data.Err(), c.meta.Err())
}

// AddNumeric implements codec.DocValuesConsumer.
func (c *Consumer) AddNumeric(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	c.start(f, typeNumeric)
	_, err := c.numbers(func() (column, error) {
		v, err := values.Numeric(f)
		if err != nil || v == nil {
			return nil, cmp.Or(err, errNoColumn)
		}
		return numericSource{v}, nil
	}, false)
	return c.done(f, err)
}

// AddSortedNumeric implements codec.DocValuesConsumer.
func (c *Consumer) AddSortedNumeric(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	c.start(f, typeSortedNumeric)
	return c.done(f, c.sortedNumbers(func() (column, error) {
		v, err := values.SortedNumeric(f)
		if err != nil || v == nil {
			return nil, cmp.Or(err, errNoColumn)
		}
		return v, nil
	}, false))
}

// AddSorted implements codec.DocValuesConsumer.
func (c *Consumer) AddSorted(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	c.start(f, typeSorted)
	return c.done(f, c.sorted(func() (sortedColumn, error) {
		v, err := values.Sorted(f)
		if err != nil || v == nil {
			return nil, cmp.Or(err, errNoColumn)
		}
		return sortedSource{v}, nil
	}))
}

// AddSortedSet implements codec.DocValuesConsumer. A set with one value in every document is written as Sorted.
func (c *Consumer) AddSortedSet(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	c.start(f, typeSortedSet)
	open := func() (sortedColumn, error) {
		v, err := values.SortedSet(f)
		if err != nil || v == nil {
			return nil, cmp.Or(err, errNoColumn)
		}
		return setSource{v}, nil
	}
	multi, err := multiValued(open)
	if err == nil && !multi {
		c.meta.PutByte(0)
		return c.done(f, c.sorted(open))
	}
	if err == nil {
		c.meta.PutByte(1)
		err = c.sortedNumbers(func() (column, error) { return open() }, true)
	}
	if err == nil {
		err = c.dictionary(open)
	}
	return c.done(f, err)
}

func (c *Consumer) start(f *lucene.FieldInfo, kind byte) {
	c.meta.PutInt32(f.Number)
	c.meta.PutByte(kind)
}

// column is a source of numbers.
type column interface {
	lucene.DocIDSetIterator
	Count() int32
	NextValue() (int64, error)
}

// sortedColumn is a source of ordinals and their dictionary.
type sortedColumn interface {
	column
	lucene.TermDictionary
}

type numericSource struct{ lucene.NumericDocValues }

func (numericSource) Count() int32                { return 1 }
func (s numericSource) NextValue() (int64, error) { return s.Value() }

type sortedSource struct{ lucene.SortedDocValues }

func (sortedSource) Count() int32 { return 1 }
func (s sortedSource) NextValue() (int64, error) {
	ord, err := s.Ord()
	return int64(ord), err
}

type setSource struct{ lucene.SortedSetDocValues }

func (s setSource) NextValue() (int64, error) { return s.NextOrd() }

func multiValued(open func() (sortedColumn, error)) (bool, error) {
	s, err := open()
	if err != nil {
		return false, err
	}
	if set, ok := s.(setSource); ok && lucene.UnwrapSorted(set.SortedSetDocValues) != nil {
		return false, nil
	}
	for {
		doc, err := s.Next()
		if err != nil || doc == lucene.NoMoreDocs {
			return false, err
		}
		if s.Count() > 1 {
			return true, nil
		}
	}
}

// each calls fn for every number of a column, and doc, unless it is nil, for every document with its number of values.
func each(open func() (column, error), doc func(count int32), fn func(v int64)) error {
	s, err := open()
	if err != nil {
		return err
	}
	for {
		d, err := s.Next()
		if err != nil || d == lucene.NoMoreDocs {
			return err
		}
		n := s.Count()
		if doc != nil {
			doc(n)
		}
		if fn == nil {
			continue
		}
		for range n {
			v, err := s.NextValue()
			if err != nil {
				return err
			}
			fn(v)
		}
	}
}

// stats is what one pass over a column finds.
type stats struct {
	numDocs  int32
	count    int64
	min, max int64
	gcd      uint64 // of the differences
	bits     int64  // if all numbers have the width of the widest
	blocks   int64  // bits if each block has a width of its own
	unique   *distinct
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func width(low, high int64) int { return packed.BitsRequired(uint64(high) - uint64(low)) }

func (c *Consumer) stats(open func() (column, error), ords bool) (*stats, error) {
	s := &stats{min: math.MaxInt64, max: math.MinInt64}
	if !ords {
		s.unique = &distinct{}
	}
	var first, last int64
	low, high, n := s.min, s.max, int64(0)
	flush := func() {
		if high > low {
			s.blocks += int64(width(low, high)) * n
		}
		s.min, s.max = min(s.min, low), max(s.max, high)
		low, high, n = math.MaxInt64, math.MinInt64, 0
	}
	err := each(open, func(int32) { s.numDocs++ }, func(v int64) {
		if s.count == 0 {
			first, last = v, ^v
		}
		s.count++
		low, high = min(low, v), max(high, v)
		if n++; n == 1<<numericShift {
			flush()
		}
		if v == last {
			return
		}
		last = v
		if s.gcd != 1 {
			if v < math.MinInt64/2 || v > math.MaxInt64/2 {
				s.gcd = 1 // differences could overflow
			} else {
				d := v - first
				s.gcd = gcd(uint64(max(d, -d)), s.gcd) // mostly one division: the rest is 0
			}
		}
		if s.unique != nil && !s.unique.add(v) {
			s.unique = nil
		}
	})
	if err != nil {
		return nil, err
	}
	flush()
	if s.max > s.min {
		s.bits = int64(width(s.min, s.max)) * s.count
	}
	if s.numDocs > c.maxDoc {
		return nil, fmt.Errorf("%d of %d documents have a value", s.numDocs, c.maxDoc)
	}
	return s, nil
}

// docs writes which documents have a value.
func (c *Consumer) docs(numDocs int32, open func() (lucene.DocIDSetIterator, error)) error {
	m := disi.Meta{Offset: disi.Empty}
	switch {
	case numDocs == 0:
	case numDocs == c.maxDoc:
		m.Offset = disi.All
	default:
		it, err := open()
		if err != nil {
			return err
		}
		if m, err = disi.Write(c.data, it); err != nil {
			return err
		}
	}
	disi.WriteMeta(c.meta, m)
	return nil
}

// numbers writes all numbers of a column.
func (c *Consumer) numbers(open func() (column, error), ords bool) (*stats, error) {
	s, err := c.stats(open, ords)
	if err != nil {
		return nil, err
	}
	if ords && s.count > 0 && (s.min != 0 || s.gcd > 1) {
		return nil, fmt.Errorf("ordinals from %d to %d with the common divisor %d: not every term is used", s.min, s.max, s.gcd)
	}
	if err := c.docs(s.numDocs, func() (lucene.DocIDSetIterator, error) { return open() }); err != nil {
		return nil, err
	}
	c.meta.PutInt64(s.count)
	wide, low, divisor := 0, s.min, s.gcd
	inBlocks := false
	switch {
	case s.min >= s.max:
		c.meta.PutInt32(-1)
		s.unique = nil
	case s.unique != nil && packed.BitsRequired(uint64(s.unique.n-1)) < packed.BitsRequired((uint64(s.max)-uint64(s.min))/s.gcd):
		wide = packed.BitsRequired(uint64(s.unique.n - 1))
		c.table(s.unique)
		low, divisor = 0, 1
	default:
		s.unique = nil
		inBlocks = s.bits > 0 && float64(s.blocks)/float64(s.bits) <= 0.9
		if inBlocks {
			wide = 0xff
			c.meta.PutInt32(-2 - numericShift)
			break
		}
		wide = packed.BitsRequired((uint64(s.max) - uint64(s.min)) / s.gcd)
		if s.gcd == 1 && s.min > 0 && packed.BitsRequired(uint64(s.max)) == width(s.min, s.max) {
			low = 0 // the difference saves nothing
		}
		c.meta.PutInt32(-1)
	}
	c.meta.PutByte(byte(wide))
	c.meta.PutInt64(low)
	c.meta.PutInt64(int64(divisor))
	start := c.data.FilePointer()
	c.meta.PutInt64(start)
	jumps := int64(-1)
	if inBlocks {
		jumps, err = c.numberBlocks(open, divisor)
	} else if wide != 0 {
		c.direct.Reset(c.data, s.count, wide)
		err = each(open, nil, func(v int64) {
			switch {
			case s.unique != nil:
				v = s.unique.place(v)
			case divisor == 1:
				v -= low
			default:
				v = int64((uint64(v) - uint64(low)) / divisor)
			}
			c.direct.Add(v)
		})
		err = errors.Join(err, c.direct.Finish())
	}
	c.meta.PutInt64(c.data.FilePointer() - start)
	c.meta.PutInt64(jumps)
	return s, err
}
