// Package mapping holds the field types of OpenSearch 2.19: it parses, merges and prints mappings, and
// turns JSON documents into the lucene documents that OpenSearch would index, field by field.
//
// A [Mapping] is immutable and safe for concurrent use; [Parse] reads one, [Merge] joins two or says why
// it cannot, [Mapping.Render] prints it as GET _mapping does. [Mapping.ParseDocument] reads a document in
// one pass over its JSON and returns a [ParsedDocument] together with the mapping update that its unknown
// fields ask for. [Field] is also what queries, sorting and aggregations use: how terms, points and doc
// values of a type are encoded, how bounds round, how values print.
//
// Invariants: the schema of a field (lucene.FieldType) follows from its mapping alone and is the one
// OpenSearch gives it, so that either program can go on writing to the other's index; a type that is
// known but not built keeps its mapping verbatim and refuses documents that hold a value for it.
package mapping
