package index

import (
	"slices"

	"github.com/varve-search/varve/lucene"
)

// column buffers the doc values of one field. Documents come in ascending order.
type column struct {
	kind   lucene.DocValuesType
	docs   docList
	values stream // numbers: zigzag deltas; ids of terms; lengths and bytes
	counts stream // values per document, less one; only written once a document has several
	multi  int32  // documents before the first with several values; -1: there is none
	last   int64  // number added last
	hash   *bytesHash

	// the document under way, of the types with several values
	doc     int32
	numbers []int64
	ids     []uint32

	order []uint32 // ids by term, once finished
	ords  []uint32 // id → ordinal
}

func newColumn(kind lucene.DocValuesType, pool *bytePool, ram *int64) *column {
	c := &column{kind: kind, multi: -1, doc: -1}
	c.docs.rest.ram, c.values.ram, c.counts.ram = ram, ram, ram
	if kind == lucene.DocValuesSorted || kind == lucene.DocValuesSortedSet {
		c.hash = &bytesHash{pool: pool, ram: ram}
	}
	return c
}

// add takes the value of a field for doc: num or b, as the type has it. That a document has several
// values only where the type allows it is checked before.
func (c *column) add(doc int32, num int64, b []byte) {
	if doc != c.doc {
		c.flushDoc()
		c.doc = doc
		c.docs.add(doc)
	}
	switch c.kind {
	case lucene.DocValuesNumeric:
		c.putNumber(num)
	case lucene.DocValuesBinary:
		c.values.uvarint(uint64(len(b)))
		c.values.bytes(b)
	case lucene.DocValuesSorted:
		id, _ := c.hash.add(b)
		c.values.uvarint(uint64(id))
	case lucene.DocValuesSortedNumeric:
		c.numbers = append(c.numbers, num)
	case lucene.DocValuesSortedSet:
		id, _ := c.hash.add(b)
		c.ids = append(c.ids, id)
	}
}

func (c *column) putNumber(v int64) {
	c.values.uvarint(zigzag(v - c.last))
	c.last = v
}

// flushDoc writes the values of the document under way, of the types that have several.
func (c *column) flushDoc() {
	n := 0
	switch {
	case len(c.numbers) > 0:
		if len(c.numbers) > 1 {
			slices.Sort(c.numbers)
		}
		for _, v := range c.numbers {
			c.putNumber(v)
		}
		n = len(c.numbers)
		c.numbers = c.numbers[:0]
	case len(c.ids) > 0:
		if len(c.ids) > 1 {
			slices.Sort(c.ids)
			c.ids = slices.Compact(c.ids)
		}
		for _, id := range c.ids {
			c.values.uvarint(uint64(id))
		}
		n = len(c.ids)
		c.ids = c.ids[:0]
	default:
		return
	}
	if n > 1 && c.multi < 0 {
		c.multi = c.docs.n - 1
	}
	if c.multi >= 0 {
		c.counts.uvarint(uint64(n - 1))
	}
}

// finish makes the column readable.
func (c *column) finish() {
	c.flushDoc()
	if c.hash != nil {
		c.order = c.hash.sorted()
		c.ords = make([]uint32, len(c.order))
		for ord, id := range c.order {
			c.ords[id] = uint32(ord)
		}
	}
}

// columnIter is the part that all iterators over a column share. Its type has all value methods; the
// producer hands it out as the interface of the column's type.
type columnIter struct {
	c      *column
	docs   docListReader
	values streamReader
	counts streamReader
	doc    int32
	seen   int32
	last   int64
	num    int64
	b      []byte
	count  int32
	next   int32
	vals   []int64 // ordinals or numbers of the document
	bufferDictionary
}

func (c *column) iterator() *columnIter {
	it := &columnIter{c: c, docs: c.docs.reader(), values: c.values.reader(), counts: c.counts.reader(), doc: -1}
	it.bufferDictionary = bufferDictionary{c}
	return it
}

