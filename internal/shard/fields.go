package shard

// Fields that the engine keeps of every document, as OpenSearch does.
const (
	fieldID          = "_id"
	fieldSeqNo       = "_seq_no"
	fieldPrimaryTerm = "_primary_term"
	fieldVersion     = "_version"
	fieldSource      = "_source"
	fieldRouting     = "_routing"
)
