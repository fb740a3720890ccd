package index

import (
	"fmt"
	"sync"

	"github.com/varve-search/varve/lucene"
)

// SchemaError says that a document uses a field otherwise than the index does. The document is refused and leaves no trace.
type SchemaError struct {
	Field string
	What  string // such as "index options"
	Have  string // what the index has
	Want  string // what the document asks for
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("field %q: the index has %s %s, the document asks for %s", e.Field, e.What, e.Have, e.Want)
}

// fieldSchema is what must be equal for a field in all documents of an index.
type fieldSchema struct {
	IndexOptions   lucene.IndexOptions
	OmitNorms      bool
	Vectors        bool
	DocValuesType  lucene.DocValuesType
	PointDims      int32
	PointIndexDims int32
	PointBytes     int32
	VectorDims     int32
	VectorEncoding uint8
	VectorFunction uint8
}

func schemaOfType(t *lucene.FieldType) fieldSchema {
	s := fieldSchema{IndexOptions: t.IndexOptions, DocValuesType: t.DocValuesType,
		PointDims: t.PointDims, PointIndexDims: t.PointIndexDims, PointBytes: t.PointBytes, VectorEncoding: encodingFloat32}
	if t.IndexOptions != lucene.IndexNone {
		s.OmitNorms, s.Vectors = t.OmitNorms, t.TermVectors
	}
	return s
}

func schemaOfInfo(f *lucene.FieldInfo) fieldSchema {
	s := fieldSchema{IndexOptions: f.IndexOptions, DocValuesType: f.DocValuesType,
		PointDims: f.PointDims, PointIndexDims: f.PointIndexDims, PointBytes: f.PointBytes,
		VectorDims: f.VectorDims, VectorEncoding: f.VectorEncoding, VectorFunction: f.VectorFunction}
	if f.IndexOptions != lucene.IndexNone {
		s.OmitNorms, s.Vectors = f.OmitNorms, f.HasVectors
	}
	if s.VectorDims == 0 {
		s.VectorEncoding, s.VectorFunction = encodingFloat32, 0
	}
	return s
}

// encodingFloat32 is what Lucene says for a field without vectors. It compares this between segments, too: with another value its
// writer would refuse the field.
const encodingFloat32 = 1

// diff returns nil if the schemas are equal, else the first difference.
func (s fieldSchema) diff(field string, want fieldSchema) error {
	if s == want {
		return nil
	}
	parts := []struct {
		what       string
		have, want any
	}{
		{"index options", s.IndexOptions, want.IndexOptions},
		{"omitted norms", s.OmitNorms, want.OmitNorms},
		{"term vectors", s.Vectors, want.Vectors},
		{"doc values", s.DocValuesType, want.DocValuesType},
		{"point dimensions", s.PointDims, want.PointDims},
		{"indexed point dimensions", s.PointIndexDims, want.PointIndexDims},
		{"bytes per point dimension", s.PointBytes, want.PointBytes},
		{"vector dimensions", s.VectorDims, want.VectorDims},
		{"vector encoding", s.VectorEncoding, want.VectorEncoding},
		{"vector similarity", s.VectorFunction, want.VectorFunction},
	}
	for _, p := range parts {
		if p.have != p.want {
			return &SchemaError{Field: field, What: p.what, Have: fmt.Sprint(p.have), Want: fmt.Sprint(p.want)}
		}
	}
	return nil
}

// checkType refuses types that no field may have.
func checkType(name string, t *lucene.FieldType) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("field %q: %s", name, fmt.Sprintf(format, args...))
	}
	switch {
	case t.IndexOptions > lucene.IndexDocsFreqsPositionsOffsets:
		return bad("unknown index options %d", t.IndexOptions)
	case t.DocValuesType > lucene.DocValuesSortedSet:
		return bad("unknown doc-values type %d", t.DocValuesType)
	case t.IndexOptions == lucene.IndexNone && t.TermVectors:
		return bad("term vectors need an indexed field")
	case !t.TermVectors && (t.VectorPositions || t.VectorOffsets || t.VectorPayloads):
		return bad("positions, offsets or payloads of term vectors need term vectors")
	case t.VectorPayloads && !t.VectorPositions:
		return bad("payloads of term vectors need their positions")
	case t.PointDims == 0 && (t.PointIndexDims != 0 || t.PointBytes != 0):
		return bad("the shape of a point is given without dimensions")
	case t.PointDims < 0 || t.PointDims > lucene.MaxPointDims:
		return bad("%d point dimensions; at most %d are possible", t.PointDims, lucene.MaxPointDims)
	case t.PointDims > 0 && (t.PointIndexDims < 1 || t.PointIndexDims > min(t.PointDims, lucene.MaxPointIndexDims)):
		return bad("%d indexed dimensions of a point with %d", t.PointIndexDims, t.PointDims)
	case t.PointDims > 0 && (t.PointBytes < 1 || t.PointBytes > lucene.MaxPointBytes):
		return bad("%d bytes per point dimension", t.PointBytes)
	}
	return nil
}

// schema is the fields of the whole index: number and schema of each name, kept for as long as the
// writer lives even when the last segment with a field is gone.
type schema struct {
	mu          sync.Mutex
	byName      map[string]*globalField
	used        map[int32]string
	next        int32
	softDeletes string // name of the soft-deletes field, "" if none
	parent      string
	sortTypes   map[string]lucene.SortField
}

