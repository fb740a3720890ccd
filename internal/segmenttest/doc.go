// Package segmenttest gives tests of codecs the segments of the indices that real nodes wrote, opened as
// far as their field infos, and what real Lucene reads there.
package segmenttest
