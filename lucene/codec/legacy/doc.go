// Package legacy reads of the segments of Lucene 5 to 8 what it takes to index their documents again: the
// commit, field infos, stored fields, and which documents are alive.
//
// ReadCommit reads any segments_N; Reads tells by the name of a segment's codec whether it is for this
// package; OpenSegment opens such a segment, whose documents are then read in ascending order. Postings,
// points, norms, term vectors and the values of columns are not read: a segment of ours is made from the
// sources instead. The bytes are specified in docs/formats/legacy.md.
//
// Invariants: all is big-endian, as Lucene was before version 9; nothing that a file says is allocated
// before the rest of the file could hold it; damage is a *store.CorruptError that names file and offset.
package legacy
