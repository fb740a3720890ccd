// Package catalog knows the codecs that a segment may name: which formats each one puts together, and
// which of the known ones cannot be read.
//
// Lookup is pure knowledge; opening the formats is the business of lucene/index. Postings and doc
// values formats are not part of a codec's entry: each field names its own in its attributes.
//
// Invariant: a name that is not known is an *codec.UnsupportedError that carries it; nothing is guessed.
package catalog
