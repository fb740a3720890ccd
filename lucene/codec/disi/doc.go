// Package disi reads and writes the set of documents that have a value, which doc values and norms
// share: an iterator that also knows the index of the current document within the set.
//
// The set is cut into ranges of 65,536 documents, each coded by how dense it is; a jump table leads to a range and, within
// a dense one, ranks lead to a document. docs/formats/disi.md specifies it.
//
// An Iterator never returns a document that is not below maxDoc, nor one twice, whatever the bytes say.
package disi
