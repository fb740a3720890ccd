// Package segments reads and writes segments_N, the commit of an index: which segments it consists of,
// with their deletions and update generations, and the user data of the commit.
//
// Infos is Lucene's SegmentInfos. ReadLatest finds the last commit of a directory; Prepare and Finish
// make a new one in two steps: pending_segments_N is written and synced, then renamed and the folder
// synced, so that a crash between any two steps leaves the old commit or the new one. The bytes are
// specified in docs/formats/segments.md.
package segments
