// Package docvalues reads and writes columns in the format Lucene90DocValues, which all of Lucene 9 uses:
// numbers, byte strings, and sorted dictionaries with ordinals, of one or several values a document.
//
// A Producer opens the two files (.dvm and .dvd) of a segment and hands out iterators; a Consumer writes
// them. Which fields a pair of files holds is the business of lucene/codec/perfielddv. The format is
// docs/formats/docvalues.md.
//
// Iterators are for one goroutine and read through store.Input; where the file is resident a value costs one load.
// Columns of numbers and of ordinals implement lucene.NumericBatch. Columns that never have more than one value a document implement
// lucene.NumericSingleton or lucene.SortedSingleton. What metadata says is checked when it is read, what data say when
// it is used: ordinals and documents that a column returns are always in range.
package docvalues
