// Package lucene99 reads the postings of Lucene 9.9 to 9.11 (OpenSearch 2.12 to 2.17): document gaps as
// FOR blocks, the rest as group-varints, and skip lists. See docs/formats/postings.md.
package lucene99
