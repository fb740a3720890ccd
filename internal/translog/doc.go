// Package translog is the operation log of one shard: every index, delete and no-op is added to it
// before the write is acknowledged, and replayed after a crash.
//
// A [Log] lives in one folder and consists of numbered generations (translog-N.tlog) and one
// checkpoint file (translog.ckp) that says which generations exist and how far the newest one is
// known to be on disk. The bytes are specified in docs/formats/translog.md.
//
// Invariants:
//
//   - Every byte below the checkpoint's synced offset, and every sealed generation, was on disk
//     before a Sync that covers it returned. Damage there is a [CorruptError], never a silent loss.
//   - Bytes above it were never acknowledged. What of them survived a crash whole is kept, the torn
//     rest is cut off when the log is opened.
//   - A recovered generation is sealed and never appended to again: opening starts a new one.
//   - The first error of a write or an fsync is final. The log is failed from then on, because after
//     a failed fsync the kernel may have dropped the very pages that were to be written.
//   - Memory is bounded: two write buffers, one read buffer for each open snapshot, and a few dozen
//     bytes for each generation.
//
// Adding takes a short lock and copies into a buffer. Syncing is a group commit: one caller writes
// and syncs, the others wait for it, so many writers share one fsync.
package translog
