package index

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/varve-search/varve/lucene"
)

// An index sort orders the documents of each segment, when it is flushed and when it is merged.

// ErrBlocksInSortedIndex says that a block of nested documents cannot be added to a sorted index: it would
// be torn apart. OpenSearch refuses such mappings, too.
var ErrBlocksInSortedIndex = errors.New("a block of nested documents cannot be added to an index with an index sort")

// sortColumn returns the type of column that a sort field needs.
func sortColumn(f lucene.SortField) lucene.DocValuesType {
	switch {
	case f.Type == lucene.SortString && f.Selector == lucene.SelectNone:
		return lucene.DocValuesSorted
	case f.Type == lucene.SortString:
		return lucene.DocValuesSortedSet
	case f.Selector == lucene.SelectNone:
		return lucene.DocValuesNumeric
	}
	return lucene.DocValuesSortedNumeric
}

// checkSort refuses sorts that make no sense.
func checkSort(sort []lucene.SortField) error {
	for _, f := range sort {
		bad := func(what string) error { return fmt.Errorf("index sort by %q: %s", f.Field, what) }
		switch {
		case f.Field == "":
			return bad("no field is named")
		case f.Type > lucene.SortDouble:
			return bad("unknown type")
		case f.Selector > lucene.SelectMiddleMax:
			return bad("unknown selector")
		case f.Type != lucene.SortString && f.Selector > lucene.SelectMax:
			return bad("numbers are selected by minimum or maximum")
		}
		if _, err := missingKey(f); err != nil {
			return bad(err.Error())
		}
	}
	return nil
}

// missingKey returns what stands for a document without a value, in the order of keys.
func missingKey(f lucene.SortField) (int64, error) {
	if f.Type == lucene.SortString {
		if f.Missing == nil {
			return math.MinInt64, nil
		}
		if m, ok := f.Missing.(lucene.MissingString); ok && m == lucene.StringLast {
			return math.MaxInt64, nil
		} else if ok && m == lucene.StringFirst {
			return math.MinInt64, nil
		}
		return 0, fmt.Errorf("the missing value %v is not first or last", f.Missing)
	}
	if f.Missing == nil {
		return 0, nil
	}
	switch m := f.Missing.(type) {
	case int32:
		if f.Type == lucene.SortInt {
			return int64(m), nil
		}
	case int64:
		if f.Type == lucene.SortLong {
			return m, nil
		}
	case float32:
		if f.Type == lucene.SortFloat {
			return int64(sortableInt(int32(math.Float32bits(m)))), nil
		}
	case float64:
		if f.Type == lucene.SortDouble {
			return sortableLong(int64(math.Float64bits(m))), nil
		}
	}
	return 0, fmt.Errorf("the missing value %v is not of its type", f.Missing)
}

// sortableInt maps the bits of a float32 to an int that sorts like it, and back.
func sortableInt(bits int32) int32 { return bits ^ (bits>>31)&0x7fffffff }

// sortableLong does so for a float64.
func sortableLong(bits int64) int64 { return bits ^ (bits>>63)&0x7fffffffffffffff }

func sameSort(a, b []lucene.SortField) bool {
	return slices.EqualFunc(a, b, func(x, y lucene.SortField) bool { return reflect.DeepEqual(x, y) })
}

// sortKeys holds, for each sort field, the key of each document of a segment: numbers that sort like
// the values, or ordinals.
type sortKeys struct {
	keys    [][]int64
	reverse []bool
}

// less compares a document of one segment with one of another (or the same); ties are equal.
func (k *sortKeys) compare(doc int32, o *sortKeys, other int32) int {
	for i := range k.keys {
		a, b := k.keys[i][doc], o.keys[i][other]
		if a == b {
			continue
		}
		if (a < b) != k.reverse[i] {
			return -1
		}
		return 1
	}
	return 0
}

// columns is where sort keys are read from. ordinals maps the ordinals of a string field to those of all segments
// that are compared; nil where there is only one.
type columns struct {
	maxDoc   int32
	fields   func(name string) *lucene.FieldInfo
	values   lucene.DocValuesProducer
	ordinals func(field string) func(ord int64) int64
}

func readSortKeys(sort []lucene.SortField, c columns) (*sortKeys, error) {
	k := &sortKeys{}
	for _, f := range sort {
		keys, err := readKeys(f, c)
		if err != nil {
			return nil, fmt.Errorf("index sort by %q: %w", f.Field, err)
		}
		k.keys = append(k.keys, keys)
		k.reverse = append(k.reverse, f.Reverse)
	}
	return k, nil
}

