package docvalues

import (
	"slices"

	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// distinct is a set of up to maxTable numbers.
type distinct struct {
	n      int
	keys   [4 * maxTable]int64
	used   [4 * maxTable]bool
	places [4 * maxTable]uint8
}

func (d *distinct) slot(v int64) int {
	i := int(uint64(v) * 0x9e3779b97f4a7c15 >> 54) // the upper ten bits
	for d.used[i] && d.keys[i] != v {
		i = (i + 1) % len(d.keys)
	}
	return i
}

// add adds a number and tells whether the set holds it.
func (d *distinct) add(v int64) bool {
	i := d.slot(v)
	if !d.used[i] {
		if d.n == maxTable {
			return false
		}
		d.keys[i], d.used[i] = v, true
		d.n++
	}
	return true
}

// place returns where a number of the set is in the table.
func (d *distinct) place(v int64) int64 { return int64(d.places[d.slot(v)]) }

// table writes the distinct numbers and gives each its place.
func (c *Consumer) table(d *distinct) {
	sorted := make([]int64, 0, d.n)
	for i, used := range d.used {
		if used {
			sorted = append(sorted, d.keys[i])
		}
	}
	slices.Sort(sorted)
	c.meta.PutInt32(int32(len(sorted)))
	for i, v := range sorted {
		c.meta.PutInt64(v)
		d.places[d.slot(v)] = uint8(i)
	}
}

// numberBlocks writes blocks of numbers, each with its own width, then their offsets, and returns where those start.
func (c *Consumer) numberBlocks(open func() (column, error), divisor uint64) (int64, error) {
	var offsets []int64
	block := make([]int64, 0, 1<<numericShift)
	buffer := store.NewBuffer()
	flush := func() {
		offsets = append(offsets, c.data.FilePointer())
		c.numberBlock(block, divisor, buffer)
		block = block[:0]
	}
	err := each(open, nil, func(v int64) {
		block = append(block, v)
		if len(block) == cap(block) {
			flush()
		}
	})
	if err != nil {
		return 0, err
	}
	if len(block) > 0 {
		flush()
	}
	start := c.data.FilePointer()
	for _, off := range offsets {
		c.data.PutInt64(off)
	}
	c.data.PutInt64(start)
	return start, nil
}

func (c *Consumer) numberBlock(block []int64, divisor uint64, buffer *store.Output) {
	low, high := slices.Min(block), slices.Max(block)
	if low == high {
		c.data.PutByte(0)
		c.data.PutInt64(low)
		return
	}
	wide := packed.BitsRequired((uint64(high) - uint64(low)) / divisor)
	buffer.Reset()
	c.direct.Reset(buffer, int64(len(block)), wide)
	for _, v := range block {
		c.direct.Add(int64((uint64(v) - uint64(low)) / divisor))
	}
	_ = c.direct.Finish() // as many were added as announced, and a buffer does not fail
	c.data.PutByte(byte(wide))
	c.data.PutInt64(low)
	c.data.PutInt32(int32(len(buffer.Data())))
	c.data.PutBytes(buffer.Data())
}

// sortedNumbers writes a column that may have several numbers in a document.
func (c *Consumer) sortedNumbers(open func() (column, error), ords bool) error {
	s, err := c.numbers(open, ords)
	if err != nil {
		return err
	}
	c.meta.PutInt32(s.numDocs)
	if s.count == int64(s.numDocs) {
		return nil
	}
	start := c.data.FilePointer()
	c.meta.PutInt64(start)
	c.meta.PutVInt(addressShift)
	w := packed.NewMonotonicWriter(c.meta, c.data, int64(s.numDocs)+1, addressShift)
	at := int64(0)
	w.Add(at)
	err = each(open, func(count int32) {
		at += int64(count)
		w.Add(at)
	}, nil)
	if err != nil {
		return err
	}
	if err := w.Finish(); err != nil {
		return err
	}
	c.meta.PutInt64(c.data.FilePointer() - start)
	return nil
}
