package lucene

import (
	"fmt"
	"maps"
	"slices"
	"sort"
)

// IndexOptions says what the inverted index keeps of a field. Each includes those before it.
type IndexOptions uint8

// The index options, in Lucene's order.
const (
	IndexNone IndexOptions = iota
	IndexDocs
	IndexDocsAndFreqs
	IndexDocsFreqsPositions
	IndexDocsFreqsPositionsOffsets
)

// DocValuesType says which column a field has. The order is that of Lucene's enum.
type DocValuesType uint8

// The doc-values types, in Lucene's order.
const (
	DocValuesNone DocValuesType = iota
	DocValuesNumeric
	DocValuesBinary
	DocValuesSorted
	DocValuesSortedNumeric
	DocValuesSortedSet
)

func (t DocValuesType) String() string {
	names := [...]string{"NONE", "NUMERIC", "BINARY", "SORTED", "SORTED_NUMERIC", "SORTED_SET"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("DocValuesType(%d)", uint8(t))
}

func (o IndexOptions) String() string {
	names := [...]string{"NONE", "DOCS", "DOCS_AND_FREQS", "DOCS_AND_FREQS_AND_POSITIONS", "DOCS_AND_FREQS_AND_POSITIONS_AND_OFFSETS"}
	if int(o) < len(names) {
		return names[o]
	}
	return fmt.Sprintf("IndexOptions(%d)", uint8(o))
}

// Limits of points in the formats of Lucene 9.
const (
	MaxPointDims      = 16
	MaxPointIndexDims = 8
	MaxPointBytes     = 16
)

// FieldInfo describes a field within a segment. Once a segment names it, it does not change, but for
// DocValuesGen and Attributes in segments whose doc values were updated.
type FieldInfo struct {
	Name           string
	Number         int32
	DocValuesType  DocValuesType
	HasVectors     bool // term vectors are stored
	OmitNorms      bool // only where the field is indexed
	IndexOptions   IndexOptions
	HasPayloads    bool
	DocValuesGen   int64 // generation of the doc-values update, or -1
	PointDims      int32 // dimensions of a point, 0 for none
	PointIndexDims int32 // the first ones, that the tree splits by
	PointBytes     int32 // bytes of each dimension
	VectorDims     int32 // dimensions of a k-NN vector, 0 for none
	VectorEncoding uint8 // ordinal of Lucene's VectorEncoding: 0 BYTE, 1 FLOAT32
	VectorFunction uint8 // ordinal of Lucene's VectorSimilarityFunction
	SoftDeletes    bool  // this is the field that marks documents soft-deleted
	Parent         bool  // this is the field that marks the last document of a block
	DocValuesSkip  uint8 // ordinal of Lucene 10's DocValuesSkipIndexType; 0 for none
	Attributes     map[string]string
}

// Attributes that name the per-field formats of a field.
const (
	AttrPostingsFormat  = "PerFieldPostingsFormat.format"
	AttrPostingsSuffix  = "PerFieldPostingsFormat.suffix"
	AttrDocValuesFormat = "PerFieldDocValuesFormat.format"
	AttrDocValuesSuffix = "PerFieldDocValuesFormat.suffix"
	AttrVectorsFormat   = "PerFieldKnnVectorsFormat.format"
	AttrVectorsSuffix   = "PerFieldKnnVectorsFormat.suffix"
)

// HasNorms tells whether the segment stores norms for the field.
func (f *FieldInfo) HasNorms() bool { return f.IndexOptions != IndexNone && !f.OmitNorms }

// Clone returns a copy that shares nothing.
func (f *FieldInfo) Clone() *FieldInfo {
	c := *f
	c.Attributes = maps.Clone(f.Attributes)
	return &c
}

// SetAttribute sets one attribute.
func (f *FieldInfo) SetAttribute(key, value string) {
	if f.Attributes == nil {
		f.Attributes = map[string]string{}
	}
	f.Attributes[key] = value
}

// FieldInfos are the fields of a segment, by number and by name. They are immutable.
type FieldInfos struct {
	infos    []*FieldInfo // sorted by number
	byName   map[string]*FieldInfo
	byNumber map[int32]*FieldInfo
}

// NewFieldInfos returns the fields sorted by number; two of one name or number are an error.
func NewFieldInfos(infos []*FieldInfo) (*FieldInfos, error) {
	fis := &FieldInfos{
		infos:    slices.Clone(infos),
		byName:   make(map[string]*FieldInfo, len(infos)),
		byNumber: make(map[int32]*FieldInfo, len(infos)),
	}
	sort.Slice(fis.infos, func(i, j int) bool { return fis.infos[i].Number < fis.infos[j].Number })
	for _, f := range fis.infos {
		if old, ok := fis.byNumber[f.Number]; ok {
			return nil, fmt.Errorf("fields %q and %q share the number %d", old.Name, f.Name, f.Number)
		}
		if _, ok := fis.byName[f.Name]; ok {
			return nil, fmt.Errorf("field %q appears twice", f.Name)
		}
		fis.byName[f.Name] = f
		fis.byNumber[f.Number] = f
	}
	return fis, nil
}

// All returns the fields by ascending number; the slice must not be changed.
func (fis *FieldInfos) All() []*FieldInfo { return fis.infos }

// Len returns how many there are.
func (fis *FieldInfos) Len() int { return len(fis.infos) }

// ByName returns the field of that name or nil.
func (fis *FieldInfos) ByName(name string) *FieldInfo { return fis.byName[name] }

// ByNumber returns the field of that number or nil.
func (fis *FieldInfos) ByNumber(n int32) *FieldInfo { return fis.byNumber[n] }

func (fis *FieldInfos) any(has func(*FieldInfo) bool) bool {
	return slices.ContainsFunc(fis.infos, has)
}

// HasPostings tells whether any field is indexed.
func (fis *FieldInfos) HasPostings() bool {
	return fis.any(func(f *FieldInfo) bool { return f.IndexOptions != IndexNone })
}

// HasNorms tells whether any field has norms.
func (fis *FieldInfos) HasNorms() bool { return fis.any((*FieldInfo).HasNorms) }

// HasDocValues tells whether any field has doc values.
func (fis *FieldInfos) HasDocValues() bool {
	return fis.any(func(f *FieldInfo) bool { return f.DocValuesType != DocValuesNone })
}

// HasPoints tells whether any field has points.
func (fis *FieldInfos) HasPoints() bool {
	return fis.any(func(f *FieldInfo) bool { return f.PointDims > 0 })
}

// HasTermVectors tells whether any field has term vectors.
func (fis *FieldInfos) HasTermVectors() bool {
	return fis.any(func(f *FieldInfo) bool { return f.HasVectors })
}

// HasVectorValues tells whether any field has k-NN vectors.
func (fis *FieldInfos) HasVectorValues() bool {
	return fis.any(func(f *FieldInfo) bool { return f.VectorDims > 0 })
}

// SoftDeletesField returns the name of the field that marks soft deletes, or "".
func (fis *FieldInfos) SoftDeletesField() string {
	for _, f := range fis.infos {
		if f.SoftDeletes {
			return f.Name
		}
	}
	return ""
}
