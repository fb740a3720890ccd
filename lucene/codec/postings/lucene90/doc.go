// Package lucene90 reads the postings of Lucene 9.0 to 9.8 (OpenSearch 2.0 to 2.11): document gaps as
// PFOR blocks, the rest as VInts, and skip lists. See docs/formats/postings.md.
package lucene90
