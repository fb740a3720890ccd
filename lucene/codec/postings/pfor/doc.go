// Package pfor packs blocks of 128 small integers as the postings formats of Lucene 9 do: frame of
// reference (FOR), FOR with a few patched exceptions (PFOR), and the group-varint of short tails.
//
// A packed block is a column store: the 128 values are laid into lanes of 8, 16 or 32 bits of 64-bit
// words, lane by lane, so that one shift and one mask work on several values. docs/formats/postings.md
// gives the layout.
//
// Decoders read from a store.Reader and report damage through its sticky error; whatever the bytes
// are, they neither panic nor read beyond the input.
package pfor
