// Package perfielddv puts the columns of a segment together from the files that hold them.
//
// Each field names the format of its doc values and a suffix; fields with the same share a pair of files,
// whose names carry both (_0_Lucene90_0.dvd). A field whose doc values were updated after the segment was written has
// files of its own, which carry the generation as well (_0_1_Lucene90_0.dvd), and lie beside a compound file, never in it.
//
// NewProducer and NewSegmentProducer read; NewConsumer writes all fields to one pair of files in the
// format Lucene90. A field in a format that is not known does not keep the others from being read: what it
// is asked for is a *codec.UnsupportedError, as Unsupported tells. docs/formats/docvalues.md has the details.
package perfielddv
