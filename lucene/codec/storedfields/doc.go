// Package storedfields reads and writes the stored fields of a segment in Lucene90's compressing
// format: documents in chunks that are compressed with LZ4 (BEST_SPEED) or DEFLATE (BEST_COMPRESSION),
// each with a preset dictionary, so that a document is read without decompressing all of its chunk.
//
// Reader hands out cursors (lucene.StoredFields); Writer takes documents one by one; Copier moves
// documents from a segment to another, whole chunks as they are where it can. The bytes are
// specified in docs/formats/storedfields.md.
//
// Invariant: no length of the file is trusted before it is bounded by what the chunk's compressed bytes
// can expand to.
package storedfields
