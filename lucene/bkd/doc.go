// Package bkd reads and writes block k-d trees: the points of one field, in leaves of up to 512 points and
// an index over one to eight of their dimensions. Values are byte strings that compare as unsigned.
//
// ReadMeta and Meta.Open give a Tree, which implements lucene.PointValues; a Builder collects points and writes a tree;
// Merge writes one from several. The files that trees lie in belong to lucene/codec/points. docs/formats/points.md
// specifies the bytes.
//
// Trees are safe for concurrent use. What a tree hands to a visitor is in range whatever the file holds:
// documents are below maxDoc, values have their length.
package bkd
