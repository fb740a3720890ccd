// Package blocktree reads and writes the terms dictionary of Lucene 9 ("Lucene90 block tree"): terms in
// blocks of 25 to 48 entries that share a prefix (.tim), an FST from prefixes to blocks (.tip), and
// statistics by field (.tmd). It also reads that of Lucene 10.3 and later, whose index is a trie instead of
// an FST. docs/formats/blocktree.md specifies the files.
//
// Reader is a codec.FieldsProducer over a postings.Reader, which it owns; Writer a codec.FieldsConsumer
// over a postings.Writer. A block is checked as a whole when it is loaded; after that, walking in it
// cannot fail. Iterators belong to one goroutine, Reader and its Terms are safe for concurrent use.
package blocktree
