// Package norms reads and writes norms in the format Lucene90Norms: one number for each document that has
// an indexed text field, made from the field's length.
//
// A Producer opens the two files (.nvm and .nvd) of a segment; a Consumer writes them. docs/formats/norms.md
// specifies the bytes. The columns that a Producer hands out implement lucene.NumericBatch where every document has a norm.
package norms
