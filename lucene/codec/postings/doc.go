// Package postings holds what the postings formats of Lucene 9 and 10 share: the interfaces between them and
// the terms dictionary (Reader, Writer, TermState), the reading of positions, offsets and payloads,
// which has not changed since 9.0, and of impacts.
//
// The formats themselves are in the sub-packages lucene912 (read and write), lucene99 and lucene90
// (read), lucene10 (read); docs/formats/postings.md specifies them.
//
// Enumerations decode a block of 128 or 256 documents at a time into arrays of their own and allocate nothing per hit.
// They belong to one goroutine; readers are safe for concurrent use. Whatever the bytes are, an
// enumeration returns an error or documents within the segment, in ascending order or the error.
package postings
