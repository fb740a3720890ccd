// Package fst reads and writes the finite-state transducers of Lucene 9 that map byte strings to byte
// strings: the index of a terms dictionary (file .tip). docs/formats/fst.md specifies the bytes.
//
// An FST is read where it lies: nodes are decoded from the bytes at each step, forward only, and a
// Cursor keeps no more than the arc it stands on. Whatever the bytes are, a step returns an arc, its
// absence, or an error; a node's arcs lead only to nodes before it, so that no walk can loop.
package fst
