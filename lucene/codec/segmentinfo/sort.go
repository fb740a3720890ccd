package segmentinfo

import (
	"fmt"
	"math"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Names of Lucene's sort providers, each with a layout of its own.
const (
	providerSingle  = "SortField"
	providerNumeric = "SortedNumericSortField"
	providerSet     = "SortedSetSortField"
)

// typeNames are the names of lucene.SortType as the file holds them.
var typeNames = [...]string{lucene.SortString: "STRING", lucene.SortInt: "INT", lucene.SortLong: "LONG", lucene.SortFloat: "FLOAT", lucene.SortDouble: "DOUBLE"}

func readSort(r *store.Reader, si *lucene.SegmentInfo) error {
	start := r.Offset()
	n := r.Count("sort fields", 2)
	for range n {
		provider := r.String()
		var f lucene.SortField
		switch provider {
		case providerSingle:
			f.Field, f.Type, f.Reverse = r.String(), readType(r), r.Int32() == 1
			readMissing(r, &f)
		case providerNumeric:
			f.Field, f.Type, f.Reverse = r.String(), readType(r), r.Int32() == 1
			if f.Type == lucene.SortString && r.Err() == nil {
				return r.Corruptf("a sort by numbers has the type STRING")
			}
			f.Selector = readSelector(r, 2)
			readMissing(r, &f)
		case providerSet:
			f.Field, f.Reverse = r.String(), r.Int32() == 1
			f.Selector = readSelector(r, 4)
			switch m := r.Int32(); m {
			case 0:
			case 1:
				f.Missing = lucene.StringFirst
			case 2:
				f.Missing = lucene.StringLast
			default:
				return r.Corruptf("place %d for missing strings", m)
			}
		default:
			if r.Err() != nil {
				return r.Err()
			}
			// A provider of a plugin: its bytes cannot be told from those of the next. Keep them all.
			r.SeekTo(start)
			si.IndexSort = nil
			si.IndexSortFormat = append([]byte(nil), r.Bytes(int(max(0, r.Remaining()-codec.FooterLength)))...)
			return r.Err()
		}
		if r.Err() != nil {
			return r.Err()
		}
		si.IndexSort = append(si.IndexSort, f)
	}
	return r.Err()
}

func readType(r *store.Reader) lucene.SortType {
	name := r.String()
	for t, n := range typeNames {
		if n == name {
			return lucene.SortType(t)
		}
	}
	r.Corruptf("unknown type %.40q of an index sort", name)
	return 0
}

func readSelector(r *store.Reader, n int32) lucene.SortSelector {
	s := r.Int32()
	if s < 0 || s >= n {
		r.Corruptf("unknown selector %d of an index sort", s)
		return 0
	}
	return lucene.SelectMin + lucene.SortSelector(s)
}

func readMissing(r *store.Reader, f *lucene.SortField) {
	switch has := r.Int32(); has {
	case 0:
		return
	case 1:
	default:
		r.Corruptf("the flag of a missing value is %d", has)
		return
	}
	switch f.Type {
	case lucene.SortString:
		f.Missing = lucene.StringLast
		if r.Int32() == 1 {
			f.Missing = lucene.StringFirst
		}
	case lucene.SortInt:
		f.Missing = r.Int32()
	case lucene.SortLong:
		f.Missing = r.Int64()
	case lucene.SortFloat:
		v := r.Int32()
		f.Missing = math.Float32frombits(uint32(v ^ v>>31&math.MaxInt32))
	case lucene.SortDouble:
		v := r.Int64()
		f.Missing = math.Float64frombits(uint64(v ^ v>>63&math.MaxInt64))
	}
}

func writeSort(out *store.Output, si *lucene.SegmentInfo) error {
	if si.IndexSortFormat != nil {
		return &codec.UnsupportedError{Format: "index sort", Where: "segment " + si.Name, Reason: "it is of a sort provider that is not known, and cannot be written"}
	}
	out.PutVInt(int32(len(si.IndexSort)))
	for _, f := range si.IndexSort {
		if int(f.Type) >= len(typeNames) || f.Selector > lucene.SelectMiddleMax {
			return fmt.Errorf("write index sort of segment %s: field %s has type %d and selector %d", si.Name, f.Field, f.Type, f.Selector)
		}
		var err error
		switch {
		case f.Selector == lucene.SelectNone:
			out.PutString(providerSingle)
			out.PutString(f.Field)
			out.PutString(typeNames[f.Type])
			putBool(out, f.Reverse)
			err = putMissing(out, f)
		case f.Type == lucene.SortString:
			out.PutString(providerSet)
			out.PutString(f.Field)
			putBool(out, f.Reverse)
			out.PutInt32(int32(f.Selector - lucene.SelectMin))
			var place int32
			switch f.Missing {
			case nil:
			case lucene.StringFirst:
				place = 1
			case lucene.StringLast:
				place = 2
			default:
				err = badMissing(f)
			}
			out.PutInt32(place)
		default:
			if f.Selector > lucene.SelectMax {
				return fmt.Errorf("write index sort of segment %s: numbers of field %s have no selector %d", si.Name, f.Field, f.Selector)
			}
			out.PutString(providerNumeric)
			out.PutString(f.Field)
			out.PutString(typeNames[f.Type])
			putBool(out, f.Reverse)
			out.PutInt32(int32(f.Selector - lucene.SelectMin))
			err = putMissing(out, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func putBool(out *store.Output, b bool) {
	var v int32
	if b {
		v = 1
	}
	out.PutInt32(v)
}

func badMissing(f lucene.SortField) error {
	return fmt.Errorf("write index sort: field %s of type %s has the missing value %v (%T)", f.Field, typeNames[f.Type], f.Missing, f.Missing)
}

func putMissing(out *store.Output, f lucene.SortField) error {
	if f.Missing == nil {
		out.PutInt32(0)
		return nil
	}
	out.PutInt32(1)
	var ok bool
	switch v := f.Missing.(type) {
	case lucene.MissingString:
		ok = f.Type == lucene.SortString
		putBool(out, v == lucene.StringFirst)
	case int32:
		ok = f.Type == lucene.SortInt
		out.PutInt32(v)
	case int64:
		ok = f.Type == lucene.SortLong
		out.PutInt64(v)
	case float32:
		ok = f.Type == lucene.SortFloat
		b := int32(math.Float32bits(v))
		out.PutInt32(b ^ b>>31&math.MaxInt32)
	case float64:
		ok = f.Type == lucene.SortDouble
		b := int64(math.Float64bits(v))
		out.PutInt64(b ^ b>>63&math.MaxInt64)
	}
	if !ok {
		return badMissing(f)
	}
	return nil
}
