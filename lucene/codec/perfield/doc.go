// Package perfield puts together the formats that the fields of a segment name in their attributes, each
// with a suffix of its own: NewFieldsProducer and NewFieldsConsumer for postings.
//
// A field whose format is not one of Lucene 9.0 to 9.12 does not keep the others from being read: asking
// for its terms gives an *codec.UnsupportedError that names the format.
package perfield
