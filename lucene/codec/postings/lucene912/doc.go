// Package lucene912 reads and writes the postings of Lucene 9.12 (OpenSearch 2.18 and 2.19): packed
// blocks of 128 documents with skip data and impacts before each block (level 0) and before each group
// of 32 blocks (level 1). docs/formats/postings.md specifies the files.
package lucene912
