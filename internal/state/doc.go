// Package state keeps the cluster state: typed records in etcd, changed in transactions, and read
// from an immutable view in memory.
//
// [Open] starts an etcd in the process (on unix sockets only) or connects to an external one; all
// else is the same. A [Record] is one etcd key. [Store.View] returns the newest [View]: it costs
// nothing, never changes, and is complete as of its revision. [Store.Update] runs a function that
// reads the view and writes records; it returns when they are durable and the local view has them.
// [Store.Subscribe] tells appliers of new views, [Store.WaitFor] waits for a condition.
//
// [Identity] is the node's own: its id in the data folder, with a lock so that no second process
// uses that folder. [Store.Join] makes the node a member: a record under a lease, which vanishes
// when the node does, and a candidate for the manager's office.
//
// Invariants:
//
//   - Updates are serialisable: each commit requires that nobody has committed since the view that
//     it was computed from. Concurrent updates of one process are committed together.
//   - An update is atomic, whatever its size: what exceeds etcd's limits for a transaction is staged
//     beside the records and takes effect with one small transaction (see staged.go).
//   - Records in a view are shared. Change a copy (Clone), never the record itself.
//   - Membership is not fenced by updates: a member may vanish between view and commit. What must be
//     fenced is fenced by primary terms, or by Store.UpdateAsManager.
//   - No secrets: credentials live in each node's key store. Put refuses settings whose names are
//     known to hold some; see docs/decisions/0004-cluster-state-in-etcd.md.
package state
