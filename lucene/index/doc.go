// Package index opens indices for reading and for writing.
//
// A [DirectoryReader] is an index at one moment: of a commit ([OpenDirectory]) or as a [Writer] has it. Its leaves are
// [SegmentReader]s. Readers count their users and are immutable; those of one index share what has not changed.
//
// A [Writer] changes an index: [Open], then AddDocuments, UpdateDocuments and DeleteTerm from as many goroutines as there are, Reader
// to see the changes, Commit to make them durable, PinCommit to keep the files of a commit while they are copied.
// docs/decisions/0002-index-writer.md says how it works. Its invariants:
//
//   - What Commit returned for survives anything; a crash at any step leaves the last commit, whole, and files that the next Open removes.
//   - A reader has all operations that returned before it was asked for, and of an operation everything or nothing.
//   - A delete concerns the documents that were added before it, by sequence number.
//   - An error of writing ends the writer ([ErrFailed]), but for those of merges, which leave everything as it was.
//   - A field has the same schema in all documents of an index ([SchemaError]).
package index
