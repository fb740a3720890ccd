// Package snapshotdir shows one shard of a snapshot as a read-only Lucene directory, without restoring
// it: files are read from the repository where they lie, block by block, through a cache of bounded size.
//
// A Cache may be shared by any number of directories; it holds at most its number of bytes and is safe
// for concurrent use.
package snapshotdir
