// Package segmentinfo reads and writes the .si file of a segment: its size, version, files,
// attributes and index sort.
//
// Read takes both layouts of Lucene 9, Lucene90 and Lucene99; Write writes Lucene99. The bytes are
// specified in docs/formats/segmentinfo.md. What Read returns has plausible counts and only plain
// file names that belong to the segment.
package segmentinfo
