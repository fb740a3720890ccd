package docvalues

import (
	"encoding/binary"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/disi"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// docs iterates over the documents of a column.
type docs struct {
	set    *disi.Iterator // nil: every document below maxDoc has a value
	doc    int32
	maxDoc int32
}

func (d *docs) open(in store.Input, m disi.Meta, cost int64, maxDoc int32) (err error) {
	d.doc, d.maxDoc = -1, maxDoc
	switch m.Offset {
	case disi.All:
	case disi.Empty:
		d.maxDoc = 0
	default:
		d.set, err = disi.New(in, m, cost, maxDoc)
	}
	return err
}

// DocID implements lucene.DocIDSetIterator.
func (d *docs) DocID() int32 {
	if d.set != nil {
		return d.set.DocID()
	}
	return d.doc
}

// Next implements lucene.DocIDSetIterator.
func (d *docs) Next() (int32, error) {
	if d.set != nil {
		return d.set.Next()
	}
	if d.doc >= d.maxDoc-1 {
		d.doc = lucene.NoMoreDocs
	} else {
		d.doc++
	}
	return d.doc, nil
}

// Advance implements lucene.DocIDSetIterator.
func (d *docs) Advance(target int32) (int32, error) {
	if d.set != nil {
		return d.set.Advance(target)
	}
	if target >= d.maxDoc {
		target = lucene.NoMoreDocs
	}
	d.doc = target
	return target, nil
}

// AdvanceExact implements lucene.DocValuesIterator.
func (d *docs) AdvanceExact(target int32) (bool, error) {
	if d.set != nil {
		return d.set.AdvanceExact(target)
	}
	d.doc = target
	return target < d.maxDoc, nil
}

// Cost implements lucene.DocIDSetIterator.
func (d *docs) Cost() int64 {
	if d.set != nil {
		return d.set.Cost()
	}
	return int64(d.maxDoc)
}

// index returns the place of the current document among those that have a value.
func (d *docs) index() int64 {
	if d.set != nil {
		return int64(d.set.Index())
	}
	return int64(d.doc)
}

type valuesKind uint8

const (
	constant valuesKind = iota
	plain
	scaled
	table
	blocks
)

// values is random access to the numbers of a column.
type values struct {
	kind   valuesKind
	direct packed.Direct // not of blocks
	table  []int64
	mul    int64
	add    int64
	in     store.Input
	entry  *numericEntry

	block    int64 // that direct is of, with add; -1: none
	flat     bool  // the block's numbers are all equal to add
	next     int64 // offset of the block after it, where there is no jump table
	numBlock int64
}

func (v *values) open(in store.Input, e *numericEntry) (err error) {
	v.in, v.entry, v.mul, v.add, v.table, v.block = in, e, e.gcd, e.min, e.table, -1
	switch {
	case e.docs.Offset == disi.Empty || e.width == 0:
		v.kind = constant
		return nil
	case e.offset > in.Length() || e.length > in.Length()-e.offset:
		return store.Corruptf(in.Name(), e.offset, "numbers of %d bytes in a file of %d", e.length, in.Length())
	case e.shift >= 0:
		v.kind = blocks
		v.numBlock = e.count >> e.shift
		if v.numBlock<<e.shift < e.count {
			v.numBlock++
		}
		if e.jumpTable != -1 && (e.jumpTable < 0 || v.numBlock > (in.Length()-e.jumpTable)/8) {
			return store.Corruptf(in.Name(), e.jumpTable, "offsets of %d blocks of numbers in a file of %d bytes", v.numBlock, in.Length())
		}
		return nil
	case e.table != nil:
		v.kind = table
	case e.gcd == 1 && e.min == 0:
		v.kind = plain
	default:
		v.kind = scaled
	}
	v.direct, err = packed.NewDirect(in, e.offset, e.width, e.count)
	return err
}

// get returns number i.
func (v *values) get(i int64) (int64, error) {
	switch v.kind {
	case plain:
		return v.direct.Get(i)
	case scaled:
		n, err := v.direct.Get(i)
		return n*v.mul + v.add, err
	case table:
		n, err := v.direct.Get(i)
		if err != nil {
			return 0, err
		}
		if n >= int64(len(v.table)) {
			return 0, v.outOfTable(n)
		}
		return v.table[n], nil
	case blocks:
		if block := i >> v.entry.shift; block != v.block {
			if err := v.openBlock(i); err != nil {
				return 0, err
			}
		}
		if v.flat {
			return v.add, nil
		}
		n, err := v.direct.Get(i & (1<<v.entry.shift - 1))
		return n*v.mul + v.add, err
	default:
		return v.add, nil
	}
}

func (v *values) outOfTable(n int64) error {
	return store.Corruptf(v.in.Name(), v.entry.offset, "entry %d of a table of %d numbers", n, len(v.table))
}

// openBlock makes the block of number i current.
func (v *values) openBlock(i int64) error {
	block := i >> v.entry.shift
	if block < 0 || block >= v.numBlock {
		return store.Corruptf(v.in.Name(), v.entry.offset, "number %d of %d is asked for", i, v.entry.count)
	}
	var off int64
	if v.entry.jumpTable >= 0 {
		b, err := store.Bytes(v.in, v.entry.jumpTable+8*block, 8)
		if err != nil {
			return err
		}
		off = int64(binary.LittleEndian.Uint64(b))
	} else {
		if block < v.block || v.block < 0 {
			v.block, v.next = -1, v.entry.offset
		}
		for v.block < block-1 {
			if err := v.readBlock(v.block+1, v.next); err != nil {
				return err
			}
		}
		off = v.next
	}
	return v.readBlock(block, off)
}

func (v *values) readBlock(block, off int64) error {
	v.block = -1
	w, err := v.in.Window(off, 9)
	if err != nil {
		return err
	}
	width, add := int(w[0]), int64(binary.LittleEndian.Uint64(w[1:]))
	if width == 0 {
		v.flat, v.next = true, off+9
	} else {
		if w, err = v.in.Window(off, 13); err != nil {
			return err
		}
		length := int64(int32(binary.LittleEndian.Uint32(w[9:])))
		if length < 0 {
			return store.Corruptf(v.in.Name(), off, "a block of numbers of %d bytes", length)
		}
		count := min(v.entry.count-block<<v.entry.shift, 1<<v.entry.shift)
		if v.direct, err = packed.NewDirect(v.in, off+13, width, count); err != nil {
			return err
		}
		v.flat, v.next = false, off+13+length
	}
	v.block, v.add = block, add
	return nil
}

// gather sets dst[i] to number index[i]; the indices ascend.
func (v *values) gather(dst []int64, index []int32) error {
	dst = dst[:len(index)]
	switch v.kind {
	case constant:
		for i := range dst {
			dst[i] = v.add
		}
	case plain:
		return v.direct.Gather(dst, index, 0)
	case scaled:
		err := v.direct.Gather(dst, index, 0)
		mul, add := v.mul, v.add
		for i, n := range dst {
			dst[i] = n*mul + add
		}
		return err
	case table:
		if err := v.direct.Gather(dst, index, 0); err != nil {
			return err
		}
		for i, n := range dst {
			if uint64(n) >= uint64(len(v.table)) {
				return v.outOfTable(n)
			}
			dst[i] = v.table[n]
		}
	case blocks:
		return v.gatherBlocks(dst, index)
	}
	return nil
}

// gatherBlocks is gather where numbers are in blocks.
func (v *values) gatherBlocks(dst []int64, index []int32) error {
	shift := v.entry.shift
	for len(index) > 0 {
		if block := int64(index[0]) >> shift; block != v.block {
			if err := v.openBlock(int64(index[0])); err != nil {
				return err
			}
		}
		base := index[0] >> shift << shift
		n := 1
		for n < len(index) && index[n]-base < 1<<shift {
			n++
		}
		part := dst[:n]
		if v.flat {
			for i := range part {
				part[i] = v.add
			}
		} else {
			if err := v.direct.Gather(part, index[:n], base); err != nil {
				return err
			}
			mul, add := v.mul, v.add
			for i, k := range part {
				part[i] = k*mul + add
			}
		}
		dst, index = dst[n:], index[n:]
	}
	return nil
}

// numeric implements lucene.NumericDocValues, lucene.NumericBatch and lucene.NumericPresent.
type numeric struct {
	docs
	values values
	places []int32 // of Present
}

// Value implements lucene.NumericDocValues.
func (n *numeric) Value() (int64, error) { return n.values.get(n.index()) }

// Values implements lucene.NumericBatch.
func (n *numeric) Values(docs []int32, values []int64) (bool, error) {
	if n.set != nil || len(docs) == 0 {
		return n.set == nil, nil
	}
	if docs[0] < 0 || docs[len(docs)-1] >= n.maxDoc {
		return false, nil
	}
	return true, n.values.gather(values, docs)
}

// Present implements lucene.NumericPresent.
func (n *numeric) Present(docs, found []int32, values []int64) (int, error) {
	if n.set == nil {
		in := docs
		for len(in) > 0 && in[len(in)-1] >= n.maxDoc {
			in = in[:len(in)-1]
		}
		return copy(found, in), n.values.gather(values, in)
	}
	if cap(n.places) < len(docs) {
		n.places = make([]int32, len(docs))
	}
	places, count := n.places[:len(docs)], 0
	for _, doc := range docs {
		ok, err := n.set.AdvanceExact(doc)
		if err != nil {
			return 0, err
		}
		if ok {
			found[count], places[count] = doc, n.set.Index()
			count++
		}
	}
	return count, n.values.gather(values, places[:count])
}

// sortedNumeric implements lucene.SortedNumericDocValues for columns with several values in some document.
type sortedNumeric struct {
	docs
	values    values
	addresses *packed.Monotonic // nil: one value a document

	located bool  // next, end and count are of the current document
	last    int64 // index that end is of, -1 for none
	next    int64 // place of the next value
	end     int64
	count   int32
	err     error // why the document could not be located
}

// Next implements lucene.DocIDSetIterator.
func (s *sortedNumeric) Next() (int32, error) {
	s.located = false
	return s.docs.Next()
}

// Advance implements lucene.DocIDSetIterator.
func (s *sortedNumeric) Advance(target int32) (int32, error) {
	s.located = false
	return s.docs.Advance(target)
}

// AdvanceExact implements lucene.DocValuesIterator.
func (s *sortedNumeric) AdvanceExact(target int32) (bool, error) {
	s.located = false
	return s.docs.AdvanceExact(target)
}

// locate finds the values of the current document.
func (s *sortedNumeric) locate() {
	i, last := s.index(), s.last
	s.located, s.last, s.err, s.count = true, -1, nil, 1
	if s.addresses == nil {
		s.next, s.end = i, i+1
		return
	}
	start := s.end
	if i != last+1 || last < 0 {
		start, s.err = s.addresses.Get(i)
	}
	if s.err == nil {
		s.end, s.err = s.addresses.Get(i + 1)
	}
	if s.err != nil {
		return
	}
	n := s.end - start
	if start < 0 || n < 0 || n > int64(lucene.NoMoreDocs) || s.end > s.values.entry.count {
		s.err = store.Corruptf(s.values.in.Name(), -1, "a document has the values %d to %d of %d", start, s.end, s.values.entry.count)
		return
	}
	s.last, s.next, s.count = i, start, int32(n)
}

// Count implements lucene.SortedNumericDocValues. Where the file is damaged it is 1, and NextValue has the error.
func (s *sortedNumeric) Count() int32 {
	if !s.located {
		s.locate()
	}
	return s.count
}

// NextValue implements lucene.SortedNumericDocValues.
func (s *sortedNumeric) NextValue() (int64, error) {
	if !s.located {
		s.locate()
	}
	if s.err != nil {
		return 0, s.err
	}
	i := s.next
	s.next++
	return s.values.get(i)
}
