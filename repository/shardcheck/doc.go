// Package shardcheck looks into the indices of a snapshot's shards with lucene/check, where they lie.
//
// A Checker's Check fits [repository.VerifyOptions]: it runs after the bytes of all files of a shard were compared with
// their checksums. A segment that several snapshots share is looked at once. It is safe for concurrent use, and how many
// shards it looks at side by side, and how much of them it keeps in memory, is bounded.
package shardcheck
