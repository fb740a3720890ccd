// Package codec is what all formats of an index share: the header and footer that frame every file,
// and the interfaces between the formats (in the packages below this one) and the index reader and
// writer above.
//
// Each format is a package of its own, with a reader and, for those of Lucene 9.12, a writer. The
// framing is specified in docs/formats/framing.md. lucene/codec/catalog puts formats together into
// the codecs that segments name.
package codec
