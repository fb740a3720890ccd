package docvalues

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// AddBinary implements codec.DocValuesConsumer.
func (c *Consumer) AddBinary(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	c.start(f, typeBinary)
	return c.done(f, c.binary(f, values))
}

func eachBinary(f *lucene.FieldInfo, values lucene.DocValuesProducer, fn func(v []byte)) error {
	it, err := values.Binary(f)
	if err != nil || it == nil {
		return cmp.Or(err, errNoColumn)
	}
	for {
		doc, err := it.Next()
		if err != nil || doc == lucene.NoMoreDocs {
			return err
		}
		v, err := it.Value()
		if err != nil {
			return err
		}
		fn(v)
	}
}

func (c *Consumer) binary(f *lucene.FieldInfo, values lucene.DocValuesProducer) error {
	start := c.data.FilePointer()
	c.meta.PutInt64(start)
	numDocs, shortest, longest := int32(0), math.MaxInt32, 0
	err := eachBinary(f, values, func(v []byte) {
		numDocs++
		c.data.PutBytes(v)
		shortest, longest = min(shortest, len(v)), max(longest, len(v))
	})
	if err != nil {
		return err
	}
	if numDocs > c.maxDoc || longest > math.MaxInt32 {
		return fmt.Errorf("%d of %d documents have up to %d bytes", numDocs, c.maxDoc, longest)
	}
	c.meta.PutInt64(c.data.FilePointer() - start)
	if err := c.docs(numDocs, func() (lucene.DocIDSetIterator, error) { return values.Binary(f) }); err != nil {
		return err
	}
	c.meta.PutInt32(numDocs)
	c.meta.PutInt32(int32(shortest))
	c.meta.PutInt32(int32(longest))
	if longest <= shortest {
		return nil
	}
	start = c.data.FilePointer()
	c.meta.PutInt64(start)
	c.meta.PutVInt(addressShift)
	w := packed.NewMonotonicWriter(c.meta, c.data, int64(numDocs)+1, addressShift)
	at := int64(0)
	w.Add(at)
	err = eachBinary(f, values, func(v []byte) {
		at += int64(len(v))
		w.Add(at)
	})
	if err != nil {
		return err
	}
	if err := w.Finish(); err != nil {
		return err
	}
	c.meta.PutInt64(c.data.FilePointer() - start)
	return nil
}

// sorted writes ordinals, one a document at most, and their dictionary.
func (c *Consumer) sorted(open func() (sortedColumn, error)) error {
	if _, err := c.numbers(func() (column, error) { return open() }, true); err != nil {
		return err
	}
	return c.dictionary(open)
}

// eachTerm calls fn for every term of a column's dictionary, which must be sorted, and checks how many there are.
func eachTerm(s sortedColumn, fn func(ord int64, term, previous []byte)) error {
	terms, err := s.TermsEnum()
	if err != nil {
		return err
	}
	var previous []byte
	for ord := int64(0); ; ord++ {
		term, err := terms.Next()
		if err != nil {
			return err
		}
		if term == nil {
			if n := s.ValueCount(); n != ord {
				return fmt.Errorf("a dictionary of %d terms has %d", n, ord)
			}
			return nil
		}
		if len(term) > maxTerm || ord > 0 && bytes.Compare(previous, term) >= 0 {
			return fmt.Errorf("term %d of a dictionary has %d bytes or is not larger than the one before", ord, len(term))
		}
		fn(ord, term, previous)
		previous = append(previous[:0], term...)
	}
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// dictionary writes the terms in one pass: what belongs behind them, addresses and the index, is held back.
func (c *Consumer) dictionary(open func() (sortedColumn, error)) error {
	s, err := open()
	if err != nil {
		return err
	}
	const every = 1 << reverseShift
	size := s.ValueCount()
	c.meta.PutVLong(size)
	c.meta.PutInt32(addressShift)
	addresses := store.NewBuffer()
	w := packed.NewMonotonicWriter(c.meta, addresses, (size+dictBlock-1)>>dictShift, addressShift)
	start := c.data.FilePointer()
	longest, largest, first := 0, 0, 0
	block := c.terms[:0]
	flush := func() {
		if len(block) > first {
			largest = max(largest, len(block)-first)
			c.compress(block, first)
		}
	}
	index, offsets := store.NewBuffer(), []int64(nil)
	err = eachTerm(s, func(ord int64, term, previous []byte) {
		longest = max(longest, len(term))
		prefix := commonPrefix(previous, term)
		if ord&(every-1) == 0 {
			// As much of the term as tells it from the one before.
			offsets = append(offsets, index.FilePointer())
			if ord > 0 {
				index.PutBytes(term[:prefix+1])
			}
		}
		if ord&(dictBlock-1) == 0 {
			flush()
			w.Add(c.data.FilePointer() - start)
			c.data.PutVInt(int32(len(term)))
			c.data.PutBytes(term)
			block, first = append(block[:0], term...), len(term)
			return
		}
		suffix := len(term) - prefix
		block = append(block, byte(min(prefix, 15)|min(suffix-1, 15)<<4))
		if prefix >= 15 {
			block = binary.AppendUvarint(block, uint64(prefix-15))
		}
		if suffix >= 16 {
			block = binary.AppendUvarint(block, uint64(suffix-16))
		}
		block = append(block, term[prefix:]...)
	})
	if err != nil {
		return err
	}
	flush()
	c.terms = block[:0]
	if err := errors.Join(w.Finish(), addresses.Err(), index.Err()); err != nil {
		return err
	}
	c.meta.PutInt32(int32(longest))
	c.meta.PutInt32(int32(largest))
	c.meta.PutInt64(start)
	c.meta.PutInt64(c.data.FilePointer() - start)
	c.place(addresses)

	c.meta.PutInt32(reverseShift)
	addresses.Reset()
	w = packed.NewMonotonicWriter(c.meta, addresses, int64(len(offsets))+1, addressShift)
	for _, off := range offsets {
		w.Add(off)
	}
	w.Add(index.FilePointer())
	if err := errors.Join(w.Finish(), addresses.Err()); err != nil {
		return err
	}
	c.place(index)
	c.place(addresses)
	return nil
}

// compress writes the terms of a block behind the first, which is the dictionary of their compression.
func (c *Consumer) compress(block []byte, first int) {
	if c.fast == nil {
		c.fast = lz4.NewFast()
	}
	c.data.PutVInt(int32(len(block) - first))
	c.lz = c.fast.Append(c.lz[:0], block, first)
	c.data.PutBytes(c.lz)
}

// place writes what was collected to the data, and where to the metadata.
func (c *Consumer) place(collected *store.Output) {
	c.meta.PutInt64(c.data.FilePointer())
	c.meta.PutInt64(collected.FilePointer())
	c.data.PutBytes(collected.Data())
}
