// Package store is the lowest layer of an index: directories of files, their locks, and the bytes in
// them.
//
// Every reader of the index goes through Input, which answers with a slice of bytes or an error. A
// memory map is one implementation, reads with pread another, a block cache over a remote blob a
// third; code above this package cannot tell them apart. Writers go through Output, which takes the
// CRC-32 of everything written. Reader decodes Lucene's little-endian primitives from an Input with a
// sticky error, so that parsing code is a straight line with one check at its end.
//
// Invariants: a file is written once and never changed; a name is created, never overwritten; what an
// Input or a Reader returns is untrusted and bounds are checked here; a damaged file is a CorruptError
// that names file and offset, never a panic. Guard turns the fault of a truncated or failing memory
// map into such an error.
package store
