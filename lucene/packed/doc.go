// Package packed codes arrays of integers with as few bits as their largest needs, in the ways that
// several formats of an index share. docs/formats/packed.md specifies them.
//
// Direct is random access to values of one width (1, 2, 4, 8, 12, … 64 bits) and DirectWriter writes
// them. Monotonic is random access to a sequence that never falls: blocks, each with a line and the
// distances from it; MonotonicWriter writes it.
//
// Readers read through store.Input: they keep a window of it, which for a memory map is the whole file,
// so that a value is one load. They are for one goroutine each and cheap to make. What metadata says of
// counts and widths is checked against the file's length when a reader is made; a Get that is out of range is a
// *store.CorruptError, since only damaged metadata leads there.
package packed
