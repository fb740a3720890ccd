// Package migrate brings indices of Elasticsearch 5.6 to 7.17 and OpenSearch 1.x to this server: it reads the
// documents of segments that are too old to be opened, and translates their metadata.
//
// Documents visits what is alive in a directory, each segment by its own codec: those of Lucene 5 to 8 through
// lucene/codec/legacy, newer ones natively. Index indexes a directory's documents into a new Lucene index with a
// Parser; NeedsIndexing tells which directories have to go that way. Translate turns mapping and settings of
// an old index into those of today, with a warning for each thing that is lost; TranslateTemplate does so for
// templates. What is kept and what is lost is told in docs/old-sources.md, why it is done so in
// docs/decisions/0010-old-sources.md.
//
// Invariants: nested and deleted documents are never visited; memory does not grow with the number of
// documents; every file of an old segment that is read for indexing is verified against its checksum.
package migrate