type globalField struct {
	number int32
	schema fieldSchema
}

func newSchema(sort []lucene.SortField) *schema {
	s := &schema{byName: map[string]*globalField{}, used: map[int32]string{}, sortTypes: map[string]lucene.SortField{}}
	for _, f := range sort {
		s.sortTypes[f.Field] = f
	}
	return s
}

// learn takes over the fields of a segment that exists.
func (s *schema) learn(fields *lucene.FieldInfos) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range fields.All() {
		if f.SoftDeletes {
			if s.softDeletes != "" && s.softDeletes != f.Name {
				return fmt.Errorf("the fields %q and %q both mark soft deletes", s.softDeletes, f.Name)
			}
			s.softDeletes = f.Name
		}
		if f.Parent {
			s.parent = f.Name
		}
		if g := s.byName[f.Name]; g != nil {
			if err := g.schema.diff(f.Name, schemaOfInfo(f)); err != nil {
				return fmt.Errorf("segments differ: %w", err)
			}
			continue
		}
		n := f.Number
		if _, taken := s.used[n]; taken {
			for n = s.next; s.used[n] != ""; n++ {
			}
		}
		s.put(f.Name, &globalField{number: n, schema: schemaOfInfo(f)})
	}
	return nil
}

func (s *schema) put(name string, g *globalField) {
	s.byName[name] = g
	s.used[g.number] = name
	s.next = max(s.next, g.number+1)
}

// newField is a field that a buffer sees for the first time.
type newField struct {
	name string
	typ  *lucene.FieldType
}

// register checks fields against the index and adds those that are new: all or, on an error, none.
func (s *schema) register(fields []newField) ([]*lucene.FieldInfo, error) {
	for _, f := range fields {
		if err := checkType(f.name, f.typ); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range fields {
		want := schemaOfType(f.typ)
		if g := s.byName[f.name]; g != nil {
			if err := g.schema.diff(f.name, want); err != nil {
				return nil, err
			}
		}
		if err := s.checkSort(f.name, want); err != nil {
			return nil, err
		}
		switch {
		case f.typ.SoftDeletes:
			return nil, fmt.Errorf("field %q: soft deletes are read, not written", f.name)
		case f.name == s.softDeletes || f.name == s.parent:
			return nil, fmt.Errorf("field %q is reserved: it marks soft deletes or blocks in this index", f.name)
		}
	}
	infos := make([]*lucene.FieldInfo, len(fields))
	for i, f := range fields {
		g := s.byName[f.name]
		if g == nil {
			for s.used[s.next] != "" {
				s.next++
			}
			g = &globalField{number: s.next, schema: schemaOfType(f.typ)}
			s.put(f.name, g)
		}
		infos[i] = s.info(f.name, g)
	}
	return infos, nil
}

// checkSort refuses columns that an index sort cannot sort by.
func (s *schema) checkSort(name string, f fieldSchema) error {
	sort, ok := s.sortTypes[name]
	if !ok || f.DocValuesType == lucene.DocValuesNone {
		return nil
	}
	if want := sortColumn(sort); f.DocValuesType != want {
		return &SchemaError{Field: name, What: "an index sort over doc values", Have: want.String(), Want: f.DocValuesType.String()}
	}
	return nil
}

func (s *schema) info(name string, g *globalField) *lucene.FieldInfo {
	f := g.schema
	return &lucene.FieldInfo{
		Name: name, Number: g.number, DocValuesType: f.DocValuesType, HasVectors: f.Vectors, OmitNorms: f.OmitNorms,
		IndexOptions: f.IndexOptions, DocValuesGen: -1, PointDims: f.PointDims, PointIndexDims: f.PointIndexDims,
		PointBytes: f.PointBytes, VectorDims: f.VectorDims, VectorEncoding: f.VectorEncoding, VectorFunction: f.VectorFunction,
		SoftDeletes: name == s.softDeletes, Parent: name == s.parent,
	}
}

// mergedInfos returns the fields of a merge of segments, with the numbers of the index and without the attributes of
// formats, which the writers of the merged segment set again.
func (s *schema) mergedInfos(sources []*lucene.FieldInfos) (*lucene.FieldInfos, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := map[string]*lucene.FieldInfo{}
	var infos []*lucene.FieldInfo
	for _, src := range sources {
		for _, f := range src.All() {
			m := byName[f.Name]
			if m == nil {
				g := s.byName[f.Name]
				if g == nil {
					return nil, fmt.Errorf("field %q of a segment is not known to the index", f.Name)
				}
				m = s.info(f.Name, g)
				for k, v := range f.Attributes {
					if !formatAttribute(k) {
						m.SetAttribute(k, v)
					}
				}
				byName[f.Name] = m
				infos = append(infos, m)
			}
			m.HasPayloads = m.HasPayloads || f.HasPayloads
		}
	}
	return lucene.NewFieldInfos(infos)
}

func formatAttribute(key string) bool {
	switch key {
	case lucene.AttrPostingsFormat, lucene.AttrPostingsSuffix, lucene.AttrDocValuesFormat,
		lucene.AttrDocValuesSuffix, lucene.AttrVectorsFormat, lucene.AttrVectorsSuffix:
		return true
	}
	return false
}
