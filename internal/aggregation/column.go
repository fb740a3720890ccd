package aggregation

import (
	"github.com/varve-search/varve/lucene"
)

// Class is what the raw doc values of a field mean.
type Class uint8

// The classes of columns.
const (
	ClassLong   Class = iota // numbers as they are; also dates and booleans
	ClassDouble              // numbers that Double decodes
	ClassBytes               // ordinals of a dictionary of byte strings: keyword, ip
	ClassOther               // a column that can only be asked whether a document has it
)

// Format renders the values of a column for people and reads them from requests.
type Format interface {
	// Name of the value in keys: a long's or a double's text, and whether it goes beside the number as key_as_string.
	Long(v int64) string
	Double(v float64) string
	Bytes(b []byte) string
	// Parse reads a value that a request gives as text or number.
	ParseLong(text string, roundUp bool) (int64, error)
	ParseDouble(text string) (float64, error)
	ParseBytes(text string) ([]byte, error)
}

// Column is a field as aggregations see it.
type Column struct {
	Field  string
	Type   string // of the mapping, for messages and typed keys
	Class  Class
	Double func(raw int64) float64 // for ClassDouble
	Format Format
	// ShowFormatted says that keys of numbers carry key_as_string: dates, booleans, or a format that was asked for.
	ShowFormatted bool
	Unsigned      bool // raw longs are unsigned
}

// float returns a raw value of a numeric column as a double.
func (c *Column) float(raw int64) float64 {
	if c.Class == ClassDouble {
		return c.Double(raw)
	}
	if c.Unsigned {
		return float64(uint64(raw))
	}
	return float64(raw)
}

func (c *Column) numeric() bool { return c.Class == ClassLong || c.Class == ClassDouble }

// numbers reads the numeric values of documents of one leaf.
type numbers struct {
	multi  lucene.SortedNumericDocValues
	single lucene.NumericDocValues
	buf    []int64
	several
}

// openNumbers returns nil where the leaf has no values of the field.
func openNumbers(leaf lucene.LeafReader, field string) (*numbers, error) {
	fi := leaf.FieldInfos().ByName(field)
	if fi == nil {
		return nil, nil
	}
	var err error
	n := &numbers{buf: make([]int64, 0, 8)}
	switch fi.DocValuesType {
	case lucene.DocValuesNumeric:
		n.single, err = leaf.DocValues().Numeric(fi)
	case lucene.DocValuesSortedNumeric:
		if n.multi, err = leaf.DocValues().SortedNumeric(fi); n.multi != nil {
			n.single = lucene.UnwrapNumeric(n.multi)
		}
	default:
		return nil, leaf.Unsupported(field)
	}
	if err != nil || n.single == nil && n.multi == nil {
		return nil, err
	}
	return n, nil
}

// read returns the values of a document, ascending; valid until the next call.
func (n *numbers) read(doc int32) ([]int64, error) {
	n.buf = n.buf[:0]
	if n.single != nil {
		ok, err := n.single.AdvanceExact(doc)
		if err != nil || !ok {
			return nil, err
		}
		v, err := n.single.Value()
		n.buf = append(n.buf, v)
		return n.buf, err
	}
	ok, err := n.multi.AdvanceExact(doc)
	if err != nil || !ok {
		return nil, err
	}
	for range n.multi.Count() {
		v, err := n.multi.NextValue()
		if err != nil {
			return nil, err
		}
		n.buf = append(n.buf, v)
	}
	return n.buf, nil
}

// several reads the values of many ascending documents of a column that has at most one a document.
type several struct {
	found []int32
	vals  []int64
}

// many returns the documents that have a value, and the values. ok is false where the column cannot be read like that: then
// documents are to be read one by one. Valid until the next call.
func (s *several) many(column any, docs []int32) (found []int32, vals []int64, ok bool, err error) {
	p, ok := column.(lucene.NumericPresent)
	if !ok {
		return nil, nil, false, nil
	}
	if cap(s.vals) < len(docs) {
		s.found, s.vals = make([]int32, len(docs)), make([]int64, len(docs))
	}
	n, err := p.Present(docs, s.found[:len(docs)], s.vals[:len(docs)])
	return s.found[:n], s.vals[:n], true, err
}

// ordinals reads the ordinals of documents of one leaf.
type ordinals struct {
	multi  lucene.SortedSetDocValues
	single lucene.SortedDocValues
	dict   lucene.TermDictionary
	buf    []int64
	several
}

// openOrdinals returns nil where the leaf has no values of the field.
func openOrdinals(leaf lucene.LeafReader, field string) (*ordinals, error) {
	fi := leaf.FieldInfos().ByName(field)
	if fi == nil {
		return nil, nil
	}
	var err error
	o := &ordinals{buf: make([]int64, 0, 8)}
	switch fi.DocValuesType {
	case lucene.DocValuesSorted:
		if o.single, err = leaf.DocValues().Sorted(fi); o.single != nil {
			o.dict = o.single
		}
	case lucene.DocValuesSortedSet:
		if o.multi, err = leaf.DocValues().SortedSet(fi); o.multi != nil {
			o.dict = o.multi
			if o.single = lucene.UnwrapSorted(o.multi); o.single != nil {
				o.dict = o.single
			}
		}
	default:
		return nil, leaf.Unsupported(field)
	}
	if err != nil || o.dict == nil {
		return nil, err
	}
	return o, nil
}

// read returns the ordinals of a document, ascending; valid until the next call.
func (o *ordinals) read(doc int32) ([]int64, error) {
	o.buf = o.buf[:0]
	if o.single != nil {
		ok, err := o.single.AdvanceExact(doc)
		if err != nil || !ok {
			return nil, err
		}
		v, err := o.single.Ord()
		o.buf = append(o.buf, int64(v))
		return o.buf, err
	}
	ok, err := o.multi.AdvanceExact(doc)
	if err != nil || !ok {
		return nil, err
	}
	for range o.multi.Count() {
		v, err := o.multi.NextOrd()
		if err != nil {
			return nil, err
		}
		o.buf = append(o.buf, v)
	}
	return o.buf, nil
}

// presence tells whether documents of one leaf have a value, whatever its type.
type presence struct{ it lucene.DocValuesIterator }

func openPresence(leaf lucene.LeafReader, field string) (*presence, error) {
	fi := leaf.FieldInfos().ByName(field)
	if fi == nil {
		return nil, nil
	}
	dv := leaf.DocValues()
	switch fi.DocValuesType {
	case lucene.DocValuesNumeric:
		if it, err := dv.Numeric(fi); err != nil || it != nil {
			return &presence{it}, err
		}
	case lucene.DocValuesSortedNumeric:
		if it, err := dv.SortedNumeric(fi); err != nil || it != nil {
			return &presence{it}, err
		}
	case lucene.DocValuesSorted:
		if it, err := dv.Sorted(fi); err != nil || it != nil {
			return &presence{it}, err
		}
	case lucene.DocValuesSortedSet:
		if it, err := dv.SortedSet(fi); err != nil || it != nil {
			return &presence{it}, err
		}
	case lucene.DocValuesBinary:
		if it, err := dv.Binary(fi); err != nil || it != nil {
			return &presence{it}, err
		}
	}
	return nil, leaf.Unsupported(field)
}

func (p *presence) has(doc int32) (bool, error) {
	if p == nil {
		return false, nil
	}
	return p.it.AdvanceExact(doc)
}
