// Package snapshot takes, clones, deletes and restores snapshots, and keeps the registered repositories.
//
// Each job is records in the cluster state: a header (state.SnapshotJob, SnapshotDeletion, Restore) and one
// record per shard. The node that holds a shard does that shard's part and records the result; the elected
// manager, when all parts are there, finishes the job with one change of the repository's root. So a
// process that is killed goes on from the records, and what a client waits for, it waits for in the state.
//
// Snapshots and clones of one repository overlap, shard by shard; deletions wait for those before them and hold up those
// behind (docs/decisions/0007-overlapping-snapshots.md). Nothing that a reader of the repository can see changes before the root does.
package snapshot
