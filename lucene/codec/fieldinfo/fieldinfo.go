package fieldinfo

import (
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// See docs/formats/fieldinfo.md.
const (
	codec90      = "Lucene90FieldInfos"
	codec94      = "Lucene94FieldInfos"
	formatStart  = 0
	formatParent = 1 // uses one more flag
	formatSkip   = 2 // one more flag, and the byte of the skip index; Lucene 10

	// Extension of the file.
	Extension = "fnm"
)

// Flags of a field.
const (
	flagTermVector = 1 << iota
	flagOmitNorms
	flagPayloads
	flagSoftDeletes
	flagParent
)

// Limits of what this version of Lucene knows.
const (
	vectorFloats       = 1
	vectorEuclidean    = 0
	numVectorEncodings = 2
	numVectorFunctions = 4
	numSkipIndexes     = 2
)

// customFreqs is the byte of index options that Lucene 10 has after those of Lucene 9: frequencies that are numbers
// of the user's.
const customFreqs = 5

// docValuesTypes are the types by their byte in the file, which is not the order of the enum.
var docValuesTypes = [...]lucene.DocValuesType{
	lucene.DocValuesNone, lucene.DocValuesNumeric, lucene.DocValuesBinary,
	lucene.DocValuesSorted, lucene.DocValuesSortedSet, lucene.DocValuesSortedNumeric,
}

// Read reads the fields of a segment. suffix is "" or the generation of an update, in base 36.
func Read(dir store.Directory, si *lucene.SegmentInfo, suffix string) (*lucene.FieldInfos, error) {
	in, err := dir.Open(lucene.SegmentFileName(si.Name, suffix, Extension), store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return Parse(in, si.ID, suffix)
}

// Parse reads a .fnm file from an input.
func Parse(in store.Input, id lucene.ID, suffix string) (*lucene.FieldInfos, error) {
	r := store.NewReader(in)
	infos, err := parse(r, id, suffix)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	fis, err := lucene.NewFieldInfos(infos)
	if err != nil {
		return nil, &store.CorruptError{File: in.Name(), Offset: -1, Problem: "contradictory fields", Err: err}
	}
	if err := checkMarkers(fis); err != nil {
		return nil, &store.CorruptError{File: in.Name(), Offset: -1, Problem: "contradictory fields", Err: err}
	}
	return fis, nil
}

// checkMarkers checks that at most one field marks soft deletes, and at most one parents.
func checkMarkers(fis *lucene.FieldInfos) error {
	var soft, parent string
	for _, f := range fis.All() {
		if f.SoftDeletes {
			if soft != "" {
				return fmt.Errorf("both %q and %q mark soft deletes", soft, f.Name)
			}
			soft = f.Name
		}
		if f.Parent {
			if parent != "" {
				return fmt.Errorf("both %q and %q mark parents", parent, f.Name)
			}
			parent = f.Name
		}
	}
	return nil
}

func parse(r *store.Reader, id lucene.ID, suffix string) ([]*lucene.FieldInfo, error) {
	name, _, err := codec.PeekHeader(r)
	if err != nil {
		return nil, err
	}
	r.SeekTo(0)
	maxFormat := int32(formatSkip)
	if name == codec90 {
		maxFormat = formatStart
	} else {
		name = codec94
	}
	format, err := codec.ReadIndexHeader(r, name, formatStart, maxFormat, id, suffix)
	if err != nil {
		return nil, err
	}
	n := r.Count("fields", 14)
	infos := make([]*lucene.FieldInfo, 0, n)
	for range n {
		start := r.Offset()
		f := &lucene.FieldInfo{Name: r.String(), Number: r.VInt()}
		flags := r.Byte()
		f.HasVectors = flags&flagTermVector != 0
		f.OmitNorms = flags&flagOmitNorms != 0
		f.HasPayloads = flags&flagPayloads != 0
		f.SoftDeletes = flags&flagSoftDeletes != 0
		f.Parent = flags&flagParent != 0
		if unknown := flags >> (4 + format); unknown != 0 {
			return nil, r.Corruptf("field %.100q has unknown flags %#x", f.Name, flags)
		}
		f.IndexOptions = lucene.IndexOptions(r.Byte())
		if f.IndexOptions == customFreqs && format >= formatSkip {
			return nil, &codec.UnsupportedError{Format: "DOCS_AND_CUSTOM_FREQS", Where: "field " + clip(f.Name), Reason: "frequencies of the user's own making are not read"}
		}
		dv := r.Byte()
		if int(dv) >= len(docValuesTypes) {
			return nil, r.Corruptf("field %.100q has doc values of type %d", f.Name, dv)
		}
		f.DocValuesType = docValuesTypes[dv]
		if format >= formatSkip {
			f.DocValuesSkip = r.Byte()
		}
		f.DocValuesGen = r.Int64()
		f.Attributes = r.StringMap()
		if f.PointDims = r.VInt(); f.PointDims != 0 {
			f.PointIndexDims, f.PointBytes = r.VInt(), r.VInt()
		}
		f.VectorDims = r.VInt()
		f.VectorEncoding = vectorFloats
		if name == codec94 {
			f.VectorEncoding = r.Byte()
		}
		f.VectorFunction = r.Byte()
		if err := r.Err(); err != nil {
			return nil, err
		}
		if err := Validate(f); err != nil {
			return nil, &store.CorruptError{File: r.Input().Name(), Offset: start, Problem: "contradictory field", Err: err}
		}
		infos = append(infos, f)
	}
	return infos, r.Err()
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// Validate checks that what a field says of itself fits together.
func Validate(f *lucene.FieldInfo) error {
	var problem string
	indexed := f.IndexOptions != lucene.IndexNone
	switch {
	case f.Number < 0:
		problem = "its number is negative"
	case f.IndexOptions > lucene.IndexDocsFreqsPositionsOffsets:
		problem = "its index options are unknown"
	case f.DocValuesType > lucene.DocValuesSortedSet:
		problem = "its doc-values type is unknown"
	case !indexed && (f.HasVectors || f.OmitNorms || f.HasPayloads):
		problem = "it has term vectors, payloads or norms without being indexed"
	case f.HasPayloads && f.IndexOptions < lucene.IndexDocsFreqsPositions:
		problem = "it has payloads without positions"
	case f.DocValuesSkip >= numSkipIndexes || f.DocValuesSkip != 0 && (f.DocValuesType == lucene.DocValuesNone || f.DocValuesType == lucene.DocValuesBinary):
		problem = fmt.Sprintf("it has a skip index of kind %d over doc values of type %s", f.DocValuesSkip, f.DocValuesType)
	case f.DocValuesGen < -1 || f.DocValuesGen != -1 && f.DocValuesType == lucene.DocValuesNone:
		problem = fmt.Sprintf("it has doc values of generation %d and type %s", f.DocValuesGen, f.DocValuesType)
	case f.PointDims < 0 || f.PointDims > lucene.MaxPointDims || f.PointIndexDims < 0 || f.PointIndexDims > lucene.MaxPointIndexDims ||
		f.PointIndexDims > f.PointDims || f.PointBytes < 0 || f.PointBytes > lucene.MaxPointBytes ||
		(f.PointDims == 0) != (f.PointBytes == 0) || (f.PointDims == 0) != (f.PointIndexDims == 0):
		problem = fmt.Sprintf("it has points of %d dimensions (%d in the tree) and %d bytes", f.PointDims, f.PointIndexDims, f.PointBytes)
	case f.VectorDims < 0 || f.VectorEncoding >= numVectorEncodings || f.VectorFunction >= numVectorFunctions:
		problem = fmt.Sprintf("it has vectors of %d dimensions, encoding %d and function %d", f.VectorDims, f.VectorEncoding, f.VectorFunction)
	case f.SoftDeletes && f.Parent:
		problem = "it marks both soft deletes and parents"
	default:
		return nil
	}
	return fmt.Errorf("field %.100q: %s", f.Name, problem)
}

// Write writes the fields of a segment. suffix is "" or the generation of an update, in base 36.
func Write(dir store.Directory, si *lucene.SegmentInfo, suffix string, fields *lucene.FieldInfos) error {
	out, err := dir.Create(lucene.SegmentFileName(si.Name, suffix, Extension))
	if err != nil {
		return err
	}
	if err := write(out, si.ID, suffix, fields); err != nil {
		out.Close()
		return fmt.Errorf("write %s: %w", out.Name(), err)
	}
	return out.Close()
}

func write(out *store.Output, id lucene.ID, suffix string, fields *lucene.FieldInfos) error {
	if err := checkMarkers(fields); err != nil {
		return err
	}
	codec.WriteIndexHeader(out, codec94, formatParent, id, suffix)
	out.PutVInt(int32(fields.Len()))
	for _, f := range fields.All() {
		if err := Validate(f); err != nil {
			return err
		}
		if f.DocValuesSkip != 0 {
			return &codec.UnsupportedError{Format: "doc-values skip index", Where: "field " + f.Name, Reason: "Lucene 9.12 has none"}
		}
		out.PutString(f.Name)
		out.PutVInt(f.Number)
		var flags byte
		for _, s := range [...]struct {
			set  bool
			flag byte
		}{{f.HasVectors, flagTermVector}, {f.OmitNorms, flagOmitNorms}, {f.HasPayloads, flagPayloads}, {f.SoftDeletes, flagSoftDeletes}, {f.Parent, flagParent}} {
			if s.set {
				flags |= s.flag
			}
		}
		out.PutByte(flags)
		out.PutByte(byte(f.IndexOptions))
		for b, t := range docValuesTypes {
			if t == f.DocValuesType {
				out.PutByte(byte(b))
			}
		}
		out.PutInt64(f.DocValuesGen)
		out.PutStringMap(f.Attributes)
		out.PutVInt(f.PointDims)
		if f.PointDims != 0 {
			out.PutVInt(f.PointIndexDims)
			out.PutVInt(f.PointBytes)
		}
		out.PutVInt(f.VectorDims)
		if f.VectorDims == 0 {
			// Lucene compares these when it adds documents, and has them so where there are no vectors.
			out.PutByte(vectorFloats)
			out.PutByte(vectorEuclidean)
		} else {
			out.PutByte(f.VectorEncoding)
			out.PutByte(f.VectorFunction)
		}
	}
	codec.WriteFooter(out)
	return out.Err()
}
