// Package check verifies an index as deeply as Lucene's CheckIndex does at its deepest level: that every file
// is there and whole, and that what the files say of each other is true.
//
// Directory looks at the checksum of each file, at the order and the statistics of terms and postings,
// at skipping and impacts, norms, stored fields, term vectors, doc values, points, live documents, soft
// deletes and the index sort, and returns a Report of typed Findings that name segment, file, offset and field.
//
// Invariants: the index is never changed; a damaged index gives findings, not errors or panics; memory
// is bounded by a few bits for each document and value of one field at a time; a context ends it.
package check
