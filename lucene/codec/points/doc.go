// Package points reads and writes the points of a segment in the format Lucene90Points: a tree for each field, of
// package lucene/bkd, in three files: leaves (.kdd), inner nodes (.kdi) and what describes them (.kdm).
// docs/formats/points.md specifies them.
package points
