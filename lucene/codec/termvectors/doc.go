// Package termvectors reads and writes the term vectors of a segment, the inverted form of each document,
// in Lucene90's compressing format: chunks of documents whose terms are compressed with LZ4, and
// whose numbers are packed in blocks of 64.
//
// Reader hands out cursors (lucene.TermVectors) that decode a chunk at a time; Writer takes documents one
// by one; Copier moves documents between segments, whole chunks as they are where it can. The bytes are
// specified in docs/formats/termvectors.md.
package termvectors
