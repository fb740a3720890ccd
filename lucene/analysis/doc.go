// Package analysis turns text into tokens the way Lucene 9.12 and the analysis components of
// OpenSearch 2.19 do: tokenizers, token filters, character filters, and the analyzers made of them.
//
// An [Analyzer] is immutable and safe for concurrent use. [Analyzer.Stream] hands out a pooled
// [Stream] that belongs to one goroutine until [Stream.Close]; its
// token's bytes are valid until the next call of Next. A [Registry] builds the analyzers and
// normalizers that an index's analysis settings define, with OpenSearch's messages for what is wrong.
//
// Invariants: text is valid UTF-8; offsets count UTF-16 units of the text before character filters;
// on the plain ASCII path no tokenizer or simple filter allocates per token.
package analysis
