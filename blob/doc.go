// Package blob is a container of named blobs: the one thing that a snapshot repository needs of a
// disk, a bucket or a web server.
//
// [Container] is the interface with its contract; sub-packages hold the stores (fs, mem), faulty
// wraps any of them with injected faults, and blobtest is the suite that every store passes.
// [ReadOnly] and [Trace] wrap a container here. [Open] turns a location such as "fs:/backups" into
// a container, and [OpenType] a type such as "s3" with its [Settings]. Stores behind a network count
// their requests in [Stats] and try out their settings through [Checker].
//
// Invariants: a blob is seen whole or not at all; an error has one of a closed set of kinds, asked
// through [KindOf]; names never leave the container, whatever they say.
package blob