func readKeys(f lucene.SortField, c columns) ([]int64, error) {
	missing, err := missingKey(f)
	if err != nil {
		return nil, err
	}
	keys := make([]int64, c.maxDoc)
	if missing != 0 {
		for i := range keys {
			keys[i] = missing
		}
	}
	info := c.fields(f.Field)
	if info == nil || info.DocValuesType == lucene.DocValuesNone {
		return keys, nil
	}
	if want := sortColumn(f); info.DocValuesType != want {
		return nil, fmt.Errorf("the column is of type %s, not %s", info.DocValuesType, want)
	}
	next, err := keyReader(f, info, c)
	if err != nil {
		return nil, err
	}
	for {
		doc, key, err := next()
		if err != nil {
			return nil, err
		}
		if doc == lucene.NoMoreDocs {
			return keys, nil
		}
		if doc < 0 || doc >= c.maxDoc {
			return nil, fmt.Errorf("document %d of a column with %d", doc, c.maxDoc)
		}
		keys[doc] = key
	}
}

// keyReader returns a function that gives the next document with a value and its key.
func keyReader(f lucene.SortField, info *lucene.FieldInfo, c columns) (func() (int32, int64, error), error) {
	ord := func(o int64) int64 { return o }
	if c.ordinals != nil {
		ord = c.ordinals(f.Field)
	}
	switch info.DocValuesType {
	case lucene.DocValuesSorted:
		it, err := c.values.Sorted(info)
		if err != nil || it == nil {
			return ended, err
		}
		return func() (int32, int64, error) {
			doc, err := it.Next()
			if err != nil || doc == lucene.NoMoreDocs {
				return doc, 0, err
			}
			o, err := it.Ord()
			return doc, ord(int64(o)), err
		}, nil
	case lucene.DocValuesSortedSet:
		it, err := c.values.SortedSet(info)
		if err != nil || it == nil {
			return ended, err
		}
		return func() (int32, int64, error) {
			doc, err := it.Next()
			if err != nil || doc == lucene.NoMoreDocs {
				return doc, 0, err
			}
			o, err := nth(selected(f.Selector, it.Count()), it.NextOrd)
			return doc, ord(o), err
		}, nil
	case lucene.DocValuesNumeric:
		it, err := c.values.Numeric(info)
		if err != nil || it == nil {
			return ended, err
		}
		return func() (int32, int64, error) {
			doc, err := it.Next()
			if err != nil || doc == lucene.NoMoreDocs {
				return doc, 0, err
			}
			v, err := it.Value()
			switch f.Type {
			case lucene.SortInt:
				v = int64(int32(v))
			case lucene.SortFloat:
				v = int64(sortableInt(int32(v)))
			case lucene.SortDouble:
				v = sortableLong(v)
			}
			return doc, v, err
		}, nil
	case lucene.DocValuesSortedNumeric: // floats are stored sortable in this type
		it, err := c.values.SortedNumeric(info)
		if err != nil || it == nil {
			return ended, err
		}
		return func() (int32, int64, error) {
			doc, err := it.Next()
			if err != nil || doc == lucene.NoMoreDocs {
				return doc, 0, err
			}
			v, err := nth(selected(f.Selector, it.Count()), it.NextValue)
			if f.Type == lucene.SortInt || f.Type == lucene.SortFloat {
				v = int64(int32(v))
			}
			return doc, v, err
		}, nil
	}
	return nil, fmt.Errorf("a column of type %s cannot be sorted by", info.DocValuesType)
}

func ended() (int32, int64, error) { return lucene.NoMoreDocs, 0, nil }

// selected returns which of n values a selector takes.
func selected(s lucene.SortSelector, n int32) int32 {
	switch s {
	case lucene.SelectMax:
		return n - 1
	case lucene.SelectMiddleMin:
		return (n - 1) / 2
	case lucene.SelectMiddleMax:
		return n / 2
	}
	return 0
}

func nth(n int32, next func() (int64, error)) (int64, error) {
	for range n {
		if _, err := next(); err != nil {
			return 0, err
		}
	}
	return next()
}

// sortDocs returns the permutation that sorts documents: new → old and old → new; nil if they are sorted already.
func sortDocs(k *sortKeys, maxDoc int32) (oldDoc, newDoc []int32) {
	sorted := true
	for doc := int32(1); doc < maxDoc && sorted; doc++ {
		sorted = k.compare(doc-1, k, doc) <= 0
	}
	if sorted {
		return nil, nil
	}
	oldDoc = make([]int32, maxDoc)
	for i := range oldDoc {
		oldDoc[i] = int32(i)
	}
	slices.SortStableFunc(oldDoc, func(a, b int32) int { return k.compare(a, k, b) })
	newDoc = make([]int32, maxDoc)
	for n, o := range oldDoc {
		newDoc[o] = int32(n)
	}
	return oldDoc, newDoc
}