func (it *columnIter) DocID() int32 { return it.doc }
func (it *columnIter) Cost() int64  { return int64(it.c.docs.n) }

func (it *columnIter) Next() (int32, error) {
	doc := it.docs.next()
	if doc < 0 {
		it.doc = lucene.NoMoreDocs
		return it.doc, nil
	}
	it.doc = doc
	c := it.c
	switch c.kind {
	case lucene.DocValuesNumeric:
		it.num = it.number()
	case lucene.DocValuesBinary:
		it.b = it.values.bytes(int(it.values.uvarint()))
	case lucene.DocValuesSorted:
		it.num = int64(c.ords[it.values.uvarint()])
	default:
		it.count, it.next = 1, 0
		if c.multi >= 0 && it.seen >= c.multi {
			it.count += int32(it.counts.uvarint())
		}
		it.vals = it.vals[:0]
		for range it.count {
			if c.kind == lucene.DocValuesSortedNumeric {
				it.vals = append(it.vals, it.number())
			} else {
				it.vals = append(it.vals, int64(c.ords[it.values.uvarint()]))
			}
		}
		if it.count > 1 && c.kind == lucene.DocValuesSortedSet {
			slices.Sort(it.vals)
		}
	}
	it.seen++
	return doc, nil
}

func (it *columnIter) number() int64 {
	it.last += unzigzag(it.values.uvarint())
	return it.last
}

func (it *columnIter) Advance(target int32) (int32, error) {
	for it.doc < target {
		if _, err := it.Next(); err != nil {
			return it.doc, err
		}
	}
	return it.doc, nil
}

func (it *columnIter) AdvanceExact(target int32) (bool, error) {
	_, err := it.Advance(target)
	return it.doc == target, err
}

func (it *columnIter) Ord() (int32, error) { return int32(it.num), nil }
func (it *columnIter) Count() int32        { return it.count }

func (it *columnIter) NextValue() (int64, error) {
	it.next++
	return it.vals[it.next-1], nil
}

func (it *columnIter) NextOrd() (int64, error) { return it.NextValue() }

type numericColumn struct{ *columnIter }

func (n numericColumn) Value() (int64, error) { return n.num, nil }

type binaryColumn struct{ *columnIter }

func (n binaryColumn) Value() ([]byte, error) { return n.b, nil }

// bufferDictionary is the dictionary of a finished column of strings.
type bufferDictionary struct{ c *column }

func (d bufferDictionary) ValueCount() int64 { return int64(len(d.c.order)) }

func (d bufferDictionary) LookupOrd(ord int64) ([]byte, error) {
	return d.c.hash.text(d.c.order[ord]), nil
}

func (d bufferDictionary) LookupTerm(term []byte) (int64, error) {
	return lookupTerm(d, term)
}

func (d bufferDictionary) TermsEnum() (lucene.TermsEnum, error) { return newDictEnum(d), nil }

// pointBuffer keeps the points of a field.
type pointBuffer struct {
	docs   stream // deltas; a document may have several
	values stream
	last   int32
	n      int64
	width  int
}

func newPoints(width int, ram *int64) *pointBuffer {
	p := &pointBuffer{width: width}
	p.docs.ram, p.values.ram = ram, ram
	return p
}

func (p *pointBuffer) add(doc int32, packed []byte) {
	p.docs.uvarint(uint64(doc - p.last))
	p.last = doc
	p.values.bytes(packed)
	p.n++
}

// Len implements codec.PointSource.
func (p *pointBuffer) Len() int64 { return p.n }

// Each implements codec.PointSource.
func (p *pointBuffer) Each(fn func(doc int32, packed []byte) error) error {
	docs, values, doc := p.docs.reader(), p.values.reader(), int32(0)
	for range p.n {
		doc += int32(docs.uvarint())
		if err := fn(doc, values.bytes(p.width)); err != nil {
			return err
		}
	}
	return nil
}
