package segmenttest

import (
	"github.com/varve-search/varve/lucene"
)

// Column returns all values of a field in the form in which luceneprobe prints them, or nil if it has none.
func Column(p lucene.DocValuesProducer, f *lucene.FieldInfo) (rows [][]any, valueCount int64, err error) {
	rows = [][]any{}
	add := func(it lucene.DocValuesIterator, row func() ([]any, error)) error {
		for {
			doc, err := it.Next()
			if err != nil || doc == lucene.NoMoreDocs {
				return err
			}
			vs, err := row()
			if err != nil {
				return err
			}
			rows = append(rows, append([]any{Number(doc)}, vs...))
		}
	}
	switch f.DocValuesType {
	case lucene.DocValuesNumeric:
		it, err := p.Numeric(f)
		if err != nil || it == nil {
			return rows, 0, err
		}
		err = add(it, func() ([]any, error) {
			v, err := it.Value()
			return []any{Number(v)}, err
		})
		return rows, 0, err
	case lucene.DocValuesBinary:
		it, err := p.Binary(f)
		if err != nil || it == nil {
			return rows, 0, err
		}
		err = add(it, func() ([]any, error) {
			v, err := it.Value()
			return []any{Bytes(v)}, err
		})
		return rows, 0, err
	case lucene.DocValuesSorted:
		it, err := p.Sorted(f)
		if err != nil || it == nil {
			return rows, 0, err
		}
		err = add(it, func() ([]any, error) {
			ord, err := it.Ord()
			if err != nil {
				return nil, err
			}
			b, err := it.LookupOrd(int64(ord))
			return []any{Number(ord), Bytes(b)}, err
		})
		return rows, it.ValueCount(), err
	case lucene.DocValuesSortedNumeric:
		it, err := p.SortedNumeric(f)
		if err != nil || it == nil {
			return rows, 0, err
		}
		err = add(it, func() (row []any, err error) {
			for range it.Count() {
				v, err := it.NextValue()
				if err != nil {
					return nil, err
				}
				row = append(row, Number(v))
			}
			return row, nil
		})
		return rows, 0, err
	case lucene.DocValuesSortedSet:
		it, err := p.SortedSet(f)
		if err != nil || it == nil {
			return rows, 0, err
		}
		err = add(it, func() (row []any, err error) {
			for range it.Count() {
				ord, err := it.NextOrd()
				if err != nil {
					return nil, err
				}
				b, err := it.LookupOrd(ord)
				if err != nil {
					return nil, err
				}
				row = append(row, Bytes(b))
			}
			return row, nil
		})
		return rows, it.ValueCount(), err
	}
	return nil, 0, nil
}

// Norms returns all norms of a field in the form in which luceneprobe prints them.
func Norms(p lucene.NormsProducer, f *lucene.FieldInfo) ([][]any, error) {
	rows := [][]any{}
	it, err := p.Norms(f)
	if err != nil || it == nil {
		return rows, err
	}
	for {
		doc, err := it.Next()
		if err != nil || doc == lucene.NoMoreDocs {
			return rows, err
		}
		v, err := it.Value()
		if err != nil {
			return nil, err
		}
		rows = append(rows, []any{Number(doc), Number(v)})
	}
}

// everything is a visitor that crosses every cell.
type everything struct{ rows [][]any }

func (*everything) Compare(_, _ []byte) lucene.Relation { return lucene.CellCrosses }
func (e *everything) Visit(doc int32) error             { return e.VisitAll([]int32{doc}) }
func (e *everything) VisitAll(docs []int32) error {
	for _, doc := range docs {
		e.rows = append(e.rows, []any{Number(doc)})
	}
	return nil
}
func (e *everything) VisitValue(doc int32, v []byte) error {
	e.rows = append(e.rows, []any{Number(doc), Hex(v)})
	return nil
}
func (*everything) Grow(int) {}

// Points returns all points of a field, in the tree's order, in the form in which luceneprobe prints them.
func Points(p lucene.PointValues) ([][]any, error) {
	e := &everything{}
	err := p.Intersect(e)
	return e.rows, err
}
