// Package livedocs reads and writes which documents of a segment are not deleted, in the format
// Lucene90LiveDocs: one bit a document in a file (.liv) of its own for each generation of deletions.
// docs/formats/livedocs.md specifies it.
package livedocs
