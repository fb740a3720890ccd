// Package repository reads, writes and verifies a snapshot repository in OpenSearch's layout on a
// blob container.
//
// [Open] gives a [Repository]. [Repository.LoadData] reads the root, [Data]: which snapshots and
// indices there are, and each shard's current generation. From there [Repository.SnapshotInfo],
// [Repository.GlobalMetadata] and [Repository.IndexMetadata] read metadata, and [Repository.Shard]
// gives a [Shard], whose methods read and write one shard's files. [Repository.Finalize],
// [Repository.Delete] and [Repository.Cleanup] change the root; [Repository.Verify] checks all.
//
// Invariants:
//
//   - Nothing that a reader can see changes before the root pointer is swung (root.go); a crash
//     before leaves only blobs that nothing refers to, which Cleanup finds.
//   - A blob is deleted only after a swing that no longer refers to it, and only if it was listed
//     before that swing; so another cluster's unfinished work is never deleted without its
//     finalization failing with a *ConcurrentModificationError.
//   - Metadata that this package does not know is kept as it was read.
//   - Every byte read is untrusted: framed blobs are checksummed and limited in size, names checked,
//     data files verified against their Lucene checksum while they stream; they are never held in
//     memory whole.
//
// Written are version 2.19.0's forms; read are those of Elasticsearch 5.6 to OpenSearch 3. What has
// no shard generations (before 7.6), or comes from Elasticsearch 7.12 or later, is read only. The
// layout is specified in docs/formats/repository.md, the swing in docs/decisions/0003-root-pointer.md.
package repository
