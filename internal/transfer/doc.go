// Package transfer brings the files that the other side lacks: from a shard's Lucene directory into a
// snapshot repository, and back.
//
// A large file comes in ranges side by side, each into its place, where the store is faster so (docs/decisions/0016-ranges-into-place.md).
//
// Upload and Download compare two lists of files by name, length and checksum, move what is missing, many
// at once and within a Limit of bytes per second, and verify every byte's checksum on the way. Neither
// swings a pointer: what was moved is not referred to until the caller writes the list that names it, so
// that both may be cancelled or killed at any moment and done again. Progress counts may be read meanwhile.
package transfer
