// Package migrate brings indices of Elasticsearch 5.6 to 7.17 and OpenSearch 1.x to this server: it reads the
// documents of segments that are too old to be opened, and translates their metadata.
//
// Documents visits what is alive in a directory, each segment by its own codec: those of Lucene 5 to 8 through
// lucene/codec/legacy, newer ones natively. Shard indexes them into a new Lucene index; NeedsIndexing tells which
// directories have to go that way. Index translates the metadata of an index into that of today, with a warning for
// each thing that is lost; Global does so for a snapshot's global state; CheckVersion refuses what is too new or too
// old. What is kept and what is lost is told in docs/old-sources.md, why it is done so in
// docs/decisions/0010-old-sources.md.
//
// Invariants: nested and deleted documents are never visited; memory does not grow with the number of
// documents; every file of an old segment that is read for indexing is verified against its checksum.
package migrate
