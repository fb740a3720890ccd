// Package skiplist reads the postings of Lucene 9.0 to 9.11, in which the skip data of a term, with the
// impacts, follows its blocks as a list of several levels. The formats Lucene90 and Lucene99 differ in
// how they pack documents, and the packages of these names say how. docs/formats/postings.md specifies
// the files.
package skiplist
