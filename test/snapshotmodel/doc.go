// Package snapshotmodel drives the snapshot service in one process, on a store with injected faults, through random
// snapshots, clones, deletions, restores, cancellations, clean-ups and crashes, and compares what comes of it with a model in memory.
package snapshotmodel
