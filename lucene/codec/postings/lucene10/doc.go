// Package lucene10 reads the postings of Lucene 10 (OpenSearch 3.x): those of 9.12 in words of 32 bits, with dense
// blocks of documents as bitmaps (Lucene101, Lucene103), and in blocks of 256 (Lucene104). See docs/formats/postings.md.
package lucene10
