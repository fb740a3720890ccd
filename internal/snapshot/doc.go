// Package snapshot takes, deletes and restores snapshots, and keeps the registered repositories.
//
// Each job is records in the cluster state: a header (state.SnapshotJob, SnapshotDeletion, Restore) and one
// record per shard. The node that holds a shard does that shard's part and records the result; the elected
// manager, when all parts are there, finishes the job with one change of the repository's root. So a
// process that is killed goes on from the records, and what a client waits for, it waits for in the state.
//
// Jobs that write to one repository run one after another, in the order in which they were asked for; others
// wait as QUEUED or WAITING. Nothing that a reader of the repository can see changes before the root does.
package snapshot
