// Package smile reads and writes SMILE, the binary JSON in which OpenSearch keeps the metadata of
// its snapshot repositories.
//
// [Decoder] gives tokens, [Decode] an ordered tree; [Encode] writes a tree, and [Encoder] pieces, as OpenSearch does
// (header flags 0x05: shared names, raw binary). Values that are alike need not be read or written token by token: [Span]. The tree consists of nil, bool, int64, *big.Int,
// float32, float64, Decimal, string, []byte, []any and *Object, which keeps the order of its
// members. [ParseJSON] and [AppendJSON] convert such trees from and to JSON text.
//
// Invariants: input is untrusted; depth, number of values and sizes are limited by [Limits], and
// wrong input is a *SyntaxError with its offset, never a panic. The bytes are specified in
// docs/formats/smile.md.
package smile
