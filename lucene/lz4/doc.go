// Package lz4 codes LZ4 blocks as Lucene frames them: neither the compressed nor the decompressed
// length is part of a block, and only the decompressed one is known to a reader. A block may refer back
// into a dictionary that both sides put before it.
//
// Decompress and Decode are the readers, Fast and High the writers; High looks harder for matches. The
// format is docs/formats/lz4.md.
//
// Invariants: what is decoded is untrusted and never written outside of the given buffer; a block of n
// bytes takes at most MaxLength(n). Compressors are for one goroutine and meant to be reused.
package lz4
