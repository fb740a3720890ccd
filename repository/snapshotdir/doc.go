// Package snapshotdir shows one shard of a snapshot as a read-only Lucene directory, without restoring
// it: files are read from the repository where they lie, block by block, through a Blocks: a Cache in memory of
// bounded size, or one that keeps blocks elsewhere too.
//
// A Landing is such a directory whose files arrive, one after another, in a local directory: what has arrived is read
// there, the rest still from the repository.
//
// A block is verified on its way in as far as it can be: its length, and, where a file fits into one, the file's
// checksum. All types are safe for concurrent use.
package snapshotdir
