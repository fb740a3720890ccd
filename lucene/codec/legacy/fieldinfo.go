package legacy

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/fieldinfo"
	"github.com/varve-search/varve/lucene/store"
)

const (
	fields50       = "Lucene50FieldInfos" // without points
	fields60       = "Lucene60FieldInfos"
	fieldsSafeMaps = 1 // of fields50
	fieldsIndexDim = 2 // of fields60: a point may have dimensions outside of its tree
	flagSoftDelete = 0x8
)

// docValuesTypes are the types by their byte.
var docValuesTypes = [...]lucene.DocValuesType{lucene.DocValuesNone, lucene.DocValuesNumeric, lucene.DocValuesBinary, lucene.DocValuesSorted,
	lucene.DocValuesSortedSet, lucene.DocValuesSortedNumeric}

// readFieldInfos reads the fields of a segment. suffix is "" or the generation of an update, in base 36.
func readFieldInfos(dir store.Directory, si *lucene.SegmentInfo, suffix string) (*lucene.FieldInfos, error) {
	in, err := dir.Open(lucene.SegmentFileName(si.Name, suffix, fieldinfo.Extension), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return parseFieldInfos(in, si.ID, suffix)
}

func parseFieldInfos(in store.Input, id lucene.ID, suffix string) (*lucene.FieldInfos, error) {
	r := store.NewReader(in)
	infos, err := parseFields(r, id, suffix)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	fields, err := lucene.NewFieldInfos(infos)
	if err != nil {
		return nil, &store.CorruptError{File: in.Name(), Offset: -1, Problem: "contradictory fields", Err: err}
	}
	return fields, nil
}

func parseFields(r *store.Reader, id lucene.ID, suffix string) ([]*lucene.FieldInfo, error) {
	name, _, err := codec.PeekHeader(r)
	if err != nil {
		return nil, err
	}
	r.SeekTo(0)
	first, last := int32(0), int32(fieldsIndexDim)
	if name == fields50 {
		first, last = fieldsSafeMaps, fieldsSafeMaps
	} else {
		name = fields60
	}
	version, err := codec.ReadIndexHeader(r, name, first, last, id, suffix)
	if err != nil {
		return nil, err
	}
	n := r.Count("fields", 12)
	infos := make([]*lucene.FieldInfo, 0, n)
	for range n {
		f := &lucene.FieldInfo{Name: r.String(), Number: r.VInt()}
		flags := r.Byte()
		f.HasVectors, f.OmitNorms, f.HasPayloads = flags&1 != 0, flags&2 != 0, flags&4 != 0
		f.SoftDeletes = flags&flagSoftDelete != 0
		f.IndexOptions = lucene.IndexOptions(r.Byte())
		dv := int(r.Byte())
		if dv >= len(docValuesTypes) {
			return nil, r.Corruptf("field %.100q has doc values of type %d", f.Name, dv)
		}
		f.DocValuesType = docValuesTypes[dv]
		f.DocValuesGen = r.BEInt64()
		f.Attributes = r.StringMap()
		if name == fields60 {
			if f.PointDims = r.VInt(); f.PointDims != 0 {
				f.PointIndexDims = f.PointDims
				if version >= fieldsIndexDim {
					f.PointIndexDims = r.VInt()
				}
				f.PointBytes = r.VInt()
			}
		}
		if err := r.Err(); err != nil {
			return nil, err
		}
		if f.Number < 0 || f.DocValuesGen < -1 {
			return nil, r.Corruptf("field %.100q has the number %d and doc values of generation %d", f.Name, f.Number, f.DocValuesGen)
		}
		infos = append(infos, f)
	}
	return infos, r.Err()
}
