// Package lucene holds the types that all parts of an index share: FieldInfo, SegmentInfo, the
// iterators over documents, terms, postings, doc values and points, the documents that go in, and the
// LeafReader that searches see.
//
// Codecs (lucene/codec/...) implement these interfaces for the formats of Lucene 9; lucene/index and
// lucene/search use them. Names and meanings follow Lucene's, so that a reader who knows it is at home.
//
// Conventions: doc IDs are int32 within one segment, counted from 0, and NoMoreDocs when an iterator is
// exhausted. A returned byte slice is valid until the next call on the same object unless its method
// says otherwise, and must not be written to. Iterators are for one goroutine; the readers that hand
// them out are safe for many. Errors from damaged files are *store.CorruptError.
package lucene
