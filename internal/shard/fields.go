package shard

import (
	"encoding/binary"

	"github.com/varve-search/varve/lucene"
)

// Fields that the engine keeps of every document, as OpenSearch does.
const (
	fieldID          = "_id"
	fieldSeqNo       = "_seq_no"
	fieldPrimaryTerm = "_primary_term"
	fieldVersion     = "_version"
	fieldSource      = "_source"
	fieldRouting     = "_routing"
)

var (
	seqNoType   = &lucene.FieldType{DocValuesType: lucene.DocValuesNumeric, PointDims: 1, PointIndexDims: 1, PointBytes: 8}
	numericType = &lucene.FieldType{DocValuesType: lucene.DocValuesNumeric}
)

// addEngineFields adds sequence number, version and, to roots only, the primary term: by it a real node
// tells roots from nested documents.
func addEngineFields(d *lucene.Document, seqNo, term, version int64, root bool) {
	point := make([]byte, 8)
	binary.BigEndian.PutUint64(point, uint64(seqNo)^(1<<63))
	d.Fields = append(d.Fields, lucene.Field{Name: fieldSeqNo, Type: seqNoType, Num: seqNo, Point: point})
	if root {
		d.Fields = append(d.Fields, lucene.Field{Name: fieldPrimaryTerm, Type: numericType, Num: term})
	} else {
		version = 1
	}
	d.Fields = append(d.Fields, lucene.Field{Name: fieldVersion, Type: numericType, Num: version})
}
